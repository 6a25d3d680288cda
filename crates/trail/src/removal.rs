//! Which entries shall be removed, and what became of it.

use std::ops::Range;

use crate::trail::Position;

/// Positions of entries to be removed: half-open ranges, ascending, apart from each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removal {
    ranges: Vec<Range<Position>>,
}

impl Removal {
    /// No positions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the positions of `range`. Cheapest in ascending order; an empty range adds nothing.
    pub fn insert(&mut self, range: Range<Position>) {
        if range.is_empty() {
            return;
        }
        // Those that touch the new one are merged with it.
        let from = self.ranges.partition_point(|r| r.end < range.start);
        let to = self.ranges.partition_point(|r| r.start <= range.end);
        let touching = &self.ranges[from..to];
        let start = touching.first().map_or(range.start, |r| r.start.min(range.start));
        let end = touching.last().map_or(range.end, |r| r.end.max(range.end));
        self.ranges.splice(from..to, std::iter::once(start..end));
    }

    /// Whether `position` is among them.
    pub fn contains(&self, position: Position) -> bool {
        let at = self.ranges.partition_point(|r| r.end <= position);
        self.ranges.get(at).is_some_and(|r| r.contains(&position))
    }

    /// How many positions there are.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|r| r.end - r.start).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The positions, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Position> + '_ {
        self.ranges.iter().cloned().flatten()
    }

    /// The ranges, ascending and apart from each other.
    pub fn ranges(&self) -> &[Range<Position>] {
        &self.ranges
    }

    /// Whether any of `range` is among them.
    pub(crate) fn touches(&self, range: &Range<Position>) -> bool {
        let at = self.ranges.partition_point(|r| r.end <= range.start);
        self.ranges.get(at).is_some_and(|r| r.start.max(range.start) < range.end)
    }

    /// The position after the last.
    pub(crate) fn end(&self) -> Position {
        self.ranges.last().map_or(0, |r| r.end)
    }
}

impl FromIterator<Range<Position>> for Removal {
    fn from_iter<I: IntoIterator<Item = Range<Position>>>(ranges: I) -> Self {
        let mut removal = Self::new();
        ranges.into_iter().for_each(|range| removal.insert(range));
        removal
    }
}

/// How far a removal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoveProgress {
    /// Packs that were made again, or had nothing to lose.
    pub packs_done: u64,
    /// Packs that hold any of the positions.
    pub packs_total: u64,
    /// Entries removed so far.
    pub entries: u64,
}

/// What a removal did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Entries that were there and are no more. Those removed before are not counted again.
    pub entries: u64,
    /// Bytes that the files became shorter by.
    pub bytes_freed: u64,
    /// Packs that were made again.
    pub packs: u64,
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "that is what is meant")]
mod tests {
    use super::*;

    fn check(inserted: &[Range<u64>], expected: &[Range<u64>]) {
        let removal: Removal = inserted.iter().cloned().collect();
        assert_eq!(removal.ranges(), expected, "{inserted:?}");
        let positions: Vec<u64> = removal.iter().collect();
        assert_eq!(positions.len() as u64, removal.len());
        for position in 0..40 {
            let wanted = expected.iter().any(|r| r.contains(&position));
            assert_eq!(removal.contains(position), wanted);
            assert_eq!(positions.contains(&position), wanted);
            for end in position..40 {
                assert_eq!(removal.touches(&(position..end)), (position..end).any(|p| removal.contains(p)));
            }
        }
    }

    #[test]
    fn ranges_are_kept_apart_and_in_order() {
        check(&[], &[]);
        check(&[3..3], &[]);
        check(&[3..5, 5..6, 8..9], &[3..6, 8..9]);
        check(&[8..9, 3..5, 4..6], &[3..6, 8..9]);
        check(&[1..2, 4..5, 7..8, 0..10], &[0..10]);
        check(&[1..30, 4..5], &[1..30]);
        check(&[10..12, 2..3, 3..10], &[2..12]);
    }
}
