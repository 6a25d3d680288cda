//! How many, and from when to when.

use crate::month::Nanos;

/// A count of events, with the first and the last of their times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    pub(crate) first: Nanos,
    pub(crate) last: Nanos,
}

impl Tally {
    pub(crate) const NONE: Self = Self { count: 0, first: Nanos::MAX, last: Nanos::MIN };

    #[inline]
    pub(crate) fn add(&mut self, time: Nanos) {
        self.count += 1;
        self.first = self.first.min(time);
        self.last = self.last.max(time);
    }

    #[inline]
    pub(crate) fn join(&mut self, other: &Self) {
        self.count += other.count;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}
