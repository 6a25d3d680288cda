//! Which files a backup stands for: all that a working server is made of, and nothing that comes back by itself.
//!
//! The order in which they were taken matters: the copy of the state is older than the checkpoint of the trail. So no
//! follower's position, and no kept checkpoint, in it is beyond the trail that comes with it; what the state has not
//! seen yet its followers read on from the trail, as after a crash.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use trail::{Checkpoint, Trail, TrailError, TrailFile};

use super::backup_archive::Codec;

const KEY_BYTES_MAX: u64 = 1 << 20;

/// A file that goes into a backup, or is in one already.
pub struct Source {
    /// Below the data folder, with slashes.
    pub path: String,
    pub codec: Codec,
    from: Place,
}

enum Place {
    Bytes(Vec<u8>),
    File(PathBuf),
    Trail(TrailFile),
}

/// A file that was opened: what is read is of one piece, even when another takes its name meanwhile.
pub struct Opened {
    pub from: Box<dyn Read + Send>,
    pub bytes: u64,
    /// Changes when the file does; empty where that can't be told.
    pub stamp: String,
}

impl Source {
    fn file(path: impl Into<String>, file: PathBuf, codec: Codec) -> Self {
        Self { path: path.into(), codec, from: Place::File(file) }
    }

    /// Bytes that will be read, as far as that can be told before.
    pub fn bytes(&self) -> u64 {
        match &self.from {
            Place::Bytes(bytes) => bytes.len() as u64,
            Place::File(path) => path.metadata().map_or(0, |metadata| metadata.len()),
            Place::Trail(file) => file.bytes(),
        }
    }

    /// What [`Opened::stamp`] would be.
    pub fn stamp(&self) -> String {
        let path = match &self.from {
            Place::Bytes(_) => None,
            Place::File(path) => Some(path.as_path()),
            Place::Trail(file) => file.path(),
        };
        path.and_then(|path| path.metadata().ok()).map(|metadata| stamp(&metadata)).unwrap_or_default()
    }

    /// Opens it. `None` for a finished report that was removed meanwhile: what is no longer kept is not missed.
    pub fn open(&self) -> io::Result<Option<Opened>> {
        let path = match &self.from {
            Place::Bytes(bytes) => {
                let bytes = bytes.clone();
                let length = bytes.len() as u64;
                return Ok(Some(Opened {
                    from: Box::new(io::Cursor::new(bytes)),
                    bytes: length,
                    stamp: String::new(),
                }));
            }
            Place::Trail(file) => match file.path() {
                Some(path) => path,
                None => {
                    let (from, bytes) = file.open()?;
                    return Ok(Some(Opened { from, bytes, stamp: String::new() }));
                }
            },
            Place::File(path) => path.as_path(),
        };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.path.starts_with("reports/") => {
                return Ok(None);
            }
            Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
        };
        let metadata = file.metadata()?;
        let bytes = metadata.len();
        Ok(Some(Opened { from: Box::new(file.take(bytes)), bytes, stamp: stamp(&metadata) }))
    }
}

/// A file whose stamp is the same was not written on: the time of its last change is the system's, nobody sets it.
fn stamp(metadata: &std::fs::Metadata) -> String {
    format!(
        "{}:{}:{}:{}.{}:{}.{}",
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec()
    )
}

#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    #[error("can't list the files of the trail")]
    Trail(#[from] TrailError),
    #[error("can't read {path}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// All files of the data folder `data`. `state` is a copy of the state that is older than the checkpoint.
pub fn collect(
    data: &Path,
    state: &Path,
    trail: &Trail,
    organization: &str,
    checkpoint: &Checkpoint,
) -> Result<Vec<Source>, CollectError> {
    let mut sources = Vec::new();
    sources.push(Source::file("state.sqlite", state.to_path_buf(), Codec::Zstd));
    let configuration = data.join("belfry.toml");
    if configuration.is_file() {
        sources.push(small("belfry.toml", &configuration)?);
    }
    for name in names(&data.join("keys"))? {
        sources.push(small(&format!("keys/{name}"), &data.join("keys").join(&name))?);
    }
    for name in names(&data.join("reports"))? {
        if !name.ends_with(".part") {
            let path = data.join("reports").join(&name);
            sources.push(Source::file(format!("reports/{name}"), path, Codec::Zstd));
        }
    }
    let at = format!("trails/{organization}");
    for file in trail.files(checkpoint)? {
        let codec = if file.path().is_some() { Codec::Plain } else { Codec::Zstd };
        sources.push(Source { path: format!("{at}/{}", file.name), codec, from: Place::Trail(file) });
    }
    let note = checkpoint.note.clone().into_bytes();
    sources.push(Source { path: format!("{at}/checkpoint"), codec: Codec::Plain, from: Place::Bytes(note) });
    Ok(sources)
}

/// Small enough to be read whole: then it is of one moment.
fn small(path: &str, file: &Path) -> Result<Source, CollectError> {
    let failed = |source| CollectError::Io { path: file.to_path_buf(), source };
    let mut bytes = Vec::new();
    File::open(file).map_err(failed)?.take(KEY_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Source { path: path.to_owned(), codec: Codec::Plain, from: Place::Bytes(bytes) })
}

/// The files in a folder, by name; none where there is no folder.
fn names(folder: &Path) -> Result<Vec<String>, CollectError> {
    let failed = |source| CollectError::Io { path: folder.to_path_buf(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_file()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
