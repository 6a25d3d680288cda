//! A mapping to start from, made of one record: how it can be taken apart, an assignment for each field that is
//! recognized, and a line to be switched on for each that is not.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value;
use wire::mapping::{Mapping, Meta, version_of};

/// Fields of a record that are looked at.
const LEAVES_MAX: usize = 150;
const DEPTH_MAX: usize = 8;
/// Characters of a value that are shown beside its line.
const SHOWN_MAX: usize = 60;
/// In this order; the first that fits is proposed.
const DECODERS: &[&str] = &["json", "cef", "leef", "xml", "kv", "text"];

/// Fields that the generic mapping finds by their usual names, in the order in which they are written down.
const FIELDS: &[&str] = &[
    "user.name",
    "user.id",
    "user.full_name",
    "user.email",
    "user.target.name",
    "source.ip",
    "source.port",
    "source.geo.country_iso_code",
    "source.geo.city_name",
    "user_agent.original",
    "host.name",
    "session.id",
    "operation.id",
    "event.id",
    "entity.type",
    "entity.id",
    "entity.name",
    "process.command_line",
    "event.reason",
    "message",
];
const TIMES: &[&str] = &[
    "@timestamp",
    "timestamp",
    "eventtime",
    "time",
    "datetime",
    "date",
    "ts",
    "rt",
    "createdat",
    "created",
    "occurredat",
    "published",
    "at",
    "when",
];
const ACTIONS: &[&str] = &[
    "action",
    "eventaction",
    "eventname",
    "eventtype",
    "event",
    "operation",
    "activity",
    "type",
    "name",
    "what",
    "verb",
    "deviceeventclassid",
    "eventid",
    "method",
];
const OUTCOMES: &[&str] = &["outcome", "result", "status", "success", "succeeded", "ok", "res", "decision", "allowed"];

/// A proposal.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub decoder: &'static str,
    pub native: Value,
    pub program: String,
}

struct Leaf {
    /// `.native.a."b-c"[0]`
    path: String,
    /// Its last name, in small letters and digits.
    name: String,
    text: String,
    used: bool,
}

/// Drafts a mapping called `name` for `record`; `generic` is what the generic mapping makes of it.
pub fn draft(name: &str, record: &[u8], generic: Option<&Value>, now: Timestamp) -> Draft {
    let meta = Meta::at(now);
    let taken = DECODERS.iter().find_map(|decoder| {
        let program = format!("# decoder: {decoder}\n.event.action = \"a.b\"\n");
        let mapping = Mapping::compile("draft", &version_of(&program), &program).ok()?;
        Some((*decoder, mapping.native(record, &meta).ok()?.to_json()))
    });
    let (decoder, native) = taken.unwrap_or(("text", Value::Null));
    let mut leaves = Vec::new();
    walk(&native, ".native", "", 0, &mut leaves);
    let program = write(name, decoder, record, &mut leaves, generic, now);
    Draft { decoder, native, program }
}

fn write(
    name: &str,
    decoder: &str,
    record: &[u8],
    leaves: &mut [Leaf],
    generic: Option<&Value>,
    now: Timestamp,
) -> String {
    let product = prefix(name);
    let header = record.starts_with(b"<").then(|| wire::syslog::parse(record, now));
    let mut text =
        format!("# decoder: {decoder}\n# title: {}\n", plain(if name.is_empty() { "A new product" } else { name }));
    if let Some(app) = header.as_ref().and_then(|header| header.app.as_deref()) {
        let _ = writeln!(text, "# apps: {}", plain(app));
    }
    text.push('\n');
    let free = decoder == "text";
    if free {
        sentence(&mut text, &product, leaves, generic);
    } else {
        assignments(&mut text, &product, leaves, generic);
    }
    if let Some(host) = header.as_ref().and_then(|header| header.host.as_deref())
        && !text.contains("\n.host.name =")
    {
        let _ = writeln!(text, ".host.name = text(.syslog.host)   # {}", plain(host));
    }
    let rest: Vec<&Leaf> = leaves.iter().filter(|leaf| !leaf.used && !free).collect();
    if !rest.is_empty() {
        text.push_str(
            "\n# What else the record says. It can be searched as native.… in any case; take the # away for what\n",
        );
        text.push_str("# deserves a name of its own, and give it the field that fits.\n");
        for leaf in rest {
            let label = if leaf.name.is_empty() { "value" } else { &leaf.name };
            let _ = writeln!(text, "# .labels.{label} = text({})   # {}", leaf.path, plain(&leaf.text));
        }
    }
    text
}

