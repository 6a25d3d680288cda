//! Settings of an input as a person writes them, and as they are shown: without secrets.

use std::path::PathBuf;

use api::inputs::InputKind;
use api::notify::SECRET_SHOWN;
use api::problem::ProblemPart;
use regex::bytes::RegexBuilder;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{SECRETS, client_tls, glob};
use crate::state::inputs::{Files, Journald, Kafka, Nats, Settings};

const LINES_MAX: usize = 100;
const TEXT_BYTES_MAX: usize = 1_000;
const PEM_BYTES_MAX: usize = 64 << 10;
const PATTERN_BYTES_MAX: usize = 64 << 10;

pub fn part(pointer: &str, detail: String) -> ProblemPart {
    ProblemPart { pointer: pointer.to_owned(), detail, offset: None, length: None }
}

/// Reads the settings of a `kind` of input. `before` are those it has: secrets given as `••••` stay.
pub fn read(
    kind: InputKind,
    draft: &Value,
    before: Option<&Settings>,
    folders: &[PathBuf],
) -> Result<Settings, Vec<ProblemPart>> {
    let mut draft = if draft.is_null() { json!({}) } else { draft.clone() };
    let mut wrong = Vec::new();
    carry_secrets(&mut draft, before, &mut wrong);
    if let Some(members) = draft.as_object_mut() {
        // What is shown may be sent back; empty is as good as not there.
        members.retain(|_, value| !value.is_null() && value != "");
    }
    let settings = match kind {
        InputKind::Files => parse(draft).map(|settings| files(settings, folders, &mut wrong)),
        InputKind::Journald => parse(draft).map(|settings| journald(settings, folders, &mut wrong)),
        InputKind::Nats => parse(draft).map(|settings| nats(settings, &mut wrong)),
        InputKind::Kafka => parse(draft).map(|settings| kafka(settings, &mut wrong)),
    };
    match settings {
        Ok(settings) if wrong.is_empty() => Ok(settings),
        Ok(_) => Err(wrong),
        Err(error) => {
            wrong.push(error);
            Err(wrong)
        }
    }
}

/// The settings without their secrets.
pub fn shown(settings: &Settings) -> Value {
    let mut value = serde_json::to_value(settings).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        members.remove("kind");
        for secret in SECRETS {
            if let Some(value) = members.get_mut(*secret).filter(|value| !value.is_null()) {
                *value = json!(SECRET_SHOWN);
            }
        }
    }
    value
}

/// The settings as their change is recorded: the recorder hides the secrets, and needs to see that they changed.
pub fn audited(settings: &Settings) -> Value {
    let mut value = serde_json::to_value(settings).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        members.remove("kind");
    }
    value
}

/// How far something is read, as a person may want to know it.
pub fn position_shown(position: &str) -> String {
    match serde_json::from_str::<Value>(position) {
        Ok(Value::Object(mark)) => format!("byte {}", mark.get("offset").and_then(Value::as_u64).unwrap_or(0)),
        _ => position.to_owned(),
    }
}

/// `host`, `host:port`, `[::1]:port`
pub fn host_and_port(text: &str, port: u16) -> Result<(String, u16), String> {
    let text = text.trim();
    let (host, given) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match text.rsplit_once(':') {
            Some((host, given)) if !host.contains(':') => (host, Some(given)),
            _ => (text, None),
        },
    };
    let good = !host.is_empty()
        && host.len() <= 253
        && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':'));
    let port = match given {
        None => Some(port),
        Some(given) => given.parse().ok().filter(|port| *port > 0),
    };
    match port {
        Some(port) if good => Ok((host.to_owned(), port)),
        _ => Err(format!("{text} is no address: write host:port")),
    }
}

fn parse<T: DeserializeOwned>(draft: Value) -> Result<T, ProblemPart> {
    serde_json::from_value(draft).map_err(|error| part("/settings", error.to_string()))
}

/// A secret is not carried over to another server: whoever may edit the input could else have it sent to one of theirs.
fn carry_secrets(draft: &mut Value, before: Option<&Settings>, wrong: &mut Vec<ProblemPart>) {
    let known = before.map(audited).unwrap_or_default();
    let Some(members) = draft.as_object_mut() else { return };
    let text = |value: Option<&Value>| value.filter(|value| !value.is_null()).cloned();
    let same = ["servers", "brokers", "username", "tls"].iter().all(|name| {
        let (old, new) = (text(known.get(*name)), text(members.get(*name)));
        old == new || (*name == "tls" && old == Some(json!(false)) && new.is_none())
    });
    for secret in SECRETS {
        if members.get(*secret).and_then(Value::as_str) != Some(SECRET_SHOWN) {
            continue;
        }
        match known.get(*secret).filter(|value| !value.is_null()) {
            Some(value) if same => {
                members.insert((*secret).to_owned(), value.clone());
            }
            Some(_) => wrong.push(part(
                &format!("/settings/{secret}"),
                format!("the server or the user changed, so the {secret} must be given again"),
            )),
            None => {
                members.remove(*secret);
            }
        }
    }
}

