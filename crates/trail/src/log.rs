//! The entries in order: sealed packs, then the segments of the WAL.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;

use crate::hash::Hash;
use crate::wal::Wal;

/// A stretch of the log.
#[derive(Clone)]
pub enum Segment {
    /// Not yet packed.
    Wal(Arc<Wal>),
}

impl Segment {
    fn end(&self) -> u64 {
        match self {
            Self::Wal(wal) => wal.end(),
        }
    }
}

/// All segments by the position of their first entry.
#[derive(Default)]
pub struct Log {
    segments: RwLock<BTreeMap<u64, Segment>>,
}

impl Log {
    /// Adds a segment, or puts it in the place of the one that begins there.
    pub fn put(&self, first: u64, segment: Segment) {
        self.segments.write().insert(first, segment);
    }

    /// The segment that holds `position`, when there is one.
    fn holding(&self, position: u64) -> Option<Segment> {
        let segments = self.segments.read();
        let (_, segment) = segments.range(..=position).next_back()?;
        (position < segment.end()).then(|| segment.clone())
    }

    /// Reads entries from `from` on until one of the bounds is reached or the log ends; at least one
    /// when there is one. Reads only what lies below `size`.
    pub fn read(&self, from: u64, size: u64, entries_max: usize, bytes_max: usize) -> io::Result<Vec<(u64, Bytes)>> {
        let mut entries = Vec::new();
        let mut next = from;
        let mut bytes_left = bytes_max;
        while next < size && entries.len() < entries_max && (bytes_left > 0 || entries.is_empty()) {
            let Some(segment) = self.holding(next) else { break };
            let before = entries.len();
            let wanted = (entries_max - before).min(usize::try_from(size - next).unwrap_or(usize::MAX));
            match segment {
                Segment::Wal(wal) => wal.read(next, wanted, bytes_left, &mut entries)?,
            }
            if entries.len() == before {
                break;
            }
            bytes_left = bytes_left.saturating_sub(entries[before..].iter().map(|(_, e)| e.len() + 2).sum());
            next = from + entries.len() as u64;
        }
        Ok(entries)
    }

    /// The leaf hashes of the positions `from..to`, all of which are in the log.
    pub fn leaves(&self, from: u64, to: u64) -> io::Result<Vec<Hash>> {
        let mut leaves = Vec::with_capacity((to - from) as usize);
        let mut next = from;
        while next < to {
            let segment = self.holding(next).ok_or(io::ErrorKind::NotFound)?;
            let end = segment.end().min(to);
            match segment {
                Segment::Wal(wal) => leaves.extend(wal.leaves(next, end)),
            }
            next = end;
        }
        Ok(leaves)
    }
}