/// Assignments for a record that has fields.
fn assignments(text: &mut String, product: &str, leaves: &mut [Leaf], generic: Option<&Value>) {
    let mut named = |names: &[&str], fits: &dyn Fn(&str) -> bool| {
        let nth = names
            .iter()
            .find_map(|name| leaves.iter().position(|leaf| leaf.name == *name && !leaf.used && fits(&leaf.text)))?;
        let leaf = leaves.get_mut(nth)?;
        leaf.used = true;
        Some((leaf.path.clone(), plain(&leaf.text)))
    };
    let time = named(TIMES, &|value| value.chars().any(|c| c.is_ascii_digit()));
    let action = named(ACTIONS, &|value| value.len() <= 80);
    let outcome = named(OUTCOMES, &|value| value.len() <= 40);
    if let Some((path, value)) = time {
        let _ = writeln!(text, ".@timestamp = time({path})   # {value}");
    }
    match action {
        Some((path, value)) => {
            let _ = writeln!(text, ".event.action = \"{product}.\" + (slug({path}) || \"unknown\")   # {value}");
        }
        None => {
            let _ = writeln!(text, ".event.action = \"{product}.event\"   # what happened, in a word or two");
        }
    }
    if let Some((path, value)) = outcome {
        let _ = writeln!(text, ".event.outcome = outcome({path})   # {value}");
    }
    for field in FIELDS {
        let Some(value) = generic.and_then(|event| at(event, field)) else { continue };
        let fits = |leaf: &&mut Leaf| match *field {
            "source.ip" => leaf.text.contains(&value),
            "source.port" => leaf.text == value || leaf.text.ends_with(&format!(":{value}")),
            // The same value may be the name and the address of a person.
            "user.email" => leaf.text == value,
            _ => leaf.text.eq_ignore_ascii_case(&value) && !leaf.used,
        };
        let Some(leaf) = leaves.iter_mut().find(fits) else { continue };
        leaf.used = true;
        let function = match *field {
            "source.ip" => "ip",
            "source.port" => "port",
            _ => "text",
        };
        let _ = writeln!(text, ".{field} = {function}({})   # {}", leaf.path, plain(&leaf.text));
    }
    by_shape(text, leaves);
}

/// What has an unusual name may still look like what it is: an address of the network, an address of a person.
fn by_shape(text: &mut String, leaves: &mut [Leaf]) {
    type Fits = fn(&str) -> bool;
    let shaped: [(&str, &str, Fits); 2] =
        [("source.ip", "ip", is_network_address), ("user.name", "text", is_mail_address)];
    for (field, function, fits) in shaped {
        if text.contains(&format!("\n.{field} =")) {
            continue;
        }
        let Some(leaf) = leaves.iter_mut().find(|leaf| !leaf.used && fits(&leaf.text)) else { continue };
        leaf.used = true;
        let _ = writeln!(text, ".{field} = {function}({})   # {}", leaf.path, plain(&leaf.text));
        let port = leaf.text.parse::<std::net::SocketAddr>().is_ok();
        if field == "source.ip" && port {
            let _ = writeln!(text, ".source.port = port({})   # {}", leaf.path, plain(&leaf.text));
        }
    }
}

fn is_network_address(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok() || text.parse::<std::net::SocketAddr>().is_ok()
}

