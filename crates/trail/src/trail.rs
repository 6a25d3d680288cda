//! The trail as its users see it.

use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::SystemTime;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::checkpoint::Checkpoint;
use crate::disk::{self, Disk};
use crate::engine::Engine;
use crate::error::{AppendError, TrailError};
use crate::frame::ENTRY_BYTES_MAX;
use crate::hash::Hash;
use crate::note::{SigningKey, VerifyingKey};
use crate::open;
use crate::options::Options;
use crate::queue::Waiting;
use crate::removal::{Removal, RemoveProgress, Removed};
use crate::remover;
use crate::tags::{Tag, Tagged};
use crate::tree::{self, WholeTiles};
use crate::verify::Bundle;
use crate::witness::{self, Cosignature, WitnessRequest};

/// The place of an entry in the trail, from 0.
pub type Position = u64;

/// Entries that are appended together: all of them or none, one after the other.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The entries, each 1 to 65,535 bytes.
    pub entries: Vec<Bytes>,
    /// The name of the batch, so that sending it twice appends it once.
    pub tag: Option<Tag>,
}

/// Where a batch stands in the trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The position of its first entry.
    pub first: Position,
    /// How many entries it has.
    pub count: u32,
    /// It was there already, under the same tag and with the same body.
    pub repeated: bool,
}

/// Who is told when a batch is on disk. Runs on the writer's thread: it hands the answer on and
/// does nothing slow.
pub type Done = Box<dyn FnOnce(Result<Appended, AppendError>) + Send>;

/// What was found when the trail was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// Entries that the last checkpoint did not cover yet.
    pub recovered: u64,
    /// Bytes of a torn tail that were cut; no sender was told that they were kept.
    pub cut_bytes: u64,
}

/// A proof that an entry is in the tree of `size` entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The position of the entry.
    pub position: Position,
    /// The size of the tree.
    pub size: u64,
    /// The hash of the entry.
    pub leaf: Hash,
    /// The hashes beside the way to the root, lowest first.
    pub path: Vec<Hash>,
}

/// An append-only log that nobody can change unnoticed. Clones are the same trail; the last one
/// dropped closes it.
#[derive(Clone)]
pub struct Trail(Arc<Handle>);

struct Handle {
    core: Arc<Engine>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl std::fmt::Debug for Trail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trail").field("origin", &self.origin()).field("size", &self.size()).finish()
    }
}

impl Trail {
    /// Makes an empty trail in `dir`. The origin, `<host>/<organization>`, is its name for ever.
    pub fn create(dir: &Path, origin: &str, key: &SigningKey) -> Result<(), TrailError> {
        Self::create_on(&disk::RealDisk, dir, origin, key)
    }

    /// Like [`Trail::create`], on another file system.
    pub fn create_on(disk: &dyn Disk, dir: &Path, origin: &str, key: &SigningKey) -> Result<(), TrailError> {
        open::create(disk, dir, origin, key)
    }

    /// Opens the trail in `dir`. What a crash left half written is cut, the tree is made again and held against the last
    /// checkpoint.
    pub fn open(dir: &Path, key: SigningKey, options: Options) -> Result<(Self, Opened), TrailError> {
        let (core, opened) = open::open(dir, key, options)?;
        let core = Arc::new(core);
        let threads = Mutex::new(Engine::start(&core));
        Ok((Self(Arc::new(Handle { core, threads })), opened))
    }

    /// Takes a batch to be written; `done` is called once it is on disk, or has failed. An error
    /// returned here means that nothing was taken and `done` is never called.
    pub fn append(&self, batch: Batch, done: Done) -> Result<(), AppendError> {
        let core = &self.0.core;
        if batch.entries.is_empty() || batch.entries.iter().any(Bytes::is_empty) {
            return Err(AppendError::Empty);
        }
        let entries_max = core.options.segment_entries_max as usize;
        if batch.entries.len() > entries_max {
            return Err(AppendError::TooLarge { what: "a batch", found: batch.entries.len(), max: entries_max });
        }
        if let Some(entry) = batch.entries.iter().find(|e| e.len() > ENTRY_BYTES_MAX) {
            return Err(AppendError::TooLarge { what: "an entry", found: entry.len(), max: ENTRY_BYTES_MAX });
        }
        let bytes: usize = batch.entries.iter().map(|e| e.len() + 6).sum();
        let bytes_max = core.options.queue_bytes_max.min(core.options.segment_bytes_max as usize);
        if bytes > bytes_max {
            return Err(AppendError::TooLarge { what: "a batch in bytes", found: bytes, max: bytes_max });
        }
        core.queue.reserve(bytes)?;
        // Hashing is the dearest part, so every sender does its own.
        let leaves = batch.entries.iter().map(|e| Hash::leaf(e)).collect();
        core.queue.push(Waiting { batch, leaves, bytes, done });
        Ok(())
    }

