//! Sending events, finding them, counting them, proving them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::retention::Removed;

/// What became of a batch. All accepted events are on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// Events accepted.
    pub accepted: u64,
    /// Position of the first accepted event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// Position of the last accepted event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u64>,
    /// Records that a mapping left out on purpose.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// Events that a rule of the selection left out: they are not kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
    /// At most 1,000 of the records that were set aside.
    #[serde(default)]
    pub rejected: Vec<Rejected>,
    /// How many more records were set aside than `rejected` lists.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rejected_more: u64,
    /// The batch key had been seen before, and nothing was added now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A record that was not accepted, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rejected {
    /// Its place in the batch, from 0.
    pub index: usize,
    pub error: String,
    /// The field that is wrong, where one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Under which number the record is kept until it is replayed or discarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SendParams {
    /// The source whose mapping reads the records. Without it the records are events already.
    pub source: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SearchParams {
    /// KQL.
    pub filter: Option<String>,
    /// The earliest `@timestamp`: RFC 3339, `YYYY-MM-DD`, or `now-7d`.
    pub from: Option<String>,
    /// The latest `@timestamp`, exclusive.
    pub to: Option<String>,
    /// Rows of a page, at most 1,000; 50 when absent.
    pub limit: Option<u32>,
    /// What the page before answered as `next`.
    pub cursor: Option<String>,
    /// `desc` (newest first, the default) or `asc`.
    pub order: Option<String>,
    /// Whether to say how many there are in all.
    pub count: Option<bool>,
}

/// Which events to take out.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExportParams {
    /// KQL.
    pub filter: Option<String>,
    /// The earliest `@timestamp`: RFC 3339, `YYYY-MM-DD`, or `now-7d`.
    pub from: Option<String>,
    /// The latest `@timestamp`, exclusive.
    pub to: Option<String>,
    /// At most so many; all when absent.
    pub limit: Option<u64>,
    /// `desc` (newest first, the default) or `asc`.
    pub order: Option<String>,
}

/// An event and its place in the trail.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Found {
    pub position: u64,
    /// The event, in ECS names.
    #[schema(value_type = Object)]
    pub event: Box<RawValue>,
}

impl Clone for Found {
    fn clone(&self) -> Self {
        Self { position: self.position, event: self.event.clone() }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventPage {
    pub items: Vec<Found>,
    pub next: Option<String>,
    /// Absent where counting would have cost more than the page.
    pub total: Option<u64>,
    pub took_ms: f64,
    /// Events below this position were looked up in the index, the rest in the trail itself.
    pub indexed_to: u64,
    /// Events in the trail.
    pub size: u64,
    /// The time for one search was up before everything was read; the page holds what had been found.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

/// One event with what the console shows of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventDetail {
    pub position: u64,
    #[schema(value_type = Object)]
    pub event: Box<RawValue>,
    /// The type's title, `Login failed`.
    pub title: String,
    pub severity_name: String,
    /// Base64 of SHA-256(0x00 ‖ entry).
    pub leaf_hash: String,
    /// The fields that the product itself uses, decoded from `event.original`: filters ask for them as `native.*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub native: Option<serde_json::Value>,
}

/// Everything a third party needs to check that an event is in the trail.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventProof {
    pub position: u64,
    /// Base64 of the entry: the canonical JSON of the event. Empty when the event was removed.
    pub entry: String,
    /// Base64; of a removed event the hash that stands in its place.
    pub leaf_hash: String,
    pub tree_size: u64,
    /// The inclusion proof of RFC 6962, base64 each, from the leaf upwards.
    pub path: Vec<String>,
    /// The signed note for `tree_size`.
    pub checkpoint: String,
    pub vkey: String,
    /// When and why the event was removed; absent while it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Removed>,
}

#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RelatedParams {
    /// `session`, `user`, `entity`, `operation` or `request`; all of them when absent.
    pub by: Option<String>,
}

/// Events that share something with an event.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Related {
    pub groups: Vec<RelatedGroup>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RelatedGroup {
    /// `session`, `user`, `entity`, `operation`, `request` or `host`.
    pub by: String,
    pub value: String,
    /// The filter that lists all of them.
    pub filter: String,
    /// The nearest ones in time, newest first.
    pub items: Vec<Found>,
    pub total: Option<u64>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SummaryParams {
    /// One or two fields, `event.action,user.name`.
    pub by: Option<String>,
    /// `hour`, `day`, `week`, `month`, or a number of seconds, minutes or hours that divides the next longer one, `30s`, `5m`,
    /// `6h`; `auto` chooses by the range; absent for no buckets.
    pub span: Option<String>,
    pub filter: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    /// Rows at most; 20 when absent, at most 1,000.
    pub top: Option<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventSummary {
    pub rows: Vec<SummaryRow>,
    pub buckets: Vec<SummaryBucket>,
    /// Events that match.
    pub total: u64,
    /// The span of a bucket in words, where `auto` chose it.
    pub span: Option<String>,
    /// The time was up, or there were more values than can be counted exactly.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    pub took_ms: f64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SummaryRow {
    /// Field → value.
    pub keys: BTreeMap<String, String>,
    pub count: u64,
    /// First occurrence.
    pub first: Option<String>,
    /// Last occurrence.
    pub last: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SummaryBucket {
    pub from: String,
    pub count: u64,
    /// Value of the first field of `by` → count.
    pub by: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StreamParams {
    /// KQL.
    pub filter: Option<String>,
}

/// A field that events are known to have.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FieldInfo {
    pub name: String,
    /// `keyword`, `text`, `ip`, `number`, `date`, `boolean`.
    pub kind: String,
    pub title: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ValuesParams {
    pub field: String,
    pub prefix: Option<String>,
    pub filter: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ValueCounts {
    pub items: Vec<ValueCount>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ValueCount {
    pub value: String,
    pub count: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FilterCheck {
    pub filter: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FilterVerdict {
    pub ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<FilterProblem>,
}

/// Where a filter can't be read, and why.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FilterProblem {
    /// Characters from the start.
    pub offset: usize,
    /// Characters.
    pub length: usize,
    pub message: String,
    /// What the user may have meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

/// An event type of the catalogue.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventType {
    pub id: String,
    pub category: String,
    /// `info`, `low`, `medium`, `high`, `critical`.
    pub severity: String,
    pub title: String,
    pub message: String,
    /// `native`, `mapped` or `both`.
    pub raised_by: String,
}

/// An event as a sender writes it, for the API document.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"@timestamp": "2026-11-21T14:00:00Z", "event": {"action": "credential.password.viewed"}, "user": {"name": "ada"}}))]
pub struct EventInput(pub Value);
