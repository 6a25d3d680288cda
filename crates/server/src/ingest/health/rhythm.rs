//! How much a source usually sends in each hour of the week, and how long it may be silent by that measure.
//!
//! Silence is measured in events that should have come, not in seconds. A night in which nothing is expected adds
//! nothing; a quiet minute in a busy hour adds much. A source is silent when more should have come than in three times
//! the longest pause it ever made by itself, or than the longest one of a source that speaks at random.

use serde::{Deserialize, Serialize};

pub const HOUR_MS: i64 = 3_600_000;
const WEEK: usize = 168;
/// 1970-01-01 was a Thursday; slot 0 is Monday 00:00 UTC.
const FIRST_SLOT: i64 = 3 * 24;
/// Hours that must have been seen before anything is said: a whole week with its nights and its weekend, and a day in
/// which pauses were measured by what that week taught.
const HOURS_MIN: u32 = 168 + 24;
const EVENTS_MIN: u64 = 100;
const PAUSES_MIN: u32 = 30;
const TIMES: f64 = 3.0;
/// No alarm before that.
const AFTER_MIN_MS: i64 = 5 * 60_000;
/// How far ahead an alarm is looked for.
const AHEAD_HOURS: i64 = 24 * 28;
/// The weight of a new week, once a few are known.
const NEW_WEEK: f64 = 0.25;
/// What the longest pause loses in each hour: half in a month.
const FORGET: f64 = 0.999;

/// What was learned of one source. Depends on what it was told alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rhythm {
    /// Events per hour, by hour of the week.
    mean: Vec<f64>,
    /// Weeks each of them is known from, up to 100.
    weeks: Vec<u8>,
    /// The hour that is being counted, since 1970; what is before it was learned.
    hour: Option<i64>,
    events_in_hour: u64,
    hours: u32,
    events: u64,
    pauses: u32,
    /// The longest pause that was no alarm, in events that should have come.
    longest: f64,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            mean: vec![0.0; WEEK],
            weeks: vec![0; WEEK],
            hour: None,
            events_in_hour: 0,
            hours: 0,
            events: 0,
            pauses: 0,
            longest: 0.0,
        }
    }
}

impl Rhythm {
    /// An event came in at `at_ms`, the one before it at `before_ms`.
    pub fn take(&mut self, at_ms: i64, before_ms: Option<i64>) {
        self.roll(at_ms);
        self.events_in_hour += 1;
        self.events += 1;
        if let Some(before_ms) = before_ms.filter(|before| *before < at_ms) {
            // Within a second nothing is ever expected: most events need no look at the rhythm.
            if at_ms - before_ms >= 1_000 && self.usual(at_ms).is_some() {
                self.pauses = self.pauses.saturating_add(1);
                self.longest = self.longest.max(self.expected(before_ms, at_ms));
            }
        }
    }

    /// Time goes on without an event: hours that ended are learned, empty ones included.
    pub fn roll(&mut self, now_ms: i64) {
        let now = now_ms.div_euclid(HOUR_MS);
        let Some(mut hour) = self.hour else {
            self.hour = Some(now);
            return;
        };
        // What came while nobody counted for weeks is not worth a loop for each hour.
        if now - hour > AHEAD_HOURS {
            self.skip(now_ms);
            return;
        }
        while hour < now {
            self.learn(hour);
            hour += 1;
        }
        self.hour = Some(hour.max(now));
    }

    /// The hours up to now say nothing: nobody listened, or the source is known to be silent.
    pub fn skip(&mut self, now_ms: i64) {
        let now = now_ms.div_euclid(HOUR_MS);
        if self.hour.is_some_and(|hour| hour < now) {
            self.hour = Some(now);
            self.events_in_hour = 0;
        }
    }

    /// An alarm ended: what it took for silence was a pause. The next one may be as long, but one pause does not make
    /// it deaf.
    pub fn forgive(&mut self, before_ms: i64, at_ms: i64) {
        let pause = self.pause();
        self.longest = self.expected(before_ms, at_ms).clamp(pause, pause * 4.0);
    }

    /// The longest pause that is no silence, in events. At random, among so many events, the logarithm of their number
    /// is what the longest one takes.
    fn pause(&self) -> f64 {
        self.longest.max((self.events as f64 + 1.0).ln())
    }

