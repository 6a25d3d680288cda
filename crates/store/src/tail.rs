//! The newest events: those that are in the trail and not yet in the index.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use event::Event;

use crate::budget::{Budget, Halt};
use crate::entries::Entries;
use crate::error::StoreError;
use crate::month::{Nanos, nanos};
use crate::query::Order;

/// So many entries are read from the trail at a time.
const READ: u64 = 512;
/// A smaller chunk is joined with the next.
const CHUNK_MIN: usize = 8_192;

/// When the events happened that the index was given and has not committed. The events themselves
/// are in the trail, whose newest entries are in memory.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tail {
    chunks: Vec<Arc<Vec<Nanos>>>,
    len: u64,
}

impl Tail {
    pub(crate) fn push(&mut self, times: Vec<Nanos>) {
        self.len += times.len() as u64;
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK_MIN => Arc::make_mut(last).extend_from_slice(&times),
            _ => self.chunks.push(Arc::new(times)),
        }
    }
}

/// Everything from the last commit up to `size`: first the tail, then what the trail has beyond it.
pub(crate) struct Recent<'a> {
    pub(crate) tail: &'a Tail,
    /// Where the tail ends.
    pub(crate) applied: u64,
    pub(crate) size: u64,
    pub(crate) entries: &'a dyn Entries,
    pub(crate) budget: &'a Budget,
}

/// Who looks through the newest events.
pub(crate) trait Sift {
    /// Whether an event at this position, of this time, has to be read.
    fn wants(&self, position: u64, time: Nanos) -> bool;
    /// Takes one that was wanted.
    fn take(&mut self, position: u64, time: Nanos, entry: &Bytes);
}

impl Recent<'_> {
    /// Goes through all of them, from the one end of the trail or from the other.
    pub(crate) fn each(&self, order: Order, sift: &mut dyn Sift) -> Result<(), Halt> {
        let tail = self.applied.saturating_sub(self.tail.len).min(self.size)..self.applied.min(self.size);
        let unapplied = self.applied.min(self.size)..self.size;
        match order {
            Order::Newest => {
                self.unapplied(unapplied, order, sift)?;
                self.tail(tail, order, sift)
            }
            Order::Oldest => {
                self.tail(tail, order, sift)?;
                self.unapplied(unapplied, order, sift)
            }
        }
    }

    /// Reads only what is wanted by its time.
    fn tail(&self, range: Range<u64>, order: Order, sift: &mut dyn Sift) -> Result<(), Halt> {
        let mut first = self.applied.saturating_sub(self.tail.len);
        let mut blocks = Vec::new();
        for chunk in &self.tail.chunks {
            for times in chunk.chunks(READ as usize) {
                blocks.push((first, times));
                first += times.len() as u64;
            }
        }
        if order == Order::Newest {
            blocks.reverse();
        }
        for (first, times) in blocks {
            self.budget.check()?;
            let wanted = |(position, time): &(u64, &Nanos)| range.contains(position) && sift.wants(*position, **time);
            let Some((low, _)) = (first..).zip(times).find(wanted) else { continue };
            let end = range.end.min(first + times.len() as u64);
            let times = times.get((low - first) as usize..).unwrap_or_default().iter().copied();
            let read: Vec<_> = (low..).zip(times).zip(self.read(low, end)?).collect();
            in_order(read, order, |((position, time), entry)| {
                if sift.wants(position, time) {
                    sift.take(position, time, &entry);
                }
            });
        }
        Ok(())
    }

    fn unapplied(&self, range: Range<u64>, order: Order, sift: &mut dyn Sift) -> Result<(), Halt> {
        let mut rest = range;
        while !rest.is_empty() {
            let block = match order {
                Order::Newest => rest.end.saturating_sub(READ).max(rest.start)..rest.end,
                Order::Oldest => rest.start..rest.end.min(rest.start + READ),
            };
            match order {
                Order::Newest => rest.end = block.start,
                Order::Oldest => rest.start = block.end,
            }
            let read: Vec<_> = (block.start..).zip(self.read(block.start, block.end)?).collect();
            in_order(read, order, |(position, entry)| {
                let time = entry_time(&entry);
                if sift.wants(position, time) {
                    sift.take(position, time, &entry);
                }
            });
        }
        Ok(())
    }

    fn read(&self, start: u64, end: u64) -> Result<Vec<Bytes>, Halt> {
        let mut entries: Vec<Bytes> = Vec::new();
        loop {
            self.budget.check()?;
            let next = start + entries.len() as u64;
            if next >= end {
                return Ok(entries);
            }
            let max = usize::try_from(end - next).unwrap_or(usize::MAX);
            let more = self.entries.read_from(next, max).map_err(StoreError::Entries)?;
            if more.is_empty() {
                return Ok(entries);
            }
            entries.extend(more.into_iter().take(max));
        }
    }
}

fn in_order<T>(read: Vec<T>, order: Order, f: impl FnMut(T)) {
    match order {
        Order::Newest => read.into_iter().rev().for_each(f),
        Order::Oldest => read.into_iter().for_each(f),
    }
}

/// When the event of an entry happened. The time is the first thing in nearly every entry, so that
/// the rest need not be read.
pub(crate) fn entry_time(entry: &[u8]) -> Nanos {
    quick_time(entry).unwrap_or_else(|| Event::read(entry).map_or(0, |event| nanos(event.timestamp())))
}

fn quick_time(entry: &[u8]) -> Option<Nanos> {
    let rest = entry.strip_prefix(b"{\"@timestamp\":\"")?;
    let end = rest.iter().take(40).position(|byte| *byte == b'"')?;
    let text = std::str::from_utf8(rest.get(..end)?).ok()?;
    text.parse().ok().map(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_an_entry_is_that_of_its_event() {
        for entry in [
            r#"{"@timestamp":"2026-11-21T10:00:00.5Z","event":{"action":"a"}}"#,
            r#"{"!":1,"@timestamp":"2026-11-21T10:00:00Z"}"#,
            r#"{"@timestamp":["2026-11-21T10:00:00Z","x"]}"#,
            r#"{"@timestamp":"soon"}"#,
            r#"{}"#,
        ] {
            let event = Event::read(entry.as_bytes()).unwrap();
            assert_eq!(entry_time(entry.as_bytes()), nanos(event.timestamp()), "{entry}");
        }
        assert_eq!(entry_time(b"no event"), 0);
    }
}
