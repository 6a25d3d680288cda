//! Pages of events: newest (or oldest) first, with an early stop.
//!
//! A segment holds its documents nearly in the order of time, and knows for each block the last
//! time of everything before it. So the newest are looked for from its end, in windows that grow,
//! until nothing before could be newer than the worst event that is already on the page.

use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use event::filter::Matcher;
use event::{Event, Filter};
use tantivy::index::SegmentId;

use crate::bits::Window;
use crate::budget::Halt;
use crate::error::StoreError;
use crate::month::Nanos;
use crate::node::{Lookup, Node};
use crate::query::{Hit, LIMIT_MAX, Order, Page, Paging, Query, Rank};
use crate::segment::{BLOCK, Segment};
use crate::snapshot::Snapshot;
use crate::tail::{Recent, Sift};

/// So many events are read at a time to see whether the filter picks them.
const DOUBTS: usize = 128;
const WINDOW_MIN: u32 = BLOCK;
const WINDOW_MAX: u32 = 1024 * BLOCK;

/// An event on its way to the page.
struct Found {
    rank: Rank,
    position: u64,
    /// What was read already.
    entry: Option<Bytes>,
}

impl PartialEq for Found {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl Eq for Found {}

impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Found {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

impl Sift for Search<'_> {
    fn wants(&self, position: u64, time: Nanos) -> bool {
        self.from <= time && time < self.to && self.has_room(Rank::new(self.order, time, position))
    }

    fn take(&mut self, position: u64, time: Nanos, entry: &Bytes) {
        if Event::read(entry).is_ok_and(|event| self.matcher.matches(&event)) {
            let rank = Rank::new(self.order, time, position);
            self.push(Found { rank, position, entry: Some(entry.clone()) });
        }
    }
}

/// The filter, as it was looked up in segments before: for the next page.
#[derive(Default)]
pub(crate) struct Nodes(HashMap<SegmentId, Arc<Node>>);

/// One search.
pub(crate) struct Search<'a> {
    snapshot: &'a Snapshot<'a>,
    query: &'a Query<'a>,
    filter: Filter,
    matcher: Matcher,
    order: Order,
    /// How many are kept: the page, and one to know whether there is more.
    keep: usize,
    after: Option<Rank>,
    from: Nanos,
    to: Nanos,
    page: BinaryHeap<Found>,
    nodes: &'a mut Nodes,
}

