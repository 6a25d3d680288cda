//! Sources, what they sent that was not understood, and the mappings that read them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::health::SourceHealth;

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Source {
    /// The name used as `?source=` and kept as `event.module`.
    pub name: String,
    pub title: String,
    /// Empty where the sender's records are events already.
    pub mapping: String,
    pub mapping_version: Option<u32>,
    pub builtin: bool,
    pub enabled: bool,
    pub first_seen_at: Option<String>,
    pub last_seen_at: Option<String>,
    pub events_total: u64,
    /// Events of the last five minutes, per minute.
    pub rate_per_minute: f64,
    /// Records that wait to be settled.
    pub set_aside: u64,
    pub health: SourceHealth,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SourceInput {
    pub name: String,
    #[serde(default)]
    pub title: String,
    pub mapping: String,
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SetAsideParams {
    pub source: Option<String>,
    /// `open` (the default), `replayed` or `discarded`.
    pub state: Option<String>,
    pub cursor: Option<String>,
    pub limit: Option<u32>,
}

/// A record that could not be understood.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SetAside {
    pub id: String,
    pub source: String,
    pub received_at: String,
    pub peer: Option<String>,
    /// A word for the kind of reason: `json`, `invalid`, `mapping`, `too_large`, …
    pub code: String,
    pub reason: String,
    pub field: Option<String>,
    /// The record, as far as it is text.
    pub record: String,
    /// Set where the record is not UTF-8: its exact bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_base64: Option<String>,
    pub state: String,
    pub settled_at: Option<String>,
    pub settled_by: Option<String>,
    pub settled_why: Option<String>,
}

/// Open records of one source that share a kind of reason.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SetAsideGroup {
    pub source: String,
    pub code: String,
    /// One of the reasons.
    pub reason: String,
    pub records: u64,
    pub last_at: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SetAsidePage {
    pub items: Vec<SetAside>,
    pub next: Option<String>,
    pub groups: Vec<SetAsideGroup>,
}

/// Which records to replay: those named, or all open ones of a source.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Replay {
    #[serde(default)]
    pub ids: Vec<String>,
    pub source: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Replayed {
    /// Records that became events now.
    pub replayed: u64,
    pub still_set_aside: u64,
    /// More than 10,000 records were open: ask again for the rest.
    #[serde(default)]
    pub more: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Discard {
    pub ids: Vec<String>,
    /// Goes into the trail.
    pub reason: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Discarded {
    pub discarded: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Mapping {
    pub name: String,
    /// Counts up with every change made here.
    pub version: u32,
    /// What events that it read carry after the `@` in `event.mapping`.
    pub hash: String,
    pub description: String,
    pub builtin: bool,
    /// Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    pub updated_at: Option<String>,
    pub updated_by: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MappingInput {
    pub program: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MappingTest {
    /// The program to try; the stored one when absent.
    pub program: Option<String>,
    /// Records, at most 100.
    pub samples: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MappingTestResults {
    pub results: Vec<MappingTestResult>,
    pub compile_errors: Vec<CompileError>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MappingTestResult {
    pub ok: bool,
    /// The events as they would be admitted.
    #[schema(value_type = Vec<Object>)]
    pub events: Vec<Value>,
    /// The mapping left the record out on purpose, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CompileError {
    pub line: usize,
    pub column: usize,
    pub message: String,
}
