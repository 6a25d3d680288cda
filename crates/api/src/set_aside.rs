//! Records that could not be understood: in groups of one kind of reason, and what to do about them.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SetAsideParams {
    pub source: Option<String>,
    /// The id of a group.
    pub group: Option<String>,
    /// `open` (the default), `replayed` or `discarded`.
    pub state: Option<String>,
    pub cursor: Option<String>,
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SetAsideGroupParams {
    pub source: Option<String>,
    pub cursor: Option<String>,
    /// At most 200, which is what one gets without it.
    pub limit: Option<u32>,
}

/// A record that could not be understood.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SetAside {
    pub id: String,
    pub source: String,
    /// The group it is in; empty for what was settled before there were groups.
    pub group: String,
    pub received_at: String,
    pub peer: Option<String>,
    /// A word for the kind of reason: `json`, `invalid`, `not_decoded`, `refused`, …
    pub code: String,
    pub reason: String,
    pub field: Option<String>,
    /// The byte of the record, from 0, at which it can't be read, where that can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// The record, as far as it is text.
    pub record: String,
    /// Set where the record is not UTF-8, or has characters that a screen does not show: its exact bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_base64: Option<String>,
    pub size_bytes: u64,
    pub state: String,
    pub settled_at: Option<String>,
    pub settled_by: Option<String>,
    pub settled_why: Option<String>,
}

/// Open records of one source whose reasons are of one kind: they differ in nothing but numbers and quoted values.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SetAsideGroup {
    pub id: String,
    pub source: String,
    pub code: String,
    /// What their reasons have in common; `#` stands for numbers, `…` for quoted values.
    pub kind: String,
    /// The reason of the newest record.
    pub reason: String,
    pub field: Option<String>,
    pub records: u64,
    pub first_at: String,
    pub last_at: String,
    /// How many addresses they came from.
    pub peers: u64,
    /// One of the addresses.
    pub peer: Option<String>,
    /// The id of the newest record: handed back as `through`, it keeps what comes in meanwhile out of an action.
    pub newest: String,
    /// The beginning of the newest record.
    pub example: String,
}

/// A group with the addresses its records came from.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SetAsideGroupDetail {
    #[serde(flatten)]
    pub group: SetAsideGroup,
    /// The ten that sent most of them.
    pub senders: Vec<SetAsidePeer>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SetAsidePeer {
    /// Absent where it is not known.
    pub peer: Option<String>,
    pub records: u64,
    pub last_at: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SetAsidePage {
    pub items: Vec<SetAside>,
    pub next: Option<String>,
    /// The largest groups of the source, or of all sources.
    pub groups: Vec<SetAsideGroup>,
}

/// Which open records are meant: those named, those of a group, or all of a source.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Replay {
    /// At most 1,000.
    #[serde(default)]
    pub ids: Vec<String>,
    pub source: Option<String>,
    /// The id of a group.
    pub group: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Replayed {
    /// Records that are settled now: they became events, or the mapping leaves them out on purpose.
    pub replayed: u64,
    pub still_set_aside: u64,
    /// More than 10,000 records were open: ask again for the rest.
    #[serde(default)]
    pub more: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplayState {
    Running,
    Done,
    /// Somebody stopped it; what was replayed until then stays replayed.
    Cancelled,
    /// It could not go on; `error` says why.
    Failed,
}

/// A replay that runs, or ran lately. It is kept in memory: after a restart of the server it is gone, and what is still
/// open can be replayed again.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReplayJob {
    pub id: String,
    pub state: ReplayState,
    /// What it replays, in words: `source vault`, `12 records`.
    pub what: String,
    pub by: String,
    pub started_at: String,
    pub ended_at: Option<String>,
    /// Open records when it began.
    pub total: u64,
    pub done: u64,
    /// Records that became events.
    pub replayed: u64,
    /// Records that the mapping leaves out on purpose; they are settled as well.
    pub left_out: u64,
    pub still_set_aside: u64,
    /// Why records are still not understood, the most frequent first; at most 50.
    pub reasons: Vec<ReplayReason>,
    /// What became of each of the first 500.
    pub records: Vec<ReplayRecord>,
    pub error: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReplayReason {
    pub kind: String,
    /// One of the reasons.
    pub reason: String,
    pub records: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    Events,
    LeftOut,
    SetAside,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReplayRecord {
    pub id: String,
    pub became: Became,
    /// The position of its first event.
    pub position: Option<u64>,
    pub reason: Option<String>,
}

/// Which records to give up: those named, or those of a group.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Discard {
    /// At most 1,000.
    #[serde(default)]
    pub ids: Vec<String>,
    /// The id of a group.
    pub group: Option<String>,
    /// With a group: only records up to this id, so that nothing is given up that nobody has seen.
    pub through: Option<String>,
    /// Goes into the trail.
    pub reason: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Discarded {
    pub discarded: u64,
}
