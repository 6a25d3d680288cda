//! The mappings that are there from the start.

use std::sync::OnceLock;

use super::head::{Head, head};
use super::{Mapping, Meta};
use crate::syslog::Syslog;

/// A mapping that ships with Belfry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Builtin {
    pub name: &'static str,
    pub program: &'static str,
}

impl Builtin {
    /// What it reads, in words.
    pub fn title(&self) -> String {
        head(self.program).ok().and_then(|head| head.title).unwrap_or_else(|| self.name.to_owned())
    }

    pub fn version(&self) -> String {
        super::version_of(self.program)
    }
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(Builtin { name: $name, program: include_str!(concat!("../../../../mappings/", $name, "/mapping.vrl")) }),*]
    };
}

const BUILTIN: &[Builtin] = shipped![
    "alertmanager",
    "asciinema",
    "auditd",
    "authentik",
    "azure",
    "beyondtrust",
    "bitwarden",
    "cef",
    "cloudevents",
    "cloudtrail",
    "cyberark",
    "delinea",
    "entra",
    "generic",
    "github",
    "gitlab",
    "google-cloud",
    "google-workspace",
    "journald",
    "keeper",
    "keycloak",
    "kubernetes",
    "mysql",
    "okta",
    "onepassword",
    "otlp",
    "pam",
    "pam360",
    "postgresql",
    "secobserve",
    "senhasegura",
    "sshd",
    "sudo",
    "teleport",
    "tlog",
    "vault",
    "vaultwarden",
    "warpgate",
    "windows",
];

/// All mappings that ship with Belfry, by name.
pub fn builtin() -> &'static [Builtin] {
    BUILTIN
}

/// A shipped mapping by its name. It is compiled when it is asked for first.
pub fn find(name: &str) -> Option<&'static Mapping> {
    static COMPILED: [OnceLock<Option<Mapping>>; BUILTIN.len()] = [const { OnceLock::new() }; BUILTIN.len()];
    let (builtin, slot) = BUILTIN.iter().zip(&COMPILED).find(|(b, _)| b.name == name)?;
    slot.get_or_init(|| Mapping::compile(builtin.name, &builtin.version(), builtin.program).ok()).as_ref()
}

/// The shipped mapping that has this other name: `pgsql` is `postgresql`.
pub fn alias(name: &str) -> Option<&'static str> {
    heads().iter().find(|(_, head)| head.aliases.iter().any(|alias| alias == name)).map(|(name, _)| *name)
}

/// The name of the shipped mapping for a syslog message that came without a named source: by its application, by the
/// format inside, else `generic`.
pub fn for_app(syslog: &Syslog<'_>) -> &'static str {
    let message = syslog.message.trim_start();
    if message.starts_with("CEF:") || message.starts_with("LEEF:") {
        let said = message.splitn(4, '|').skip(1).take(2);
        return named(|head| said.clone().any(|said| is_one_of(said.trim(), &head.vendors))).unwrap_or("cef");
    }
    let app = syslog.app.as_deref().or_else(|| app_within(message)).unwrap_or_default();
    named(|head| is_of(app, &head.apps)).unwrap_or("generic")
}

/// The fields that a product itself uses, decoded from a record that is in the trail: by the shipped mapping that read
/// it (`name@version`), else by whichever decoder fits. What [`event::native`] asks for.
pub fn native_fields(mapping: Option<&str>, record: &str) -> Option<event::Object<'static>> {
    static ANY: OnceLock<Option<Mapping>> = OnceLock::new();
    let shipped = mapping.and_then(|id| find(id.split('@').next()?));
    let any =
        || ANY.get_or_init(|| Mapping::compile("any", "1", "# decoder: json, cef, leef, xml, kv, text").ok()).as_ref();
    let meta = Meta::at(jiff::Timestamp::UNIX_EPOCH);
    let decode = |mapping: &Mapping| match mapping.native(record.as_bytes(), &meta) {
        Ok(event::Value::Object(fields)) => Some(fields),
        _ => None,
    };
    shipped.and_then(decode).or_else(|| any().and_then(decode))
}

fn named(fits: impl Fn(&Head) -> bool) -> Option<&'static str> {
    heads().iter().find(|(_, head)| fits(head)).map(|(name, _)| *name)
}

/// Whether a syslog application is one of these: `/usr/bin/sudo` is sudo.
pub(super) fn is_of(app: &str, names: &[String]) -> bool {
    is_one_of(app.rsplit('/').next().unwrap_or(app), names)
}

