//! The state of the trail.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TrailState {
    pub organization: String,
    /// The name the checkpoints are signed under.
    pub origin: String,
    /// Events in the trail.
    pub size: u64,
    pub checkpoint: Checkpoint,
    /// The public key, as C2SP signed notes write it.
    pub vkey: String,
    pub self_check: SelfCheck,
    pub witnesses: Vec<WitnessState>,
    /// The newest checkpoint that witnesses have cosigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosigned: Option<Checkpoint>,
    /// Events below this position are in the search index.
    pub indexed_to: u64,
    /// Bytes of the trail on disk.
    pub bytes: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Checkpoint {
    pub size: u64,
    /// Base64.
    pub root: String,
    /// The signed note itself.
    pub note: String,
    pub at: String,
}

/// How a witness stands to the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WitnessState {
    pub name: String,
    pub vkey: String,
    pub url: String,
    /// Events of the checkpoint that it cosigned last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Events that came since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
    /// When it cosigned last, by its own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosigned_at: Option<String>,
    /// Why there is no newer cosignature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// There was none for so long that an event said so.
    pub lost: bool,
    /// It has seen another trail than this one.
    pub contradicts: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SelfCheckState {
    Never,
    Running,
    Ok,
    Failed,
}

/// The last time the server read its own trail from the first to the last byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SelfCheck {
    pub state: SelfCheckState,
    /// When it ended; while running, when it began.
    pub at: Option<String>,
    /// Events checked so far.
    pub size: u64,
    /// While running: events there are to check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// While running: how long it will take yet, as far as can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_seconds: Option<u64>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_seconds: Option<u64>,
    /// When the next one begins by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
    /// The first position that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// What is wrong there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
}
