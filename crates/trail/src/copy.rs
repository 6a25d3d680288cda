//! Which files hold the trail up to a checkpoint, for a copy that is made while the trail grows.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::checkpoint::Checkpoint;
use crate::error::TrailError;
use crate::trail::Trail;
use crate::tree::TILE_WIDTH;
use crate::wal::{self, Wal};
use crate::{pack, tile, tree};

/// A file of the trail, as far as a copy needs it.
pub struct TrailFile {
    /// Where it lies below the folder of the trail, `log/00000000000000000000.pack`.
    pub name: String,
    source: Source,
}

enum Source {
    /// A pack or a tile. It is replaced as a whole or not at all.
    Whole(PathBuf),
    /// The beginning of a segment of the WAL, up to the end of a frame.
    Segment { wal: Arc<Wal>, bytes: u64 },
}

impl TrailFile {
    /// The file on disk, for one that is never written on; it may be replaced.
    pub fn path(&self) -> Option<&Path> {
        match &self.source {
            Source::Whole(path) => Some(path),
            Source::Segment { .. } => None,
        }
    }

    /// Opens it, and says how many bytes of it are wanted.
    pub fn open(&self) -> io::Result<(Box<dyn Read + Send>, u64)> {
        match &self.source {
            Source::Whole(path) => {
                let file = File::open(path)?;
                let bytes = file.metadata()?.len();
                Ok((Box::new(file.take(bytes)), bytes))
            }
            Source::Segment { wal, bytes } => {
                Ok((Box::new(SegmentReader { wal: wal.clone(), at: 0, end: *bytes }), *bytes))
            }
        }
    }

    /// Bytes that will be read, as far as it can be told before.
    pub fn bytes(&self) -> u64 {
        match &self.source {
            Source::Whole(path) => path.metadata().map_or(0, |metadata| metadata.len()),
            Source::Segment { bytes, .. } => *bytes,
        }
    }
}

/// Reads a segment by its open file: that it is packed and removed in the meantime does no harm.
struct SegmentReader {
    wal: Arc<Wal>,
    at: u64,
    end: u64,
}

impl Read for SegmentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..wanted).filter(|buffer| !buffer.is_empty()) else { return Ok(0) };
        match self.wal.read_at(buffer, self.at)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.at += count as u64;
                Ok(count)
            }
        }
    }
}

impl Trail {
    /// The files that hold all that `checkpoint` covers, which is one of this trail: the checkpoint itself apart, it is
    /// the note. Entries after it may be among them, never a hole or half a frame.
    ///
    /// They are those of this moment. Segments that are packed and packs that are rewritten afterwards can be read all
    /// the same; what is read is a copy that [`crate::verify::folder`] finds right.
    pub fn files(&self, checkpoint: &Checkpoint) -> Result<Vec<TrailFile>, TrailError> {
        let core = self.engine();
        core.within(checkpoint.size)?;
        // In this order: a segment that is packed in between is in both lists then, not in none.
        let mut wals = core.log.wals();
        let mut packs = core.log.packs();
        wals.reverse();
        packs.reverse();
        let packed_end = packs.last().map_or(0, |pack| pack.first + pack.count);
        let mut files = Vec::with_capacity(packs.len() + wals.len());
        for pack in packs {
            files.push(TrailFile {
                name: format!("log/{}", pack::name(pack.first)),
                source: Source::Whole(pack.path.clone()),
            });
        }
        for wal in wals.into_iter().filter(|wal| wal.first >= packed_end && wal.first < checkpoint.size) {
            let bytes = wal.bytes_to(checkpoint.size);
            files.push(TrailFile {
                name: format!("log/{}", wal::name(wal.first)),
                source: Source::Segment { wal, bytes },
            });
        }
        // A tile is on disk before the pack with the last of its entries has its name.
        for level in 1..8 {
            let whole = tree::width(packed_end, level) / TILE_WIDTH;
            for index in 0..whole {
                let path = tile::file(self.folder(), level, index);
                let name = format!("tile/{level}/{}", tile::index_path(index));
                files.push(TrailFile { name, source: Source::Whole(path) });
            }
        }
        Ok(files)
    }
}
