//! API tokens. The token itself is nowhere, only its hash.

use sqlx::{FromRow, SqliteConnection, SqlitePool};

#[derive(Debug, Clone, FromRow)]
pub struct Token {
    pub id: String,
    pub name: String,
    pub user_id: String,
    pub user_name: String,
    /// Names of privileges, separated by blanks.
    pub scopes: String,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub last_used_at: Option<i64>,
}

/// All tokens, or those of one user.
pub async fn all(pool: &SqlitePool, user_id: Option<&str>) -> sqlx::Result<Vec<Token>> {
    sqlx::query_as(
        "SELECT t.id, t.name, t.user_id, u.name AS user_name, t.scopes, t.created_at, t.expires_at, t.last_used_at \
         FROM tokens t JOIN users u ON u.id = t.user_id WHERE $1 IS NULL OR t.user_id = $1 ORDER BY t.created_at DESC, t.id",
    )
    .bind(user_id)
    .fetch_all(pool)
    .await
}

pub async fn find(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<Option<Token>> {
    sqlx::query_as(
        "SELECT t.id, t.name, t.user_id, u.name AS user_name, t.scopes, t.created_at, t.expires_at, t.last_used_at \
         FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.id = $1",
    )
    .bind(id)
    .fetch_optional(connection)
    .await
}

pub async fn find_by_hash(connection: &mut SqliteConnection, hash: &[u8]) -> sqlx::Result<Option<Token>> {
    sqlx::query_as(
        "SELECT t.id, t.name, t.user_id, u.name AS user_name, t.scopes, t.created_at, t.expires_at, t.last_used_at \
         FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.token_hash = $1",
    )
    .bind(hash)
    .fetch_optional(connection)
    .await
}

pub async fn add(connection: &mut SqliteConnection, token: &Token, hash: &[u8]) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO tokens (id, name, token_hash, user_id, scopes, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&token.id)
    .bind(&token.name)
    .bind(hash)
    .bind(&token.user_id)
    .bind(&token.scopes)
    .bind(token.created_at)
    .bind(token.expires_at)
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn used(connection: &mut SqliteConnection, id: &str, at: i64) -> sqlx::Result<()> {
    sqlx::query("UPDATE tokens SET last_used_at = $2 WHERE id = $1").bind(id).bind(at).execute(connection).await?;
    Ok(())
}

pub async fn remove(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM tokens WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}
