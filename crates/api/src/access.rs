//! Users, sessions, tokens, settings and saved filters.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What somebody may do. A route names the one it needs; a role and a token are sets of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub enum Privilege {
    #[serde(rename = "events:read")]
    EventsRead,
    #[serde(rename = "events:write")]
    EventsWrite,
    #[serde(rename = "reports:run")]
    ReportsRun,
    #[serde(rename = "reports:write")]
    ReportsWrite,
    #[serde(rename = "rules:read")]
    RulesRead,
    #[serde(rename = "rules:write")]
    RulesWrite,
    #[serde(rename = "channels:read")]
    ChannelsRead,
    #[serde(rename = "channels:write")]
    ChannelsWrite,
    #[serde(rename = "deliveries:read")]
    DeliveriesRead,
    #[serde(rename = "deliveries:resend")]
    DeliveriesResend,
    #[serde(rename = "inbox:own")]
    InboxOwn,
    #[serde(rename = "sources:read")]
    SourcesRead,
    #[serde(rename = "sources:write")]
    SourcesWrite,
    #[serde(rename = "mappings:write")]
    MappingsWrite,
    #[serde(rename = "applications:manage")]
    ApplicationsManage,
    #[serde(rename = "selection:write")]
    SelectionWrite,
    #[serde(rename = "users:manage")]
    UsersManage,
    #[serde(rename = "tokens:own")]
    TokensOwn,
    #[serde(rename = "tokens:manage")]
    TokensManage,
    #[serde(rename = "settings:write")]
    SettingsWrite,
    #[serde(rename = "trail:read")]
    TrailRead,
    #[serde(rename = "trail:verify")]
    TrailVerify,
    #[serde(rename = "trail:erase")]
    TrailErase,
    #[serde(rename = "retention:read")]
    RetentionRead,
    #[serde(rename = "retention:write")]
    RetentionWrite,
    #[serde(rename = "backups:read")]
    BackupsRead,
    #[serde(rename = "backups:manage")]
    BackupsManage,
}

impl Privilege {
    /// All there are, in the order of the manual.
    pub const ALL: [Self; 27] = [
        Self::EventsRead,
        Self::EventsWrite,
        Self::ReportsRun,
        Self::ReportsWrite,
        Self::RulesRead,
        Self::RulesWrite,
        Self::ChannelsRead,
        Self::ChannelsWrite,
        Self::DeliveriesRead,
        Self::DeliveriesResend,
        Self::InboxOwn,
        Self::SourcesRead,
        Self::SourcesWrite,
        Self::MappingsWrite,
        Self::ApplicationsManage,
        Self::SelectionWrite,
        Self::UsersManage,
        Self::TokensOwn,
        Self::TokensManage,
        Self::SettingsWrite,
        Self::TrailRead,
        Self::TrailVerify,
        Self::TrailErase,
        Self::RetentionRead,
        Self::RetentionWrite,
        Self::BackupsRead,
        Self::BackupsManage,
    ];

    /// Its name in JSON, in the manual and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::EventsRead => "events:read",
            Self::EventsWrite => "events:write",
            Self::ReportsRun => "reports:run",
            Self::ReportsWrite => "reports:write",
            Self::RulesRead => "rules:read",
            Self::RulesWrite => "rules:write",
            Self::ChannelsRead => "channels:read",
            Self::ChannelsWrite => "channels:write",
            Self::DeliveriesRead => "deliveries:read",
            Self::DeliveriesResend => "deliveries:resend",
            Self::InboxOwn => "inbox:own",
            Self::SourcesRead => "sources:read",
            Self::SourcesWrite => "sources:write",
            Self::MappingsWrite => "mappings:write",
            Self::ApplicationsManage => "applications:manage",
            Self::SelectionWrite => "selection:write",
            Self::UsersManage => "users:manage",
            Self::TokensOwn => "tokens:own",
            Self::TokensManage => "tokens:manage",
            Self::SettingsWrite => "settings:write",
            Self::TrailRead => "trail:read",
            Self::TrailVerify => "trail:verify",
            Self::TrailErase => "trail:erase",
            Self::RetentionRead => "retention:read",
            Self::RetentionWrite => "retention:write",
            Self::BackupsRead => "backups:read",
            Self::BackupsManage => "backups:manage",
        }
    }

    /// The privilege of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }
}