fn lines(name: &str, lines: &[String], wrong: &mut Vec<ProblemPart>) {
    if lines.len() > LINES_MAX {
        wrong.push(part(&format!("/settings/{name}"), format!("at most {LINES_MAX}")));
    }
    for (index, line) in lines.iter().enumerate() {
        if line.is_empty() || line.len() > TEXT_BYTES_MAX || line.chars().any(char::is_control) {
            let detail = format!("1 to {TEXT_BYTES_MAX} bytes without control characters are needed");
            wrong.push(part(&format!("/settings/{name}/{index}"), detail));
        }
    }
}

fn some(name: &str, list: &[String], what: &str, wrong: &mut Vec<ProblemPart>) {
    if list.is_empty() {
        wrong.push(part(&format!("/settings/{name}"), format!("{what} is needed")));
    }
    lines(name, list, wrong);
}

fn servers(name: &str, list: &[String], wrong: &mut Vec<ProblemPart>) {
    some(name, list, "a server, host:port,", wrong);
    for (index, server) in list.iter().enumerate() {
        if let Err(detail) = host_and_port(server, 1) {
            wrong.push(part(&format!("/settings/{name}/{index}"), detail));
        }
    }
}

fn allowed(folders: &[PathBuf]) -> String {
    if folders.is_empty() {
        return "set inputs.folders in belfry.toml first: inputs may read below these folders only".to_owned();
    }
    let shown: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    format!("only files below {} may be read (inputs.folders in belfry.toml)", shown.join(", "))
}

fn files(settings: Files, folders: &[PathBuf], wrong: &mut Vec<ProblemPart>) -> Settings {
    some("paths", &settings.paths, "a path", wrong);
    for (index, path) in settings.paths.iter().enumerate() {
        if !glob::is_below(path, folders) {
            wrong.push(part(&format!("/settings/paths/{index}"), format!("{path}: {}", allowed(folders))));
        }
    }
    if let Some(pattern) = &settings.record_start
        && let Err(error) = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX << 4).build()
    {
        wrong.push(part("/settings/record_start", error.to_string()));
    }
    Settings::Files(settings)
}

fn journald(settings: Journald, folders: &[PathBuf], wrong: &mut Vec<ProblemPart>) -> Settings {
    lines("units", &settings.units, wrong);
    if let Some(directory) = &settings.directory
        && !glob::is_below(directory, folders)
    {
        wrong.push(part("/settings/directory", format!("{directory}: {}", allowed(folders))));
    }
    Settings::Journald(settings)
}

fn authority(pem: Option<&String>, wrong: &mut Vec<ProblemPart>) {
    let Some(pem) = pem else { return };
    if pem.len() > PEM_BYTES_MAX {
        wrong.push(part("/settings/certificate_authority", format!("at most {PEM_BYTES_MAX} bytes")));
    } else if let Err(error) = client_tls::config(Some(pem)) {
        wrong.push(part("/settings/certificate_authority", error.to_string()));
    }
}

fn credentials(username: Option<&String>, password: Option<&String>, wrong: &mut Vec<ProblemPart>) {
    if username.is_some() != password.is_some() {
        wrong.push(part("/settings/password", "username and password go together".to_owned()));
    }
}

/// A name of a stream or consumer becomes part of a subject.
fn token(name: &str, text: Option<&String>, wrong: &mut Vec<ProblemPart>) {
    let good =
        |text: &String| text.len() <= 200 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if text.is_some_and(|text| !good(text)) {
        wrong.push(part(&format!("/settings/{name}"), "letters, digits, dash and underscore only".to_owned()));
    }
}

