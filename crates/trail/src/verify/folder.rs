//! Checking a whole trail from its files: a data folder, a copy of one, a backup.

use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::{Fault, Progress, Verified};
use crate::checkpoint::Checkpoint;
use crate::disk::{self, Disk, RealDisk};
use crate::engine::COSIGNED;
use crate::hash::Hash;
use crate::note::VerifyingKey;
use crate::tree::{Edge, FullTile};
use crate::wal::Ending;
use crate::{files, pack, tile, wal};

/// Checks every file of the trail in `dir` with nothing but the public key, and says the first
/// position that is wrong. A tail that was cut off together with the checkpoint is found against
/// `known`, a checkpoint that was kept elsewhere.
pub fn folder(
    dir: &Path,
    key: &VerifyingKey,
    progress: &mut dyn FnMut(Progress),
    known: Option<&Checkpoint>,
) -> Result<Verified, Fault> {
    folder_on(&RealDisk, dir, key, progress, known)
}

/// Like [`folder`], on another file system.
pub fn folder_on(
    disk: &dyn Disk,
    dir: &Path,
    key: &VerifyingKey,
    progress: &mut dyn FnMut(Progress),
    known: Option<&Checkpoint>,
) -> Result<Verified, Fault> {
    // First the checkpoint, then the files: while a server is writing, those only grow.
    let cosigned = read_cosigned(disk, dir, key);
    let signed = read_checkpoint(disk, dir, key);
    let units = list(disk, dir)?;
    let mut walk = Walk {
        disk,
        dir,
        key,
        packed: false,
        edge: Edge::default(),
        vouched: 0,
        roots: Vec::new(),
        removed: 0,
        torn_bytes: 0,
    };
    let total = signed.as_ref().map_or(0, |s| s.size).max(known.map_or(0, |k| k.size));
    walk.roots.extend(signed.as_ref().ok().map(|s| (s.size, s.root, "the checkpoint")));
    let cosigned = cosigned.transpose();
    walk.roots
        .extend(cosigned.as_ref().ok().and_then(Option::as_ref).map(|s| (s.size, s.root, "the cosigned checkpoint")));
    walk.roots.extend(known.map(|k| (k.size, k.root, "the checkpoint kept elsewhere")));
    walk.roots.sort_by_key(|(size, ..)| std::cmp::Reverse(*size));
    walk.pass_roots()?;

    let workers = thread::available_parallelism().map_or(1, usize::from).min(units.len().max(1));
    thread::scope(|scope| {
        // Worker n takes every n-th file and is at most one ahead, so memory stays bounded.
        let receivers: Vec<Receiver<Outcome>> = (0..workers)
            .map(|n| {
                let (sender, receiver) = sync_channel(1);
                let own: Vec<Unit> = units.iter().skip(n).step_by(workers).copied().collect();
                scope.spawn(move || check_units(disk, dir, &own, &sender));
                receiver
            })
            .collect();
        for (i, unit) in units.iter().enumerate() {
            let checked = receivers[i % workers]
                .recv()
                .unwrap_or_else(|_| Err(Fault::unreadable(unit.first, "a worker of the check ended early")))?;
            walk.take(*unit, checked, i + 1 == units.len())?;
            progress(Progress { done: walk.edge.size(), total: total.max(walk.edge.size()) });
        }
        Ok(())
    })?;

    let size = walk.edge.size();
    if let Some((wanted, _, what)) = walk.roots.first() {
        return Err(Fault::wrong(
            size,
            format!("{what} covers {wanted} entries, but there are only {size}: the tail is missing"),
        ));
    }
    let signed = signed.map_err(|what| Fault { position: walk.vouched, ..what })?;
    let cosigned = cosigned.map_err(|what| Fault { position: walk.vouched, ..what })?;
    Ok(Verified {
        origin: signed.origin,
        size: signed.size,
        root: signed.root,
        cosigned,
        beyond: size - signed.size,
        removed: walk.removed,
        torn_bytes: walk.torn_bytes,
    })
}

fn read_cosigned(disk: &dyn Disk, dir: &Path, key: &VerifyingKey) -> Option<Result<Checkpoint, Fault>> {
    let path = dir.join(COSIGNED);
    disk.open_read(&path)
        .map_or_else(|e| e.kind() != io::ErrorKind::NotFound, |_| true)
        .then(|| read_signed(disk, &path, key))
}

fn read_checkpoint(disk: &dyn Disk, dir: &Path, key: &VerifyingKey) -> Result<Checkpoint, Fault> {
    read_signed(disk, &dir.join("checkpoint"), key)
}

