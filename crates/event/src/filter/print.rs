//! From tree to text. What is printed parses to the same tree, as long as the tree is one that
//! parsing can give.

use std::fmt::{self, Display, Formatter, Write};

use jiff::Timestamp;

use super::{FieldName, Filter, Op, Pattern, Piece, Scalar, Test, When};
use crate::fields::Kind;

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_char('*'),
            Self::And(parts) if parts.is_empty() => f.write_char('*'),
            Self::Or(parts) if parts.is_empty() => f.write_str("not *"),
            Self::And(parts) => join(f, parts, " and "),
            Self::Or(parts) => join(f, parts, " or "),
            Self::Not(part) => {
                f.write_str("not ")?;
                operand(f, part)
            }
            Self::Words(test) => bare(f, test),
            Self::Field { field, test } => named(f, field, test),
        }
    }
}

fn join(f: &mut Formatter<'_>, parts: &[Filter], between: &str) -> fmt::Result {
    for (nth, part) in parts.iter().enumerate() {
        if nth > 0 {
            f.write_str(between)?;
        }
        operand(f, part)?;
    }
    Ok(())
}

fn operand(f: &mut Formatter<'_>, part: &Filter) -> fmt::Result {
    match part {
        Filter::And(_) | Filter::Or(_) => write!(f, "({part})"),
        _ => part.fmt(f),
    }
}

fn bare(f: &mut Formatter<'_>, test: &Test) -> fmt::Result {
    match test {
        Test::Exists => f.write_char('*'),
        Test::Equals(value) => unquoted(f, value),
        Test::Phrase(value) => quoted(f, value, false),
        Test::Wildcard(pattern) => wildcard(f, pattern),
        Test::Cidr(net) => quoted(f, &net.to_string(), false),
        Test::Compare(_, scalar) => self::scalar(f, scalar),
    }
}

fn named(f: &mut Formatter<'_>, field: &FieldName, test: &Test) -> fmt::Result {
    field_name(f, field.as_str())?;
    let text = field.known().is_some_and(|known| known.kind == Kind::Text);
    match test {
        Test::Compare(Op::Eq, scalar) => {
            f.write_str(": ")?;
            self::scalar(f, scalar)
        }
        Test::Compare(op, scalar) => {
            write!(f, " {} ", op.sign())?;
            self::scalar(f, scalar)
        }
        Test::Exists => f.write_str(": *"),
        Test::Wildcard(pattern) => {
            f.write_str(": ")?;
            wildcard(f, pattern)
        }
        Test::Cidr(net) if net.prefix_len() == net.max_prefix_len() => write!(f, ": {}", net.addr()),
        Test::Cidr(net) => write!(f, ": {net}"),
        Test::Phrase(value) => {
            f.write_str(": ")?;
            quoted(f, value, !text)
        }
        Test::Equals(value) => {
            f.write_str(": ")?;
            if text || is_plain(value) { unquoted(f, value) } else { quoted(f, value, true) }
        }
    }
}

fn field_name(f: &mut Formatter<'_>, name: &str) -> fmt::Result {
    if is_keyword(name) {
        f.write_char('\\')?;
    }
    for c in name.chars() {
        if c != '*' && (is_special(c) || c.is_whitespace()) {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    Ok(())
}

fn wildcard(f: &mut Formatter<'_>, pattern: &Pattern) -> fmt::Result {
    for piece in pattern.pieces() {
        match piece {
            Piece::Any => f.write_char('*')?,
            Piece::Text(text) => escaped(f, text)?,
        }
    }
    Ok(())
}

fn scalar(f: &mut Formatter<'_>, scalar: &Scalar) -> fmt::Result {
    match scalar {
        Scalar::Number(number) => {
            // Rust's own printing never uses an exponent and always reads back the same.
            write!(f, "{number}")
        }
        Scalar::Severity(severity) => severity.fmt(f),
        Scalar::Date(when) => when.fmt(f),
    }
}

impl Display for When {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(instant) => <Timestamp as Display>::fmt(instant, f),
            Self::Day(day) => day.fmt(f),
            Self::Between(first, last) => write!(f, "{first}..{last}"),
            Self::Now { offset, unit, round } => {
                f.write_str("now")?;
                if *offset != 0 {
                    write!(f, "{offset:+}{}", unit.letter())?;
                }
                match round {
                    Some(round) => write!(f, "/{}", round.letter()),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Whether a value can stand without quotes and without escapes.
fn is_plain(value: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '/' | '+');
    !value.is_empty() && value.chars().all(fits) && !is_keyword(value)
}

fn unquoted(f: &mut Formatter<'_>, value: &str) -> fmt::Result {
    escaped(f, value)
}

/// Writes a text without quotes: special characters, keywords and outer or doubled spaces escaped.
fn escaped(f: &mut Formatter<'_>, value: &str) -> fmt::Result {
    for (at, c) in value.char_indices() {
        let starts_word =
            value.get(..at).is_none_or(|before| before.chars().next_back().is_none_or(char::is_whitespace));
        let word = value.get(at..).unwrap_or_default().split(char::is_whitespace).next().unwrap_or_default();
        match c {
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c if is_special(c) || (c.is_whitespace() && c != ' ') || (starts_word && is_keyword(word)) => {
                f.write_char('\\')?;
                f.write_char(c)?;
            }
            ' ' if starts_word || value.get(at + 1..).is_none_or(str::is_empty) => f.write_str("\\ ")?,
            c => f.write_char(c)?,
        }
    }
    Ok(())
}

/// Writes a text in quotes; `stars` says whether a star would be a wildcard there.
fn quoted(f: &mut Formatter<'_>, value: &str, stars: bool) -> fmt::Result {
    f.write_char('"')?;
    for c in value.chars() {
        match c {
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            '"' | '\\' => write!(f, "\\{c}")?,
            '*' if stars => f.write_str("\\*")?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

pub(super) const fn is_special(c: char) -> bool {
    matches!(c, '\\' | '(' | ')' | ':' | '<' | '>' | '"' | '*' | '{' | '}')
}

pub(super) fn is_keyword(word: &str) -> bool {
    ["and", "or", "not"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}
