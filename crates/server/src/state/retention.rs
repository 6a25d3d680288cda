//! How long events of a category are kept.

use sqlx::{FromRow, SqliteConnection, SqlitePool};

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Policy {
    /// `event.category`, or `*` for all that have no policy of their own.
    pub category: String,
    /// As it was written.
    pub keep: String,
    pub keep_seconds: i64,
    pub note: String,
    pub updated_at: i64,
    pub updated_by: String,
}

/// All policies, by category.
pub async fn all(pool: &SqlitePool) -> sqlx::Result<Vec<Policy>> {
    sqlx::query_as("SELECT * FROM retention_policies ORDER BY category").fetch_all(pool).await
}

pub async fn find(connection: &mut SqliteConnection, category: &str) -> sqlx::Result<Option<Policy>> {
    sqlx::query_as("SELECT * FROM retention_policies WHERE category = $1")
        .bind(category)
        .fetch_optional(connection)
        .await
}

pub async fn put(connection: &mut SqliteConnection, policy: &Policy) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO retention_policies (category, keep, keep_seconds, note, updated_at, updated_by) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (category) DO UPDATE SET keep = excluded.keep, \
         keep_seconds = excluded.keep_seconds, note = excluded.note, updated_at = excluded.updated_at, \
         updated_by = excluded.updated_by",
    )
    .bind(&policy.category)
    .bind(&policy.keep)
    .bind(policy.keep_seconds)
    .bind(&policy.note)
    .bind(policy.updated_at)
    .bind(&policy.updated_by)
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn remove(connection: &mut SqliteConnection, category: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM retention_policies WHERE category = $1").bind(category).execute(connection).await?;
    Ok(())
}
