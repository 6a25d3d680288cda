//! A sender's own numbers: what is missing, what comes late, what begins anew.
//!
//! Depends on its arguments alone. Numbers may come out of order: what is jumped over counts as missing only after
//! [`PATIENCE_MS`]. A number 0 or 1 that is followed by the next one is a restart. Numbers that had come before are
//! counted, and mean nothing else. What jumps more often than it counts is no sequence and is left alone.

use serde::{Deserialize, Serialize};

/// How long a missing number may be on its way.
pub const PATIENCE_MS: i64 = 60_000;
/// Stretches of missing numbers that one run remembers.
const HOLES_MAX: usize = 64;
/// Jumps after which a run has to have counted more often than it jumped.
const JUMPS_MIN: u32 = 16;

/// A stretch of numbers that did not come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hole {
    pub from: u64,
    pub to: u64,
    /// When it was jumped over, by the time the events came in.
    pub since_ms: i64,
    /// The gap that was raised for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<String>,
}

impl Hole {
    /// How many numbers it is wide.
    pub fn width(&self) -> u64 {
        self.to - self.from + 1
    }
}

/// One run of numbers, from its start to the next restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    /// The first number that was seen.
    start: u64,
    /// The number after the highest one.
    next: u64,
    holes: Vec<Hole>,
    steps: u32,
    jumps: u32,
}

/// What a number came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It is the next one, the first one, or ahead of the next.
    Taken,
    /// It was missing, and no gap had been raised.
    Late,
    /// It was missing from this gap. `left` of the numbers that this stretch belongs to are missing still.
    Filled { gap: String, left: u64 },
    /// It had come before.
    Duplicate,
}

/// One stream: a run, and the one before a restart as long as it may go on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    run: Option<Run>,
    /// The run before the last restart: a batch that is sent twice looks like one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Run>,
    /// After a 0 or 1 the number that would make it a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restart: Option<u64>,
    pub seen_ms: i64,
    pub duplicates: u64,
}

impl Stream {
    /// Takes the number of an event that came in at `at_ms`.
    pub fn take(&mut self, number: u64, at_ms: i64) -> Seen {
        self.seen_ms = self.seen_ms.max(at_ms);
        let begins = number <= 1;
        let Some(run) = self.run.as_mut() else {
            self.run = Some(Run { start: number, next: number + 1, ..Run::default() });
            return Seen::Taken;
        };
        // The second number of what may be a restart, unless the run itself waits for it.
        if self.restart == Some(number) && number < run.next && !run.is_missing(number) {
            let fresh = Run { start: number - 1, next: number + 1, steps: 1, ..Run::default() };
            self.before = self.run.replace(fresh);
            self.restart = None;
            // The number that announced it was taken for a repetition.
            self.duplicates = self.duplicates.saturating_sub(1);
            return Seen::Taken;
        }
        if number > run.next
            && let Some(seen) = self.before.as_mut().and_then(|before| before.fill(number))
        {
            return seen;
        }
        if number >= run.next {
            self.restart = None;
            // The old run goes on: what looked like a restart was sent twice.
            if let Some(before) = self.before.take() {
                if number != run.next && number >= before.next && number - before.next < number - run.next {
                    self.duplicates += run.next - run.start;
                    let run = self.run.insert(before);
                    run.reach(number, at_ms);
                    return Seen::Taken;
                }
                self.before = Some(before);
            }
            run.reach(number, at_ms);
            return Seen::Taken;
        }
        if let Some(seen) = run.fill(number) {
            return seen;
        }
        if let Some(seen) = self.before.as_mut().and_then(|before| before.fill(number)) {
            return seen;
        }
        if number < run.start {
            // Older than the first one that was seen: it came from before we listened.
            if !begins || run.start <= 2 {
                run.start = number;
                return Seen::Late;
            }
        }
        if begins {
            self.restart = Some(number + 1);
        }
        self.duplicates += 1;
        Seen::Duplicate
    }

    /// Stretches that have been missing for too long by now, each once; `name` gives each its gap.
    pub fn settle(&mut self, now_ms: i64, name: &mut impl FnMut() -> String) -> Vec<Hole> {
        let mut found = Vec::new();
        for run in self.run.iter_mut().chain(self.before.iter_mut()) {
            if run.is_irregular() {
                continue;
            }
            for hole in &mut run.holes {
                if hole.gap.is_none() && now_ms - hole.since_ms >= PATIENCE_MS {
                    hole.gap = Some(name());
                    found.push(hole.clone());
                }
            }
        }
        found
    }

