//! Removing entries for good: their packs are made again without them, one after the other.
//!
//! A crash at any moment leaves each pack as it was or as it shall be.

use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::disk;
use crate::engine::Engine;
use crate::error::TrailError;
use crate::hash::Hash;
use crate::log::PackRef;
use crate::pack::{self, Checked};
use crate::removal::{Removal, RemoveProgress, Removed};
use crate::tree::{self, TILE_WIDTH};
use crate::wal;

/// Removes entries. Ends early, with what was done so far, when `progress` says so.
pub fn remove(
    core: &Engine,
    removal: &Removal,
    progress: &mut dyn FnMut(RemoveProgress) -> ControlFlow<()>,
) -> Result<Removed, TrailError> {
    let _one_at_a_time = core.removing.lock();
    core.within(removal.end())?;
    wait_packed(core, removal.end())?;
    let packs = core.log.packs_with(removal);
    let mut done = Removed::default();
    for (i, pack) in packs.iter().enumerate() {
        if let Some(reason) = core.queue.stopped() {
            return Err(TrailError::Stopped(reason));
        }
        if let Some((entries, bytes_freed)) = rewrite(core, pack, removal)? {
            done.entries += entries;
            done.bytes_freed += bytes_freed;
            done.packs += 1;
        }
        drop_wal(core, pack)?;
        let so_far =
            RemoveProgress { packs_done: i as u64 + 1, packs_total: packs.len() as u64, entries: done.entries };
        if progress(so_far).is_break() {
            break;
        }
    }
    Ok(done)
}

/// Waits until all entries before `end` are packed. The open segment is ended if it holds any of them.
fn wait_packed(core: &Engine, end: u64) -> Result<(), TrailError> {
    let deadline = Instant::now() + core.options.pack_wait_max;
    loop {
        let Some(unpacked) = core.log.first_unpacked().filter(|first| *first < end) else { return Ok(()) };
        if let Some(reason) = core.queue.stopped() {
            return Err(TrailError::Stopped(reason));
        }
        if Instant::now() >= deadline {
            return Err(TrailError::NotPacked { position: unpacked, waited: core.options.pack_wait_max });
        }
        if core.current.lock().first < end {
            core.queue.seal();
        }
        core.signal.wait_packed(deadline.min(Instant::now() + Duration::from_millis(50)));
    }
}

/// Makes one pack again. How many entries it lost, and how many bytes; none when it had none to lose.
fn rewrite(core: &Engine, pack: &PackRef, removal: &Removal) -> Result<Option<(u64, u64)>, TrailError> {
    let disk = &*core.options.disk;
    let folder = core.dir.join("log");
    let first = pack.first;
    let temporary = folder.join(format!("{}.tmp", pack::name(first)));
    let old = disk::read_all(disk, &pack.path).map_err(TrailError::io("read", &pack.path))?;
    // What was tampered with must not be made to look right again.
    let checked = check(pack, &old, "")?;
    if checked.leaves.len() as u64 != pack.count {
        let what = format!("{} holds {} entries instead of {}", pack.path.display(), checked.leaves.len(), pack.count);
        return Err(TrailError::Tampered { position: first, what });
    }
    against_tree(core, pack, &checked.leaves)?;
    let rewritten =
        pack::without(&old, first, core.options.zstd_level, core.options.shred, &|position| removal.contains(position))
            .map_err(|fault| TrailError::Tampered { position: fault.position, what: fault.what })?;
    let Some(rewritten) = rewritten else { return Ok(None) };

    let written = || -> Result<(), TrailError> {
        let file = disk.create(&temporary).map_err(TrailError::io("make", &temporary))?;
        file.write_at(&rewritten.bytes, 0).and_then(|()| file.sync()).map_err(TrailError::io("write", &temporary))?;
        drop(file);
        let read_back = disk::read_all(disk, &temporary).map_err(TrailError::io("read back", &temporary))?;
        let made = check(pack, &read_back, "the pack just written reads back wrong: ")?;
        let lost = |position: &u64| removal.contains(*position) || checked.removed.binary_search(position).is_ok();
        let wanted: Vec<u64> = (first..first + pack.count).filter(lost).collect();
        if made.leaves != checked.leaves
            || made.tags != checked.tags
            || made.note != checked.note
            || made.removed != wanted
        {
            let what = format!("{} reads back wrong", temporary.display());
            return Err(TrailError::Tampered { position: first, what });
        }
        Ok(())
    }();
    if let Err(e) = written {
        // If this fails as well, the next start does it.
        let _ = disk.remove(&temporary);
        return Err(e);
    }
    let named = disk.rename(&temporary, &pack.path).map_err(TrailError::io("name", &pack.path));
    // Also when it failed: nobody knows then which of the two has the name.
    core.log.reopen(pack);
    named?;
    disk.sync_dir(&folder).map_err(TrailError::io("sync", &folder))?;
    Ok(Some((rewritten.entries, (old.len() as u64).saturating_sub(rewritten.bytes.len() as u64))))
}

fn check(pack: &PackRef, bytes: &[u8], when: &str) -> Result<Checked, TrailError> {
    pack::check(bytes, pack.first).map_err(|fault| TrailError::Tampered {
        position: fault.position,
        what: format!("{when}{}: {}", pack.path.display(), fault.what),
    })
}

/// Holds the leaves of a pack against the tree, which has the root of every 256 of them.
fn against_tree(core: &Engine, pack: &PackRef, leaves: &[Hash]) -> Result<(), TrailError> {
    let end = pack.first + pack.count;
    let mut at = pack.first;
    while at < end {
        let group = at / TILE_WIDTH;
        let (start, stop) = (group * TILE_WIDTH, (group + 1) * TILE_WIDTH);
        let to = end.min(stop);
        let own = &leaves[(at - pack.first) as usize..(to - pack.first) as usize];
        let fits = if stop <= core.size() {
            let mut whole = core.log.leaves(start, at)?;
            whole.extend_from_slice(own);
            whole.extend(core.log.leaves(to, stop)?);
            tree::Hashes::hashes(core, 1, group, group + 1)?.first() == Some(&tree::root_of_full(&whole))
        } else {
            let tree = core.tree.lock();
            let (partial_start, partial) = tree.edge.partial(0);
            if partial_start != start {
                continue; // it was filled in this moment
            }
            partial.get((at - start) as usize..(to - start) as usize) == Some(own)
        };
        if !fits {
            let what = format!("{} does not fit the tree", pack.path.display());
            return Err(TrailError::Tampered { position: at, what });
        }
        at = to;
    }
    Ok(())
}

/// A WAL file that the packer could not remove still holds the entries.
fn drop_wal(core: &Engine, pack: &PackRef) -> Result<(), TrailError> {
    let folder = core.dir.join("log");
    let path = folder.join(wal::name(pack.first));
    match core.options.disk.remove(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(TrailError::io("remove", &path)(e)),
        _ => {}
    }
    // Its removal may not have reached the disk, whoever did it.
    core.options.disk.sync_dir(&folder).map_err(TrailError::io("sync", &folder))
}
