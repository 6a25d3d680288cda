//! Channels: the ways out to people and programs.
//!
//! All settings of a channel are sealed as one, its addresses too: who knows the address of a chat hook
//! can post there.

use api::notify::ChannelKind;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqlitePool};

pub use super::sealed::Error;
use super::sealed::Owner;
use super::secrets::Secrets;

/// A channel with its settings opened. Never printed.
#[derive(Clone)]
pub struct Channel {
    pub id: String,
    pub name: String,
    pub settings: Settings,
    pub enabled: bool,
    pub created_at: i64,
    pub updated_at: i64,
    pub last_ok_at: Option<i64>,
    pub last_error: Option<String>,
    pub last_error_at: Option<i64>,
}

impl Channel {
    pub fn kind(&self) -> ChannelKind {
        self.settings.kind()
    }
}

/// What a channel needs to know, by kind.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Settings {
    Email(Email),
    Slack(Chat),
    Teams(Chat),
    Webhook(Webhook),
    Inbox,
}

impl Settings {
    pub fn kind(&self) -> ChannelKind {
        match self {
            Self::Email(_) => ChannelKind::Email,
            Self::Slack(_) => ChannelKind::Slack,
            Self::Teams(_) => ChannelKind::Teams,
            Self::Webhook(_) => ChannelKind::Webhook,
            Self::Inbox => ChannelKind::Inbox,
        }
    }
}

/// A mail server, and who the mail is from.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub username: Option<String>,
    pub password: Option<String>,
    pub from: String,
    /// Where mail goes that names no recipient.
    pub to: Vec<String>,
    /// PEM of an authority that the public ones don't include.
    pub certificate_authority: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// In the clear until the server has agreed to TLS; no TLS, no mail.
    Starttls,
    /// TLS from the first byte.
    Tls,
    None,
}

/// An incoming webhook of a chat. Its address is its secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    pub url: String,
}

/// A receiver of signed webhooks.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    pub url: String,
    /// `whsec_…`
    pub secret: String,
    /// The secret before, for as long as the receiver may still check with it.
    #[serde(default)]
    pub previous: Option<PreviousSecret>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousSecret {
    pub secret: String,
    /// Milliseconds since 1970.
    pub until: i64,
}

fn owner<'a>(id: &'a str, name: &'a str) -> Owner<'a> {
    Owner { noun: "channel", id, name }
}

fn open(row: &SqliteRow, secrets: &Secrets) -> Result<Channel, Error> {
    let id: String = row.try_get("id")?;
    let name: String = row.try_get("name")?;
    Ok(Channel {
        settings: owner(&id, &name).open(secrets, row.try_get("settings")?)?,
        enabled: row.try_get("enabled")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        last_ok_at: row.try_get("last_ok_at")?,
        last_error: row.try_get("last_error")?,
        last_error_at: row.try_get("last_error_at")?,
        id,
        name,
    })
}

/// All of them, by name.
pub async fn all(pool: &SqlitePool, secrets: &Secrets) -> Result<Vec<Channel>, Error> {
    let rows = sqlx::query("SELECT * FROM channels ORDER BY name COLLATE NOCASE LIMIT 1000").fetch_all(pool).await?;
    rows.iter().map(|row| open(row, secrets)).collect()
}

pub async fn get(pool: &SqlitePool, secrets: &Secrets, id: &str) -> Result<Option<Channel>, Error> {
    let row = sqlx::query("SELECT * FROM channels WHERE id = $1").bind(id).fetch_optional(pool).await?;
    row.map(|row| open(&row, secrets)).transpose()
}

/// Adds a channel, or replaces name, settings and switch of the one with that id.
pub async fn put(connection: &mut SqliteConnection, secrets: &Secrets, channel: &Channel) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO channels (id, name, kind, settings, enabled, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, settings = excluded.settings, enabled = excluded.enabled, \
         updated_at = excluded.updated_at",
    )
    .bind(&channel.id)
    .bind(&channel.name)
    .bind(channel.kind().name())
    .bind(owner(&channel.id, &channel.name).seal(secrets, &channel.settings)?)
    .bind(channel.enabled)
    .bind(channel.created_at)
    .bind(channel.updated_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes how the last try went: `error` in words, or none.
pub async fn tried(pool: &SqlitePool, id: &str, error: Option<&str>, now: i64) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE channels SET last_ok_at = CASE WHEN $2 IS NULL THEN $3 ELSE last_ok_at END, last_error = $2, \
         last_error_at = CASE WHEN $2 IS NULL THEN NULL ELSE $3 END WHERE id = $1",
    )
    .bind(id)
    .bind(error)
    .bind(now)
    .execute(pool)
    .await?;
    Ok(())
}

/// Switches a channel off. Says whether it was on.
pub async fn disable(connection: &mut SqliteConnection, id: &str, now: i64) -> sqlx::Result<bool> {
    let done = sqlx::query("UPDATE channels SET enabled = 0, updated_at = $2 WHERE id = $1 AND enabled = 1")
        .bind(id)
        .bind(now)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes a channel; what still waits for it fails, and says why.
pub async fn remove(connection: &mut SqliteConnection, id: &str, now: i64) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM channels WHERE id = $1").bind(id).execute(&mut *connection).await?;
    sqlx::query(
        "UPDATE deliveries SET state = 'failed', next_try_at = NULL, ended_at = $2, last_answer = 'the channel was removed', raised = 1 \
         WHERE channel_id = $1 AND state = 'waiting'",
    )
    .bind(id)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}
