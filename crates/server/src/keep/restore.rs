//! From backups back to a data folder, and proving that it would work.
//!
//! A backup is opened, read to its end, and every file in it and in those it builds on is held against the hash that the
//! manifest names. What is restored lies under another name until the trail in it has been verified from its first to
//! its last entry against the checkpoint of the backup; only then the folder gets its name.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Component, Path, PathBuf};

use age::x25519::Identity;
use age::{DecryptError, Decryptor};
use api::backup::BackupPhase;
use jiff::Timestamp;
use trail::verify::{self, Fault, Verified};
use trail::{Checkpoint, CheckpointError, SigningKey, VerifyingKey};

use super::backup_archive::{ArchiveError, Entry, Head, Listed, Manifest, Next, Reader};
use super::backup_make::Progress;
use super::backup_sidecar::{self as sidecar, Sidecar};
use super::masterkey::{self, KeyError};
use super::restore_mark::{self, Mark};
use crate::causes::chain;
use crate::hash::hex;
use crate::keys;

/// Why a backup can't be opened, checked or restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("{} is for master key {wanted}, not for {found}", .file.display())]
    OtherKey { file: PathBuf, wanted: String, found: String },
    #[error("key {found} does not open {}", .file.display())]
    WrongKey { file: PathBuf, found: String },
    #[error("{}: {source}", .file.display())]
    Archive {
        file: PathBuf,
        #[source]
        source: ArchiveError,
    },
    #[error("{}: its SHA-256 is {found}, when it was made it was {wanted}: it was changed or damaged", .file.display())]
    Altered { file: PathBuf, wanted: String, found: String },
    #[error("{}: {what}", .file.display())]
    Content { file: PathBuf, what: String },
    #[error("backup {id} is needed, and is not in {}", .folder.display())]
    Absent { id: String, folder: PathBuf },
    #[error("{what} in {}", .folder.display())]
    NoneFits { what: String, folder: PathBuf },
    #[error("{} is not empty: restore into a new folder", .0.display())]
    Target(PathBuf),
    #[error("the trail in the backup is signed by {found}, not by the key that was given")]
    OtherSigner { found: String },
    #[error("the checkpoint kept elsewhere is refused: {0}")]
    Checkpoint(#[source] CheckpointError),
    #[error("the restored trail does not verify: {0}")]
    Trail(#[source] Fault),
    #[error("can't write {path}")]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("can't read {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cancelled")]
    Cancelled,
}

impl RestoreError {
    /// Whether it says that the key is not the right one, and nothing about the file.
    pub fn is_of_the_key(&self) -> bool {
        matches!(self, Self::Key(_) | Self::OtherKey { .. } | Self::WrongKey { .. })
    }

    /// Whether it means that the key, or what it opens, is not right; else it could not be told.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Key(_)
            | Self::OtherKey { .. }
            | Self::WrongKey { .. }
            | Self::Archive { .. }
            | Self::Altered { .. }
            | Self::Content { .. }
            | Self::OtherSigner { .. }
            | Self::Checkpoint(_)
            | Self::Trail(_) => true,
            Self::Absent { .. }
            | Self::NoneFits { .. }
            | Self::Target(_)
            | Self::Write { .. }
            | Self::Read { .. }
            | Self::Cancelled => false,
        }
    }
}

/// To which moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Point {
    /// The newest backup there is.
    Newest,
    Backup(String),
    /// The newest backup made until then.
    At(Timestamp),
    /// The oldest backup that holds the event at this position.
    Position(u64),
}

