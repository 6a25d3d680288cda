//! Real lines of real products, which nobody of this project wrote. They lie beside the project, in
//! `BELFRY_SAMPLES` or `../shared/samples`; without them this test says so and does nothing.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use event::admit::Defaults;
use event::{Catalogue, Value};
use wire::mapping::samples::received_at;
use wire::mapping::{Meta, Outcome, find};

fn samples() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples");
    let folder = std::env::var_os("BELFRY_SAMPLES").map_or(beside, PathBuf::from).join("logs");
    folder.is_dir().then_some(folder)
}

/// file, mapping, and the share of its lines in which when, who, from where and the outcome must be found: what the
/// lines themselves say of it.
const FILES: &[(&str, &str, [u8; 4])] = &[
    ("vault.jsonl", "vault", [100, 50, 100, 100]),
    ("sshd.log", "sshd", [100, 54, 100, 100]),
    ("sshd-success.log", "sshd", [100, 100, 100, 100]),
    ("ssh-bf.log", "sshd", [100, 100, 100, 100]),
    ("pam.log", "pam", [100, 100, 0, 100]),
    ("teleport.log", "teleport", [100, 100, 100, 100]),
    ("teleport-bf.log", "teleport", [100, 100, 100, 100]),
    ("teleport.jsonl", "teleport", [100, 100, 11, 100]),
    ("keycloak.log", "keycloak", [100, 100, 100, 100]),
    ("keycloak.log", "generic", [100, 100, 100, 100]),
    ("keycloak-bf.log", "keycloak", [100, 100, 100, 100]),
    ("keycloak-bf.log", "generic", [100, 100, 100, 100]),
    ("auditd.log", "auditd", [100, 100, 0, 100]),
    ("auditd.log", "generic", [100, 100, 0, 100]),
    ("authentik.log", "authentik", [100, 100, 100, 100]),
    ("authentik.log", "generic", [100, 100, 100, 100]),
    ("mysql.log", "mysql", [100, 100, 100, 100]),
    ("mysql.log", "generic", [100, 100, 100, 100]),
    ("pgsql.log", "postgresql", [100, 100, 100, 100]),
    ("pgsql.log", "generic", [100, 100, 100, 100]),
    ("vaultwarden.log", "vaultwarden", [100, 37, 100, 100]),
    ("vaultwarden.log", "generic", [100, 37, 100, 100]),
    ("onepassword.jsonl", "onepassword", [100, 100, 100, 33]),
    ("onepassword.jsonl", "generic", [100, 100, 100, 33]),
    ("okta.jsonl", "okta", [87, 96, 92, 100]),
    ("okta.jsonl", "generic", [87, 96, 93, 90]),
    ("github.jsonl", "github", [44, 78, 1, 100]),
    ("github.jsonl", "generic", [45, 75, 0, 0]),
];

#[test]
fn real_lines_are_understood() {
    let Some(folder) = samples() else {
        println!("skipped: there is no folder of samples (set BELFRY_SAMPLES)");
        return;
    };
    let mut problems = String::new();
    for (file, name, wanted) in FILES {
        let Ok(bytes) = std::fs::read(folder.join(file)) else {
            println!("skipped: {file} is not in the folder of samples");
            continue;
        };
        let mapping = find(name).expect("shipped");
        let mut lines = 0;
        let mut found = [0_usize; 4];
        for line in bytes.split(|b| *b == b'\n').filter(|l| !l.trim_ascii().is_empty()) {
            lines += 1;
            let show = String::from_utf8_lossy(line).chars().take(200).collect::<String>();
            let drafts = match mapping.run(line, &Meta::at(received_at())) {
                Outcome::Events(drafts) => drafts,
                other => {
                    let _ = writeln!(problems, "{file}: {other:?}: {show}");
                    continue;
                }
            };
            for draft in drafts {
                let object = draft.as_object().expect("an object").clone();
                let has = |field: &str| object.at(field).is_some();
                let outcome = object.at("event.outcome").and_then(Value::as_str);
                let source = has("source.ip") || has("source.address") || has("source.domain");
                if object.at("event.original").and_then(Value::as_str).map(str::as_bytes) != Some(line) {
                    let _ = writeln!(problems, "{file}: the record was not kept as it is: {show}");
                }
                for (slot, yes) in found.iter_mut().zip([
                    has("@timestamp"),
                    has("user.name") || has("user.id"),
                    source,
                    matches!(outcome, Some("success" | "failure" | "unknown")),
                ]) {
                    *slot += usize::from(yes);
                }
                if std::env::var_os("SHOW").is_some() {
                    let text = |f: &str| object.at(f).and_then(Value::as_str).unwrap_or("·").to_owned();
                    println!(
                        "{file}\t{}\t{}\t{}\t{}\t{}\t{}",
                        text("@timestamp"),
                        text("event.action"),
                        text("user.name"),
                        text("source.ip"),
                        text("event.outcome"),
                        text("entity.name")
                    );
                }
                let id = mapping.id();
                let defaults = Defaults {
                    now: received_at(),
                    source: Some(name),
                    provider: None,
                    catalogue: Catalogue::builtin(),
                    mapping: Some(&id),
                };
                if let Err(error) = event::admit::admit(draft, &defaults) {
                    let _ = writeln!(problems, "{file}: not admitted: {error}: {show}");
                }
            }
        }
        let share = found.map(|n| n * 100 / lines.max(1));
        println!(
            "{file}: {lines} lines by {name}; when {} %, who {} %, from where {} %, outcome {} %",
            share[0], share[1], share[2], share[3]
        );
        for ((what, share), wanted) in ["when", "who", "from where", "outcome"].iter().zip(share).zip(wanted) {
            if share < usize::from(*wanted) {
                let _ = writeln!(problems, "{file}: {what} was found in {share} % of the lines, {wanted} % are to be");
            }
        }
    }
    assert!(problems.is_empty(), "{problems}");
}
