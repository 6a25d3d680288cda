//! Which positions of a stretch: a bit for each, compressed, so that a plan of any size is bounded by the trail.

use std::ops::Range;

use crate::state::removals::Step;

/// So many positions make a stretch; stretches begin at multiples of it.
pub const STRETCH: u64 = 65_536;
const BYTES: usize = STRETCH as usize / 8;

/// The bits of a plan can't be read.
#[derive(Debug, thiserror::Error)]
#[error("the positions of a removal can't be read")]
pub struct Unreadable(#[source] std::io::Error);

/// A set of positions within one stretch.
#[derive(Clone, PartialEq, Eq)]
pub struct Picks {
    base: u64,
    bits: Vec<u8>,
}

/// The first position of the stretch of `position`.
pub fn base_of(position: u64) -> u64 {
    position - position % STRETCH
}

impl std::fmt::Debug for Picks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.ranges()).finish()
    }
}

impl Picks {
    /// Nothing of the stretch that begins at `base`.
    pub fn none(base: u64) -> Self {
        Self { base, bits: vec![0; BYTES] }
    }

    /// Adds a position; one of another stretch is none of ours.
    pub fn insert(&mut self, position: u64) {
        if let Some((byte, bit)) = self.place(position)
            && let Some(byte) = self.bits.get_mut(byte)
        {
            *byte |= bit;
        }
    }

    pub fn remove(&mut self, position: u64) {
        if let Some((byte, bit)) = self.place(position)
            && let Some(byte) = self.bits.get_mut(byte)
        {
            *byte &= !bit;
        }
    }

    pub fn contains(&self, position: u64) -> bool {
        self.place(position).is_some_and(|(byte, bit)| self.bits.get(byte).is_some_and(|byte| byte & bit != 0))
    }

    pub fn len(&self) -> u64 {
        self.bits.iter().map(|byte| u64::from(byte.count_ones())).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.bits.iter().all(|byte| *byte == 0)
    }

    pub fn base(&self) -> u64 {
        self.base
    }

    /// The positions as ranges, ascending, as long as they can be.
    pub fn ranges(&self) -> Vec<Range<u64>> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for (at, byte) in self.bits.iter().enumerate().filter(|(_, byte)| **byte != 0) {
            for bit in (0..8).filter(|bit| byte & (1 << bit) != 0) {
                let position = self.base + at as u64 * 8 + bit;
                match ranges.last_mut() {
                    Some(last) if last.end == position => last.end += 1,
                    _ => ranges.push(position..position + 1),
                }
            }
        }
        ranges
    }

    /// As the state keeps it, as a part of removal `id`.
    pub fn step(&self, id: &str) -> Result<Step, Unreadable> {
        Ok(Step {
            removal_id: id.to_owned(),
            base: self.base.cast_signed(),
            picks: self.to_bytes()?,
            entries: self.len().cast_signed(),
        })
    }

    /// Reads what the state keeps.
    pub fn of(step: &Step) -> Result<Self, Unreadable> {
        Self::from_bytes(step.base.cast_unsigned(), &step.picks)
    }

    fn to_bytes(&self) -> Result<Vec<u8>, Unreadable> {
        zstd::bulk::compress(&self.bits, 3).map_err(Unreadable)
    }

    fn from_bytes(base: u64, bytes: &[u8]) -> Result<Self, Unreadable> {
        let bits = zstd::bulk::decompress(bytes, BYTES).map_err(Unreadable)?;
        if bits.len() != BYTES {
            return Err(Unreadable(std::io::Error::other("it has another length")));
        }
        Ok(Self { base, bits })
    }

    fn place(&self, position: u64) -> Option<(usize, u8)> {
        let offset = position.checked_sub(self.base).filter(|offset| *offset < STRETCH)?;
        Some(((offset / 8) as usize, 1 << (offset % 8)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_picked_is_kept_and_read_again() {
        let base = 3 * STRETCH;
        let mut picks = Picks::none(base);
        assert!(picks.is_empty());
        for position in [base, base + 1, base + 7, base + 8, base + 9, base + STRETCH - 1, base + STRETCH, base - 1] {
            picks.insert(position);
        }
        picks.insert(base + 100);
        picks.remove(base + 100);
        let ranges = [base..base + 2, base + 7..base + 10, base + STRETCH - 1..base + STRETCH];
        assert_eq!(picks.ranges(), ranges);
        assert_eq!(picks.len(), 6);
        assert!(picks.contains(base + 8) && !picks.contains(base + 2) && !picks.contains(base + STRETCH));
        let kept = picks.to_bytes().unwrap();
        assert!(kept.len() < 100, "{}", kept.len());
        assert_eq!(Picks::from_bytes(base, &kept).unwrap(), picks);
        assert!(Picks::from_bytes(base, b"no").is_err());
        assert_eq!(base_of(base + 5), base);
    }
}