impl<'a> Search<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot<'a>, query: &'a Query<'a>, paging: &Paging, nodes: &'a mut Nodes) -> Self {
        let filter = query.whole_filter();
        let (mut from, mut to) = query.stretch();
        if let Some(cursor) = paging.cursor {
            match paging.order {
                Order::Newest => to = to.min(cursor.time.saturating_add(1)),
                Order::Oldest => from = from.max(cursor.time),
            }
        }
        Self {
            snapshot,
            query,
            matcher: Matcher::new(&filter),
            filter,
            order: paging.order,
            keep: paging.limit.clamp(1, LIMIT_MAX) + 1,
            after: paging.cursor.map(|cursor| Rank::of(paging.order, cursor)),
            from,
            to,
            page: BinaryHeap::new(),
            nodes,
        }
    }

    pub(crate) fn run(mut self) -> Result<Page, StoreError> {
        let stopped = match self.fill() {
            Ok(()) => None,
            Err(halt) => Some(halt.or_fail()?),
        };
        let mut found = std::mem::take(&mut self.page).into_sorted_vec();
        let more = found.len() == self.keep;
        found.truncate(self.keep - 1);
        let next = found.last().filter(|_| more && stopped.is_none()).map(|last| last.rank.cursor(self.order));
        Ok(Page { hits: self.hits(found)?, next, stopped })
    }

    fn fill(&mut self) -> Result<(), Halt> {
        self.recent()?;
        for month in &self.snapshot.months(self.from, self.to, self.order) {
            let (first, next) = month.month().bounds();
            let best = match self.order {
                Order::Newest => Rank::first(self.order, next - 1),
                Order::Oldest => Rank::first(self.order, first),
            };
            if self.is_full_before(best) {
                return Ok(());
            }
            let mut segments: Vec<(Rank, &Segment)> = Vec::new();
            let opened = self.snapshot.segments(month)?;
            for segment in opened.iter() {
                if let Some((first, last)) = segment.bounds.all() {
                    let time = if self.order == Order::Newest { last } else { first };
                    segments.push((Rank::first(self.order, time), segment));
                }
            }
            segments.sort_by_key(|(best, _)| *best);
            for (best, segment) in segments {
                if self.is_full_before(best) {
                    break;
                }
                self.segment(segment)?;
            }
        }
        Ok(())
    }

    /// Whether the page is full, and nothing from `best` on belongs on it.
    fn is_full_before(&self, best: Rank) -> bool {
        self.page.len() >= self.keep && self.page.peek().is_some_and(|worst| worst.rank < best)
    }

    /// Whether an event of this place would be on the page, as far as it is known.
    fn has_room(&self, rank: Rank) -> bool {
        self.after.is_none_or(|after| rank > after)
            && (self.page.len() < self.keep || self.page.peek().is_some_and(|worst| rank < worst.rank))
    }

    fn push(&mut self, found: Found) {
        if self.has_room(found.rank) {
            self.page.push(found);
            if self.page.len() > self.keep {
                self.page.pop();
            }
        }
    }

    fn recent(&mut self) -> Result<(), Halt> {
        let recent: Recent<'_> = self.snapshot.recent(&self.query.budget);
        recent.each(self.order, self)
    }

    fn segment(&mut self, segment: &Segment) -> Result<(), Halt> {
        let range = segment.bounds.range(self.from, self.to, segment.docs);
        if range.is_empty() || segment.first >= self.snapshot.limit() {
            return Ok(());
        }
        let node = match self.nodes.0.get(&segment.id) {
            Some(node) => Arc::clone(node),
            None => {
                let lookup = Lookup { segment, now: self.query.now, budget: &self.query.budget };
                let node = Arc::new(lookup.root(&self.filter)?);
                self.nodes.0.insert(segment.id, Arc::clone(&node));
                node
            }
        };
        if matches!(*node, Node::None) {
            return Ok(());
        }
        let (mut rest, mut len) = (range, WINDOW_MIN);
        while !rest.is_empty() {
            self.query.budget.check()?;
            let (window, best) = match self.order {
                Order::Newest => {
                    let start = rest.end.saturating_sub(1) / BLOCK * BLOCK;
                    let start = start.saturating_sub(len - BLOCK).max(rest.start);
                    let window = Window { start, end: rest.end };
                    rest.end = start;
                    (window, segment.bounds.last_before(start).map(|last| Rank::first(self.order, last)))
                }
                Order::Oldest => {
                    let end = rest.start.saturating_add(len).min(rest.end);
                    let window = Window { start: rest.start, end };
                    rest.start = end;
                    (window, segment.bounds.first_from(end).map(|first| Rank::first(self.order, first)))
                }
            };
            self.window(segment, &node, window)?;
            if best.is_none_or(|best| self.is_full_before(best)) {
                break;
            }
            len = len.saturating_mul(4).min(WINDOW_MAX);
        }
        Ok(())
    }

    fn window(&mut self, segment: &Segment, node: &Node, window: Window) -> Result<(), Halt> {
        let marks = node.marks(segment, window, None)?;
        let mut doubts: Vec<Found> = Vec::new();
        let docs: Box<dyn Iterator<Item = u32>> = match self.order {
            Order::Newest => Box::new(marks.possible().iter_back()),
            Order::Oldest => Box::new(marks.possible().iter()),
        };
        for doc in docs {
            let time = segment.time(doc);
            if time < self.from || time >= self.to {
                continue;
            }
            let position = segment.position(doc);
            let rank = Rank::new(self.order, time, position);
            if position >= self.snapshot.limit() || !self.has_room(rank) {
                continue;
            }
            let found = Found { rank, position, entry: None };
            if marks.sure.contains(doc) {
                self.push(found);
            } else {
                doubts.push(found);
                if doubts.len() == DOUBTS {
                    self.settle(std::mem::take(&mut doubts))?;
                }
            }
        }
        self.settle(doubts)
    }

    /// Reads the events of which the index can't tell.
    fn settle(&mut self, mut doubts: Vec<Found>) -> Result<(), Halt> {
        self.query.budget.check()?;
        doubts.retain(|found| self.has_room(found.rank));
        doubts.sort_by_key(|found| found.position);
        let positions: Vec<u64> = doubts.iter().map(|found| found.position).collect();
        for (found, entry) in doubts.into_iter().zip(self.snapshot.get_many(&positions)?) {
            if let Some(entry) = entry
                && Event::read(&entry).is_ok_and(|event| self.matcher.matches(&event))
            {
                self.push(Found { entry: Some(entry), ..found });
            }
        }
        Ok(())
    }

    /// Reads what is shown. An entry that is gone from the trail is no hit.
    fn hits(&self, mut found: Vec<Found>) -> Result<Vec<Hit>, StoreError> {
        let mut missing: Vec<u64> =
            found.iter().filter(|found| found.entry.is_none()).map(|found| found.position).collect();
        missing.sort_unstable();
        let mut read: HashMap<u64, Bytes> = HashMap::with_capacity(missing.len());
        if !missing.is_empty() {
            let entries = self.snapshot.get_many(&missing)?;
            read.extend(missing.iter().zip(entries).filter_map(|(position, entry)| Some((*position, entry?))));
        }
        let order = self.order;
        let hits = found.drain(..).filter_map(|found| {
            let entry = found.entry.or_else(|| read.remove(&found.position))?;
            Some(Hit { position: found.position, time: found.rank.time(order), entry })
        });
        Ok(hits.collect())
    }
}
