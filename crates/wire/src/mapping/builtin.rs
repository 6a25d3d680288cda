//! The mappings that are there from the start.

use std::sync::OnceLock;

use super::{Mapping, compile};
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
        compile::head(self.program).ok().and_then(|h| h.title).unwrap_or_else(|| self.name.to_owned())
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

const BUILTIN: &[Builtin] =
    shipped!["cef", "cloudevents", "generic", "keeper", "otlp", "sshd", "sudo", "teleport", "vault"];

/// All mappings that ship with Belfry, by name.
pub fn builtin() -> &'static [Builtin] {
    BUILTIN
}

/// A shipped mapping by its name. It is compiled when it is asked for first, which takes a good part of a second.
pub fn find(name: &str) -> Option<&'static Mapping> {
    static COMPILED: [OnceLock<Option<Mapping>>; BUILTIN.len()] = [const { OnceLock::new() }; BUILTIN.len()];
    let (builtin, slot) = BUILTIN.iter().zip(&COMPILED).find(|(b, _)| b.name == name)?;
    slot.get_or_init(|| Mapping::compile(builtin.name, &builtin.version(), builtin.program).ok()).as_ref()
}

/// The name of the shipped mapping for a syslog message that came without a named source: by its application, by the
/// format inside, else `generic`.
pub fn for_app(syslog: &Syslog<'_>) -> &'static str {
    let message = syslog.message.trim_start();
    if message.starts_with("CEF:") {
        return "cef";
    }
    let app = syslog.app.as_deref().unwrap_or_default();
    let app = app.rsplit('/').next().unwrap_or(app);
    static APPS: OnceLock<Vec<(&'static str, Vec<String>)>> = OnceLock::new();
    let apps = APPS.get_or_init(|| {
        BUILTIN.iter().map(|b| (b.name, compile::head(b.program).map(|h| h.apps).unwrap_or_default())).collect()
    });
    apps.iter().find(|(_, apps)| apps.iter().any(|a| a.eq_ignore_ascii_case(app))).map_or("generic", |(name, _)| *name)
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
    fn syslog_is_routed_by_application() {
        let at = "2026-06-30T12:00:00Z".parse().unwrap();
        for (line, expected) in [
            ("<38>Jun 30 11:00:00 web1 sshd[1]: Accepted password for a from 10.0.0.1 port 22 ssh2", "sshd"),
            ("<38>Jun 30 11:00:00 web1 sshd-session[1]: x", "sshd"),
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
