//! Making and opening a trail. What recovers after a crash is the code that runs on a good day.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::{Mutex, RwLock};

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::core::{Core, Signal, Tree};
use crate::disk::{self, Disk};
use crate::error::TrailError;
use crate::hash::Hash;
use crate::log::{Log, Segment};
use crate::note::{NoteError, SigningKey};
use crate::options::Options;
use crate::queue::Queue;
use crate::tags::Tags;
use crate::trail::Opened;
use crate::tree;
use crate::wal::{self, Ending, Wal};

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
pub fn open(dir: &Path, key: SigningKey, options: Options) -> Result<(Core, Opened), TrailError> {
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

    let log = Log::default();
    let mut tree = Tree::default();
    let mut tags = Tags::new(options.tags_max);
    let mut opened = Opened::default();
    let current = replay(&*disk, dir, &checkpoint, &log, &mut tree, &mut tags, &mut opened)?;

    let size = tree.edge.size();
    if size < checkpoint.size {
        let what = format!("entries up to {} were signed for, but are missing", checkpoint.size);
        return Err(TrailError::Tampered { position: size, what });
    }
    opened.recovered = size - checkpoint.size;
    let core = Core {
        dir: dir.into(),
        key,
        verifier,
        queue: Queue::new(options.queue_bytes_max),
        options,
        log,
        tree: Mutex::new(tree),
        tags: Mutex::new(tags),
        checkpoint: RwLock::new(Arc::new(checkpoint.clone())),
        listeners: Mutex::default(),
        signal: Signal::default(),
        current: Mutex::new(current),
        durable: AtomicU64::new(size),
        signing: Mutex::new(()),
        lock,
    };
    let root = tree::root(&core, checkpoint.size)?;
    if root != checkpoint.root {
        let what = "the entries do not lead to the root that was signed; `belfry verify` says more".to_owned();
        return Err(TrailError::Tampered { position: 0, what });
    }
    core.signal.grown(size);
    Ok((core, opened))
}

fn replay(
    disk: &dyn Disk,
    dir: &Path,
    checkpoint: &Checkpoint,
    log: &Log,
    tree: &mut Tree,
    tags: &mut Tags,
    opened: &mut Opened,
) -> Result<Arc<Wal>, TrailError> {
    let folder = dir.join("log");
    let mut firsts: Vec<u64> = disk
        .list(&folder)
        .map_err(TrailError::io("list", &folder))?
        .iter()
        .filter_map(|name| name.strip_suffix(".wal")?.parse().ok())
        .collect();
    firsts.sort_unstable();
    let mut current = None;
    for (i, &first) in firsts.iter().enumerate() {
        let last = i + 1 == firsts.len();
        let size = tree.edge.size();
        if first != size {
            let what = format!("the log goes on at {first}: a file is missing or has the wrong name");
            return Err(TrailError::Tampered { position: size.min(first), what });
        }
        let path = folder.join(wal::name(first));
        let recovered = Wal::open(disk, &folder, first).map_err(TrailError::io("read", &path))?;
        let wal = recovered.wal;
        match recovered.ending {
            Ending::Clean => {}
            Ending::Unknown { version } => {
                return Err(TrailError::Version { path, found: version, known: wal::VERSION });
            }
            Ending::Damaged { position, what } => return Err(TrailError::Tampered { position, what }),
            // Only the last file was being written, and what was signed for had been synced.
            Ending::Torn { bytes } if last && wal.end() >= checkpoint.size => {
                opened.cut_bytes += bytes;
                if wal.count() > 0 {
                    wal.cut().map_err(TrailError::io("cut the torn tail of", &path))?;
                }
            }
            Ending::Torn { .. } => {
                let what = format!("{} ends in a damaged frame that had been synced", path.display());
                return Err(TrailError::Tampered { position: wal.end(), what });
            }
        }
        tree.extend(&wal.leaves(first, wal.end()));
        for (key, tagged) in wal.tags() {
            tags.insert(key, tagged);
        }
        let wal = Arc::new(wal);
        if wal.count() == 0 {
            continue; // begun, but nothing was ever in it: it is begun again below
        }
        log.put(first, Segment::Wal(wal.clone()));
        current = Some(wal);
    }
    if let Some(wal) = current.filter(|wal| wal.end() == tree.edge.size() && firsts.last() == Some(&wal.first)) {
        return Ok(wal);
    }
    let first = tree.edge.size();
    let wal = Wal::create(disk, &folder, first).map_err(TrailError::io("begin a segment in", &folder))?;
    let wal = Arc::new(wal);
    log.put(first, Segment::Wal(wal.clone()));
    Ok(wal)
}
