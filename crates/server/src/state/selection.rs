//! Rules that leave events out, and what they left out.

use sqlx::{FromRow, SqliteConnection, SqlitePool};

#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Rule {
    pub id: String,
    pub source: String,
    pub action: String,
    pub filter: String,
    pub reason: String,
    pub enabled: bool,
    pub created_at: i64,
    pub created_by: String,
    pub updated_at: i64,
    pub updated_by: String,
    pub left_out: i64,
}

/// What one rule left out of one type of one source in one hour.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Counted {
    pub rule: String,
    pub hour: i64,
    pub source: String,
    pub action: String,
    pub events: i64,
    pub told: i64,
}

pub async fn all(pool: &SqlitePool) -> sqlx::Result<Vec<Rule>> {
    sqlx::query_as("SELECT * FROM selection_rules ORDER BY source, id").fetch_all(pool).await
}

pub async fn find(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<Option<Rule>> {
    sqlx::query_as("SELECT * FROM selection_rules WHERE id = $1").bind(id).fetch_optional(connection).await
}

pub async fn put(connection: &mut SqliteConnection, rule: &Rule) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO selection_rules (id, source, action, filter, reason, enabled, created_at, created_by, updated_at, updated_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO UPDATE SET source = excluded.source, \
         action = excluded.action, filter = excluded.filter, reason = excluded.reason, enabled = excluded.enabled, \
         updated_at = excluded.updated_at, updated_by = excluded.updated_by",
    )
    .bind(&rule.id)
    .bind(&rule.source)
    .bind(&rule.action)
    .bind(&rule.filter)
    .bind(&rule.reason)
    .bind(rule.enabled)
    .bind(rule.created_at)
    .bind(&rule.created_by)
    .bind(rule.updated_at)
    .bind(&rule.updated_by)
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn remove(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM selection_rules WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}

/// Adds to what a rule left out.
pub async fn count(
    connection: &mut SqliteConnection,
    (rule, source, action): (&str, &str, &str),
    hour: i64,
    events: u64,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO selection_counts (rule, hour, source, action, events) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (rule, hour, source, action) DO UPDATE SET events = events + excluded.events",
    )
    .bind(rule)
    .bind(hour)
    .bind(source)
    .bind(action)
    .bind(events.cast_signed())
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE selection_rules SET left_out = left_out + $2 WHERE id = $1")
        .bind(rule)
        .bind(events.cast_signed())
        .execute(connection)
        .await?;
    Ok(())
}

/// What no event tells of yet: of hours before `hour`, and of `rule` all.
pub async fn untold(connection: &mut SqliteConnection, hour: i64, rule: Option<&str>) -> sqlx::Result<Vec<Counted>> {
    sqlx::query_as(
        "SELECT rule, hour, source, action, events, told FROM selection_counts \
         WHERE events > told AND (hour < $1 OR rule = $2) ORDER BY rule, hour, source, events DESC LIMIT 10000",
    )
    .bind(hour)
    .bind(rule)
    .fetch_all(connection)
    .await
}

pub async fn told(connection: &mut SqliteConnection, counted: &Counted) -> sqlx::Result<()> {
    sqlx::query("UPDATE selection_counts SET told = $5 WHERE rule = $1 AND hour = $2 AND source = $3 AND action = $4")
        .bind(&counted.rule)
        .bind(counted.hour)
        .bind(&counted.source)
        .bind(&counted.action)
        .bind(counted.events)
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets hours before that one of which all is told.
pub async fn prune(connection: &mut SqliteConnection, before: i64) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM selection_counts WHERE hour < $1 AND told = events")
        .bind(before)
        .execute(connection)
        .await?;
    Ok(())
}

/// Rule and what it left out from that hour on.
pub async fn sums(pool: &SqlitePool, from: i64) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as("SELECT rule, sum(events) FROM selection_counts WHERE hour >= $1 GROUP BY rule")
        .bind(from)
        .fetch_all(pool)
        .await
}

/// What a rule left out, the newest hours first.
pub async fn counts(pool: &SqlitePool, rule: &str, max: i64) -> sqlx::Result<Vec<Counted>> {
    sqlx::query_as(
        "SELECT rule, hour, source, action, events, told FROM selection_counts WHERE rule = $1 \
         ORDER BY hour DESC, events DESC LIMIT $2",
    )
    .bind(rule)
    .bind(max)
    .fetch_all(pool)
    .await
}