/// The backup file to begin with: `from` itself, or the one in the folder `from` that fits.
pub fn choose(from: &Path, point: &Point) -> Result<PathBuf, RestoreError> {
    if from.is_file() && *point == Point::Newest {
        return Ok(from.to_path_buf());
    }
    let folder = if from.is_file() { folder_of(from) } else { from };
    if let Point::Backup(id) = point {
        return file_by_id(folder, id);
    }
    let mut all = Vec::new();
    for path in backup_files(folder)? {
        let beside = sidecar::read(&path).map_err(|source| RestoreError::Read { path: path.clone(), source })?;
        all.extend(beside.map(|beside| (beside, path)));
    }
    all.sort_by(|a, b| a.0.id.cmp(&b.0.id));
    let made = |beside: &Sidecar| beside.made_at.parse::<Timestamp>().ok();
    let (found, what) = match point {
        Point::Newest | Point::Backup(_) => (all.pop(), "there is no backup".to_owned()),
        Point::At(at) => (
            all.into_iter().rfind(|(beside, _)| made(beside).is_some_and(|made| made <= *at)),
            format!("there is no backup made until {at}"),
        ),
        Point::Position(position) => (
            all.into_iter().find(|(beside, _)| beside.tree_size > *position),
            format!("there is no backup that holds position {position}"),
        ),
    };
    found.map(|(_, path)| path).ok_or_else(|| RestoreError::NoneFits { what, folder: folder.to_path_buf() })
}

/// A backup that is being read.
pub type Open = Reader<Box<dyn Read + Send>>;

/// Opens a backup: the key fits, and its head is whole.
pub fn open(file: &Path, identity: &Identity, progress: &Progress) -> Result<Open, RestoreError> {
    let failed = |source| RestoreError::Read { path: file.to_path_buf(), source };
    let archive = |source: ArchiveError| RestoreError::Archive { file: file.to_path_buf(), source };
    let opened = Counting { from: File::open(file).map_err(failed)?, progress: progress.clone() };
    let decryptor = Decryptor::new_buffered(BufReader::with_capacity(256 * 1024, opened))
        .map_err(|error| sealed(file, identity, error))?;
    let plain = decryptor
        .decrypt(std::iter::once(identity as &dyn age::Identity))
        .map_err(|error| sealed(file, identity, error))?;
    let reader = Reader::begin(Box::new(BufReader::with_capacity(256 * 1024, plain)) as Box<dyn Read + Send>);
    let reader = reader.map_err(archive)?;
    // The sidecar is believed in nothing; but when it says something else, somebody should look.
    if let Ok(Some(beside)) = sidecar::read(file) {
        let Head { id, kind, parent, checkpoint, tree_size, .. } = &reader.head;
        if (&beside.id, &beside.kind, &beside.parent, &beside.checkpoint, &beside.tree_size)
            != (id, kind, parent, checkpoint, tree_size)
        {
            let what = format!("what {} says is not what is in it", sidecar::path_of(file).display());
            return Err(RestoreError::Content { file: file.to_path_buf(), what });
        }
    }
    Ok(reader)
}

/// What age says, in words of ours. A damaged head looks to it as one for another key; the sidecar tells them apart.
fn sealed(file: &Path, identity: &Identity, error: DecryptError) -> RestoreError {
    let file = file.to_path_buf();
    let damaged = |file, what: &str| RestoreError::Archive { file, source: ArchiveError::Damaged(what.to_owned()) };
    match error {
        DecryptError::NoMatchingKeys => {
            if let Err(altered) = transport(&file, &Progress::default()) {
                return altered;
            }
            let found = masterkey::fingerprint_of(identity);
            match sidecar::read(&file) {
                Ok(Some(beside)) if beside.fingerprint != found => {
                    RestoreError::OtherKey { file, wanted: beside.fingerprint, found }
                }
                _ => RestoreError::WrongKey { file, found },
            }
        }
        DecryptError::UnknownFormat => match transport(&file, &Progress::default()) {
            Err(altered) => altered,
            Ok(_) => RestoreError::Archive { file, source: ArchiveError::NotOurs },
        },
        DecryptError::Io(source) => RestoreError::Archive { file, source: source.into() },
        _ => damaged(file, "the head of the encrypted file does not open"),
    }
}