    fn learn(&mut self, hour: i64) {
        let slot = slot(hour);
        if let (Some(mean), Some(weeks)) = (self.mean.get_mut(slot), self.weeks.get_mut(slot)) {
            let weight = (1.0 / (f64::from(*weeks) + 1.0)).max(NEW_WEEK);
            *mean += (self.events_in_hour as f64 - *mean) * weight;
            *weeks = weeks.saturating_add(1).min(100);
        }
        self.events_in_hour = 0;
        self.hours = self.hours.saturating_add(1);
        self.longest *= FORGET;
    }

    /// Events per hour that are usual at that moment; none while the hour was never seen.
    pub fn usual(&self, at_ms: i64) -> Option<f64> {
        let slot = slot(at_ms.div_euclid(HOUR_MS));
        let known = self.weeks.get(slot).copied().unwrap_or(0) > 0;
        known.then(|| self.mean.get(slot).copied().unwrap_or(0.0))
    }

    /// All hours of the week, from Monday 00:00 UTC; none until each was seen.
    pub fn week(&self) -> Option<&[f64]> {
        self.weeks.iter().all(|weeks| *weeks > 0).then_some(&self.mean)
    }

    /// Events that should have come between two moments.
    fn expected(&self, from_ms: i64, to_ms: i64) -> f64 {
        let mut expected = 0.0;
        let mut at = from_ms.max(to_ms - AHEAD_HOURS * HOUR_MS);
        while at < to_ms {
            let end = ((at.div_euclid(HOUR_MS) + 1) * HOUR_MS).min(to_ms);
            expected += self.rate(at) * (end - at) as f64 / HOUR_MS as f64;
            at = end;
        }
        expected
    }

    fn rate(&self, at_ms: i64) -> f64 {
        self.mean.get(slot(at_ms.div_euclid(HOUR_MS))).copied().unwrap_or(0.0)
    }

    /// Whether enough is known to speak of silence.
    fn is_learned(&self) -> bool {
        self.hours >= HOURS_MIN && self.events >= EVENTS_MIN && self.pauses >= PAUSES_MIN
    }

    /// When it will be silent if nothing comes after `last_ms`; none while that is not learned, or would take weeks.
    pub fn silent_at(&self, last_ms: i64) -> Option<i64> {
        if !self.is_learned() {
            return None;
        }
        let mut left = TIMES * self.pause();
        let mut at = last_ms;
        let end = last_ms + AHEAD_HOURS * HOUR_MS;
        while at < end {
            let next = (at.div_euclid(HOUR_MS) + 1) * HOUR_MS;
            let rate = self.rate(at);
            let here = rate * (next - at) as f64 / HOUR_MS as f64;
            if here >= left {
                let silent = at + (left / rate * HOUR_MS as f64).ceil() as i64;
                return Some(silent.max(last_ms + AFTER_MIN_MS));
            }
            left -= here;
            at = next;
        }
        None
    }
}

