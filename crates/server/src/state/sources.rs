//! The sources.

use sqlx::{FromRow, SqlitePool};

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Source {
    pub name: String,
    pub title: String,
    pub mapping: String,
    pub builtin: bool,
    pub enabled: bool,
    pub created_at: i64,
}

/// What was known of a source before its health was kept; read once, when a data folder of that time is opened.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Activity {
    pub name: String,
    pub events: i64,
    pub first_seen_at: i64,
    pub last_seen_at: i64,
}

pub async fn all(pool: &SqlitePool) -> sqlx::Result<Vec<Source>> {
    sqlx::query_as("SELECT name, title, mapping, builtin, enabled, created_at FROM sources ORDER BY name")
        .fetch_all(pool)
        .await
}

pub async fn activity(pool: &SqlitePool) -> sqlx::Result<Vec<Activity>> {
    sqlx::query_as("SELECT name, events, first_seen_at, last_seen_at FROM source_activity ORDER BY name LIMIT 1000")
        .fetch_all(pool)
        .await
}

/// Adds a source, or does nothing where the name is taken. Says whether it was added.
pub async fn add(pool: &SqlitePool, source: &Source) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO sources (name, title, mapping, builtin, enabled, created_at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (name) DO NOTHING",
    )
    .bind(&source.name)
    .bind(&source.title)
    .bind(&source.mapping)
    .bind(source.builtin)
    .bind(source.enabled)
    .bind(source.created_at)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn update(pool: &SqlitePool, name: &str, title: &str, mapping: &str, enabled: bool) -> sqlx::Result<()> {
    sqlx::query("UPDATE sources SET title = $2, mapping = $3, enabled = $4 WHERE name = $1")
        .bind(name)
        .bind(title)
        .bind(mapping)
        .bind(enabled)
        .execute(pool)
        .await?;
    Ok(())
}

pub async fn remove(pool: &SqlitePool, name: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM sources WHERE name = $1 AND builtin = 0").bind(name).execute(pool).await?;
    Ok(())
}
