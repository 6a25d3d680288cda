//! Filters that people keep, for themselves or for all.

use sqlx::{FromRow, SqliteConnection, SqlitePool};

#[derive(Debug, Clone, FromRow)]
pub struct SavedFilter {
    pub id: String,
    pub name: String,
    pub filter: String,
    pub shared: bool,
    pub user_id: String,
    pub user_name: String,
    pub created_at: i64,
}

/// What a user sees: the own ones, and what others share.
pub async fn seen_by(pool: &SqlitePool, user_id: &str) -> sqlx::Result<Vec<SavedFilter>> {
    sqlx::query_as(
        "SELECT f.id, f.name, f.filter, f.shared, f.user_id, u.name AS user_name, f.created_at \
         FROM saved_filters f JOIN users u ON u.id = f.user_id WHERE f.shared OR f.user_id = $1 ORDER BY f.name, f.id",
    )
    .bind(user_id)
    .fetch_all(pool)
    .await
}

pub async fn find(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<Option<SavedFilter>> {
    sqlx::query_as(
        "SELECT f.id, f.name, f.filter, f.shared, f.user_id, u.name AS user_name, f.created_at \
         FROM saved_filters f JOIN users u ON u.id = f.user_id WHERE f.id = $1",
    )
    .bind(id)
    .fetch_optional(connection)
    .await
}

pub async fn add(connection: &mut SqliteConnection, saved: &SavedFilter) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO saved_filters (id, name, filter, shared, user_id, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&saved.id)
    .bind(&saved.name)
    .bind(&saved.filter)
    .bind(saved.shared)
    .bind(&saved.user_id)
    .bind(saved.created_at)
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn remove(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM saved_filters WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}
