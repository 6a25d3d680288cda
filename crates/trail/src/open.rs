//! Making and opening a trail. What recovers after a crash is the code that runs on a good day.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::{Mutex, RwLock};

use crate::cache::Lru;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::disk::{self, Disk};
use crate::engine::{COSIGNED, Engine, LEAF_TILES_MAX, Tree};
use crate::error::TrailError;
use crate::hash::Hash;
use crate::log::{Log, PackRef, Segment};
use crate::note::{NoteError, SigningKey, VerifyingKey};
use crate::options::Options;
use crate::pack::{self, Pack};
use crate::queue::Queue;
use crate::signal::Signal;
use crate::tags::Tags;
use crate::trail::Opened;
use crate::tree::{self, Edge, TILE_WIDTH};
use crate::wal::{self, Ending, Wal};
use crate::{files, tile};

/// Makes the folders and the checkpoint of an empty trail.
pub fn create(disk: &dyn Disk, dir: &Path, origin: &str, key: &SigningKey) -> Result<(), TrailError> {
    let signed = Checkpoint::sign(key, origin, 0, Hash::empty(), Checkpoint::now())?;
    let path = dir.join("checkpoint");
    if disk.open_read(&path).is_ok() {
        return Err(TrailError::Present(dir.into()));
    }
    disk.create_dir_all(&dir.join("log")).map_err(TrailError::io("make", dir.join("log")))?;
    disk.create_dir_all(&dir.join("tile")).map_err(TrailError::io("make", dir.join("tile")))?;
    disk.sync_dir(dir).map_err(TrailError::io("sync", dir))?;
    if let Some(parent) = dir.parent().filter(|p| !p.as_os_str().is_empty()) {
        disk.sync_dir(parent).map_err(TrailError::io("sync", parent))?;
    }
    // Last, so that a trail is there as a whole or not at all.
    disk::replace(disk, &path, signed.note.as_bytes()).map_err(TrailError::io("write", &path))
}

/// Reads what is there, cuts what a crash left half written, and makes the tree again.
pub fn open(dir: &Path, key: SigningKey, options: Options) -> Result<(Engine, Opened), TrailError> {
    let disk = options.disk.clone();
    let path = dir.join("checkpoint");
    let note = match disk::read_all(&*disk, &path) {
        Ok(note) => note,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(TrailError::Absent(dir.into())),
        Err(e) => return Err(TrailError::io("read", &path)(e)),
    };
    let lock_path = dir.join("lock");
    let lock = disk.lock(&lock_path).map_err(|e| match e.kind() {
        io::ErrorKind::WouldBlock => TrailError::Locked(dir.into()),
        _ => TrailError::io("lock", &lock_path)(e),
    })?;
    let note = String::from_utf8(note).map_err(|_| CheckpointError::Note(NoteError::Malformed))?;
    let origin = Checkpoint::claimed_origin(&note).ok_or(CheckpointError::Malformed)?;
    let verifier = key.verifier(origin)?;
    let checkpoint = Checkpoint::open(&note, &verifier, Checkpoint::now())?;

    let cosigned = read_cosigned(&*disk, dir, &verifier)?;

    let replay = Replay {
        disk: &*disk,
        dir,
        signed_size: checkpoint.size,
        log: Log::new(disk.clone(), options.cache_bytes_max),
        tree: Tree::default(),
        tags: Tags::new(options.tags_max),
        cut_bytes: 0,
    };
    let Replayed { log, tree, tags, cut_bytes, current } = replay.run(&options)?;

    let size = tree.edge.size();
    if size < checkpoint.size {
        let what = format!("entries up to {} were signed for, but are missing", checkpoint.size);
        return Err(TrailError::Tampered { position: size, what });
    }
    let opened = Opened { recovered: size - checkpoint.size, cut_bytes };
    let core = Engine {
        dir: dir.into(),
        key,
        verifier,
        queue: Queue::new(options.queue_bytes_max),
        options,
        log,
        tree: Mutex::new(tree),
        tags: Mutex::new(tags),
        checkpoint: RwLock::new(Arc::new(checkpoint.clone())),
        cosigned: RwLock::new(cosigned.clone().map(Arc::new)),
        listeners: Mutex::default(),
        signal: Signal::default(),
        leaf_tiles: Mutex::new(Lru::new(LEAF_TILES_MAX)),
        current: Mutex::new(current),
        durable: AtomicU64::new(size),
        signing: Mutex::new(()),
        removing: Mutex::new(()),
        _lock: lock,
    };
    for signed in [Some(checkpoint), cosigned].into_iter().flatten() {
        if signed.size > size {
            let what = format!("entries up to {} were signed for, but are missing", signed.size);
            return Err(TrailError::Tampered { position: size, what });
        }
        if tree::root(&core, signed.size)? != signed.root {
            let what = "the entries do not lead to the root that was signed; `belfry verify` says more".to_owned();
            return Err(TrailError::Tampered { position: 0, what });
        }
    }
    core.signal.grown(size);
    core.signal.sealed();
    Ok((core, opened))
}

