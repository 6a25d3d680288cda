//! The write-ahead log: one file per segment, frames in it, the newest of them also in memory.

mod scan;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;

use crate::disk::{self, Disk, DiskFile};
use crate::error::TrailError;
use crate::frame::{self, HEAD_BYTES, TAG_BYTES};
use crate::hash::Hash;
use crate::tags::Tagged;

pub use scan::{Ending, Found, check, scan};

/// The first bytes of a WAL file.
pub const MAGIC: &[u8; 8] = b"belfrywl";
/// The version of the format.
pub const VERSION: u32 = 1;
/// Bytes before the first frame.
pub const HEADER_BYTES: usize = 32;

/// One segment that is not yet packed.
pub struct Wal {
    /// The position of its first entry.
    pub first: u64,
    /// Its file.
    pub path: PathBuf,
    file: Arc<dyn DiskFile>,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    end: u64,
    /// Where in the file each entry begins.
    offsets: Vec<u32>,
    leaves: Vec<Hash>,
    frames: Vec<FrameAt>,
    tags: Vec<([u8; 16], Tagged)>,
}

struct FrameAt {
    offset: u32,
    entries_end: u32,
    /// Entries of the segment before this frame.
    before: u32,
    /// The bytes of the frame, while they are kept.
    bytes: Option<Bytes>,
}

/// The first bytes of the segment that begins at `first`.
pub fn header(first: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_be_bytes());
    header[12..20].copy_from_slice(&first.to_be_bytes());
    let crc = crc32c::crc32c(&header[..28]);
    header[28..].copy_from_slice(&crc.to_be_bytes());
    header
}

/// The name of the file of the segment that begins at `first`.
pub fn name(first: u64) -> String {
    format!("{first:020}.wal")
}

/// What was found when a segment was opened.
pub struct Recovered {
    /// The segment.
    pub wal: Wal,
    /// How its file ended.
    pub ending: Ending,
}

impl Wal {
    /// Makes the file of a new segment, durable before any entry is in it.
    pub fn create(disk: &dyn Disk, folder: &Path, first: u64) -> io::Result<Self> {
        let path = folder.join(name(first));
        let file = disk.create(&path)?;
        file.write_at(&header(first), 0)?;
        file.sync()?;
        disk.sync_dir(folder)?;
        let state = State { end: HEADER_BYTES as u64, ..State::default() };
        Ok(Self { first, path, file, state: RwLock::new(state) })
    }

    /// Opens a segment and hashes what is in it. The file is left as it is.
    pub fn open(disk: &dyn Disk, folder: &Path, first: u64) -> io::Result<Recovered> {
        let path = folder.join(name(first));
        let bytes = disk::read_all(disk, &path)?;
        let (frames, ending) = scan(&bytes, first);
        let mut state = State { end: HEADER_BYTES as u64, ..State::default() };
        for Found { offset, head } in frames {
            let before = state.offsets.len() as u32;
            let mut at = offset + HEAD_BYTES;
            let entries_end = at + head.entries_bytes as usize;
            for _ in 0..head.entries {
                let Some(range) = frame::entry_at(&bytes[..entries_end], at) else {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame whose entries overlap its end"));
                };
                state.offsets.push(at as u32);
                state.leaves.push(Hash::leaf(&bytes[range.clone()]));
                at = range.end;
            }
            let mut tag_at = entries_end + 4 * head.entries as usize;
            for _ in 0..head.tags {
                state.tags.extend(frame::read_tag(&bytes[tag_at..]));
                tag_at += TAG_BYTES;
            }
            state.frames.push(FrameAt { offset: offset as u32, entries_end: entries_end as u32, before, bytes: None });
            state.end = offset as u64 + head.frame_bytes();
        }
        let file = disk.open(&path)?;
        Ok(Recovered { wal: Self { first, path, file, state: RwLock::new(state) }, ending })
    }

    /// Cuts what stands after the last whole frame, and writes again the frames from position `from`
    /// on. After a sync that failed they may be readable and yet never have reached the disk.
    pub fn settle(&self, from: u64) -> io::Result<()> {
        let (end, begin) = {
            let state = self.state.read();
            let unsure = state.frames.iter().rev().take_while(|f| self.first + u64::from(f.before) >= from).last();
            (state.end, unsure.map_or(state.end, |f| u64::from(f.offset)))
        };
        let mut bytes = vec![0; (end - begin) as usize];
        disk::read_exact_at(&*self.file, &mut bytes, begin)?;
        self.file.set_len(end)?;
        self.file.write_at(&bytes, begin)?;
        self.file.sync()
    }

    /// After a failed write or sync: holds what can be read against what was written before, cuts what failed, and writes
    /// the frames from position `from` on again, and the last one in any case, because it shares a block with what failed.
    pub fn settle_again(&self, from: u64) -> Result<(), TrailError> {
        let io = |e| TrailError::io("write", &self.path)(e);
        let (end, last) = {
            let state = self.state.read();
            (state.end, state.frames.last().map_or(self.first, |frame| self.first + u64::from(frame.before)))
        };
        if self.count() == 0 {
            return Ok(()); // nobody was answered out of this file: it is made again
        }
        let mut bytes = vec![0; end as usize];
        disk::read_exact_at(&*self.file, &mut bytes, 0).map_err(TrailError::io("read back", &self.path))?;
        let read = check(&bytes, self.first).map_err(|position| self.lost(position))?;
        if read.ending != Ending::Clean || read.leaves != self.state.read().leaves {
            return Err(self.lost(self.first));
        }
        self.settle(from.min(last)).map_err(io)
    }

