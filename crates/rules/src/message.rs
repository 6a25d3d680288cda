//! The words of a message.

use event::{Catalogue, Event, Severity, Value};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest subject, in characters.
pub const SUBJECT_CHARS_MAX: usize = 180;
/// The longest value of a fact, in characters.
pub const FACT_CHARS_MAX: usize = 500;

/// A message about an event, before a channel gives it its form. Subject and facts are single lines
/// without control characters; the text may hold any character but control characters. Nothing is
/// escaped for HTML or for any product: that is the channel's work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Says it all in one line.
    pub subject: String,
    /// A sentence or two.
    pub text: String,
    /// Labels and values, in the order of reading.
    pub facts: Vec<(String, String)>,
    /// The path of the event in the console.
    pub link: String,
    pub severity: Severity,
    pub position: u64,
    pub at: Timestamp,
    /// How many of the same were held back since the last message.
    pub held_before: u64,
    /// The name of the rule.
    pub rule: String,
}

/// Words a message of `rule_name` about `event`.
pub fn compose(catalogue: &Catalogue, rule_name: &str, position: u64, event: &Event<'_>, held_before: u64) -> Message {
    Message {
        subject: subject(catalogue, event, held_before),
        text: text(catalogue, event, held_before),
        facts: facts(catalogue, event, rule_name),
        link: link(position),
        severity: Severity::from_number(event.severity()),
        position,
        at: event.timestamp(),
        held_before,
        rule: one_line(rule_name, FACT_CHARS_MAX),
    }
}

/// The path of an event in the console.
pub fn link(position: u64) -> String {
    format!("/events?open={position}")
}

/// `Login failed, and 2 more held back: ada.m, bastion-1`.
pub fn subject(catalogue: &Catalogue, event: &Event<'_>, held_before: u64) -> String {
    let title = catalogue.title(event.action());
    let mut subject = format!("{title}{}", held_back(held_before));
    let who = first(event, &["user.name", "user.email", "user.full_name", "user.id"]);
    let whom = first(event, &["user.target.name"]);
    let what =
        first(event, &["credential.username", "entity.name", "certificate.subject", "operation.name", "product.name"]);
    let place = first(event, &["host.name", "host.ip", "source.ip"]);
    let mut separator = ": ";
    for part in [who, whom, what, place].into_iter().flatten() {
        subject.push_str(separator);
        subject.push_str(&part);
        separator = ", ";
    }
    one_line(&subject, SUBJECT_CHARS_MAX)
}

/// The event's own message, else the one of the catalogue, and how many more were held back.
pub fn text(catalogue: &Catalogue, event: &Event<'_>, held_before: u64) -> String {
    let message = match event.text("message") {
        Some(message) if !message.trim().is_empty() => message.to_owned(),
        _ => catalogue.message(event),
    };
    let message = one_line(&message, 2 * FACT_CHARS_MAX);
    format!("{}{}", message.trim_end_matches('.'), held_back(held_before))
}

/// `, and 2 more held back`, or nothing.
pub fn held_back(held_before: u64) -> String {
    match held_before {
        0 => String::new(),
        held => format!(", and {held} more held back"),
    }
}

/// The facts in the order of who, from where, on what, why.
pub fn facts(catalogue: &Catalogue, event: &Event<'_>, rule_name: &str) -> Vec<(String, String)> {
    const LINES: &[(&str, &[&str])] = &[
        ("User", &["user.name", "user.full_name", "user.email"]),
        ("Target user", &["user.target.name"]),
        ("Origin", &["source.ip", "source.geo.city_name", "source.geo.country_iso_code"]),
        ("Host", &["host.name", "host.ip"]),
        ("Object", &["entity.type", "entity.name", "entity.id"]),
        ("Credential", &["credential.username", "credential.type", "credential.id"]),
        ("Session", &["session.id", "session.protocol"]),
        ("Operation", &["operation.name", "operation.status", "operation.id"]),
        ("Certificate", &["certificate.subject", "certificate.serial", "certificate.not_after"]),
        ("Command", &["process.command_line"]),
        ("Justification", &["justification.text", "justification.type", "justification.id"]),
        ("Access request", &["access.request_id"]),
        ("Product", &["product.name"]),
        ("Reason", &["event.reason"]),
        ("Source", &["event.module", "event.provider"]),
    ];
    let severity = Severity::from_number(event.severity());
    let mut facts = vec![
        ("Time".to_owned(), when(event.timestamp())),
        ("Severity".to_owned(), format!("{severity} ({})", event.severity())),
        (
            "Action".to_owned(),
            one_line(&format!("{} ({})", catalogue.title(event.action()), event.action()), FACT_CHARS_MAX),
        ),
        ("Outcome".to_owned(), one_line(event.outcome(), FACT_CHARS_MAX)),
    ];
    for (label, fields) in LINES {
        let values: Vec<_> = fields.iter().filter_map(|field| all(event, field)).collect();
        if !values.is_empty() {
            facts.push(((*label).to_owned(), one_line(&values.join(", "), FACT_CHARS_MAX)));
        }
    }
    facts.extend(changes(event));
    facts.push(("Rule".to_owned(), one_line(rule_name, FACT_CHARS_MAX)));
    facts
}

