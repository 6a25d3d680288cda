//! The entries in order: sealed packs, then the segments of the WAL.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};

use crate::cache::Lru;
use crate::disk::Disk;
use crate::error::TrailError;
use crate::hash::Hash;
use crate::pack::{Frame, Pack};
use crate::removal::Removal;
use crate::wal::Wal;

/// How many packs are kept open.
const OPEN_PACKS_MAX: usize = 256;

/// A stretch of the log.
#[derive(Clone)]
pub enum Segment {
    /// Not yet packed.
    Wal(Arc<Wal>),
    /// Packed.
    Pack(Arc<PackRef>),
}

/// A pack that need not be open.
pub struct PackRef {
    /// The position of its first entry.
    pub first: u64,
    /// How many entries it holds.
    pub count: u64,
    /// Its file.
    pub path: PathBuf,
    /// Another file has its name now: what is read through this must not be kept.
    retired: AtomicBool,
}

impl PackRef {
    /// A pack that is not open.
    pub fn new(first: u64, count: u64, path: PathBuf) -> Self {
        Self { first, count, path, retired: AtomicBool::new(false) }
    }

    fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }
}

impl Segment {
    fn end(&self) -> u64 {
        match self {
            Self::Wal(wal) => wal.end(),
            Self::Pack(pack) => pack.first + pack.count,
        }
    }
}

/// All segments by the position of their first entry.
pub struct Log {
    disk: Arc<dyn Disk>,
    segments: RwLock<BTreeMap<u64, Segment>>,
    packs: Mutex<Lru<u64, Arc<Pack>>>,
    frames: Mutex<Lru<(u64, usize), Arc<Frame>>>,
}

impl Log {
    /// An empty log that keeps up to `cache_bytes_max` of unpacked frames.
    pub fn new(disk: Arc<dyn Disk>, cache_bytes_max: usize) -> Self {
        Self {
            disk,
            segments: RwLock::default(),
            packs: Mutex::new(Lru::new(OPEN_PACKS_MAX)),
            frames: Mutex::new(Lru::new(cache_bytes_max)),
        }
    }

    /// Adds a segment, or puts it in the place of the one that begins there.
    pub fn put(&self, first: u64, segment: Segment) {
        self.segments.write().insert(first, segment);
    }

    /// The oldest segment that is sealed and not packed.
    pub fn oldest_sealed(&self) -> Option<Arc<Wal>> {
        let segments = self.segments.read();
        let mut wals = segments.values().rev().map_while(|s| match s {
            Segment::Wal(wal) => Some(wal),
            Segment::Pack(_) => None,
        });
        wals.next(); // the newest is still being written
        wals.last().cloned()
    }

    /// How many segments are sealed and not packed.
    pub fn sealed(&self) -> usize {
        self.segments.read().values().rev().take_while(|s| matches!(s, Segment::Wal(_))).count().saturating_sub(1)
    }

    /// The segments of the WAL, newest first.
    pub fn wals(&self) -> Vec<Arc<Wal>> {
        let segments = self.segments.read();
        segments
            .values()
            .rev()
            .filter_map(|s| if let Segment::Wal(wal) = s { Some(wal.clone()) } else { None })
            .collect()
    }

    /// The packs, newest first.
    pub fn packs(&self) -> Vec<Arc<PackRef>> {
        let segments = self.segments.read();
        segments
            .values()
            .rev()
            .filter_map(|s| if let Segment::Pack(pack) = s { Some(pack.clone()) } else { None })
            .collect()
    }

    /// The packs that hold any of these positions, oldest first.
    pub fn packs_with(&self, removal: &Removal) -> Vec<Arc<PackRef>> {
        let mut packs = self.packs();
        packs.retain(|pack| removal.touches(&(pack.first..pack.first + pack.count)));
        packs.reverse();
        packs
    }

    /// The position of the first entry that is not packed.
    pub fn first_unpacked(&self) -> Option<u64> {
        self.wals().last().map(|wal| wal.first)
    }

    /// Forgets what was read of a pack: another file has its name.
    pub fn reopen(&self, pack: &PackRef) {
        let fresh = PackRef::new(pack.first, pack.count, pack.path.clone());
        self.put(pack.first, Segment::Pack(Arc::new(fresh)));
        // Whoever reads through the old one meanwhile looks at this under the locks below, and keeps nothing.
        pack.retired.store(true, Ordering::Release);
        self.packs.lock().retain(|first| *first != pack.first);
        self.frames.lock().retain(|(first, _)| *first != pack.first);
    }

