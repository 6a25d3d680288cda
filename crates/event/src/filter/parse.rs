//! From text to tree, by recursive descent.

use super::literal::{Literal, Reader};
use super::value::test_of;
use super::{FieldName, Filter, Op, Test};
use crate::fields;

/// The longest filter, in bytes.
pub const BYTES_MAX: usize = 8 * 1024;
/// How deep parentheses and negations may nest.
pub const DEPTH_MAX: usize = 50;

/// Why a text is no filter, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at character {}{}", char_offset + 1, self.hint())]
pub struct FilterError {
    /// Where it begins, in bytes.
    pub offset: usize,
    /// How long it is, in bytes; 0 when something is missing there.
    pub length: usize,
    /// Where it begins, in characters.
    pub char_offset: usize,
    /// How long it is, in characters.
    pub char_length: usize,
    /// What is wrong.
    pub message: String,
    /// What could stand in its place.
    pub suggestion: Option<String>,
}

impl FilterError {
    fn hint(&self) -> String {
        self.suggestion.as_ref().map(|hint| format!(", did you mean {hint}?")).unwrap_or_default()
    }
}

/// What is wrong, before its place in characters is known.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) message: String,
    pub(super) suggestion: Option<String>,
}

impl Wrong {
    pub(super) fn new(start: usize, end: usize, message: impl Into<String>) -> Self {
        Self { start, end, message: message.into(), suggestion: None }
    }

    pub(super) fn suggest(self, suggestion: impl Into<String>) -> Self {
        Self { suggestion: Some(suggestion.into()), ..self }
    }
}

/// Reads a filter. An empty text picks every event.
pub fn parse(text: &str) -> Result<Filter, FilterError> {
    let parsed = if text.len() > BYTES_MAX {
        let message = format!("a filter of {} bytes is longer than the {BYTES_MAX} allowed", text.len());
        Err(Wrong::new(text.floor_char_boundary(BYTES_MAX), text.len(), message))
    } else {
        Parser { reader: Reader::new(text), depth: 0 }.whole()
    };
    parsed.map_err(|wrong| locate(text, wrong))
}

fn locate(text: &str, wrong: Wrong) -> FilterError {
    let chars = |from: usize, to: usize| text.get(from..to).unwrap_or_default().chars().count();
    FilterError {
        offset: wrong.start,
        length: wrong.end - wrong.start,
        char_offset: chars(0, wrong.start),
        char_length: chars(wrong.start, wrong.end),
        message: wrong.message,
        suggestion: wrong.suggestion,
    }
}

struct Parser<'t> {
    reader: Reader<'t>,
    depth: usize,
}