    /// Whether something may become a gap.
    pub fn is_waiting(&self) -> bool {
        self.run
            .iter()
            .chain(&self.before)
            .any(|run| !run.is_irregular() && run.holes.iter().any(|hole| hole.gap.is_none()))
    }

    /// Whether its numbers are no sequence.
    pub fn is_irregular(&self) -> bool {
        self.run.as_ref().is_some_and(Run::is_irregular)
    }

    /// The number that would come next.
    pub fn next(&self) -> Option<u64> {
        self.run.as_ref().map(|run| run.next)
    }
}

impl Run {
    /// Goes on to `number`, which is the next one or lies ahead.
    fn reach(&mut self, number: u64, at_ms: i64) {
        if number > self.next {
            self.jumps = self.jumps.saturating_add(1);
            self.holes.push(Hole { from: self.next, to: number - 1, since_ms: at_ms, gap: None });
            if self.is_irregular() {
                self.holes.retain(|hole| hole.gap.is_some());
            }
            if self.holes.len() > HOLES_MAX {
                // The oldest that was raised is on record; it only can't be filled any more.
                let oldest = self.holes.iter().position(|hole| hole.gap.is_some()).unwrap_or(0);
                self.holes.remove(oldest);
            }
        } else {
            self.steps = self.steps.saturating_add(1);
        }
        self.next = number.saturating_add(1);
    }

    fn is_missing(&self, number: u64) -> bool {
        self.holes.iter().any(|hole| (hole.from..=hole.to).contains(&number))
    }

    /// Takes a number out of what is missing.
    fn fill(&mut self, number: u64) -> Option<Seen> {
        let place = self.holes.iter().position(|hole| (hole.from..=hole.to).contains(&number))?;
        let hole = self.holes.remove(place);
        // What comes late is a sequence that is out of order, not one that jumps.
        self.jumps = self.jumps.saturating_sub(u32::from(hole.from == hole.to));
        if number < hole.to {
            self.holes.insert(place, Hole { from: number + 1, ..hole.clone() });
        }
        if number > hole.from {
            self.holes.insert(place, Hole { to: number - 1, ..hole.clone() });
        }
        let Some(gap) = hole.gap else { return Some(Seen::Late) };
        let left = self.holes.iter().filter(|other| other.gap.as_ref() == Some(&gap)).map(Hole::width).sum();
        Some(Seen::Filled { gap, left })
    }

