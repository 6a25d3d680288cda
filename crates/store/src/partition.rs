//! The index of one month on disk.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tantivy::directory::{META_LOCK, MmapDirectory};
use tantivy::index::{Index, IndexSettings, SegmentId, SegmentMeta};
use tantivy::indexer::{IndexWriter, IndexWriterOptions, NoMergePolicy, UserOperation};
use tantivy::store::{Compressor, ZstdCompressor};
use tantivy::{Directory, FutureResult, SegmentReader, TantivyError};

use crate::document::Indexed;
use crate::error::StoreError;
use crate::merge;
use crate::month::Month;
use crate::schema::schema;
use crate::segment::Segment;

/// So many documents go to the engine at a time.
const BATCH: usize = 64;

/// The index of one month. Its commits say up to which position everything of the month is in it.
pub(crate) struct Partition {
    pub(crate) month: Month,
    dir: PathBuf,
    index: Index,
    writer: Option<Writer>,
    /// Every event of the month before this position is in what was committed.
    pub(crate) committed_to: u64,
    /// Documents were added that are not committed.
    pub(crate) dirty: bool,
    /// When it was last written to, as a count of uses.
    pub(crate) used: u64,
}

struct Writer {
    engine: IndexWriter<Indexed>,
    waiting: Vec<UserOperation<Indexed>>,
    merges: Vec<FutureResult<Option<SegmentMeta>>>,
}

impl Partition {
    /// Opens the index in `dir`, or makes an empty one.
    pub(crate) fn open(month: Month, dir: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(dir).map_err(|source| StoreError::disk(dir, source))?;
        let failed = |source: TantivyError| StoreError::index(month, source);
        let directory = MmapDirectory::open(dir).map_err(|source| failed(source.into()))?;
        let exists = Index::exists(&directory).map_err(|source| failed(source.into()))?;
        let index = if exists {
            Index::open(directory).map_err(failed)?
        } else {
            // The engine wants a store of documents; ours are empty.
            let settings = IndexSettings {
                docstore_compression: Compressor::Zstd(ZstdCompressor::default()),
                docstore_compress_dedicated_thread: false,
                docstore_blocksize: 128 * 1024,
                ..IndexSettings::default()
            };
            Index::create(directory, schema(), settings).map_err(failed)?
        };
        if index.schema() != schema() {
            return Err(failed(TantivyError::SchemaError("an index of another version".to_owned())));
        }
        let committed_to =
            index.load_metas().map_err(failed)?.payload.and_then(|payload| payload.parse().ok()).unwrap_or(0);
        Ok(Self { month, dir: dir.to_owned(), index, writer: None, committed_to, dirty: false, used: 0 })
    }

    pub(crate) fn is_writing(&self) -> bool {
        self.writer.is_some()
    }