/// Holds an encrypted file against the hash in its sidecar, without any key. `None` where there is no sidecar.
pub fn transport(file: &Path, progress: &Progress) -> Result<Option<Sidecar>, RestoreError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::Interrupted => RestoreError::Cancelled,
        _ => RestoreError::Read { path: file.to_path_buf(), source },
    };
    let Some(beside) = sidecar::read(file).map_err(failed)? else { return Ok(None) };
    let (found, _) = sidecar::digest(file, &mut |bytes| progress.step(bytes)).map_err(failed)?;
    if found != beside.sha256 {
        return Err(RestoreError::Altered { file: file.to_path_buf(), wanted: beside.sha256, found });
    }
    Ok(Some(beside))
}

/// What was found when a backup was checked.
#[derive(Debug, Clone)]
pub struct Checked {
    pub head: Head,
    pub files: u64,
    /// Before they were packed.
    pub bytes: u64,
    /// The backups that were read: this one, and those it builds on.
    pub backups: Vec<String>,
}

/// Reads a backup and all it builds on to the last byte, and holds every file against the manifest. Writes nothing.
pub fn check(file: &Path, identity: &Identity, progress: &Progress) -> Result<Checked, RestoreError> {
    let (head, manifest, backups) = walk(file, identity, progress, &mut |_| Ok(Box::new(io::sink())))?;
    Ok(Checked {
        head,
        files: manifest.files.len() as u64,
        bytes: manifest.files.iter().map(|file| file.size_bytes).sum(),
        backups,
    })
}

/// Where the bytes of a file go.
type Sink<'a> = &'a mut dyn FnMut(&str) -> Result<Box<dyn Finish>, RestoreError>;

/// Something to write to that has an end.
trait Finish: Write {
    /// All of it was written: it is on disk when this returns.
    fn finish(&mut self) -> io::Result<()>;
}

impl Finish for io::Sink {
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Finish for BufWriter<File> {
    fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        self.get_ref().sync_all()
    }
}

/// Reads the backup, then what it lacks from those before it.
fn walk(
    file: &Path,
    identity: &Identity,
    progress: &Progress,
    sink: Sink<'_>,
) -> Result<(Head, Manifest, Vec<String>), RestoreError> {
    progress.phase(BackupPhase::Checking, size(file));
    let content = |what: String| RestoreError::Content { file: file.to_path_buf(), what };
    let mut reader = open(file, identity, progress)?;
    let mut found: HashMap<String, (u64, String)> = HashMap::new();
    let manifest = loop {
        match next(file, &mut reader)? {
            Next::End(manifest) => break manifest,
            Next::File(entry) => {
                let sha256 = take(file, &mut reader, &entry, progress, sink)?;
                if found.insert(entry.path.clone(), (entry.size_bytes, sha256)).is_some() {
                    return Err(content(format!("{} is in it twice", entry.path)));
                }
            }
        }
    };
    let head = reader.head.clone();
    // Which file is wanted from which of the backups before.
    let mut wanted: BTreeMap<&str, HashMap<&str, &Listed>> = BTreeMap::new();
    for listed in &manifest.files {
        if listed.kept_in != head.id {
            wanted.entry(&listed.kept_in).or_default().insert(&listed.path, listed);
        } else if found.remove(&listed.path) != Some((listed.size_bytes, listed.sha256.clone())) {
            return Err(content(format!("{} is not as the manifest lists it", listed.path)));
        }
    }
    if let Some(path) = found.keys().next() {
        return Err(content(format!("{path} is in it, and not in its manifest")));
    }
    let mut backups = vec![head.id.clone()];
    for (id, mut wanted) in wanted {
        let before = file_by_id(folder_of(file), id)?;
        progress.phase(BackupPhase::Checking, size(&before));
        let mut reader = open(&before, identity, progress)?;
        if reader.head.id != id || reader.head.origin != head.origin {
            let what = format!("it is backup {} of {}", reader.head.id, reader.head.origin);
            return Err(RestoreError::Content { file: before, what });
        }
        loop {
            match next(&before, &mut reader)? {
                Next::End(_) => break,
                Next::File(entry) => {
                    let Some(listed) = wanted.remove(entry.path.as_str()) else {
                        take(&before, &mut reader, &entry, progress, &mut |_| Ok(Box::new(io::sink())))?;
                        continue;
                    };
                    let sha256 = take(&before, &mut reader, &entry, progress, sink)?;
                    if (entry.size_bytes, &sha256) != (listed.size_bytes, &listed.sha256) {
                        let what = format!("{} is not what backup {} built on", entry.path, head.id);
                        return Err(RestoreError::Content { file: before, what });
                    }
                }
            }
        }
        if let Some(path) = wanted.keys().next() {
            let what = format!("{path} is not in it, and backup {} builds on it", head.id);
            return Err(RestoreError::Content { file: before, what });
        }
        backups.push(id.to_owned());
    }
    Ok((head, manifest, backups))
}

