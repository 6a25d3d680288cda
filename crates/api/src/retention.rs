//! What is kept for how long, what must not be removed, and what was removed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::events::Found;

/// How long events of one category are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Policy {
    /// `event.category`, or `*` for all categories that have no policy of their own.
    pub category: String,
    /// As it was written: `30d`, `12h`, `7y`.
    pub keep: String,
    pub keep_seconds: u64,
    pub note: String,
    pub updated_at: String,
    pub updated_by: String,
}

/// A policy to set.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyDraft {
    /// One number and one unit: `s`, `m`, `h`, `d`, `w`, or `y` of 365 days.
    pub keep: String,
    #[serde(default)]
    pub note: String,
}

/// What is kept for how long. Categories without a policy are kept for ever.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Retention {
    pub policies: Vec<Policy>,
    /// No policy may be shorter; `[retention] floor` in belfry.toml.
    pub floor: String,
    /// The time of day, UTC, at which policies are applied; absent: only when asked.
    pub daily_at: Option<String>,
    /// When they are applied next.
    pub next_at: Option<String>,
    /// Belfry's own events whose action begins so are never removed.
    pub protected: Vec<String>,
}

/// When policies are applied by themselves.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// `HH:MM` in UTC; absent: only when asked.
    pub daily_at: Option<String>,
}

/// Why events are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RemovalKind {
    Retention,
    Erasure,
}

impl RemovalKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Retention => "retention",
            Self::Erasure => "erasure",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Retention, Self::Erasure].into_iter().find(|kind| kind.name() == name)
    }
}

/// How far a removal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RemovalState {
    /// The trail is read to find what it is about. Nothing is removed.
    Counting,
    /// It is known what would be removed. Nothing is removed.
    Ready,
    Running,
    Done,
    /// Called off; what was removed until then stays removed.
    Cancelled,
    /// Something did not work; it can be resumed.
    Failed,
}

impl RemovalState {
    pub const ALL: [Self; 6] = [Self::Counting, Self::Ready, Self::Running, Self::Done, Self::Cancelled, Self::Failed];

    pub fn name(self) -> &'static str {
        match self {
            Self::Counting => "counting",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A removal of events: what it is about, and how far it is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Removal {
    pub id: String,
    pub kind: RemovalKind,
    pub state: RemovalState,
    /// Who asked for it; absent: the daily run.
    pub by: Option<String>,
    pub at: String,
    /// The justification given when it was begun.
    pub reason: String,
    /// Events in the trail when it was asked for; later ones are not touched.
    pub size: u64,
    /// Of `size` while counting, of `events` while running.
    pub done: u64,
    /// Events that it is about.
    pub events: u64,
    /// Their bytes as the trail keeps them, before compression.
    pub bytes: u64,
    pub first_position: Option<u64>,
    pub last_position: Option<u64>,
    pub categories: Vec<CategoryCount>,
    /// The policies as they were when it was asked for; none for an erasure.
    pub policies: Vec<PolicyApplied>,
    /// What would be removed were it not for a legal hold.
    pub held: Vec<HeldCount>,
    /// Belfry's own records about removals, holds and backups, which stay.
    pub protected: u64,
    /// Events removed so far.
    pub removed: u64,
    pub bytes_freed: u64,
    /// The position of the event that tells of it, once it is over.
    pub event_position: Option<u64>,
    pub ended_at: Option<String>,
    pub ended_by: Option<String>,
    pub error: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CategoryCount {
    /// Empty for events that have none.
    pub category: String,
    pub events: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyApplied {
    pub category: String,
    pub keep: String,
    /// What came in before this moment is past its time.
    pub before: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeldCount {
    /// Id of the hold.
    pub hold: String,
    pub name: String,
    pub events: u64,
}

/// The confirmation of a removal that was counted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemovalApply {
    /// How many events are to be removed, as the preview said.
    pub events: u64,
    /// Goes into the trail.
    pub reason: String,
}

/// A reason that goes into the trail.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    pub reason: String,
}

/// Events that are not removed while this stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hold {
    pub id: String,
    pub name: String,
    /// KQL; forgotten when the hold is released.
    pub filter: Option<String>,
    /// Hex of SHA-256(salt ‖ filter), as the event of it says.
    pub filter_hash: String,
    /// Hex; forgotten when the hold is released. Whoever kept filter and salt can show what was held.
    pub salt: Option<String>,
    /// The earliest `@timestamp`.
    pub from: Option<String>,
    /// The latest `@timestamp`, exclusive.
    pub to: Option<String>,
    pub reason: String,
    pub placed_by: String,
    pub placed_at: String,
    pub released_by: Option<String>,
    pub released_at: Option<String>,
    pub release_reason: Option<String>,
}

/// A legal hold to place.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldDraft {
    pub name: String,
    /// KQL; empty: every event.
    pub filter: String,
    /// RFC 3339, `YYYY-MM-DD`, or `now-7d`.
    #[serde(default)]
    pub from: Option<String>,
    #[serde(default)]
    pub to: Option<String>,
    pub reason: String,
}

/// How far an erasure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ErasureState {
    /// The events are being counted.
    Counting,
    /// It waits for a second person.
    Waiting,
    /// Approved, and being carried out.
    Running,
    Completed,
    /// A second person said no, or the requester withdrew it.
    Refused,
    /// Called off while it was carried out.
    Cancelled,
    Failed,
}

/// A request to erase what events say of a person.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Erasure {
    pub id: String,
    pub state: ErasureState,
    /// KQL; forgotten when it is completed or refused, since it names the person itself.
    pub filter: Option<String>,
    /// Hex of SHA-256(salt ‖ filter), as the events of it say.
    pub filter_hash: String,
    /// Hex; forgotten together with the filter. Whoever kept both can show what was asked for.
    pub salt: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub reason: String,
    pub requested_by: String,
    pub requested_at: String,
    /// Who approved or refused it.
    pub decided_by: Option<String>,
    pub decided_at: Option<String>,
    pub decision_reason: Option<String>,
    pub removal: Removal,
    /// Some of the events it is about, while they are there.
    pub samples: Vec<Found>,
    /// Files of reports that may hold some of these events. They are kept for seven days.
    pub report_files: Vec<ReportFile>,
}

/// A file of a finished report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportFile {
    pub run: String,
    pub title: String,
    pub by: String,
    pub at: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ErasureDraft {
    /// KQL; at least one condition.
    pub filter: String,
    /// RFC 3339, `YYYY-MM-DD`, or `now-7d`.
    #[serde(default)]
    pub from: Option<String>,
    #[serde(default)]
    pub to: Option<String>,
    /// Goes into the trail; don't name the person.
    pub reason: String,
}

/// The second person's yes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ErasureApproval {
    /// How many events are to be erased, as the request says.
    pub events: u64,
    #[serde(default)]
    pub reason: String,
}

/// Why there is nothing at a position any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Removed {
    pub position: u64,
    pub kind: RemovalKind,
    /// Id of the removal.
    pub removal: String,
    pub at: String,
    /// The policy or the erasure, in words.
    pub why: String,
    /// The justification given.
    pub reason: String,
    pub by: Option<String>,
    /// The position of the event that tells of it.
    pub event_position: Option<u64>,
}
