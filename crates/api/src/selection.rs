//! What is kept of what comes: rules that leave events out.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Leaves events out before they reach the trail. Never applied to Belfry's own events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SelectionRule {
    pub id: String,
    /// Of which source; `*`: of all. `events` stands for events without a source.
    pub source: String,
    /// Which types: an `event.action`, or a pattern such as `vault.*`; empty: all.
    pub action: String,
    /// KQL that must hold as well; empty: always.
    pub filter: String,
    /// Why it is not kept.
    pub reason: String,
    pub enabled: bool,
    pub created_at: String,
    pub created_by: String,
    pub updated_at: String,
    pub updated_by: String,
    /// Events left out in the last 24 hours.
    pub left_out_day: u64,
    /// Events left out since it was made.
    pub left_out_total: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SelectionInput {
    pub source: String,
    #[serde(default)]
    pub action: String,
    #[serde(default)]
    pub filter: String,
    pub reason: String,
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

/// A rule, and what it left out.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SelectionDetail {
    pub rule: SelectionRule,
    /// By hour and type, the newest first; at most 1,000 of the last 14 days.
    pub counts: Vec<LeftOut>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeftOut {
    pub hour: String,
    pub source: String,
    pub action: String,
    pub events: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SelectionPreviewRequest {
    pub source: String,
    #[serde(default)]
    pub action: String,
    #[serde(default)]
    pub filter: String,
    /// How far back, 1 to 90.
    #[serde(default = "week")]
    pub days: u32,
}

fn week() -> u32 {
    7
}

/// What a rule would have left out.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SelectionPreview {
    /// Events of these days that it would have left out.
    pub events: u64,
    /// All events of these days.
    pub of: u64,
    /// The most frequent first, at most 100.
    pub by_type: Vec<TypeCount>,
    /// The count was given up after some seconds; there may be more.
    pub truncated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TypeCount {
    pub action: String,
    pub title: String,
    pub events: u64,
}