    fn lost(&self, position: u64) -> TrailError {
        let what = format!("{} no longer holds what was written to it", self.path.display());
        TrailError::Tampered { position, what }
    }

    /// How many entries it holds.
    pub fn count(&self) -> u64 {
        self.state.read().offsets.len() as u64
    }

    /// The position after the last entry.
    pub fn end(&self) -> u64 {
        self.first + self.count()
    }

    /// Bytes of the file that are in use.
    pub fn bytes(&self) -> u64 {
        self.state.read().end
    }

    /// Bytes of the file up to the end of the frame that holds the entry before `position`.
    pub fn bytes_to(&self, position: u64) -> u64 {
        let state = self.state.read();
        let at = state.frames.partition_point(|frame| self.first + u64::from(frame.before) < position);
        state.frames.get(at).map_or(state.end, |frame| u64::from(frame.offset))
    }

    /// Reads bytes of the file, also when it has no name any more.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    /// Writes a frame at the end and makes it durable; only then it can be read.
    pub fn append(
        &self,
        frame: Vec<u8>,
        offsets: &[u32],
        leaves: &[Hash],
        tags: &[([u8; 16], Tagged)],
    ) -> io::Result<usize> {
        let end = self.state.read().end;
        self.file.write_at(&frame, end)?;
        self.file.sync()?;
        let mut state = self.state.write();
        let offset = end as u32;
        let entries_bytes = frame::u32_at(&frame, 24).unwrap_or(0);
        let before = state.offsets.len() as u32;
        state.end += frame.len() as u64;
        state.offsets.extend(offsets.iter().map(|o| offset + o));
        state.leaves.extend_from_slice(leaves);
        state.tags.extend_from_slice(tags);
        state.frames.push(FrameAt {
            offset,
            entries_end: offset + HEAD_BYTES as u32 + entries_bytes,
            before,
            bytes: Some(Bytes::from(frame)),
        });
        Ok(state.frames.len() - 1)
    }

    /// Stops keeping a frame in memory; it is read from the file from now on.
    pub fn forget(&self, frame: usize) {
        if let Some(frame) = self.state.write().frames.get_mut(frame) {
            frame.bytes = None;
        }
    }

    /// Stops keeping any frame in memory: there is a pack now.
    pub fn forget_all(&self) {
        self.state.write().frames.iter_mut().for_each(|frame| frame.bytes = None);
    }

    /// The tags in it, oldest first.
    pub fn tags(&self) -> Vec<([u8; 16], Tagged)> {
        self.state.read().tags.clone()
    }

    /// The leaf hashes of the positions `from..to`, which lie in it.
    pub fn leaves(&self, from: u64, to: u64) -> Vec<Hash> {
        let state = self.state.read();
        state.leaves[(from - self.first) as usize..(to - self.first) as usize].to_vec()
    }

    /// Reads entries from `from` on, which lies in it, until one of the bounds is reached; at least one.
    pub fn read(&self, from: u64, entries_max: usize, bytes_max: usize, to: &mut Vec<(u64, Bytes)>) -> io::Result<()> {
        let mut index = (from - self.first) as usize;
        let (mut entries_left, mut bytes_left) = (entries_max, bytes_max);
        loop {
            // What lies in one frame is read at once. The lock is not held while the file is read.
            let (kept, begin, end, count) = {
                let state = self.state.read();
                if index >= state.offsets.len() || entries_left == 0 {
                    return Ok(());
                }
                let at = state.frames.partition_point(|f| f.before as usize <= index) - 1;
                let frame = &state.frames[at];
                let frame_end = state.frames.get(at + 1).map_or(state.offsets.len(), |f| f.before as usize);
                let begin = state.offsets[index];
                let last = frame_end.min(index.saturating_add(entries_left));
                let end_of = |i: usize| if i == frame_end { frame.entries_end } else { state.offsets[i] };
                let mut stop =
                    index + state.offsets[index..last].partition_point(|o| ((*o - begin) as usize) < bytes_left);
                stop = stop.clamp(index + 1, last);
                let end = end_of(stop);
                let kept = frame
                    .bytes
                    .as_ref()
                    .map(|b| b.slice((begin - frame.offset) as usize..(end - frame.offset) as usize));
                (kept, begin, end, stop - index)
            };
            let bytes = match kept {
                Some(bytes) => bytes,
                None => {
                    let mut buffer = vec![0; (end - begin) as usize];
                    disk::read_exact_at(&*self.file, &mut buffer, u64::from(begin))?;
                    Bytes::from(buffer)
                }
            };
            let mut at = 0;
            for _ in 0..count {
                let Some(range) = frame::entry_at(&bytes, at) else {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "the WAL changed under the reader"));
                };
                at = range.end;
                to.push((self.first + index as u64, bytes.slice(range)));
                index += 1;
            }
            entries_left -= count;
            bytes_left = bytes_left.saturating_sub(bytes.len());
            if bytes_left == 0 {
                return Ok(());
            }
        }
    }
}
