//! How far each follower has read the trail.

use sqlx::{Sqlite, SqliteConnection, SqlitePool};

/// The next position that follower `name` wants; 0 for one that has never run.
pub async fn position(pool: &SqlitePool, name: &str) -> sqlx::Result<u64> {
    let position: Option<i64> = sqlx::query_scalar::<Sqlite, i64>("SELECT position FROM followers WHERE name = $1")
        .bind(name)
        .fetch_optional(pool)
        .await?;
    Ok(position.map_or(0, i64::cast_unsigned))
}

/// Moves the follower on. Call it in the transaction that stores what the follower concluded: apart, a crash in
/// between would make it conclude twice, or never.
pub async fn advance(transaction: &mut SqliteConnection, name: &str, position: u64) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO followers (name, position) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET position = excluded.position",
    )
    .bind(name)
    .bind(position.cast_signed())
    .execute(transaction)
    .await?;
    Ok(())
}
