//! Packs: sealed segments, compressed. A pack never changes once it has its name.
//!
//! ```text
//! header │ frames … │ index │ short hashes │ tags │ note │ trailer
//! ```
//! All integers are big-endian; `docs/trail-format.md` has the bytes.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::{self, Disk, DiskFile};
use crate::error::TrailError;
use crate::frame::{self, TAG_BYTES, entry_at, u32_at, u64_at};
use crate::hash::Hash;
use crate::tags::Tagged;

/// The first and the last bytes of a pack.
pub const MAGIC: &[u8; 8] = b"belfrypk";
/// The version of the format.
pub const VERSION: u32 = 1;
const HEADER_BYTES: usize = 32;
const HEAD_BYTES: usize = 32;
const INDEX_BYTES: usize = 16;
const TRAILER_BYTES: usize = 64;
/// Frames end after so many bytes, whatever the count.
const FRAME_BYTES_MAX: usize = 1 << 20;
/// No frame is longer when unpacked: the bound above, and the longest entry beyond it.
const PLAIN_BYTES_MAX: u32 = (FRAME_BYTES_MAX + 2 * frame::ENTRY_BYTES_MAX) as u32;

/// Codec 0: as it is.
const STORED: u8 = 0;
/// Codec 1: one zstd frame.
const ZSTD: u8 = 1;

/// The name of the pack that begins at `first`.
pub fn name(first: u64) -> String {
    format!("{first:020}.pack")
}

/// A pack being made in memory.
pub struct Builder {
    bytes: Vec<u8>,
    first: u64,
    frame_entries_max: usize,
    compressor: zstd::bulk::Compressor<'static>,
    plain: Vec<u8>,
    entries_in_frame: u32,
    entries: u32,
    index: Vec<u8>,
    frames: u32,
}

impl Builder {
    /// Begins the pack of `entries` entries from `first` on.
    pub fn new(first: u64, entries: u32, level: i32, frame_entries_max: usize) -> io::Result<Self> {
        let mut bytes = Vec::with_capacity(8 << 20);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&first.to_be_bytes());
        bytes.extend_from_slice(&entries.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_be_bytes());
        Ok(Self {
            bytes,
            first,
            frame_entries_max,
            compressor: zstd::bulk::Compressor::new(level)?,
            plain: Vec::new(),
            entries_in_frame: 0,
            entries: 0,
            index: Vec::new(),
            frames: 0,
        })
    }

    /// Adds the next entry.
    pub fn push(&mut self, entry: &[u8]) -> io::Result<()> {
        self.plain.extend_from_slice(&(entry.len() as u16).to_be_bytes());
        self.plain.extend_from_slice(entry);
        self.entries_in_frame += 1;
        // Frames end at round positions, so that an entry bundle lies in one.
        let next = self.first + u64::from(self.entries + self.entries_in_frame);
        if next.is_multiple_of(self.frame_entries_max as u64) || self.plain.len() >= FRAME_BYTES_MAX {
            self.end_frame()?;
        }
        Ok(())
    }

    fn end_frame(&mut self) -> io::Result<()> {
        if self.entries_in_frame == 0 {
            return Ok(());
        }
        let packed = self.compressor.compress(&self.plain)?;
        let (codec, stored) =
            if packed.len() < self.plain.len() { (ZSTD, &packed) } else { (STORED, &self.plain) };
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(&[codec, 0, 0, 0]);
        self.bytes.extend_from_slice(&(stored.len() as u32).to_be_bytes());
        self.bytes.extend_from_slice(&(self.plain.len() as u32).to_be_bytes());
        self.bytes.extend_from_slice(&self.entries_in_frame.to_be_bytes());
        self.bytes.extend_from_slice(&(self.first + u64::from(self.entries)).to_be_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        let crc = crc32c::crc32c_append(crc32c::crc32c(&self.bytes[begin..]), stored);
        self.bytes.extend_from_slice(&crc.to_be_bytes());
        self.bytes.extend_from_slice(stored);
        self.index.extend_from_slice(&(begin as u64).to_be_bytes());
        self.index.extend_from_slice(&self.entries.to_be_bytes());
        self.index.extend_from_slice(&self.entries_in_frame.to_be_bytes());
        self.entries += self.entries_in_frame;
        self.frames += 1;
        self.entries_in_frame = 0;
        self.plain.clear();
        Ok(())
    }

    /// Ends the pack: its bytes.
    pub fn finish(mut self, leaves: &[Hash], tags: &[([u8; 16], Tagged)], note: &str) -> io::Result<Vec<u8>> {
        self.end_frame()?;
        let index_offset = self.bytes.len();
        self.bytes.extend_from_slice(&self.index);
        let shorts_offset = self.bytes.len();
        for leaf in leaves {
            self.bytes.extend_from_slice(&leaf.short());
        }
        let tags_offset = self.bytes.len();
        for (key, tagged) in tags {
            frame::write_tag(&mut self.bytes, key, tagged);
        }
        self.bytes.extend_from_slice(note.as_bytes());
        let end = self.bytes.len();
        let crcs = [
            crc32c::crc32c(&self.bytes[index_offset..shorts_offset]),
            crc32c::crc32c(&self.bytes[shorts_offset..tags_offset]),
            crc32c::crc32c(&self.bytes[tags_offset..end]),
        ];
        self.bytes.extend_from_slice(&(index_offset as u64).to_be_bytes());
        self.bytes.extend_from_slice(&self.first.to_be_bytes());
        for number in [self.frames, self.entries, tags.len() as u32, note.len() as u32, crcs[0], crcs[1], crcs[2], VERSION, 0] {
            self.bytes.extend_from_slice(&number.to_be_bytes());
        }
        let crc = crc32c::crc32c(&self.bytes[end..]);
        self.bytes.extend_from_slice(&crc.to_be_bytes());
        self.bytes.extend_from_slice(MAGIC);
        debug_assert_eq!(self.bytes.len() - end, TRAILER_BYTES);
        Ok(self.bytes)
    }
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
        if number(44)? != VERSION {
            return Err(Unreadable::Version(number(44)?));
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
        };
        let sections = INDEX_BYTES as u64 * u64::from(trailer.frames)
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
        INDEX_BYTES * self.frames as usize
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
    end: u64,
}

