//! The segments on disk. Each lies in a folder of its own, `<month>/<name>/`, as an index of the
//! engine that has this one segment; which folders count, the [manifest](crate::manifest) says. So a
//! segment is written by the thread that follows the trail, without a queue in between, and appears
//! or vanishes as a whole.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tantivy::directory::{MmapDirectory, OwnedBytes};
use tantivy::fastfield::AliveBitSet;
use tantivy::index::{Index, IndexSettings};
use tantivy::indexer::merge_filtered_segments;
use tantivy::store::Compressor;
use tantivy::{BitSet, SegmentReader, SingleSegmentIndexWriter, TantivyError};

use crate::document::Shared;
use crate::error::StoreError;
use crate::manifest::Entry;
use crate::month::Month;
use crate::schema::{POSITION_NAME, schema};

/// What the tables of a new segment are laid out for; they grow with what is put in.
const PEN_BYTES: usize = 4_000_000;

/// The engine wants a store of documents; ours are empty.
fn settings() -> IndexSettings {
    IndexSettings {
        docstore_compression: Compressor::None,
        docstore_compress_dedicated_thread: false,
        docstore_blocksize: 128 * 1024,
        ..IndexSettings::default()
    }
}

/// A segment being written.
pub(crate) struct Pen {
    engine: SingleSegmentIndexWriter<Shared>,
    month: Month,
    name: String,
    docs: u32,
}

impl Pen {
    /// Begins a segment of a month.
    pub(crate) fn begin(dir: &Path, month: Month, name: String) -> Result<Self, StoreError> {
        let folder = folder(dir, month, &name);
        std::fs::create_dir_all(&folder).map_err(|source| StoreError::disk(&folder, source))?;
        let failed = |source: TantivyError| StoreError::index(month, source);
        let directory = MmapDirectory::open(&folder).map_err(|source| failed(source.into()))?;
        let engine = Index::builder()
            .schema(schema())
            .settings(settings())
            .single_segment_index_writer(directory, PEN_BYTES)
            .map_err(failed)?;
        Ok(Self { engine, month, name, docs: 0 })
    }

    /// Adds a document. They come in the order of their positions.
    pub(crate) fn add(&mut self, doc: Shared) -> Result<(), StoreError> {
        self.docs += 1;
        self.engine.add_document(doc).map_err(|source| StoreError::index(self.month, source))
    }

    /// The memory it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.engine.mem_usage()
    }

    /// Makes the segment durable. It holds everything of its month in the positions `from..to`.
    pub(crate) fn finish(self, dir: &Path, from: u64, to: u64) -> Result<Entry, StoreError> {
        let Self { engine, month, name, docs } = self;
        engine.finalize().map_err(|source| StoreError::index(month, source))?;
        entry(dir, month, name, from..to, docs)
    }
}

/// The folder of a segment.
pub(crate) fn folder(dir: &Path, month: Month, name: &str) -> PathBuf {
    dir.join(month.to_string()).join(name)
}

/// Makes the names of a segment durable and says what it is.
fn entry(dir: &Path, month: Month, name: String, range: std::ops::Range<u64>, docs: u32) -> Result<Entry, StoreError> {
    let folder = folder(dir, month, &name);
    for path in [Some(folder.as_path()), folder.parent(), Some(dir)].into_iter().flatten() {
        File::open(path).and_then(|file| file.sync_all()).map_err(|source| StoreError::disk(path, source))?;
    }
    let bytes = bytes(&folder)?;
    Ok(Entry { month, name, from: range.start, to: range.end, docs, bytes })
}

/// How long its files are together.
fn bytes(folder: &Path) -> Result<u64, StoreError> {
    let failed = |source| StoreError::disk(folder, source);
    let mut sum = 0;
    for file in std::fs::read_dir(folder).map_err(failed)? {
        let file = file.map_err(failed)?;
        // The engine may leave the files of its locks; they say nothing.
        if !file.file_name().to_string_lossy().ends_with(".lock") {
            sum += file.metadata().map_err(failed)?.len();
        }
    }
    Ok(sum)
}

/// Whether a segment is there with all its files, as far as their length tells.
pub(crate) fn is_whole(dir: &Path, entry: &Entry) -> bool {
    bytes(&folder(dir, entry.month, &entry.name)).is_ok_and(|bytes| bytes == entry.bytes)
}

/// Opens a segment.
pub(crate) fn open(dir: &Path, entry: &Entry) -> Result<SegmentReader, StoreError> {
    SegmentReader::open(&segment(dir, entry)?).map_err(|source| StoreError::index(entry.month, source))
}

