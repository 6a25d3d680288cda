//! Times as products write them.
//!
//! [`read`] takes a whole text, [`read_prefix`] the start of a line. A time without a zone is taken as UTC; syslog's
//! classic form, which lacks the year as well, is completed by [`Partial::near`] from the moment of arrival.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// A time as it was written: the year and the zone may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    year: Option<i16>,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    offset_seconds: Option<i32>,
}

/// Reads a text that is a time and nothing else.
pub fn read(text: &str, received_at: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    if let Some(at) = epoch(text) {
        return Some(at);
    }
    let (partial, rest) = scan(text)?;
    rest.trim().is_empty().then(|| partial.assume_utc(received_at)).flatten()
}

/// Reads the time a line starts with (also within `[` `]`), and gives what follows it.
pub fn read_prefix(text: &str, received_at: Timestamp) -> Option<(Timestamp, &str)> {
    let bare = text.trim_start();
    let (inner, bracket) = match bare.strip_prefix('[') {
        Some(inner) => (inner, true),
        None => (bare, false),
    };
    let (partial, rest) = scan(inner)?;
    let rest = if bracket { rest.trim_start().strip_prefix(']')? } else { rest };
    Some((partial.assume_utc(received_at)?, rest))
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size.
pub fn from_epoch(number: f64) -> Option<Timestamp> {
    if !number.is_finite() || number <= 0.0 {
        return None;
    }
    // 1e11 seconds would be the year 5138; 1e11 milliseconds is 1973, before any product we read.
    let seconds = match number {
        n if n < 1e11 => n,
        n if n < 1e14 => n / 1e3,
        n if n < 1e17 => n / 1e6,
        n => n / 1e9,
    };
    let whole = seconds.trunc();
    // A double holds about 100 ns at today's times: keep microseconds, they survive the rounding.
    let micros = ((seconds - whole) * 1e6).round();
    let nanos = (micros * 1e3) as i32;
    Timestamp::new(whole as i64, nanos.clamp(0, 999_999_999)).ok()
}

/// [`from_epoch`] for digits, without the rounding of a double.
fn epoch(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || !(9..=19).contains(&whole.len()) || fraction.len() > 12 {
        return None;
    }
    let number: i128 = whole.parse().ok()?;
    let (unit_digits, unit_nanos): (usize, i128) = match whole.len() {
        ..=11 => (9, 1_000_000_000),
        12..=14 => (6, 1_000_000),
        15..=17 => (3, 1_000),
        _ => (0, 1),
    };
    let mut nanos = number * unit_nanos;
    let kept = fraction.get(..unit_digits.min(fraction.len())).unwrap_or("");
    if !kept.is_empty() {
        nanos += kept.parse::<i128>().ok()? * 10i128.pow((unit_digits - kept.len()) as u32);
    }
    Timestamp::from_nanosecond(nanos).ok()
}

impl Partial {
    /// A day whose clock and zone are not read yet.
    const fn midnight(year: Option<i16>, month: i8, day: i8) -> Self {
        Self { year, month, day, hour: 0, minute: 0, second: 0, nanosecond: 0, offset_seconds: None }
    }

    /// The instant, when the year is known or can be told; UTC where no zone is written.
    pub fn assume_utc(self, received_at: Timestamp) -> Option<Timestamp> {
        match self.year {
            Some(year) => self.at(year, self.offset_seconds.unwrap_or(0)),
            None => self.in_likely_year(received_at, SignedDuration::from_mins(2)),
        }
    }

    /// The instant of a message that has just come in: year and zone are inferred from its arrival.
    ///
    /// A local time that lies ahead of the arrival can only come from a zone east of UTC. One that lies behind by a
    /// whole number of half hours, to within seconds, comes from a zone west of it: a queue that was held up would
    /// have to hit the half hour by chance. Everything else is taken as UTC.
    pub fn near(self, received_at: Timestamp) -> Option<Timestamp> {
        if self.offset_seconds.is_some() {
            return self.assume_utc(received_at);
        }
        let at = match self.year {
            Some(year) => self.at(year, 0)?,
            None => self.in_likely_year(received_at, SignedDuration::from_mins(14 * 60 + 2))?,
        };
        let ahead = at.as_second() - received_at.as_second();
        Some(match zone_seconds(ahead) {
            Some(zone) => at.checked_sub(SignedDuration::from_secs(zone)).ok()?,
            None => at,
        })
    }

    /// The latest year in which this moment is not further ahead of `received_at` than `ahead_max`.
    fn in_likely_year(self, received_at: Timestamp, ahead_max: SignedDuration) -> Option<Timestamp> {
        let latest = received_at.checked_add(ahead_max).ok()?;
        let year = latest.to_zoned(TimeZone::UTC).year();
        // 29 February may lie eight years back (1896 to 1904).
        (0..=8).filter_map(|back| self.at(year - back, self.offset_seconds.unwrap_or(0))).find(|at| *at <= latest)
    }

    fn at(self, year: i16, offset_seconds: i32) -> Option<Timestamp> {
        let civil =
            DateTime::new(year, self.month, self.day, self.hour, self.minute, self.second, self.nanosecond).ok()?;
        Offset::from_seconds(offset_seconds).ok()?.to_timestamp(civil).ok()
    }
}

/// The offset of a zone that explains why a local time is `ahead` seconds of the arrival.
fn zone_seconds(ahead: i64) -> Option<i64> {
    const HOUR: i64 = 3600;
    let nearest = |grid: i64| (ahead as f64 / grid as f64).round() as i64 * grid;
    let close = |zone: i64| (-5..=2).contains(&(ahead - zone));
    match ahead {
        120..=50_520 => {
            let quarter = nearest(900);
            if close(quarter) {
                return Some(quarter);
            }
            Some((ahead + HOUR - 1) / HOUR * HOUR)
        }
        -43_210..=-1_700 => Some(nearest(1800)).filter(|zone| close(*zone)),
        _ => None,
    }
}

/// Reads a time at the start of `text`: the time as written, and the rest.
pub(crate) fn scan(text: &str) -> Option<(Partial, &str)> {
    let first = text.bytes().next()?;
    if first.is_ascii_digit() {
        iso(text).or_else(|| day_first(text)).or_else(|| american(text))
    } else {
        month_first(text)
    }
}

/// `2026-01-02T03:04:05.678+02:00`, with a space for the T, a comma for the point, or slashes for the dashes.
fn iso(text: &str) -> Option<(Partial, &str)> {
    let mut at = Cursor(text);
    let year = at.number(4, 4)?;
    let separator = at.one_of("-/.")?;
    let month = at.number(1, 2)?;
    at.exactly(separator)?;
    let day = at.number(1, 2)?;
    let date = Partial::midnight(Some(year as i16), month as i8, day as i8);
    let mut after = Cursor(at.0);
    let has_clock = after.one_of("Tt ").is_some_and(|separator| {
        if separator == ' ' {
            after.0 = after.0.trim_start();
        }
        after.0.bytes().next().is_some_and(|b| b.is_ascii_digit())
    });
    if !has_clock {
        return Some((date, at.0));
    }
    let partial = clock(&mut after, date)?;
    let partial = Partial { offset_seconds: zone(&mut after), ..partial };
    Some((partial, after.0))
}

/// `Jan  2 03:04:05`, `Jan 2 2026 03:04:05.678`, `Fri Jan  2 03:04:05 UTC 2026`.
fn month_first(text: &str) -> Option<(Partial, &str)> {
    let mut at = Cursor(text);
    let mut month = at.month();
    if month.is_none() {
        at.weekday()?;
        if at.0.bytes().next()?.is_ascii_digit() {
            return day_first(at.0);
        }
        month = at.month();
    }
    let month = month?;
    at.spaces()?;
    let day = at.number(1, 2)?;
    at.exactly_if(',');
    at.spaces()?;
    let mut year = None;
    let mut ahead = Cursor(at.0);
    if let Some(number) = ahead.number(4, 4)
        && (ahead.spaces().is_some() || ahead.exactly(':').is_some())
    {
        year = Some(number as i16);
        at = ahead;
    }
    let partial = Partial::midnight(year, month, day as i8);
    let mut partial = clock(&mut at, partial)?;
    partial.offset_seconds = zone(&mut at);
    if partial.year.is_none() {
        // A year may follow, as `date` prints it; it must be followed by the end, a space or a colon.
        let mut ahead = Cursor(at.0);
        if ahead.spaces().is_some()
            && let Some(number) = ahead.number(4, 4)
            && (1990..2200).contains(&number)
            && ahead.0.chars().next().is_none_or(|c| c == ' ' || c == ':')
        {
            partial.year = Some(number as i16);
            at = ahead;
        }
    }
    Some((partial, at.0))
}

/// `02 Jan 2026 03:04:05 +0200`, `02/Jan/2026:03:04:05 +0200`.
fn day_first(text: &str) -> Option<(Partial, &str)> {
    let mut at = Cursor(text);
    let day = at.number(1, 2)?;
    let separator = at.one_of(" /-")?;
    let month = at.month()?;
    at.exactly(separator)?;
    let year = at.number(4, 4)?;
    at.one_of(" :T")?;
    let partial = Partial::midnight(Some(year as i16), month, day as i8);
    let mut partial = clock(&mut at, partial)?;
    partial.offset_seconds = zone(&mut at);
    Some((partial, at.0))
}

/// `1/2/2026 3:04:05 PM`, `1/2/2026 3:04:05 PM +02:00`. With AM or PM alone: elsewhere the day may stand first.
fn american(text: &str) -> Option<(Partial, &str)> {
    let mut at = Cursor(text);
    let month = at.number(1, 2)? as i8;
    at.exactly('/')?;
    let day = at.number(1, 2)? as i8;
    at.exactly('/')?;
    let year = Some(at.number(4, 4)? as i16);
    at.exactly_if(',');
    at.spaces()?;
    let mut partial = clock(&mut at, Partial::midnight(year, month, day))?;
    // Newer systems write a narrow space that does not break.
    at.0 = at.0.trim_start_matches([' ', '\u{a0}', '\u{202f}']);
    let afternoon = at.one_of("AaPp")?.eq_ignore_ascii_case(&'p');
    at.one_of("Mm")?;
    partial.hour = match partial.hour {
        12 => 0,
        hour @ 1..12 => hour,
        _ => return None,
    } + if afternoon { 12 } else { 0 };
    partial.offset_seconds = zone(&mut at);
    at.0.chars().next().is_none_or(|c| !c.is_alphanumeric()).then_some((partial, at.0))
}

/// `03:04`, `03:04:05`, `03:04:05.678`.
fn clock(at: &mut Cursor<'_>, date: Partial) -> Option<Partial> {
    let hour = at.number(1, 2)?;
    at.exactly(':')?;
    let minute = at.number(2, 2)?;
    let mut second = 0;
    let mut nanosecond = 0;
    if at.exactly(':').is_some() {
        // More than two digits have been seen where a program forgot the point, or padded seconds like milliseconds.
        let digits = at.digits(2, 12)?;
        let (seconds, mut fraction) = digits.split_at_checked(2)?;
        second = seconds.parse().ok()?;
        let mut ahead = Cursor(at.0);
        if ahead.one_of(".,").is_some()
            && let Some(digits) = ahead.digits(1, 12)
        {
            fraction = digits;
            *at = ahead;
        }
        let kept = fraction.get(..fraction.len().min(9)).unwrap_or(fraction);
        if !kept.is_empty() {
            nanosecond = kept.parse::<i32>().ok()? * 10i32.pow(9 - kept.len() as u32);
        }
    }
    // A leap second is the last moment of its minute.
    let (second, nanosecond) = if second == 60 { (59, 999_999_999) } else { (second, nanosecond) };
    (hour < 24 && minute < 60 && second < 60).then_some(Partial {
        hour: hour as i8,
        minute: minute as i8,
        second: second as i8,
        nanosecond,
        ..date
    })
}

/// `Z`, `+02:00`, `+0200`, `+02`, ` UTC`, ` +0200`; eats nothing when there is no zone.
fn zone(at: &mut Cursor<'_>) -> Option<i32> {
    let mut ahead = Cursor(at.0);
    ahead.0 = ahead.0.strip_prefix(' ').unwrap_or(ahead.0);
    for name in ["UTC", "GMT", "Z", "z"] {
        if let Some(rest) = ahead.0.strip_prefix(name)
            && rest.chars().next().is_none_or(|c| !c.is_alphanumeric())
        {
            at.0 = rest;
            return Some(0);
        }
    }
    let sign = match ahead.one_of("+-")? {
        '-' => -1,
        _ => 1,
    };
    let digits = ahead.digits(2, 4)?;
    let (hours, minutes) = match digits.len() {
        2 => {
            let hours: i32 = digits.parse().ok()?;
            let minutes = match ahead.exactly(':') {
                Some(()) => ahead.number(2, 2)?,
                None => 0,
            };
            (hours, minutes)
        }
        4 => (digits.get(..2)?.parse().ok()?, digits.get(2..)?.parse().ok()?),
        _ => return None,
    };
    if hours > 18 || minutes > 59 || ahead.0.chars().next().is_some_and(|c| c.is_ascii_digit()) {
        return None;
    }
    *at = ahead;
    Some(sign * (hours * 3600 + minutes * 60))
}

#[derive(Clone, Copy)]
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn digits(&mut self, min: usize, max: usize) -> Option<&'a str> {
        let length = self.0.bytes().take(max).take_while(u8::is_ascii_digit).count();
        if length < min {
            return None;
        }
        let (digits, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(digits)
    }

    fn number(&mut self, min: usize, max: usize) -> Option<i32> {
        self.digits(min, max)?.parse().ok()
    }

    fn one_of(&mut self, set: &str) -> Option<char> {
        let c = self.0.chars().next().filter(|c| set.contains(*c))?;
        self.0 = self.0.get(c.len_utf8()..)?;
        Some(c)
    }

    fn exactly(&mut self, c: char) -> Option<()> {
        self.0 = self.0.strip_prefix(c)?;
        Some(())
    }

    fn exactly_if(&mut self, c: char) {
        self.0 = self.0.strip_prefix(c).unwrap_or(self.0);
    }

    fn spaces(&mut self) -> Option<()> {
        let rest = self.0.trim_start_matches(' ');
        if rest.len() == self.0.len() {
            return None;
        }
        self.0 = rest;
        Some(())
    }

    fn month(&mut self) -> Option<i8> {
        const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        let (name, rest) = self.0.split_at_checked(3)?;
        let index = MONTHS.iter().position(|m| name.eq_ignore_ascii_case(m))?;
        self.0 = rest;
        Some(index as i8 + 1)
    }

    fn weekday(&mut self) -> Option<()> {
        const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let (name, rest) = self.0.split_at_checked(3)?;
        if !DAYS.iter().any(|d| name.eq_ignore_ascii_case(d)) {
            return None;
        }
        self.0 = rest;
        self.exactly_if(',');
        self.spaces()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-06-30T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn reads_the_usual_forms() {
        for (text, expected) in [
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05.123456789012+02:00", "2026-01-02T01:04:05.123456789Z"),
            ("2026-01-02 03:04:05", "2026-01-02T03:04:05Z"),
            ("2026-01-02 03:04:05,357", "2026-01-02T03:04:05.357Z"),
            ("2026-01-02 03:04:05.019-0700", "2026-01-02T10:04:05.019Z"),
            ("2026-01-02 03:04:05.536 UTC", "2026-01-02T03:04:05.536Z"),
            ("2026/01/02 03:04", "2026-01-02T03:04:00Z"),
            ("2026-01-02", "2026-01-02T00:00:00Z"),
            ("2023-09-20T23:00:000.000000Z", "2023-09-20T23:00:00Z"),
            ("2024-12-17 00:00:01250000", "2024-12-17T00:00:01.25Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999999Z"),
            ("1767323045", "2026-01-02T03:04:05Z"),
            ("1767323045.25", "2026-01-02T03:04:05.25Z"),
            ("1767323045123", "2026-01-02T03:04:05.123Z"),
            ("1767323045123456789", "2026-01-02T03:04:05.123456789Z"),
            ("Jan  2 03:04:05", "2026-01-02T03:04:05Z"),
            ("Jan 2 03:04:05", "2026-01-02T03:04:05Z"),
            ("Dec 31 23:59:59", "2025-12-31T23:59:59Z"),
            ("Feb 29 10:00:00", "2024-02-29T10:00:00Z"),
            ("Jan 02 2025 03:04:05", "2025-01-02T03:04:05Z"),
            ("Fri Jan  2 03:04:05 UTC 2026", "2026-01-02T03:04:05Z"),
            ("Fri, 02 Jan 2026 03:04:05 +0100", "2026-01-02T02:04:05Z"),
            ("02/Jan/2026:03:04:05 +0000", "2026-01-02T03:04:05Z"),
            ("1/2/2026 3:04:05 AM", "2026-01-02T03:04:05Z"),
            ("1/2/2026, 12:04:05\u{202f}AM", "2026-01-02T00:04:05Z"),
            ("12/31/2025 12:00:00 PM +01:00", "2025-12-31T11:00:00Z"),
        ] {
            let read = read(text, now()).unwrap_or_else(|| panic!("{text} is not read"));
            assert_eq!(read, expected.parse().unwrap(), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_time() {
        // The day may stand first.
        assert_eq!(read("1/2/2026 03:04:05", now()), None);
        assert_eq!(read("1/2/2026 13:04:05 PM", now()), None);
        for text in [
            "",
            "hello",
            "12",
            "2026-13-01",
            "2026-02-30T00:00:00Z",
            "25:00:00",
            "Jan 99 03:04:05",
            "10.0.0.1",
            "123456",
            "2026-01-02T03:04:05Z and more",
        ] {
            assert_eq!(read(text, now()), None, "{text}");
        }
    }

    #[test]
    fn a_message_that_just_came_in_tells_its_zone() {
        let received: Timestamp = "2026-06-30T12:00:01Z".parse().unwrap();
        for (text, expected) in [
            ("Jun 30 12:00:00", "2026-06-30T12:00:00Z"),
            ("Jun 30 14:00:00", "2026-06-30T12:00:00Z"), // +02:00
            ("Jun 30 17:30:00", "2026-06-30T12:00:00Z"), // +05:30
            ("Jun 30 13:50:00", "2026-06-30T11:50:00Z"), // +02:00, ten minutes late
            ("Jun 30 08:00:00", "2026-06-30T12:00:00Z"), // -04:00
            ("Jun 30 08:17:00", "2026-06-30T08:17:00Z"), // late, from UTC
            ("Jul  1 01:00:01", "2026-06-30T12:00:01Z"), // +13:00
            ("Jul  4 01:00:01", "2025-07-04T01:00:01Z"), // last year
        ] {
            let (partial, rest) = scan(text).unwrap();
            assert_eq!((partial.near(received), rest), (Some(expected.parse().unwrap()), ""), "{text}");
        }
    }

    #[test]
    fn a_line_may_start_with_a_time() {
        let (at, rest) = read_prefix("[2022-02-03 16:10:11.219][vault] wrong", now()).unwrap();
        assert_eq!((at.to_string().as_str(), rest), ("2022-02-03T16:10:11.219Z", "[vault] wrong"));
        let (_, rest) = read_prefix("2021-09-28 09:22:19.536 UTC:1.2.3.4(5432):x", now()).unwrap();
        assert_eq!(rest, ":1.2.3.4(5432):x");
        assert!(read_prefix("no time here", now()).is_none());
    }
}
