//! What is known of sources: facts, sequences, hours, gaps, silence.

use sqlx::{FromRow, SqliteConnection, SqlitePool};

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Gap {
    pub id: String,
    pub source: String,
    pub stream: String,
    pub first: i64,
    pub last: i64,
    pub missing: i64,
    pub found_at: i64,
    pub state: String,
    pub settled_at: Option<i64>,
    pub settled_by: Option<String>,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SilenceSetting {
    pub source: String,
    pub mode: String,
    pub after_seconds: Option<i64>,
    pub set_at: i64,
}

/// Name and facts of every source.
pub async fn all(pool: &SqlitePool, max: i64) -> sqlx::Result<Vec<(String, String)>> {
    sqlx::query_as("SELECT name, facts FROM source_health ORDER BY name LIMIT $1").bind(max).fetch_all(pool).await
}

pub async fn put(transaction: &mut SqliteConnection, name: &str, facts: &str) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO source_health (name, facts) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET facts = excluded.facts",
    )
    .bind(name)
    .bind(facts)
    .execute(transaction)
    .await?;
    Ok(())
}

/// Source, stream and facts of the newest streams.
pub async fn streams(pool: &SqlitePool, max: i64) -> sqlx::Result<Vec<(String, String, String)>> {
    sqlx::query_as("SELECT source, stream, facts FROM source_streams ORDER BY seen_at DESC LIMIT $1")
        .bind(max)
        .fetch_all(pool)
        .await
}

pub async fn put_stream(
    transaction: &mut SqliteConnection,
    (source, stream): (&str, &str),
    facts: &str,
    seen_at: i64,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO source_streams (source, stream, facts, seen_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (source, stream) DO UPDATE SET facts = excluded.facts, seen_at = excluded.seen_at",
    )
    .bind(source)
    .bind(stream)
    .bind(facts)
    .bind(seen_at)
    .execute(transaction)
    .await?;
    Ok(())
}

pub async fn remove_stream(transaction: &mut SqliteConnection, (source, stream): (&str, &str)) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM source_streams WHERE source = $1 AND stream = $2")
        .bind(source)
        .bind(stream)
        .execute(transaction)
        .await?;
    Ok(())
}

/// Source, hour, and its events, rejected and left out.
pub async fn hours(pool: &SqlitePool, from: i64) -> sqlx::Result<Vec<(String, i64, i64, i64, i64)>> {
    sqlx::query_as("SELECT source, hour, events, rejected, left_out FROM source_hours WHERE hour >= $1")
        .bind(from)
        .fetch_all(pool)
        .await
}

pub async fn put_hour(
    transaction: &mut SqliteConnection,
    source: &str,
    hour: i64,
    [events, rejected, left_out]: [u64; 3],
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO source_hours (source, hour, events, rejected, left_out) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (source, hour) DO UPDATE SET events = excluded.events, rejected = excluded.rejected, left_out = excluded.left_out",
    )
    .bind(source)
    .bind(hour)
    .bind(events.cast_signed())
    .bind(rejected.cast_signed())
    .bind(left_out.cast_signed())
    .execute(transaction)
    .await?;
    Ok(())
}

/// Forgets hours before that one.
pub async fn prune_hours(transaction: &mut SqliteConnection, before: i64) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM source_hours WHERE hour < $1").bind(before).execute(transaction).await?;
    Ok(())
}

pub async fn add_gap(transaction: &mut SqliteConnection, gap: &Gap, kept_max: i64) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO source_gaps (id, source, stream, first, last, missing, found_at, state) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING",
    )
    .bind(&gap.id)
    .bind(&gap.source)
    .bind(&gap.stream)
    .bind(gap.first)
    .bind(gap.last)
    .bind(gap.missing)
    .bind(gap.found_at)
    .bind(&gap.state)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "DELETE FROM source_gaps WHERE source = $1 AND id <= \
         (SELECT id FROM source_gaps WHERE source = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)",
    )
    .bind(&gap.source)
    .bind(kept_max)
    .execute(transaction)
    .await?;
    Ok(())
}

