//! Backups: the settings, one backup, the master key, and the drill that proves that the key still opens it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupKind {
    /// Holds everything, needs no other.
    Full,
    /// Holds what is not in the backups before it, and needs them.
    Incremental,
}

impl BackupKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Incremental => "incremental",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Full, Self::Incremental].into_iter().find(|kind| kind.name() == name)
    }
}

/// Why a backup was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupReason {
    Scheduled,
    /// Somebody asked for it.
    Asked,
}

impl BackupReason {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Asked => "asked",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Scheduled, Self::Asked].into_iter().find(|reason| reason.name() == name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupState {
    Running,
    Done,
    Failed,
    Cancelled,
    /// It was made, and its file is no longer in the folder of backups.
    Missing,
}

impl BackupState {
    pub const ALL: [Self; 5] = [Self::Running, Self::Done, Self::Failed, Self::Cancelled, Self::Missing];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Missing => "missing",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What is being done with a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupPhase {
    /// The state is copied.
    State,
    /// The files are read, encrypted and written.
    Writing,
    /// What was written is read back.
    ReadingBack,
    /// A drill: it is opened and read from the first to the last byte.
    Checking,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackupProgress {
    pub phase: BackupPhase,
    pub done_bytes: u64,
    /// 0 while it is not known.
    pub total_bytes: u64,
    /// Seconds left at the pace so far, when that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<u64>,
}

/// How a drill ended: whether the master key opens the backup and every byte in it is right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackupCheck {
    pub ok: bool,
    /// RFC 3339, UTC.
    pub at: String,
    pub by: String,
    /// What is wrong, when something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
}

/// One backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Backup {
    /// Sorts by time.
    pub id: String,
    pub kind: BackupKind,
    pub reason: BackupReason,
    pub state: BackupState,
    /// The backup before it that an incremental one builds on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Who asked for it; `belfry` for the schedule.
    pub by: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Of the master key that opens it.
    pub fingerprint: String,
    /// How many events it holds at least: what its checkpoint covers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree_size: Option<u64>,
    /// The root of their tree, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The signed checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// Of the encrypted file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Of the encrypted file, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Files it stands for, and how many of them are in it and not in those before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_new: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// While it is made, or checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<BackupProgress>,
    /// The last drill on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<BackupCheck>,
    /// Where its file is, once it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download: Option<String>,
    /// Backups that build on it; while there are any it can't be deleted.
    pub needed_by: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBackup {
    /// An incremental one becomes a full one where there is nothing to build on.
    pub kind: BackupKind,
}

/// When backups are made by themselves, for whom they are encrypted, and how many are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BackupSettings {
    /// The public half of the master key, `age1…`. Without one no backup is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// Make backups by themselves.
    pub scheduled: bool,
    /// When: a cron expression of five fields, or six with seconds first.
    pub cron: String,
    /// Where the clock of the expression hangs: an IANA time zone, `Europe/Zurich`.
    pub zone: String,
    /// Every so many backups made by themselves is a full one; 1: each.
    pub full_every: u32,
    /// How many backups are kept, and those they build on; 0: all.
    pub keep: u32,
}

impl Default for BackupSettings {
    fn default() -> Self {
        Self {
            recipient: None,
            scheduled: false,
            cron: "30 2 * * *".to_owned(),
            zone: "UTC".to_owned(),
            full_every: 7,
            keep: 30,
        }
    }
}

/// The settings, and what follows from them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackupOverview {
    #[serde(flatten)]
    pub settings: BackupSettings,
    /// Of the master key; stands on every share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// When the next backup is made by itself. RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<String>,
    /// Where the files lie on the server.
    pub folder: String,
}

/// How a master key is to be split.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMasterKey {
    /// People who get a share, 1 to 20.
    pub shares: u8,
    /// Shares that open a backup, 1 to `shares`.
    pub threshold: u8,
}

/// A new master key. This answer is the only place where it ever is; nothing of it is kept but the recipient, once the
/// settings are given it.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct MasterKeyMade {
    /// For the settings.
    pub recipient: String,
    pub fingerprint: String,
    pub threshold: u8,
    /// One text for each person.
    pub shares: Vec<String>,
}

/// What opens a backup.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MasterKeyShown {
    /// As many shares as it takes, or the whole key, `AGE-SECRET-KEY-1…`.
    pub shares: Vec<String>,
}
