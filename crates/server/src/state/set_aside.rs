//! Records that could not be understood, with their reasons.

use futures::TryStreamExt as _;
use sqlx::{FromRow, Sqlite, SqlitePool};

use super::set_aside_groups;

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
    pub group_id: String,
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

/// Open records of a source.
#[derive(Debug, Clone, FromRow)]
pub struct Count {
    pub source: String,
    pub records: i64,
}

/// Which open records are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pick {
    Ids(Vec<i64>),
    Group(String),
    Source(String),
}

/// What a page of records is narrowed down to.
#[derive(Debug, Clone, Default)]
pub struct Narrow<'a> {
    pub source: Option<&'a str>,
    pub group: Option<&'a str>,
    pub state: &'a str,
}

/// Bytes of records in one page, beyond which it ends early.
const PAGE_BYTES_MAX: usize = 4 << 20;

const COLUMNS: &str = "SELECT id, source, group_id, received_at, peer, code, reason, field, record, state, settled_at, settled_by, settled_why FROM set_aside";

/// Sets all of `records` aside in one transaction; answers their ids, in order.
pub async fn add(pool: &SqlitePool, records: &[New<'_>]) -> sqlx::Result<Vec<i64>> {
    let mut ids = Vec::with_capacity(records.len());
    let mut transaction = super::begin_write(pool).await?;
    for record in records {
        let group = set_aside_groups::of(&mut transaction, record.source, record.code, record.reason).await?;
        let (batch, index) = record.batch.map_or((None, None), |(key, index)| (Some(key), Some(index as i64)));
        let id: i64 = sqlx::query_scalar::<Sqlite, i64>(
            "INSERT INTO set_aside (source, received_at, peer, code, reason, field, record, batch, batch_index, group_id) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
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
        .bind(group)
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

/// Open records counted by source.
pub async fn counts(pool: &SqlitePool) -> sqlx::Result<Vec<Count>> {
    sqlx::query_as(
        "SELECT g.source, sum(c.records) AS records FROM \
         (SELECT group_id, count(*) AS records FROM set_aside WHERE state = 'open' GROUP BY group_id) AS c \
         JOIN set_aside_groups AS g ON g.id = c.group_id GROUP BY g.source",
    )
    .fetch_all(pool)
    .await
}

/// A page of records, the newest first, older than `before`, and whether there may be more. Large records make it shorter.
pub async fn page(
    pool: &SqlitePool,
    narrow: &Narrow<'_>,
    before: Option<i64>,
    limit: u32,
) -> sqlx::Result<(Vec<SetAside>, bool)> {
    let (column, value) = match (narrow.group, narrow.source) {
        (Some(group), _) => ("group_id = $1", group),
        (None, Some(source)) => ("source = $1", source),
        (None, None) => ("$1 = ''", ""),
    };
    // The state of open records stands in the text, so that the index over them alone can be used.
    let state = match narrow.state {
        "replayed" => "replayed",
        "discarded" => "discarded",
        _ => "open",
    };
    let query = format!("{COLUMNS} WHERE state = '{state}' AND {column} AND id < $2 ORDER BY id DESC LIMIT $3");
    let mut rows = sqlx::query_as::<_, SetAside>(sqlx::AssertSqlSafe(query))
        .bind(value)
        .bind(before.unwrap_or(i64::MAX))
        .bind(limit)
        .fetch(pool);
    let (mut records, mut bytes) = (Vec::new(), 0);
    while let Some(record) = rows.try_next().await? {
        bytes += record.record.len();
        records.push(record);
        if bytes >= PAGE_BYTES_MAX {
            return Ok((records, true));
        }
    }
    let more = records.len() == limit as usize;
    Ok((records, more))
}

/// How many open records are meant, and the newest of them.
pub async fn size(pool: &SqlitePool, pick: &Pick) -> sqlx::Result<(u64, i64)> {
    let (column, value) = match pick {
        Pick::Ids(ids) => {
            let mut open = 0;
            for id in ids {
                let there: Option<i64> = sqlx::query_scalar("SELECT 1 FROM set_aside WHERE id = $1 AND state = 'open'")
                    .bind(id)
                    .fetch_optional(pool)
                    .await?;
                open += u64::from(there.is_some());
            }
            return Ok((open, i64::MAX));
        }
        Pick::Group(group) => ("group_id", group),
        Pick::Source(source) => ("source", source),
    };
    let (records, newest): (i64, i64) = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT count(*), coalesce(max(id), 0) FROM set_aside WHERE state = 'open' AND {column} = $1"
    )))
    .bind(value)
    .fetch_one(pool)
    .await?;
    Ok((records.cast_unsigned(), newest))
}

/// Open records of a pick, the oldest first, with ids after `after` and up to `through`.
pub async fn open_after(
    pool: &SqlitePool,
    pick: &Pick,
    after: i64,
    through: i64,
    limit: u32,
) -> sqlx::Result<Vec<SetAside>> {
    let (column, value) = match pick {
        Pick::Ids(ids) => {
            let mut sorted: Vec<i64> = ids.iter().copied().filter(|id| *id > after && *id <= through).collect();
            sorted.sort_unstable();
            sorted.dedup();
            let mut records = Vec::new();
            for id in sorted {
                records.extend(one(pool, id).await?.filter(|record| record.state == "open"));
                if records.len() >= limit as usize {
                    break;
                }
            }
            return Ok(records);
        }
        Pick::Group(group) => ("group_id", group),
        Pick::Source(source) => ("source", source),
    };
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE state = 'open' AND {column} = $1 AND id > $2 AND id <= $3 ORDER BY id LIMIT $4"
    )))
    .bind(value)
    .bind(after)
    .bind(through)
    .bind(limit)
    .fetch_all(pool)
    .await
}

