//! Records that could not be understood, with their reasons.

use sqlx::{FromRow, Sqlite, SqlitePool};

/// A record to set aside.
#[derive(Debug, Clone)]
pub struct New<'a> {
    pub source: &'a str,
    pub received_at: i64,
    pub peer: Option<String>,
    pub code: &'a str,
    pub reason: &'a str,
    pub field: Option<&'a str>,
    pub record: &'a [u8],
    /// The batch key and the index in it, so that a batch sent again sets nothing aside twice.
    pub batch: Option<(&'a [u8], usize)>,
}

#[derive(Debug, Clone, FromRow)]
pub struct SetAside {
    pub id: i64,
    pub source: String,
    pub received_at: i64,
    pub peer: Option<String>,
    pub code: String,
    pub reason: String,
    pub field: Option<String>,
    pub record: Vec<u8>,
    pub state: String,
    pub settled_at: Option<i64>,
    pub settled_by: Option<String>,
    pub settled_why: Option<String>,
}

#[derive(Debug, Clone, FromRow)]
pub struct Count {
    pub source: String,
    pub code: String,
    pub reason: String,
    pub records: i64,
    pub last_at: i64,
}

const COLUMNS: &str = "SELECT id, source, received_at, peer, code, reason, field, record, state, settled_at, settled_by, settled_why FROM set_aside";

/// Sets all of `records` aside in one transaction; answers their ids, in order.
pub async fn add(pool: &SqlitePool, records: &[New<'_>]) -> sqlx::Result<Vec<i64>> {
    let mut ids = Vec::with_capacity(records.len());
    let mut transaction = pool.begin().await?;
    for record in records {
        let (batch, index) = record.batch.map_or((None, None), |(key, index)| (Some(key), Some(index as i64)));
        let id: i64 = sqlx::query_scalar::<Sqlite, i64>(
            "INSERT INTO set_aside (source, received_at, peer, code, reason, field, record, batch, batch_index) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             ON CONFLICT (batch, batch_index) WHERE batch IS NOT NULL DO UPDATE SET batch_index = excluded.batch_index \
             RETURNING id",
        )
        .bind(record.source)
        .bind(record.received_at)
        .bind(&record.peer)
        .bind(record.code)
        .bind(record.reason)
        .bind(record.field)
        .bind(record.record)
        .bind(batch)
        .bind(index)
        .fetch_one(&mut *transaction)
        .await?;
        ids.push(id);
    }
    transaction.commit().await?;
    Ok(ids)
}

/// How many records, and how many bytes of them, wait to be settled.
pub async fn waiting(pool: &SqlitePool) -> sqlx::Result<(u64, u64)> {
    let (records, bytes): (i64, i64) =
        sqlx::query_as("SELECT count(*), coalesce(sum(length(record)), 0) FROM set_aside WHERE state = 'open'")
            .fetch_one(pool)
            .await?;
    Ok((records.cast_unsigned(), bytes.cast_unsigned()))
}

/// Open records counted by source and reason, the most frequent first.
pub async fn counts(pool: &SqlitePool) -> sqlx::Result<Vec<Count>> {
    sqlx::query_as(
        "SELECT source, code, min(reason) AS reason, count(*) AS records, max(received_at) AS last_at FROM set_aside \
         WHERE state = 'open' GROUP BY source, code ORDER BY records DESC LIMIT 500",
    )
    .fetch_all(pool)
    .await
}

/// A page of records, the newest first, older than `before`.
pub async fn page(
    pool: &SqlitePool,
    source: Option<&str>,
    state: &str,
    before: Option<i64>,
    limit: u32,
) -> sqlx::Result<Vec<SetAside>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE state = $1 AND ($2 IS NULL OR source = $2) AND ($3 IS NULL OR id < $3) ORDER BY id DESC LIMIT $4"
    )))
    .bind(state)
    .bind(source)
    .bind(before)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// Open records of a source, the oldest first, after id `after`.
pub async fn open_after(pool: &SqlitePool, source: &str, after: i64, limit: u32) -> sqlx::Result<Vec<SetAside>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE state = 'open' AND source = $1 AND id > $2 ORDER BY id LIMIT $3"
    )))
    .bind(source)
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await
}

pub async fn one(pool: &SqlitePool, id: i64) -> sqlx::Result<Option<SetAside>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = $1"))).bind(id).fetch_optional(pool).await
}

/// Closes an open record as `replayed` or `discarded`; says whether it was open.
pub async fn settle(
    pool: &SqlitePool,
    id: i64,
    state: &str,
    at: i64,
    by: &str,
    why: Option<&str>,
) -> sqlx::Result<bool> {
    let done = sqlx::query("UPDATE set_aside SET state = $2, settled_at = $3, settled_by = $4, settled_why = $5 WHERE id = $1 AND state = 'open'")
        .bind(id)
        .bind(state)
        .bind(at)
        .bind(by)
        .bind(why)
        .execute(pool)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes down why a replay failed again.
pub async fn explain(pool: &SqlitePool, id: i64, code: &str, reason: &str, field: Option<&str>) -> sqlx::Result<()> {
    sqlx::query("UPDATE set_aside SET code = $2, reason = $3, field = $4 WHERE id = $1")
        .bind(id)
        .bind(code)
        .bind(reason)
        .bind(field)
        .execute(pool)
        .await?;
    Ok(())
}
