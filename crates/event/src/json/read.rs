//! The reader. Our own rather than a general one, because it has to borrow strings, keep the order
//! of keys, and say where a key is twice or a number would change; and because most of the time of
//! an event goes here.

use std::borrow::Cow;

use super::plain::plain;
use super::{JsonError, Limits, Problem, number};
use crate::{Object, Value};

/// Reads one JSON text, all of it. Strings without escapes are borrowed from `text`.
pub fn parse<'a>(text: &'a [u8], limits: &Limits) -> Result<Value<'a>, JsonError> {
    if text.len() > limits.bytes_max {
        let problem = Problem::TooLong { bytes: text.len(), max: limits.bytes_max };
        return Err(JsonError::new(problem, limits.bytes_max));
    }
    let text = std::str::from_utf8(text).map_err(|error| JsonError::new(Problem::NotUtf8, error.valid_up_to()))?;
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, depth: 0, fields: 0, limits: *limits };
    reader.skip_space();
    let value = reader.value()?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.unexpected("the end")),
    }
}

/// Shows every leaf of a JSON text with its dotted path: strings, numbers and booleans; the elements
/// of an array have the path of the array. For texts that were checked before: that a key is there
/// twice is not noticed. No tree is made, and what was shown before an error was shown.
pub fn walk<'a>(text: &'a [u8], limits: &Limits, f: &mut impl FnMut(&str, &Value<'a>)) -> Result<(), JsonError> {
    if text.len() > limits.bytes_max {
        let problem = Problem::TooLong { bytes: text.len(), max: limits.bytes_max };
        return Err(JsonError::new(problem, limits.bytes_max));
    }
    let text = std::str::from_utf8(text).map_err(|error| JsonError::new(Problem::NotUtf8, error.valid_up_to()))?;
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, depth: 0, fields: 0, limits: *limits };
    let mut path = String::with_capacity(64);
    reader.skip_space();
    reader.walk(&mut path, f)?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(()),
        Some(_) => Err(reader.unexpected("the end")),
    }
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    fields: usize,
    limits: Limits,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<Value<'a>, JsonError> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn word(&mut self, word: &'static str, value: Value<'a>) -> Result<Value<'a>, JsonError> {
        if !self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            return Err(self.unexpected("a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn nested(&mut self, inner: fn(&mut Self) -> Result<Value<'a>, JsonError>) -> Result<Value<'a>, JsonError> {
        if self.depth >= self.limits.depth_max {
            return Err(self.error(Problem::TooDeep { max: self.limits.depth_max }));
        }
        self.depth += 1;
        self.at += 1;
        self.skip_space();
        let value = inner(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Value<'a>, JsonError> {
        let mut object = Object::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(object));
        }
        loop {
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key in quotes"));
            }
            self.fields += 1;
            if self.fields > self.limits.fields_max {
                return Err(self.error(Problem::TooManyFields { max: self.limits.fields_max }));
            }
            let key = self.string()?;
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("a colon").below_key(&key));
            }
            self.at += 1;
            self.skip_space();
            let value = match self.value() {
                Ok(value) => value,
                Err(error) => return Err(error.below_key(&key)),
            };
            if let Err(key) = object.add(key, value) {
                return Err(JsonError::new(Problem::DuplicateKey, start).below_key(&key));
            }
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Object(object));
                }
                _ => return Err(self.unexpected("a comma or }")),
            }
            self.skip_space();
        }
    }

    fn array(&mut self) -> Result<Value<'a>, JsonError> {
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value().map_err(|error| error.below_element(items.len()))?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(items));
                }
                _ => return Err(self.unexpected("a comma or ]")),
            }
            self.skip_space();
        }
    }

    fn walk(&mut self, path: &mut String, f: &mut impl FnMut(&str, &Value<'a>)) -> Result<(), JsonError> {
        let open = match self.peek() {
            Some(open @ (b'{' | b'[')) => open,
            _ => {
                let value = self.value()?;
                if !matches!(value, Value::Null) {
                    f(path, &value);
                }
                return Ok(());
            }
        };
        if self.depth >= self.limits.depth_max {
            return Err(self.error(Problem::TooDeep { max: self.limits.depth_max }));
        }
        self.depth += 1;
        self.at += 1;
        self.skip_space();
        let close = if open == b'{' { b'}' } else { b']' };
        if self.peek() == Some(close) {
            self.at += 1;
            self.depth -= 1;
            return Ok(());
        }
        loop {
            let parent = path.len();
            if open == b'{' {
                self.key(path)?;
            }
            self.walk(path, f)?;
            path.truncate(parent);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(found) if found == close => {
                    self.at += 1;
                    self.depth -= 1;
                    return Ok(());
                }
                _ => return Err(self.unexpected("a comma or the end of it")),
            }
            self.skip_space();
        }
    }

    /// Reads a key and its colon, and puts it behind the path.
    fn key(&mut self, path: &mut String) -> Result<(), JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a key in quotes"));
        }
        self.fields += 1;
        if self.fields > self.limits.fields_max {
            return Err(self.error(Problem::TooManyFields { max: self.limits.fields_max }));
        }
        let key = self.string()?;
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(&key);
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.unexpected("a colon"));
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    fn number(&mut self) -> Result<f64, JsonError> {
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        let first = self.peek();
        let whole = self.digits();
        if whole == 0 {
            return Err(self.unexpected("a digit"));
        }
        if first == Some(b'0') && whole > 1 {
            self.at = start;
            return Err(self.unexpected("a number without zeros before it"));
        }
        let simple = whole <= 15;
        let mut integer = true;
        if self.peek() == Some(b'.') {
            integer = false;
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.unexpected("a digit"));
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            integer = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.unexpected("a digit"));
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        if integer && simple {
            let digits = text.bytes().filter(u8::is_ascii_digit);
            let number = digits.fold(0_u32.into(), |sum: f64, digit| sum * 10.0 + f64::from(digit - b'0'));
            return Ok(if negative { -number } else { number });
        }
        number::exact(text).ok_or_else(|| {
            let number = text.chars().take(40).collect();
            JsonError::new(Problem::InexactNumber { number }, start)
        })
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        self.at - start
    }

    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.at += 1;
        let start = self.at;
        self.at += plain(self.bytes.get(self.at..).unwrap_or_default());
        if self.peek() == Some(b'"') {
            let text = self.text.get(start..self.at).unwrap_or_default();
            self.at += 1;
            return Ok(Cow::Borrowed(text));
        }
        let mut owned = String::new();
        let mut from = start;
        loop {
            owned.push_str(self.text.get(from..self.at).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(owned));
                }
                Some(b'\\') => owned.push(self.escape()?),
                Some(0) => return Err(self.error(Problem::Nul)),
                Some(_) => return Err(self.error(Problem::ControlCharacter)),
                None => return Err(self.unexpected("the end of a string")),
            }
            from = self.at;
            self.at += plain(self.bytes.get(self.at..).unwrap_or_default());
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let start = self.at;
        self.at += 1;
        let c = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode(start);
            }
            _ => return Err(self.unexpected("one of \"\\/bfnrtu after a backslash")),
        };
        self.at += 1;
        Ok(c)
    }

    fn unicode(&mut self, start: usize) -> Result<char, JsonError> {
        let unit = self.four_digits()?;
        let code = match unit {
            0 => return Err(JsonError::new(Problem::Nul, start)),
            0xD800..=0xDBFF => {
                if !self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(b"\\u")) {
                    return Err(JsonError::new(Problem::LoneSurrogate, start));
                }
                self.at += 2;
                match self.four_digits()? {
                    low @ 0xDC00..=0xDFFF => 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00),
                    _ => return Err(JsonError::new(Problem::LoneSurrogate, start)),
                }
            }
            unit => unit,
        };
        char::from_u32(code).ok_or_else(|| JsonError::new(Problem::LoneSurrogate, start))
    }

    fn four_digits(&mut self) -> Result<u32, JsonError> {
        let mut unit = 0;
        for _ in 0..4 {
            match self.peek().and_then(|b| char::from(b).to_digit(16)) {
                Some(digit) => unit = unit * 16 + digit,
                None => return Err(self.unexpected("four hexadecimal digits")),
            }
            self.at += 1;
        }
        Ok(unit)
    }

    fn error(&self, problem: Problem) -> JsonError {
        JsonError::new(problem, self.at)
    }

    fn unexpected(&self, expected: &'static str) -> JsonError {
        let found = match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            None => "the end".to_owned(),
            Some('\0') => return self.error(Problem::Nul),
            Some(c) => format!("{c:?}"),
        };
        self.error(Problem::Unexpected { expected, found })
    }
}