/// The newest checkpoint that witnesses have cosigned, if there is one.
fn read_cosigned(disk: &dyn Disk, dir: &Path, verifier: &VerifyingKey) -> Result<Option<Checkpoint>, TrailError> {
    let path = dir.join(COSIGNED);
    let note = match disk::read_all(disk, &path) {
        Ok(note) => note,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(TrailError::io("read", &path)(e)),
    };
    let note = String::from_utf8(note).map_err(|_| CheckpointError::Note(NoteError::Malformed))?;
    Ok(Some(Checkpoint::open(&note, verifier, Checkpoint::now())?))
}

struct Replay<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    signed_size: u64,
    log: Log,
    tree: Tree,
    tags: Tags,
    cut_bytes: u64,
}

struct Replayed {
    log: Log,
    tree: Tree,
    tags: Tags,
    cut_bytes: u64,
    current: Arc<Wal>,
}

impl Replay<'_> {
    fn run(mut self, options: &Options) -> Result<Replayed, TrailError> {
        let folder = self.folder();
        let names = self.disk.list(&folder).map_err(TrailError::io("list", &folder))?;
        let found = files::sort(&names);
        // What the last process saw of names need not be on disk yet; below, files are removed because of others.
        self.disk.sync_dir(&folder).map_err(TrailError::io("sync", &folder))?;
        for name in &found.leftover {
            let path = folder.join(name);
            self.disk.remove(&path).map_err(TrailError::io("remove", &path))?;
        }
        let packed = self.packs(&found.packs)?;
        self.edge(packed)?;
        let mut current = None;
        for (i, &first) in found.wals.iter().enumerate() {
            if first < packed {
                // Its pack has been checked and named; only the removal was lost.
                let path = folder.join(wal::name(first));
                self.disk.remove(&path).map_err(TrailError::io("remove", &path))?;
                continue;
            }
            current = self.wal(first, i + 1 == found.wals.len())?;
        }
        self.tags(options)?;
        let current = match current {
            Some(wal) => wal,
            None => {
                let first = self.tree.edge.size();
                let wal =
                    Wal::create(self.disk, &folder, first).map_err(TrailError::io("begin a segment in", &folder))?;
                let wal = Arc::new(wal);
                self.log.put(first, Segment::Wal(wal.clone()));
                wal
            }
        };
        let Self { log, tree, tags, cut_bytes, .. } = self;
        Ok(Replayed { log, tree, tags, cut_bytes, current })
    }

    fn folder(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Takes the packs; they must follow each other. The size up to which entries are packed.
    fn packs(&mut self, firsts: &[u64]) -> Result<u64, TrailError> {
        let mut size = 0;
        for (i, &first) in firsts.iter().enumerate() {
            let path = self.folder().join(pack::name(first));
            if first != size {
                return Err(gap(size, first));
            }
            // A pack ends where the next begins, which is held against its trailer when it is opened.
            size = match firsts.get(i + 1) {
                Some(next) => *next,
                None => first + Pack::open(self.disk, &path, first)?.count(),
            };
            self.log.put(first, Segment::Pack(Arc::new(PackRef::new(first, size - first, path))));
        }
        Ok(size)
    }

    /// Makes the right edge of the tree of `packed` entries: from full tiles, and below from entries.
    fn edge(&mut self, packed: u64) -> Result<(), TrailError> {
        let from = packed >> 16 << 16;
        let mut levels = vec![Vec::new(); 2];
        for level in 2..8 {
            let width = tree::width(from, level);
            if width == 0 {
                break;
            }
            let hashes = (width / TILE_WIDTH * TILE_WIDTH..width)
                .map(|index| Ok(tree::root_of_full(&tile::read(self.disk, self.dir, level - 1, index)?)));
            levels.push(hashes.collect::<Result<_, TrailError>>()?);
        }
        self.tree.edge = Edge::restore(from, levels);
        let mut next = from;
        while next < packed {
            let end = (next + 4_096).min(packed);
            let leaves = self.log.leaves(next, end)?;
            self.tree.extend(&leaves);
            next = end;
        }
        // A tile that was filled by packed entries is on disk already: it was written before them.
        self.tree.pending.clear();
        Ok(())
    }

    /// Takes a segment of the WAL; the one that will be written on is given back.
    fn wal(&mut self, first: u64, last: bool) -> Result<Option<Arc<Wal>>, TrailError> {
        let size = self.tree.edge.size();
        let path = self.folder().join(wal::name(first));
        if first != size {
            return Err(gap(size, first));
        }
        let recovered = Wal::open(self.disk, &self.folder(), first).map_err(TrailError::io("read", &path))?;
        let wal = recovered.wal;
        match recovered.ending {
            Ending::Clean => {}
            Ending::Unknown { version } => {
                return Err(TrailError::Version { path, found: version, known: wal::VERSION });
            }
            Ending::Damaged { position, what } => return Err(TrailError::Tampered { position, what }),
            // Only the last file was being written, and what was signed for had been synced.
            Ending::Torn { bytes } if last && wal.end() >= self.signed_size => {
                self.cut_bytes += bytes;
            }
            Ending::Torn { .. } => {
                let what = format!("{} ends in a damaged frame that had been synced", path.display());
                return Err(TrailError::Tampered { position: wal.end(), what });
            }
        }
        if wal.count() == 0 {
            return Ok(None); // begun, but nothing was ever in it: it is begun again
        }
        if last {
            wal.settle(self.signed_size).map_err(TrailError::io("write", &path))?;
        }
        self.tree.extend(&wal.leaves(first, wal.end()));
        let wal = Arc::new(wal);
        self.log.put(first, Segment::Wal(wal.clone()));
        Ok(last.then_some(wal))
    }

    /// Remembers the newest tags, as far back as they reach.
    fn tags(&mut self, options: &Options) -> Result<(), TrailError> {
        let size = self.tree.edge.size();
        let mut newest_first = Vec::new();
        for wal in self.log.wals() {
            newest_first.extend(wal.tags().into_iter().rev());
        }
        for pack in self.log.packs() {
            if newest_first.len() >= options.tags_max || size - pack.first > options.tags_reach {
                break;
            }
            newest_first.extend(self.log.pack(&pack)?.tags()?.into_iter().rev());
        }
        newest_first.truncate(options.tags_max);
        for (key, tagged) in newest_first.into_iter().rev() {
            self.tags.insert(key, tagged);
        }
        Ok(())
    }
}

fn gap(size: u64, first: u64) -> TrailError {
    let what = format!("the log goes on at {first}: a file is missing or has the wrong name");
    TrailError::Tampered { position: size.min(first), what }
}