    /// Adds a document. The engine takes them in the order of their positions.
    pub(crate) fn add(&mut self, doc: Indexed, heap_bytes: usize) -> Result<(), StoreError> {
        let month = self.month;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self
                .writer
                .insert(Writer::open(&self.index, heap_bytes).map_err(|source| StoreError::index(month, source))?),
        };
        self.dirty = true;
        writer.waiting.push(UserOperation::Add(doc));
        if writer.waiting.len() < BATCH {
            Ok(())
        } else {
            writer.flush().map_err(|source| StoreError::index(month, source))
        }
    }

    /// Makes everything that was added durable and visible. From now on every event of the month
    /// before `next` is in it.
    pub(crate) fn commit(&mut self, next: u64) -> Result<(), StoreError> {
        let month = self.month;
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let mut commit = || {
            writer.flush()?;
            let mut commit = writer.engine.prepare_commit()?;
            commit.set_payload(&next.to_string());
            commit.commit()
        };
        commit().map_err(|source| StoreError::index(month, source))?;
        self.committed_to = next;
        self.dirty = false;
        Ok(())
    }

    /// Lets go of the writer. What was not committed is lost, and comes again from the trail.
    pub(crate) fn close(&mut self) {
        self.writer = None;
        self.dirty = false;
    }

    pub(crate) fn index(&self) -> Index {
        self.index.clone()
    }

    /// Opens the segments that are not in `known`. They come in the order of their positions.
    pub(crate) fn segments(&self, known: &[Arc<Segment>]) -> Result<Vec<Arc<Segment>>, StoreError> {
        segments(&self.index, self.month, known)
    }

    /// Joins small segments in the background.
    pub(crate) fn merge(&mut self, segments: &[Arc<Segment>]) {
        let Some(writer) = &mut self.writer else { return };
        if !writer.merges.is_empty() {
            return;
        }
        let sizes: Vec<u32> = segments.iter().map(|segment| segment.docs).collect();
        if let Some(range) = merge::choose(&sizes) {
            let ids: Vec<SegmentId> =
                segments.get(range).unwrap_or_default().iter().map(|segment| segment.id).collect();
            writer.merges.push(writer.engine.merge(&ids));
        }
    }

    /// Whether a merge came to its end since the last call.
    pub(crate) fn has_merged(&mut self) -> bool {
        let Some(writer) = &mut self.writer else { return false };
        let before = writer.merges.len();
        writer.merges.retain_mut(is_pending);
        writer.merges.len() < before
    }

    pub(crate) fn is_merging(&self) -> bool {
        self.writer.as_ref().is_some_and(|writer| !writer.merges.is_empty())
    }

    /// Takes the index away from the disk.
    pub(crate) fn remove(mut self) -> Result<(), StoreError> {
        self.close();
        remove(&self.dir)
    }
}

/// Takes a folder away, if it is there.
pub(crate) fn remove(dir: &Path) -> Result<(), StoreError> {
    match std::fs::remove_dir_all(dir) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(StoreError::disk(dir, source)),
        _ => Ok(()),
    }
}

impl Writer {
    fn open(index: &Index, heap_bytes: usize) -> Result<Self, TantivyError> {
        let options = IndexWriterOptions::builder()
            .memory_budget_per_thread(heap_bytes)
            .num_worker_threads(1)
            .num_merge_threads(1)
            .build();
        let engine = index.writer_with_options(options)?;
        // Which segments are joined is chosen here, so that they stay in the order of the trail.
        engine.set_merge_policy(Box::new(NoMergePolicy));
        Ok(Self { engine, waiting: Vec::with_capacity(BATCH), merges: Vec::new() })
    }

    fn flush(&mut self) -> Result<(), TantivyError> {
        if !self.waiting.is_empty() {
            self.engine.run(std::mem::replace(&mut self.waiting, Vec::with_capacity(BATCH)))?;
        }
        Ok(())
    }
}

fn is_pending(merge: &mut FutureResult<Option<SegmentMeta>>) -> bool {
    matches!(Pin::new(merge).poll(&mut Context::from_waker(Waker::noop())), Poll::Pending)
}

pub(crate) fn segments(index: &Index, month: Month, known: &[Arc<Segment>]) -> Result<Vec<Arc<Segment>>, StoreError> {
    let failed = |source: TantivyError| StoreError::index(month, source);
    let known: HashMap<SegmentId, &Arc<Segment>> = known.iter().map(|segment| (segment.id, segment)).collect();
    // The lock keeps files that were merged away until the segments are open.
    let lock = index.directory().acquire_lock(&META_LOCK).map_err(|source| failed(source.into()))?;
    let mut fresh = Vec::new();
    let mut segments = Vec::new();
    for segment in index.searchable_segments().map_err(failed)? {
        match known.get(&segment.id()) {
            Some(known) => segments.push(Arc::clone(known)),
            None => fresh.push(SegmentReader::open(&segment).map_err(failed)?),
        }
    }
    drop(lock);
    for reader in &fresh {
        segments.push(Arc::new(Segment::open(month, reader)?));
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}