impl Parser<'_> {
    fn whole(&mut self) -> Result<Filter, Wrong> {
        self.reader.skip_space();
        if self.reader.at_end() {
            return Ok(Filter::All);
        }
        let filter = self.either()?;
        self.reader.skip_space();
        match self.reader.peek() {
            None => Ok(filter),
            Some(')') => Err(self.here("this ) closes nothing")),
            Some(_) => Err(self.side_by_side()),
        }
    }

    fn either(&mut self) -> Result<Filter, Wrong> {
        let mut parts = vec![self.both()?];
        while self.reader.take_keyword("or") {
            parts.push(self.both()?);
        }
        Ok(any_of(parts))
    }

    fn both(&mut self) -> Result<Filter, Wrong> {
        let mut parts = vec![self.negated()?];
        while self.reader.take_keyword("and") {
            parts.push(self.negated()?);
        }
        Ok(all_of(parts))
    }

    fn negated(&mut self) -> Result<Filter, Wrong> {
        if self.reader.take_keyword("not") {
            return self.deeper(|parser| Ok(Filter::Not(Box::new(parser.negated()?))));
        }
        self.reader.skip_space();
        if self.reader.peek() == Some('(') {
            return self.in_parentheses(Self::either);
        }
        self.condition()
    }

    fn in_parentheses(&mut self, inner: impl FnOnce(&mut Self) -> Result<Filter, Wrong>) -> Result<Filter, Wrong> {
        let open = self.reader.position();
        self.reader.advance();
        let filter = self.deeper(inner)?;
        self.reader.skip_space();
        match self.reader.peek() {
            Some(')') => {
                self.reader.advance();
                Ok(filter)
            }
            None => Err(Wrong::new(open, open + 1, "this ( is never closed")),
            Some(_) => Err(self.side_by_side()),
        }
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Wrong>) -> Result<T, Wrong> {
        if self.depth >= DEPTH_MAX {
            return Err(self.here(format!("more than {DEPTH_MAX} parentheses and negations within each other")));
        }
        self.depth += 1;
        let result = inner(self)?;
        self.depth -= 1;
        Ok(result)
    }

    /// `field: value`, `field > value`, or a bare value.
    fn condition(&mut self) -> Result<Filter, Wrong> {
        let literal = self.reader.literal(false)?.ok_or_else(|| self.missing("a condition"))?;
        self.reader.skip_space();
        match self.reader.peek() {
            Some(':') => {
                let field = field_of(&literal)?;
                self.reader.advance();
                self.value_of(&field)
            }
            Some('<' | '>') => {
                let field = field_of(&literal)?;
                let op = self.operator();
                self.compared(&field, op)
            }
            _ => bare(&literal),
        }
    }

    fn operator(&mut self) -> Op {
        let greater = self.reader.peek() == Some('>');
        self.reader.advance();
        let equal = self.reader.peek() == Some('=');
        if equal {
            self.reader.advance();
        }
        match (greater, equal) {
            (true, false) => Op::Gt,
            (true, true) => Op::Ge,
            (false, false) => Op::Lt,
            (false, true) => Op::Le,
        }
    }

    fn compared(&mut self, field: &FieldName, op: Op) -> Result<Filter, Wrong> {
        self.reader.skip_space();
        let literal = self.reader.literal(true)?.ok_or_else(|| self.missing("a number or a time"))?;
        let test = test_of(field, Some(op), &literal)?;
        Ok(Filter::Field { field: field.clone(), test })
    }

    /// What follows `field:`.
    fn value_of(&mut self, field: &FieldName) -> Result<Filter, Wrong> {
        self.reader.skip_space();
        match self.reader.peek() {
            Some('(') => self.in_parentheses(|parser| parser.either_value(field)),
            Some('{') => Err(self
                .here("conditions on one element of a list can't be grouped with { }")
                .suggest(format!("{field}.field: value"))),
            Some('<' | '>') => {
                let start = self.reader.position();
                let op = self.operator();
                let message = format!("{} takes no colon before it", op.sign());
                Err(Wrong::new(start, self.reader.position(), message).suggest(format!("{field} {} value", op.sign())))
            }
            _ => self.single_value(field),
        }
    }

    fn either_value(&mut self, field: &FieldName) -> Result<Filter, Wrong> {
        let mut parts = vec![self.both_values(field)?];
        while self.reader.take_keyword("or") {
            parts.push(self.both_values(field)?);
        }
        Ok(any_of(parts))
    }

    fn both_values(&mut self, field: &FieldName) -> Result<Filter, Wrong> {
        let mut parts = vec![self.negated_value(field)?];
        while self.reader.take_keyword("and") {
            parts.push(self.negated_value(field)?);
        }
        Ok(all_of(parts))
    }

    fn negated_value(&mut self, field: &FieldName) -> Result<Filter, Wrong> {
        if self.reader.take_keyword("not") {
            return self.deeper(|parser| Ok(Filter::Not(Box::new(parser.negated_value(field)?))));
        }
        self.reader.skip_space();
        if self.reader.peek() == Some('(') {
            return self.in_parentheses(|parser| parser.either_value(field));
        }
        self.single_value(field)
    }

    fn single_value(&mut self, field: &FieldName) -> Result<Filter, Wrong> {
        let literal = self.reader.literal(may_hold_colons(field))?;
        let literal = literal.ok_or_else(|| self.missing("a value").suggest("*"))?;
        if matches!(self.reader.peek_past_space(), Some(':' | '<' | '>')) {
            return Err(self.value_before_operator(&literal));
        }
        let test = test_of(field, None, &literal)?;
        if field.as_str() == "*" && test == Test::Exists {
            return Ok(Filter::All);
        }
        Ok(Filter::Field { field: field.clone(), test })
    }

    /// `user.name: ada user.email: x`, or `user.name: a:b`.
    fn value_before_operator(&self, literal: &Literal<'_>) -> Wrong {
        if let Some((start, word)) = literal.last_word() {
            let message = format!("{word} begins a new condition, it needs and or or before it");
            return Wrong::new(start, literal.end, message).suggest(format!("and {word}"));
        }
        let end = self.reader.end_of_word(literal.start);
        let raw = self.reader.slice(literal.start, end);
        Wrong::new(literal.start, end, "a value with a colon, < or > in it needs quotes").suggest(format!("\"{raw}\""))
    }

    /// Two conditions with nothing between them.
    fn side_by_side(&self) -> Wrong {
        let start = self.reader.position();
        let end = self.reader.end_of_word(start).max(start);
        let raw = self.reader.slice(start, end);
        match self.reader.peek() {
            Some(':' | '<' | '>') => Wrong::new(start, end, "the name of a field is missing before this"),
            Some('(') => Wrong::new(start, start + 1, "and or or is missing before this").suggest("and ("),
            Some('{' | '}') => Wrong::new(start, end, "{ and } have no meaning here, to look for them use quotes"),
            _ => Wrong::new(start, end, "and or or is missing before this").suggest(format!("and {raw}")),
        }
    }

    fn missing(&self, what: &str) -> Wrong {
        let at = self.reader.position();
        match self.reader.peek_word() {
            "" => Wrong::new(at, at, format!("{what} is missing")),
            word => Wrong::new(at, at + word.len(), format!("{what} is missing before {word}")),
        }
    }

    fn here(&self, message: impl Into<String>) -> Wrong {
        let at = self.reader.position();
        Wrong::new(at, at + self.reader.peek().map_or(0, char::len_utf8), message)
    }
}

