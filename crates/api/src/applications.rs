//! Applications that send, their devices, and what is shared with them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A sender with devices.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Application {
    /// Small letters, digits, dot, dash, underscore. Becomes `event.provider` of what it sends.
    pub name: String,
    pub title: String,
    pub description: String,
    /// Who answers for it: a person, a team, an address.
    pub owner: String,
    pub enabled: bool,
    pub grants: Vec<Grant>,
    /// Devices that are enrolled.
    pub devices: u64,
    pub last_seen_at: Option<String>,
    pub created_at: String,
    pub created_by: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplicationInput {
    pub name: String,
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub owner: String,
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What is shared with it from the start; later by the routes of its grants. Ignored in a change.
    #[serde(default)]
    pub grants: Vec<Grant>,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantKind {
    /// A stream of events; `events` stands for events that need no source.
    Source,
    /// One mapping.
    Mapping,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Of a source: to send events to it.
    Send,
    /// Of a source: to search its events. Of a mapping: to read its program.
    Read,
    /// Of a mapping: to save a new version of it.
    Change,
}

/// Something that is shared with an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    pub kind: GrantKind,
    /// Name of the source or mapping.
    pub name: String,
    /// What it may do with it. Sources: `send`, `read`. Mappings: `read`, `change`.
    pub rights: Vec<Right>,
}

/// A place for one device, to be taken with a one-time token.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEnrolment {
    /// What the device will be called; it may say so itself when it is absent.
    #[serde(default)]
    pub device: Option<String>,
    /// Until when the token can be redeemed: 1 minute to 30 days, 1 day when absent.
    #[serde(default)]
    pub valid_seconds: Option<u64>,
    /// Lock the device to the address it enrols from.
    #[serde(default)]
    pub lock_to_first_address: bool,
    /// Addresses and networks the device may come from; empty: all.
    #[serde(default)]
    pub networks: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Enrolment {
    pub id: String,
    pub application: String,
    pub device: Option<String>,
    pub lock_to_first_address: bool,
    pub networks: Vec<String>,
    pub created_at: String,
    pub created_by: String,
    pub expires_at: String,
}

/// An enrolment and, this once, its token.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct EnrolmentMade {
    /// `ble_…`; good for one device, can't be shown again.
    pub token: String,
    #[serde(flatten)]
    pub about: Enrolment,
}

/// What a device shows to be enrolled.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enroll {
    pub token: String,
    /// What it calls itself, where the enrolment names no device.
    #[serde(default)]
    pub device: Option<String>,
    /// Version of its software.
    #[serde(default)]
    pub version: Option<String>,
}

/// The credential of a device, this once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceCredential {
    /// `bld_…`; used as any API token is.
    pub token: String,
    pub device_id: String,
    pub device: String,
    pub application: String,
    /// Until when the one before is good as well, after a rotation.
    pub previous_until: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotate {
    /// How long the old credential stays good beside the new one: at most 7 days, an hour when absent.
    #[serde(default)]
    pub overlap_seconds: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Device {
    pub id: String,
    pub application: String,
    pub name: String,
    pub suspended: bool,
    /// Networks it is locked to; empty: it may come from anywhere.
    pub networks: Vec<String>,
    pub enrolled_at: String,
    pub enrolled_from: Option<String>,
    pub last_seen_at: Option<String>,
    pub last_address: Option<String>,
    /// Version or user agent it named last.
    pub version: Option<String>,
    /// Events it has sent, as far as the trail was followed.
    pub events_total: u64,
    pub rotated_at: Option<String>,
    /// Until when its former credential is good too.
    pub previous_until: Option<String>,
}

/// What of a device is to change; what is absent stays as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceChange {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub suspended: Option<bool>,
    #[serde(default)]
    pub networks: Option<Vec<String>>,
}

/// What a device learns of itself.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceSelf {
    pub device: Device,
    pub grants: Vec<Grant>,
}
