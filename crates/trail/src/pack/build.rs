//! Making a pack, in memory.

use std::io;

use super::shred::Shredder;
use super::{FRAME_BYTES_MAX, FULL, FrameRef, HEADER_BYTES, MAGIC, PLAIN, SHREDDED, STORED, TRAILER_BYTES, ZSTD};
use crate::frame;
use crate::hash::Hash;
use crate::tags::Tagged;

/// How entries are packed.
#[derive(Debug, Clone, Copy)]
pub struct Packing {
    /// How hard zstd tries.
    pub level: i32,
    /// Entries in a frame.
    pub frame_entries_max: usize,
    /// By field, where that is smaller.
    pub shred: bool,
}

/// What makes frames.
pub struct Packer {
    compressor: zstd::bulk::Compressor<'static>,
    shredder: Option<Shredder>,
}

impl Packer {
    /// Makes its buffers.
    pub fn new(level: i32, shred: bool) -> io::Result<Self> {
        Ok(Self { compressor: zstd::bulk::Compressor::new(level)?, shredder: shred.then(Shredder::default) })
    }

    /// Packs the entries of a frame: the codec, and its bytes.
    fn pack(&mut self, plain: &[u8]) -> io::Result<(u8, Vec<u8>)> {
        if let Some(shredder) = &mut self.shredder
            && let Some(packed) = shredder.pack(plain, &mut self.compressor)?
        {
            return Ok((SHREDDED, packed));
        }
        let packed = self.compressor.compress(plain)?;
        Ok(if packed.len() < plain.len() { (ZSTD, packed) } else { (STORED, plain.to_vec()) })
    }
}

/// A pack being made in memory.
pub struct Builder {
    sections: Sections,
    frame_entries_max: usize,
    packer: Packer,
    plain: Vec<u8>,
    entries_in_frame: u32,
}

impl Builder {
    /// Begins the pack of `entries` entries from `first` on.
    pub fn new(first: u64, entries: u32, packing: Packing) -> io::Result<Self> {
        let Packing { level, frame_entries_max, shred } = packing;
        Ok(Self {
            sections: Sections::begin(if shred { FULL } else { PLAIN }, first, entries),
            frame_entries_max,
            packer: Packer::new(level, shred)?,
            plain: Vec::new(),
            entries_in_frame: 0,
        })
    }

    /// Adds the next entry.
    pub fn push(&mut self, entry: &[u8]) -> io::Result<()> {
        self.plain.extend_from_slice(&(entry.len() as u16).to_be_bytes());
        self.plain.extend_from_slice(entry);
        self.entries_in_frame += 1;
        // Frames end at round positions, so that an entry bundle lies in one.
        let next = self.sections.next() + u64::from(self.entries_in_frame);
        if next.is_multiple_of(self.frame_entries_max as u64) || self.plain.len() >= FRAME_BYTES_MAX {
            self.end_frame()?;
        }
        Ok(())
    }

    fn end_frame(&mut self) -> io::Result<()> {
        if self.entries_in_frame > 0 {
            self.sections.pack_frame(&mut self.packer, &self.plain, self.entries_in_frame, &[])?;
            self.entries_in_frame = 0;
            self.plain.clear();
        }
        Ok(())
    }

    /// Ends the pack: its bytes.
    pub fn finish(mut self, leaves: &[Hash], tags: &[([u8; 16], Tagged)], note: &str) -> io::Result<Vec<u8>> {
        self.end_frame()?;
        let shorts: Vec<u8> = leaves.iter().flat_map(Hash::short).collect();
        let mut tag_bytes = Vec::new();
        for (key, tagged) in tags {
            frame::write_tag(&mut tag_bytes, key, tagged);
        }
        Ok(self.sections.finish(&shorts, &tag_bytes, note.as_bytes()))
    }
}

/// The bytes of a pack, section after section.
pub struct Sections {
    bytes: Vec<u8>,
    version: u32,
    first: u64,
    entries: u32,
    frames: Vec<FrameRef>,
}