fn read_signed(disk: &dyn Disk, path: &Path, key: &VerifyingKey) -> Result<Checkpoint, Fault> {
    let bytes = disk::read_all(disk, path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => Fault::wrong(0, format!("{} is missing", path.display())),
        _ => Fault::unreadable(0, format!("{}: {e}", path.display())),
    })?;
    let note = String::from_utf8(bytes).map_err(|_| Fault::wrong(0, format!("{} is not text", path.display())))?;
    super::checkpoint(&note, key).map_err(|e| Fault::wrong(0, e.to_string()))
}

/// A file with entries.
#[derive(Debug, Clone, Copy)]
struct Unit {
    first: u64,
    packed: bool,
}

/// The files that make up the log, in order. A WAL file whose pack is there already is passed over.
fn list(disk: &dyn Disk, dir: &Path) -> Result<Vec<Unit>, Fault> {
    let folder = dir.join("log");
    let mut names = Vec::new();
    // Twice: a pack that a running server names while the first list is made, and whose WAL is gone
    // before the list comes to it, is in the second.
    for _ in 0..2 {
        names.extend(disk.list(&folder).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => Fault::wrong(0, format!("{} is missing", folder.display())),
            _ => Fault::unreadable(0, format!("{}: {e}", folder.display())),
        })?);
    }
    let found = files::sort(&names);
    let mut units: Vec<Unit> = found.packs.iter().map(|&first| Unit { first, packed: true }).collect();
    let last_pack = found.packs.last().copied();
    units.extend(
        found.wals.iter().filter(|&&f| last_pack.is_none_or(|p| f > p)).map(|&first| Unit { first, packed: false }),
    );
    Ok(units)
}

/// What is in a file.
struct Content {
    leaves: Vec<Hash>,
    /// How many of the entries were removed.
    removed: u64,
    /// The checkpoint in a pack.
    note: Option<String>,
    /// The end of a WAL file, and the first position that a torn frame hides.
    ending: Option<(Ending, u64)>,
}

type Outcome = Result<Content, Fault>;

fn check_units(disk: &dyn Disk, dir: &Path, units: &[Unit], sender: &SyncSender<Outcome>) {
    for unit in units {
        let outcome = check_unit(disk, dir, *unit);
        if sender.send(outcome).is_err() {
            return; // a fault was found further in front
        }
    }
}

fn check_unit(disk: &dyn Disk, dir: &Path, unit: Unit) -> Outcome {
    let first = unit.first;
    let pack_path = dir.join("log").join(pack::name(first));
    let wal_path = dir.join("log").join(wal::name(first));
    let unreadable = |path: &Path, e: &io::Error| Fault::unreadable(first, format!("{}: {e}", path.display()));
    if !unit.packed {
        match disk::read_all(disk, &wal_path) {
            Ok(bytes) => {
                let checked = wal::check(&bytes, first).map_err(|position| {
                    Fault::wrong(position, format!("{}: the entry does not fit its hash", wal_path.display()))
                })?;
                return Ok(Content {
                    leaves: checked.leaves,
                    removed: 0,
                    note: None,
                    ending: Some((checked.ending, checked.torn_at)),
                });
            }
            // A running server may have packed it in the meantime.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(unreadable(&wal_path, &e)),
        }
    }
    let bytes = disk::read_all(disk, &pack_path).map_err(|e| unreadable(&pack_path, &e))?;
    let checked = pack::check(&bytes, first).map_err(|fault| {
        let what = format!("{}: {}", pack_path.display(), fault.what);
        if fault.newer { Fault::unreadable(first, what) } else { Fault::wrong(fault.position, what) }
    })?;
    let removed = checked.removed.len() as u64;
    Ok(Content { leaves: checked.leaves, removed, note: Some(checked.note), ending: None })
}

/// The tree being made again, entry by entry.
struct Walk<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    key: &'a VerifyingKey,
    /// The file at hand is a pack. Tiles that its entries fill are on disk then.
    packed: bool,
    edge: Edge,
    /// The largest size whose root was found as signed.
    vouched: u64,
    /// Roots still to be met, largest size first.
    roots: Vec<(u64, Hash, &'static str)>,
    removed: u64,
    torn_bytes: u64,
}

