//! How a source is: when it was last heard of, how fast it is, what is missing of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The word for a source: the first that fits, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// Switched off.
    Off,
    /// It was expected to speak, and does not.
    Silent,
    /// A twentieth or more of what came in this hour and the one before was set aside.
    Rejecting,
    /// Nothing has come yet.
    #[default]
    New,
    /// What comes is old: more than five minutes, and more than is this source's habit.
    Late,
    Ok,
}

/// What the list of sources says of one.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct SourceHealth {
    pub state: HealthState,
    /// The state in words.
    pub reason: String,
    pub first_seen_at: Option<String>,
    pub last_seen_at: Option<String>,
    /// Events of the last five minutes, per minute.
    pub rate_per_minute: f64,
    /// What is usual at this hour of the week; absent until it is learned.
    pub usual_rate_per_minute: Option<f64>,
    /// From when it happened until it came in, of the newest events.
    pub lag_ms: Option<Lag>,
    /// How far the clock of the host that is furthest off goes ahead (positive) or behind (negative).
    pub clock_skew_ms: Option<i64>,
    pub rejected: RejectedShare,
    pub silence: Silence,
    /// Gaps that are open, the newest first; at most 20.
    pub gaps: Vec<Gap>,
    /// How many gaps are open.
    pub gaps_open: u64,
    /// Hosts that sent in the last days; at most 100 are known.
    pub hosts: u64,
    /// Enrolled devices that sent in the last days; at most 100 are known.
    pub devices: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lag {
    pub p50: i64,
    pub p95: i64,
}

/// What was set aside in the last 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct RejectedShare {
    pub records: u64,
    /// Of all records that came, 0 to 1.
    pub share: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SilenceMode {
    /// From the source's own rhythm.
    #[default]
    Learned,
    /// After a time that was set.
    Set,
    /// It may be silent as long as it likes.
    Off,
}

/// When a source counts as silent, and whether it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Silence {
    pub mode: SilenceMode,
    /// After how long from its last event; absent where it is off, or not learned yet.
    pub after_seconds: Option<u64>,
    /// When it was last heard of, while it is silent.
    pub silent_since: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SilenceInput {
    pub mode: SilenceMode,
    /// With `set`: 1 second to 90 days.
    #[serde(default)]
    pub after_seconds: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapState {
    Open,
    /// What was missing came later.
    Filled,
    /// Somebody has looked at it.
    Acknowledged,
}

/// Numbers that a sender has skipped in its own sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Gap {
    pub id: String,
    pub source: String,
    /// Host, session or application that counts.
    pub stream: String,
    /// The first missing number.
    pub from: u64,
    /// The last missing number.
    pub to: u64,
    /// How many of them are still missing.
    pub missing: u64,
    pub found_at: String,
    pub state: GapState,
    pub settled_at: Option<String>,
    pub settled_by: Option<String>,
    pub reason: Option<String>,
}

/// What is known of a source, with its time line.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SourceHealthDetail {
    pub name: String,
    pub events_total: u64,
    pub health: SourceHealth,
    /// The last 14 days, hour by hour, oldest first, hours in which nothing came included.
    pub hours: Vec<HealthHour>,
    /// The last 60 minutes, oldest first.
    pub minutes: Vec<HealthMinute>,
    /// What is usual in each hour of the week, events per hour; 168 numbers, the first for Monday 00:00 UTC. Absent
    /// until a whole week is known.
    pub usual_hours: Option<Vec<f64>>,
    /// The newest first, at most 100.
    pub host_list: Vec<Heard>,
    /// Enrolled devices, the newest first, at most 100; `name` is the device's id.
    pub device_list: Vec<Heard>,
    /// Open and settled gaps, the newest first, at most 200.
    pub gap_list: Vec<Gap>,
    /// Sequences that are followed.
    pub streams: u64,
    /// Records whose number had come before.
    pub duplicates: u64,
    /// Sequences that are none: their numbers jump more often than they follow on each other.
    pub irregular_streams: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthHour {
    pub from: String,
    pub events: u64,
    pub rejected: u64,
    /// Left out by the selection.
    pub left_out: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthMinute {
    pub from: String,
    pub events: u64,
}

/// A host or device of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Heard {
    pub name: String,
    pub last_seen_at: String,
    pub events: u64,
    /// How far its clock goes ahead (positive) or behind (negative), where that is plain.
    pub clock_skew_ms: Option<i64>,
}

/// Why a gap needs nobody's attention any more.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GapAcknowledge {
    /// Goes into the trail.
    pub reason: String,
}