/// The first few of `changes[]`, as `field: old → new`.
fn changes(event: &Event<'_>) -> Vec<(String, String)> {
    const CHANGES_MAX: usize = 10;
    let Some(Value::Array(changes)) = event.get("changes") else { return Vec::new() };
    let line = |change: &Value<'_>| {
        let change = change.as_object()?;
        let part = |key| change.get(key).map_or_else(|| "—".to_owned(), plain);
        Some((
            "Change".to_owned(),
            one_line(&format!("{}: {} → {}", part("field"), part("old"), part("new")), FACT_CHARS_MAX),
        ))
    };
    changes.iter().filter_map(line).take(CHANGES_MAX).collect()
}

fn when(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn first(event: &Event<'_>, fields: &[&str]) -> Option<String> {
    fields.iter().find_map(|field| event.text(field)).filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

fn all(event: &Event<'_>, field: &str) -> Option<String> {
    let mut values = Vec::new();
    event.values(field, &mut |value| values.push(plain(value)));
    (!values.is_empty()).then(|| values.join(", "))
}

fn plain(value: &Value<'_>) -> String {
    match value {
        Value::String(text) => text.clone().into_owned(),
        Value::Null => "—".to_owned(),
        other => {
            let mut text = Vec::new();
            event::json::write_canonical(other, &mut text);
            String::from_utf8_lossy(&text).into_owned()
        }
    }
}

/// One line of at most `chars_max` characters. Control characters and line breaks become spaces, so
/// that a value can't add a header or a line of its own; characters that turn the direction of
/// writing or can't be seen are dropped, so that it can't look like another.
pub fn one_line(text: &str, chars_max: usize) -> String {
    let mut line = String::with_capacity(text.len().min(chars_max * 4));
    let mut chars = 0;
    let mut gap = false;
    for c in text.chars().filter(|c| !is_invisible(*c)) {
        if c.is_whitespace() || c.is_control() {
            gap = chars > 0;
            continue;
        }
        if chars + usize::from(gap) >= chars_max {
            line.push('…');
            return line;
        }
        if gap {
            line.push(' ');
            chars += 1;
            gap = false;
        }
        line.push(c);
        chars += 1;
    }
    line
}

const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{FEFF}' | '\u{2060}'
        | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FFF9}'..='\u{FFFB}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(fields: serde_json::Value, held_before: u64) -> Message {
        let value = Value::from(fields);
        let event = Event::of(value.as_object().unwrap().clone());
        compose(Catalogue::builtin(), "Failed logins", 1041, &event, held_before)
    }

    #[test]
    fn a_message_says_it_all() {
        let message = message(
            serde_json::json!({
                "@timestamp": "2026-11-21T14:00:00.5Z",
                "event": {"action": "authentication.failed", "severity": 50, "outcome": "failure", "module": "sshd", "reason": "wrong password"},
                "message": "Failed password for ada.m",
                "user": {"name": "ada.m"}, "host": {"name": "bastion-1"}, "source": {"ip": "10.2.3.4", "geo": {"country_iso_code": "BR"}},
                "changes": [{"field": "tries", "old": 1, "new": null}],
            }),
            2,
        );
        assert_eq!(message.subject, "Login failed, and 2 more held back: ada.m, bastion-1");
        assert_eq!(message.text, "Failed password for ada.m, and 2 more held back");
        assert_eq!(message.link, "/events?open=1041");
        assert_eq!(message.severity, Severity::Medium);
        let facts: Vec<_> = message.facts.iter().map(|(label, value)| (label.as_str(), value.as_str())).collect();
        assert_eq!(
            facts,
            [
                ("Time", "2026-11-21 14:00:00 UTC"),
                ("Severity", "medium (50)"),
                ("Action", "Login failed (authentication.failed)"),
                ("Outcome", "failure"),
                ("User", "ada.m"),
                ("Origin", "10.2.3.4, BR"),
                ("Host", "bastion-1"),
                ("Reason", "wrong password"),
                ("Source", "sshd"),
                ("Change", "tries: 1 → —"),
                ("Rule", "Failed logins"),
            ]
        );
    }

    #[test]
    fn a_message_needs_little() {
        let message = message(serde_json::json!({"event": {"action": "door.opened"}}), 0);
        assert_eq!((message.subject.as_str(), message.text.as_str()), ("Door opened", "Door opened"));
        let message = self::message(serde_json::json!({"event": {"action": "authentication.failed"}}), 0);
        assert_eq!((message.subject.as_str(), message.text.as_str()), ("Login failed", "Somebody failed to log in"));
    }

    #[test]
    fn a_value_cannot_add_a_line_or_look_like_another() {
        let name = "ada\r\nBcc: all@example.com\u{202e}moc\u{200b}\u{7}\u{2028}x";
        let message = message(
            serde_json::json!({"event": {"action": "authentication.failed"}, "user": {"name": name}, "message": name}),
            0,
        );
        assert_eq!(message.subject, "Login failed: ada Bcc: all@example.commoc x");
        for text in [&message.subject, &message.text].into_iter().chain(message.facts.iter().map(|(_, value)| value)) {
            assert!(!text.chars().any(|c| c.is_control() || is_invisible(c)), "{text:?}");
        }
    }

    #[test]
    fn lines_are_cut_between_characters() {
        assert_eq!(one_line("  a \n\t b  ", 10), "a b");
        assert_eq!(one_line("日本語", 2), "日本…");
        assert_eq!(one_line("ab", 2), "ab");
        assert_eq!(one_line("a b c", 3), "a b…");
        assert_eq!(one_line("", 3), "");
        let long = message(
            serde_json::json!({"event": {"action": "authentication.failed"}, "user": {"name": "x".repeat(1_000)}}),
            0,
        );
        assert_eq!(long.subject.chars().count(), SUBJECT_CHARS_MAX + 1);
    }
}
