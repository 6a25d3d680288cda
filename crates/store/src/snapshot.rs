//! What one read sees: it does not change while the read goes on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::budget::Budget;
use crate::entries::Entries;
use crate::error::StoreError;
use crate::facet::Facets;
use crate::manifest::Entry;
use crate::month::{Month, Nanos};
use crate::query::Order;
use crate::segment::Segment;
use crate::shelf;
use crate::tail::{Recent, Tail};

/// So many months that are not written to are kept open.
const MONTHS_OPEN_MAX: usize = 36;

/// The index at one moment.
#[derive(Default, Clone)]
pub(crate) struct State {
    /// Events before this position are read from the index, the others are not.
    pub(crate) committed: u64,
    /// Where the tail ends.
    pub(crate) applied: u64,
    pub(crate) tail: Tail,
    pub(crate) months: Arc<BTreeMap<Month, Arc<MonthView>>>,
}

/// The segments of a month, opened when they are asked for.
pub(crate) struct MonthView {
    month: Month,
    dir: PathBuf,
    entries: Vec<Entry>,
    segments: Mutex<Segments>,
}

#[derive(Default)]
struct Segments {
    /// All of them, in the order of their positions.
    opened: Option<Arc<Vec<Arc<Segment>>>>,
    /// Those that were open before the month changed, with the names of their folders.
    known: Vec<(String, Arc<Segment>)>,
}

impl MonthView {
    /// The view of a month that was seen as `old` before.
    pub(crate) fn new(month: Month, dir: &Path, entries: Vec<Entry>, old: Option<&Self>) -> Self {
        let known = old.map(Self::known).unwrap_or_default();
        let segments = Mutex::new(Segments { opened: None, known });
        Self { month, dir: dir.to_owned(), entries, segments }
    }

    fn known(&self) -> Vec<(String, Arc<Segment>)> {
        let segments = self.segments.lock();
        match &segments.opened {
            Some(opened) => self.entries.iter().map(|entry| entry.name.clone()).zip(opened.iter().cloned()).collect(),
            None => segments.known.clone(),
        }
    }

    pub(crate) fn month(&self) -> Month {
        self.month
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The segments, if they are open.
    pub(crate) fn opened(&self) -> Option<Arc<Vec<Arc<Segment>>>> {
        let segments = self.segments.lock();
        match &segments.opened {
            Some(opened) => Some(Arc::clone(opened)),
            None if segments.known.is_empty() => None,
            None => Some(Arc::new(segments.known.iter().map(|(_, segment)| Arc::clone(segment)).collect())),
        }
    }

    /// The segments; they are opened if they are not open yet.
    pub(crate) fn open(&self) -> Result<Arc<Vec<Arc<Segment>>>, StoreError> {
        let mut segments = self.segments.lock();
        if let Some(opened) = &segments.opened {
            return Ok(Arc::clone(opened));
        }
        let mut opened = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            match segments.known.iter().find(|(name, _)| *name == entry.name) {
                Some((_, known)) => opened.push(Arc::clone(known)),
                None => opened.push(Arc::new(Segment::open(self.month, &shelf::open(&self.dir, entry)?)?)),
            }
        }
        let opened = Arc::new(opened);
        *segments = Segments { opened: Some(Arc::clone(&opened)), known: Vec::new() };
        Ok(opened)
    }

    fn close(&self) {
        *self.segments.lock() = Segments::default();
    }
}

/// Months that reads have opened, the longest unused first.
#[derive(Default)]
pub(crate) struct Opened(Mutex<Vec<Arc<MonthView>>>);

impl Opened {
    fn used(&self, view: &Arc<MonthView>) {
        let mut views = self.0.lock();
        views.retain(|other| other.month != view.month);
        views.push(Arc::clone(view));
        if views.len() > MONTHS_OPEN_MAX {
            views.remove(0).close();
        }
    }
}

/// The state of the index and the size of the trail that a read is about.
pub(crate) struct Snapshot<'a> {
    pub(crate) state: Arc<State>,
    pub(crate) size: u64,
    pub(crate) entries: &'a dyn Entries,
    pub(crate) opened: &'a Opened,
    pub(crate) facets: &'a Facets,
}

impl Snapshot<'_> {
    /// Documents at this position and behind it are not taken from the index: their events come
    /// from the tail or the trail, or are beyond what was asked for.
    pub(crate) fn limit(&self) -> u64 {
        self.state.committed.min(self.size)
    }

    /// The events that are not taken from the index.
    pub(crate) fn recent<'s>(&'s self, budget: &'s Budget) -> Recent<'s> {
        Recent { tail: &self.state.tail, applied: self.state.applied, size: self.size, entries: self.entries, budget }
    }

    /// The months that lie in the stretch, in order.
    pub(crate) fn months(&self, from: Nanos, to: Nanos, order: Order) -> Vec<Arc<MonthView>> {
        let within = self.state.months.values().filter(|view| {
            let (first, next) = view.month.bounds();
            first < to && from < next
        });
        let mut months: Vec<_> = within.cloned().collect();
        if order == Order::Newest {
            months.reverse();
        }
        months
    }

    pub(crate) fn segments(&self, view: &Arc<MonthView>) -> Result<Arc<Vec<Arc<Segment>>>, StoreError> {
        self.opened.used(view);
        view.open()
    }

    pub(crate) fn get_many(&self, positions: &[u64]) -> Result<Vec<Option<Bytes>>, StoreError> {
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        self.entries.get_many(positions).map_err(StoreError::Entries)
    }
}