    /// How many entries of `range`, all of which are in the log, were removed.
    pub fn removed_in(&self, range: Range<u64>) -> Result<u64, TrailError> {
        let (mut removed, mut next) = (0, range.start);
        while next < range.end {
            let segment = self.holding(next).ok_or_else(|| missing(next))?;
            let end = segment.end().min(range.end);
            if let Segment::Pack(at) = &segment {
                removed += self.pack(at)?.removed_in(next..end)?;
            }
            if end == next {
                return Err(missing(next));
            }
            next = end;
        }
        Ok(removed)
    }

    /// The leaf hash that stands for the entry at `position`, if it was removed.
    pub fn removed_leaf(&self, position: u64) -> Result<Option<Hash>, TrailError> {
        match self.holding(position).ok_or_else(|| missing(position))? {
            Segment::Wal(_) => Ok(None),
            Segment::Pack(at) => Ok(self.frame(&at, position)?.removed_leaf(position)),
        }
    }

    /// The segment that holds `position`, when there is one.
    fn holding(&self, position: u64) -> Option<Segment> {
        let segments = self.segments.read();
        let (_, segment) = segments.range(..=position).next_back()?;
        (position < segment.end()).then(|| segment.clone())
    }

    /// Opens a pack, or takes it from those that are open.
    pub fn pack(&self, at: &PackRef) -> Result<Arc<Pack>, TrailError> {
        if let Some(pack) = self.packs.lock().get(&at.first) {
            return Ok(pack);
        }
        let pack = Arc::new(Pack::open(&*self.disk, &at.path, at.first)?);
        if pack.count() != at.count {
            let what = format!("{} holds {} entries instead of {}", at.path.display(), pack.count(), at.count);
            return Err(TrailError::Tampered { position: at.first + at.count.min(pack.count()), what });
        }
        let mut packs = self.packs.lock();
        if !at.is_retired() {
            packs.put(at.first, pack.clone(), 1);
        }
        Ok(pack)
    }

    fn frame(&self, at: &PackRef, position: u64) -> Result<Arc<Frame>, TrailError> {
        let pack = self.pack(at)?;
        let number = pack.frame_of(position);
        if let Some(frame) = self.frames.lock().get(&(at.first, number)) {
            return Ok(frame);
        }
        let frame = Arc::new(pack.frame(number)?);
        let mut frames = self.frames.lock();
        if !at.is_retired() {
            frames.put((at.first, number), frame.clone(), frame.weight());
        }
        Ok(frame)
    }

    /// Reads entries from `from` on until one of the bounds is reached or the log ends; at least one
    /// when there is one. Reads only what lies below `size`.
    pub fn read(
        &self,
        from: u64,
        size: u64,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<(u64, Bytes)>, TrailError> {
        let mut entries = Vec::new();
        let mut next = from;
        let mut bytes_left = bytes_max;
        while next < size && entries.len() < entries_max && (bytes_left > 0 || entries.is_empty()) {
            let segment = self.holding(next).ok_or_else(|| missing(next))?;
            let before = entries.len();
            let wanted = (entries_max - before).min(usize::try_from(size - next).unwrap_or(usize::MAX));
            match segment {
                Segment::Wal(wal) => {
                    wal.read(next, wanted, bytes_left, &mut entries).map_err(TrailError::io("read", &wal.path))?;
                }
                Segment::Pack(pack) => {
                    let frame = self.frame(&pack, next)?;
                    let end = (frame.first + frame.count()).min(next + wanted as u64);
                    let mut bytes = 0;
                    for position in next..end {
                        if bytes >= bytes_left && position > next {
                            break;
                        }
                        let entry = frame.entry(position);
                        bytes += entry.len() + 2;
                        entries.push((position, entry));
                    }
                }
            }
            if entries.len() == before {
                return Err(missing(next));
            }
            bytes_left = bytes_left.saturating_sub(entries[before..].iter().map(|(_, e)| e.len() + 2).sum());
            next = from + entries.len() as u64;
        }
        Ok(entries)
    }

    /// The leaf hashes of the positions `from..to`, all of which are in the log.
    pub fn leaves(&self, from: u64, to: u64) -> Result<Vec<Hash>, TrailError> {
        let mut leaves = Vec::with_capacity((to - from) as usize);
        let mut next = from;
        while next < to {
            let end = match self.holding(next).ok_or_else(|| missing(next))? {
                Segment::Wal(wal) => {
                    let end = wal.end().min(to);
                    leaves.extend(wal.leaves(next, end));
                    end
                }
                Segment::Pack(pack) => {
                    let frame = self.frame(&pack, next)?;
                    let end = (frame.first + frame.count()).min(to);
                    leaves.extend((next..end).map(|position| frame.leaf(position)));
                    end
                }
            };
            next = end;
        }
        Ok(leaves)
    }
}

fn missing(position: u64) -> TrailError {
    TrailError::Tampered { position, what: "the entry is missing from the log".to_owned() }
}
