//! The stretch of time that one index covers.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

/// A moment in nanoseconds since 1970, as the index holds it: 1677 to 2262.
pub(crate) type Nanos = i64;

/// The moment of a timestamp; what lies beyond is cut off at the ends.
pub(crate) fn nanos(timestamp: Timestamp) -> Nanos {
    let nanos = timestamp.as_nanosecond();
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

/// The timestamp of a moment.
pub(crate) fn timestamp(nanos: Nanos) -> Timestamp {
    Timestamp::from_nanosecond(nanos.into()).unwrap_or_default()
}

/// A calendar month in UTC. Its name, `2026-11`, is the name of the folder of its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i16,
    month: i8,
}

impl Month {
    pub(crate) fn of(nanos: Nanos) -> Self {
        let day = timestamp(nanos).to_zoned(TimeZone::UTC).date();
        Self { year: day.year(), month: day.month() }
    }

    /// The first moment of the month, and the first after it.
    pub(crate) fn bounds(self) -> (Nanos, Nanos) {
        let next = if self.month == 12 { (self.year.saturating_add(1), 1) } else { (self.year, self.month + 1) };
        (midnight(date(self.year, self.month, 1)), midnight(date(next.0, next.1, 1)))
    }
}

fn midnight(day: Date) -> Nanos {
    day.to_zoned(TimeZone::UTC).map_or(i64::MAX, |zoned| nanos(zoned.timestamp()))
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// The text is no name of a month.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a month is written 2026-11")]
pub struct NoMonth;

impl FromStr for Month {
    type Err = NoMonth;

    fn from_str(text: &str) -> Result<Self, NoMonth> {
        let (year, month) = text.split_once('-').ok_or(NoMonth)?;
        let (year, month) = (year.parse().map_err(|_| NoMonth)?, month.parse().map_err(|_| NoMonth)?);
        let named = Self { year, month };
        let usual = (1600..=2300).contains(&year) && (1..=12).contains(&month);
        if usual && named.to_string() == text { Ok(named) } else { Err(NoMonth) }
    }
}

/// Finds the month of a moment without asking the calendar again and again: events come in
/// order, mostly.
#[derive(Default)]
pub(crate) struct Calendar {
    last: Option<(Month, Nanos, Nanos)>,
}

impl Calendar {
    pub(crate) fn month(&mut self, nanos: Nanos) -> Month {
        if let Some((month, first, next)) = self.last
            && first <= nanos
            && nanos < next
        {
            return month;
        }
        let month = Month::of(nanos);
        let (first, next) = month.bounds();
        self.last = Some((month, first, next));
        month
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_a_name_and_bounds() {
        let check = |text: &str, name: &str| {
            let moment = nanos(text.parse().unwrap());
            let month = Month::of(moment);
            assert_eq!(month.to_string(), name);
            assert_eq!(name.parse(), Ok(month));
            let (first, next) = month.bounds();
            assert!(first <= moment && moment < next);
            assert_eq!(Month::of(first), month);
            assert_eq!(Month::of(next - 1), month);
            assert_ne!(Month::of(next), month);
        };
        check("2026-11-21T21:50:50.123456789Z", "2026-11");
        check("2026-12-31T23:59:59.999999999Z", "2026-12");
        check("2024-02-29T00:00:00Z", "2024-02");
        check("1969-12-31T23:59:59Z", "1969-12");
        for text in ["", "2026", "2026-13", "2026-00", "2026-1", "26-11", "tmp", "99999-01"] {
            assert_eq!(text.parse::<Month>(), Err(NoMonth), "{text}");
        }
    }
}
