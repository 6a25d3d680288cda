//! Deliveries and their attempts: the outbox.
//!
//! A row is written by whoever has something to tell (the rules follower, the report room, a person who
//! mails an event), in the same transaction as what led to it; the workers of the notify room send it.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::notify::{AttemptOutcome, ChannelKind, DeliveryState};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row, Sqlite, SqliteConnection, SqlitePool};

use crate::hash::hex;

/// What stands in place of what was said of an event that was removed.
pub const FORGOTTEN: &str = "The event was removed from the trail";

/// Rung by whoever puts deliveries into the queue; the workers listen. A message is on its way within
/// milliseconds, and nobody asks the table over and over.
#[derive(Clone, Default)]
pub struct Bell(Arc<Rung>);

#[derive(Default)]
struct Rung {
    notify: tokio::sync::Notify,
    what: Mutex<Ring>,
}

/// What it rang for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ring {
    /// Look at the whole table.
    pub all: bool,
    /// Something is due now for these channels.
    pub channels: BTreeSet<String>,
}

impl Bell {
    /// Something changed; look what is due.
    pub fn ring(&self) {
        self.0.what.lock().all = true;
        self.0.notify.notify_one();
    }

    /// Something is due for these channels.
    pub fn ring_for(&self, channels: impl IntoIterator<Item = String>) {
        self.0.what.lock().channels.extend(channels);
        self.0.notify.notify_one();
    }

    /// Returns after the next ring, or at once when it rang since the last time.
    pub async fn rung(&self) -> Ring {
        self.0.notify.notified().await;
        std::mem::take(&mut *self.0.what.lock())
    }
}

/// What is told, before any channel gives it its form. Kept with the delivery, so that every attempt
/// and every look at it says the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The type of event, `credential.password.viewed`.
    pub action: String,
    /// The type in words, `Password viewed`.
    pub title: String,
    /// One line that says it all.
    pub subject: String,
    /// A sentence.
    pub text: String,
    /// 0 to 100.
    pub severity: u8,
    pub facts: Vec<Fact>,
    /// To the console.
    pub link: Option<String>,
    pub organization: String,
    /// Name of the rule that tells it.
    pub rule: Option<String>,
    /// When it happened.
    pub at: Timestamp,
    pub position: Option<u64>,
    /// How many of the same were held back since the last message.
    pub held_before: u64,
    /// Files that go with an email.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// One row of the short table in a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    pub title: String,
    pub value: String,
}

impl Fact {
    pub fn new(title: impl Into<String>, value: impl Into<String>) -> Self {
        Self { title: title.into(), value: value.into() }
    }
}

/// A file that goes with an email; read when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub name: String,
    pub media_type: String,
    pub path: std::path::PathBuf,
}

impl Message {
    /// `info`, `low`, `medium`, `high` or `critical`.
    pub fn severity_name(&self) -> &'static str {
        event::severity::Severity::from_number(self.severity).name()
    }

    /// The severity at the start of a sentence.
    pub fn severity_title(&self) -> &'static str {
        match self.severity_name() {
            "info" => "Info",
            "low" => "Low",
            "medium" => "Medium",
            "high" => "High",
            _ => "Critical",
        }
    }

    /// The small line at the foot: who tells this, and why.
    pub fn footer(&self) -> String {
        let mut parts = vec![format!("Belfry of {}", self.organization)];
        parts.extend(self.rule.as_ref().map(|rule| format!("rule {rule}")));
        parts.extend(self.position.map(|position| format!("position {position} of the trail")));
        parts.join(" · ")
    }

    /// What the link leads to.
    pub fn link_title(&self) -> &'static str {
        if self.position.is_some() { "Open the event" } else { "Open Belfry" }
    }
}

/// A delivery that is to be made.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    pub id: String,
    pub rule_id: Option<String>,
    pub channel_id: String,
    pub channel_name: String,
    pub kind: ChannelKind,
    pub recipient: String,
    pub message: Message,
}

/// The identity of a delivery. The same event read again after a crash gives the same identity, and the
/// table takes it once; a receiver of webhooks sees it as the idempotency key.
pub fn identity(rule: &str, channel: &str, recipient: &str, position: u64) -> String {
    let mut hash = Sha256::new();
    for part in [rule, channel, recipient] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.update(position.to_be_bytes());
    let digest = hash.finalize();
    format!("dlv_{}", hex(&digest[..12]))
}

