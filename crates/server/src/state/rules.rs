//! Notification rules.

use std::collections::HashMap;

use event::filter;
use jiff::Timestamp;
use rules::{Recipient, RuleId};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row, SqliteConnection, SqlitePool};

/// A rule as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub id: String,
    pub name: String,
    pub description: String,
    pub enabled: bool,
    /// As it was written.
    pub filter: String,
    pub recipients: Vec<Recipient>,
    pub hold_ms: u64,
    pub group_by: Vec<String>,
    pub created_at: i64,
    pub updated_at: i64,
    pub updated_by: String,
    pub last_fired_at: Option<i64>,
}

impl Rule {
    /// Made ready to decide. A filter is checked before it is kept, so it can be read; one that an older
    /// version took and this one does not is an error that names the rule.
    pub fn ready(&self) -> Result<rules::Rule, filter::FilterError> {
        Ok(rules::Rule {
            id: RuleId(self.id.clone()),
            name: self.name.clone(),
            enabled: self.enabled,
            filter: filter::parse(&self.filter)?,
            recipients: self.recipients.clone(),
            hold_ms: self.hold_ms,
            group_by: self.group_by.clone(),
        })
    }
}

impl FromRow<'_, SqliteRow> for Rule {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            description: row.try_get("description")?,
            enabled: row.try_get("enabled")?,
            filter: row.try_get("filter")?,
            recipients: json(row, "recipients")?,
            hold_ms: row.try_get::<i64, _>("hold_ms")?.cast_unsigned(),
            group_by: json(row, "group_by")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
            updated_by: row.try_get("updated_by")?,
            last_fired_at: row.try_get("last_fired_at")?,
        })
    }
}

fn json<T: serde::de::DeserializeOwned>(row: &SqliteRow, column: &str) -> sqlx::Result<T> {
    let text: String = row.try_get(column)?;
    serde_json::from_str(&text)
        .map_err(|error| sqlx::Error::ColumnDecode { index: column.to_owned(), source: error.into() })
}

/// How often a rule told and held back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub sent: u64,
    pub held: u64,
}

/// All of them, by name.
pub async fn all(pool: &SqlitePool) -> sqlx::Result<Vec<Rule>> {
    all_in(&mut *pool.acquire().await?).await
}

/// All of them, as a transaction sees them.
pub async fn all_in(connection: &mut SqliteConnection) -> sqlx::Result<Vec<Rule>> {
    sqlx::query_as("SELECT * FROM rules ORDER BY name COLLATE NOCASE LIMIT 10000").fetch_all(connection).await
}

pub async fn get(pool: &SqlitePool, id: &str) -> sqlx::Result<Option<Rule>> {
    sqlx::query_as("SELECT * FROM rules WHERE id = $1").bind(id).fetch_optional(pool).await
}

/// Adds a rule, or replaces the one with that id.
pub async fn put(connection: &mut SqliteConnection, rule: &Rule) -> sqlx::Result<()> {
    let encode = |error: serde_json::Error| sqlx::Error::Encode(error.into());
    sqlx::query(
        "INSERT INTO rules (id, name, description, enabled, filter, recipients, hold_ms, group_by, created_at, updated_at, updated_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, description = excluded.description, enabled = excluded.enabled, \
         filter = excluded.filter, recipients = excluded.recipients, hold_ms = excluded.hold_ms, group_by = excluded.group_by, \
         updated_at = excluded.updated_at, updated_by = excluded.updated_by",
    )
    .bind(&rule.id)
    .bind(&rule.name)
    .bind(&rule.description)
    .bind(rule.enabled)
    .bind(&rule.filter)
    .bind(serde_json::to_string(&rule.recipients).map_err(encode)?)
    .bind(rule.hold_ms.cast_signed())
    .bind(serde_json::to_string(&rule.group_by).map_err(encode)?)
    .bind(rule.created_at)
    .bind(rule.updated_at)
    .bind(&rule.updated_by)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes a rule and what it remembered. Its deliveries and decisions stay: they happened.
pub async fn remove(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<()> {
    for statement in [
        "DELETE FROM rules WHERE id = $1",
        "DELETE FROM rule_memory WHERE rule_id = $1",
        "DELETE FROM rule_days WHERE rule_id = $1",
    ] {
        sqlx::query(statement).bind(id).execute(&mut *connection).await?;
    }
    Ok(())
}

/// What each rule did since the day `day` (days since 1970).
pub async fn counts(pool: &SqlitePool, day: i64) -> sqlx::Result<HashMap<String, Counts>> {
    let rows: Vec<(String, i64, i64)> =
        sqlx::query_as("SELECT rule_id, sum(sent), sum(held) FROM rule_days WHERE day >= $1 GROUP BY rule_id")
            .bind(day)
            .fetch_all(pool)
            .await?;
    let counts = |sent: i64, held: i64| Counts { sent: sent.cast_unsigned(), held: held.cast_unsigned() };
    Ok(rows.into_iter().map(|(rule, sent, held)| (rule, counts(sent, held))).collect())
}

/// Adds to what a rule did on a day; `fired` is when it last told.
pub async fn count(
    connection: &mut SqliteConnection,
    rule: &str,
    day: i64,
    add: Counts,
    fired: Option<Timestamp>,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO rule_days (rule_id, day, sent, held) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (rule_id, day) DO UPDATE SET sent = sent + excluded.sent, held = held + excluded.held",
    )
    .bind(rule)
    .bind(day)
    .bind(add.sent.cast_signed())
    .bind(add.held.cast_signed())
    .execute(&mut *connection)
    .await?;
    if let Some(fired) = fired {
        sqlx::query("UPDATE rules SET last_fired_at = max(coalesce(last_fired_at, 0), $2) WHERE id = $1")
            .bind(rule)
            .bind(fired.as_millisecond())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Days since 1970, in UTC.
pub fn day_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(86_400)
}
