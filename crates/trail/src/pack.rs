//! Packs: sealed segments, compressed. A pack never changes once it has its name; when entries are
//! removed, another takes its place.
//!
//! ```text
//! header │ frames … │ index │ short hashes │ tags │ note │ trailer
//! ```
//! All integers are big-endian; `docs/trail-format.md` has the bytes.

mod build;
mod check;
mod rewrite;
mod shred;

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::{self, Disk, DiskFile};
use crate::error::TrailError;
use crate::frame::{self, TAG_BYTES, entry_at, u32_at, u64_at};
use crate::hash::Hash;
use crate::tags::Tagged;

pub use build::{Builder, Packing};
pub use check::{Checked, PackFault, check};
pub use rewrite::without;

/// The first and the last bytes of a pack.
pub const MAGIC: &[u8; 8] = b"belfrypk";
/// The newest version of the format. A pack is written in the oldest that can say what is in it.
pub const VERSION: u32 = 2;
/// The version that knows codecs 0 and 1, and no removed entries.
const PLAIN: u32 = 1;
/// The version that knows codec 2 as well, and removed entries.
const FULL: u32 = 2;
const HEADER_BYTES: usize = 32;
const HEAD_BYTES: usize = 32;
const TRAILER_BYTES: usize = 64;
/// Frames end after so many bytes, whatever the count.
const FRAME_BYTES_MAX: usize = 1 << 20;
/// No frame is longer when unpacked: the bound above, and the longest entry beyond it.
const PLAIN_BYTES_MAX: u32 = (FRAME_BYTES_MAX + 2 * frame::ENTRY_BYTES_MAX) as u32;

/// Codec 0: as it is.
const STORED: u8 = 0;
/// Codec 1: one zstd frame.
const ZSTD: u8 = 1;
/// Codec 2: by field, see `shred`.
const SHREDDED: u8 = 2;

/// The name of the pack that begins at `first`.
pub fn name(first: u64) -> String {
    format!("{first:020}.pack")
}

/// What the last bytes of a pack say.
#[derive(Debug, Clone, Copy)]
struct Trailer {
    index_offset: u64,
    first: u64,
    frames: u32,
    entries: u32,
    tags: u32,
    note_bytes: u32,
    index_crc: u32,
    shorts_crc: u32,
    tags_crc: u32,
    version: u32,
}

/// Why bytes are no pack.
enum Unreadable {
    Damaged(&'static str),
    Version(u32),
}

impl Trailer {
    /// Reads the trailer of a file of `file_bytes`.
    fn read(bytes: &[u8], file_bytes: u64) -> Result<Self, Unreadable> {
        let damaged = || Unreadable::Damaged("its trailer is damaged");
        let number = |at| u32_at(bytes, at).ok_or_else(damaged);
        if bytes.len() != TRAILER_BYTES || &bytes[56..] != MAGIC || number(52)? != crc32c::crc32c(&bytes[..52]) {
            return Err(damaged());
        }
        let version = number(44)?;
        if version == 0 || version > VERSION {
            return Err(Unreadable::Version(version));
        }
        let trailer = Self {
            index_offset: u64_at(bytes, 0).ok_or_else(damaged)?,
            first: u64_at(bytes, 8).ok_or_else(damaged)?,
            frames: number(16)?,
            entries: number(20)?,
            tags: number(24)?,
            note_bytes: number(28)?,
            index_crc: number(32)?,
            shorts_crc: number(36)?,
            tags_crc: number(40)?,
            version,
        };
        let sections = record_bytes(version) as u64 * u64::from(trailer.frames)
            + 4 * u64::from(trailer.entries)
            + TAG_BYTES as u64 * u64::from(trailer.tags)
            + u64::from(trailer.note_bytes)
            + TRAILER_BYTES as u64;
        if trailer.index_offset.checked_add(sections) != Some(file_bytes) {
            return Err(Unreadable::Damaged("its length is not what its trailer says"));
        }
        Ok(trailer)
    }

