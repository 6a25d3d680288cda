//! Legal holds: what is not removed while they stand.

use sqlx::{FromRow, SqliteConnection, SqlitePool};

use super::picked::Picked;

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Hold {
    pub id: String,
    pub name: String,
    /// Its filter is forgotten once it is released.
    #[sqlx(flatten)]
    pub picked: Picked,
    pub reason: String,
    pub placed_by: String,
    pub placed_at: i64,
    pub released_by: Option<String>,
    pub released_at: Option<i64>,
    pub release_reason: Option<String>,
}

/// Those that stand, then those that were released, the newest first.
pub async fn all(pool: &SqlitePool, count: u32) -> sqlx::Result<Vec<Hold>> {
    sqlx::query_as("SELECT * FROM holds ORDER BY released_at IS NOT NULL, id DESC LIMIT $1")
        .bind(count)
        .fetch_all(pool)
        .await
}

/// Those that stand.
pub async fn standing(pool: &SqlitePool) -> sqlx::Result<Vec<Hold>> {
    sqlx::query_as("SELECT * FROM holds WHERE released_at IS NULL ORDER BY id").fetch_all(pool).await
}

pub async fn find(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<Option<Hold>> {
    sqlx::query_as("SELECT * FROM holds WHERE id = $1").bind(id).fetch_optional(connection).await
}

pub async fn add(connection: &mut SqliteConnection, hold: &Hold) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO holds (id, name, filter, salt, filter_hash, from_at, to_at, reason, placed_by, placed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(&hold.id)
    .bind(&hold.name)
    .bind(&hold.picked.filter)
    .bind(&hold.picked.salt)
    .bind(&hold.picked.filter_hash)
    .bind(hold.picked.from_at)
    .bind(hold.picked.to_at)
    .bind(&hold.reason)
    .bind(&hold.placed_by)
    .bind(hold.placed_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Releases it, and forgets what exactly it held: the filter may name a person.
pub async fn release(connection: &mut SqliteConnection, id: &str, by: &str, at: i64, reason: &str) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE holds SET filter = NULL, salt = NULL, released_by = $2, released_at = $3, release_reason = $4 WHERE id = $1",
    )
    .bind(id)
    .bind(by)
    .bind(at)
    .bind(reason)
    .execute(connection)
    .await?;
    Ok(())
}
