//! Inputs: what Belfry reads by itself, and how far it has read.
//!
//! All settings of an input are sealed as one, as those of a channel are.

use api::inputs::InputKind;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row, SqliteConnection, SqlitePool};

pub use super::sealed::Error;
use super::sealed::Owner;
use super::secrets::Secrets;

/// An input with its settings opened. Never printed.
#[derive(Clone)]
pub struct Input {
    pub id: String,
    pub name: String,
    /// Empty where each record finds its own source.
    pub source: String,
    pub settings: Settings,
    pub enabled: bool,
    pub created_at: i64,
    pub updated_at: i64,
    pub records: i64,
    pub rejected: i64,
    pub last_at: Option<i64>,
    pub last_error: Option<String>,
    pub last_error_at: Option<i64>,
}

/// What an input needs to know, by kind.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Settings {
    Files(Files),
    Journald(Journald),
    Nats(Nats),
    Kafka(Kafka),
}

impl Settings {
    pub fn kind(&self) -> InputKind {
        match self {
            Self::Files(_) => InputKind::Files,
            Self::Journald(_) => InputKind::Journald,
            Self::Nats(_) => InputKind::Nats,
            Self::Kafka(_) => InputKind::Kafka,
        }
    }
}

/// Where an input begins that has read nothing yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    #[default]
    Begin,
    End,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Paths; `*` and `?` stand for parts of a name.
    pub paths: Vec<String>,
    #[serde(default)]
    pub from: From,
    /// A line that matches begins a record; the lines up to the next one belong to it.
    #[serde(default)]
    pub record_start: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journald {
    /// Units whose entries are read; none: all.
    #[serde(default)]
    pub units: Vec<String>,
    /// A folder with journal files, where it is not that of this host.
    #[serde(default)]
    pub directory: Option<String>,
    #[serde(default)]
    pub from: From,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nats {
    /// `host:port`
    pub servers: Vec<String>,
    /// With `*` and `>` as NATS has them.
    pub subjects: Vec<String>,
    /// Members of a queue group share the messages.
    #[serde(default)]
    pub queue: Option<String>,
    /// A JetStream stream; what is read from it is acknowledged when it is on disk.
    #[serde(default)]
    pub stream: Option<String>,
    /// The name of the durable consumer on the stream.
    #[serde(default)]
    pub durable: Option<String>,
    #[serde(default)]
    pub tls: bool,
    /// PEM of an authority that the public ones don't include.
    #[serde(default)]
    pub certificate_authority: Option<String>,
    #[serde(default)]
    pub token: Option<String>,
    #[serde(default)]
    pub username: Option<String>,
    #[serde(default)]
    pub password: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    /// `host:port`
    pub brokers: Vec<String>,
    pub topics: Vec<String>,
    #[serde(default)]
    pub from: From,
    #[serde(default)]
    pub tls: bool,
    /// PEM of an authority that the public ones don't include.
    #[serde(default)]
    pub certificate_authority: Option<String>,
    /// SASL PLAIN.
    #[serde(default)]
    pub username: Option<String>,
    #[serde(default)]
    pub password: Option<String>,
}

/// How far a part of an input is read.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Position {
    pub part: String,
    pub label: String,
    pub position: String,
    /// Up to where a batch reads that may be in the trail already: it was handed over, and the answer is not known.
    pub pending: Option<String>,
    pub updated_at: i64,
}

fn owner<'a>(id: &'a str, name: &'a str) -> Owner<'a> {
    Owner { noun: "input", id, name }
}

fn open(row: &SqliteRow, secrets: &Secrets) -> Result<Input, Error> {
    let id: String = row.try_get("id")?;
    let name: String = row.try_get("name")?;
    Ok(Input {
        settings: owner(&id, &name).open(secrets, row.try_get("settings")?)?,
        source: row.try_get("source")?,
        enabled: row.try_get("enabled")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        records: row.try_get("records")?,
        rejected: row.try_get("rejected")?,
        last_at: row.try_get("last_at")?,
        last_error: row.try_get("last_error")?,
        last_error_at: row.try_get("last_error_at")?,
        id,
        name,
    })
}

