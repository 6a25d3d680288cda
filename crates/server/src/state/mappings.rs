//! Mappings that were edited here. The shipped ones are version 1 of their names and are not stored.

use sqlx::{FromRow, SqliteConnection, SqlitePool};

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct StoredMapping {
    pub name: String,
    pub version: i64,
    pub program: String,
    pub created_at: i64,
    pub created_by: String,
}

/// The newest version of every stored mapping.
pub async fn newest(pool: &SqlitePool) -> sqlx::Result<Vec<StoredMapping>> {
    sqlx::query_as(
        "SELECT name, version, program, created_at, created_by FROM mappings AS m \
         WHERE version = (SELECT max(version) FROM mappings WHERE name = m.name) ORDER BY name",
    )
    .fetch_all(pool)
    .await
}

/// All versions of one mapping, the newest first.
pub async fn versions(pool: &SqlitePool, name: &str) -> sqlx::Result<Vec<StoredMapping>> {
    sqlx::query_as("SELECT name, version, program, created_at, created_by FROM mappings WHERE name = $1 ORDER BY version DESC LIMIT 100")
        .bind(name)
        .fetch_all(pool)
        .await
}

pub async fn one(pool: &SqlitePool, name: &str, version: i64) -> sqlx::Result<Option<StoredMapping>> {
    sqlx::query_as(
        "SELECT name, version, program, created_at, created_by FROM mappings WHERE name = $1 AND version = $2",
    )
    .bind(name)
    .bind(version)
    .fetch_optional(pool)
    .await
}

pub async fn add(transaction: &mut SqliteConnection, mapping: &StoredMapping) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO mappings (name, version, program, created_at, created_by) VALUES ($1, $2, $3, $4, $5)")
        .bind(&mapping.name)
        .bind(mapping.version)
        .bind(&mapping.program)
        .bind(mapping.created_at)
        .bind(&mapping.created_by)
        .execute(transaction)
        .await?;
    Ok(())
}
