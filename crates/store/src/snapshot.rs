//! What one read sees: it does not change while the read goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tantivy::index::Index;

use crate::budget::Budget;
use crate::entries::Entries;
use crate::error::StoreError;
use crate::facet::Facets;
use crate::month::{Month, Nanos};
use crate::partition;
use crate::query::Order;
use crate::segment::Segment;
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
    index: Index,
    segments: Mutex<Option<Arc<Vec<Arc<Segment>>>>>,
}

impl MonthView {
    pub(crate) fn new(month: Month, index: Index, segments: Option<Vec<Arc<Segment>>>) -> Self {
        Self { month, index, segments: Mutex::new(segments.map(Arc::new)) }
    }

    pub(crate) fn month(&self) -> Month {
        self.month
    }

    /// The segments, if they are open.
    pub(crate) fn opened(&self) -> Option<Arc<Vec<Arc<Segment>>>> {
        self.segments.lock().clone()
    }

    fn open(&self) -> Result<Arc<Vec<Arc<Segment>>>, StoreError> {
        let mut segments = self.segments.lock();
        if let Some(segments) = &*segments {
            return Ok(Arc::clone(segments));
        }
        let opened = Arc::new(partition::segments(&self.index, self.month, &[])?);
        *segments = Some(Arc::clone(&opened));
        Ok(opened)
    }

    fn close(&self) {
        *self.segments.lock() = None;
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

    pub(crate) fn get_many(&self, positions: &[u64]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        self.entries.get_many(positions).map_err(StoreError::Entries)
    }
}
