//! The endpoints that others post to.

use sqlx::{FromRow, SqliteConnection, SqlitePool};

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct StoredHook {
    pub name: String,
    pub title: String,
    pub source: String,
    /// `api::hooks::HookSettings` as JSON.
    pub settings: String,
    /// Sealed.
    pub secret: Vec<u8>,
    /// Sealed; the secret before this one.
    pub previous: Option<Vec<u8>>,
    pub previous_until: Option<i64>,
    pub enabled: bool,
    pub created_at: i64,
}

pub async fn all(pool: &SqlitePool) -> sqlx::Result<Vec<StoredHook>> {
    sqlx::query_as(
        "SELECT name, title, source, settings, secret, previous, previous_until, enabled, created_at FROM hooks \
         ORDER BY name LIMIT 1000",
    )
    .fetch_all(pool)
    .await
}

/// Adds a hook, or does nothing where the name is taken. Says whether it was added.
pub async fn add(transaction: &mut SqliteConnection, hook: &StoredHook) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO hooks (name, title, source, settings, secret, enabled, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO NOTHING",
    )
    .bind(&hook.name)
    .bind(&hook.title)
    .bind(&hook.source)
    .bind(&hook.settings)
    .bind(&hook.secret)
    .bind(hook.enabled)
    .bind(hook.created_at)
    .execute(transaction)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes everything but the name and the moment it was made.
pub async fn update(transaction: &mut SqliteConnection, hook: &StoredHook) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE hooks SET title = $2, source = $3, settings = $4, secret = $5, previous = $6, previous_until = $7, \
         enabled = $8 WHERE name = $1",
    )
    .bind(&hook.name)
    .bind(&hook.title)
    .bind(&hook.source)
    .bind(&hook.settings)
    .bind(&hook.secret)
    .bind(&hook.previous)
    .bind(hook.previous_until)
    .bind(hook.enabled)
    .execute(transaction)
    .await?;
    Ok(())
}

pub async fn remove(transaction: &mut SqliteConnection, name: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM hooks WHERE name = $1").bind(name).execute(transaction).await?;
    Ok(())
}