    fn index_bytes(&self) -> usize {
        record_bytes(self.version) * self.frames as usize
    }

    fn tags_offset(&self) -> u64 {
        self.index_offset + self.index_bytes() as u64 + 4 * u64::from(self.entries)
    }
}

/// Where a frame stands in its pack.
#[derive(Debug, Clone, Copy)]
struct FrameRef {
    offset: u64,
    before: u32,
    entries: u32,
    removed: u32,
    end: u64,
}

/// Bytes of one frame in the index.
fn record_bytes(version: u32) -> usize {
    if version == PLAIN { 16 } else { 20 }
}

fn read_index(bytes: &[u8], trailer: &Trailer) -> Option<Vec<FrameRef>> {
    let mut frames: Vec<FrameRef> = bytes
        .chunks_exact(record_bytes(trailer.version))
        .map(|one| {
            Some(FrameRef {
                offset: u64_at(one, 0)?,
                before: u32_at(one, 8)?,
                entries: u32_at(one, 12)?,
                removed: if trailer.version == PLAIN { 0 } else { u32_at(one, 16)? },
                end: 0,
            })
        })
        .collect::<Option<_>>()?;
    let (mut end, mut entries) = (trailer.index_offset, trailer.entries);
    for frame in frames.iter_mut().rev() {
        frame.end = end;
        entries = entries.checked_sub(frame.entries)?;
        let head_end = frame.offset.checked_add(HEAD_BYTES as u64)?;
        if frame.before != entries || frame.entries == 0 || frame.removed > frame.entries || head_end > end {
            return None;
        }
        end = frame.offset;
    }
    (entries == 0 && end == HEADER_BYTES as u64).then_some(frames)
}

/// An open pack: its file and its index.
pub struct Pack {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    trailer: Trailer,
    frames: Vec<FrameRef>,
}

/// The entries of one frame, unpacked.
pub struct Frame {
    /// The position of the first.
    pub first: u64,
    bytes: Bytes,
    offsets: Vec<u32>,
    /// The removed entries by their number in the frame, ascending.
    removed: Vec<(u32, Hash)>,
}

impl Frame {
    fn parse(first: u64, plain: Vec<u8>, entries: u32, removed: Vec<(u32, Hash)>) -> Option<Self> {
        let mut offsets = Vec::with_capacity(entries as usize);
        let mut at = 0;
        for _ in 0..entries {
            offsets.push(at as u32);
            at = entry_at(&plain, at)?.end;
        }
        // Of a removed entry nothing is left but its hash.
        let emptied = removed.iter().all(|(i, _)| plain_is_empty_at(&plain, &offsets, *i));
        (at == plain.len() && emptied).then(|| Self { first, bytes: plain.into(), offsets, removed })
    }

    /// How many entries it has.
    pub fn count(&self) -> u64 {
        self.offsets.len() as u64
    }

    /// The entry at a position that lies in it; one that was removed is empty.
    pub fn entry(&self, position: u64) -> Bytes {
        let offset = self.offsets[(position - self.first) as usize] as usize;
        entry_at(&self.bytes, offset).map_or_else(Bytes::new, |range| self.bytes.slice(range))
    }

    /// The leaf hash of the entry at a position that lies in it.
    pub fn leaf(&self, position: u64) -> Hash {
        self.removed_leaf(position).unwrap_or_else(|| Hash::leaf(&self.entry(position)))
    }

    /// The leaf hash that stands for the entry at a position, if it was removed.
    pub fn removed_leaf(&self, position: u64) -> Option<Hash> {
        let number = (position - self.first) as u32;
        let at = self.removed.binary_search_by_key(&number, |(i, _)| *i).ok()?;
        Some(self.removed[at].1)
    }

