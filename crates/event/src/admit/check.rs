//! What the fields of an event may hold.

use core::net::IpAddr;
use std::borrow::Cow;
use std::sync::LazyLock;

use jiff::Timestamp;

use super::{ACTION_BYTES_MAX, AHEAD_MAX, EARLIEST, FieldError, is_action};
use crate::fields::{FIELDS, Kind};
use crate::{Object, Severity, Value};

/// The names of the set as a tree, so that an event is walked once, next to it.
#[derive(Debug, Default)]
struct Known {
    kind: Option<Kind>,
    below: Vec<(&'static str, Known)>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let mut root = Known::default();
    for field in FIELDS {
        root.add(field.name, field.kind);
    }
    // Kept word for word, and too long to be a field of its own.
    root.add("event.original", Kind::Text);
    root.sort();
    root
});

impl Known {
    fn add(&mut self, dotted: &'static str, kind: Kind) {
        let (head, rest) = match dotted.split_once('.') {
            Some((head, rest)) => (head, Some(rest)),
            None => (dotted, None),
        };
        let at = self.below.iter().position(|(name, _)| *name == head).unwrap_or_else(|| {
            self.below.push((head, Self::default()));
            self.below.len() - 1
        });
        if let Some((_, inner)) = self.below.get_mut(at) {
            match rest {
                Some(rest) => inner.add(rest, kind),
                None => inner.kind = Some(kind),
            }
        }
    }

    fn sort(&mut self) {
        self.below.sort_unstable_by_key(|(name, _)| *name);
        self.below.iter_mut().for_each(|(_, inner)| inner.sort());
    }

    fn get(&self, name: &str) -> Option<&Self> {
        let at = self.below.binary_search_by_key(&name, |(name, _)| *name).ok()?;
        self.below.get(at).map(|(_, inner)| inner)
    }
}

/// Checks every field of the set, and brings times, addresses and severities into their form.
pub(super) fn fields(object: &mut Object<'_>, errors: &mut Vec<FieldError>) {
    group(object, &KNOWN, &Path { above: None, key: "" }, errors);
    if let Some(labels) = object.get("labels")
        && labels.as_object().is_none()
    {
        errors.push(error("labels", format!("must be an object of names and values, is {}", labels.kind())));
    }
    if let Some(changes) = object.get("changes") {
        self::changes(changes, errors);
    }
}

/// Where a group of fields stands. Written out only when there is something to tell.
struct Path<'p> {
    above: Option<&'p Path<'p>>,
    key: &'p str,
}

impl Path<'_> {
    fn name(&self) -> String {
        match self.above {
            None => String::new(),
            Some(above) => below(&above.name(), self.key),
        }
    }
}

fn group(object: &mut Object<'_>, known: &Known, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let mut nulls = false;
    for (key, value) in object.iter_mut() {
        let Some(known) = known.get(key) else { continue };
        let path = Path { above: Some(path), key };
        match (value, known.kind) {
            (Value::Null, _) => nulls = true,
            (value, Some(kind)) => {
                if let Err(reason) = leaves(value, kind, key) {
                    errors.push(error(&path.name(), reason));
                }
            }
            (Value::Object(inner), None) => group(inner, known, &path, errors),
            (value, None) => {
                let path = path.name();
                let example = known.below.first().map_or("", |(name, _)| name);
                let reason = format!("must be an object with fields such as {path}.{example}, is {}", value.kind());
                errors.push(error(&path, reason));
            }
        }
    }
    if nulls {
        let no_value = |(key, value): (&str, &Value<'_>)| {
            (*value == Value::Null && known.get(key).is_some()).then(|| key.to_owned())
        };
        let empty: Vec<_> = object.iter().filter_map(no_value).collect();
        for key in empty {
            object.remove(&key);
        }
    }
}

/// Checks one value, or all of an array.
fn leaves(value: &mut Value<'_>, kind: Kind, key: &str) -> Result<(), String> {
    match value {
        // Those of which there can be one only.
        Value::Array(_) if matches!(key, "@timestamp" | "action" | "outcome" | "severity" | "message" | "original") => {
            Err("must be a single value, is an array".to_owned())
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| leaf(item, kind, key)),
        value => leaf(value, kind, key),
    }
}

fn leaf(value: &mut Value<'_>, kind: Kind, key: &str) -> Result<(), String> {
    match (kind, value) {
        (Kind::Keyword | Kind::Text, Value::String(_)) => Ok(()),
        (Kind::Boolean, Value::Bool(_)) => Ok(()),
        (Kind::Ip, Value::String(text)) => address(text),
        (Kind::Date, Value::String(text)) => time(text),
        (Kind::Number, value) if key == "severity" => severity(value),
        (Kind::Number, Value::Number(_)) => Ok(()),
        (kind, value) => Err(format!("must be {}, is {}", expected(kind), value.kind())),
    }
}

const fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Keyword | Kind::Text => "a string",
        Kind::Ip => "an IP address in a string",
        Kind::Number => "a number",
        Kind::Date => "a time in a string",
        Kind::Boolean => "true or false",
    }
}

fn address(text: &mut Cow<'_, str>) -> Result<(), String> {
    let address: IpAddr = text.parse().map_err(|_| format!("must be an IP address, is {}", shown(text)))?;
    // An IPv4 address with a plain form has no other.
    if address.is_ipv6() {
        *text = Cow::Owned(address.to_canonical().to_string());
    }
    Ok(())
}

