//! What is changed at run time: one SQLite file, one module per table.
//!
//! Migrations are numbered over all rooms, compiled in, and only ever go forward.

pub mod applications;
pub mod backups;
pub mod channels;
pub mod deliveries;
pub mod devices;
pub mod erasures;
pub mod followers;
pub mod health;
pub mod holds;
pub mod hooks;
pub mod inbox;
pub mod inputs;
pub mod mapping_samples;
pub mod mappings;
pub mod memory;
pub mod picked;
pub mod removals;
pub mod reports;
pub mod retention;
pub mod rules;
pub mod runs;
pub mod saved_filters;
pub mod sealed;
pub mod secrets;
pub mod selection;
pub mod sessions;
pub mod set_aside;
pub mod set_aside_groups;
pub mod settings;
pub mod sources;
pub mod tokens;
pub mod users;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{SqliteConnection, SqlitePool};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Why the state can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "the state in {path} was written by a newer belfry (its version is {found}, this one knows {known}): start the newer one, or restore the backup taken before the upgrade"
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("can't open the state in {path}")]
    Open {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
    #[error("can't bring the state in {path} up to date")]
    Migrate {
        path: PathBuf,
        #[source]
        source: MigrateError,
    },
}

/// Opens the state file, makes it where there is none, and brings it up to date.
pub async fn open(path: &Path) -> Result<SqlitePool, OpenError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // What a transaction said is on disk when it answers: deliveries and positions hang on it.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // What is deleted or overwritten is gone from the file, not only out of sight: erasure promises it.
        .pragma("secure_delete", "ON")
        .busy_timeout(Duration::from_secs(10))
        .optimize_on_close(true, 400);
    let failed = |source| OpenError::Open { path: path.to_path_buf(), source };
    let pool = SqlitePoolOptions::new()
        .max_connections(8)
        .acquire_timeout(Duration::from_secs(20))
        .connect_with(options)
        .await
        .map_err(failed)?;
    if let Some((found, known)) = newer(&pool).await.map_err(failed)? {
        pool.close().await;
        return Err(OpenError::Newer { path: path.to_path_buf(), found, known });
    }
    MIGRATIONS.run(&pool).await.map_err(|source| OpenError::Migrate { path: path.to_path_buf(), source })?;
    Ok(pool)
}

/// The version of the file and the newest known here, when the file is ahead.
async fn newer(pool: &SqlitePool) -> sqlx::Result<Option<(i64, i64)>> {
    let table: Option<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'")
            .fetch_optional(pool)
            .await?;
    if table.is_none() {
        return Ok(None);
    }
    let found: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(pool).await?;
    let known = MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0);
    Ok(found.filter(|found| *found > known).map(|found| (found, known)))
}

/// A transaction that may write. It takes the write lock at once: one that begins by reading and then writes
/// can be refused by SQLite, however long it is willing to wait.
pub async fn begin_write(pool: &SqlitePool) -> sqlx::Result<sqlx::Transaction<'static, sqlx::Sqlite>> {
    pool.begin_with("BEGIN IMMEDIATE").await
}

/// Moves the database's log into its file and begins it anew, so that no older state of a row is left in it. Readers
/// may keep it from moving for a while; it then goes with the next one, at the latest when the server stops.
pub async fn begin_log_anew(pool: &SqlitePool) {
    if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(pool).await {
        tracing::warn!(%error, "the log of the state was not begun anew; what was overwritten may stand in it for a while");
    }
}

/// A new id: sorts by time, and can't be guessed. 26 characters, as a ULID.
pub fn new_id(now: Timestamp) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let millis = u128::try_from(now.as_millisecond()).unwrap_or(0) & 0xffff_ffff_ffff;
    let mut random = [0; 16];
    rand::fill(&mut random);
    let mut rest = (millis << 80) | (u128::from_be_bytes(random) >> 48);
    let mut text = [0; 26];
    for place in text.iter_mut().rev() {
        *place = ALPHABET.get((rest & 31) as usize).copied().unwrap_or(b'0');
        rest >>= 5;
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// RFC 3339 in UTC of the milliseconds a column holds.
pub fn time_text(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(|_| String::new(), |t| t.to_string())
}

/// Whether the connection answers.
pub async fn alive(connection: &mut SqliteConnection) -> bool {
    sqlx::query("SELECT 1").execute(connection).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_newer_file_is_refused_with_both_versions() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.sqlite");
        let pool = open(&path).await.unwrap();
        sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', TRUE, x'00', 1)")
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
        let error = open(&path).await.unwrap_err().to_string();
        assert!(error.contains("newer belfry") && error.contains("9999"), "{error}");
    }

    #[test]
    fn ids_sort_by_time_and_differ() {
        let earlier = new_id(Timestamp::from_second(1_700_000_000).unwrap());
        let later = new_id(Timestamp::from_second(1_700_000_001).unwrap());
        assert!(earlier < later && earlier.len() == 26);
        assert_ne!(new_id(Timestamp::UNIX_EPOCH), new_id(Timestamp::UNIX_EPOCH));
    }
}
