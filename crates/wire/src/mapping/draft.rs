//! From what a program leaves behind to the events that go to admission.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use event::Object;
use jiff::Timestamp;
use vrl::value::{ObjectMap, Value};

/// The largest whole number of which a double holds every one below.
const EXACT_MAX: i64 = 1 << 53;

/// The events of one record: the root alone, or the root under each of `several`.
pub(super) fn events<'r>(
    root: ObjectMap,
    several: Option<Value>,
    time: Option<Timestamp>,
    record: &'r [u8],
) -> Vec<event::Value<'r>> {
    let roots = match several {
        Some(Value::Array(each)) => each
            .into_iter()
            .filter_map(Value::into_object)
            .map(|own| {
                let mut merged = root.clone();
                merge(&mut merged, own);
                merged
            })
            .collect(),
        _ => vec![root],
    };
    roots.into_iter().map(|root| draft(root, time, record)).collect()
}

fn merge(into: &mut ObjectMap, from: ObjectMap) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(inner)), Value::Object(more)) => merge(inner, more),
            (Some(slot), value) => *slot = value,
            (None, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn draft<'r>(root: ObjectMap, time: Option<Timestamp>, record: &'r [u8]) -> event::Value<'r> {
    let mut object: Object<'r> = object(root);
    if object.get("@timestamp").is_none()
        && let Some(time) = time
    {
        object.insert("@timestamp", text(time.to_string()));
    }
    let mut own = match object.remove("event") {
        Some(event::Value::Object(own)) => own,
        _ => Object::new(),
    };
    let (original, exact) = original(record);
    own.insert("original", event::Value::String(original));
    if let Some(exact) = exact {
        own.insert("original_base64", text(exact));
    }
    object.insert("event", event::Value::Object(own));
    event::Value::Object(object)
}

/// The record as text, and its exact bytes in base64 where text can't hold them: what is not UTF-8, and NUL.
fn original(record: &[u8]) -> (Cow<'_, str>, Option<String>) {
    match std::str::from_utf8(record) {
        Ok(text) if !text.contains('\0') => (Cow::Borrowed(text), None),
        _ => (Cow::Owned(without_nul(&String::from_utf8_lossy(record)).into_owned()), Some(STANDARD.encode(record))),
    }
}

/// An event holds no NUL; the sign for it stands in its place.
fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{2400}")) } else { Cow::Borrowed(text) }
}

fn text(text: String) -> event::Value<'static> {
    event::Value::String(Cow::Owned(text))
}

fn object<'r>(map: ObjectMap) -> Object<'r> {
    let mut object = Object::new();
    for (key, member) in map {
        if let Some(value) = value(member) {
            let key: String = key.into();
            object.insert(if key.contains('\0') { without_nul(&key).into_owned() } else { key }, value);
        }
    }
    object
}

/// The same value for an event; `None` for what is null or empty. Whole numbers that a double can't hold become text, so
/// that no digit is lost.
pub(super) fn value(value_: Value) -> Option<event::Value<'static>> {
    Some(match value_ {
        Value::Null => return None,
        Value::Boolean(bool) => event::Value::Bool(bool),
        Value::Integer(number) if number.abs_diff(0) <= EXACT_MAX as u64 => event::Value::Number(number as f64),
        Value::Integer(number) => text(number.to_string()),
        Value::Float(number) => event::Value::Number(number.into_inner()),
        Value::Bytes(_) | Value::String(_) | Value::Regex(_) => {
            let string = value_.to_string_lossy();
            if string.is_empty() {
                return None;
            }
            text(without_nul(&string).into_owned())
        }
        Value::Timestamp(_) => text(value_.to_string_lossy().into_owned()),
        Value::Array(items) => {
            let items: Vec<_> = items.into_iter().filter_map(value).collect();
            if items.is_empty() {
                return None;
            }
            event::Value::Array(items)
        }
        Value::Object(map) => {
            let object = object(map);
            if object.is_empty() {
                return None;
            }
            event::Value::Object(object)
        }
    })
}