/// The application of a message that begins as old PAM writes it, `sshd(pam_unix)[123]: …`, which is no tag.
pub(super) fn app_within(message: &str) -> Option<&str> {
    let (name, rest) = message.split_once('(')?;
    let (module, rest) = rest.split_once(")[")?;
    let (pid, _) = rest.split_once("]:")?;
    let plain = |text: &str| text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    (plain(name) && plain(module) && pid.len() <= 10 && pid.bytes().all(|b| b.is_ascii_digit())).then_some(name)
}

fn is_one_of(text: &str, names: &[String]) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(text))
}

fn heads() -> &'static [(&'static str, Head)] {
    static HEADS: OnceLock<Vec<(&str, Head)>> = OnceLock::new();
    HEADS.get_or_init(|| BUILTIN.iter().filter_map(|b| Some((b.name, head(b.program).ok()?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_compile_without_warnings() {
        let mut problems = Vec::new();
        for builtin in BUILTIN {
            match Mapping::compile(builtin.name, &builtin.version(), builtin.program) {
                Ok(mapping) => problems.extend(mapping.warnings().iter().map(|w| format!("{}: {w}", builtin.name))),
                Err(errors) => problems.extend(errors.iter().map(|e| format!("{}: {e}; {:?}", builtin.name, e.help))),
            }
        }
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        assert!(BUILTIN.iter().all(|b| find(b.name).is_some_and(|m| m.name() == b.name)));
    }

    #[test]
    fn what_comes_to_generic_is_known_by_what_it_shows() {
        let meta = Meta::at("2026-06-30T12:00:00Z".parse().unwrap());
        let all: Vec<&Mapping> = BUILTIN.iter().filter_map(|shipped| find(shipped.name)).collect();
        for (record, expected) in [
            ("<38>Jun 30 11:00:00 web1 sshd[1]: Accepted password for a from 10.0.0.1 port 22 ssh2", "sshd"),
            ("<38>1 2026-06-30T11:00:00Z web1 sshd 1 - - Accepted password for a from 10.0.0.1 port 22 ssh2", "sshd"),
            ("<38>Jun 30 11:00:00 web1 sshd(pam_unix)[1]: check pass; user unknown", "sshd"),
            ("type=USER_LOGIN msg=audit(1767323045.123:42): pid=1 uid=0 acct=\"ana\" res=success", "auditd"),
            (
                "2026-06-30 11:00:00,101 WARN  [org.keycloak.events] (executor-thread-2) type=LOGIN_ERROR, realmId=r-1, error=x",
                "keycloak",
            ),
            (
                "[2026-06-30 11:00:00.123][vaultwarden::api::admin][ERROR] Invalid admin token. IP: 10.0.0.1",
                "vaultwarden",
            ),
            ("<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System/></Event>", "windows"),
            ("CEF:0|CyberArk|Vault|12|22|CPM Verify|5|suser=ana", "cyberark"),
            (
                r#"{"type":"request","request":{"id":"1","operation":"read","path":"a","remote_address":"10.0.0.1"}}"#,
                "vault",
            ),
            (r#"{"type":"request","request":{"id":"1"}}"#, "generic"),
            // What somebody typed makes no line another product's.
            ("nginx said: type=USER_LOGIN msg=audit(1767323045.123:42): res=success", "generic"),
            ("login failed for [org.keycloak.events] (x", "generic"),
        ] {
            let known = |record: &super::super::Recognised<'_>| record.surest(all.iter().copied());
            let reads = |used: &Mapping, _: super::super::Outcome<'_>| used.name().to_owned();
            let generic = find("generic").unwrap();
            assert_eq!(generic.read_as(record.as_bytes(), &meta, known, reads), expected, "{record}");
        }
    }

    #[test]
    fn syslog_is_routed_by_application() {
        let at = "2026-06-30T12:00:00Z".parse().unwrap();
        for (line, expected) in [
            ("<38>Jun 30 11:00:00 web1 sshd[1]: Accepted password for a from 10.0.0.1 port 22 ssh2", "sshd"),
            ("<38>Jun 30 11:00:00 web1 sshd-session[1]: x", "sshd"),
            ("<38>Jun 30 11:00:00 web1 sshd(pam_unix)[1]: x", "sshd"),
            ("<85>Jun 30 11:00:00 web1 /usr/bin/sudo: x", "sudo"),
            ("<110>1 2026-06-30T11:00:00Z 10.0.0.1 Keeper - 7 [Keeper@Commander a=\"b\"] x", "keeper"),
            ("<13>Jun 30 11:00:00 gw CEF:0|a|b|c|d|e|5|src=1.1.1.1", "cef"),
            ("<13>Jun 30 11:00:00 gw nginx: x", "generic"),
            ("whatever", "generic"),
        ] {
            assert_eq!(for_app(&crate::syslog::parse(line.as_bytes(), at)), expected, "{line}");
        }
    }
}