impl Walk<'_> {
    fn take(&mut self, unit: Unit, content: Content, last: bool) -> Result<(), Fault> {
        let size = self.edge.size();
        if unit.first != size {
            let what = format!("the log goes on at {}: a file is missing or has the wrong name", unit.first);
            return Err(Fault::wrong(size.min(unit.first), what));
        }
        let end = size + content.leaves.len() as u64;
        self.removed += content.removed;
        if let Some((ending, torn_at)) = content.ending {
            let wanted = self.roots.first().map_or(0, |(size, ..)| *size);
            let name = wal::name(unit.first);
            match ending {
                Ending::Clean => {}
                Ending::Torn { bytes } if last && end >= wanted => self.torn_bytes = bytes,
                Ending::Torn { .. } => {
                    // What stands before is checked first: it may be wrong further in front.
                    self.grow(&content.leaves)?;
                    return Err(Fault::wrong(torn_at, format!("{name} ends in a damaged frame that had been synced")));
                }
                Ending::Damaged { position, what } => {
                    self.grow(&content.leaves)?;
                    return Err(Fault::wrong(position, format!("{name}: {what}")));
                }
                Ending::Unknown { version } => {
                    return Err(Fault::unreadable(
                        size,
                        format!("{name} has format version {version}, use a newer program"),
                    ));
                }
            }
        }
        self.packed = content.note.is_some();
        self.grow(&content.leaves)?;
        if let Some(note) = content.note {
            self.note(unit, &note)?;
        }
        Ok(())
    }

    fn grow(&mut self, leaves: &[Hash]) -> Result<(), Fault> {
        let mut full = Vec::new();
        for leaf in leaves {
            self.edge.push(*leaf, &mut full);
            for tile in full.drain(..) {
                self.tile(&tile)?;
            }
            self.pass_roots()?;
        }
        Ok(())
    }

    /// Holds the roots of this very size against the tree.
    fn pass_roots(&mut self) -> Result<(), Fault> {
        while let Some((size, root, what)) = self.roots.last().copied().filter(|(size, ..)| *size == self.edge.size()) {
            self.meet(size, root, what)?;
            self.roots.pop();
        }
        Ok(())
    }

    fn meet(&mut self, size: u64, root: Hash, what: &str) -> Result<(), Fault> {
        if self.edge.root() == root {
            self.vouched = size;
            return Ok(());
        }
        let position = self.first_group_unlike_its_tile().unwrap_or(self.vouched);
        Err(Fault::wrong(position, format!("the entries up to {size} do not lead to the root of {what}")))
    }

    /// The checkpoint in a pack stands for all entries up to its end.
    fn note(&mut self, unit: Unit, note: &str) -> Result<(), Fault> {
        let name = pack::name(unit.first);
        let signed = super::checkpoint(note, self.key).map_err(|e| Fault::wrong(unit.first, format!("{name}: {e}")))?;
        let size = self.edge.size();
        if signed.size != size {
            let what = format!("{name} ends at {size}, but its checkpoint is of {}", signed.size);
            return Err(Fault::wrong(size.min(signed.size), what));
        }
        self.meet(size, signed.root, &format!("the checkpoint in {name}"))
    }

    fn tile(&self, made: &FullTile) -> Result<(), Fault> {
        let path = tile::file(self.dir, made.level, made.index);
        let start = tile::end(made.level, made.index) - (1 << (8 * (u32::from(made.level) + 1)));
        let step = 1 << (8 * u32::from(made.level));
        let bytes = match disk::read_all(self.disk, &path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return if self.packed {
                    Err(Fault::wrong(start, format!("{} is missing", path.display())))
                } else {
                    Ok(())
                };
            }
            Err(e) => return Err(Fault::unreadable(start, format!("{}: {e}", path.display()))),
        };
        let wanted = made.hashes.iter().map(|hash| hash.0);
        let first_wrong = bytes
            .chunks(32)
            .map(Some)
            .chain(std::iter::repeat(None))
            .zip(wanted)
            .position(|(found, wanted)| found != Some(&wanted));
        match first_wrong {
            None if bytes.len() == 32 * made.hashes.len() => Ok(()),
            None => Err(Fault::wrong(start, format!("{} is too long", path.display()))),
            Some(i) => {
                let position = start + i as u64 * step;
                Err(Fault::wrong(
                    position,
                    format!("{} does not fit the entries from {position} to {}", path.display(), position + step - 1),
                ))
            }
        }
    }

    /// When the tree is not what was signed: the first 256 entries that differ from what a tile on
    /// disk says of them.
    fn first_group_unlike_its_tile(&self) -> Option<u64> {
        let (start, made) = self.edge.partial(1);
        let stored = tile::read(self.disk, self.dir, 1, start >> 8).ok()?;
        let differs = made.iter().zip(&stored).position(|(made, stored)| made != stored)?;
        Some((start + differs as u64) << 8)
    }
}
