//! One segment of an index, ready to be read.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use tantivy::columnar::ColumnValues;
use tantivy::index::{InvertedIndexReader, SegmentId};
use tantivy::postings::TermInfo;
use tantivy::schema::IndexRecordOption;
use tantivy::{SegmentReader, TERMINATED};

use crate::bits::{Bits, Window};
use crate::error::StoreError;
use crate::month::{Month, Nanos};
use crate::schema::{PATHS, POSITION_NAME, TERMS, TIME_NAME, WORDS};
use crate::shape::paths_of;

/// So many documents have their first and last time at hand.
pub(crate) const BLOCK: u32 = 1024;

/// A segment. It never changes, so that everything about it can be kept.
pub(crate) struct Segment {
    pub(crate) id: SegmentId,
    pub(crate) month: Month,
    pub(crate) docs: u32,
    pub(crate) paths: Arc<InvertedIndexReader>,
    pub(crate) terms: Arc<InvertedIndexReader>,
    pub(crate) words: Arc<InvertedIndexReader>,
    times: Arc<dyn ColumnValues<i64>>,
    positions: Arc<dyn ColumnValues<u64>>,
    /// The first and the last position.
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) bounds: Bounds,
    path_names: OnceLock<Vec<String>>,
}

/// The times of the documents, block by block.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    /// The first and last time within each block.
    blocks: Vec<(Nanos, Nanos)>,
    /// The last time within the block and all before it.
    last_so_far: Vec<Nanos>,
    /// The first time within the block and all after it.
    first_from_here: Vec<Nanos>,
}

impl Segment {
    pub(crate) fn open(month: Month, reader: &SegmentReader) -> Result<Self, StoreError> {
        let failed = |source| StoreError::index(month, source);
        let times = reader.fast_fields().i64(TIME_NAME).map_err(failed)?.values;
        let positions = reader.fast_fields().u64(POSITION_NAME).map_err(failed)?.values;
        let docs = reader.max_doc();
        if times.num_vals() != docs || positions.num_vals() != docs {
            let source = tantivy::TantivyError::InternalError("a document has no time or no position".to_owned());
            return Err(failed(source));
        }
        Ok(Self {
            id: reader.segment_id(),
            month,
            docs,
            paths: reader.inverted_index(PATHS).map_err(failed)?,
            terms: reader.inverted_index(TERMS).map_err(failed)?,
            words: reader.inverted_index(WORDS).map_err(failed)?,
            first: positions.min_value(),
            last: positions.max_value(),
            bounds: Bounds::of(&*times, docs),
            path_names: OnceLock::new(),
            times,
            positions,
        })
    }

    /// The whole segment.
    pub(crate) fn whole(&self) -> Window {
        Window { start: 0, end: self.docs }
    }

    /// Every path that some document has, in order.
    pub(crate) fn path_names(&self) -> Result<&[String], StoreError> {
        if let Some(names) = self.path_names.get() {
            return Ok(names);
        }
        let failed = |source: std::io::Error| StoreError::index(self.month, source);
        let mut names = BTreeSet::new();
        let mut shapes = self.paths.terms().stream().map_err(failed)?;
        while shapes.advance() {
            for path in paths_of(shapes.key()) {
                if !names.contains(path) {
                    names.insert(path.to_owned());
                }
            }
        }
        Ok(self.path_names.get_or_init(|| names.into_iter().collect()))
    }

    pub(crate) fn time(&self, doc: u32) -> Nanos {
        self.times.get_val(doc)
    }

    pub(crate) fn position(&self, doc: u32) -> u64 {
        self.positions.get_val(doc)
    }

    /// The times of the documents from `start` on.
    pub(crate) fn times(&self, start: u32, out: &mut [Nanos]) {
        self.times.get_range(start.into(), out);
    }

    /// Adds the documents of a posting list to `out`. Those outside of `within` may be left out.
    pub(crate) fn read(
        &self,
        index: &InvertedIndexReader,
        term: &TermInfo,
        window: Window,
        within: Option<&Bits>,
        out: &mut Bits,
    ) -> Result<(), StoreError> {
        self.each(index, term, window, within, |docs| docs.iter().for_each(|doc| out.insert(*doc)))
    }