pub async fn one(pool: &SqlitePool, id: i64) -> sqlx::Result<Option<SetAside>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = $1"))).bind(id).fetch_optional(pool).await
}

/// Closes open records as `replayed` or `discarded`, in one transaction; answers how many were open, and their bytes.
pub async fn settle(
    pool: &SqlitePool,
    ids: &[i64],
    state: &str,
    at: i64,
    by: &str,
    why: Option<&str>,
) -> sqlx::Result<(u64, u64)> {
    let (mut records, mut bytes) = (0, 0);
    let mut transaction = super::begin_write(pool).await?;
    for id in ids {
        let size: Option<i64> = sqlx::query_scalar(
            "UPDATE set_aside SET state = $2, settled_at = $3, settled_by = $4, settled_why = $5 \
             WHERE id = $1 AND state = 'open' RETURNING length(record)",
        )
        .bind(id)
        .bind(state)
        .bind(at)
        .bind(by)
        .bind(why)
        .fetch_optional(&mut *transaction)
        .await?;
        records += u64::from(size.is_some());
        bytes += size.unwrap_or(0).cast_unsigned();
    }
    transaction.commit().await?;
    Ok((records, bytes))
}

/// Why a replay of a record failed again.
#[derive(Debug, Clone)]
pub struct Still<'a> {
    pub id: i64,
    pub source: &'a str,
    pub code: &'a str,
    pub reason: &'a str,
    pub field: Option<&'a str>,
}

/// Writes down why replays failed again, in one transaction.
pub async fn explain(pool: &SqlitePool, still: &[Still<'_>]) -> sqlx::Result<()> {
    if still.is_empty() {
        return Ok(());
    }
    let mut transaction = super::begin_write(pool).await?;
    for record in still {
        let group = set_aside_groups::of(&mut transaction, record.source, record.code, record.reason).await?;
        sqlx::query(
            "UPDATE set_aside SET code = $2, reason = $3, field = $4, group_id = $5 WHERE id = $1 AND state = 'open'",
        )
        .bind(record.id)
        .bind(record.code)
        .bind(record.reason)
        .bind(record.field)
        .bind(group)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
}
