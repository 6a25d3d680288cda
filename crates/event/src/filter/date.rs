//! Times in a filter.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, Unit as Grain};

/// A time as a filter names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    /// One instant.
    At(Timestamp),
    /// A whole day in UTC.
    Day(Date),
    /// From the first to the last instant, both within: `2026-01-01..2026-01-31`.
    Between(Timestamp, Timestamp),
    /// Relative to the moment of asking, in UTC: `now`, `now-7d`, `now-1d/d`. Rounded, it stands for
    /// the whole unit it falls into.
    Now { offset: i32, unit: Unit, round: Option<Unit> },
}

/// A unit of a relative time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl Unit {
    /// All of them, from the smallest.
    pub const ALL: [Self; 7] = [Self::Second, Self::Minute, Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year];

    /// The letter it is written with; `M` is the month, `m` the minute.
    pub const fn letter(self) -> char {
        match self {
            Self::Second => 's',
            Self::Minute => 'm',
            Self::Hour => 'h',
            Self::Day => 'd',
            Self::Week => 'w',
            Self::Month => 'M',
            Self::Year => 'y',
        }
    }

    /// The unit of that letter.
    pub fn from_letter(letter: char) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.letter() == letter).or((letter == 'H').then_some(Self::Hour))
    }

    fn span(self, count: i32) -> Result<Span, jiff::Error> {
        let span = Span::new();
        match self {
            Self::Second => span.try_seconds(count),
            Self::Minute => span.try_minutes(count),
            Self::Hour => span.try_hours(count),
            Self::Day => span.try_days(count),
            Self::Week => span.try_weeks(count),
            Self::Month => span.try_months(count),
            Self::Year => span.try_years(count),
        }
    }
}

const NANOSECOND: SignedDuration = SignedDuration::from_nanos(1);

impl When {
    /// The first and the last instant it stands for. What lies beyond the calendar is cut off at
    /// its ends.
    pub fn instants(self, now: Timestamp) -> (Timestamp, Timestamp) {
        match self {
            Self::At(instant) => (instant, instant),
            Self::Day(day) => whole(day, Unit::Day),
            Self::Between(first, last) => (first, last),
            Self::Now { offset, unit, round } => {
                let instant = shifted(now, offset, unit);
                match round {
                    None => (instant, instant),
                    Some(round) => rounded(instant, round),
                }
            }
        }
    }

    /// Whether it moves with the clock.
    pub const fn is_relative(self) -> bool {
        matches!(self, Self::Now { .. })
    }

    /// The same, no longer moving.
    pub fn fixed(self, now: Timestamp) -> Self {
        match self {
            Self::Now { round, .. } => {
                let (first, last) = self.instants(now);
                if round.is_some() { Self::Between(first, last) } else { Self::At(first) }
            }
            fixed => fixed,
        }
    }
}

fn shifted(now: Timestamp, offset: i32, unit: Unit) -> Timestamp {
    let edge = if offset < 0 { Timestamp::MIN } else { Timestamp::MAX };
    let shift = || now.to_zoned(TimeZone::UTC).checked_add(unit.span(offset)?).map(|zoned| zoned.timestamp());
    shift().unwrap_or(edge)
}

fn rounded(instant: Timestamp, unit: Unit) -> (Timestamp, Timestamp) {
    let grain = match unit {
        Unit::Second => Grain::Second,
        Unit::Minute => Grain::Minute,
        Unit::Hour => Grain::Hour,
        Unit::Day | Unit::Week | Unit::Month | Unit::Year => {
            return whole(instant.to_zoned(TimeZone::UTC).date(), unit);
        }
    };
    let round = jiff::TimestampRound::new().smallest(grain).mode(jiff::RoundMode::Floor);
    let first = instant.round(round).unwrap_or(instant);
    (first, last_before(unit.span(1).and_then(|span| first.checked_add(span))))
}

/// The first and last instant of the day, week, month or year of `day`.
fn whole(day: Date, unit: Unit) -> (Timestamp, Timestamp) {
    let first = match unit {
        Unit::Week => {
            let days = i32::from(day.weekday().to_monday_zero_offset());
            Unit::Day.span(-days).and_then(|span| day.checked_add(span)).unwrap_or(day)
        }
        Unit::Month => day.first_of_month(),
        Unit::Year => day.first_of_year(),
        Unit::Second | Unit::Minute | Unit::Hour | Unit::Day => day,
    };
    let next = unit.span(1).and_then(|span| first.checked_add(span)).and_then(midnight);
    (midnight(first).unwrap_or(Timestamp::MIN), last_before(next))
}

fn midnight(day: Date) -> Result<Timestamp, jiff::Error> {
    day.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp())
}

fn last_before(next: Result<Timestamp, jiff::Error>) -> Timestamp {
    next.and_then(|next| next.checked_sub(NANOSECOND)).unwrap_or(Timestamp::MAX)
}
