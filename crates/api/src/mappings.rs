//! Mappings: the programs that read what sources send, their versions and samples, and trying them out.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Mapping {
    pub name: String,
    /// Counts up with every change made here.
    pub version: u32,
    /// What events that it read carry after the `@` in `event.mapping`.
    pub hash: String,
    pub description: String,
    /// It is as it ships with Belfry.
    pub builtin: bool,
    /// One of this name ships with Belfry, whatever was made of it here.
    pub shipped: bool,
    /// The sources that it reads.
    pub used_by: Vec<String>,
    /// Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    pub updated_at: Option<String>,
    pub updated_by: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MappingInput {
    pub program: String,
    /// Records to keep beside it, at most 100; those kept so far stay when absent.
    pub samples: Option<Vec<String>>,
    /// Save it even though a sample that could be read so far can't be read any more.
    #[serde(default)]
    pub force: bool,
}

/// One version of a mapping.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MappingVersion {
    pub version: u32,
    pub hash: String,
    /// It is the one that ships with Belfry.
    pub shipped: bool,
    /// Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    pub created_at: Option<String>,
    pub created_by: Option<String>,
}

/// The records that stand beside a mapping.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct MappingSamples {
    /// Those kept here. They are run whenever the mapping is saved.
    pub own: Vec<String>,
    /// Those that ship with Belfry, the first 100.
    pub shipped: Vec<String>,
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

/// What is wrong in a program, and where. Lines and columns count from 1.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CompileError {
    pub line: usize,
    pub column: usize,
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// A program to hold against what is in the trail.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct DryRun {
    /// The program to try; the stored one when absent.
    pub program: Option<String>,
    /// The source whose events are read again; all that the mapping reads when absent.
    pub source: Option<String>,
    /// At most 1,000, which is what one gets without it.
    pub limit: Option<u32>,
}

/// What would have become of the newest events of a source.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct DryRunResult {
    pub compile_errors: Vec<CompileError>,
    /// Events that were read again from their records.
    pub events: u64,
    pub same: u64,
    pub changed: u64,
    /// Their records would be set aside now, or left out.
    pub failed: u64,
    /// Events that keep no record to read again.
    pub without_record: u64,
    /// At most ten of those that changed and ten of those that failed.
    pub examples: Vec<DryRunExample>,
    /// It took too long to read all that were asked for.
    pub partial: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DryRunExample {
    pub position: u64,
    /// The beginning of the record.
    pub record: String,
    /// Why it would be no event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The fields that would differ, at most 40.
    pub changes: Vec<DryRunChange>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DryRunChange {
    pub field: String,
    #[schema(value_type = Option<Object>)]
    pub old: Option<Value>,
    #[schema(value_type = Option<Object>)]
    pub new: Option<Value>,
}

/// One record of a product that has no mapping yet.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Propose {
    pub record: String,
    /// What the mapping will be called; actions begin with it.
    #[serde(default)]
    pub name: String,
}

/// A mapping to start from.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Proposal {
    /// How the record can be taken apart.
    pub decoder: String,
    /// Its own fields.
    #[schema(value_type = Object)]
    pub native: Value,
    /// What becomes of it without a mapping of its own.
    pub generic: MappingTestResult,
    /// A program with an assignment for each field that was recognized, and a line to be switched on for each that was not.
    pub program: String,
    /// What the program makes of it.
    pub result: MappingTestResult,
}

/// What a program may use: for the manual, and for completion in an editor.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MappingReference {
    pub functions: Vec<MappingFunction>,
    pub fields: Vec<MappingField>,
    pub decoders: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MappingFunction {
    pub name: String,
    /// `capture(value, pattern)`; what may be left out stands in brackets.
    pub signature: String,
    pub usage: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MappingField {
    pub name: String,
    /// `keyword`, `text`, `ip`, `number`, `date` or `boolean`.
    pub kind: String,
    pub title: String,
}
