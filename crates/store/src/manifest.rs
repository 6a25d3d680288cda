//! What the index as a whole says of itself: up to which position it goes, and which segments it has.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::month::Month;
use crate::schema::VERSION;

const NAME: &str = "index.json";

/// Everything before `next` is in the segments, durably. Written after them and before those are
/// removed that it no longer names, so that a crash in between leaves folders too many, never too few.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Manifest {
    pub(crate) next: u64,
    /// The number of the next folder. None is used twice.
    pub(crate) serial: u64,
    /// In the order of their months, and in each of their positions.
    pub(crate) segments: Vec<Entry>,
}

/// One segment: all events of a month in the positions `from..to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) month: Month,
    /// The name of its folder.
    pub(crate) name: String,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) docs: u32,
    /// The length of its files together.
    pub(crate) bytes: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnDisk {
    version: u32,
    next: u64,
    serial: u64,
    segments: Vec<EntryOnDisk>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryOnDisk {
    month: String,
    name: String,
    from: u64,
    to: u64,
    docs: u32,
    bytes: u64,
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
        let segments = on_disk.segments.into_iter().map(|entry| {
            let EntryOnDisk { month, name, from, to, docs, bytes } = entry;
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
            Some(Entry { month: month.parse().ok().filter(|_| is_name)?, name, from, to, docs, bytes })
        });
        let segments: Option<Vec<Entry>> = segments.collect();
        Ok(segments.map(|segments| Self { next: on_disk.next, serial: on_disk.serial, segments }))
    }

    /// Replaces what is on disk, at once or not at all.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), StoreError> {
        let segments = self.segments.iter().cloned().map(|Entry { month, name, from, to, docs, bytes }| EntryOnDisk {
            month: month.to_string(),
            name,
            from,
            to,
            docs,
            bytes,
        });
        let on_disk = OnDisk { version: VERSION, next: self.next, serial: self.serial, segments: segments.collect() };
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

    /// The name of a new folder.
    pub(crate) fn name(&mut self) -> String {
        self.serial += 1;
        format!("{:08}", self.serial)
    }

    /// Adds a segment in its place.
    pub(crate) fn add(&mut self, entry: Entry) {
        let at = self.segments.partition_point(|other| (other.month, other.from) < (entry.month, entry.from));
        self.segments.insert(at, entry);
    }

    /// Puts `new` in the place of `old`, when all of those are still there.
    pub(crate) fn replace(&mut self, old: &[Entry], new: Option<Entry>) -> bool {
        if !old.iter().all(|entry| self.segments.contains(entry)) {
            return false;
        }
        self.segments.retain(|entry| !old.contains(entry));
        if let Some(new) = new {
            self.add(new);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), None);
        let mut manifest = Manifest { next: 7, ..Manifest::default() };
        let name = manifest.name();
        manifest.add(Entry { month: "2026-11".parse().unwrap(), name, from: 0, to: 7, docs: 7, bytes: 99 });
        manifest.write(dir.path()).unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), Some(manifest));
        let other = r#"{"version":0,"next":1,"serial":0,"segments":[]}"#;
        let outside = format!(
            r#"{{"version":{VERSION},"next":1,"serial":1,"segments":[{{"month":"2026-11","name":"../..","from":0,"to":1,"docs":1,"bytes":1}}]}}"#
        );
        for text in [other, &outside, "{\"vers"] {
            std::fs::write(dir.path().join(NAME), text).unwrap();
            assert_eq!(Manifest::read(dir.path()).unwrap(), None, "{text}");
        }
    }
}
