//! A JSON value whose strings may be borrowed from the text it was read from.

use std::borrow::Cow;
use std::cmp::Ordering;

/// One JSON value. Numbers are doubles, as RFC 8785 has it; what a double can't hold exactly is
/// refused when it is read.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value<'a> {
    #[default]
    Null,
    Bool(bool),
    Number(f64),
    String(Cow<'a, str>),
    Array(Vec<Value<'a>>),
    Object(Object<'a>),
}

/// The members of a JSON object, sorted by key in UTF-16 code units (RFC 8785), each key once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object<'a> {
    members: Vec<(Cow<'a, str>, Value<'a>)>,
}

impl<'a> Object<'a> {
    /// An object without members.
    pub const fn new() -> Self {
        Self { members: Vec::new() }
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The value of the member `key`; dots have no meaning here.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        let at = self.find(key).ok()?;
        self.members.get(at).map(|(_, value)| value)
    }

    /// The value of the member `key`, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value<'a>> {
        let at = self.find(key).ok()?;
        self.members.get_mut(at).map(|(_, value)| value)
    }

    /// Sets the member `key` and returns what it held before.
    pub fn insert(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Value<'a>>) -> Option<Value<'a>> {
        let (key, value) = (key.into(), value.into());
        match self.place(&key) {
            Ok(at) => self.members.get_mut(at).map(|(_, old)| std::mem::replace(old, value)),
            Err(at) => {
                self.members.insert(at, (key, value));
                None
            }
        }
    }

    /// Takes the member `key` out.
    pub fn remove(&mut self, key: &str) -> Option<Value<'a>> {
        let at = self.find(key).ok()?;
        Some(self.members.remove(at).1)
    }

    /// The members in canonical order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value<'a>)> + DoubleEndedIterator {
        self.members.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// The members in canonical order, their values to be changed.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&str, &mut Value<'a>)> {
        self.members.iter_mut().map(|member| (member.0.as_ref(), &mut member.1))
    }

    /// The value at a dotted path, through objects only: `user.target.name`.
    pub fn at(&self, dotted: &str) -> Option<&Value<'a>> {
        let mut object = self;
        let mut rest = dotted;
        while let Some((head, tail)) = rest.split_once('.') {
            match object.get(head)? {
                Value::Object(inner) => object = inner,
                _ => return None,
            }
            rest = tail;
        }
        object.get(rest)
    }

    /// Adds a member that is not there yet; gives the key back when it is taken.
    pub(crate) fn add(&mut self, key: Cow<'a, str>, value: Value<'a>) -> Result<(), Cow<'a, str>> {
        match self.place(&key) {
            Ok(_) => Err(key),
            Err(at) => {
                self.members.insert(at, (key, value));
                Ok(())
            }
        }
    }

    /// Where `key` is, or where it belongs. Most objects are written in order, so that the end is
    /// tried first.
    fn place(&self, key: &str) -> Result<usize, usize> {
        match self.members.last() {
            None => Err(0),
            Some((last, _)) if compare_keys(last, key) == Ordering::Less => Err(self.members.len()),
            Some(_) => self.members.binary_search_by(|(other, _)| compare_keys(other, key)),
        }
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        if self.members.len() <= 8 {
            return self.members.iter().position(|(other, _)| other == key).ok_or(0);
        }
        self.members.binary_search_by(|(other, _)| compare_keys(other, key))
    }
}

impl<'a> IntoIterator for Object<'a> {
    type Item = (Cow<'a, str>, Value<'a>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.into_iter()
    }
}

impl<'a, K: Into<Cow<'a, str>>, V: Into<Value<'a>>> FromIterator<(K, V)> for Object<'a> {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(members: T) -> Self {
        let mut object = Self::new();
        for (key, value) in members {
            object.insert(key, value);
        }
        object
    }
}

/// Compares keys by UTF-16 code units, as RFC 8785 sorts them. That differs from the order of the
/// UTF-8 bytes only where a surrogate pair meets a character from U+E000 up.
pub(crate) fn compare_keys(a: &str, b: &str) -> Ordering {
    let (x, y) = (a.as_bytes(), b.as_bytes());
    match x.iter().zip(y).find(|(x, y)| x != y) {
        None => x.len().cmp(&y.len()),
        Some((x, y)) if *x < 0xEE || *y < 0xEE => x.cmp(y),
        Some(_) => a.encode_utf16().cmp(b.encode_utf16()),
    }
}