fn is_mail_address(text: &str) -> bool {
    let Some((person, host)) = text.split_once('@') else { return false };
    !person.is_empty() && host.contains('.') && !text.contains(char::is_whitespace)
}

/// Assignments for a line of text: a pattern in which what was recognized has a name.
fn sentence(text: &mut String, product: &str, leaves: &[Leaf], generic: Option<&Value>) {
    let line = leaves.first().map_or("", |leaf| leaf.text.as_str());
    let mut pattern = String::new();
    let mut found = Vec::new();
    let mut rest = line;
    let known: Vec<(&str, &str, String)> =
        [("user.name", "user"), ("source.ip", "ip"), ("source.port", "port"), ("host.name", "host")]
            .into_iter()
            .filter_map(|(field, group)| Some((field, group, generic.and_then(|event| at(event, field))?)))
            .collect();
    while !rest.is_empty() {
        let here = known
            .iter()
            .find(|(field, _, value)| !found.contains(field) && !value.is_empty() && rest.starts_with(value.as_str()));
        if let Some((field, group, value)) = here {
            let _ = write!(pattern, "(?P<{group}>{})", if *group == "port" { "[0-9]+" } else { r"\S+" });
            found.push(*field);
            rest = rest.get(value.len()..).unwrap_or_default();
            continue;
        }
        let mut chars = rest.chars();
        let Some(c) = chars.next() else { break };
        if c.is_ascii_digit() {
            pattern.push_str("[0-9]+");
            rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            continue;
        }
        if r"\.+*?()|[]{}^$#&-~'/".contains(c) {
            // An apostrophe would end the pattern; any character does in its place.
            if c == '\'' {
                pattern.push('.')
            } else {
                let _ = write!(pattern, "\\{c}");
            }
        } else if !c.is_control() {
            pattern.push(c);
        } else {
            pattern.push_str(r"\s");
        }
        rest = chars.as_str();
    }
    let _ = writeln!(text, "line = text(.native.message) || \"\"");
    let _ = writeln!(
        text,
        "# A line like the one that this was made from. Shorten it to what all lines of its kind have in common."
    );
    let _ = writeln!(text, "found = capture(line, r'^{pattern}')");
    text.push('\n');
    let _ = writeln!(text, ".event.action = \"{product}.event\"   # what happened, in a word or two");
    let _ = writeln!(text, ".message = line");
    for (field, group, value) in &known {
        if !found.contains(field) {
            continue;
        }
        let function = match *group {
            "ip" => "ip",
            "port" => "port",
            _ => "text",
        };
        let _ = writeln!(text, ".{field} = {function}(found.{group})   # {}", plain(value));
    }
}

fn walk(value: &Value, path: &str, name: &str, depth: usize, leaves: &mut Vec<Leaf>) {
    if leaves.len() >= LEAVES_MAX || depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                walk(value, &format!("{path}.{}", segment(key)), key, depth + 1, leaves);
            }
        }
        // Of a list the first: the others look alike.
        Value::Array(items) => {
            if let Some(first) = items.first() {
                walk(first, &format!("{path}[0]"), name, depth + 1, leaves);
            }
        }
        Value::Null => {}
        scalar => {
            let text = scalar.as_str().map_or_else(|| scalar.to_string(), str::to_owned);
            if !text.is_empty() {
                let name = name.chars().filter(|c| c.is_ascii_alphanumeric()).collect::<String>().to_ascii_lowercase();
                leaves.push(Leaf { path: path.to_owned(), name, text, used: false });
            }
        }
    }
}

