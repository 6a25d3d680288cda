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
    /// A number that divides 60.
    Seconds(u8),
    /// A number that divides 60.
    Minutes(u8),
    /// A number that divides 24; from midnight on.
    Hours(u8),
    Day,
    /// From Monday on.
    Week,
    Month,
}

impl Span {
    /// The span that cuts a stretch into a number of pieces that can be looked at.
    pub fn fitting(from: Timestamp, to: Timestamp) -> Self {
        const PIECES_MAX: i64 = 72;
        let seconds = to.duration_since(from).as_secs();
        let spans = [
            (1, Self::Seconds(1)),
            (5, Self::Seconds(5)),
            (15, Self::Seconds(15)),
            (60, Self::Minutes(1)),
            (300, Self::Minutes(5)),
            (600, Self::Minutes(10)),
            (1_800, Self::Minutes(30)),
            (3_600, Self::Hours(1)),
            (10_800, Self::Hours(3)),
            (21_600, Self::Hours(6)),
            (43_200, Self::Hours(12)),
        ];
        if let Some((_, span)) = spans.into_iter().find(|(length, _)| seconds <= length * PIECES_MAX) {
            return span;
        }
        match to.duration_since(from).as_hours() {
            ..=2_400 => Self::Day,
            2_401..=13_000 => Self::Week,
            _ => Self::Month,
        }
    }

