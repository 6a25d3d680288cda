//! The sessions of people who signed in. The cookie itself is nowhere, only its hash.

use sqlx::{FromRow, SqliteConnection};

#[derive(Debug, Clone, FromRow)]
pub struct Session {
    pub id: String,
    pub user_id: String,
    pub created_at: i64,
    pub last_used_at: i64,
    pub expires_at: i64,
}

pub async fn find(connection: &mut SqliteConnection, cookie_hash: &[u8]) -> sqlx::Result<Option<Session>> {
    sqlx::query_as("SELECT id, user_id, created_at, last_used_at, expires_at FROM sessions WHERE cookie_hash = $1")
        .bind(cookie_hash)
        .fetch_optional(connection)
        .await
}

pub async fn add(
    connection: &mut SqliteConnection,
    session: &Session,
    cookie_hash: &[u8],
    address: &str,
    user_agent: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO sessions (id, cookie_hash, user_id, address, user_agent, created_at, last_used_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&session.id)
    .bind(cookie_hash)
    .bind(&session.user_id)
    .bind(address)
    .bind(user_agent)
    .bind(session.created_at)
    .bind(session.last_used_at)
    .bind(session.expires_at)
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn used(connection: &mut SqliteConnection, id: &str, at: i64) -> sqlx::Result<()> {
    sqlx::query("UPDATE sessions SET last_used_at = $2 WHERE id = $1").bind(id).bind(at).execute(connection).await?;
    Ok(())
}

pub async fn remove(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM sessions WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}

/// Ends all sessions of a user, but for `keep`; answers how many.
pub async fn remove_of_user(connection: &mut SqliteConnection, user_id: &str, keep: Option<&str>) -> sqlx::Result<u64> {
    let done = sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND id <> $2")
        .bind(user_id)
        .bind(keep.unwrap_or(""))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Forgets what is over: past its end, or not used since `idle_before`.
pub async fn remove_expired(connection: &mut SqliteConnection, now: i64, idle_before: i64) -> sqlx::Result<u64> {
    let done = sqlx::query("DELETE FROM sessions WHERE expires_at <= $1 OR last_used_at < $2")
        .bind(now)
        .bind(idle_before)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}
