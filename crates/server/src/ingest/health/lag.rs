//! How old events are when they come in, and whose clock is wrong.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Events whose lag is remembered.
const RECENT_MAX: usize = 256;
/// What is older than that says nothing about now.
const RECENT_MS: i64 = 3_600_000;
/// Events of a host between two looks at its clock.
const WINDOW: u32 = 64;
/// Events that must be known of a host before a clock that is behind is told from a slow way.
const BEHIND_MIN: u32 = 20;
/// Less than this is the way, or the resolution of a time stamp.
const AHEAD_MS: i64 = 2_000;
const BEHIND_MS: i64 = 30_000;

/// The lags of the newest events, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lags {
    recent: VecDeque<i64>,
    at_ms: i64,
    /// The usual lag, slowly learned.
    usual: Option<f64>,
}

impl Lags {
    pub fn take(&mut self, lag_ms: i64, at_ms: i64) {
        if at_ms - self.at_ms > RECENT_MS {
            self.recent.clear();
        }
        self.at_ms = self.at_ms.max(at_ms);
        if self.recent.len() >= RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(lag_ms);
        let usual = self.usual.get_or_insert(lag_ms as f64);
        *usual += (lag_ms as f64 - *usual) / 5_000.0;
    }

    /// The median and the 95th percentile.
    pub fn percentiles(&self) -> Option<(i64, i64)> {
        let mut sorted: Vec<i64> = self.recent.iter().copied().collect();
        sorted.sort_unstable();
        let at = |part: usize| sorted.get((sorted.len() * part / 100).min(sorted.len().saturating_sub(1))).copied();
        Some((at(50)?, at(95)?))
    }

    /// What is usual, as far as it was learned.
    pub fn usual_ms(&self) -> f64 {
        self.usual.unwrap_or(0.0)
    }

    pub fn count(&self) -> usize {
        self.recent.len()
    }
}

/// What the lags of one host say of its clock: of the newest 64 to 128 events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skew {
    now: Window,
    before: Window,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Window {
    least: i64,
    most: i64,
    events: u32,
}

impl Window {
    fn take(&mut self, lag_ms: i64) {
        self.least = if self.events == 0 { lag_ms } else { self.least.min(lag_ms) };
        self.most = if self.events == 0 { lag_ms } else { self.most.max(lag_ms) };
        self.events += 1;
    }
}

impl Skew {
    pub fn take(&mut self, lag_ms: i64) {
        if self.now.events >= WINDOW {
            self.before = std::mem::take(&mut self.now);
        }
        self.now.take(lag_ms);
    }

    /// How far the clock goes ahead (positive) or behind (negative), where that is plain: events come from the future;
    /// or all of many are late by the same, which no way is.
    pub fn ms(&self) -> Option<i64> {
        let windows = || [self.now, self.before].into_iter().filter(|window| window.events > 0);
        let least = windows().map(|window| window.least).min()?;
        let most = windows().map(|window| window.most).max()?;
        let events: u32 = windows().map(|window| window.events).sum();
        if least < -AHEAD_MS {
            return Some(-least);
        }
        let steady = most - least <= (least / 10).max(5_000);
        (least > BEHIND_MS && events >= BEHIND_MIN && steady).then_some(-least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_newest() {
        let mut lags = Lags::default();
        assert_eq!(lags.percentiles(), None);
        for lag in 0..1_000 {
            lags.take(lag, lag);
        }
        assert_eq!(lags.percentiles(), Some((744 + 128, 744 + 243)));
        lags.take(7, 10_000_000);
        assert_eq!((lags.percentiles(), lags.count()), (Some((7, 7)), 1));
    }

    #[test]
    fn clocks_that_are_wrong_are_told_from_slow_ways() {
        let check = |lags: &[i64], expected: Option<i64>| {
            let mut skew = Skew::default();
            lags.iter().for_each(|lag| skew.take(*lag));
            assert_eq!(skew.ms(), expected, "{lags:?}");
        };
        check(&[], None);
        check(&[5, 900, 20], None);
        check(&[-500, 30], None);
        check(&[-90_000, 10], Some(90_000));
        let late: Vec<i64> = (0..40).map(|n| 120_000 + n * 20).collect();
        check(&late, Some(-120_000));
        check(&late[..10], None);
        // Sent in batches: of every age.
        let batched: Vec<i64> = (0..60).map(|n| 40_000 + n * 5_000).collect();
        check(&batched, None);
        // Mended: after a while it is forgotten.
        let mended: Vec<i64> = std::iter::repeat_n(-90_000, 10).chain(std::iter::repeat_n(10, 200)).collect();
        check(&mended, None);
    }
}
