//! The sources, and when each was last heard of.

use jiff::Timestamp;
use sqlx::{FromRow, SqliteConnection, SqlitePool};

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Source {
    pub name: String,
    pub title: String,
    pub mapping: String,
    pub builtin: bool,
    pub enabled: bool,
    pub created_at: i64,
}

/// What the trail says of a source. `name` is the `event.module` of its events.
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

/// Adds `events` events, the newest taken at `seen`, to what is known of source `name`.
pub async fn seen(transaction: &mut SqliteConnection, name: &str, events: u64, seen: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO source_activity (name, events, first_seen_at, last_seen_at) VALUES ($1, $2, $3, $3) \
         ON CONFLICT (name) DO UPDATE SET events = events + excluded.events, \
         last_seen_at = max(last_seen_at, excluded.last_seen_at)",
    )
    .bind(name)
    .bind(events.cast_signed())
    .bind(seen.as_millisecond())
    .execute(transaction)
    .await?;
    Ok(())
}