fn nats(settings: Nats, wrong: &mut Vec<ProblemPart>) -> Settings {
    servers("servers", &settings.servers, wrong);
    some("subjects", &settings.subjects, "a subject", wrong);
    for (index, subject) in settings.subjects.iter().enumerate() {
        if subject.contains(char::is_whitespace) || subject.split('.').any(str::is_empty) {
            wrong.push(part(&format!("/settings/subjects/{index}"), format!("{subject} is no subject")));
        }
    }
    if settings.stream.is_some() && settings.subjects.len() > 1 {
        wrong.push(part("/settings/subjects", "from a stream one subject is read, or > for all".to_owned()));
    }
    if settings.durable.is_some() && settings.stream.is_none() {
        wrong.push(part("/settings/durable", "a durable consumer is one of a stream".to_owned()));
    }
    token("stream", settings.stream.as_ref(), wrong);
    token("durable", settings.durable.as_ref(), wrong);
    token("queue", settings.queue.as_ref(), wrong);
    authority(settings.certificate_authority.as_ref(), wrong);
    credentials(settings.username.as_ref(), settings.password.as_ref(), wrong);
    Settings::Nats(settings)
}

fn kafka(settings: Kafka, wrong: &mut Vec<ProblemPart>) -> Settings {
    servers("brokers", &settings.brokers, wrong);
    some("topics", &settings.topics, "a topic", wrong);
    authority(settings.certificate_authority.as_ref(), wrong);
    credentials(settings.username.as_ref(), settings.password.as_ref(), wrong);
    Settings::Kafka(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: InputKind, draft: &Value) -> Vec<String> {
        let folders = [PathBuf::from("/var/log")];
        match read(kind, draft, None, &folders) {
            Ok(_) => Vec::new(),
            Err(wrong) => wrong.into_iter().map(|part| part.pointer).collect(),
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        use InputKind::{Files, Journald, Kafka, Nats};
        let none: [&str; 0] = [];
        assert_eq!(check(Files, &json!({"paths": ["/var/log/*.log"]})), none);
        assert_eq!(check(Files, &json!({"paths": ["/etc/passwd"]})), ["/settings/paths/0"]);
        assert_eq!(check(Files, &json!({"paths": []})), ["/settings/paths"]);
        assert_eq!(check(Files, &json!({"paths": ["/var/log/a"], "record_start": "("})), ["/settings/record_start"]);
        assert_eq!(check(Files, &json!({"path": "/var/log/a"})), ["/settings"]);
        assert_eq!(check(Journald, &json!({})), none);
        assert_eq!(check(Journald, &json!({"directory": "/home"})), ["/settings/directory"]);
        assert_eq!(check(Nats, &json!({"servers": ["nats.example:4222"], "subjects": ["audit.>"]})), none);
        assert_eq!(
            check(Nats, &json!({"servers": ["a:b"], "subjects": ["a b", "c"], "stream": "X.Y", "username": "u"})),
            [
                "/settings/servers/0",
                "/settings/subjects/0",
                "/settings/subjects",
                "/settings/stream",
                "/settings/password"
            ]
        );
        assert_eq!(check(Kafka, &json!({"brokers": ["k1.example"], "topics": ["audit"]})), none);
        assert_eq!(
            check(Kafka, &json!({"brokers": [], "topics": [], "certificate_authority": "x"})),
            ["/settings/brokers", "/settings/topics", "/settings/certificate_authority"]
        );
    }

    #[test]
    fn secrets_stay_with_their_server() {
        let draft = json!({"servers": ["a:1"], "subjects": ["x"], "token": "hunter42"});
        let before = read(InputKind::Nats, &draft, None, &[]).unwrap_or_else(|_| panic!("good settings"));
        assert!(!shown(&before).to_string().contains("hunter42"));
        let again = read(InputKind::Nats, &shown(&before), Some(&before), &[]);
        assert!(again.is_ok_and(|again| again == before), "what is shown may be sent back");
        let mut moved = shown(&before);
        moved["servers"] = json!(["evil:1"]);
        assert!(read(InputKind::Nats, &moved, Some(&before), &[]).is_err());
    }

    #[test]
    fn addresses() {
        assert_eq!(host_and_port("a.example", 5).unwrap(), ("a.example".into(), 5));
        assert_eq!(host_and_port("a.example:7", 5).unwrap(), ("a.example".into(), 7));
        assert_eq!(host_and_port("[2001:db8::1]:7", 5).unwrap(), ("2001:db8::1".into(), 7));
        assert_eq!(host_and_port("2001:db8::1", 5).unwrap(), ("2001:db8::1".into(), 5));
        for text in ["", "a:0", "a:x", "a b:1", "nats://a:1"] {
            assert!(host_and_port(text, 5).is_err(), "{text}");
        }
    }
}
