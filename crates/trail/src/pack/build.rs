//! Making a pack, in memory.

use std::io;

use super::{FRAME_BYTES_MAX, MAGIC, STORED, TRAILER_BYTES, VERSION, ZSTD};
use crate::frame;
use crate::hash::Hash;
use crate::tags::Tagged;

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
        let (codec, stored) = if packed.len() < self.plain.len() { (ZSTD, &packed) } else { (STORED, &self.plain) };
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
        for number in
            [self.frames, self.entries, tags.len() as u32, note.len() as u32, crcs[0], crcs[1], crcs[2], VERSION, 0]
        {
            self.bytes.extend_from_slice(&number.to_be_bytes());
        }
        let crc = crc32c::crc32c(&self.bytes[end..]);
        self.bytes.extend_from_slice(&crc.to_be_bytes());
        self.bytes.extend_from_slice(MAGIC);
        debug_assert_eq!(self.bytes.len() - end, TRAILER_BYTES);
        Ok(self.bytes)
    }
}