/// An identity for what no event led to: a report by email, an event mailed by hand.
pub fn identity_at_random() -> String {
    format!("dlv_{:024x}", rand::random::<u128>() >> 32)
}

/// A delivery as it is kept.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub seq: i64,
    pub id: String,
    pub rule_id: Option<String>,
    pub rule_name: Option<String>,
    pub channel_id: String,
    pub channel_name: String,
    pub kind: ChannelKind,
    pub recipient: String,
    pub position: Option<u64>,
    pub subject: String,
    pub held_before: u64,
    pub message: Message,
    pub state: DeliveryState,
    pub tries: u32,
    pub tries_used: u32,
    pub next_try_at: Option<i64>,
    pub created_at: i64,
    pub last_answer: Option<String>,
}

impl FromRow<'_, SqliteRow> for Delivery {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let unreadable = |column: &str, value: &str| sqlx::Error::ColumnDecode {
            index: column.to_owned(),
            source: format!("{value} is not known here").into(),
        };
        let kind: String = row.try_get("kind")?;
        let state: String = row.try_get("state")?;
        let message: String = row.try_get("message")?;
        Ok(Self {
            seq: row.try_get("seq")?,
            id: row.try_get("id")?,
            rule_id: row.try_get("rule_id")?,
            rule_name: row.try_get("rule_name")?,
            channel_id: row.try_get("channel_id")?,
            channel_name: row.try_get("channel_name")?,
            kind: ChannelKind::from_name(&kind).ok_or_else(|| unreadable("kind", &kind))?,
            recipient: row.try_get("recipient")?,
            position: row.try_get::<Option<i64>, _>("position")?.map(i64::cast_unsigned),
            subject: row.try_get("subject")?,
            held_before: row.try_get::<i64, _>("held_before")?.cast_unsigned(),
            message: serde_json::from_str(&message)
                .map_err(|error| sqlx::Error::ColumnDecode { index: "message".to_owned(), source: error.into() })?,
            state: DeliveryState::from_name(&state).ok_or_else(|| unreadable("state", &state))?,
            tries: row.try_get("tries")?,
            tries_used: row.try_get("tries_used")?,
            next_try_at: row.try_get("next_try_at")?,
            created_at: row.try_get("created_at")?,
            last_answer: row.try_get("last_answer")?,
        })
    }
}

/// One try, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub at: i64,
    pub duration_ms: u64,
    pub outcome: AttemptOutcome,
    pub status: Option<u16>,
    pub answer: String,
    pub request: String,
}

/// What a worker concluded from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Delivered,
    /// `counts` is false where the other side only asked for patience: the retry plan goes on where it was.
    TryAgain {
        at: i64,
        counts: bool,
    },
    Failed,
}

/// Adds deliveries, each once: an identity that is known is passed over. Says how many were new.
pub async fn insert(connection: &mut SqliteConnection, deliveries: &[NewDelivery], now: i64) -> sqlx::Result<u64> {
    let mut new = 0;
    for delivery in deliveries {
        let message = serde_json::to_string(&delivery.message).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let done = sqlx::query(
            "INSERT INTO deliveries (id, rule_id, rule_name, channel_id, channel_name, kind, recipient, position, subject, \
             held_before, message, state, next_try_at, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'waiting', $12, $12) ON CONFLICT (id) DO NOTHING",
        )
        .bind(&delivery.id)
        .bind(&delivery.rule_id)
        .bind(&delivery.message.rule)
        .bind(&delivery.channel_id)
        .bind(&delivery.channel_name)
        .bind(delivery.kind.name())
        .bind(&delivery.recipient)
        .bind(delivery.message.position.map(u64::cast_signed))
        .bind(&delivery.message.subject)
        .bind(delivery.message.held_before.cast_signed())
        .bind(message)
        .bind(now)
        .execute(&mut *connection)
        .await?;
        new += done.rows_affected();
    }
    Ok(new)
}