/// A name in a path: as it is, or in quotes.
fn segment(key: &str) -> String {
    let plain = key.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain {
        return key.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in key.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // A line end would end the comment that the name may stand in.
            c if c.is_control() => quoted.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A value as it can stand in a comment.
fn plain(text: &str) -> String {
    let mut shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_MAX).collect();
    if text.chars().count() > SHOWN_MAX {
        shown.push('…');
    }
    shown
}

/// What actions begin with.
fn prefix(name: &str) -> String {
    let slug: String = name
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect::<String>()
        .trim_matches('_')
        .chars()
        .take(32)
        .collect();
    if slug.is_empty() { "product".to_owned() } else { slug }
}

fn at(event: &Value, dotted: &str) -> Option<String> {
    let value = dotted.split('.').try_fold(event, |value, key| value.get(key))?;
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use wire::mapping::Outcome;

    use super::*;

    fn made(name: &str, record: &str) -> (Draft, Value) {
        let now = "2026-11-22T08:00:00Z".parse().unwrap();
        let event = |mapping: &Mapping| match mapping.run(record.as_bytes(), &Meta::at(now)) {
            Outcome::Events(events) => events[0].to_json(),
            other => panic!("{other:?}"),
        };
        let generic = event(wire::mapping::find("generic").unwrap());
        let draft = draft(name, record.as_bytes(), Some(&generic), now);
        let mapping = Mapping::compile("draft", "1", &draft.program)
            .unwrap_or_else(|errors| panic!("{errors:?}\n{}", draft.program));
        let event = event(&mapping);
        (draft, event)
    }

    #[test]
    fn a_record_with_fields_is_mapped_field_by_field() {
        let record = r#"{"ts":1778572820,"actor":{"mail":"ana@example.com","username":"ana"},"client_ip":"10.20.0.15:51000","what":"doc-share","ok":true,"odd name":"x","doc":{"pages":[3,4]}}"#;
        let (draft, event) = made("Doc Store", record);
        assert_eq!(draft.decoder, "json");
        assert_eq!(event["event"]["action"], "doc_store.doc-share", "{}", draft.program);
        assert_eq!(event["user"]["name"], "ana", "{}", draft.program);
        assert_eq!(event["source"]["ip"], "10.20.0.15", "{}", draft.program);
        assert_eq!(event["event"]["outcome"], "success", "{}", draft.program);
        assert!(event["@timestamp"].as_str().unwrap().starts_with("2026-05-12"), "{}", draft.program);
        assert!(draft.program.contains("# .labels.oddname = text(.native.\"odd name\")   # x"), "{}", draft.program);
        assert!(draft.program.contains(".native.doc.pages[0]"), "{}", draft.program);
    }

    #[test]
    fn unusual_names_are_found_by_the_shape_of_their_values() {
        let (draft, event) = made("door", r#"{"whom":{"m":"ana@example.com"},"from":"10.20.0.15:51000","ok":true}"#);
        assert_eq!(event["user"]["name"], "ana@example.com", "{}", draft.program);
        assert_eq!((&event["source"]["ip"], &event["source"]["port"]), (&"10.20.0.15".into(), &51_000.into()));
    }

    #[test]
    fn every_form_gives_a_program_that_compiles_and_runs() {
        for (record, decoder) in [
            ("CEF:0|Acme|Door|1|7|passed|3|suser=ana src=10.0.0.1 outcome=success", "cef"),
            ("<38>Jun 30 11:00:00 web1 gate[1]: user=ana action=open ip=10.0.0.7", "kv"),
            ("door 12 opened for user 'ana' from 10.0.0.1 (it's #1 [x])", "text"),
            (r#"{"a":{"b\"c":"x\\y"},"d\ne":"line one\nline two","empty":"","n":null}"#, "json"),
            ("{}", "json"),
            ("?", "text"),
        ] {
            let (draft, event) = made("", record);
            assert_eq!(draft.decoder, decoder, "{record}");
            assert!(event["event"]["action"].as_str().unwrap().starts_with("product."), "{}", draft.program);
        }
        let (draft, event) = made("gate", "door 12 opened for user ana from 10.0.0.1 port 22");
        assert_eq!(event["source"]["ip"], "10.0.0.1", "{}", draft.program);
    }
}