fn next(file: &Path, reader: &mut Open) -> Result<Next, RestoreError> {
    reader.step().map_err(|source| archive(file, source))
}

fn take(
    file: &Path,
    reader: &mut Open,
    entry: &Entry,
    progress: &Progress,
    sink: Sink<'_>,
) -> Result<String, RestoreError> {
    let mut to = sink(&entry.path)?;
    let mut failed = None;
    let mut out = Noting { to: &mut *to, failed: &mut failed };
    let done = reader.file(entry, &mut out, &mut |_| progress.step(0));
    match (done, failed) {
        (_, Some(source)) => Err(RestoreError::Write { path: entry.path.clone().into(), source }),
        (Err(source), None) => Err(archive(file, source)),
        (Ok(hash), None) => {
            to.finish().map_err(|source| RestoreError::Write { path: entry.path.clone().into(), source })?;
            Ok(hex(&hash))
        }
    }
}

fn archive(file: &Path, source: ArchiveError) -> RestoreError {
    match source {
        ArchiveError::Cancelled => RestoreError::Cancelled,
        source => RestoreError::Archive { file: file.to_path_buf(), source },
    }
}

/// Keeps apart what could not be written from what could not be read.
struct Noting<'a> {
    to: &'a mut dyn Finish,
    failed: &'a mut Option<io::Error>,
}

impl Write for Noting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes).map_err(|error| {
            let told = io::Error::new(error.kind(), error.to_string());
            *self.failed = Some(error);
            told
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Counts the bytes of the encrypted file as they are read.
struct Counting {
    from: File,
    progress: Progress,
}

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        // That it was called off is asked where it can be told apart from a signal.
        let _ = self.progress.step(count as u64);
        Ok(count)
    }
}

/// What is to be restored, from what, to where.
pub struct Wish<'a> {
    pub file: &'a Path,
    pub identity: &'a Identity,
    /// The new data folder; it must not exist, or be empty.
    pub data: &'a Path,
    /// The public key that the trail must be signed by; without one, the key in the backup is believed.
    pub vkey: Option<&'a VerifyingKey>,
    /// A checkpoint that was kept elsewhere, as text.
    pub known: Option<&'a str>,
    /// Who does it.
    pub by: String,
    /// Take it that the trail goes on from here, though later events were signed already.
    pub accept_fork: bool,
}

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    pub head: Head,
    pub verified: Verified,
    pub backups: Vec<String>,
    pub files: u64,
    /// How many events are known to be missing, by the checkpoint kept elsewhere.
    pub missing: u64,
}

/// Restores a data folder. `verifying` is told how far the check of the trail is.
pub fn restore(
    wish: &Wish<'_>,
    progress: &Progress,
    verifying: &mut dyn FnMut(verify::Progress),
) -> Result<Restored, RestoreError> {
    let outcome = restore_into_staging(wish, progress, verifying);
    if let Err(error) = &outcome
        && error.is_refusal()
    {
        // Nobody is there to be told: it is written down, and told to the trail that comes out of this in the end.
        let key = masterkey::fingerprint_of(wish.identity);
        restore_mark::note_failure(wish.data, &wish.by, Some(&key), &chain(error));
    }
    outcome
}

