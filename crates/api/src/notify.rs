//! Rules, channels, deliveries and the inbox.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What stands for a secret in every answer. Sent back unchanged, it means "as it was".
pub const SECRET_SHOWN: &str = "••••";

/// Whom a rule tells, and through which channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Recipient {
    /// Id of the channel.
    pub channel: String,
    /// Addresses, `user:<name>` or `role:<name>`; empty for the channel's own target.
    #[serde(default)]
    pub to: Vec<String>,
}

/// A rule: which events, whom to tell, how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rule {
    pub id: String,
    pub name: String,
    pub description: String,
    pub enabled: bool,
    /// KQL; empty for every event.
    pub filter: String,
    pub recipients: Vec<Recipient>,
    /// The same thing is told once in this time; 0 tells every time.
    pub hold_seconds: u64,
    /// Fields whose values make two events "the same thing".
    pub group_by: Vec<String>,
    pub created_at: String,
    pub updated_at: String,
    pub updated_by: String,
    pub last_fired_at: Option<String>,
    /// Messages of the last 30 days.
    pub sent_30d: u64,
    /// Messages held back in the last 30 days.
    pub held_30d: u64,
}

/// A rule as it is written: made, changed, or tried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleDraft {
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub description: String,
    #[serde(default = "yes")]
    pub enabled: bool,
    #[serde(default)]
    pub filter: String,
    #[serde(default)]
    pub recipients: Vec<Recipient>,
    /// One hour when absent.
    #[serde(default = "one_hour")]
    pub hold_seconds: u64,
    /// `event.action`, `user.name` and `host.name` when absent.
    #[serde(default)]
    pub group_by: Option<Vec<String>>,
}

fn yes() -> bool {
    true
}

fn one_hour() -> u64 {
    3_600
}

/// What the rule would have done over the past days.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewRequest {
    pub rule: RuleDraft,
    /// 1 to 90.
    #[serde(default = "thirty")]
    pub days: u32,
}

fn thirty() -> u32 {
    30
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    pub matched: u64,
    pub sent: u64,
    pub held: u64,
    /// When not the whole time could be looked at: how far it went.
    pub scanned_to: Option<String>,
    pub timeline: Vec<PreviewSpan>,
    /// The first messages, as they would look.
    pub first: Vec<PreviewMessage>,
    pub truncated: bool,
}

/// One span of the time line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PreviewSpan {
    pub from: String,
    pub sent: u64,
    pub held: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PreviewMessage {
    pub at: String,
    pub position: u64,
    pub subject: String,
    pub text: String,
    pub held_before: u64,
    pub email_html: String,
    pub email_text: String,
    pub slack: Value,
    pub teams: Value,
    pub webhook: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    Email,
    Slack,
    Teams,
    Webhook,
    Inbox,
}

impl ChannelKind {
    pub const ALL: [Self; 5] = [Self::Email, Self::Slack, Self::Teams, Self::Webhook, Self::Inbox];

    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::Webhook => "webhook",
            Self::Inbox => "inbox",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A way out of Belfry to people and programs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Channel {
    pub id: String,
    pub name: String,
    pub kind: ChannelKind,
    /// By kind; secrets and secret addresses are shown as `••••`. The signing secret of a new webhook
    /// is shown in the answer that made it, and never again.
    pub settings: Value,
    pub enabled: bool,
    pub created_at: String,
    pub updated_at: String,
    pub last_ok_at: Option<String>,
    /// Of the last try, when it went wrong.
    pub last_error: Option<String>,
    pub last_error_at: Option<String>,
    /// Names of the rules that use it.
    pub used_by: Vec<String>,
}

/// A channel as it is written. The kind of a channel never changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelDraft {
    pub name: String,
    pub kind: ChannelKind,
    /// email `{host, port, security: starttls|tls|none, username, password, from, to: [], certificate_authority}`,
    /// slack and teams `{url}`, webhook `{url, secret}`, inbox `{}`.
    #[serde(default)]
    pub settings: Value,
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// How a test message fared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TestResult {
    /// `delivered` or `failed`.
    pub state: DeliveryState,
    pub attempt: Attempt,
    /// What an answer of this kind of channel does not prove.
    pub note: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    Waiting,
    Sending,
    Delivered,
    Failed,
}

impl DeliveryState {
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Sending, Self::Delivered, Self::Failed];

    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// One message to one recipient, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    #[serde(flatten)]
    pub head: DeliveryHead,
    /// How often it was tried.
    pub attempts: u32,
}

/// What a delivery is and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryHead {
    pub id: String,
    pub rule_id: Option<String>,
    pub rule_name: Option<String>,
    pub channel_id: String,
    pub channel_name: String,
    pub kind: ChannelKind,
    pub recipient: String,
    pub state: DeliveryState,
    pub next_try_at: Option<String>,
    pub created_at: String,
    pub subject: String,
    /// Of the event that is told.
    pub position: Option<u64>,
    pub held_before: u64,
    pub last_answer: Option<String>,
}

/// A delivery with all that was tried for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryDetail {
    #[serde(flatten)]
    pub head: DeliveryHead,
    pub text: String,
    /// What became of each try, the first one first.
    pub attempts: Vec<Attempt>,
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    pub at: String,
    pub duration_ms: u64,
    pub outcome: AttemptOutcome,
    /// The status of the answer, HTTP's or SMTP's.
    pub status: Option<u16>,
    pub answer: String,
    /// What was sent, without secrets.
    pub request: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    Ok,
    /// Will be tried again.
    Temporary,
    /// Refused for good.
    Permanent,
}

impl AttemptOutcome {
    pub const ALL: [Self; 3] = [Self::Ok, Self::Temporary, Self::Permanent];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Temporary => "temporary",
            Self::Permanent => "permanent",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// Why a rule told, or did not tell, of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    pub rule_id: String,
    pub rule_name: String,
    /// `send` or `held`.
    pub verdict: String,
    /// In words, and with the moment from which the same thing is told again.
    pub why: String,
    pub at: String,
}

/// What an event caused: `GET /events/{position}/notifications`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventNotifications {
    pub deliveries: Vec<Delivery>,
    pub decisions: Vec<Decision>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resend {
    pub ids: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Resent {
    /// How many are waiting to be sent again; those under way or delivered by now are not counted.
    pub resent: u64,
}

/// One line of the inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InboxItem {
    pub id: String,
    pub at: String,
    pub subject: String,
    pub text: String,
    /// 0 to 100.
    pub severity: u8,
    pub severity_name: String,
    pub position: Option<u64>,
    /// When the one who asks has read it.
    pub read_at: Option<String>,
    /// Acknowledging is for everyone.
    pub acknowledged_at: Option<String>,
    pub acknowledged_by: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Inbox {
    pub items: Vec<InboxItem>,
    pub next: Option<String>,
    /// Of all that the one who asks may see.
    pub unread: u64,
}

/// Which items: some by id, or all that the one who asks may see.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InboxSelection {
    #[serde(default)]
    pub ids: Vec<String>,
    #[serde(default)]
    pub all: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InboxChanged {
    pub changed: u64,
}

/// An event sent to people by email: `POST /events/{position}/email`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MailEvent {
    /// Addresses, `user:<name>` or `role:<name>`.
    pub to: Vec<String>,
    /// Id of an email channel; the first one that is enabled when absent.
    #[serde(default)]
    pub channel: Option<String>,
}
