//! The records that stand beside a mapping, in their order.

use sqlx::{SqliteConnection, SqlitePool};

pub async fn of(pool: &SqlitePool, mapping: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("SELECT record FROM mapping_samples WHERE mapping = $1 ORDER BY nth LIMIT 100")
        .bind(mapping)
        .fetch_all(pool)
        .await
}

/// Puts `samples` in the place of those there were.
pub async fn replace(transaction: &mut SqliteConnection, mapping: &str, samples: &[String]) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM mapping_samples WHERE mapping = $1").bind(mapping).execute(&mut *transaction).await?;
    for (nth, record) in samples.iter().enumerate() {
        sqlx::query("INSERT INTO mapping_samples (mapping, nth, record) VALUES ($1, $2, $3)")
            .bind(mapping)
            .bind(nth as i64)
            .bind(record)
            .execute(&mut *transaction)
            .await?;
    }
    Ok(())
}