fn read_index(bytes: &[u8], trailer: &Trailer) -> Option<Vec<FrameRef>> {
    let mut frames: Vec<FrameRef> = bytes
        .chunks_exact(INDEX_BYTES)
        .map(|one| Some(FrameRef { offset: u64_at(one, 0)?, before: u32_at(one, 8)?, entries: u32_at(one, 12)?, end: 0 }))
        .collect::<Option<_>>()?;
    let (mut end, mut entries) = (trailer.index_offset, trailer.entries);
    for frame in frames.iter_mut().rev() {
        frame.end = end;
        entries = entries.checked_sub(frame.entries)?;
        let fits = frame.before == entries && frame.entries > 0 && frame.offset + HEAD_BYTES as u64 <= end;
        if !fits {
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
}

impl Frame {
    fn parse(first: u64, plain: Vec<u8>, entries: u32) -> Option<Self> {
        let mut offsets = Vec::with_capacity(entries as usize);
        let mut at = 0;
        for _ in 0..entries {
            offsets.push(at as u32);
            at = entry_at(&plain, at)?.end;
        }
        (at == plain.len()).then(|| Self { first, bytes: plain.into(), offsets })
    }

    /// How many entries it has.
    pub fn count(&self) -> u64 {
        self.offsets.len() as u64
    }

    /// The entry at a position that lies in it.
    pub fn entry(&self, position: u64) -> Bytes {
        let offset = self.offsets[(position - self.first) as usize] as usize;
        entry_at(&self.bytes, offset).map_or_else(Bytes::new, |range| self.bytes.slice(range))
    }

    /// The memory it takes.
    pub fn weight(&self) -> usize {
        self.bytes.len() + 4 * self.offsets.len() + 100
    }
}

impl Pack {
    /// Opens a pack and reads its index.
    pub fn open(disk: &dyn Disk, path: &Path, first: u64) -> Result<Self, TrailError> {
        let io = |e| TrailError::io("read", path)(e);
        let tampered = |what: &str| TrailError::Tampered { position: first, what: format!("{}: {what}", path.display()) };
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
        let fault = |what: String| TrailError::Tampered { position: first, what: format!("{}: {what}", self.path.display()) };
        unpack(&bytes, first, at.entries).map_err(fault)
    }

    /// The tags in it, oldest first.
    pub fn tags(&self) -> Result<Vec<([u8; 16], Tagged)>, TrailError> {
        let mut bytes = vec![0; TAG_BYTES * self.trailer.tags as usize + self.trailer.note_bytes as usize];
        disk::read_exact_at(&*self.file, &mut bytes, self.trailer.tags_offset()).map_err(TrailError::io("read", &self.path))?;
        if crc32c::crc32c(&bytes) != self.trailer.tags_crc {
            let what = format!("{}: its tags are damaged", self.path.display());
            return Err(TrailError::Tampered { position: self.trailer.first, what });
        }
        Ok(bytes[..TAG_BYTES * self.trailer.tags as usize].chunks_exact(TAG_BYTES).filter_map(frame::read_tag).collect())
    }
}

/// Unpacks a frame from its head and stored bytes.
fn unpack(bytes: &[u8], first: u64, entries: u32) -> Result<Frame, String> {
    let damaged = || format!("the frame at position {first} is damaged");
    let (head, stored) = bytes.split_at_checked(HEAD_BYTES).ok_or_else(damaged)?;
    let number = |at| u32_at(head, at).ok_or_else(damaged);
    if crc32c::crc32c_append(crc32c::crc32c(&head[..28]), stored) != number(28)? {
        return Err(damaged());
    }
    if number(4)? as usize != stored.len() || number(12)? != entries || u64_at(head, 16) != Some(first) {
        return Err(damaged());
    }
    let plain = decode(head[0], stored, number(8)?)?;
    Frame::parse(first, plain, entries).ok_or_else(damaged)
}

fn decode(codec: u8, stored: &[u8], plain_bytes: u32) -> Result<Vec<u8>, String> {
    if plain_bytes > PLAIN_BYTES_MAX {
        return Err(format!("a frame of {plain_bytes} bytes is too long"));
    }
    match codec {
        STORED => Ok(stored.to_vec()),
        ZSTD => zstd::bulk::decompress(stored, plain_bytes as usize).map_err(|e| format!("a frame does not unpack: {e}")),
        other => Err(format!("codec {other} is not known to this version")),
    }
}

/// What a whole pack holds, every byte of it checked against itself.
pub struct Checked {
    /// The hashes of the entries.
    pub leaves: Vec<Hash>,
    /// Its tags.
    pub tags: Vec<([u8; 16], Tagged)>,
    /// The checkpoint at its end.
    pub note: String,
}

/// What is wrong with a pack, and where first.
#[derive(Debug)]
pub struct PackFault {
    /// The first position that is wrong, or can't be read.
    pub position: u64,
    /// What is wrong.
    pub what: String,
    /// Nothing need be wrong: the format is newer than this program.
    pub newer: bool,
}

/// Checks every byte of a pack against its checksums, and every entry against its short hash.
pub fn check(bytes: &[u8], first: u64) -> Result<Checked, PackFault> {
    let fault = |position, what: &str| PackFault { position, what: what.to_owned(), newer: false };
    let trailer_at = bytes.len().saturating_sub(TRAILER_BYTES);
    let trailer = match Trailer::read(&bytes[trailer_at..], bytes.len() as u64) {
        Ok(trailer) if trailer.first == first => trailer,
        Ok(_) => return Err(fault(first, "it is another pack under this name")),
        Err(Unreadable::Version(found)) => {
            let what = format!("format version {found} is not known to this program");
            return Err(PackFault { position: first, what, newer: true });
        }
        Err(Unreadable::Damaged(what)) => return Err(fault(whole_frames_end(bytes, first), what)),
    };
    let index_at = trailer.index_offset as usize;
    let shorts_at = index_at + trailer.index_bytes();
    let tags_at = trailer.tags_offset() as usize;
    let index = &bytes[index_at..shorts_at];
    if crc32c::crc32c(index) != trailer.index_crc {
        return Err(fault(whole_frames_end(bytes, first).min(first + u64::from(trailer.entries)), "its index is damaged"));
    }
    let frames = read_index(index, &trailer).ok_or_else(|| fault(first, "its index is damaged"))?;
    let shorts = &bytes[shorts_at..tags_at];
    let mut leaves = Vec::with_capacity(trailer.entries as usize);
    for at in &frames {
        let frame_first = first + u64::from(at.before);
        let own_shorts = &shorts[4 * at.before as usize..4 * (at.before + at.entries) as usize];
        let frame_bytes = &bytes[at.offset as usize..at.end as usize];
        match unpack(frame_bytes, frame_first, at.entries) {
            Ok(frame) => {
                for i in 0..frame.count() {
                    let leaf = Hash::leaf(&frame.entry(frame_first + i));
                    if leaf.short() != own_shorts[4 * i as usize..4 * i as usize + 4] {
                        return Err(fault(frame_first + i, "an entry does not fit its hash"));
                    }
                    leaves.push(leaf);
                }
            }
            Err(what) => return Err(fault(frame_first + blame(frame_bytes, own_shorts), &what)),
        }
    }
    if crc32c::crc32c(shorts) != trailer.shorts_crc {
        return Err(fault(first, "its short hashes are damaged"));
    }
    let (tags, note) = bytes[tags_at..trailer_at].split_at(TAG_BYTES * trailer.tags as usize);
    if crc32c::crc32c(&bytes[tags_at..trailer_at]) != trailer.tags_crc {
        return Err(fault(first, "its tags or its checkpoint are damaged"));
    }
    if !header_fits(bytes, first, trailer.entries) {
        return Err(fault(first, "its header is damaged"));
    }
    let tags = tags.chunks_exact(TAG_BYTES).filter_map(frame::read_tag).collect();
    let note = String::from_utf8(note.to_vec()).map_err(|_| fault(first, "its checkpoint is damaged"))?;
    Ok(Checked { leaves, tags, note })
}

fn header_fits(bytes: &[u8], first: u64, entries: u32) -> bool {
    bytes.len() >= HEADER_BYTES
        && &bytes[..8] == MAGIC
        && u32_at(bytes, 8) == Some(VERSION)
        && u64_at(bytes, 12) == Some(first)
        && u32_at(bytes, 20) == Some(entries)
        && u32_at(bytes, 28) == Some(crc32c::crc32c(&bytes[..28]))
}

/// The position up to which whole frames stand one after the other.
fn whole_frames_end(bytes: &[u8], first: u64) -> u64 {
    let (mut next, mut offset) = (first, HEADER_BYTES);
    while let (Some(stored), Some(entries)) = (u32_at(bytes, offset + 4), u32_at(bytes, offset + 12)) {
        let end = offset + HEAD_BYTES + stored as usize;
        if end > bytes.len() || unpack(&bytes[offset..end], next, entries).is_err() {
            break;
        }
        next += u64::from(entries);
        offset = end;
    }
    next
}

/// Which entry of a damaged frame is the first wrong one: unpacks as far as it goes and compares
/// hashes.
fn blame(bytes: &[u8], shorts: &[u8]) -> u64 {
    let Some((head, stored)) = bytes.split_at_checked(HEAD_BYTES) else { return 0 };
    let mut plain = Vec::new();
    if head[0] == STORED {
        plain.extend_from_slice(stored);
    } else if let Ok(decoder) = zstd::stream::read::Decoder::with_buffer(stored) {
        // What was unpacked before the damage is kept; the error itself says nothing more.
        let _ = decoder.take(u64::from(PLAIN_BYTES_MAX)).read_to_end(&mut plain);
    }
    let mut at = 0;
    for (i, short) in shorts.chunks_exact(4).enumerate() {
        match entry_at(&plain, at) {
            Some(range) if Hash::leaf(&plain[range.clone()]).short() == short => at = range.end,
            _ => return i as u64,
        }
    }
    0 // every entry is right: the damage is in the head or behind them
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(i: u64) -> Vec<u8> {
        format!("entry {i} {}", "abc".repeat((i % 50) as usize)).into_bytes()
    }

    fn sample(first: u64, count: u64) -> Vec<u8> {
        let mut builder = Builder::new(first, count as u32, 3, 64).unwrap();
        let leaves: Vec<Hash> = (first..first + count).map(|i| Hash::leaf(&entry(i))).collect();
        for i in first..first + count {
            builder.push(&entry(i)).unwrap();
        }
        let tagged = Tagged { body: [5; 16], first, count: 3 };
        builder.finish(&leaves, &[([4; 16], tagged)], "a note\n").unwrap()
    }

    #[test]
    fn what_was_packed_is_read() {
        let bytes = sample(1_000, 300);
        let checked = check(&bytes, 1_000).ok().unwrap();
        assert_eq!((checked.leaves.len(), checked.tags.len(), checked.note.as_str()), (300, 1, "a note\n"));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name(1_000));
        std::fs::write(&path, bytes).unwrap();
        let pack = Pack::open(&disk::RealDisk, &path, 1_000).unwrap();
        assert_eq!((pack.count(), pack.tags().unwrap().len()), (300, 1));
        for position in 1_000..1_300 {
            let frame = pack.frame(pack.frame_of(position)).unwrap();
            assert_eq!(frame.entry(position), entry(position));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let bytes = sample(1_000, 300);
        for bit in 0..bytes.len() * 8 {
            let mut wrong = bytes.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            let fault = check(&wrong, 1_000).err().unwrap_or_else(|| panic!("bit {bit} was not found"));
            assert!((1_000..=1_300).contains(&fault.position), "bit {bit}: {fault:?}");
        }
        let mut before = 1_000;
        for len in 0..bytes.len() {
            let fault = check(&bytes[..len], 1_000).err().unwrap_or_else(|| panic!("a cut at {len} was not found"));
            assert!(fault.position >= before, "a later cut leaves more");
            before = fault.position;
        }
        assert!(check(&bytes, 999).is_err());
    }
}