/// All of them, by name.
pub async fn all(pool: &SqlitePool, secrets: &Secrets) -> Result<Vec<Input>, Error> {
    let rows = sqlx::query("SELECT * FROM inputs ORDER BY name COLLATE NOCASE LIMIT 1000").fetch_all(pool).await?;
    rows.iter().map(|row| open(row, secrets)).collect()
}

pub async fn get(pool: &SqlitePool, secrets: &Secrets, id: &str) -> Result<Option<Input>, Error> {
    let row = sqlx::query("SELECT * FROM inputs WHERE id = $1").bind(id).fetch_optional(pool).await?;
    row.map(|row| open(&row, secrets)).transpose()
}

/// Adds an input, or replaces name, source, settings and switch of the one with that id.
pub async fn put(connection: &mut SqliteConnection, secrets: &Secrets, input: &Input) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO inputs (id, name, kind, source, settings, enabled, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, source = excluded.source, settings = excluded.settings, \
         enabled = excluded.enabled, updated_at = excluded.updated_at, last_error = NULL, last_error_at = NULL",
    )
    .bind(&input.id)
    .bind(&input.name)
    .bind(input.settings.kind().name())
    .bind(&input.source)
    .bind(owner(&input.id, &input.name).seal(secrets, &input.settings)?)
    .bind(input.enabled)
    .bind(input.created_at)
    .bind(input.updated_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes an input, and what it knew of how far it had read.
pub async fn remove(connection: &mut SqliteConnection, id: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM inputs WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}

/// Notes why an input can't read.
pub async fn failed(pool: &SqlitePool, id: &str, error: &str, now: i64) -> sqlx::Result<()> {
    sqlx::query("UPDATE inputs SET last_error = $2, last_error_at = $3 WHERE id = $1")
        .bind(id)
        .bind(error)
        .bind(now)
        .execute(pool)
        .await?;
    Ok(())
}

pub async fn positions(pool: &SqlitePool, id: &str) -> sqlx::Result<Vec<Position>> {
    sqlx::query_as(
        "SELECT part, label, position, pending, updated_at FROM input_positions WHERE input_id = $1 \
         ORDER BY updated_at DESC LIMIT 5000",
    )
    .bind(id)
    .fetch_all(pool)
    .await
}

/// Notes that a batch up to `to` is about to be handed over. Durable when it answers.
pub async fn begin(pool: &SqlitePool, id: &str, step: &Position) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO input_positions (input_id, part, label, position, pending, updated_at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (input_id, part) DO UPDATE SET label = excluded.label, pending = excluded.pending",
    )
    .bind(id)
    .bind(&step.part)
    .bind(&step.label)
    .bind(&step.position)
    .bind(&step.pending)
    .bind(step.updated_at)
    .execute(pool)
    .await?;
    Ok(())
}

/// Notes that all up to `step.position` is kept, and counts it. Durable when it answers.
pub async fn done(pool: &SqlitePool, id: &str, step: &Position, records: i64, rejected: i64) -> sqlx::Result<()> {
    let mut transaction = super::begin_write(pool).await?;
    sqlx::query(
        "INSERT INTO input_positions (input_id, part, label, position, pending, updated_at) VALUES ($1, $2, $3, $4, NULL, $5) \
         ON CONFLICT (input_id, part) DO UPDATE SET label = excluded.label, position = excluded.position, pending = NULL, \
         updated_at = excluded.updated_at",
    )
    .bind(id)
    .bind(&step.part)
    .bind(&step.label)
    .bind(&step.position)
    .bind(step.updated_at)
    .execute(&mut *transaction)
    .await?;
    if records > 0 {
        sqlx::query("UPDATE inputs SET records = records + $2, rejected = rejected + $3, last_at = $4 WHERE id = $1")
            .bind(id)
            .bind(records)
            .bind(rejected)
            .bind(step.updated_at)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}

/// Forgets parts that are no more.
pub async fn forget(pool: &SqlitePool, id: &str, part: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM input_positions WHERE input_id = $1 AND part = $2")
        .bind(id)
        .bind(part)
        .execute(pool)
        .await?;
    Ok(())
}
