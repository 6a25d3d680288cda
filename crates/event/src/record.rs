//! One admitted event.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::OnceLock;

use jiff::Timestamp;

use crate::json::{self, JsonError, Limits};
use crate::words::is_prose;
use crate::{Object, Severity, Value, native};

/// One event, read from its canonical entry.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    fields: Object<'a>,
    /// The product's own fields, once somebody asked for them.
    native: OnceLock<Option<Box<Object<'static>>>>,
}

impl PartialEq for Event<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.fields == other.fields
    }
}

impl<'a> Event<'a> {
    /// Reads an entry of the trail. It was checked when it was admitted; here it only has to be a
    /// JSON object.
    pub fn read(entry: &'a [u8]) -> Result<Self, JsonError> {
        match json::parse(entry, &Limits::entry())? {
            Value::Object(fields) => Ok(Self::of(fields)),
            other => Err(JsonError::not_an_object(&other)),
        }
    }

    /// Shows every leaf of an entry, as [`walk`](Self::walk) does, without making an event of it
    /// first: for those who look at each leaf once, of very many events.
    pub fn leaves(entry: &'a [u8], f: &mut impl FnMut(&str, &Value<'a>) -> ControlFlow<()>) -> Result<(), JsonError> {
        if entry.first() != Some(&b'{') {
            return Self::read(entry).map(|_| ());
        }
        json::walk(entry, &Limits::entry(), f)
    }

    /// The first text at a dotted name in an entry, read no further than that.
    pub fn glance(entry: &'a [u8], dotted: &str) -> Option<Cow<'a, str>> {
        let mut found = None;
        Self::leaves(entry, &mut |path, value| match value {
            Value::String(text) if path == dotted => {
                found = Some(text.clone());
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        })
        .ok()?;
        found
    }

    /// The event of these fields, which are taken as they are.
    pub const fn of(fields: Object<'a>) -> Self {
        Self { fields, native: OnceLock::new() }
    }

    /// All fields, nested.
    pub const fn fields(&self) -> &Object<'a> {
        &self.fields
    }

    /// The value at a dotted name, through objects only.
    pub fn get(&self, dotted: &str) -> Option<&Value<'a>> {
        self.fields.at(dotted)
    }

    /// The text at a dotted name; of an array its first element.
    pub fn text(&self, dotted: &str) -> Option<&str> {
        match self.get(dotted)? {
            Value::String(text) => Some(text),
            Value::Array(items) => items.first()?.as_str(),
            _ => None,
        }
    }

    /// When it happened.
    pub fn timestamp(&self) -> Timestamp {
        self.instant("@timestamp").unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// When it came in; an event that was not admitted has none.
    pub fn ingested(&self) -> Option<Timestamp> {
        self.instant("event.ingested")
    }

    /// Its severity from 0 to 100.
    pub fn severity(&self) -> u8 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        match self.get("event.severity").and_then(Value::as_number) {
            Some(number) => number.clamp(0.0, 100.0) as u8,
            None => Severity::Info.number(),
        }
    }

    /// Its type.
    pub fn action(&self) -> &str {
        self.text("event.action").unwrap_or_default()
    }

    /// `success`, `failure` or `unknown`.
    pub fn outcome(&self) -> &str {
        self.text("event.outcome").unwrap_or("unknown")
    }

    /// Every leaf with its dotted name: strings, numbers and booleans. The elements of an array
    /// have the name of the array. Nulls, empty arrays and empty objects are no leaves.
    pub fn walk(&self, f: &mut dyn FnMut(&str, &Value<'a>)) {
        let mut name = String::with_capacity(64);
        walk_object(&self.fields, &mut name, f);
    }

    /// [`walk`](Self::walk), and the product's own fields under `native.*` when `pattern` begins with that.
    pub(crate) fn walk_for(&self, pattern: &str, f: &mut dyn FnMut(&str, &Value<'a>)) {
        self.walk(f);
        if let Some(native) = self.native(pattern) {
            walk_object(native, &mut String::from("native"), f);
        }
    }

    /// Every leaf at exactly this dotted name; arrays on the way and at the end stand for each of
    /// their elements.
    pub fn values(&self, dotted: &str, f: &mut dyn FnMut(&Value<'a>)) {
        values_of_object(&self.fields, dotted, f);
        if let (Some(name), Some(native)) = (dotted.strip_prefix(native::PREFIX), self.native(dotted)) {
            native::at(native, name, &mut |value| leaves(value, f));
        }
    }

    /// The product's own fields, decoded from the record; none where there is no record, or nobody who can decode it.
    pub fn native_fields(&self) -> Option<&Object<'static>> {
        self.native(native::PREFIX)
    }

    /// The product's own fields, when the name asks for one of them.
    fn native(&self, name: &str) -> Option<&Object<'static>> {
        if !name.starts_with(native::PREFIX) {
            return None;
        }
        let decode = || native::decode(self.text("event.mapping"), self.text("event.original")?).map(Box::new);
        self.native.get_or_init(decode).as_deref()
    }

    /// Whether there is a leaf at this dotted name or below it.
    pub fn exists(&self, dotted: &str) -> bool {
        let mut found = false;
        exists_in(&self.fields, dotted, &mut found);
        if let (false, Some(name), Some(native)) = (found, dotted.strip_prefix(native::PREFIX), self.native(dotted)) {
            native::at(native, name, &mut |value| found |= has_leaf(value));
        }
        found
    }

    /// Whether `f` says yes to one of all strings; it is not asked after that. It is also told
    /// whether the string is prose. The times of the envelope are no strings here: every search for
    /// a number would find some of them.
    pub(crate) fn any_string(&self, f: &mut dyn FnMut(&str, bool) -> bool) -> bool {
        let mut either =
            |value: &Value<'_>, is_text: bool| any_string(value, &mut |text| f(text, is_text || is_prose(text)));
        self.fields.iter().any(|(name, value)| match (name, value) {
            ("@timestamp", _) => false,
            ("message", value) => either(value, true),
            ("event", Value::Object(event)) => event.iter().any(|(name, value)| match name {
                "ingested" => false,
                "reason" | "original" => either(value, true),
                _ => either(value, false),
            }),
            ("justification", Value::Object(justification)) => {
                justification.iter().any(|(name, value)| either(value, name == "text"))
            }
            _ => either(value, false),
        })
    }

    /// The moment from which the relative time `when` counts; any, when it isn't one.
    pub(crate) fn ingested_or_happened(&self, when: crate::filter::When) -> Timestamp {
        if when.is_relative() { self.ingested().unwrap_or_else(|| self.timestamp()) } else { Timestamp::UNIX_EPOCH }
    }

    /// The event for `serde_json`.
    pub fn to_json(&self) -> serde_json::Value {
        self.fields.to_json()
    }

    fn instant(&self, dotted: &str) -> Option<Timestamp> {
        self.text(dotted)?.parse().ok()
    }
}

