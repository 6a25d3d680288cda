//! Sources: who sends.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
