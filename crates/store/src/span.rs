//! Spans of the calendar that events are counted by.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span as Length, Timestamp, ToSpan, Unit, Zoned};

use crate::error::StoreError;
use crate::month::{Nanos, nanos, timestamp};

/// More spans are no picture any more.
pub const SPANS_MAX: usize = 5_000;

/// A length of time on the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Span {
    Hour,
    Day,
    /// From Monday on.
    Week,
    Month,
}

impl Span {
    /// The span that cuts a stretch into a number of pieces that can be looked at.
    pub fn fitting(from: Timestamp, to: Timestamp) -> Self {
        match to.duration_since(from).as_hours() {
            ..=72 => Self::Hour,
            73..=2_400 => Self::Day,
            2_401..=13_000 => Self::Week,
            _ => Self::Month,
        }
    }

    fn length(self) -> Length {
        match self {
            Self::Hour => 1.hour(),
            Self::Day => 1.day(),
            Self::Week => 1.week(),
            Self::Month => 1.month(),
        }
    }

    /// The beginning of the span that `moment` lies in.
    fn start(self, moment: Timestamp, zone: &TimeZone) -> Result<Zoned, jiff::Error> {
        let here = moment.to_zoned(zone.clone());
        let day: Date = match self {
            // Where clocks are turned back, an hour that comes twice is two hours.
            Self::Hour => return here.round(jiff::ZonedRound::new().smallest(Unit::Hour).mode(jiff::RoundMode::Floor)),
            Self::Day => here.date(),
            Self::Week => here.date().checked_sub(i64::from(here.date().weekday().to_monday_zero_offset()).days())?,
            Self::Month => here.date().first_of_month(),
        };
        day.to_zoned(zone.clone())
    }
}

/// The beginnings of all spans of a stretch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spans {
    starts: Vec<Nanos>,
}

impl Spans {
    /// The spans that cover `from..=last`.
    pub(crate) fn covering(span: Span, zone: &TimeZone, from: Nanos, last: Nanos) -> Result<Self, StoreError> {
        let too_many = StoreError::TooManySpans { max: SPANS_MAX };
        let Ok(first) = span.start(timestamp(from), zone) else { return Err(too_many) };
        let mut starts = vec![nanos(first.timestamp())];
        // Each is counted from the first, so that a day that was moved (a month without a 31st, an
        // hour that is left out) does not move those after it.
        for count in 1..=SPANS_MAX as i64 {
            let next = span.length().checked_mul(count).and_then(|length| first.checked_add(length));
            let Ok(next) = next else { return Ok(Self { starts }) };
            let next = nanos(next.timestamp());
            if next > last || starts.last().is_some_and(|before| next <= *before) {
                return Ok(Self { starts });
            }
            starts.push(next);
        }
        Err(too_many)
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// Which span a moment lies in.
    #[inline]
    pub(crate) fn of(&self, time: Nanos) -> usize {
        self.starts.partition_point(|start| *start <= time).saturating_sub(1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.starts.iter().map(|start| timestamp(*start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(span: Span, zone: &str, from: &str, last: &str) -> Vec<String> {
        let zone = TimeZone::get(zone).unwrap();
        let moment = |text: &str| nanos(text.parse().unwrap());
        Spans::covering(span, &zone, moment(from), moment(last)).unwrap().iter().map(|start| start.to_string()).collect()
    }

    #[test]
    fn spans_begin_where_the_calendar_says() {
        assert_eq!(starts(Span::Hour, "UTC", "2026-11-21T10:30:00Z", "2026-11-21T12:00:00Z").len(), 3);
        assert_eq!(
            starts(Span::Day, "America/Sao_Paulo", "2026-11-21T02:00:00Z", "2026-11-22T03:00:00Z"),
            ["2026-11-20T03:00:00Z", "2026-11-21T03:00:00Z", "2026-11-22T03:00:00Z"]
        );
        assert_eq!(starts(Span::Week, "UTC", "2026-11-21T02:00:00Z", "2026-11-21T03:00:00Z"), ["2026-11-16T00:00:00Z"]);
        assert_eq!(starts(Span::Month, "UTC", "2026-10-31T02:00:00Z", "2027-01-01T00:00:00Z").len(), 4);
    }

    #[test]
    fn a_day_of_a_turned_clock_is_one_day() {
        let days = starts(Span::Day, "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z");
        assert_eq!(days, ["2026-10-23T22:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"]);
    }

    #[test]
    fn too_many_spans_are_refused() {
        assert!(Spans::covering(Span::Hour, &TimeZone::UTC, 0, nanos("2026-01-01T00:00:00Z".parse().unwrap())).is_err());
    }

    #[test]
    fn a_moment_lies_in_one_span() {
        let spans = Spans { starts: vec![10, 20, 30] };
        assert_eq!([5, 10, 19, 20, 99].map(|time| spans.of(time)), [0, 0, 0, 1, 2]);
    }
}
