//! Webhooks that come in: an endpoint per sender, each with the way in which that sender shows who it is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a request shows that it knows the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HookScheme {
    /// Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    Standard,
    /// `X-Hub-Signature-256`.
    Github,
    /// `X-Slack-Signature`, version `v0`, with its timestamp.
    Slack,
    /// Okta event hooks: the secret as `Authorization`, and the verification by `GET`.
    Okta,
    /// The secret as `X-Gitlab-Token`.
    Gitlab,
    /// HMAC-SHA256 of the body in a header of a name of its own.
    Hmac,
    /// Basic authentication with a user and the secret.
    Basic,
    /// `Authorization: Bearer` and the secret.
    Bearer,
}

/// How an HMAC is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HookEncoding {
    #[default]
    Hex,
    Base64,
}

/// What depends on the scheme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HookSettings {
    pub scheme: HookScheme,
    /// `hmac`: the header with the signature; `X-Signature-256` when not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// `hmac`: what stands before the signature, such as `sha256=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// `hmac`: how the signature is written.
    #[serde(default)]
    pub encoding: HookEncoding,
    /// `basic`: the user; any when not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// `standard`, `slack`: how far the time of a request may be from ours, in seconds.
    #[serde(default = "tolerance")]
    pub tolerance_seconds: u32,
    /// Headers that belong to the record, in lower case: a mapping finds them as `.hec.fields`. GitHub's are kept by
    /// themselves.
    #[serde(default)]
    pub keep_headers: Vec<String>,
}

fn tolerance() -> u32 {
    300
}

fn yes() -> bool {
    true
}

/// An endpoint. Its secret is never part of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Hook {
    /// The last part of its address.
    pub name: String,
    pub title: String,
    /// The source whose mapping reads what comes.
    pub source: String,
    pub settings: HookSettings,
    pub enabled: bool,
    /// Where the sender posts to.
    pub url: String,
    /// Until when the secret before this one is good as well.
    pub previous_until: Option<String>,
    pub created_at: String,
    /// Requests taken, since the server started.
    pub accepted: u64,
    /// Requests refused, since the server started.
    pub refused: u64,
    pub last_accepted_at: Option<String>,
    pub last_refused_at: Option<String>,
    /// Why the last one was refused.
    pub last_refusal: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HookInput {
    pub name: String,
    #[serde(default)]
    pub title: String,
    pub source: String,
    pub settings: HookSettings,
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The secret, where the sender made it, as Slack does; made here otherwise. Only for a new hook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// A hook, and its secret this one time.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HookMade {
    pub hook: Hook,
    /// To be put into the sender. Absent when the sender made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct HookRotation {
    /// The new secret, where the sender made it; made here otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// For how long the one before is good as well, in seconds; a day when not said, 0 for not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_previous_seconds: Option<u32>,
}
