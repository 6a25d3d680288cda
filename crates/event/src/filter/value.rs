//! What a written value means for the field it stands behind.

use core::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;

use super::literal::Literal;
use super::parse::Wrong;
use super::{FieldName, Op, Scalar, Test, Unit, When};
use crate::Severity;
use crate::fields::Kind;

/// The test that `literal` stands for behind `field:` (no operator) or `field >` and the like.
pub(super) fn test_of(field: &FieldName, op: Option<Op>, literal: &Literal<'_>) -> Result<Test, Wrong> {
    let kind = field.known().map(|known| known.kind);
    let wrong = |message: String| Wrong::new(literal.start, literal.end, message);
    if op.is_none() && literal.pattern().is_any() {
        return Ok(Test::Exists);
    }
    if op.is_some() && literal.has_star() {
        return Err(wrong("a wildcard can't be compared with < or >".to_owned()));
    }
    match (kind, op) {
        (Some(Kind::Number), op) => number(field, literal).map(|scalar| Test::Compare(op.unwrap_or(Op::Eq), scalar)),
        (Some(Kind::Date), op) => date(literal).map(|when| Test::Compare(op.unwrap_or(Op::Eq), Scalar::Date(when))),
        (Some(Kind::Boolean), None) => boolean(field, literal),
        (Some(Kind::Text), None) => text(field, literal),
        (Some(Kind::Ip), None) if !literal.has_star() => {
            let net = net(&literal.text()).ok_or_else(|| {
                wrong(format!("{field} is an address, and {} is no address, network or pattern", literal.raw))
            })?;
            Ok(Test::Cidr(net))
        }
        (None, None) if field.is_ip() && !literal.has_star() => {
            Ok(net(&literal.text()).map_or_else(|| Test::Equals(literal.text()), Test::Cidr))
        }
        (Some(Kind::Keyword | Kind::Ip) | None, None) => Ok(whole(literal)),
        (None, Some(op)) => unknown_scalar(literal).map(|scalar| Test::Compare(op, scalar)),
        (Some(Kind::Keyword | Kind::Text | Kind::Ip | Kind::Boolean), Some(op)) => {
            let message = format!("{field} is no number and no time, it can't be compared with {}", op.sign());
            Err(wrong(message).suggest(format!("{field}: {}", literal.raw)))
        }
    }
}

impl FieldName {
    /// Whether its values are addresses: a field of that kind, or one whose last name is `ip`.
    pub fn is_ip(&self) -> bool {
        match self.known() {
            Some(known) => known.kind == Kind::Ip,
            None => {
                let last = self.as_str().rsplit('.').next().unwrap_or_default();
                last == "ip" || last.ends_with("_ip")
            }
        }
    }
}

fn whole(literal: &Literal<'_>) -> Test {
    if literal.has_star() { Test::Wildcard(literal.pattern()) } else { Test::Equals(literal.text()) }
}

fn text(field: &FieldName, literal: &Literal<'_>) -> Result<Test, Wrong> {
    let test = literal.as_words();
    if let Test::Equals(text) | Test::Phrase(text) = &test
        && crate::words::runs(text).next().is_none()
    {
        let message = format!("{field} is searched by its words, and there is none in this");
        return Err(Wrong::new(literal.start, literal.end, message));
    }
    Ok(test)
}

fn boolean(field: &FieldName, literal: &Literal<'_>) -> Result<Test, Wrong> {
    match literal.text().to_ascii_lowercase().as_str() {
        text @ ("true" | "false") => Ok(Test::Equals(text.to_owned())),
        _ => Err(Wrong::new(literal.start, literal.end, format!("{field} is true or false")).suggest("true")),
    }
}