    /// How many documents of a posting list are in the set.
    pub(crate) fn count(&self, index: &InvertedIndexReader, term: &TermInfo, within: &Bits) -> Result<u64, StoreError> {
        let mut count = 0;
        self.each(index, term, self.whole(), Some(within), |docs| {
            count += docs.iter().filter(|doc| within.contains(**doc)).count() as u64;
        })?;
        Ok(count)
    }

    /// Shows the documents of a posting list that lie in `window`, some at a time. Those outside of
    /// `within` may be left out.
    fn each(
        &self,
        index: &InvertedIndexReader,
        term: &TermInfo,
        window: Window,
        within: Option<&Bits>,
        mut f: impl FnMut(&[u32]),
    ) -> Result<(), StoreError> {
        let mut postings = index
            .read_block_postings_from_terminfo(term, IndexRecordOption::Basic)
            .map_err(|source| StoreError::index(self.month, source))?;
        let mut wanted = window.start;
        loop {
            if let Some(within) = within {
                match within.next(wanted) {
                    Some(next) => wanted = next,
                    None => return Ok(()),
                }
            }
            let at = postings.seek(wanted);
            let docs = postings.docs().get(at..).unwrap_or_default();
            let Some(last) = docs.last().copied() else { return Ok(()) };
            let end = if last < window.end { docs.len() } else { docs.partition_point(|doc| *doc < window.end) };
            f(docs.get(..end).unwrap_or_default());
            if end < docs.len() || last >= TERMINATED {
                return Ok(());
            }
            wanted = last + 1;
        }
    }
}

impl Bounds {
    fn of(times: &dyn ColumnValues<i64>, docs: u32) -> Self {
        let mut buffer = vec![0; BLOCK as usize];
        let mut bounds = Self::default();
        let mut last_so_far = Nanos::MIN;
        for start in (0..docs).step_by(BLOCK as usize) {
            let len = (docs - start).min(BLOCK) as usize;
            let block = buffer.get_mut(..len).unwrap_or_default();
            times.get_range(start.into(), block);
            let first = block.iter().copied().min().unwrap_or(Nanos::MAX);
            let last = block.iter().copied().max().unwrap_or(Nanos::MIN);
            last_so_far = last_so_far.max(last);
            bounds.blocks.push((first, last));
            bounds.last_so_far.push(last_so_far);
        }
        let mut first_from_here = Nanos::MAX;
        bounds.first_from_here = vec![0; bounds.blocks.len()];
        for (slot, (first, _)) in bounds.first_from_here.iter_mut().zip(&bounds.blocks).rev() {
            first_from_here = first_from_here.min(*first);
            *slot = first_from_here;
        }
        bounds
    }

    /// The first and the last time of all.
    pub(crate) fn all(&self) -> Option<(Nanos, Nanos)> {
        Some((*self.first_from_here.first()?, *self.last_so_far.last()?))
    }

    /// The first and last time within the block of `doc`.
    pub(crate) fn block(&self, doc: u32) -> Option<(Nanos, Nanos)> {
        self.blocks.get((doc / BLOCK) as usize).copied()
    }

    /// No document before `doc`, the first of a block, has a later time.
    pub(crate) fn last_before(&self, doc: u32) -> Option<Nanos> {
        let block = (doc / BLOCK) as usize;
        self.last_so_far.get(block.checked_sub(1)?).copied()
    }

    /// No document from `doc` on, the first of a block, has an earlier time.
    pub(crate) fn first_from(&self, doc: u32) -> Option<Nanos> {
        self.first_from_here.get((doc / BLOCK) as usize).copied()
    }

    /// The documents outside of which no time lies in `from..to`, in whole blocks.
    pub(crate) fn range(&self, from: Nanos, to: Nanos, docs: u32) -> Window {
        let first = self.last_so_far.partition_point(|last| *last < from);
        let end = self.first_from_here.partition_point(|first| *first < to);
        #[expect(clippy::cast_possible_truncation, reason = "a segment holds fewer than 2^32 documents")]
        let (start, end) = ((first as u32).saturating_mul(BLOCK), (end as u32).saturating_mul(BLOCK).min(docs));
        Window { start: start.min(end), end }
    }
}
