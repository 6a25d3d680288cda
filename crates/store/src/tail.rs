//! The newest events: those that are in the trail and not yet in the index.

use std::sync::Arc;

use event::Event;

use crate::budget::{Budget, Halt};
use crate::entries::Entries;
use crate::error::StoreError;
use crate::month::{Nanos, nanos};
use crate::query::Order;

/// So many entries are read from the trail at a time.
const READ: u64 = 512;
/// A smaller chunk is joined with the next.
const CHUNK_BYTES_MIN: usize = 64 * 1024;

/// Events that the index was given and has not committed, one after the other.
#[derive(Debug, Default, Clone)]
pub(crate) struct Chunk {
    first: u64,
    times: Vec<Nanos>,
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

impl Chunk {
    pub(crate) fn new(first: u64) -> Self {
        Self { first, ..Self::default() }
    }

    pub(crate) fn push(&mut self, time: Nanos, entry: &[u8]) {
        self.times.push(time);
        self.bytes.extend_from_slice(entry);
        self.ends.push(self.bytes.len());
    }

    fn get(&self, at: usize) -> Option<(u64, Nanos, &[u8])> {
        let start = if at == 0 { 0 } else { *self.ends.get(at - 1)? };
        Some((self.first + at as u64, *self.times.get(at)?, self.bytes.get(start..*self.ends.get(at)?)?))
    }

    fn append(&mut self, other: &Self) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.times.extend_from_slice(&other.times);
        self.ends.extend(other.ends.iter().map(|end| start + end));
    }
}

/// The chunks from the last commit on, without a gap.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tail {
    chunks: Vec<Arc<Chunk>>,
    bytes: usize,
}

impl Tail {
    pub(crate) fn push(&mut self, chunk: Chunk) {
        self.bytes += chunk.bytes.len();
        match self.chunks.last_mut() {
            Some(last) if last.bytes.len() < CHUNK_BYTES_MIN => Arc::make_mut(last).append(&chunk),
            _ => self.chunks.push(Arc::new(chunk)),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
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

/// What is done with each entry: its position, its time, itself.
type Visit<'f> = dyn FnMut(u64, Nanos, &[u8]) + 'f;

impl Recent<'_> {
    /// Goes through all of them, from the one end of the trail or from the other.
    pub(crate) fn each(&self, order: Order, visit: &mut Visit<'_>) -> Result<(), Halt> {
        match order {
            Order::Newest => {
                self.unapplied_back(visit)?;
                for chunk in self.tail.chunks.iter().rev() {
                    (0..chunk.times.len()).rev().try_for_each(|at| self.show(chunk, at, visit))?;
                }
            }
            Order::Oldest => {
                for chunk in &self.tail.chunks {
                    (0..chunk.times.len()).try_for_each(|at| self.show(chunk, at, visit))?;
                }
                self.unapplied(visit)?;
            }
        }
        Ok(())
    }

    fn show(&self, chunk: &Chunk, at: usize, visit: &mut Visit<'_>) -> Result<(), Halt> {
        if at.is_multiple_of(1024) {
            self.budget.check()?;
        }
        if let Some((position, time, entry)) = chunk.get(at)
            && position < self.size
        {
            visit(position, time, entry);
        }
        Ok(())
    }

    fn unapplied(&self, visit: &mut Visit<'_>) -> Result<(), Halt> {
        let mut start = self.applied;
        while start < self.size {
            let end = self.size.min(start + READ);
            for (position, entry) in (start..).zip(self.read(start, end)?) {
                visit(position, entry_time(&entry), &entry);
            }
            start = end;
        }
        Ok(())
    }

    fn unapplied_back(&self, visit: &mut Visit<'_>) -> Result<(), Halt> {
        let mut end = self.size;
        while end > self.applied {
            let start = end.saturating_sub(READ).max(self.applied);
            for (position, entry) in (start..).zip(self.read(start, end)?).collect::<Vec<_>>().into_iter().rev() {
                visit(position, entry_time(&entry), &entry);
            }
            end = start;
        }
        Ok(())
    }

    fn read(&self, start: u64, end: u64) -> Result<Vec<Vec<u8>>, Halt> {
        let mut entries: Vec<Vec<u8>> = Vec::new();
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