    /// The memory it takes.
    pub fn weight(&self) -> usize {
        self.bytes.len() + 4 * self.offsets.len() + 36 * self.removed.len() + 100
    }
}

fn plain_is_empty_at(plain: &[u8], offsets: &[u32], number: u32) -> bool {
    offsets.get(number as usize).and_then(|at| entry_at(plain, *at as usize)).is_some_and(|range| range.is_empty())
}

impl Pack {
    /// Opens a pack and reads its index.
    pub fn open(disk: &dyn Disk, path: &Path, first: u64) -> Result<Self, TrailError> {
        let io = |e| TrailError::io("read", path)(e);
        let tampered =
            |what: &str| TrailError::Tampered { position: first, what: format!("{}: {what}", path.display()) };
        let file = disk.open_read(path).map_err(io)?;
        let file_bytes = file.len().map_err(io)?;
        let mut bytes = vec![0; TRAILER_BYTES];
        let trailer_at = file_bytes.checked_sub(TRAILER_BYTES as u64).ok_or_else(|| tampered("it is cut off"))?;
        disk::read_exact_at(&*file, &mut bytes, trailer_at).map_err(io)?;
        let trailer = Trailer::read(&bytes, file_bytes).map_err(|e| match e {
            Unreadable::Damaged(what) => tampered(what),
            Unreadable::Version(found) => TrailError::Version { path: path.into(), found, known: VERSION },
        })?;
        if trailer.first != first {
            return Err(tampered("it is another pack under this name"));
        }
        let mut index = vec![0; trailer.index_bytes()];
        disk::read_exact_at(&*file, &mut index, trailer.index_offset).map_err(io)?;
        if crc32c::crc32c(&index) != trailer.index_crc {
            return Err(tampered("its index is damaged"));
        }
        let frames = read_index(&index, &trailer).ok_or_else(|| tampered("its index is damaged"))?;
        Ok(Self { path: path.into(), file, trailer, frames })
    }

    /// How many entries it holds.
    pub fn count(&self) -> u64 {
        u64::from(self.trailer.entries)
    }

    /// The number of the frame that holds a position that lies in the pack.
    pub fn frame_of(&self, position: u64) -> usize {
        let relative = (position - self.trailer.first) as u32;
        self.frames.partition_point(|f| f.before <= relative) - 1
    }

    /// Reads and unpacks a frame.
    pub fn frame(&self, number: usize) -> Result<Frame, TrailError> {
        let at = self.frames[number];
        let first = self.trailer.first + u64::from(at.before);
        let mut bytes = vec![0; (at.end - at.offset) as usize];
        disk::read_exact_at(&*self.file, &mut bytes, at.offset).map_err(TrailError::io("read", &self.path))?;
        let fault =
            |what: String| TrailError::Tampered { position: first, what: format!("{}: {what}", self.path.display()) };
        unpack(&bytes, first, at.entries, at.removed).map_err(fault)
    }

    /// How many entries of `range`, which lies in the pack, were removed.
    pub fn removed_in(&self, range: Range<u64>) -> Result<u64, TrailError> {
        let mut removed = 0;
        for (number, at) in self.frames.iter().enumerate().filter(|(_, at)| at.removed > 0) {
            let begin = self.trailer.first + u64::from(at.before);
            let end = begin + u64::from(at.entries);
            let (from, to) = (range.start.max(begin), range.end.min(end));
            if from >= to {
                continue;
            }
            removed += if (from, to) == (begin, end) {
                u64::from(at.removed)
            } else {
                let frame = self.frame(number)?;
                (from..to).filter(|position| frame.removed_leaf(*position).is_some()).count() as u64
            };
        }
        Ok(removed)
    }

