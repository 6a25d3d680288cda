//! Requests to erase a person's data; what became of them stands with the removal of the same id.

use sqlx::{FromRow, SqliteConnection, SqlitePool};

use super::picked::Picked;

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Erasure {
    /// Of the removal, too.
    pub id: String,
    /// Its filter is forgotten once it is completed or refused.
    #[sqlx(flatten)]
    pub picked: Picked,
    /// `approved` or `refused`.
    pub decision: Option<String>,
    pub decided_by: Option<String>,
    pub decided_at: Option<i64>,
    pub decision_reason: Option<String>,
}

/// The newest requests.
pub async fn newest(pool: &SqlitePool, count: u32) -> sqlx::Result<Vec<Erasure>> {
    sqlx::query_as("SELECT * FROM erasures ORDER BY id DESC LIMIT $1").bind(count).fetch_all(pool).await
}

pub async fn find(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<Option<Erasure>> {
    sqlx::query_as("SELECT * FROM erasures WHERE id = $1").bind(id).fetch_optional(connection).await
}

pub async fn add(connection: &mut SqliteConnection, erasure: &Erasure) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO erasures (id, filter, salt, filter_hash, from_at, to_at) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(&erasure.id)
        .bind(&erasure.picked.filter)
        .bind(&erasure.picked.salt)
        .bind(&erasure.picked.filter_hash)
        .bind(erasure.picked.from_at)
        .bind(erasure.picked.to_at)
        .execute(connection)
        .await?;
    Ok(())
}

/// Writes down what the second person said.
pub async fn decide(
    connection: &mut SqliteConnection,
    id: &str,
    decision: &str,
    by: &str,
    at: i64,
    reason: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE erasures SET decision = $2, decided_by = $3, decided_at = $4, decision_reason = $5 WHERE id = $1",
    )
    .bind(id)
    .bind(decision)
    .bind(by)
    .bind(at)
    .bind(reason)
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets the filter: it names the person itself.
pub async fn forget_filter(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE erasures SET filter = NULL, salt = NULL WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}