fn restore_into_staging(
    wish: &Wish<'_>,
    progress: &Progress,
    verifying: &mut dyn FnMut(verify::Progress),
) -> Result<Restored, RestoreError> {
    refuse_filled(wish.data)?;
    let staging = staging(wish.data);
    let failed = |source| RestoreError::Write { path: staging.clone(), source };
    if staging.exists() {
        // Ours, from a run that was cut short; nobody else would make this file.
        if !staging.join(STAGING_MARK).is_file() {
            return Err(RestoreError::Target(staging));
        }
        std::fs::remove_dir_all(&staging).map_err(failed)?;
    }
    keys::make_private_folder(&staging).map_err(failed)?;
    File::create(staging.join(STAGING_MARK)).map_err(failed)?;
    let restored = fill(wish, &staging, progress, verifying);
    if restored.is_err() {
        // It holds keys in the clear. Where this fails, the next run does it.
        let _ = std::fs::remove_dir_all(&staging);
    }
    restored
}

const STAGING_MARK: &str = "belfry-restoring";

fn fill(
    wish: &Wish<'_>,
    staging: &Path,
    progress: &Progress,
    verifying: &mut dyn FnMut(verify::Progress),
) -> Result<Restored, RestoreError> {
    let content = |what: String| RestoreError::Content { file: wish.file.to_path_buf(), what };
    let failed = |source| RestoreError::Write { path: staging.to_path_buf(), source };
    let mut sink = |path: &str| -> Result<Box<dyn Finish>, RestoreError> {
        let place = place(staging, path).ok_or_else(|| content(format!("{path:?} is no place in a data folder")))?;
        let failed = |source| RestoreError::Write { path: place.clone(), source };
        if let Some(folder) = place.parent() {
            keys::make_private_folder(folder).map_err(failed)?;
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Box::new(BufWriter::with_capacity(256 * 1024, options.open(&place).map_err(failed)?)))
    };
    let (head, manifest, backups) = walk(wish.file, wish.identity, progress, &mut sink)?;

    // Whose trail it is.
    let vkey: VerifyingKey = head.vkey.parse().map_err(|_| content("its public key can't be read".to_owned()))?;
    if let Some(wanted) = wish.vkey
        && wanted.to_string() != vkey.to_string()
    {
        return Err(RestoreError::OtherSigner { found: head.vkey });
    }
    let signs = SigningKey::read(&staging.join("keys/trail.key")).and_then(|key| key.verifier(&head.origin));
    if !signs.is_ok_and(|key| key.to_string() == head.vkey) {
        return Err(content("the key in it is not the one that signs its trail".to_owned()));
    }
    if !staging.join("state.sqlite").is_file() || !staging.join("keys/state.key").is_file() {
        return Err(content("there is no state in it, or no key of the state".to_owned()));
    }

    // The trail, against the checkpoint of the backup and the one kept elsewhere.
    let folder = staging.join("trails").join(&head.organization);
    for part in ["log", "tile"] {
        keys::make_private_folder(&folder.join(part)).map_err(failed)?;
    }
    let sealed = verify::checkpoint(&head.checkpoint, &vkey)
        .map_err(|error| content(format!("its checkpoint is refused: {error}")))?;
    let known: Option<Checkpoint> =
        wish.known.map(|note| verify::checkpoint(note, &vkey)).transpose().map_err(RestoreError::Checkpoint)?;
    let covered = known.as_ref().filter(|known| known.size <= sealed.size);
    let verified = verify::folder(&folder, &vkey, verifying, covered).map_err(RestoreError::Trail)?;
    if (verified.size, verified.root) != (sealed.size, sealed.root) || sealed.size != head.tree_size {
        return Err(content(format!(
            "its trail has {} events, its checkpoint speaks of {}",
            verified.size, sealed.size
        )));
    }
    let size = verified.size + verified.beyond;
    let missing = known.as_ref().map_or(0, |known| known.size.saturating_sub(size));

    let mark = Mark::of(&head, wish, size, known.as_ref().map(|known| known.size));
    restore_mark::write(staging, &mark)
        .and_then(|()| std::fs::remove_file(staging.join(STAGING_MARK)))
        .and_then(|()| sync_folders(staging))
        .map_err(failed)?;
    // An empty folder may stand where the new one is to be.
    if wish.data.is_dir() {
        std::fs::remove_dir(wish.data).map_err(failed)?;
    }
    std::fs::rename(staging, wish.data).map_err(failed)?;
    File::open(folder_of(wish.data)).and_then(|above| above.sync_all()).map_err(failed)?;
    restore_mark::forget_failures(wish.data);
    Ok(Restored { head, verified, backups, files: manifest.files.len() as u64, missing })
}

