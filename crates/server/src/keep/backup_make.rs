//! Making the file of a backup: streamed, encrypted, read back, and only then named.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Instant;

use age::Encryptor;
use age::x25519::Recipient;
use api::backup::{BackupPhase, BackupProgress};

use super::backup_archive::{Entry, Head, Listed, Manifest, Writer};
use super::backup_files::Source;
use super::backup_sidecar::{self as sidecar, Sidecar};
use super::masterkey;
use crate::hash::{self, Hashed, Hashing, hex};
use crate::state::backups::Known;

/// How far it is, and whether it was called off. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    phase: AtomicU8,
    done: AtomicU64,
    total: AtomicU64,
    cancelled: AtomicBool,
    begun: parking_lot::Mutex<Instant>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            phase: AtomicU8::new(0),
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
            begun: parking_lot::Mutex::new(Instant::now()),
        }
    }
}

const PHASES: [BackupPhase; 4] =
    [BackupPhase::State, BackupPhase::Writing, BackupPhase::ReadingBack, BackupPhase::Checking];

impl Progress {
    /// A new part of the work, of so many bytes; 0 when that is not known.
    pub fn phase(&self, phase: BackupPhase, total: u64) {
        let index = PHASES.iter().position(|known| *known == phase).unwrap_or(0);
        *self.0.begun.lock() = Instant::now();
        self.0.phase.store(index as u8, Ordering::Relaxed);
        self.0.done.store(0, Ordering::Relaxed);
        self.0.total.store(total, Ordering::Relaxed);
    }

    /// Counts bytes; fails with `Interrupted` once it was called off.
    pub fn step(&self, bytes: u64) -> io::Result<()> {
        self.0.done.fetch_add(bytes, Ordering::Relaxed);
        if self.is_cancelled() { Err(io::Error::new(io::ErrorKind::Interrupted, "cancelled")) } else { Ok(()) }
    }

    /// Takes bytes out that need not be read after all.
    fn spare(&self, bytes: u64) {
        let less = |total: u64| Some(total.saturating_sub(bytes));
        let _ = self.0.total.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
    }

    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Relaxed)
    }

    /// As the API shows it.
    pub fn shown(&self) -> BackupProgress {
        let phase =
            PHASES.get(usize::from(self.0.phase.load(Ordering::Relaxed))).copied().unwrap_or(BackupPhase::State);
        let (done, total) = (self.0.done.load(Ordering::Relaxed), self.0.total.load(Ordering::Relaxed));
        let seconds = self.0.begun.lock().elapsed().as_secs_f64();
        let pace = done as f64 / seconds.max(0.001);
        let left = (total > done && seconds > 1.0 && pace > 0.0).then(|| ((total - done) as f64 / pace).ceil() as u64);
        BackupProgress { phase, done_bytes: done.min(total.max(done)), total_bytes: total, seconds_left: left }
    }
}

/// What is to be made.
pub struct Plan {
    pub head: Head,
    pub recipient: Recipient,
    pub started_at: String,
    pub sources: Vec<Source>,
    /// What the backup before stands for; empty for a full one.
    pub known: HashMap<String, Known>,
    /// The folder of backups.
    pub folder: PathBuf,
}

/// What was made.
pub struct Made {
    pub size_bytes: u64,
    /// Of the encrypted file, hexadecimal.
    pub sha256: String,
    pub files: Vec<(String, Known)>,
    /// How many of them are in this very file.
    pub files_new: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    #[error("can't write {path}")]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} reads back wrong: its SHA-256 is {found}, what was written has {wanted}")]
    ReadBack { path: PathBuf, wanted: String, found: String },
    #[error("can't encrypt to the master key: {0}")]
    Encrypt(String),
    #[error("cancelled")]
    Cancelled,
}

/// Makes the file and its sidecar. A backup is there once its sidecar is; what a crash leaves is called `.part`.
pub fn make(plan: &Plan, progress: &Progress) -> Result<Made, MakeError> {
    let path = plan.folder.join(sidecar::file_name(&plan.head.id));
    let part = path.with_extension("part");
    let made = write(plan, &part, progress).and_then(|made| name(plan, &part, &path, made, progress));
    if made.is_err() {
        // Where this fails the next start does it.
        let _ = std::fs::remove_file(&part);
    }
    made
}