impl std::fmt::Display for Privilege {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What a person is to the organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May do everything.
    Administrator,
    /// Reads the whole trail, reports on it and verifies it; changes nothing.
    Auditor,
    /// Sees the notifications meant for them.
    Member,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Administrator, Self::Auditor, Self::Member];

    pub fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Auditor => "auditor",
            Self::Member => "member",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.name() == name)
    }

    /// What the role may do.
    pub fn privileges(self) -> &'static [Privilege] {
        match self {
            Self::Administrator => &Privilege::ALL,
            Self::Auditor => &[
                Privilege::EventsRead,
                Privilege::ReportsRun,
                Privilege::ReportsWrite,
                Privilege::RulesRead,
                Privilege::ChannelsRead,
                Privilege::DeliveriesRead,
                Privilege::InboxOwn,
                Privilege::SourcesRead,
                Privilege::TokensOwn,
                Privilege::TrailRead,
                Privilege::TrailVerify,
                Privilege::RetentionRead,
                Privilege::BackupsRead,
            ],
            Self::Member => &[Privilege::InboxOwn, Privilege::TokensOwn],
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Name and password, to sign in.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    pub name: String,
    pub password: String,
}

/// Who is asking, and what the console needs to know about the server.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Me {
    pub user: Person,
    pub privileges: Vec<Privilege>,
    pub organization: String,
    pub version: String,
    /// Where people reach this server; links in messages begin with it.
    pub public_url: String,
}

/// The few facts of a user that everybody signed in may see of themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Person {
    pub id: String,
    pub name: String,
    pub full_name: String,
    pub email: String,
    pub role: Role,
}

#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    pub current: String,
    pub new: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    pub id: String,
    pub name: String,
    pub full_name: String,
    pub email: String,
    pub role: Role,
    pub disabled: bool,
    /// RFC 3339, UTC.
    pub created_at: String,
    pub last_login_at: Option<String>,
}

#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    pub name: String,
    #[serde(default)]
    pub full_name: String,
    #[serde(default)]
    pub email: String,
    pub role: Role,
    /// At least 12 characters.
    pub password: String,
    #[serde(default)]
    pub disabled: bool,
}

/// What of a user is to change; what is absent stays as it is.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// A new password ends all sessions of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    pub id: String,
    pub name: String,
    /// Name of the user it acts for.
    pub user: String,
    pub scopes: Vec<Privilege>,
    pub created_at: String,
    pub expires_at: Option<String>,
    pub last_used_at: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    pub name: String,
    /// No more than its user may do; what the user loses later the token loses too.
    pub scopes: Vec<Privilege>,
    /// RFC 3339; absent: until it is deleted.
    #[serde(default)]
    pub expires_at: Option<String>,
}

/// A token and, this once, its value.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenMade {
    /// `blf_…`; can't be shown again.
    pub token: String,
    #[serde(flatten)]
    pub about: Token,
}

/// What an administrator settles for the whole organization.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Hosts, addresses and networks inside that channels and witnesses may be reached at: `mail.internal`, `10.0.0.5`, `10.1.0.0/16`.
    /// Without a line here every loopback, private and link-local target is refused.
    pub outgoing_allow: Vec<String>,
    /// Who is asked to cosign the checkpoints of the trail.
    pub witnesses: Vec<WitnessSetting>,
}

/// A witness: somebody else's server that cosigns checkpoints (C2SP tlog-witness).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WitnessSetting {
    /// Its public key with its name, as its operator publishes it: `name+hash+base64`.
    pub vkey: String,
    /// Where it is asked; `/add-checkpoint` follows.
    pub url: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SavedFilter {
    pub id: String,
    pub name: String,
    pub filter: String,
    /// Seen by everybody who may read events.
    pub shared: bool,
    /// Name of the user who saved it.
    pub by: String,
    pub created_at: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSavedFilter {
    pub name: String,
    pub filter: String,
    #[serde(default)]
    pub shared: bool,
}
