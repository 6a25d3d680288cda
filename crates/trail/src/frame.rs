//! The encoding of entries in frames: what one group commit writes to the WAL.
//!
//! All integers are big-endian. The entries stand as in a C2SP entry bundle: each behind its length
//! as 16 bits.

use crate::hash::Hash;
use crate::tags::Tagged;

/// Bytes of a frame before its body.
pub const HEAD_BYTES: usize = 28;
/// Bytes of a tag record.
pub const TAG_BYTES: usize = 44;
/// The longest entry: its length is written in 16 bits.
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Bytes after the head.
    pub body_bytes: u32,
    /// CRC-32C over the rest of the head and the body.
    pub crc: u32,
    /// The position of the first entry.
    pub first: u64,
    /// How many entries.
    pub entries: u32,
    /// How many tags.
    pub tags: u32,
    /// Bytes of the entries with their lengths.
    pub entries_bytes: u32,
}

impl Head {
    /// Reads a head; its numbers fit each other or it is none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let head = Self {
            body_bytes: u32_at(bytes, 0)?,
            crc: u32_at(bytes, 4)?,
            first: u64_at(bytes, 8)?,
            entries: u32_at(bytes, 16)?,
            tags: u32_at(bytes, 20)?,
            entries_bytes: u32_at(bytes, 24)?,
        };
        let body =
            u64::from(head.entries_bytes) + 4 * u64::from(head.entries) + TAG_BYTES as u64 * u64::from(head.tags);
        (body == u64::from(head.body_bytes) && head.entries > 0).then_some(head)
    }

    /// Bytes of the whole frame.
    pub fn frame_bytes(&self) -> u64 {
        HEAD_BYTES as u64 + u64::from(self.body_bytes)
    }
}

/// A frame being written.
#[derive(Debug)]
pub struct Builder {
    bytes: Vec<u8>,
    first: u64,
    entries: u32,
    offsets: Vec<u32>,
}

impl Builder {
    /// Begins a frame whose first entry stands at `first`.
    pub fn new(first: u64, capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity + HEAD_BYTES);
        bytes.resize(HEAD_BYTES, 0);
        Self { bytes, first, entries: 0, offsets: Vec::new() }
    }

    /// Adds an entry, which is not longer than [`ENTRY_BYTES_MAX`].
    pub fn push(&mut self, entry: &[u8]) {
        debug_assert!(entry.len() <= ENTRY_BYTES_MAX);
        self.offsets.push(self.bytes.len() as u32);
        self.bytes.extend_from_slice(&(entry.len() as u16).to_be_bytes());
        self.bytes.extend_from_slice(entry);
        self.entries += 1;
    }

    /// Ends the frame: its bytes, and where in them each entry begins.
    pub fn finish(mut self, leaves: &[Hash], tags: &[([u8; 16], Tagged)]) -> (Vec<u8>, Vec<u32>) {
        debug_assert_eq!(leaves.len(), self.entries as usize);
        let entries_bytes = (self.bytes.len() - HEAD_BYTES) as u32;
        for leaf in leaves {
            self.bytes.extend_from_slice(&leaf.short());
        }
        for (key, tagged) in tags {
            write_tag(&mut self.bytes, key, tagged);
        }
        let body_bytes = (self.bytes.len() - HEAD_BYTES) as u32;
        self.bytes[0..4].copy_from_slice(&body_bytes.to_be_bytes());
        self.bytes[8..16].copy_from_slice(&self.first.to_be_bytes());
        self.bytes[16..20].copy_from_slice(&self.entries.to_be_bytes());
        self.bytes[20..24].copy_from_slice(&(tags.len() as u32).to_be_bytes());
        self.bytes[24..28].copy_from_slice(&entries_bytes.to_be_bytes());
        let crc = crc32c::crc32c(&self.bytes[8..]);
        self.bytes[4..8].copy_from_slice(&crc.to_be_bytes());
        (self.bytes, self.offsets)
    }
}

/// Writes a tag record.
pub fn write_tag(bytes: &mut Vec<u8>, key: &[u8; 16], tagged: &Tagged) {
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(&tagged.body);
    bytes.extend_from_slice(&tagged.first.to_be_bytes());
    bytes.extend_from_slice(&tagged.count.to_be_bytes());
}

/// Reads a tag record of [`TAG_BYTES`] bytes.
pub fn read_tag(bytes: &[u8]) -> Option<([u8; 16], Tagged)> {
    let key = bytes.get(..16)?.try_into().ok()?;
    let body = bytes.get(16..32)?.try_into().ok()?;
    Some((key, Tagged { body, first: u64_at(bytes, 32)?, count: u32_at(bytes, 40)? }))
}

/// The 32-bit number at `offset`.
pub fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(offset..offset + 4)?.try_into().ok()?))
}

/// The 64-bit number at `offset`.
pub fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(offset..offset + 8)?.try_into().ok()?))
}

/// The entry whose length stands at `offset`.
pub fn entry_at(bytes: &[u8], offset: usize) -> Option<std::ops::Range<usize>> {
    let len = usize::from(u16::from_be_bytes(bytes.get(offset..offset + 2)?.try_into().ok()?));
    let range = offset + 2..offset + 2 + len;
    (range.end <= bytes.len()).then_some(range)
}