impl Sections {
    /// Writes the header.
    pub fn begin(version: u32, first: u64, entries: u32) -> Self {
        let mut bytes = Vec::with_capacity(8 << 20);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&version.to_be_bytes());
        bytes.extend_from_slice(&first.to_be_bytes());
        bytes.extend_from_slice(&entries.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_be_bytes());
        debug_assert_eq!(bytes.len(), HEADER_BYTES);
        Self { bytes, version, first, entries: 0, frames: Vec::new() }
    }

    /// The position of the entry that comes next.
    pub fn next(&self) -> u64 {
        self.first + u64::from(self.entries)
    }

    /// Adds a frame of entries, each behind its length. Those in `removed`, by their number in the
    /// frame and ascending, are empty.
    pub fn pack_frame(
        &mut self,
        packer: &mut Packer,
        plain: &[u8],
        entries: u32,
        removed: &[(u32, Hash)],
    ) -> io::Result<()> {
        let (codec, packed) = packer.pack(plain)?;
        let marks = marks(entries, removed);
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(&[codec, 0, 0, 0]);
        self.bytes.extend_from_slice(&((packed.len() + marks.len()) as u32).to_be_bytes());
        self.bytes.extend_from_slice(&(plain.len() as u32).to_be_bytes());
        self.bytes.extend_from_slice(&entries.to_be_bytes());
        self.bytes.extend_from_slice(&self.next().to_be_bytes());
        self.bytes.extend_from_slice(&(removed.len() as u32).to_be_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&self.bytes[begin..]), &packed);
        self.bytes.extend_from_slice(&crc32c::crc32c_append(crc, &marks).to_be_bytes());
        self.bytes.extend_from_slice(&packed);
        self.bytes.extend_from_slice(&marks);
        self.indexed(begin, entries, removed.len() as u32);
        Ok(())
    }

    /// Adds a frame of another pack as it is.
    pub fn copy_frame(&mut self, frame: &[u8], entries: u32, removed: u32) {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(frame);
        self.indexed(begin, entries, removed);
    }

    fn indexed(&mut self, begin: usize, entries: u32, removed: u32) {
        let (offset, end) = (begin as u64, self.bytes.len() as u64);
        self.frames.push(FrameRef { offset, before: self.entries, entries, removed, end });
        self.entries += entries;
    }

    /// Adds what comes behind the frames: the bytes of the pack.
    pub fn finish(mut self, shorts: &[u8], tags: &[u8], note: &[u8]) -> Vec<u8> {
        let index_offset = self.bytes.len();
        for frame in &self.frames {
            self.bytes.extend_from_slice(&frame.offset.to_be_bytes());
            self.bytes.extend_from_slice(&frame.before.to_be_bytes());
            self.bytes.extend_from_slice(&frame.entries.to_be_bytes());
            if self.version != PLAIN {
                self.bytes.extend_from_slice(&frame.removed.to_be_bytes());
            }
        }
        let index_crc = crc32c::crc32c(&self.bytes[index_offset..]);
        for section in [shorts, tags, note] {
            self.bytes.extend_from_slice(section);
        }
        let end = self.bytes.len();
        self.bytes.extend_from_slice(&(index_offset as u64).to_be_bytes());
        self.bytes.extend_from_slice(&self.first.to_be_bytes());
        for number in [
            self.frames.len() as u32,
            self.entries,
            (tags.len() / frame::TAG_BYTES) as u32,
            note.len() as u32,
            index_crc,
            crc32c::crc32c(shorts),
            crc32c::crc32c_append(crc32c::crc32c(tags), note),
            self.version,
            0,
        ] {
            self.bytes.extend_from_slice(&number.to_be_bytes());
        }
        let crc = crc32c::crc32c(&self.bytes[end..]);
        self.bytes.extend_from_slice(&crc.to_be_bytes());
        self.bytes.extend_from_slice(MAGIC);
        debug_assert_eq!(self.bytes.len() - end, TRAILER_BYTES);
        self.bytes
    }
}

/// A bit for each entry, set where it was removed, and the leaf hashes of those; nothing when none was.
fn marks(entries: u32, removed: &[(u32, Hash)]) -> Vec<u8> {
    if removed.is_empty() {
        return Vec::new();
    }
    let mut marks = vec![0; entries.div_ceil(8) as usize];
    for (number, _) in removed {
        marks[*number as usize / 8] |= 1 << (number % 8);
    }
    for (_, leaf) in removed {
        marks.extend_from_slice(&leaf.0);
    }
    marks
}