fn values_of_object<'a>(object: &Object<'a>, dotted: &str, f: &mut dyn FnMut(&Value<'a>)) {
    match dotted.split_once('.') {
        None => object.get(dotted).into_iter().for_each(|value| leaves(value, f)),
        Some((head, rest)) => object.get(head).into_iter().for_each(|value| values_below(value, rest, f)),
    }
}

fn values_below<'a>(value: &Value<'a>, dotted: &str, f: &mut dyn FnMut(&Value<'a>)) {
    match value {
        Value::Object(object) => values_of_object(object, dotted, f),
        Value::Array(items) => items.iter().for_each(|item| values_below(item, dotted, f)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn exists_in(object: &Object<'_>, dotted: &str, found: &mut bool) {
    match dotted.split_once('.') {
        None => *found |= object.get(dotted).is_some_and(has_leaf),
        Some((head, rest)) => {
            if let Some(value) = object.get(head) {
                exists_below(value, rest, found);
            }
        }
    }
}

fn exists_below(value: &Value<'_>, dotted: &str, found: &mut bool) {
    match value {
        Value::Object(object) => exists_in(object, dotted, found),
        Value::Array(items) => items.iter().for_each(|item| exists_below(item, dotted, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn has_leaf(value: &Value<'_>) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        Value::Array(items) => items.iter().any(has_leaf),
        Value::Object(object) => object.iter().any(|(_, value)| has_leaf(value)),
    }
}

fn any_string(value: &Value<'_>, f: &mut dyn FnMut(&str) -> bool) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => f(text),
        Value::Array(items) => items.iter().any(|item| any_string(item, f)),
        Value::Object(object) => object.iter().any(|(_, value)| any_string(value, f)),
    }
}

fn leaves<'a>(value: &Value<'a>, f: &mut dyn FnMut(&Value<'a>)) {
    match value {
        Value::Null | Value::Object(_) => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) => f(value),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, f)),
    }
}

fn walk_object<'a>(object: &Object<'a>, name: &mut String, f: &mut dyn FnMut(&str, &Value<'a>)) {
    let parent = name.len();
    for (key, value) in object.iter() {
        if parent > 0 {
            name.push('.');
        }
        name.push_str(key);
        walk_value(value, name, f);
        name.truncate(parent);
    }
}

fn walk_value<'a>(value: &Value<'a>, name: &mut String, f: &mut dyn FnMut(&str, &Value<'a>)) {
    match value {
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) => f(name, value),
        Value::Array(items) => items.iter().for_each(|item| walk_value(item, name, f)),
        Value::Object(object) => walk_object(object, name, f),
    }
}