    fn is_irregular(&self) -> bool {
        self.jumps >= JUMPS_MIN && self.jumps > self.steps
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is missing after `numbers` came one second apart and then nothing for an hour.
    fn check(numbers: &[u64], expected: &[(u64, u64)]) {
        let mut stream = Stream::default();
        for (second, number) in (0..).zip(numbers) {
            stream.take(*number, second * 1_000);
        }
        let mut made = 0;
        let gaps = stream.settle(3_600_000 + numbers.len() as i64 * 1_000, &mut || {
            made += 1;
            made.to_string()
        });
        let found: Vec<_> = gaps.iter().map(|hole| (hole.from, hole.to)).collect();
        assert_eq!(found, expected, "{numbers:?}");
        assert!(stream.settle(i64::MAX / 2, &mut || panic!("{numbers:?}: raised twice")).is_empty());
    }

    #[test]
    fn what_is_missing_is_found_and_nothing_else() {
        check(&[], &[]);
        check(&[1, 2, 3], &[]);
        check(&[57, 58, 59], &[]);
        check(&[1, 2, 5, 6], &[(3, 4)]);
        check(&[1, 5], &[(2, 4)]);
        check(&[1, 2, 4, 3, 5], &[]);
        check(&[5, 4, 6, 3, 7], &[]);
        check(&[1, 2, 9, 4, 10], &[(3, 3), (5, 8)]);
        // Repetitions.
        check(&[1, 2, 2, 3, 3, 3, 4], &[]);
        // A restart, at 0 and at 1, also while something was missing before.
        check(&[7, 8, 9, 0, 1, 2], &[]);
        check(&[7, 8, 9, 1, 2, 3], &[]);
        check(&[7, 9, 1, 2, 3, 8], &[]);
        check(&[7, 9, 1, 2, 3, 5], &[(4, 4), (8, 8)]);
        // A batch sent twice looks like a restart, until the old numbers go on.
        check(&[1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6, 7], &[]);
        check(&[1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 9, 10], &[]);
        check(&[1, 2, 3, 4, 5, 1, 6], &[]);
        check(&[0, 1, 2, 3, 0, 1, 2, 3, 4], &[]);
        // Numbers of another kind.
        let scattered: Vec<u64> = (1..200).map(|n| n * 1_000 + n % 7).collect();
        check(&scattered, &[]);
    }

    #[test]
    fn what_comes_late_does_not_alarm_and_what_comes_later_fills() {
        let mut stream = Stream::default();
        for number in [1, 2, 6] {
            assert_eq!(stream.take(number, 1_000), Seen::Taken);
        }
        assert!(stream.is_waiting());
        assert!(stream.settle(PATIENCE_MS + 999, &mut || "early".to_owned()).is_empty());
        assert_eq!(stream.take(4, 2_000), Seen::Late);
        let gaps = stream.settle(PATIENCE_MS + 1_000, &mut || "g".to_owned());
        assert_eq!(gaps.iter().map(|hole| (hole.from, hole.to)).collect::<Vec<_>>(), [(3, 3), (5, 5)]);
        assert!(!stream.is_waiting());
        assert_eq!(stream.take(5, 90_000), Seen::Filled { gap: "g".to_owned(), left: 1 });
        assert_eq!(stream.take(3, 90_000), Seen::Filled { gap: "g".to_owned(), left: 0 });
        assert_eq!(stream.take(3, 90_000), Seen::Duplicate);
        assert_eq!((stream.next(), stream.duplicates), (Some(7), 1));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut stream = Stream::default();
        for number in 0..10_000_u64 {
            // Two steps, then a jump: a sequence, though a bad one.
            stream.take(number / 3 * 5 + number % 3, 0);
        }
        let run = stream.run.as_ref().unwrap();
        assert_eq!(run.holes.len(), HOLES_MAX);
        assert!(serde_json::to_string(&stream).unwrap().len() < 8_000);
        stream.take(u64::MAX - 1, 0);
        stream.take(u64::MAX - 1, 0);
    }

    proptest! {
        /// Whatever order a window of numbers comes in, and however often: nothing is missing in the end.
        #[test]
        fn out_of_order_and_twice_is_no_gap(
            start in 2_u64..1_000,
            length in 1_usize..120,
            swaps in prop::collection::vec((0_usize..120, 1_usize..8), 0..60),
            twice in prop::collection::vec(0_usize..120, 0..20),
        ) {
            let mut numbers: Vec<u64> = (start..start + length as u64).collect();
            for (place, far) in swaps {
                if place + far < numbers.len() {
                    numbers.swap(place, place + far);
                }
            }
            for place in twice {
                if let Some(number) = numbers.get(place).copied() {
                    numbers.push(number);
                }
            }
            check(&numbers, &[]);
        }

        /// A stretch that is taken out of a long enough sequence is exactly what is found.
        #[test]
        fn what_is_taken_out_is_found(start in 0_u64..1_000, before in 1_u64..50, wide in 1_u64..50, after in 1_u64..50) {
            let gap = start + before..start + before + wide;
            let numbers: Vec<u64> = (start..start + before + wide + after).filter(|n| !gap.contains(n)).collect();
            check(&numbers, &[(gap.start, gap.end - 1)]);
        }

        /// It survives being written down at any moment.
        #[test]
        fn written_and_read_it_goes_on(numbers in prop::collection::vec(0_u64..30, 1..60), cut in 0_usize..60) {
            let mut whole = Stream::default();
            let mut saved = Stream::default();
            for (place, number) in numbers.iter().enumerate() {
                if place == cut {
                    saved = serde_json::from_str(&serde_json::to_string(&saved).unwrap()).unwrap();
                }
                prop_assert_eq!(whole.take(*number, place as i64), saved.take(*number, place as i64));
            }
            prop_assert_eq!(whole, saved);
        }
    }
}