    /// The span of that name: `hour`, `day`, `week`, `month`, or a number of seconds, minutes or hours, `30s`, `5m`, `6h`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "minute" => return Some(Self::Minutes(1)),
            "hour" => return Some(Self::Hours(1)),
            "day" => return Some(Self::Day),
            "week" => return Some(Self::Week),
            "month" => return Some(Self::Month),
            _ => {}
        }
        let (number, unit) = name.split_at_checked(name.len().checked_sub(1)?)?;
        let number: u8 = number.parse().ok().filter(|number| *number > 0)?;
        match unit {
            "s" if 60 % number == 0 => Some(Self::Seconds(number)),
            "m" if 60 % number == 0 => Some(Self::Minutes(number)),
            "h" if 24 % number == 0 => Some(Self::Hours(number)),
            _ => None,
        }
    }

    /// Its name, as `from_name` reads it.
    pub fn name(self) -> String {
        match self {
            Self::Minutes(1) => "minute".to_owned(),
            Self::Hours(1) => "hour".to_owned(),
            Self::Seconds(number) => format!("{number}s"),
            Self::Minutes(number) => format!("{number}m"),
            Self::Hours(number) => format!("{number}h"),
            Self::Day => "day".to_owned(),
            Self::Week => "week".to_owned(),
            Self::Month => "month".to_owned(),
        }
    }

    fn length(self) -> Length {
        match self {
            Self::Seconds(number) => i64::from(number).seconds(),
            Self::Minutes(number) => i64::from(number).minutes(),
            Self::Hours(number) => i64::from(number).hours(),
            Self::Day => 1.day(),
            Self::Week => 1.week(),
            Self::Month => 1.month(),
        }
    }

    /// The beginning of the span that `moment` lies in.
    fn start(self, moment: Timestamp, zone: &TimeZone) -> Result<Zoned, jiff::Error> {
        let here = moment.to_zoned(zone.clone());
        let floor = |unit, number: u8| {
            let whole =
                jiff::ZonedRound::new().smallest(unit).increment(i64::from(number)).mode(jiff::RoundMode::Floor);
            here.round(whole)
        };
        let day: Date = match self {
            Self::Seconds(number) => return floor(Unit::Second, number),
            Self::Minutes(number) => return floor(Unit::Minute, number),
            // Where clocks are turned back, an hour that comes twice is two hours.
            Self::Hours(number) => return floor(Unit::Hour, number),
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

    /// Which span a moment lies in; most lie in the one that was `last` found.
    #[inline]
    pub(crate) fn near(&self, time: Nanos, last: &mut usize) -> usize {
        let starts = (self.starts.get(*last), self.starts.get(*last + 1));
        let within = starts.0.is_some_and(|start| *start <= time) && starts.1.is_none_or(|next| time < *next);
        if !within {
            *last = self.of(time);
        }
        *last
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
        Spans::covering(span, &zone, moment(from), moment(last))
            .unwrap()
            .iter()
            .map(|start| start.to_string())
            .collect()
    }

    #[test]
    fn spans_begin_where_the_calendar_says() {
        assert_eq!(starts(Span::Hours(1), "UTC", "2026-11-21T10:30:00Z", "2026-11-21T12:00:00Z").len(), 3);
        assert_eq!(
            starts(Span::Day, "America/Sao_Paulo", "2026-11-21T02:00:00Z", "2026-11-22T03:00:00Z"),
            ["2026-11-20T03:00:00Z", "2026-11-21T03:00:00Z", "2026-11-22T03:00:00Z"]
        );
        assert_eq!(starts(Span::Week, "UTC", "2026-11-21T02:00:00Z", "2026-11-21T03:00:00Z"), ["2026-11-16T00:00:00Z"]);
        assert_eq!(starts(Span::Month, "UTC", "2026-10-31T02:00:00Z", "2027-01-01T00:00:00Z").len(), 4);
    }

    #[test]
    fn shorter_spans_begin_on_whole_ones() {
        assert_eq!(
            starts(Span::Minutes(30), "UTC", "2026-11-21T10:40:00Z", "2026-11-21T11:59:00Z"),
            ["2026-11-21T10:30:00Z", "2026-11-21T11:00:00Z", "2026-11-21T11:30:00Z"]
        );
        assert_eq!(
            starts(Span::Hours(6), "UTC", "2026-11-21T05:59:00Z", "2026-11-21T06:00:00Z"),
            ["2026-11-21T00:00:00Z", "2026-11-21T06:00:00Z"]
        );
        assert_eq!(starts(Span::Seconds(15), "UTC", "2026-11-21T10:00:20Z", "2026-11-21T10:00:31Z").len(), 2);
    }

    #[test]
    fn a_stretch_is_cut_into_pieces_that_can_be_looked_at() {
        let to: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let fitting = |hours: i64| Span::fitting(to - jiff::SignedDuration::from_hours(hours), to).name();
        assert_eq!(
            [1, 6, 24, 72, 168, 720, 2_400, 8_760].map(fitting),
            ["minute", "5m", "30m", "hour", "3h", "12h", "day", "week"]
        );
    }

    #[test]
    fn names_are_read_back() {
        for name in ["minute", "5m", "30m", "hour", "3h", "12h", "day", "week", "month", "15s"] {
            assert_eq!(Span::from_name(name).unwrap().name(), name);
        }
        assert!(["", "0m", "7m", "5h", "61s", "m", "5x", "ü"].into_iter().all(|name| Span::from_name(name).is_none()));
    }

    #[test]
    fn a_day_of_a_turned_clock_is_one_day() {
        let days = starts(Span::Day, "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z");
        assert_eq!(days, ["2026-10-23T22:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"]);
    }

    #[test]
    fn too_many_spans_are_refused() {
        assert!(
            Spans::covering(Span::Hours(1), &TimeZone::UTC, 0, nanos("2026-01-01T00:00:00Z".parse().unwrap())).is_err()
        );
    }

    #[test]
    fn a_moment_lies_in_one_span() {
        let spans = Spans { starts: vec![10, 20, 30] };
        assert_eq!([5, 10, 19, 20, 99].map(|time| spans.of(time)), [0, 0, 0, 1, 2]);
        let mut last = 0;
        for time in [5, 10, 99, 31, 20, 5, 19] {
            assert_eq!(spans.near(time, &mut last), spans.of(time));
        }
    }
}