    /// The tags in it, oldest first.
    pub fn tags(&self) -> Result<Vec<([u8; 16], Tagged)>, TrailError> {
        let mut bytes = vec![0; TAG_BYTES * self.trailer.tags as usize + self.trailer.note_bytes as usize];
        disk::read_exact_at(&*self.file, &mut bytes, self.trailer.tags_offset())
            .map_err(TrailError::io("read", &self.path))?;
        if crc32c::crc32c(&bytes) != self.trailer.tags_crc {
            let what = format!("{}: its tags are damaged", self.path.display());
            return Err(TrailError::Tampered { position: self.trailer.first, what });
        }
        Ok(bytes[..TAG_BYTES * self.trailer.tags as usize]
            .chunks_exact(TAG_BYTES)
            .filter_map(frame::read_tag)
            .collect())
    }
}

/// Unpacks a frame from its head and stored bytes.
fn unpack(bytes: &[u8], first: u64, entries: u32, removed: u32) -> Result<Frame, String> {
    let damaged = || format!("the frame at position {first} is damaged");
    let (head, stored) = bytes.split_at_checked(HEAD_BYTES).ok_or_else(damaged)?;
    let number = |at| u32_at(head, at).ok_or_else(damaged);
    if crc32c::crc32c_append(crc32c::crc32c(&head[..28]), stored) != number(28)? {
        return Err(damaged());
    }
    let fits = number(4)? as usize == stored.len() && number(12)? == entries && number(24)? == removed;
    if !fits || u64_at(head, 16) != Some(first) {
        return Err(damaged());
    }
    let (packed, marks) = split_removed(stored, entries, removed).ok_or_else(damaged)?;
    let removed = read_removed(marks, entries, removed).ok_or_else(damaged)?;
    let plain = decode(head[0], packed, entries, number(8)?)?;
    Frame::parse(first, plain, entries, removed).ok_or_else(damaged)
}

/// The packed entries of a frame, and what stands behind them when some were removed: a bit for each
/// entry, lowest first, and the leaf hash of each whose bit is set.
fn split_removed(stored: &[u8], entries: u32, removed: u32) -> Option<(&[u8], &[u8])> {
    let marks = if removed == 0 { 0 } else { entries.div_ceil(8) as usize + 32 * removed as usize };
    stored.split_at_checked(stored.len().checked_sub(marks)?)
}

fn read_removed(marks: &[u8], entries: u32, removed: u32) -> Option<Vec<(u32, Hash)>> {
    if removed == 0 {
        return Some(Vec::new());
    }
    let (bits, hashes) = marks.split_at_checked(entries.div_ceil(8) as usize)?;
    let numbers = (0..8 * bits.len() as u32).filter(|i| is_set(bits, *i));
    let read: Vec<(u32, Hash)> = numbers.zip(hashes.chunks_exact(32).filter_map(Hash::from_slice)).collect();
    let set: u32 = bits.iter().map(|byte| byte.count_ones()).sum();
    (set == removed && read.iter().all(|(i, _)| *i < entries)).then_some(read)
}

fn is_set(bits: &[u8], number: u32) -> bool {
    bits.get(number as usize / 8).is_some_and(|byte| byte >> (number % 8) & 1 == 1)
}

thread_local! {
    /// Its tables are larger than most frames, so each thread that reads makes them once.
    static UNPACKER: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

fn decode(codec: u8, stored: &[u8], entries: u32, plain_bytes: u32) -> Result<Vec<u8>, String> {
    if plain_bytes > PLAIN_BYTES_MAX {
        return Err(format!("a frame of {plain_bytes} bytes is too long"));
    }
    match codec {
        STORED => Ok(stored.to_vec()),
        ZSTD | SHREDDED => UNPACKER.with_borrow_mut(|unpacker| {
            let unpacker = match unpacker {
                Some(unpacker) => unpacker,
                None => unpacker.insert(zstd::bulk::Decompressor::new().map_err(|e| e.to_string())?),
            };
            if codec == SHREDDED {
                return shred::unpack(stored, entries, plain_bytes as usize, unpacker)
                    .ok_or_else(|| "a frame does not unpack".to_owned());
            }
            unpacker.decompress(stored, plain_bytes as usize).map_err(|e| format!("a frame does not unpack: {e}"))
        }),
        other => Err(format!("codec {other} is not known to this version")),
    }
}
