//! A file system in memory that forgets what was not synced, tears and reorders writes when it
//! crashes, and fails on purpose: for tests of what must survive.
//!
//! It is stricter than most real ones: a new name is durable only after its folder was synced, and
//! after a failed sync the data may never reach the disk, although it can still be read.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Disk, DiskFile};

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not done.
    NotDone,
    /// It is done, and reported as failed.
    DoneButFailed,
}

/// The smallest piece of a write that survives a crash by itself.
const SECTOR: usize = 512;

/// The file system. Clones are the same one.
#[derive(Clone)]
pub struct FaultyDisk(Arc<Mutex<State>>);

#[derive(Clone)]
struct State {
    random: u64,
    /// Counts the crashes; files opened before the last one are dead.
    epoch: u64,
    operations: u64,
    fail_at: Option<(u64, Fault)>,
    crash_at: Option<u64>,
    /// The next sync of a file with this ending fails.
    fail_sync_of: Option<String>,
    down: bool,
    full: bool,
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// Changes of names that no sync has made durable, in order.
    pending_names: Vec<(PathBuf, NameChange)>,
    folders: BTreeSet<PathBuf>,
    locks: BTreeSet<PathBuf>,
}

#[derive(Clone, Default)]
struct Inode {
    now: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Len(usize),
}

