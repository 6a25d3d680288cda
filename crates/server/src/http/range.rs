//! Times and filters as they stand in a query.

use event::Filter;
use event::filter::{Unit, When};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Problem;

/// A stretch of `@timestamp`: from the first, up to but not including the second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

/// Reads `from` and `to`.
pub fn range(from: Option<&str>, to: Option<&str>, now: Timestamp) -> Result<Range, Problem> {
    let read = |pointer: &str, text: Option<&str>| {
        text.filter(|text| !text.is_empty()).map(|text| instant(pointer, text, now)).transpose()
    };
    let range = Range { from: read("/from", from)?, to: read("/to", to)? };
    if let (Some(from), Some(to)) = (range.from, range.to)
        && from > to
    {
        return Err(Problem::invalid("/from", "the range ends before it begins"));
    }
    Ok(range)
}

fn instant(pointer: &str, text: &str, now: Timestamp) -> Result<Timestamp, Problem> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    if let Ok(zoned) = text.parse::<Date>().and_then(|day| day.to_zoned(TimeZone::UTC))
        && text.len() == 10
    {
        return Ok(zoned.timestamp());
    }
    relative(text, now).ok_or_else(|| {
        let help = "use a time with zone such as 2026-11-21T14:00:00Z, a day such as 2026-11-21, or now-7d (s, m, h, d, w, M, y)";
        Problem::invalid(pointer, format!("{text:?} is no time; {help}"))
    })
}

fn relative(text: &str, now: Timestamp) -> Option<Timestamp> {
    let rest = text.strip_prefix("now")?;
    if rest.is_empty() {
        return Some(now);
    }
    let unit = Unit::from_letter(rest.chars().last()?)?;
    let offset: i32 = rest.get(..rest.len() - 1)?.parse().ok()?;
    Some(When::Now { offset, unit, round: None }.instants(now).0)
}

/// Reads in which order events are wanted: the newest first where nothing is said.
pub fn order(text: Option<&str>) -> Result<store::Order, Problem> {
    match text {
        None | Some("" | "desc") => Ok(store::Order::Newest),
        Some("asc") => Ok(store::Order::Oldest),
        Some(other) => Err(Problem::invalid("/order", format!("{other:?} is neither desc nor asc"))),
    }
}

/// Reads a filter; relative times in it are fixed to `now`.
pub fn filter(text: Option<&str>, now: Timestamp) -> Result<Filter, Problem> {
    let filter = event::filter::parse(text.unwrap_or("")).map_err(|error| Problem::filter("/filter", &error))?;
    Ok(filter.at(now).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_all_kinds() {
        let now: Timestamp = "2026-11-21T14:00:00Z".parse().unwrap();
        let check = |text: &str, expected: Option<&str>| {
            let found = instant("/from", text, now).ok();
            assert_eq!(found, expected.map(|text| text.parse().unwrap()), "{text}");
        };
        check("2026-11-01T00:00:00+01:00", Some("2026-10-31T23:00:00Z"));
        check("2026-11-01", Some("2026-11-01T00:00:00Z"));
        check("now", Some("2026-11-21T14:00:00Z"));
        check("now-7d", Some("2026-11-14T14:00:00Z"));
        check("now+1h", Some("2026-11-21T15:00:00Z"));
        check("now-1M", Some("2026-10-21T14:00:00Z"));
        for wrong in ["yesterday", "now-", "now-d", "2026-11-01T00:00:00", "20261101", "now-1x", ""] {
            check(wrong, None);
        }
        assert!(range(Some("now"), Some("now-1d"), now).is_err());
        assert_eq!(range(None, Some(""), now).unwrap(), Range::default());
    }
}