fn refuse_filled(data: &Path) -> Result<(), RestoreError> {
    match std::fs::read_dir(data) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(RestoreError::Target(data.to_path_buf())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(RestoreError::Write { path: data.to_path_buf(), source }),
    }
}

/// Beside the new folder, so that giving it its name is one step.
fn staging(data: &Path) -> PathBuf {
    beside(data, ".restoring")
}

/// A name that begins as that of the folder, with or without a slash at its end.
pub(super) fn beside(folder: &Path, ending: &str) -> PathBuf {
    let mut name = folder.components().collect::<PathBuf>().into_os_string();
    name.push(ending);
    name.into()
}

/// The place of a file in the new folder, when it is one where a backup may put something.
fn place(staging: &Path, path: &str) -> Option<PathBuf> {
    let parts: Vec<Component<'_>> = Path::new(path).components().collect();
    let plain = parts.iter().all(|part| matches!(part, Component::Normal(_))) && !path.contains('\\');
    let known = matches!(path, "state.sqlite" | "belfry.toml")
        || (["keys/", "reports/"].iter().any(|folder| path.starts_with(folder)) && parts.len() == 2)
        || (path.starts_with("trails/") && parts.len() >= 3);
    (plain && known).then(|| staging.join(path))
}

fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    File::open(folder)?.sync_all()
}

/// The backup files in a folder.
fn backup_files(folder: &Path) -> Result<Vec<PathBuf>, RestoreError> {
    let failed = |source| RestoreError::Read { path: folder.to_path_buf(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "backup") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A backup is found by its id, which both the name on the server and that of a download end with.
fn file_by_id(folder: &Path, id: &str) -> Result<PathBuf, RestoreError> {
    let wanted = sidecar::file_name(id);
    let fits = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| {
            name.strip_suffix(&wanted).is_some_and(|before| before.is_empty() || before.ends_with('-'))
        })
    };
    let found = backup_files(folder)?.into_iter().find(fits);
    found.ok_or_else(|| RestoreError::Absent { id: id.to_owned(), folder: folder.to_path_buf() })
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn size(file: &Path) -> u64 {
    file.metadata().map_or(0, |metadata| metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_where_a_data_folder_has_them_and_nowhere_else() {
        let staging = Path::new("/new");
        for path in ["state.sqlite", "belfry.toml", "keys/trail.key", "reports/a.csv", "trails/acme/log/0.pack"] {
            assert_eq!(place(staging, path), Some(staging.join(path)), "{path}");
        }
        for path in [
            "",
            "/etc/passwd",
            "../x",
            "keys/../../x",
            "keys/a/b",
            "trails/x",
            "other",
            "trails/../../etc/passwd",
            "state.sqlite/x",
            "./keys/x",
            "reports/..",
            "belfry.lock",
        ] {
            assert_eq!(place(staging, path), None, "{path}");
        }
    }
}