/// Takes up to `count` due deliveries of one channel for sending, those that wait longest first.
pub async fn lease(pool: &SqlitePool, channel: &str, now: i64, count: u32) -> sqlx::Result<Vec<Delivery>> {
    let mut leased: Vec<Delivery> = sqlx::query_as(
        "UPDATE deliveries SET state = 'sending', next_try_at = NULL WHERE seq IN (SELECT seq FROM deliveries \
         WHERE channel_id = $1 AND state = 'waiting' AND next_try_at <= $2 ORDER BY next_try_at, seq LIMIT $3) RETURNING *",
    )
    .bind(channel)
    .bind(now)
    .bind(count)
    .fetch_all(pool)
    .await?;
    leased.sort_by_key(|delivery| delivery.seq);
    Ok(leased)
}

/// When the next delivery of each channel with something waiting is due.
pub async fn due(pool: &SqlitePool) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as("SELECT channel_id, min(next_try_at) FROM deliveries WHERE state = 'waiting' GROUP BY channel_id")
        .fetch_all(pool)
        .await
}

/// Gives back what a server that is no more had under way. One server owns the data folder, so whatever
/// is under way when it starts was its predecessor's: at most these are sent twice.
pub async fn recover(pool: &SqlitePool, now: i64) -> sqlx::Result<u64> {
    let done = sqlx::query("UPDATE deliveries SET state = 'waiting', next_try_at = $1 WHERE state = 'sending'")
        .bind(now)
        .execute(pool)
        .await?;
    Ok(done.rows_affected())
}

/// Gives one back untried: its channel has been switched off, or the server stops.
pub async fn give_back(pool: &SqlitePool, id: &str, at: i64) -> sqlx::Result<()> {
    sqlx::query("UPDATE deliveries SET state = 'waiting', next_try_at = $2 WHERE id = $1 AND state = 'sending'")
        .bind(id)
        .bind(at)
        .execute(pool)
        .await?;
    Ok(())
}