impl<'a> Value<'a> {
    /// The text, when this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, when this is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The object, when this is one.
    pub fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The same value, borrowing from nothing.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(bool) => Value::Bool(bool),
            Self::Number(number) => Value::Number(number),
            Self::String(text) => Value::String(Cow::Owned(text.into_owned())),
            Self::Array(items) => Value::Array(items.into_iter().map(Value::into_owned).collect()),
            Self::Object(object) => Value::Object(object.into_owned()),
        }
    }

    /// What kind of value this is, in words for a message: "a string", "an array".
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// The same value for `serde_json`. Whole numbers within ±2^53 come out as integers.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(bool) => (*bool).into(),
            Self::Number(number) => number_to_json(*number),
            Self::String(text) => text.as_ref().into(),
            Self::Array(items) => items.iter().map(Value::to_json).collect::<Vec<_>>().into(),
            Self::Object(object) => object.to_json(),
        }
    }
}

impl Object<'_> {
    /// The same object, borrowing from nothing.
    pub fn into_owned(self) -> Object<'static> {
        let members = self.members.into_iter();
        Object { members: members.map(|(key, value)| (Cow::Owned(key.into_owned()), value.into_owned())).collect() }
    }

    /// The same object for `serde_json`.
    pub fn to_json(&self) -> serde_json::Value {
        let members = self.iter().map(|(key, value)| (key.to_owned(), value.to_json()));
        serde_json::Value::Object(members.collect())
    }
}

fn number_to_json(number: f64) -> serde_json::Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within ±2^53")]
        return (number as i64).into();
    }
    number.into()
}

impl From<serde_json::Value> for Value<'static> {
    /// A whole number that a double can't hold exactly becomes a string of its digits, so that
    /// nothing is lost.
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(bool) => Self::Bool(bool),
            serde_json::Value::Number(number) => from_json_number(&number),
            serde_json::Value::String(text) => Self::String(Cow::Owned(text)),
            serde_json::Value::Array(items) => Self::Array(items.into_iter().map(Value::from).collect()),
            serde_json::Value::Object(members) => Self::Object(members.into_iter().collect()),
        }
    }
}

fn from_json_number(number: &serde_json::Number) -> Value<'static> {
    const EXACT: u64 = 1 << 53;
    let whole = number.as_i64().map(i64::unsigned_abs).or(number.as_u64());
    let exact = match whole {
        Some(whole) if whole > EXACT => crate::json::exact(&number.to_string()),
        _ => number.as_f64(),
    };
    exact.map_or_else(|| Value::String(Cow::Owned(number.to_string())), Value::Number)
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::String(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::String(Cow::Owned(text))
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self::String(text)
    }
}

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

impl<'a> From<Object<'a>> for Value<'a> {
    fn from(object: Object<'a>) -> Self {
        Self::Object(object)
    }
}

impl<'a> From<Vec<Value<'a>>> for Value<'a> {
    fn from(items: Vec<Value<'a>>) -> Self {
        Self::Array(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_by_utf16_code_units() {
        // The example of RFC 8785, 3.2.3.
        let keys = ["\u{20ac}", "\r", "\u{fb33}", "1", "\u{1f600}", "\u{80}", "\u{f6}"];
        let object: Object = keys.iter().map(|key| (*key, true)).collect();
        let sorted: Vec<_> = object.iter().map(|(key, _)| key).collect();
        assert_eq!(sorted, ["\r", "1", "\u{80}", "\u{f6}", "\u{20ac}", "\u{1f600}", "\u{fb33}"]);
        assert!(keys.iter().all(|key| object.get(key).is_some()));
    }

    #[test]
    fn the_order_is_that_of_utf16() {
        let texts = ["", "a", "b", "ab", "\u{d7ff}", "\u{e000}", "\u{ffff}", "\u{10000}", "\u{10ffff}", "\u{ee00}x"];
        for a in texts {
            for b in texts {
                assert_eq!(compare_keys(a, b), a.encode_utf16().cmp(b.encode_utf16()), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn a_whole_number_too_large_for_a_double_becomes_text() {
        let value = Value::from(serde_json::json!({"n": 9_007_199_254_740_993_u64, "m": 5}));
        assert_eq!(value.to_json(), serde_json::json!({"m": 5, "n": "9007199254740993"}));
    }
}
