//! Reports: what they show, one run of one, and the certificate that makes the result evidence.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::trail::Checkpoint;

/// A column of a report: a field of the event, and how the report calls it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// A field in ECS names, or one of the few that are worked out: `action.title`, `severity.name`, `changed`,
    /// `position`.
    pub field: String,
    pub title: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Newest first.
    #[default]
    Desc,
    Asc,
}

/// A report that can be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Definition {
    pub id: String,
    pub title: String,
    /// Under which heading it is listed: `Audits`, `Operations`, `Mine`…
    pub group: String,
    /// One sentence on what it shows.
    pub description: String,
    /// Comes with the server and can't be changed.
    pub builtin: bool,
    /// KQL.
    pub filter: String,
    pub columns: Vec<Column>,
    /// What else could be a column.
    pub available_columns: Vec<Column>,
    pub order: Order,
    /// The time range when none is asked for: `30d`, `24h`; empty for all.
    pub range: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<String>,
}

/// A report of one's own, to be made or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DefinitionDraft {
    pub title: String,
    #[serde(default)]
    pub group: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub filter: String,
    pub columns: Vec<Column>,
    #[serde(default)]
    pub order: Order,
    #[serde(default)]
    pub range: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = ReportPreviewRequest)]
#[serde(deny_unknown_fields)]
pub struct PreviewRequest {
    #[serde(default)]
    pub from: Option<String>,
    #[serde(default)]
    pub to: Option<String>,
    #[serde(default)]
    pub filter: Option<String>,
    #[serde(default)]
    pub columns: Option<Vec<Column>>,
    /// At most 200; 50 when absent.
    #[serde(default)]
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = ReportPreview)]
pub struct Preview {
    pub columns: Vec<Column>,
    /// The first rows, a cell for each column.
    #[schema(value_type = Vec<Vec<Value>>)]
    pub rows: Vec<Vec<Value>>,
    /// The position of each row's event.
    pub positions: Vec<u64>,
    /// How many rows the whole report has.
    pub total: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Csv,
    Json,
    Pdf,
    /// The events themselves with an inclusion proof each, for `belfry verify`.
    Bundle,
}

impl Format {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Pdf => "pdf",
            Self::Bundle => "bundle",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailTo {
    pub to: Vec<String>,
    /// The email channel it goes through; the only one, or the first, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    #[serde(default)]
    pub from: Option<String>,
    #[serde(default)]
    pub to: Option<String>,
    #[serde(default)]
    pub filter: Option<String>,
    #[serde(default)]
    pub columns: Option<Vec<Column>>,
    pub format: Format,
    /// Begin CSV with a byte order mark, as spreadsheets want it; yes when absent.
    #[serde(default)]
    pub bom: Option<bool>,
    #[serde(default)]
    pub email: Option<EmailTo>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Running,
    Done,
    Failed,
    Cancelled,
}

impl RunState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One run of a report.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Run {
    pub id: String,
    pub report_id: String,
    pub title: String,
    pub format: Format,
    pub state: RunState,
    /// Rows written so far.
    pub rows: u64,
    /// Rows it will have, once they are counted.
    pub rows_total: Option<u64>,
    pub by: String,
    pub at: String,
    pub ended_at: Option<String>,
    pub filter: String,
    pub from: Option<String>,
    pub to: Option<String>,
    pub first_position: Option<u64>,
    pub last_position: Option<u64>,
    /// The state of the trail the run speaks of.
    pub checkpoint: Option<Checkpoint>,
    pub size_bytes: Option<u64>,
    /// SHA-256 of the file, in hexadecimal; the `audit.exported` event in the trail says the same.
    pub sha256: Option<String>,
    /// Where to get the file, while it is kept.
    pub download: Option<String>,
    /// Where to get the certificate that goes with it.
    pub certificate: Option<String>,
    /// Until when the file is kept.
    pub expires_at: Option<String>,
    pub error: Option<String>,
    /// To whom it was, or will be, mailed.
    #[serde(default)]
    pub emailed_to: Vec<String>,
    pub email_error: Option<String>,
}

/// The facts that make an exported report evidence: what was asked, by whom, of which state of the trail.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Certificate {
    /// Of this format; 1.
    pub version: u32,
    pub organization: String,
    pub report_id: String,
    pub title: String,
    pub description: String,
    pub run: String,
    pub format: Format,
    /// Who ran it.
    pub by: String,
    /// When (UTC).
    pub at: String,
    /// KQL, all that was asked and-ed together.
    pub filter: String,
    pub from: Option<String>,
    pub to: Option<String>,
    pub order: Order,
    pub columns: Vec<Column>,
    pub rows: u64,
    pub first_position: Option<u64>,
    pub last_position: Option<u64>,
    /// The origin of the checkpoint.
    pub origin: String,
    /// The state of the trail this speaks of: every event below `size` was looked at, none above.
    pub checkpoint: Checkpoint,
    /// The key that signed the checkpoint.
    pub vkey: String,
    /// How to check it.
    pub verify: String,
    /// The file it belongs to; absent inside the file itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<CertifiedFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertifiedFile {
    pub name: String,
    pub size_bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
}
