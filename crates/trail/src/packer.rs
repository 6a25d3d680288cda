//! Packing, off the path of those who wait for an answer: sealed segments of the WAL become packs.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::checkpoint::Checkpoint;
use crate::disk::{self, Disk};
use crate::engine::Engine;
use crate::error::TrailError;
use crate::hash::Hash;
use crate::log::{PackRef, Segment};
use crate::options::Options;
use crate::pack::{self, Builder, Packing};
use crate::wal::Wal;
use crate::{tile, tree};

/// Runs until the trail closes.
pub fn run(core: &Engine) {
    let mut seen = 0;
    while core.signal.wait_sealed(&mut seen) {
        while let Some(wal) = core.log.oldest_sealed() {
            match pack(core, &wal) {
                Ok(()) => core.queue.hold(core.log.sealed() > core.options.unpacked_segments_max),
                Err(e @ TrailError::Io { .. }) => {
                    // The WAL is still there: nothing is lost, it only waits. When too much waits, appends are refused as busy.
                    tracing::error!(error = %e, "can't pack, trying again in {} s: {e}", core.options.rest.as_secs());
                    if !core.signal.sleep_until(Instant::now() + core.options.rest) {
                        return;
                    }
                }
                Err(e) => {
                    core.fail(&e.to_string());
                    return;
                }
            }
            if core.signal.is_closing() {
                return;
            }
        }
    }
}

/// Packs one segment. In this order: tiles, then the pack under a temporary name, read back and held against the
/// tree, then its name, and only then the WAL is dropped. A crash anywhere leaves the WAL or the whole pack.
fn pack(core: &Engine, wal: &Wal) -> Result<(), TrailError> {
    let disk = &*core.options.disk;
    let folder = core.dir.join("log");
    let path = folder.join(pack::name(wal.first));
    let temporary = folder.join(format!("{}.tmp", pack::name(wal.first)));
    let (first, end) = (wal.first, wal.end());
    write_tiles(core, disk, end)?;

    // A frame that can't be made back from its fields would be a fault of this program, and cost no entry: the other codec takes it.
    match write_pack(core, wal, core.options.shred) {
        Err(TrailError::Tampered { what, .. }) if core.options.shred => {
            tracing::error!("packing again, not by field: {what}");
            write_pack(core, wal, false)?;
        }
        other => other?,
    }
    disk.rename(&temporary, &path).map_err(TrailError::io("name", &path))?;
    disk.sync_dir(&folder).map_err(TrailError::io("sync", &folder))?;
    wal.forget_all();
    core.log.put(first, Segment::Pack(Arc::new(PackRef::new(first, end - first, path))));
    // When this fails or is lost, the next start does it; or who removes entries of the pack, and has been here before.
    if let Err(e) = disk.remove(&wal.path)
        && e.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(error = %e, "a packed WAL file stays until the next start: {}", wal.path.display());
    }
    core.signal.packed();
    Ok(())
}

/// Writes the pack of a segment under its temporary name, and reads it back.
fn write_pack(core: &Engine, wal: &Wal, shred: bool) -> Result<(), TrailError> {
    let disk = &*core.options.disk;
    let (first, end) = (wal.first, wal.end());
    let temporary = core.dir.join("log").join(format!("{}.tmp", pack::name(first)));
    let leaves = wal.leaves(first, end);
    let root = tree::root(core, end)?;
    let signed = Checkpoint::sign(&core.key, core.verifier.name(), end, root, Checkpoint::now())?;
    let bytes = encode(core, wal, &leaves, &signed.note, shred).map_err(TrailError::io("read", &wal.path))?;
    let file = disk.create(&temporary).map_err(TrailError::io("make", &temporary))?;
    file.write_at(&bytes, 0).and_then(|()| file.sync()).map_err(TrailError::io("write", &temporary))?;
    drop((file, bytes));

    let read_back = disk::read_all(disk, &temporary).map_err(TrailError::io("read back", &temporary))?;
    let checked = pack::check(&read_back, first).map_err(|f| TrailError::Tampered {
        position: f.position,
        what: format!("the pack just written reads back wrong: {}", f.what),
    })?;
    if checked.leaves != leaves || checked.tags != wal.tags() {
        let i = checked.leaves.iter().zip(&leaves).position(|(a, b)| a != b).unwrap_or(0);
        let what = format!("{} no longer holds what was written to it", wal.path.display());
        return Err(TrailError::Tampered { position: first + i as u64, what });
    }

    Ok(())
}

fn encode(core: &Engine, wal: &Wal, leaves: &[Hash], note: &str, shred: bool) -> io::Result<Vec<u8>> {
    let (first, end) = (wal.first, wal.end());
    let Options { zstd_level: level, frame_entries_max, .. } = core.options;
    let mut builder = Builder::new(first, leaves.len() as u32, Packing { level, frame_entries_max, shred })?;
    let mut next = first;
    let mut entries = Vec::new();
    while next < end {
        wal.read(next, 4_096, 4 << 20, &mut entries)?;
        next += entries.len() as u64;
        for (_, entry) in entries.drain(..) {
            builder.push(&entry)?;
        }
    }
    builder.finish(leaves, &wal.tags(), note)
}

/// Writes the full tiles that end at or before `end`; they are kept in memory until they are on disk.
fn write_tiles(core: &Engine, disk: &dyn Disk, end: u64) -> Result<(), TrailError> {
    let pending: Vec<_> = {
        let tree = core.tree.lock();
        tree.pending
            .iter()
            .filter(|((level, index), _)| tile::end(*level, *index) <= end)
            .map(|(key, hashes)| (*key, hashes.clone()))
            .collect()
    };
    for ((level, index), hashes) in pending {
        let path = tile::file(&core.dir, level, index);
        let folder = path.parent().unwrap_or(&core.dir);
        disk.create_dir_all(folder).map_err(TrailError::io("make", folder))?;
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
        disk::replace(disk, &path, &bytes).map_err(TrailError::io("write", &path))?;
        sync_up(disk, folder, &core.dir)?;
        core.tree.lock().pending.remove(&(level, index));
    }
    Ok(())
}

/// Makes the names of `folder` and of the folders above it durable, up to `top`.
fn sync_up(disk: &dyn Disk, folder: &Path, top: &Path) -> Result<(), TrailError> {
    let mut at = folder;
    while at != top {
        let Some(above) = at.parent() else { break };
        disk.sync_dir(above).map_err(TrailError::io("sync", above))?;
        at = above;
    }
    Ok(())
}