/// Writes an attempt and what follows from it, in one transaction with what the channel's last state is.
pub async fn conclude(pool: &SqlitePool, delivery: &Delivery, attempt: &Attempt, next: Next) -> sqlx::Result<()> {
    let mut transaction = super::begin_write(pool).await?;
    let number = delivery.tries + 1;
    sqlx::query(
        "INSERT INTO attempts (delivery_id, number, at, duration_ms, outcome, status, answer, request) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&delivery.id)
    .bind(number)
    .bind(attempt.at)
    .bind(attempt.duration_ms.cast_signed())
    .bind(attempt.outcome.name())
    .bind(attempt.status)
    .bind(&attempt.answer)
    .bind(&attempt.request)
    .execute(&mut *transaction)
    .await?;
    let ended_at = attempt.at + attempt.duration_ms.cast_signed();
    let (state, next_try_at, used) = match next {
        Next::Delivered => (DeliveryState::Delivered, None, 1),
        Next::TryAgain { at, counts } => (DeliveryState::Waiting, Some(at), i64::from(counts)),
        Next::Failed => (DeliveryState::Failed, None, 1),
    };
    sqlx::query(
        "UPDATE deliveries SET state = $2, tries = $3, tries_used = tries_used + $7, next_try_at = $4, last_answer = $5, \
         ended_at = $6, raised = 0 WHERE id = $1",
    )
    .bind(&delivery.id)
    .bind(state.name())
    .bind(number)
    .bind(next_try_at)
    .bind(&attempt.answer)
    .bind(next_try_at.is_none().then_some(ended_at))
    .bind(used)
    .execute(&mut *transaction)
    .await?;
    let (ok_at, error, error_at) = match attempt.outcome {
        AttemptOutcome::Ok => (Some(ended_at), None, None),
        AttemptOutcome::Temporary | AttemptOutcome::Permanent => (None, Some(attempt.answer.as_str()), Some(ended_at)),
    };
    sqlx::query(
        "UPDATE channels SET last_ok_at = coalesce($2, last_ok_at), last_error = $3, last_error_at = $4 WHERE id = $1",
    )
    .bind(&delivery.channel_id)
    .bind(ok_at)
    .bind(error)
    .bind(error_at)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Which deliveries a list shows.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub state: Option<DeliveryState>,
    pub channel: Option<String>,
    pub rule: Option<String>,
    /// Older than this one.
    pub before: Option<i64>,
    pub limit: u32,
}

/// Newest first.
pub async fn list(pool: &SqlitePool, wanted: &Wanted) -> sqlx::Result<Vec<Delivery>> {
    let mut query = sqlx::QueryBuilder::<Sqlite>::new("SELECT * FROM deliveries WHERE seq < ");
    query.push_bind(wanted.before.unwrap_or(i64::MAX));
    if let Some(state) = wanted.state {
        query.push(" AND state = ").push_bind(state.name());
    }
    if let Some(channel) = &wanted.channel {
        query.push(" AND channel_id = ").push_bind(channel);
    }
    if let Some(rule) = &wanted.rule {
        query.push(" AND rule_id = ").push_bind(rule);
    }
    query.push(" ORDER BY seq DESC LIMIT ").push_bind(wanted.limit);
    query.build_query_as().fetch_all(pool).await
}

pub async fn get(pool: &SqlitePool, id: &str) -> sqlx::Result<Option<Delivery>> {
    sqlx::query_as("SELECT * FROM deliveries WHERE id = $1").bind(id).fetch_optional(pool).await
}

/// What the event at `position` caused.
pub async fn of_position(pool: &SqlitePool, position: u64) -> sqlx::Result<Vec<Delivery>> {
    sqlx::query_as("SELECT * FROM deliveries WHERE position = $1 ORDER BY seq LIMIT 200")
        .bind(position.cast_signed())
        .fetch_all(pool)
        .await
}

/// Which positions from `from` up to `to` deliveries tell of, and the files that go with them.
pub async fn quoted(
    connection: &mut SqliteConnection,
    from: u64,
    to: u64,
) -> sqlx::Result<Vec<(u64, Vec<std::path::PathBuf>)>> {
    let rows: Vec<Delivery> =
        sqlx::query_as("SELECT * FROM deliveries WHERE position >= $1 AND position < $2 ORDER BY position")
            .bind(from.cast_signed())
            .bind(to.cast_signed())
            .fetch_all(connection)
            .await?;
    let files = |row: &Delivery| row.message.attachments.iter().map(|file| file.path.clone()).collect();
    Ok(rows.iter().filter_map(|row| Some((row.position?, files(row)))).collect())
}

/// Empties what was told of events that were removed: that something was told, to whom and when, stays. What still
/// waits is not sent any more, and raises no event about it.
pub async fn forget(connection: &mut SqliteConnection, positions: &[u64], now: i64) -> sqlx::Result<()> {
    let positions = serde_json::to_string(positions).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query(
        "UPDATE attempts SET request = '', answer = '' WHERE delivery_id IN \
         (SELECT id FROM deliveries WHERE position IN (SELECT value FROM json_each($1)))",
    )
    .bind(&positions)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE deliveries SET state = 'failed', next_try_at = NULL, ended_at = $2, raised = 1 \
         WHERE state = 'waiting' AND position IN (SELECT value FROM json_each($1))",
    )
    .bind(&positions)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE deliveries SET subject = $2, last_answer = NULL, message = json_remove(json_set(message, '$.subject', $2, \
         '$.text', $2, '$.facts', json('[]')), '$.attachments') WHERE position IN (SELECT value FROM json_each($1))",
    )
    .bind(&positions)
    .bind(FORGOTTEN)
    .execute(connection)
    .await?;
    Ok(())
}

/// All attempts of a delivery, the first one first.
pub async fn attempts(pool: &SqlitePool, id: &str) -> sqlx::Result<Vec<Attempt>> {
    let rows = sqlx::query("SELECT * FROM attempts WHERE delivery_id = $1 ORDER BY number LIMIT 500")
        .bind(id)
        .fetch_all(pool)
        .await?;
    rows.iter()
        .map(|row| {
            let outcome: String = row.try_get("outcome")?;
            Ok(Attempt {
                at: row.try_get("at")?,
                duration_ms: row.try_get::<i64, _>("duration_ms")?.cast_unsigned(),
                outcome: AttemptOutcome::from_name(&outcome).unwrap_or(AttemptOutcome::Permanent),
                status: row.try_get("status")?,
                answer: row.try_get("answer")?,
                request: row.try_get("request")?,
            })
        })
        .collect()
}

