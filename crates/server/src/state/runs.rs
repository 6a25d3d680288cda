//! Runs of reports, and where their files are.

use api::report::{Certificate, Run, RunState};
use sqlx::{FromRow, SqlitePool};

/// A run as it is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    pub run: Run,
    pub user_id: String,
    pub certificate: Option<Certificate>,
    /// Its name in the folder of exports, while it is kept.
    pub file: Option<String>,
    pub expires_at: Option<i64>,
}

#[derive(FromRow)]
struct Row {
    user_id: String,
    run: String,
    certificate: Option<String>,
    file: Option<String>,
    expires_at: Option<i64>,
}

impl TryFrom<Row> for Kept {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let unreadable = |error: serde_json::Error| sqlx::Error::Decode(error.into());
        Ok(Self {
            run: serde_json::from_str(&row.run).map_err(unreadable)?,
            certificate: row.certificate.as_deref().map(serde_json::from_str).transpose().map_err(unreadable)?,
            user_id: row.user_id,
            file: row.file,
            expires_at: row.expires_at,
        })
    }
}

const FIELDS: &str = "user_id, run, certificate, file, expires_at";

/// The newest runs, of one user or of all.
pub async fn newest(pool: &SqlitePool, user_id: Option<&str>, count: u32) -> sqlx::Result<Vec<Kept>> {
    let query = format!("SELECT {FIELDS} FROM report_runs WHERE $1 IS NULL OR user_id = $1 ORDER BY id DESC LIMIT $2");
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(query)).bind(user_id).bind(count).fetch_all(pool).await?;
    rows.into_iter().map(Kept::try_from).collect()
}

pub async fn find(pool: &SqlitePool, id: &str) -> sqlx::Result<Option<Kept>> {
    let query = format!("SELECT {FIELDS} FROM report_runs WHERE id = $1");
    let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(query)).bind(id).fetch_optional(pool).await?;
    row.map(Kept::try_from).transpose()
}

/// Writes a run, new or changed.
pub async fn put(pool: &SqlitePool, kept: &Kept, now: i64) -> sqlx::Result<()> {
    let unwritable = |error: serde_json::Error| sqlx::Error::Encode(error.into());
    let run = serde_json::to_string(&kept.run).map_err(unwritable)?;
    let certificate = kept.certificate.as_ref().map(serde_json::to_string).transpose().map_err(unwritable)?;
    sqlx::query(
        "INSERT INTO report_runs (id, report_id, user_id, state, run, certificate, file, size_bytes, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO UPDATE SET state = $4, run = $5, \
         certificate = $6, file = $7, size_bytes = $8, expires_at = $10",
    )
    .bind(&kept.run.id)
    .bind(&kept.run.report_id)
    .bind(&kept.user_id)
    .bind(kept.run.state.name())
    .bind(run)
    .bind(certificate)
    .bind(&kept.file)
    .bind(kept.run.size_bytes.unwrap_or(0).cast_signed())
    .bind(now)
    .bind(kept.expires_at)
    .execute(pool)
    .await?;
    Ok(())
}

/// Those that were running when the server went down.
pub async fn interrupted(pool: &SqlitePool) -> sqlx::Result<Vec<Kept>> {
    let query = format!("SELECT {FIELDS} FROM report_runs WHERE state = $1");
    let rows: Vec<Row> =
        sqlx::query_as(sqlx::AssertSqlSafe(query)).bind(RunState::Running.name()).fetch_all(pool).await?;
    rows.into_iter().map(Kept::try_from).collect()
}

/// Those whose files are to go: expired ones, and the oldest beyond so many files or bytes.
pub async fn overdue(pool: &SqlitePool, now: i64, files_max: i64, bytes_max: i64) -> sqlx::Result<Vec<Kept>> {
    let query = format!(
        "SELECT {FIELDS} FROM (SELECT *, row_number() OVER (ORDER BY id DESC) AS place, \
         sum(size_bytes) OVER (ORDER BY id DESC) AS bytes FROM report_runs WHERE file IS NOT NULL) \
         WHERE expires_at <= $1 OR place > $2 OR bytes > $3 LIMIT 1000"
    );
    let rows: Vec<Row> =
        sqlx::query_as(sqlx::AssertSqlSafe(query)).bind(now).bind(files_max).bind(bytes_max).fetch_all(pool).await?;
    rows.into_iter().map(Kept::try_from).collect()
}

/// Forgets runs made before that time whose files are gone.
pub async fn forget(pool: &SqlitePool, before: i64) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM report_runs WHERE created_at < $1 AND file IS NULL AND state <> 'running'")
        .bind(before)
        .execute(pool)
        .await?;
    Ok(())
}
