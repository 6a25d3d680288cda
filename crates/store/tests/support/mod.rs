//! A trail in memory, and a store over it.

#![allow(dead_code, reason = "each test uses some of it")]

use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use bytes::Bytes;
use store::{Entries, EntriesError, Options, Store};

#[derive(Default)]
pub struct Memory(RwLock<Vec<Bytes>>);

impl Memory {
    pub fn append(&self, entries: &[Vec<u8>]) {
        self.0.write().unwrap().extend(entries.iter().cloned().map(Bytes::from));
    }

    pub fn size(&self) -> u64 {
        self.0.read().unwrap().len() as u64
    }

    pub fn truncate(&self, size: usize) {
        self.0.write().unwrap().truncate(size);
    }

    /// What was removed stays as nothing.
    pub fn remove(&self, positions: &[std::ops::Range<u64>]) {
        let mut entries = self.0.write().unwrap();
        for position in positions.iter().cloned().flatten() {
            entries[position as usize] = Bytes::new();
        }
    }

    pub fn all(&self) -> Vec<Vec<u8>> {
        self.0.read().unwrap().iter().map(|entry| entry.to_vec()).collect()
    }
}

impl Entries for Memory {
    fn get_many(&self, positions: &[u64]) -> Result<Vec<Option<Bytes>>, EntriesError> {
        assert!(positions.is_sorted_by(|a, b| a < b), "sorted, each once");
        let entries = self.0.read().unwrap();
        Ok(positions.iter().map(|position| entries.get(*position as usize).cloned()).collect())
    }

    fn read_from(&self, position: u64, max: usize) -> Result<Vec<Bytes>, EntriesError> {
        // Now and then it hands out less than it could, as a trail does at the end of a file.
        let max = if position.is_multiple_of(3) { max.min(7) } else { max };
        Ok(self.0.read().unwrap().iter().skip(position as usize).take(max).cloned().collect())
    }
}

/// A folder for one test, in memory where there is one: nothing here pulls the plug, and a busy disk
/// makes every commit wait.
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

pub fn options() -> Options {
    Options {
        heap_bytes: 30_000_000,
        months_max: 3,
        commit_after: Duration::from_secs(1),
        commit_few_after: Duration::from_secs(1),
        commit_events_max: 90,
        ..Options::default()
    }
}

pub fn open(dir: &Path, trail: &Arc<Memory>) -> Store {
    Store::open(dir, options(), Arc::clone(trail) as Arc<dyn Entries>).unwrap()
}

/// Applies the next `count` entries of the trail.
pub fn follow(store: &Store, trail: &Memory, count: usize) {
    let first = store.indexed_to();
    let entries = trail.all();
    let next = entries.len().min(first as usize + count);
    let batch: Vec<&[u8]> = entries[first as usize..next].iter().map(Vec::as_slice).collect();
    store.apply(first, &batch).unwrap();
}
