//! The users.

use sqlx::{FromRow, Sqlite, SqliteConnection, SqlitePool};

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct User {
    pub id: String,
    pub name: String,
    pub full_name: String,
    pub email: String,
    pub role: String,
    pub disabled: bool,
    /// PHC string.
    pub password: String,
    pub created_at: i64,
    pub last_login_at: Option<i64>,
}

pub async fn all(pool: &SqlitePool) -> sqlx::Result<Vec<User>> {
    sqlx::query_as(
        "SELECT id, name, full_name, email, role, disabled, password, created_at, last_login_at FROM users ORDER BY name_folded",
    )
    .fetch_all(pool)
    .await
}

pub async fn find(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<Option<User>> {
    sqlx::query_as(
        "SELECT id, name, full_name, email, role, disabled, password, created_at, last_login_at FROM users WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(connection)
    .await
}

pub async fn find_by_name(connection: &mut SqliteConnection, name: &str) -> sqlx::Result<Option<User>> {
    sqlx::query_as(
        "SELECT id, name, full_name, email, role, disabled, password, created_at, last_login_at FROM users WHERE name_folded = $1",
    )
    .bind(name.to_lowercase())
    .fetch_optional(connection)
    .await
}

/// The enabled users of a role.
pub async fn of_role(pool: &SqlitePool, role: &str) -> sqlx::Result<Vec<User>> {
    sqlx::query_as(
        "SELECT id, name, full_name, email, role, disabled, password, created_at, last_login_at FROM users \
         WHERE role = $1 AND NOT disabled ORDER BY name_folded",
    )
    .bind(role)
    .fetch_all(pool)
    .await
}

pub async fn add(connection: &mut SqliteConnection, user: &User) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO users (id, name, name_folded, full_name, email, role, disabled, password, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&user.id)
    .bind(&user.name)
    .bind(user.name.to_lowercase())
    .bind(&user.full_name)
    .bind(&user.email)
    .bind(&user.role)
    .bind(user.disabled)
    .bind(&user.password)
    .bind(user.created_at)
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn update(connection: &mut SqliteConnection, user: &User) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE users SET name = $2, name_folded = $3, full_name = $4, email = $5, role = $6, disabled = $7, password = $8 \
         WHERE id = $1",
    )
    .bind(&user.id)
    .bind(&user.name)
    .bind(user.name.to_lowercase())
    .bind(&user.full_name)
    .bind(&user.email)
    .bind(&user.role)
    .bind(user.disabled)
    .bind(&user.password)
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn logged_in(connection: &mut SqliteConnection, id: &str, at: i64) -> sqlx::Result<()> {
    sqlx::query("UPDATE users SET last_login_at = $2 WHERE id = $1").bind(id).bind(at).execute(connection).await?;
    Ok(())
}

/// Removes the user, and with them their sessions, tokens and saved filters.
pub async fn remove(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM users WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}

/// How many enabled administrators there are besides `id`.
pub async fn administrators_besides(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar::<Sqlite, i64>(
        "SELECT count(*) FROM users WHERE role = 'administrator' AND NOT disabled AND id <> $1",
    )
    .bind(id)
    .fetch_one(connection)
    .await
}