/// So many of a gap's numbers are missing still; with none, an open one is filled.
pub async fn fill_gap(transaction: &mut SqliteConnection, id: &str, missing: u64, at: i64) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE source_gaps SET missing = $2, \
         settled_at = CASE WHEN $2 = 0 AND state = 'open' THEN $3 ELSE settled_at END, \
         state = CASE WHEN $2 = 0 AND state = 'open' THEN 'filled' ELSE state END WHERE id = $1",
    )
    .bind(id)
    .bind(missing.cast_signed())
    .bind(at)
    .execute(transaction)
    .await?;
    Ok(())
}

/// Says that somebody has looked at an open gap; whether it was open.
pub async fn acknowledge_gap(
    transaction: &mut SqliteConnection,
    id: &str,
    at: i64,
    by: &str,
    reason: &str,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE source_gaps SET state = 'acknowledged', settled_at = $2, settled_by = $3, reason = $4 \
         WHERE id = $1 AND state = 'open'",
    )
    .bind(id)
    .bind(at)
    .bind(by)
    .bind(reason)
    .execute(transaction)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Open gaps of all sources, the newest first.
pub async fn open_gaps(pool: &SqlitePool, max: i64) -> sqlx::Result<Vec<Gap>> {
    sqlx::query_as("SELECT * FROM source_gaps WHERE state = 'open' ORDER BY id DESC LIMIT $1")
        .bind(max)
        .fetch_all(pool)
        .await
}

/// Source and number of its open gaps.
pub async fn open_gap_counts(pool: &SqlitePool) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as("SELECT source, count(*) FROM source_gaps WHERE state = 'open' GROUP BY source")
        .fetch_all(pool)
        .await
}

/// Gaps of one source, the newest first.
pub async fn gaps_of(pool: &SqlitePool, source: &str, max: i64) -> sqlx::Result<Vec<Gap>> {
    sqlx::query_as("SELECT * FROM source_gaps WHERE source = $1 ORDER BY id DESC LIMIT $2")
        .bind(source)
        .bind(max)
        .fetch_all(pool)
        .await
}

pub async fn gap(connection: &mut SqliteConnection, source: &str, id: &str) -> sqlx::Result<Option<Gap>> {
    sqlx::query_as("SELECT * FROM source_gaps WHERE source = $1 AND id = $2")
        .bind(source)
        .bind(id)
        .fetch_optional(connection)
        .await
}

pub async fn silence(pool: &SqlitePool) -> sqlx::Result<Vec<SilenceSetting>> {
    sqlx::query_as("SELECT source, mode, after_seconds, set_at FROM source_silence").fetch_all(pool).await
}

pub async fn set_silence(transaction: &mut SqliteConnection, setting: &SilenceSetting) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO source_silence (source, mode, after_seconds, set_at) VALUES ($1, $2, $3, $4) ON CONFLICT (source) \
         DO UPDATE SET mode = excluded.mode, after_seconds = excluded.after_seconds, set_at = excluded.set_at",
    )
    .bind(&setting.source)
    .bind(&setting.mode)
    .bind(setting.after_seconds)
    .bind(setting.set_at)
    .execute(transaction)
    .await?;
    Ok(())
}

/// Keeps an event that was decided until it is in the trail. Call it in the transaction that stores the decision.
pub async fn add_notice(transaction: &mut SqliteConnection, id: &str, event: &str) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO source_notices (id, event) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING")
        .bind(id)
        .bind(event)
        .execute(transaction)
        .await?;
    Ok(())
}

/// Notices that wait, the oldest first.
pub async fn notices(pool: &SqlitePool, max: i64) -> sqlx::Result<Vec<(String, String)>> {
    sqlx::query_as("SELECT id, event FROM source_notices ORDER BY id LIMIT $1").bind(max).fetch_all(pool).await
}

pub async fn remove_notice(pool: &SqlitePool, id: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM source_notices WHERE id = $1").bind(id).execute(pool).await?;
    Ok(())
}