fn number(field: &FieldName, literal: &Literal<'_>) -> Result<Scalar, Wrong> {
    let text = literal.text();
    let severity = field.as_str() == "event.severity";
    if let Some(number) = finite(&text) {
        return Ok(Scalar::Number(number));
    }
    if let Some(severity) = Severity::from_name(&text).filter(|_| severity) {
        return Ok(Scalar::Severity(severity));
    }
    let wrong = |message: String| Wrong::new(literal.start, literal.end, message);
    if !severity {
        return Err(wrong(format!("{field} is a number, and {} is none", literal.raw)));
    }
    let message =
        format!("{} is no severity: a number from 0 to 100, or info, low, medium, high, critical", literal.raw);
    let near = |severity: &Severity| strsim::osa_distance(severity.name(), &text.to_lowercase()) <= 2;
    match Severity::ALL.iter().find(|severity| near(severity)) {
        Some(meant) => Err(wrong(message).suggest(meant.name())),
        None => Err(wrong(message)),
    }
}

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn unknown_scalar(literal: &Literal<'_>) -> Result<Scalar, Wrong> {
    match finite(&literal.text()) {
        Some(number) => Ok(Scalar::Number(number)),
        None => date(literal).map(Scalar::Date).map_err(|wrong| Wrong {
            message: format!("only numbers and times can be compared, and {} is none", literal.raw),
            ..wrong
        }),
    }
}

/// An address or a network.
fn net(text: &str) -> Option<IpNet> {
    match text.parse::<IpNet>() {
        Ok(net) => Some(net.trunc()),
        Err(_) => text.parse::<IpAddr>().ok().map(|address| IpNet::from(address.to_canonical())),
    }
}

fn date(literal: &Literal<'_>) -> Result<When, Wrong> {
    let text = literal.text();
    let wrong = |message: String| Wrong::new(literal.start, literal.end, message);
    if let Some((from, to)) = text.split_once("..") {
        let ends = (fixed(from.trim_end()), fixed(to.trim_start()));
        return match ends {
            (Some(from), Some(to)) => {
                let (first, last) = (from.instants(Timestamp::MIN).0, to.instants(Timestamp::MIN).1);
                Ok(When::Between(first, last))
            }
            _ => Err(wrong(format!("{} is no stretch of time; write 2026-11-01..2026-11-30", literal.raw))),
        };
    }
    if let Some(rest) = text.strip_prefix("now") {
        return relative(rest).ok_or_else(|| {
            wrong(format!("{} is no time; a relative one is now, now-7d, now-1h or now-1d/d", literal.raw))
                .suggest("now-7d")
        });
    }
    if let Some(when) = fixed(&text) {
        return Ok(when);
    }
    if text.parse::<jiff::civil::DateTime>().is_ok() && text.len() > 10 {
        return Err(wrong(format!("{} has no zone", literal.raw)).suggest(format!("{text}Z")));
    }
    let message = format!("{} is no time; write 2026-11-21, 2026-11-21T14:00:00Z or now-7d", literal.raw);
    Err(wrong(message))
}

/// A day or an instant.
fn fixed(text: &str) -> Option<When> {
    match text.len() {
        10 => text.parse::<Date>().ok().map(When::Day),
        _ => text.parse::<Timestamp>().ok().map(When::At),
    }
}

/// What follows `now`.
fn relative(rest: &str) -> Option<When> {
    let (shift, round) = match rest.split_once('/') {
        Some((shift, round)) => (shift, Some(unit(round)?)),
        None => (rest, None),
    };
    if shift.is_empty() {
        return Some(When::Now { offset: 0, unit: Unit::Second, round });
    }
    if !shift.starts_with(['+', '-']) {
        return None;
    }
    let (count, letter) = shift.split_at_checked(shift.len() - shift.chars().next_back()?.len_utf8())?;
    let (offset, unit) = (count.parse::<i32>().ok()?, unit(letter)?);
    Some(match offset {
        0 => When::Now { offset, unit: Unit::Second, round },
        offset => When::Now { offset, unit, round },
    })
}

fn unit(letter: &str) -> Option<Unit> {
    let mut letters = letter.chars();
    let unit = Unit::from_letter(letters.next()?)?;
    letters.next().is_none().then_some(unit)
}