/// Which hour of the week an hour since 1970 is.
fn slot(hour: i64) -> usize {
    usize::try_from((hour + FIRST_SLOT).rem_euclid(WEEK as i64)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Monday 2026-01-05T00:00:00Z.
    const MONDAY: i64 = 1_767_571_200_000;
    const MINUTE: i64 = 60_000;
    const DAY: i64 = 24 * HOUR_MS;

    struct Past {
        rhythm: Rhythm,
        last: Option<i64>,
    }

    /// Lives through the days; `comes` says whether an event comes in a minute. Panics on an alarm.
    fn live(days: std::ops::Range<i64>, comes: impl Fn(i64) -> bool) -> Past {
        let mut past = Past { rhythm: Rhythm::default(), last: None };
        for minute in days.start * 1_440..days.end * 1_440 {
            let at = MONDAY + minute * MINUTE;
            if comes(minute) {
                past.rhythm.take(at, past.last);
                past.last = Some(at);
            }
            past.rhythm.roll(at);
            if let Some(silent) = past.last.and_then(|last| past.rhythm.silent_at(last)) {
                assert!(silent > at, "a false alarm in minute {minute}");
            }
        }
        past
    }

    fn at_work(minute: i64) -> bool {
        let (day, hour) = (minute / 1_440 % 7, minute / 60 % 24);
        day < 5 && (8..18).contains(&hour)
    }

    #[test]
    fn the_first_hour_of_the_week_is_monday_midnight() {
        assert_eq!(slot(MONDAY / HOUR_MS), 0);
        assert_eq!(slot(MONDAY / HOUR_MS + 26), 26);
        assert_eq!(slot(MONDAY / HOUR_MS - 1), 167);
    }

    #[test]
    fn nothing_is_said_before_a_week_is_known() {
        let young = live(0..7, |_| true);
        assert_eq!(young.rhythm.silent_at(young.last.unwrap()), None);
        assert!(young.rhythm.week().is_none());
        let rare = live(0..30, |minute| minute % 1_440 == 0);
        assert_eq!(rare.rhythm.silent_at(rare.last.unwrap()), None, "30 events are too few");
    }

    #[test]
    fn a_steady_source_is_missed_within_minutes() {
        let steady = live(0..10, |_| true);
        let last = steady.last.unwrap();
        let after = steady.rhythm.silent_at(last).unwrap() - last;
        assert!((5 * MINUTE..40 * MINUTE).contains(&after), "{} min", after / MINUTE);
        assert_eq!(steady.rhythm.usual(last).map(f64::round), Some(60.0));
    }

    #[test]
    fn nights_and_weekends_are_no_silence() {
        let office = live(0..28, |minute| at_work(minute) && minute % 3 == 0);
        // Friday evening to Monday morning: the alarm comes when work should have begun.
        let friday = MONDAY + 25 * DAY + 18 * HOUR_MS - 3 * MINUTE;
        let silent = office.rhythm.silent_at(friday).unwrap();
        let monday = MONDAY + 28 * DAY + 8 * HOUR_MS;
        assert!((monday..monday + 2 * HOUR_MS).contains(&silent), "{} h after 08:00", (silent - monday) / HOUR_MS);
        // In the middle of a working day it does not take so long.
        let tuesday = MONDAY + 22 * DAY + 10 * HOUR_MS;
        let after = office.rhythm.silent_at(tuesday).unwrap() - tuesday;
        assert!(after < 2 * HOUR_MS, "{} min", after / MINUTE);
    }

    #[test]
    fn what_comes_in_batches_may_pause_between_them() {
        let hourly = live(0..21, |minute| minute % 60 < 5);
        let last = hourly.last.unwrap();
        let after = hourly.rhythm.silent_at(last).unwrap() - last;
        assert!((90 * MINUTE..6 * HOUR_MS).contains(&after), "{} min", after / MINUTE);
    }

    #[test]
    fn an_alarm_that_was_none_makes_it_more_patient() {
        let mut steady = live(0..10, |_| true);
        let last = steady.last.unwrap();
        let before = steady.rhythm.silent_at(last).unwrap();
        for _ in 0..3 {
            steady.rhythm.forgive(last, last + 10 * HOUR_MS);
        }
        assert!(steady.rhythm.silent_at(last).unwrap() - last > 2 * (before - last));
    }

    #[test]
    fn hours_nobody_listened_teach_nothing() {
        let mut steady = live(0..10, |_| true);
        let before = steady.rhythm.week().unwrap().to_vec();
        steady.rhythm.skip(MONDAY + 12 * DAY);
        steady.rhythm.roll(MONDAY + 12 * DAY + 1);
        assert_eq!(steady.rhythm.week().unwrap(), before);
        // Years later, it does not count for ever.
        steady.rhythm.roll(MONDAY + 4_000 * DAY);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// A source whose pauses are drawn from one distribution does not alarm after three weeks of it.
        #[test]
        fn a_rhythm_that_goes_on_is_no_silence(every in 1_i64..40, jitter in 1_i64..5, seed in 0_u64..1_000) {
            let comes = |minute: i64| {
                // All bits of it must be mixed: with stripes in them pauses come in rows.
                let mut mixed = minute as u64 ^ (seed << 32);
                mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                mixed ^= mixed >> 31;
                minute % every == (mixed % jitter as u64) as i64 % every
            };
            live(0..21, comes);
        }

        /// The later the last event, the later the alarm.
        #[test]
        fn the_alarm_moves_with_the_last_event(minutes in prop::collection::vec(0_i64..20_000, 2)) {
            let office = live(0..15, |minute| at_work(minute) && minute % 2 == 0);
            let at = |index: usize| MONDAY + 15 * DAY + minutes[index] * MINUTE;
            let (early, late) = (at(0).min(at(1)), at(0).max(at(1)));
            let (early, late) = (office.rhythm.silent_at(early), office.rhythm.silent_at(late));
            prop_assert!(early.unwrap() <= late.unwrap());
        }
    }
}
