//! What the index as a whole says of itself: up to which position it goes, and which months it has.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::month::Month;
use crate::schema::VERSION;

const NAME: &str = "index.json";

/// Everything before `next` is in the months, durably. Written after them, so that a crash in
/// between leaves a position that is too low: what comes again is known by the months.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Manifest {
    pub(crate) next: u64,
    /// Of each month the position of the first event that was put into it, or lower.
    pub(crate) months: BTreeMap<Month, u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnDisk {
    version: u32,
    next: u64,
    months: BTreeMap<String, u64>,
}

impl Manifest {
    /// What is on disk; none when there is nothing, nothing readable, or another version.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, StoreError> {
        let path = dir.join(NAME);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::disk(&path, source)),
        };
        let Ok(on_disk) = serde_json::from_slice::<OnDisk>(&bytes) else { return Ok(None) };
        if on_disk.version != VERSION {
            return Ok(None);
        }
        let months = on_disk.months.iter().map(|(name, first)| Ok((name.parse()?, *first)));
        let months: Result<_, crate::month::NoMonth> = months.collect();
        Ok(months.ok().map(|months| Self { next: on_disk.next, months }))
    }

    /// Replaces what is on disk, at once or not at all.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), StoreError> {
        let months = self.months.iter().map(|(month, first)| (month.to_string(), *first)).collect();
        let on_disk = OnDisk { version: VERSION, next: self.next, months };
        let (path, new) = (dir.join(NAME), dir.join("index.json.new"));
        let write = || {
            let mut file = File::create(&new)?;
            serde_json::to_writer_pretty(&mut file, &on_disk)?;
            file.write_all(b"\n")?;
            file.sync_data()?;
            std::fs::rename(&new, &path)?;
            File::open(dir)?.sync_data()
        };
        write().map_err(|source| StoreError::disk(&path, source))
    }
}

/// The folders of months that are in `dir`.
pub(crate) fn folders(dir: &Path) -> Result<Vec<(Month, PathBuf)>, StoreError> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(StoreError::disk(dir, source)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|source| StoreError::disk(dir, source))?.path();
        let month = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        if let Some(month) = month {
            found.push((month, path));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), None);
        let manifest = Manifest { next: 7, months: BTreeMap::from([("2026-11".parse().unwrap(), 3)]) };
        manifest.write(dir.path()).unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), Some(manifest));
        std::fs::write(dir.path().join(NAME), "{\"version\":0,\"next\":1,\"months\":{}}").unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), None);
        std::fs::write(dir.path().join(NAME), "{\"vers").unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), None);
    }
}