#[derive(Clone)]
enum NameChange {
    Put(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl FaultyDisk {
    /// An empty file system whose behaviour follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            random: seed,
            epoch: 0,
            operations: 0,
            fail_at: None,
            crash_at: None,
            fail_sync_of: None,
            down: false,
            full: false,
            inodes: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: Vec::new(),
            folders: BTreeSet::new(),
            locks: BTreeSet::new(),
        })))
    }

    /// A copy of all that is on it, with another seed.
    pub fn copy(&self, seed: u64) -> Self {
        let state =
            State { random: seed, fail_at: None, crash_at: None, locks: BTreeSet::new(), ..self.0.lock().clone() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Has the operation that comes after `after` others fail.
    pub fn fail_after(&self, after: u64, fault: Fault) {
        let mut state = self.0.lock();
        state.fail_at = Some((state.operations + after, fault));
    }

    /// Cuts the power at the operation that comes after `after` others.
    pub fn crash_after(&self, after: u64) {
        let mut state = self.0.lock();
        state.crash_at = Some(state.operations + after);
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// Has the next sync of a file whose name ends so fail. What was written can be read until the
    /// power is cut, but no later sync makes it durable.
    pub fn fail_next_sync(&self, ending: &str) {
        self.0.lock().fail_sync_of = Some(ending.to_owned());
    }

    /// Forgets planned faults.
    pub fn heal(&self) {
        let mut state = self.0.lock();
        state.fail_at = None;
        state.crash_at = None;
        state.fail_sync_of = None;
    }

    /// Has no room for more bytes, or has it again.
    pub fn set_full(&self, full: bool) {
        self.0.lock().full = full;
    }

    /// Cuts the power: every operation fails until [`FaultyDisk::restart`].
    pub fn crash(&self) {
        self.0.lock().crash();
    }

    /// Has it work again after a crash.
    pub fn restart(&self) {
        let mut state = self.0.lock();
        state.down = false;
        state.fail_at = None;
        state.crash_at = None;
        state.fail_sync_of = None;
    }

    /// Changes bytes of a file behind everybody's back. True when the file is that long.
    pub fn damage(&self, path: &Path, offset: usize, flip: u8) -> bool {
        let mut state = self.0.lock();
        let Some(&inode) = state.names.get(path) else { return false };
        let inode = &mut state.inodes[inode];
        for content in [&mut inode.now, &mut inode.durable] {
            match content.get_mut(offset) {
                Some(byte) => *byte ^= flip,
                None => return false,
            }
        }
        true
    }

    fn run<T>(&self, work: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.0.lock();
        if state.down {
            return Err(io::Error::other("the power is off"));
        }
        state.operations += 1;
        if state.crash_at.is_some_and(|at| at <= state.operations) {
            state.crash();
            return Err(io::Error::other("the power is off"));
        }
        match state.fail_at {
            Some((at, fault)) if at <= state.operations => {
                state.fail_at = None;
                if fault == Fault::DoneButFailed {
                    work(&mut state)?;
                }
                Err(io::Error::other("an injected fault"))
            }
            _ => work(&mut state),
        }
    }

    fn handle(&self, inode: usize, epoch: u64) -> Arc<dyn DiskFile> {
        Arc::new(FaultyFile { disk: self.clone(), inode, epoch })
    }
}

impl State {
    fn crash(&mut self) {
        self.down = true;
        self.crash_at = None;
        self.epoch += 1;
        for i in 0..self.inodes.len() {
            let pending = std::mem::take(&mut self.inodes[i].pending);
            let mut durable = std::mem::take(&mut self.inodes[i].durable);
            for change in pending {
                let luck = self.next_random() % 4;
                match change {
                    // All of it, none of it, or some of its sectors.
                    Change::Write { .. } if luck == 0 => {}
                    Change::Write { offset, bytes } => {
                        for (n, sector) in bytes.chunks(SECTOR).enumerate() {
                            if luck == 1 || self.next_random().is_multiple_of(2) {
                                write(&mut durable, offset + n * SECTOR, sector);
                            }
                        }
                    }
                    Change::Len(len) if luck < 2 => durable.resize(len, 0),
                    Change::Len(_) => {}
                }
            }
            self.inodes[i].now = durable.clone();
            self.inodes[i].durable = durable;
        }
        // Of the changes of names any may be kept, and any other lost.
        for (_, change) in std::mem::take(&mut self.pending_names) {
            if !self.next_random().is_multiple_of(3) {
                apply(&mut self.durable_names, &change);
            }
        }
        self.names = self.durable_names.clone();
        self.locks.clear();
    }

    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn change_name(&mut self, change: NameChange) {
        apply(&mut self.names, &change);
        let (NameChange::Put(path, _) | NameChange::Rename(_, path) | NameChange::Remove(path)) = &change;
        self.pending_names.push((folder_of(path), change));
    }
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_owned()
}

fn apply(names: &mut BTreeMap<PathBuf, usize>, change: &NameChange) {
    match change {
        NameChange::Put(path, inode) => drop(names.insert(path.clone(), *inode)),
        NameChange::Rename(from, to) => {
            if let Some(inode) = names.remove(from) {
                names.insert(to.clone(), inode);
            }
        }
        NameChange::Remove(path) => drop(names.remove(path)),
    }
}

fn write(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let (inode, epoch) = self.run(|state| {
            if !state.folders.contains(&folder_of(path)) {
                return Err(io::ErrorKind::NotFound.into());
            }
            state.inodes.push(Inode::default());
            let inode = state.inodes.len() - 1;
            state.change_name(NameChange::Put(path.to_owned(), inode));
            Ok((inode, state.epoch))
        })?;
        Ok(self.handle(inode, epoch))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let found = self.run(|state| Ok((state.names.get(path).copied().ok_or(io::ErrorKind::NotFound)?, state.epoch)));
        let (inode, epoch) = found?;
        Ok(self.handle(inode, epoch))
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.run(|state| {
            if !state.names.contains_key(from) {
                return Err(io::ErrorKind::NotFound.into());
            }
            state.change_name(NameChange::Rename(from.to_owned(), to.to_owned()));
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.run(|state| {
            if !state.names.contains_key(path) {
                return Err(io::ErrorKind::NotFound.into());
            }
            state.change_name(NameChange::Remove(path.to_owned()));
            Ok(())
        })
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.run(|state| {
            state.folders.extend(path.ancestors().map(Path::to_owned));
            Ok(())
        })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.run(|state| {
            if !state.folders.contains(path) {
                return Err(io::ErrorKind::NotFound.into());
            }
            let names = state.names.keys().chain(&state.folders).filter(|name| name.parent() == Some(path));
            Ok(names.filter_map(|name| Some(name.file_name()?.to_string_lossy().into_owned())).collect())
        })
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.run(|state| {
            let (durable, pending) =
                std::mem::take(&mut state.pending_names).into_iter().partition(|(folder, _)| folder == path);
            state.pending_names = pending;
            let durable: Vec<_> = durable;
            for (_, change) in &durable {
                apply(&mut state.durable_names, change);
            }
            Ok(())
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        let mut taken = None;
        self.run(|state| {
            if !state.locks.insert(path.to_owned()) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            taken = Some(Lock(self.clone(), path.to_owned()));
            Ok(())
        })
        .map(|()| Box::new(taken) as Box<dyn Any + Send + Sync>)
    }
}

struct Lock(FaultyDisk, PathBuf);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.0.lock().locks.remove(&self.1);
    }
}

struct FaultyFile {
    disk: FaultyDisk,
    inode: usize,
    epoch: u64,
}

impl FaultyFile {
    fn run<T>(&self, work: impl FnOnce(&mut State, usize) -> T) -> io::Result<T> {
        self.disk.run(|state| {
            if state.epoch != self.epoch {
                return Err(io::Error::other("opened before the crash"));
            }
            Ok(work(state, self.inode))
        })
    }
}

impl DiskFile for FaultyFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.run(|state, inode| {
            let content = &state.inodes[inode].now;
            let from = content.len().min(offset as usize);
            let read = buf.len().min(content.len() - from);
            buf[..read].copy_from_slice(&content[from..from + read]);
            read
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.run(|state, inode| {
            let full = state.full;
            let inode = &mut state.inodes[inode];
            // As far as there is room: what a full disk takes of a write is torn.
            let room =
                if full { inode.now.len().saturating_sub(offset as usize).min(bytes.len()) } else { bytes.len() };
            write(&mut inode.now, offset as usize, &bytes[..room]);
            inode.pending.push(Change::Write { offset: offset as usize, bytes: bytes[..room].to_owned() });
            if room == bytes.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
        })?
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.run(|state, inode| {
            let inode = &mut state.inodes[inode];
            inode.now.resize(len as usize, 0);
            inode.pending.push(Change::Len(len as usize));
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.run(|state, inode| state.inodes[inode].now.len() as u64)
    }

    fn sync(&self) -> io::Result<()> {
        self.run(|state, number| {
            let named = |ending: &String| {
                state.names.iter().any(|(path, inode)| *inode == number && path.to_string_lossy().ends_with(ending))
            };
            let fails = state.fail_sync_of.as_ref().is_some_and(named);
            let inode = &mut state.inodes[number];
            let pending = std::mem::take(&mut inode.pending);
            if fails {
                // Some kernels take the pages for clean after a failed sync: a later one won't write them.
                state.fail_sync_of = None;
                return Err(io::Error::other("an injected fault"));
            }
            for change in pending {
                match change {
                    Change::Write { offset, bytes } => write(&mut inode.durable, offset, &bytes),
                    Change::Len(len) => inode.durable.resize(len, 0),
                }
            }
            Ok(())
        })?
    }
}
