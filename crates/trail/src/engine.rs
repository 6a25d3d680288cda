//! What the threads of a trail share.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};

use crate::cache::Lru;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::disk;
use crate::error::TrailError;
use crate::hash::Hash;
use crate::log::Log;
use crate::note::{SigningKey, VerifyingKey};
use crate::options::Options;
use crate::queue::Queue;
use crate::signal::Signal;
use crate::tags::Tags;
use crate::tree::{self, Edge, FullTile, TILE_WIDTH, Tile};
use crate::witness::{self, Cosignature};
use crate::{packer, tile, writer};

/// Callbacks that are told of every commit.
pub type Listeners = Mutex<Vec<Box<dyn Fn(u64) + Send + Sync>>>;

/// The state of an open trail.
pub struct Engine {
    pub dir: PathBuf,
    pub options: Options,
    pub key: SigningKey,
    pub verifier: VerifyingKey,
    pub queue: Queue,
    pub log: Log,
    pub tree: Mutex<Tree>,
    pub tags: Mutex<Tags>,
    pub checkpoint: RwLock<Arc<Checkpoint>>,
    /// The newest checkpoint that witnesses have cosigned.
    pub cosigned: RwLock<Option<Arc<Checkpoint>>>,
    pub listeners: Listeners,
    pub signal: Signal,
    /// Leaf hashes of full tiles, which many proofs share.
    pub leaf_tiles: Mutex<Lru<u64, Tile>>,
    pub current: Mutex<Arc<crate::wal::Wal>>,
    /// Entries on disk and in the tree.
    pub durable: AtomicU64,
    /// Held while a checkpoint is made, so that they come one after the other.
    pub signing: Mutex<()>,
    /// Held while entries are removed.
    pub removing: Mutex<()>,
    /// Kept for as long as the trail is open.
    pub _lock: Box<dyn Any + Send + Sync>,
}

/// The right edge of the Merkle tree, and full tiles that are not on disk yet.
#[derive(Default)]
pub struct Tree {
    pub edge: Edge,
    pub pending: BTreeMap<(u8, u64), Tile>,
}

impl Tree {
    /// Adds leaves.
    pub fn extend(&mut self, leaves: &[Hash]) {
        let mut full = Vec::new();
        for leaf in leaves {
            self.edge.push(*leaf, &mut full);
        }
        for FullTile { level, index, hashes } in full {
            self.pending.insert((level, index), Arc::new(hashes));
        }
    }
}

/// Full tiles of leaf hashes that are kept, 8 KiB each.
pub const LEAF_TILES_MAX: usize = 512;

/// A thread that is gone must not leave others waiting for it.
struct StopOnPanic<'a>(&'a Engine);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail("a thread of the trail panicked");
        }
    }
}

impl Engine {
    /// Starts the threads.
    pub fn start(core: &Arc<Self>) -> Vec<JoinHandle<()>> {
        let spawn = |name: &str, run: fn(&Engine)| {
            let core = core.clone();
            let guarded = move || {
                let guard = StopOnPanic(&core);
                run(guard.0);
            };
            let spawned = std::thread::Builder::new().name(name.into()).spawn(guarded);
            if let Err(e) = &spawned {
                tracing::error!(error = %e, "can't start the thread {name}");
            }
            spawned.ok()
        };
        let threads = [
            spawn("trail-writer", writer::run),
            spawn("trail-signer", run_checkpoints),
            spawn("trail-packer", packer::run),
        ];
        if threads.iter().any(Option::is_none) {
            core.fail("a thread of the trail can't be started");
        }
        threads.into_iter().flatten().collect()
    }

    /// Ends the threads once what waits is written.
    pub fn close(&self) {
        self.queue.close();
        self.signal.close();
    }

    /// Stops the trail: nothing more is taken, whoever waits is told.
    pub fn fail(&self, reason: &str) {
        tracing::error!(trail.origin = self.verifier.name(), "the trail stops: {reason}");
        self.queue.fail(reason);
        self.signal.close();
    }