/// Joins parts under `and`; a part that is itself an `and` is taken in.
fn all_of(mut parts: Vec<Filter>) -> Filter {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    let taken_in = |part| match part {
        Filter::And(inner) => inner,
        part => vec![part],
    };
    Filter::And(parts.into_iter().flat_map(taken_in).collect())
}

/// Joins parts under `or`; a part that is itself an `or` is taken in.
fn any_of(mut parts: Vec<Filter>) -> Filter {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    let taken_in = |part| match part {
        Filter::Or(inner) => inner,
        part => vec![part],
    };
    Filter::Or(parts.into_iter().flat_map(taken_in).collect())
}

fn may_hold_colons(field: &FieldName) -> bool {
    field.is_ip() || field.known().is_some_and(|known| known.kind == fields::Kind::Date)
}

/// The field that a literal before a colon names.
fn field_of(literal: &Literal<'_>) -> Result<FieldName, Wrong> {
    if let Some((start, word)) = literal.last_word() {
        let message = format!("{word} begins a new condition, it needs and or or before it");
        return Err(Wrong::new(start, literal.end, message).suggest(format!("and {word}")));
    }
    let name = literal.as_name();
    let wrong = |message: String| Wrong::new(literal.start, literal.end, message);
    if name.split('.').any(str::is_empty) {
        return Err(wrong(format!("{name:?} is no name of a field")));
    }
    if let Some(meant) = fields::misspelt(&name) {
        return Err(wrong(format!("unknown field {name}")).suggest(meant));
    }
    Ok(FieldName::new(name))
}

/// A bare value, and the habits of other languages that would otherwise be searched for as words.
fn bare(literal: &Literal<'_>) -> Result<Filter, Wrong> {
    if literal.pattern().is_any() {
        return Ok(Filter::All);
    }
    let wrong = |message: &str| Wrong::new(literal.start, literal.end, message);
    if !literal.quoted {
        for (sign, word) in [("&&", "and"), ("||", "or")] {
            if let Some(at) = literal.raw.find(sign) {
                let start = literal.start + at;
                let message = format!("{sign} is written {word}");
                return Err(Wrong::new(start, start + sign.len(), message).suggest(word));
            }
        }
        if let Some(meant) = equation(literal.raw) {
            return Err(wrong("a field is compared with a colon").suggest(meant));
        }
        if let Some(rest) = literal.raw.strip_prefix('!').filter(|rest| !rest.is_empty()) {
            return Err(wrong("! is written not").suggest(format!("not {rest}")));
        }
    }
    let test = literal.as_words();
    let empty = match &test {
        Test::Equals(text) | Test::Phrase(text) => crate::words::runs(text).next().is_none(),
        _ => false,
    };
    if empty {
        return Err(wrong("there is no word to look for in this"));
    }
    Ok(Filter::Words(test))
}

/// `user.name=ada`, `user.name != ada` for people who know other languages.
fn equation(raw: &str) -> Option<String> {
    let (left, right) = raw.split_once('=')?;
    let (not, left) = match left.strip_suffix('!') {
        Some(left) => ("not ", left.trim()),
        None => ("", left.trim()),
    };
    let right = right.trim_start_matches('=').trim();
    fields::find(left)?;
    Some(format!("{not}{left}: {}", if right.is_empty() { "value" } else { right }))
}
