//! The data folder: where things lie in it, and that one server at a time works in it.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::keys;

/// The data folder of a server, locked for as long as this lives.
#[derive(Debug)]
pub struct Data {
    folder: PathBuf,
    _lock: File,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("another belfry works in {folder}{}: stop it first, or choose another folder with --data", process_text(.process))]
    Taken { folder: PathBuf, process: Option<String> },
    #[error("there is no data folder {0}: make one with belfry init --data {0}")]
    Absent(PathBuf),
    #[error("can't use the data folder {folder}")]
    Io {
        folder: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl Data {
    /// Makes the folder where there is none, and takes it.
    pub fn create(folder: &Path) -> Result<Self, Error> {
        keys::make_private_folder(folder).map_err(|source| Error::Io { folder: folder.to_path_buf(), source })?;
        Self::open(folder)
    }

    /// Takes the folder; fails when another process has it.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Io { folder: folder.to_path_buf(), source };
        if !folder.is_dir() {
            return Err(Error::Absent(folder.to_path_buf()));
        }
        let path = folder.join("belfry.lock");
        let mut lock =
            File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                let read = lock.read_to_string(&mut process);
                let process = Some(process.trim().to_owned()).filter(|text| read.is_ok() && !text.is_empty());
                return Err(Error::Taken { folder: folder.to_path_buf(), process });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // Only to tell people who it is; the lock itself is the system's, and goes with the process.
        let noted =
            lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| writeln!(lock, "{}", std::process::id()));
        noted.map_err(failed)?;
        Ok(Self { folder: folder.to_path_buf(), _lock: lock })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn state_file(&self) -> PathBuf {
        self.folder.join("state.sqlite")
    }

    /// Seals secrets in the state.
    pub fn state_key(&self) -> PathBuf {
        self.folder.join("keys/state.key")
    }

    /// Signs the checkpoints.
    pub fn trail_key(&self) -> PathBuf {
        self.folder.join("keys/trail.key")
    }

    pub fn trail(&self, organization: &str) -> PathBuf {
        self.folder.join("trails").join(organization)
    }

    pub fn index(&self, organization: &str) -> PathBuf {
        self.folder.join("index").join(organization)
    }

    /// Backups, where the configuration names no other folder.
    pub fn backups(&self) -> PathBuf {
        self.folder.join("backups")
    }

    /// Finished reports.
    pub fn reports(&self) -> PathBuf {
        self.folder.join("reports")
    }
}

fn process_text(process: &Option<String>) -> String {
    process.as_ref().map(|process| format!(" (process {process})")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Data::open(&dir.path().join("none")), Err(Error::Absent(_))));
        let first = Data::create(&dir.path().join("data")).unwrap();
        let error = Data::open(first.folder()).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        let folder = first.folder().to_path_buf();
        drop(first);
        assert!(Data::open(&folder).is_ok());
    }
}