    /// Entries that are on disk.
    pub fn size(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Entries from `from` on.
    pub fn read(&self, from: u64, entries_max: usize, bytes_max: usize) -> Result<Vec<(u64, Bytes)>, TrailError> {
        self.log.read(from, self.size(), entries_max, bytes_max)
    }

    /// Fails when the trail is shorter than `size`.
    pub fn within(&self, size: u64) -> Result<(), TrailError> {
        let now = self.size();
        if size > now { Err(TrailError::OutOfRange { asked: size, size: now }) } else { Ok(()) }
    }

    /// The hash of an entry.
    pub fn leaf(&self, position: u64) -> Result<Hash, TrailError> {
        let leaves = tree::Hashes::hashes(self, 0, position, position + 1)?;
        leaves.first().copied().ok_or(TrailError::OutOfRange { asked: position, size: self.size() })
    }

    /// The first hash of a tile within its level, when the newest checkpoint covers the tile.
    pub fn tile_start(&self, level: u8, index: u64, width: u16) -> Result<u64, TrailError> {
        let size = self.checkpoint.read().size;
        let out_of_range = || TrailError::OutOfRange { asked: index, size };
        let start = index.checked_mul(TILE_WIDTH).ok_or_else(out_of_range)?;
        let end = start.checked_add(u64::from(width)).ok_or_else(out_of_range)?;
        let fits = (1..=TILE_WIDTH).contains(&u64::from(width)) && end <= tree::width(size, level);
        if fits { Ok(start) } else { Err(out_of_range()) }
    }

    /// The hashes of a tile that the newest checkpoint covers.
    pub fn tile(&self, level: u8, index: u64, width: u16) -> Result<Vec<Hash>, TrailError> {
        let start = self.tile_start(level, index, width)?;
        tree::Hashes::hashes(self, level, start, start + u64::from(width))
    }

    /// Signs and stores a checkpoint over all that is on disk, if the newest covers less.
    pub fn make_checkpoint(&self) -> Result<Arc<Checkpoint>, TrailError> {
        let _one_at_a_time = self.signing.lock();
        let newest = self.checkpoint.read().clone();
        let (size, root) = {
            let tree = self.tree.lock();
            if tree.edge.size() <= newest.size {
                return Ok(newest);
            }
            (tree.edge.size(), tree.edge.root())
        };
        let signed = Checkpoint::sign(&self.key, self.verifier.name(), size, root, Checkpoint::now())?;
        let path = self.dir.join("checkpoint");
        disk::replace(&*self.options.disk, &path, signed.note.as_bytes()).map_err(TrailError::io("write", &path))?;
        let signed = Arc::new(signed);
        *self.checkpoint.write() = signed.clone();
        Ok(signed)
    }
}

/// The file of the newest checkpoint that witnesses have cosigned.
pub const COSIGNED: &str = "cosigned";

impl Engine {
    /// Stores cosignatures with the checkpoint that they are on.
    pub fn add_cosignatures(
        &self,
        checkpoint: &Checkpoint,
        cosignatures: &[Cosignature],
    ) -> Result<Option<Arc<Checkpoint>>, TrailError> {
        let _one_at_a_time = self.signing.lock();
        let held = self.cosigned.read().clone();
        if cosignatures.is_empty() || held.as_ref().is_some_and(|held| held.size > checkpoint.size) {
            return Ok(held);
        }
        // Ours, and of this very tree: what is stored here vouches for the trail.
        let signed = Checkpoint::open(&checkpoint.note, &self.verifier, checkpoint.at)?;
        self.within(signed.size)?;
        if tree::root(self, signed.size)? != signed.root {
            return Err(CheckpointError::OtherTree { size: signed.size }.into());
        }
        let base = held.filter(|held| held.size == signed.size).map_or(signed.note, |held| held.note.clone());
        let note = witness::with_cosignatures(&base, cosignatures)?;
        let cosigned = Arc::new(Checkpoint::open(&note, &self.verifier, checkpoint.at)?);
        let path = self.dir.join(COSIGNED);
        disk::replace(&*self.options.disk, &path, note.as_bytes()).map_err(TrailError::io("write", &path))?;
        *self.cosigned.write() = Some(cosigned.clone());
        Ok(Some(cosigned))
    }
}

impl tree::Hashes for Engine {
    type Error = TrailError;

    fn hashes(&self, level: u8, from: u64, to: u64) -> Result<Vec<Hash>, TrailError> {
        let index = from / TILE_WIDTH;
        {
            let tree = self.tree.lock();
            let (start, partial) = tree.edge.partial(level);
            if from >= start && to <= start + partial.len() as u64 {
                return Ok(partial[(from - start) as usize..(to - start) as usize].to_vec());
            }
            if let Some(tile) = tree.pending.get(&(level, index)) {
                let start = index * TILE_WIDTH;
                return Ok(tile[(from - start) as usize..(to - start) as usize].to_vec());
            }
        }
        let start = index * TILE_WIDTH;
        if level == 0 {
            let kept = self.leaf_tiles.lock().get(&index);
            let tile = match kept {
                Some(tile) => tile,
                None => {
                    // What is not in the edge lies in a full tile.
                    let tile = Arc::new(self.log.leaves(start, start + TILE_WIDTH)?);
                    self.leaf_tiles.lock().put(index, tile.clone(), 1);
                    tile
                }
            };
            return Ok(tile[(from - start) as usize..(to - start) as usize].to_vec());
        }
        let hashes = tile::read(&*self.options.disk, &self.dir, level, index)?;
        Ok(hashes[(from - start) as usize..(to - start) as usize].to_vec())
    }
}

/// The checkpointer: promptly when the trail was quiet, at most once per interval while it is busy.
fn run_checkpoints(core: &Engine) {
    let mut signed = core.checkpoint.read().size;
    while core.signal.wait_beyond(signed) {
        let begun = Instant::now();
        match core.make_checkpoint() {
            Ok(checkpoint) => signed = checkpoint.size,
            Err(e) => {
                core.fail(&e.to_string());
                return;
            }
        }
        if !core.signal.sleep_until(begun + core.options.checkpoint_interval) {
            return;
        }
    }
}
