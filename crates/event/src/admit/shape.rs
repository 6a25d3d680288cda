//! The shape of an event: keys with dots taken apart, nothing that can't be kept, not too deep.

use std::borrow::Cow;

use super::{DEPTH_MAX, FieldError, Invalid};
use crate::{Object, Value};

/// The same fields with nested names only; or all that can't be kept.
pub(super) fn shaped(fields: Object<'_>) -> Result<Object<'_>, Invalid> {
    let mut look = Look { path: String::new(), dotted: false, errors: Vec::new() };
    look.object(&fields, 1);
    if !look.errors.is_empty() {
        return Err(Invalid { errors: look.errors });
    }
    if !look.dotted {
        return Ok(fields);
    }
    let mut errors = Vec::new();
    let nested = nested(fields, "", &mut errors);
    if errors.is_empty() { Ok(nested) } else { Err(Invalid { errors }) }
}

fn has_nul(text: &str) -> bool {
    memchr::memchr(0, text.as_bytes()).is_some()
}

/// How many errors of shape are told at most; an event can have thousands of fields.
const ERRORS_MAX: usize = 20;

/// A first look at everything, which changes nothing and in nearly all cases is the only one.
struct Look {
    path: String,
    dotted: bool,
    errors: Vec<FieldError>,
}

impl Look {
    fn object(&mut self, object: &Object<'_>, depth: usize) {
        for (key, value) in object.iter() {
            let mut depth = depth;
            if key.bytes().any(|b| b == b'.' || b == 0) || key.is_empty() {
                self.dotted = true;
                depth += key.bytes().filter(|b| *b == b'.').count();
                self.key(key);
            }
            if depth > DEPTH_MAX {
                self.error_at(key, "is nested too deeply, 32 objects and arrays within each other are allowed");
                continue;
            }
            match value {
                Value::Null | Value::Bool(_) => {}
                Value::String(text) => {
                    if has_nul(text) {
                        self.error_at(key, "holds a NUL character");
                    }
                }
                Value::Number(number) => {
                    if !number.is_finite() {
                        self.error_at(key, "is a number that JSON can't hold");
                    }
                }
                Value::Array(_) | Value::Object(_) => {
                    let before = self.path.len();
                    self.enter(key);
                    self.below(value, depth + 1);
                    self.path.truncate(before);
                }
            }
        }
    }

    fn below(&mut self, value: &Value<'_>, depth: usize) {
        match value {
            Value::Object(object) => self.object(object, depth),
            Value::Array(items) => {
                if depth > DEPTH_MAX {
                    self.error_at("", "is nested too deeply, 32 objects and arrays within each other are allowed");
                    return;
                }
                for item in items {
                    match item {
                        Value::String(text) if has_nul(text) => self.error_at("", "holds a NUL character"),
                        Value::Number(number) if !number.is_finite() => {
                            self.error_at("", "is a number that JSON can't hold");
                        }
                        item => self.below(item, depth + 1),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn key(&mut self, key: &str) {
        if has_nul(key) {
            self.error_at("", "has a key with a NUL character");
        } else if key.split('.').any(str::is_empty) {
            self.error_at("", &format!("has the key {key:?}, in which a name is empty"));
        }
    }

    fn enter(&mut self, key: &str) {
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(key);
    }

    fn error_at(&mut self, key: &str, reason: &str) {
        if self.errors.len() >= ERRORS_MAX {
            return;
        }
        let before = self.path.len();
        if !key.is_empty() {
            self.enter(key);
        }
        let (field, reason) = match self.path.is_empty() {
            true => (String::new(), format!("the event {reason}")),
            false => (self.path.clone(), reason.to_owned()),
        };
        self.errors.push(FieldError { field, reason });
        self.path.truncate(before);
    }
}

/// Takes apart the keys with dots, at every level.
fn nested<'a>(object: Object<'a>, path: &str, errors: &mut Vec<FieldError>) -> Object<'a> {
    let mut out = Object::new();
    for (key, value) in object {
        let value = nested_value(value, &below(path, &key), errors);
        place(&mut out, key, value, path, errors);
    }
    out
}

fn nested_value<'a>(value: Value<'a>, path: &str, errors: &mut Vec<FieldError>) -> Value<'a> {
    match value {
        Value::Object(object) => Value::Object(nested(object, path, errors)),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| nested_value(item, path, errors)).collect()),
        value => value,
    }
}

/// Puts a value where its dotted key says. Objects that meet become one; anything else that meets
/// is a clash.
fn place<'a>(object: &mut Object<'a>, key: Cow<'a, str>, value: Value<'a>, path: &str, errors: &mut Vec<FieldError>) {
    let (head, rest) = match key {
        Cow::Borrowed(key) => match key.split_once('.') {
            Some((head, rest)) => (Cow::Borrowed(head), Some(Cow::Borrowed(rest))),
            None => (Cow::Borrowed(key), None),
        },
        Cow::Owned(key) => match key.split_once('.') {
            Some((head, rest)) => (Cow::Owned(head.to_owned()), Some(Cow::Owned(rest.to_owned()))),
            None => (Cow::Owned(key), None),
        },
    };
    let path = below(path, &head);
    match (object.get_mut(&head), rest, value) {
        (None, None, value) => {
            object.insert(head, value);
        }
        (None, Some(rest), value) => {
            let mut inner = Object::new();
            place(&mut inner, rest, value, &path, errors);
            object.insert(head, inner);
        }
        (Some(Value::Object(inner)), Some(rest), value) => place(inner, rest, value, &path, errors),
        (Some(Value::Object(inner)), None, Value::Object(more)) => {
            for (key, value) in more {
                place(inner, key, value, &path, errors);
            }
        }
        (Some(_), ..) => {
            errors.push(FieldError { field: path, reason: "is given twice, nested and with a dotted key".to_owned() });
        }
    }
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