fn severity(value: &mut Value<'_>) -> Result<(), String> {
    let reason = || "must be a whole number from 0 to 100, or info, low, medium, high or critical".to_owned();
    match value {
        Value::Number(number) if number.fract() == 0.0 && (0.0..=100.0).contains(number) => {
            // No minus before a zero.
            *number = number.abs();
            Ok(())
        }
        Value::String(name) => {
            let severity = Severity::from_name(name).ok_or_else(|| format!("{}, is {}", reason(), shown(name)))?;
            *value = f64::from(severity.number()).into();
            Ok(())
        }
        Value::Number(number) => Err(format!("{}, is {number}", reason())),
        other => Err(format!("{}, is {}", reason(), other.kind())),
    }
}

/// Brings a time into UTC, without a trailing zero in its fraction.
fn time(text: &mut Cow<'_, str>) -> Result<(), String> {
    let instant: Timestamp = text.parse().map_err(|_| why_no_time(text))?;
    if !is_canonical_time(text) {
        *text = Cow::Owned(instant.to_string());
    }
    Ok(())
}

/// Whether a text that is a time is written as `2026-11-21T14:00:00Z` or with a fraction.
fn is_canonical_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let signs = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    let plain = signs.iter().all(|(at, sign)| bytes.get(*at) == Some(sign)) && bytes.get(17) != Some(&b'6');
    let end = match bytes.get(19..) {
        Some([b'Z']) => true,
        Some([b'.', digits @ .., last, b'Z']) => {
            digits.len() < 9 && digits.iter().all(u8::is_ascii_digit) && (b'1'..=b'9').contains(last)
        }
        _ => false,
    };
    plain && end
}

fn why_no_time(text: &str) -> String {
    let no_zone = text.parse::<jiff::civil::DateTime>().is_ok();
    let fraction = text.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
    if fraction > 9 {
        return format!("is finer than a nanosecond: {}", shown(text));
    }
    if no_zone {
        return format!("has no zone, add Z or an offset such as +02:00: {}", shown(text));
    }
    format!("must be a time such as 2026-11-21T14:00:00Z, is {}", shown(text))
}

/// Checks when the event happened.
pub(super) fn times(fields: &Object<'_>, now: Timestamp, errors: &mut Vec<FieldError>) {
    let Some(text) = fields.get("@timestamp").and_then(Value::as_str) else { return };
    let Ok(instant) = text.parse::<Timestamp>() else { return };
    let reason = if instant < EARLIEST {
        if instant.as_second() < 366 * 24 * 3600 && instant >= Timestamp::UNIX_EPOCH {
            format!("is {text}: the clock of the sender is not set")
        } else {
            format!("is before 1990: {text}")
        }
    } else if instant.duration_since(now) > AHEAD_MAX {
        format!("is more than 24 hours in the future: {text}, and now is {now}")
    } else {
        return;
    };
    errors.push(error("@timestamp", reason));
}

/// Checks what every event must say of itself.
pub(super) fn event(fields: &Object<'_>, errors: &mut Vec<FieldError>) {
    let event = match fields.get("event") {
        None | Some(Value::Null) => None,
        Some(Value::Object(event)) => Some(event),
        // Told already.
        Some(_) => return,
    };
    match event.and_then(|event| event.get("action")) {
        None => errors.push(error("event.action", "is missing: every event needs a type")),
        Some(Value::String(action)) if !is_action(action) => {
            let reason = match action.len() {
                0 => "is empty".to_owned(),
                bytes if bytes > ACTION_BYTES_MAX => {
                    format!("is {bytes} bytes long, at most {ACTION_BYTES_MAX} are allowed")
                }
                _ => format!("may hold lower-case letters, digits, dots, _ and - only, is {}", shown(action)),
            };
            errors.push(error("event.action", reason));
        }
        Some(_) => {}
    }
    if let Some(Value::String(outcome)) = event.and_then(|event| event.get("outcome"))
        && !matches!(outcome.as_ref(), "success" | "failure" | "unknown")
    {
        errors.push(error("event.outcome", format!("must be success, failure or unknown, is {}", shown(outcome))));
    }
}

fn changes(changes: &Value<'_>, errors: &mut Vec<FieldError>) {
    let Value::Array(items) = changes else {
        if *changes != Value::Null {
            errors.push(error(
                "changes",
                format!("must be an array of objects with field, old and new, is {}", changes.kind()),
            ));
        }
        return;
    };
    for (nth, item) in items.iter().enumerate() {
        let reason = match item {
            Value::Object(change) => match change.get("field") {
                None | Some(Value::String(_)) => continue,
                Some(field) => format!("must name its field in a string, is {}", field.kind()),
            },
            item => format!("must be an object with field, old and new, is {}", item.kind()),
        };
        errors.push(error(&format!("changes[{nth}]"), reason));
        return;
    }
}

/// A value as it is shown in a reason: in quotes, and not too much of it.
fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    match text.char_indices().nth(CHARS_MAX) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
    }
}

fn error(field: &str, reason: impl Into<String>) -> FieldError {
    FieldError { field: field.to_owned(), reason: reason.into() }
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
