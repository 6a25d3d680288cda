//! Applications that send, what is shared with them, and places for new devices.

use sqlx::{FromRow, SqliteConnection, SqlitePool};

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Application {
    pub name: String,
    pub title: String,
    pub description: String,
    pub owner: String,
    pub enabled: bool,
    pub created_at: i64,
    pub created_by: String,
}

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Grant {
    pub application: String,
    /// `source` or `mapping`.
    pub kind: String,
    pub name: String,
    /// Separated by blanks.
    pub rights: String,
}

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Enrolment {
    pub id: String,
    pub application: String,
    pub device: Option<String>,
    pub lock_first: bool,
    /// Separated by blanks.
    pub networks: String,
    pub created_at: i64,
    pub created_by: String,
    pub expires_at: i64,
}

pub async fn all(pool: &SqlitePool) -> sqlx::Result<Vec<Application>> {
    sqlx::query_as("SELECT * FROM applications ORDER BY name").fetch_all(pool).await
}

pub async fn find(connection: &mut SqliteConnection, name: &str) -> sqlx::Result<Option<Application>> {
    sqlx::query_as("SELECT * FROM applications WHERE name = $1").bind(name).fetch_optional(connection).await
}

pub async fn put(connection: &mut SqliteConnection, row: &Application) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO applications (name, title, description, owner, enabled, created_at, created_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO UPDATE SET title = excluded.title, \
         description = excluded.description, owner = excluded.owner, enabled = excluded.enabled",
    )
    .bind(&row.name)
    .bind(&row.title)
    .bind(&row.description)
    .bind(&row.owner)
    .bind(row.enabled)
    .bind(row.created_at)
    .bind(&row.created_by)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes it with its grants, enrolments and devices.
pub async fn remove(connection: &mut SqliteConnection, name: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM applications WHERE name = $1").bind(name).execute(connection).await?;
    Ok(())
}

/// All grants, or those of one application.
pub async fn grants(connection: &mut SqliteConnection, application: Option<&str>) -> sqlx::Result<Vec<Grant>> {
    sqlx::query_as(
        "SELECT application, kind, name, rights FROM application_grants WHERE $1 IS NULL OR application = $1 \
         ORDER BY application, kind DESC, name",
    )
    .bind(application)
    .fetch_all(connection)
    .await
}

pub async fn put_grant(connection: &mut SqliteConnection, grant: &Grant) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO application_grants (application, kind, name, rights) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (application, kind, name) DO UPDATE SET rights = excluded.rights",
    )
    .bind(&grant.application)
    .bind(&grant.kind)
    .bind(&grant.name)
    .bind(&grant.rights)
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn remove_grant(connection: &mut SqliteConnection, grant: &Grant) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM application_grants WHERE application = $1 AND kind = $2 AND name = $3")
        .bind(&grant.application)
        .bind(&grant.kind)
        .bind(&grant.name)
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn add_enrolment(connection: &mut SqliteConnection, row: &Enrolment, hash: &[u8]) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO enrolments (id, application, device, token_hash, lock_first, networks, created_at, created_by, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&row.id)
    .bind(&row.application)
    .bind(&row.device)
    .bind(hash)
    .bind(row.lock_first)
    .bind(&row.networks)
    .bind(row.created_at)
    .bind(&row.created_by)
    .bind(row.expires_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Enrolments of an application that nobody has redeemed, the newest first.
pub async fn enrolments(connection: &mut SqliteConnection, application: &str) -> sqlx::Result<Vec<Enrolment>> {
    sqlx::query_as("SELECT * FROM enrolments WHERE application = $1 ORDER BY id DESC")
        .bind(application)
        .fetch_all(connection)
        .await
}

pub async fn enrolment_by_hash(connection: &mut SqliteConnection, hash: &[u8]) -> sqlx::Result<Option<Enrolment>> {
    sqlx::query_as("SELECT * FROM enrolments WHERE token_hash = $1").bind(hash).fetch_optional(connection).await
}

pub async fn remove_enrolment(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM enrolments WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}

pub async fn remove_expired_enrolments(connection: &mut SqliteConnection, now: i64) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM enrolments WHERE expires_at <= $1").bind(now).execute(connection).await?;
    Ok(())
}
