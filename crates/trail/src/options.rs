//! What a trail can be told when it is opened.

use std::sync::Arc;
use std::time::Duration;

use crate::disk::{Disk, RealDisk};

/// Bounds and times of a trail. The defaults suit a server with a few hundred megabytes to spare.
#[derive(Clone)]
pub struct Options {
    /// Bytes of entries that may wait to be written; beyond, an append is refused as busy.
    pub queue_bytes_max: usize,
    /// Bytes of the newest entries that are kept in memory.
    pub recent_bytes_max: usize,
    /// Bytes of unpacked frames that are kept in memory for readers.
    pub cache_bytes_max: usize,
    /// Entries in a segment, and so in a batch.
    pub segment_entries_max: u32,
    /// Bytes after which a segment ends.
    pub segment_bytes_max: u32,
    /// Bytes of batches that are written and synced together.
    pub commit_bytes_max: usize,
    /// Segments that may wait for the packer; beyond, an append is refused as busy.
    pub unpacked_segments_max: usize,
    /// The shortest time between two checkpoints.
    pub checkpoint_interval: Duration,
    /// How hard zstd tries (1 to 19).
    pub zstd_level: i32,
    /// Whether entries are packed by field: a quarter smaller, dearer to pack and to read.
    pub shred: bool,
    /// Entries that are compressed together: more are smaller, fewer are read sooner.
    pub frame_entries_max: usize,
    /// How many tags are remembered.
    pub tags_max: usize,
    /// How far back from the end tags are remembered, in positions.
    pub tags_reach: u64,
    /// How long the trail rests before it tries again what the disk refused.
    pub rest: Duration,
    /// How long a removal waits for the packer.
    pub pack_wait_max: Duration,
    /// The file system.
    pub disk: Arc<dyn Disk>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue_bytes_max: 64 << 20,
            recent_bytes_max: 24 << 20,
            cache_bytes_max: 32 << 20,
            segment_entries_max: 65_536,
            segment_bytes_max: 64 << 20,
            commit_bytes_max: 8 << 20,
            unpacked_segments_max: 16,
            checkpoint_interval: Duration::from_millis(100),
            zstd_level: 1,
            shred: false,
            frame_entries_max: 256,
            tags_max: 262_144,
            tags_reach: 1 << 24,
            rest: Duration::from_secs(5),
            pack_wait_max: Duration::from_secs(60),
            disk: Arc::new(RealDisk),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").finish_non_exhaustive()
    }
}
