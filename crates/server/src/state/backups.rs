//! Backups, and the files that the newest one stands for.

use std::collections::HashMap;

use sqlx::{FromRow, SqliteConnection, SqlitePool};

/// A row of `backups`. Times are milliseconds since 1970.
#[derive(Debug, Clone, FromRow)]
pub struct Row {
    pub id: String,
    pub kind: String,
    pub reason: String,
    pub state: String,
    pub parent: Option<String>,
    pub made_by: String,
    pub started_at: i64,
    pub ended_at: Option<i64>,
    pub recipient: String,
    pub tree_size: Option<i64>,
    pub root: Option<String>,
    pub checkpoint: Option<String>,
    pub size_bytes: Option<i64>,
    pub sha256: Option<String>,
    pub files: Option<i64>,
    pub files_new: Option<i64>,
    pub error: Option<String>,
    /// JSON.
    pub checked: Option<String>,
}

/// A file that a backup stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub size_bytes: u64,
    pub sha256: [u8; 32],
    /// Says that the file on disk was not touched since; empty: not known.
    pub stamp: String,
    /// The backup whose file holds the bytes.
    pub kept_in: String,
}

const FIELDS: &str = "id, kind, reason, state, parent, made_by, started_at, ended_at, recipient, tree_size, root, \
    checkpoint, size_bytes, sha256, files, files_new, error, checked";

/// The newest backups, older than `before`.
pub async fn newest(pool: &SqlitePool, before: Option<&str>, count: u32) -> sqlx::Result<Vec<Row>> {
    let query = format!("SELECT {FIELDS} FROM backups WHERE $1 IS NULL OR id < $1 ORDER BY id DESC LIMIT $2");
    sqlx::query_as(sqlx::AssertSqlSafe(query)).bind(before).bind(count).fetch_all(pool).await
}

pub async fn find(pool: &SqlitePool, id: &str) -> sqlx::Result<Option<Row>> {
    let query = format!("SELECT {FIELDS} FROM backups WHERE id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(query)).bind(id).fetch_optional(pool).await
}

/// All in a state, newest first.
pub async fn in_state(pool: &SqlitePool, state: &str) -> sqlx::Result<Vec<Row>> {
    let query = format!("SELECT {FIELDS} FROM backups WHERE state = $1 ORDER BY id DESC");
    sqlx::query_as(sqlx::AssertSqlSafe(query)).bind(state).fetch_all(pool).await
}

/// When the newest one of that reason was started.
pub async fn last_started(pool: &SqlitePool, reason: &str) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar("SELECT max(started_at) FROM backups WHERE reason = $1").bind(reason).fetch_one(pool).await
}

/// Writes a backup, new or changed.
pub async fn put(connection: &mut SqliteConnection, row: &Row) -> sqlx::Result<()> {
    let query = format!(
        "INSERT INTO backups ({FIELDS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
         $17, $18) ON CONFLICT (id) DO UPDATE SET kind = $2, state = $4, parent = $5, ended_at = $8, tree_size = $10, \
         root = $11, checkpoint = $12, size_bytes = $13, sha256 = $14, files = $15, files_new = $16, error = $17, \
         checked = $18"
    );
    sqlx::query(sqlx::AssertSqlSafe(query))
        .bind(&row.id)
        .bind(&row.kind)
        .bind(&row.reason)
        .bind(&row.state)
        .bind(&row.parent)
        .bind(&row.made_by)
        .bind(row.started_at)
        .bind(row.ended_at)
        .bind(&row.recipient)
        .bind(row.tree_size)
        .bind(&row.root)
        .bind(&row.checkpoint)
        .bind(row.size_bytes)
        .bind(&row.sha256)
        .bind(row.files)
        .bind(row.files_new)
        .bind(&row.error)
        .bind(&row.checked)
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn remove(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM backups WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}

/// Forgets what failed or was cancelled before that time.
pub async fn forget_failed(pool: &SqlitePool, before: i64) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM backups WHERE state IN ('failed', 'cancelled', 'missing') AND started_at < $1")
        .bind(before)
        .execute(pool)
        .await?;
    Ok(())
}

/// What the backup stands for, when it is the one that is remembered.
pub async fn files(pool: &SqlitePool, backup_id: &str) -> sqlx::Result<HashMap<String, Known>> {
    let rows: Vec<(String, i64, Vec<u8>, String, String)> =
        sqlx::query_as("SELECT path, size_bytes, sha256, stamp, kept_in FROM backup_files WHERE backup_id = $1")
            .bind(backup_id)
            .fetch_all(pool)
            .await?;
    rows.into_iter()
        .map(|(path, size_bytes, sha256, stamp, kept_in)| {
            let sha256 = sha256.try_into().map_err(|_| sqlx::Error::Decode("a hash is 32 bytes long".into()))?;
            Ok((path, Known { size_bytes: size_bytes.cast_unsigned(), sha256, stamp, kept_in }))
        })
        .collect()
}

/// Remembers what the backup stands for, in the place of what was remembered.
pub async fn set_files(
    connection: &mut SqliteConnection,
    backup_id: &str,
    files: &[(String, Known)],
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM backup_files").execute(&mut *connection).await?;
    for (path, known) in files {
        sqlx::query(
            "INSERT INTO backup_files (path, backup_id, size_bytes, sha256, stamp, kept_in) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(path)
        .bind(backup_id)
        .bind(known.size_bytes.cast_signed())
        .bind(known.sha256.as_slice())
        .bind(&known.stamp)
        .bind(&known.kept_in)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Copies the state into a new file as it is at one moment. Others go on reading and writing.
///
/// What is being made right now is not in the copy: it would look like something that was cut short.
pub async fn snapshot(pool: &SqlitePool, to: &str) -> sqlx::Result<()> {
    use sqlx::{ConnectOptions as _, Connection as _};
    let mut connection = pool.acquire().await?;
    sqlx::query("VACUUM INTO $1").bind(to).execute(&mut *connection).await?;
    drop(connection);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(to);
    let mut copy = options.connect().await?;
    sqlx::query("DELETE FROM backups WHERE state = 'running'").execute(&mut copy).await?;
    copy.close().await
}
