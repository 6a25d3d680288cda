//! Enrolled devices. Their credentials are nowhere, only their hashes.

use sqlx::{FromRow, SqliteConnection, SqlitePool};

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Device {
    pub id: String,
    pub application: String,
    pub name: String,
    pub previous_until: Option<i64>,
    /// Separated by blanks; none: from anywhere.
    pub networks: String,
    pub suspended: bool,
    pub enrolled_at: i64,
    pub enrolled_from: Option<String>,
    pub rotated_at: Option<i64>,
    pub last_seen_at: Option<i64>,
    pub last_address: Option<String>,
    pub version: Option<String>,
    /// Day of the last access that was told, since 1970.
    pub told_day: i64,
    pub told_events: i64,
}

pub async fn all(pool: &SqlitePool, application: Option<&str>) -> sqlx::Result<Vec<Device>> {
    sqlx::query_as(
        "SELECT * FROM devices WHERE $1 IS NULL OR application = $1 ORDER BY application, name, id LIMIT 10000",
    )
    .bind(application)
    .fetch_all(pool)
    .await
}

pub async fn find(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<Option<Device>> {
    sqlx::query_as("SELECT * FROM devices WHERE id = $1").bind(id).fetch_optional(connection).await
}

/// The device with that credential, and whether it is the one before the newest.
pub async fn find_by_hash(
    connection: &mut SqliteConnection,
    hash: &[u8],
    now: i64,
) -> sqlx::Result<Option<(Device, bool)>> {
    let newest: Option<Device> = sqlx::query_as("SELECT * FROM devices WHERE token_hash = $1")
        .bind(hash)
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(device) = newest {
        return Ok(Some((device, false)));
    }
    let before: Option<Device> =
        sqlx::query_as("SELECT * FROM devices WHERE previous_hash = $1 AND previous_until > $2")
            .bind(hash)
            .bind(now)
            .fetch_optional(connection)
            .await?;
    Ok(before.map(|device| (device, true)))
}

pub async fn add(connection: &mut SqliteConnection, row: &Device, hash: &[u8]) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO devices (id, application, name, token_hash, networks, suspended, enrolled_at, enrolled_from, \
         last_seen_at, last_address, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(&row.id)
    .bind(&row.application)
    .bind(&row.name)
    .bind(hash)
    .bind(&row.networks)
    .bind(row.suspended)
    .bind(row.enrolled_at)
    .bind(&row.enrolled_from)
    .bind(row.last_seen_at)
    .bind(&row.last_address)
    .bind(&row.version)
    .execute(connection)
    .await?;
    Ok(())
}

/// Gives it a new credential; `current`, which it shows now, stays good until then.
pub async fn rotate(connection: &mut SqliteConnection, id: &str, new: &[u8], until: i64, now: i64) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE devices SET previous_hash = token_hash, token_hash = $2, previous_until = $3, rotated_at = $4 WHERE id = $1",
    )
    .bind(id)
    .bind(new)
    .bind(until)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn update(connection: &mut SqliteConnection, row: &Device) -> sqlx::Result<()> {
    sqlx::query("UPDATE devices SET name = $2, suspended = $3, networks = $4 WHERE id = $1")
        .bind(&row.id)
        .bind(&row.name)
        .bind(row.suspended)
        .bind(&row.networks)
        .execute(connection)
        .await?;
    Ok(())
}

/// Writes down that it was used, from where, and with what.
pub async fn used(
    connection: &mut SqliteConnection,
    id: &str,
    at: i64,
    address: Option<&str>,
    version: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE devices SET last_seen_at = $2, last_address = coalesce($3, last_address), version = coalesce($4, version) \
         WHERE id = $1",
    )
    .bind(id)
    .bind(at)
    .bind(address)
    .bind(version)
    .execute(connection)
    .await?;
    Ok(())
}

/// Says that the access of `day` is told, at so many events; whether it was not told before.
pub async fn told(connection: &mut SqliteConnection, id: &str, day: i64, events: u64) -> sqlx::Result<bool> {
    let done = sqlx::query("UPDATE devices SET told_day = $2, told_events = $3 WHERE id = $1 AND told_day < $2")
        .bind(id)
        .bind(day)
        .bind(events.cast_signed())
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn remove(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM devices WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}