/// Puts deliveries back into the queue with a fresh retry plan. Those under way are left alone: they
/// would otherwise be sent by two workers.
pub async fn resend(connection: &mut SqliteConnection, ids: &[String], now: i64) -> sqlx::Result<u64> {
    let ids = serde_json::to_string(ids).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let done = sqlx::query(
        "UPDATE deliveries SET state = 'waiting', tries_used = 0, next_try_at = $2, ended_at = NULL, raised = 0 \
         WHERE id IN (SELECT value FROM json_each($1)) AND state <> 'sending'",
    )
    .bind(ids)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Failed deliveries of which the trail does not know yet.
pub async fn unsaid(pool: &SqlitePool) -> sqlx::Result<Vec<Delivery>> {
    sqlx::query_as("SELECT * FROM deliveries WHERE state = 'failed' AND raised = 0 ORDER BY seq LIMIT 100")
        .fetch_all(pool)
        .await
}

/// The trail knows that this one failed.
pub async fn said(pool: &SqlitePool, id: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE deliveries SET raised = 1 WHERE id = $1").bind(id).execute(pool).await?;
    Ok(())
}

/// How many wait for each channel.
pub async fn waiting(connection: &mut SqliteConnection) -> sqlx::Result<std::collections::HashMap<String, i64>> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT channel_id, count(*) FROM deliveries WHERE state = 'waiting' GROUP BY channel_id")
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().collect())
}

/// How many deliveries stand how, for the overview and the metrics.
pub async fn counts(pool: &SqlitePool) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as("SELECT state, count(*) FROM deliveries GROUP BY state").fetch_all(pool).await
}

/// Forgets deliveries that ended before `before`, a bounded number at a time. Says how many.
pub async fn prune(pool: &SqlitePool, before: i64, count: u32) -> sqlx::Result<u64> {
    let mut transaction = super::begin_write(pool).await?;
    let gone: Vec<String> = sqlx::query_scalar(
        "DELETE FROM deliveries WHERE seq IN (SELECT seq FROM deliveries \
         WHERE state IN ('delivered', 'failed') AND created_at < $1 AND ended_at < $1 ORDER BY seq LIMIT $2) RETURNING id",
    )
    .bind(before)
    .bind(count)
    .fetch_all(&mut *transaction)
    .await?;
    let ids = serde_json::to_string(&gone).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query("DELETE FROM attempts WHERE delivery_id IN (SELECT value FROM json_each($1))")
        .bind(ids)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(gone.len() as u64)
}

/// A message as tests of the channels use it.
#[cfg(test)]
pub fn example() -> Message {
    Message {
        action: "credential.password.viewed".to_owned(),
        title: "Password viewed".to_owned(),
        subject: "Password viewed, and 2 more held back: ada.m, root, db-prod-3".to_owned(),
        text: "ada.m viewed the password of root, and 2 more held back".to_owned(),
        severity: 73,
        facts: vec![Fact::new("Who", "ada.m"), Fact::new("On", "db-prod-3")],
        link: Some("https://belfry.example/events?open=41".to_owned()),
        organization: "acme".to_owned(),
        rule: Some("Database passwords".to_owned()),
        at: "2026-11-21T14:01:58.112Z".parse().unwrap(),
        position: Some(41),
        held_before: 2,
        attachments: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_bell_remembers_what_it_rang_for() {
        let bell = Bell::default();
        bell.ring_for(["a".to_owned()]);
        bell.ring_for(["b".to_owned(), "a".to_owned()]);
        bell.ring();
        let ring = bell.rung().await;
        assert!(ring.all);
        assert_eq!(ring.channels.into_iter().collect::<Vec<_>>(), ["a", "b"]);
        bell.ring_for(["c".to_owned()]);
        assert!(!bell.rung().await.all);
    }

    #[test]
    fn the_identity_is_that_of_rule_channel_recipient_and_event() {
        let one = identity("r1", "c1", "ops@example.org", 41);
        assert_eq!(one, identity("r1", "c1", "ops@example.org", 41));
        assert_eq!(one.len(), 28);
        for other in [identity("r1", "c1", "ops@example.org", 42), identity("r", "1c1", "ops@example.org", 41)] {
            assert_ne!(one, other);
        }
    }
}
