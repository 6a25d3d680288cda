//! The door into the trail: checks an event, fills in what can be known, writes the canonical entry.
//!
//! - Keys with dots in them become nested objects: `"user.name": "x"` is `"user": {"name": "x"}`.
//! - `@timestamp` is the time of coming in when it is missing; it must carry a zone, is written in
//!   UTC, and lies between 1990 and 24 hours from now.
//! - `event.action` is required: lower-case letters, digits, `.`, `_`, `-`; up to 128 of them.
//! - `event.severity` is a whole number from 0 to 100, or a word that becomes one; when it is missing
//!   it is that of the catalogue, else info.
//! - `event.outcome` is success, failure or unknown; unknown when it is missing.
//! - `event.category` and `message` come from the catalogue when they are missing,
//!   `event.module` and `event.provider` from the [`Defaults`].
//! - `event.ingested` and `event.mapping` are always ours.
//! - Fields of the [set](crate::fields) hold what their kind says, or an array of it; a null there is
//!   no value. Times are written in UTC and addresses in their shortest form.
//! - Everything else is kept as it is.

mod check;
mod shape;

use std::borrow::Cow;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::{Catalogue, Object, Severity, Value, json};

/// The longest entry of the trail, in bytes.
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// The longest `event.action`, in bytes.
pub const ACTION_BYTES_MAX: usize = 128;
/// How far ahead of us the clock of a sender may be.
pub const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(24);
/// 1990-01-01T00:00:00Z. An event from before it comes from a clock that was never set.
pub const EARLIEST: Timestamp = Timestamp::constant(631_152_000, 0);
/// Objects and arrays within each other, after keys with dots were taken apart.
pub const DEPTH_MAX: usize = 32;

/// What is filled in where the sender said nothing.
#[derive(Debug, Clone, Copy)]
pub struct Defaults<'a> {
    /// The time at which the event came in.
    pub now: Timestamp,
    /// The source it came through: `event.module`.
    pub source: Option<&'a str>,
    /// The application that sent it: `event.provider`.
    pub provider: Option<&'a str>,
    pub catalogue: &'a Catalogue,
    /// The mapping that read it, as `name@version`: `event.mapping`.
    pub mapping: Option<&'a str>,
}

/// All that is wrong with an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Invalid {
    pub errors: Vec<FieldError>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FieldError {
    /// The dotted name; empty when it is the event as a whole.
    pub field: String,
    /// What is wrong with it, without its name: "must be a string, is a number".
    pub reason: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() { f.write_str(&self.reason) } else { write!(f, "{} {}", self.field, self.reason) }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, error) in self.errors.iter().enumerate() {
            if nth > 0 {
                f.write_str("; ")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl Invalid {
    fn one(field: &str, reason: impl Into<String>) -> Self {
        Self { errors: vec![FieldError { field: field.to_owned(), reason: reason.into() }] }
    }
}

/// Admits an event: returns its canonical entry, or everything that is wrong with it.
pub fn admit(value: Value<'_>, defaults: &Defaults<'_>) -> Result<Vec<u8>, Invalid> {
    let Value::Object(fields) = value else {
        return Err(Invalid::one("", format!("the event must be an object, is {}", value.kind())));
    };
    let mut fields = shape::shaped(fields)?;
    let mut errors = Vec::new();
    check::fields(&mut fields, &mut errors);
    check::times(&fields, defaults.now, &mut errors);
    check::event(&fields, &mut errors);
    if !errors.is_empty() {
        return Err(Invalid { errors });
    }
    let ingested = defaults.now.to_string();
    fill(&mut fields, defaults, &ingested);
    let mut entry = Vec::with_capacity(1024);
    json::write_canonical(&Value::Object(fields), &mut entry);
    match entry.len() {
        ..=ENTRY_BYTES_MAX => Ok(entry),
        bytes => Err(Invalid::one("", format!("the event is {bytes} bytes long, at most {ENTRY_BYTES_MAX} are kept"))),
    }
}

/// Whether a text can be an `event.action`.
pub fn is_action(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    !text.is_empty() && text.len() <= ACTION_BYTES_MAX && text.bytes().all(fits)
}

/// Fills in what can be known of an event that is right.
fn fill<'a>(fields: &mut Object<'a>, defaults: &Defaults<'a>, ingested: &str) {
    let action = fields.at("event.action").and_then(Value::as_str).unwrap_or_default().to_owned();
    let known = defaults.catalogue.get(&action);
    let ingested = || Value::String(Cow::Owned(ingested.to_owned()));
    if let Some(Value::Object(event)) = fields.get_mut("event") {
        let mut absent = |key: &'static str, value: Option<Value<'a>>| {
            if let (None, Some(value)) = (event.get(key), value) {
                event.insert(key, value);
            }
        };
        let severity = known.map_or(Severity::Info, |known| known.severity);
        absent("severity", Some(f64::from(severity.number()).into()));
        absent("outcome", Some("unknown".into()));
        absent("category", known.map(|known| known.category.as_str().into()));
        absent("module", defaults.source.map(Value::from));
        absent("provider", defaults.provider.map(Value::from));
        event.remove("mapping");
        if let Some(mapping) = defaults.mapping {
            event.insert("mapping", mapping);
        }
        event.insert("ingested", ingested());
    }
    if fields.get("@timestamp").is_none() {
        fields.insert("@timestamp", ingested());
    }
    if fields.get("message").is_none()
        && let Some(message) = defaults.catalogue.sentence(&action, fields)
    {
        fields.insert("message", message);
    }
}

#[cfg(test)]
mod tests;
