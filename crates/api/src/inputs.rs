//! Inputs: what Belfry reads by itself.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Where an input reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    Files,
    Journald,
    Nats,
    Kafka,
}

impl InputKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Journald => "journald",
            Self::Nats => "nats",
            Self::Kafka => "kafka",
        }
    }
}

/// What an input does at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InputState {
    /// Switched off.
    Off,
    /// Connecting, or looking for its files.
    Starting,
    Running,
    /// It failed, and is tried again at `retry_at`.
    Failing,
}

/// Something that Belfry reads by itself.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Input {
    pub id: String,
    pub name: String,
    pub kind: InputKind,
    /// The source whose mapping reads the records; empty where each finds its own, as a syslog message does.
    pub source: String,
    /// By kind; secrets are shown as `••••`.
    #[schema(value_type = Object)]
    pub settings: Value,
    pub enabled: bool,
    pub state: InputState,
    pub retry_at: Option<String>,
    /// Files, partitions and the like, and how far each is read.
    pub positions: Vec<InputPosition>,
    /// Records taken since it was made.
    pub records: u64,
    /// Of these, how many were set aside.
    pub rejected: u64,
    pub last_at: Option<String>,
    pub last_error: Option<String>,
    pub last_error_at: Option<String>,
    pub created_at: String,
    pub updated_at: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InputPosition {
    /// The path of the file, `topic/partition`, the name of the stream.
    pub label: String,
    /// How far it is read: bytes, an offset, a cursor.
    pub position: String,
    pub updated_at: String,
}

/// An input as it is made or changed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InputDraft {
    pub name: String,
    pub kind: InputKind,
    #[serde(default)]
    pub source: String,
    /// By kind. `files`: `paths`, `from` (`begin` or `end`), `record_start` (a regular expression). `journald`:
    /// `units`, `directory`, `from`. `nats`: `servers`, `subjects`, `queue`, `stream`, `durable`, `tls`,
    /// `certificate_authority`, `token`, `username`, `password`. `kafka`: `brokers`, `topics`, `from`, `tls`,
    /// `certificate_authority`, `username`, `password`. A secret given as `••••` stays.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub settings: Value,
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

/// Whether an input could read, tried at this moment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InputTested {
    pub ok: bool,
    /// What was found, or why not, in words.
    pub detail: String,
}