fn segment(dir: &Path, entry: &Entry) -> Result<tantivy::Segment, StoreError> {
    let failed = |source: TantivyError| StoreError::index(entry.month, source);
    let directory = MmapDirectory::open(folder(dir, entry.month, &entry.name));
    let index = Index::open(directory.map_err(|source| failed(source.into()))?).map_err(failed)?;
    if index.schema() != schema() {
        return Err(failed(TantivyError::SchemaError("an index of another version".to_owned())));
    }
    let segments = index.searchable_segments().map_err(failed)?;
    let absent = || failed(TantivyError::InternalError("a folder without its segment".to_owned()));
    segments.into_iter().next().ok_or_else(absent)
}

/// Joins segments of a month, which follow each other, into a new one.
pub(crate) fn join(dir: &Path, entries: &[Entry], name: String) -> Result<Option<Entry>, StoreError> {
    rewrite(dir, entries, name, None)
}

/// Writes segments of a month anew, without the documents at `removed` positions, of which nothing
/// stays. None when no document is left.
pub(crate) fn rewrite(
    dir: &Path,
    entries: &[Entry],
    name: String,
    removed: Option<&dyn Fn(u64) -> bool>,
) -> Result<Option<Entry>, StoreError> {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(None) };
    let month = first.month;
    let failed = |source: TantivyError| StoreError::index(month, source);
    let segments = entries.iter().map(|entry| segment(dir, entry)).collect::<Result<Vec<_>, _>>()?;
    let mut docs = entries.iter().map(|entry| entry.docs).sum();
    let mut alive = vec![None; segments.len()];
    if let Some(removed) = removed {
        for (segment, alive) in segments.iter().zip(&mut alive) {
            let reader = SegmentReader::open(segment).map_err(failed)?;
            let positions = reader.fast_fields().u64(POSITION_NAME).map_err(failed)?.values;
            let mut bits = BitSet::with_max_value_and_full(reader.max_doc());
            for doc in 0..reader.max_doc() {
                if removed(positions.get_val(doc)) {
                    bits.remove(doc);
                    docs -= 1;
                }
            }
            let mut written = Vec::new();
            bits.serialize(&mut written).map_err(|source| StoreError::disk(dir, source))?;
            *alive = Some(AliveBitSet::open(OwnedBytes::new(written)));
        }
    }
    if docs == 0 {
        return Ok(None);
    }
    let folder = folder(dir, month, &name);
    std::fs::create_dir_all(&folder).map_err(|source| StoreError::disk(&folder, source))?;
    let directory = MmapDirectory::open(&folder).map_err(|source| failed(source.into()))?;
    merge_filtered_segments(&segments, settings(), alive, directory).map_err(failed)?;
    entry(dir, month, name, first.from..last.to, docs).map(Some)
}

/// Whether a segment has a document at one of the `wanted` positions.
pub(crate) fn holds(dir: &Path, entry: &Entry, wanted: &dyn Fn(u64) -> bool) -> Result<bool, StoreError> {
    let reader = open(dir, entry)?;
    let positions = reader.fast_fields().u64(POSITION_NAME);
    let positions = positions.map_err(|source| StoreError::index(entry.month, source))?.values;
    Ok((0..reader.max_doc()).any(|doc| wanted(positions.get_val(doc))))
}

/// Takes a folder away, if it is there.
pub(crate) fn remove(folder: &Path) -> Result<(), StoreError> {
    match std::fs::remove_dir_all(folder) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(StoreError::disk(folder, source)),
        _ => Ok(()),
    }
}

/// Takes every folder away that is not in `entries`: what was begun and not finished, or has been
/// joined.
pub(crate) fn sweep(dir: &Path, entries: &[Entry]) -> Result<(), StoreError> {
    for (month, path) in folders(dir)? {
        let failed = |source| StoreError::disk(&path, source);
        let mut used = false;
        for below in std::fs::read_dir(&path).map_err(failed)? {
            let below = below.map_err(failed)?;
            let name = below.file_name();
            if entries.iter().any(|entry| entry.month == month && *entry.name == *name) {
                used = true;
            } else if below.path().is_dir() {
                remove(&below.path())?;
            } else {
                std::fs::remove_file(below.path()).map_err(failed)?;
            }
        }
        if !used {
            remove(&path)?;
        }
    }
    Ok(())
}

/// The folders of months that are in `dir`.
fn folders(dir: &Path) -> Result<Vec<(Month, PathBuf)>, StoreError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|source| StoreError::disk(dir, source))? {
        let path = entry.map_err(|source| StoreError::disk(dir, source))?.path();
        let month = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        if let Some(month) = month {
            found.push((month, path));
        }
    }
    Ok(found)
}