    /// Appends and waits until it is on disk. Not for the writer's own thread.
    pub fn append_wait(&self, batch: Batch) -> Result<Appended, AppendError> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.append(batch, Box::new(move |result| drop(sender.send(result))))?;
        receiver.recv().unwrap_or_else(|_| Err(AppendError::Stopped("the writer is gone".into())))
    }

    /// How many entries are on disk.
    pub fn size(&self) -> u64 {
        self.0.core.size()
    }

    /// Has `callback` called with the new size after every commit, on the writer's thread. It must not hold the trail, which would then never close.
    pub fn on_commit(&self, callback: impl Fn(u64) + Send + Sync + 'static) {
        self.0.core.listeners.lock().push(Box::new(callback));
    }

    /// Reads entries from `from` on, until one of the bounds is reached or the trail ends; at least
    /// one when there is one. A removed entry is empty; no other is, but in old trails.
    pub fn read(
        &self,
        from: Position,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<(Position, Bytes)>, TrailError> {
        self.0.core.read(from, entries_max, bytes_max)
    }

    /// The entry at `position`, when the trail is that long; empty when it was removed.
    pub fn get(&self, position: Position) -> Result<Option<Bytes>, TrailError> {
        Ok(self.read(position, 1, usize::MAX)?.pop().map(|(_, entry)| entry))
    }

    /// The batch that was appended under this tag key, when it is among those remembered.
    pub fn find_tag(&self, key: &[u8; 16]) -> Option<Tagged> {
        self.0.core.tags.lock().get(key)
    }

    /// The newest checkpoint on disk.
    pub fn checkpoint(&self) -> Arc<Checkpoint> {
        self.0.core.checkpoint.read().clone()
    }

    /// The newest checkpoint that witnesses have cosigned: its note carries the signature of the trail and theirs.
    pub fn cosigned(&self) -> Option<Arc<Checkpoint>> {
        self.0.core.cosigned.read().clone()
    }

    /// What to send to a witness whose newest checkpoint of this trail had `old` entries, 0 if it has none: the newest
    /// checkpoint, which it shall cosign, with the proof that the trail only grew.
    pub fn witness_request(&self, old: u64) -> Result<WitnessRequest, TrailError> {
        let checkpoint = self.checkpoint();
        let proof = self.consistency(old, checkpoint.size)?;
        let body = witness::request_body(old, &proof, &checkpoint);
        Ok(WitnessRequest { checkpoint, body })
    }

    /// Stores what witnesses answered, durably and together with the checkpoint that they have cosigned. A newer cosignature
    /// takes the place of an older one by the same key; those on an older checkpoint than [`Trail::cosigned`] are dropped.
    /// What is stored afterwards is given back.
    pub fn add_cosignatures(
        &self,
        checkpoint: &Checkpoint,
        cosignatures: &[Cosignature],
    ) -> Result<Option<Arc<Checkpoint>>, TrailError> {
        self.0.core.add_cosignatures(checkpoint, cosignatures)
    }

    /// Signs a checkpoint that covers all that is on disk now, if the newest one does not.
    pub fn seal(&self) -> Result<Arc<Checkpoint>, TrailError> {
        self.0.core.make_checkpoint()
    }

    /// The proof that the entry at `position` is in the tree of `size` entries.
    pub fn inclusion(&self, position: Position, size: u64) -> Result<Proof, TrailError> {
        let core = &self.0.core;
        core.within(size)?;
        if position >= size {
            return Err(TrailError::OutOfRange { asked: position, size });
        }
        let leaf = core.leaf(position)?;
        Ok(Proof { position, size, leaf, path: tree::inclusion(&**core, position, size)? })
    }

    /// The proof that the tree of `old` entries is a prefix of that of `new` entries. For 0 it is
    /// empty and proves nothing.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, TrailError> {
        let core = &self.0.core;
        core.within(new)?;
        if old > new {
            return Err(TrailError::OutOfRange { asked: old, size: new });
        }
        tree::consistency(&**core, old, new)
    }

    /// The root of the tree of the first `size` entries.
    pub fn root(&self, size: u64) -> Result<Hash, TrailError> {
        self.0.core.within(size)?;
        tree::root(&*self.0.core, size)
    }

    /// A tile as C2SP tlog-tiles serves it: `width` hashes of 32 bytes. Only what the newest checkpoint covers.
    pub fn tile(&self, level: u8, index: u64, width: u16) -> Result<Bytes, TrailError> {
        let hashes = self.0.core.tile(level, index, width)?;
        let mut bytes = Vec::with_capacity(hashes.len() * 32);
        for hash in hashes {
            bytes.extend_from_slice(&hash.0);
        }
        Ok(bytes.into())
    }

    /// An entry bundle as C2SP tlog-tiles serves it: `width` entries, each behind its length as 16 bits. Only what the newest
    /// checkpoint covers, and only where no entry was removed.
    pub fn entries_bundle(&self, index: u64, width: u16) -> Result<Bytes, TrailError> {
        let from = self.0.core.tile_start(0, index, width)?;
        let mut bytes = Vec::new();
        let mut next = from;
        while next < from + u64::from(width) {
            let wanted = (from + u64::from(width) - next) as usize;
            for (position, entry) in self.read(next, wanted, usize::MAX)? {
                if entry.is_empty() && self.0.core.log.removed_leaf(position)?.is_some() {
                    return Err(TrailError::Removed { position });
                }
                bytes.extend_from_slice(&(entry.len() as u16).to_be_bytes());
                bytes.extend_from_slice(&entry);
                next = position + 1;
            }
        }
        Ok(bytes.into())
    }

    /// The entries at `positions` with their proofs under the newest checkpoint, to be given away. Of removed ones the hash
    /// and its proof.
    pub fn bundle(&self, positions: &[Position]) -> Result<Bundle, TrailError> {
        let core = &self.0.core;
        let mut signed = core.checkpoint.read().clone();
        if positions.iter().any(|p| *p >= signed.size) {
            signed = core.make_checkpoint()?;
        }
        let tiles = WholeTiles::new(&**core, signed.size);
        let mut bundle = Bundle::begin(&core.verifier, &signed.note);
        for &position in positions {
            let beyond = || TrailError::OutOfRange { asked: position, size: signed.size };
            let entry = self.get(position)?.filter(|_| position < signed.size).ok_or_else(beyond)?;
            let path = tree::inclusion(&tiles, position, signed.size)?;
            let removed = if entry.is_empty() { core.log.removed_leaf(position)? } else { None };
            let proof = |leaf| Proof { position, size: signed.size, leaf, path };
            match removed {
                Some(leaf) => bundle.add(None, &proof(leaf)),
                None => bundle.add(Some(&entry), &proof(Hash::leaf(&entry))),
            }
        }
        Ok(bundle.finish())
    }

    /// Removes entries for good: their leaf hashes stand in their place, so every root and proof stays as it was. Returns
    /// when no file of the trail holds their bytes any more. What is not packed yet is packed first, for which this waits
    /// up to `Options::pack_wait_max`. Writing and reading go on meanwhile. `progress` is called after every pack and may end it early;
    /// what was done till then stays done. After an error or a crash each entry is whole or removed, and calling it again
    /// goes on.
    pub fn remove(
        &self,
        positions: &Removal,
        progress: &mut dyn FnMut(RemoveProgress) -> ControlFlow<()>,
    ) -> Result<Removed, TrailError> {
        remover::remove(&self.0.core, positions, progress)
    }

    /// How many of these positions were removed. Opens each pack, so over billions of entries it takes seconds.
    pub fn removed_in(&self, range: Range<Position>) -> Result<u64, TrailError> {
        self.0.core.within(range.end)?;
        self.0.core.log.removed_in(range)
    }

    /// The public key, shown as a C2SP verifier key.
    pub fn public_key(&self) -> &VerifyingKey {
        &self.0.core.verifier
    }

    /// The name of the trail.
    pub fn origin(&self) -> &str {
        self.0.core.verifier.name()
    }

    /// The folder of the trail.
    pub fn folder(&self) -> &PathBuf {
        &self.0.core.dir
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.core
    }

    /// Why the trail takes nothing, if it does not: it was closed, what is on disk is not what was written, or the disk
    /// refused. In the last case it tries to begin anew every `Options::rest`, and this is none again once that worked.
    pub fn stopped(&self) -> Option<Arc<str>> {
        self.0.core.queue.stopped()
    }

    /// Writes what waits, signs a last checkpoint and ends the threads. Further appends fail.
    pub fn close(&self) {
        self.0.close();
    }
}

impl Handle {
    fn close(&self) {
        self.core.close();
        let own = std::thread::current().id();
        for thread in std::mem::take(&mut *self.threads.lock()) {
            // A callback may drop the last handle on one of these very threads.
            if thread.thread().id() != own && thread.join().is_err() {
                tracing::error!("a thread of the trail panicked");
            }
        }
        if self.core.queue.failed().is_none()
            && let Err(e) = self.core.make_checkpoint()
        {
            tracing::error!(error = %e, "the last checkpoint was not written: {e}");
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

impl Checkpoint {
    pub(crate) fn now() -> SystemTime {
        SystemTime::now()
    }
}