fn write(plan: &Plan, part: &Path, progress: &Progress) -> Result<Made, MakeError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::Interrupted => MakeError::Cancelled,
        _ => MakeError::Write { path: part.to_path_buf(), source },
    };
    let unchanged: Vec<bool> = plan.sources.iter().map(|source| is_unchanged(source, &plan.known)).collect();
    let total = plan.sources.iter().zip(&unchanged).filter(|(_, same)| !**same).map(|(source, _)| source.bytes()).sum();
    progress.phase(BackupPhase::Writing, total);
    let encryptor = Encryptor::with_recipients(std::iter::once(&plan.recipient as &dyn age::Recipient))
        .map_err(|error| MakeError::Encrypt(error.to_string()))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(part).map_err(failed)?;
    let out = Hashing::new(BufWriter::with_capacity(256 * 1024, file));
    let sealed = encryptor.wrap_output(out).map_err(failed)?;
    let mut writer = Writer::begin(sealed, &plan.head).map_err(failed)?;

    let mut files: Vec<(String, Known)> = Vec::with_capacity(plan.sources.len());
    let mut files_new = 0;
    for (source, unchanged) in plan.sources.iter().zip(unchanged) {
        let before = plan.known.get(&source.path);
        if let Some(known) = before.filter(|_| unchanged) {
            files.push((source.path.clone(), known.clone()));
            continue;
        }
        let Some(opened) = source.open().map_err(failed)? else {
            progress.spare(source.bytes());
            continue;
        };
        // A file that has another stamp may still be the same: after a restore all have new ones.
        if let Some(known) = before.filter(|known| known.size_bytes == opened.bytes && !opened.stamp.is_empty()) {
            let found = hash_of(source, progress).map_err(failed)?;
            if found.as_ref() == Some(&(known.sha256, opened.stamp.clone())) {
                files.push((source.path.clone(), Known { stamp: opened.stamp, ..known.clone() }));
                continue;
            }
        }
        let entry = Entry { path: source.path.clone(), size_bytes: opened.bytes, codec: source.codec };
        let mut from = opened.from;
        let sha256 = writer.file(&entry, &mut from, &mut |bytes| progress.step(bytes)).map_err(failed)?;
        files_new += 1;
        let kept_in = plan.head.id.clone();
        files.push((source.path.clone(), Known { size_bytes: opened.bytes, sha256, stamp: opened.stamp, kept_in }));
    }
    let listed = files.iter().map(|(path, known)| Listed {
        path: path.clone(),
        size_bytes: known.size_bytes,
        sha256: hex(&known.sha256),
        kept_in: known.kept_in.clone(),
    });
    let sealed = writer.finish(&Manifest { files: listed.collect() }).map_err(failed)?;
    let out = sealed.finish().map_err(failed)?;
    let Hashed { inner, sha256, bytes } = out.finish();
    let file = inner.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    Ok(Made { size_bytes: bytes, sha256, files, files_new })
}

/// Reads back, and gives file and sidecar their names, in this order.
fn name(plan: &Plan, part: &Path, path: &Path, made: Made, progress: &Progress) -> Result<Made, MakeError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::Interrupted => MakeError::Cancelled,
        _ => MakeError::Write { path: part.to_path_buf(), source },
    };
    progress.phase(BackupPhase::ReadingBack, made.size_bytes);
    let (found, _) = sidecar::digest(part, &mut |bytes| progress.step(bytes)).map_err(failed)?;
    if found != made.sha256 {
        return Err(MakeError::ReadBack { path: part.to_path_buf(), wanted: made.sha256, found });
    }
    let Head { id, kind, parent, reason, organization, origin, checkpoint, tree_size, root, made_at, made_by, .. } =
        plan.head.clone();
    let recipient = plan.recipient.to_string();
    let beside = Sidecar {
        format: sidecar::FORMAT.to_owned(),
        version: sidecar::VERSION,
        fingerprint: masterkey::fingerprint(&recipient),
        recipient,
        started_at: plan.started_at.clone(),
        size_bytes: made.size_bytes,
        sha256: made.sha256.clone(),
        id,
        kind,
        parent,
        reason,
        organization,
        origin,
        made_at,
        made_by,
        tree_size,
        root,
        checkpoint,
    };
    let named = || -> io::Result<()> {
        let text = serde_json::to_vec_pretty(&beside)?;
        let sidecar_path = sidecar::path_of(path);
        let sidecar_part = sidecar_path.with_extension("part");
        let mut file = File::create(&sidecar_part)?;
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(part, path)?;
        // The name of the file is on disk before that of the sidecar says that it is whole.
        File::open(&plan.folder)?.sync_all()?;
        std::fs::rename(&sidecar_part, &sidecar_path)?;
        File::open(&plan.folder)?.sync_all()
    };
    named().map_err(failed)?;
    Ok(made)
}

fn is_unchanged(source: &Source, known: &HashMap<String, Known>) -> bool {
    known.get(&source.path).is_some_and(|known| !known.stamp.is_empty() && known.stamp == source.stamp())
}

/// The hash of a file, and the stamp of what was hashed.
fn hash_of(source: &Source, progress: &Progress) -> io::Result<Option<([u8; 32], String)>> {
    let Some(mut opened) = source.open()? else { return Ok(None) };
    let mut go_on = |_| {
        if progress.is_cancelled() { Err(io::Error::new(io::ErrorKind::Interrupted, "cancelled")) } else { Ok(()) }
    };
    let (sha256, _) = hash::digest(&mut opened.from, &mut go_on)?;
    Ok(Some((sha256, opened.stamp)))
}
