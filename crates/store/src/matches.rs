//! Everything that a query picks, exactly, in the order of the index.

use std::sync::Arc;

use bytes::Bytes;
use event::filter::Matcher;
use event::{Event, Filter};

use crate::bits::{Bits, Window};
use crate::budget::Halt;
use crate::month::Nanos;
use crate::node::{Lookup, Node};
use crate::query::{Order, Query};
use crate::segment::{BLOCK, Segment};
use crate::snapshot::Snapshot;
use crate::tail::Sift;

const WINDOW: u32 = 256 * BLOCK;
/// So many events are read at a time to see whether the filter picks them.
const DOUBTS: usize = 512;

/// What is done with the documents of a window that are picked.
type Visit<'f> = dyn FnMut(&Arc<Segment>, Window, &Bits) -> Result<(), Halt> + 'f;

/// A query on its way through the index.
pub(crate) struct Matches<'a> {
    pub(crate) snapshot: &'a Snapshot<'a>,
    query: &'a Query<'a>,
    filter: Filter,
    matcher: Matcher,
    from: Nanos,
    to: Nanos,
}

/// Shows the newest events that are picked.
struct Picked<'a> {
    matches: &'a Matches<'a>,
    f: &'a mut dyn FnMut(Nanos, &Event<'_>),
}

impl Sift for Picked<'_> {
    fn wants(&self, _: u64, time: Nanos) -> bool {
        self.matches.from <= time && time < self.matches.to
    }

    fn take(&mut self, _: u64, time: Nanos, entry: &Bytes) {
        if let Ok(event) = Event::read(entry)
            && self.matches.matcher.matches(&event)
        {
            (self.f)(time, &event);
        }
    }
}

impl<'a> Matches<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot<'a>, query: &'a Query<'a>) -> Self {
        let filter = query.whole_filter();
        let (from, to) = query.stretch();
        Self { snapshot, query, matcher: Matcher::new(&filter), filter, from, to }
    }

    /// Whether it picks every event there is.
    pub(crate) fn is_everything(&self) -> bool {
        self.filter == Filter::All && self.from == Nanos::MIN && self.to == Nanos::MAX
    }

    /// The documents of the index that are picked, window by window, the newest month first.
    pub(crate) fn each(&self, f: &mut Visit<'_>) -> Result<(), Halt> {
        for month in self.snapshot.months(self.from, self.to, Order::Newest) {
            for segment in self.snapshot.segments(&month)?.iter().rev() {
                let range = segment.bounds.range(self.from, self.to, segment.docs);
                if range.is_empty() || segment.first >= self.snapshot.limit() {
                    continue;
                }
                let lookup = Lookup { segment, now: self.query.now, budget: &self.query.budget };
                let node = lookup.root(&self.filter)?;
                if matches!(node, Node::None) {
                    continue;
                }
                for start in (range.start..range.end).step_by(WINDOW as usize) {
                    self.query.budget.check()?;
                    let window = Window { start, end: range.end.min(start.saturating_add(WINDOW)) };
                    let bits = self.window(segment, &node, window)?;
                    if !bits.is_empty() {
                        f(segment, window, &bits)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The events that are not in the index and are picked.
    pub(crate) fn each_recent(&self, f: &mut dyn FnMut(Nanos, &Event<'_>)) -> Result<(), Halt> {
        let recent = self.snapshot.recent(&self.query.budget);
        recent.each(Order::Oldest, &mut Picked { matches: self, f })
    }

    fn window(&self, segment: &Segment, node: &Node, window: Window) -> Result<Bits, Halt> {
        let marks = node.marks(segment, window, None)?;
        let mut bits = marks.sure;
        self.trim(segment, window, &mut bits);
        if let Some(mut doubts) = marks.possible {
            doubts.and_not(&bits);
            self.trim(segment, window, &mut doubts);
            self.settle(segment, &doubts, &mut bits)?;
        }
        Ok(bits)
    }

    /// Takes away what lies outside of the stretch, or is not read from the index.
    fn trim(&self, segment: &Segment, window: Window, bits: &mut Bits) {
        let limit = self.snapshot.limit();
        if segment.last >= limit {
            let beyond: Vec<u32> = bits.iter().filter(|doc| segment.position(*doc) >= limit).collect();
            beyond.into_iter().for_each(|doc| bits.remove(doc));
        }
        for start in (window.start..window.end).step_by(BLOCK as usize) {
            let end = start.saturating_add(BLOCK).min(window.end);
            let inside = segment.bounds.block(start).is_some_and(|(first, last)| self.from <= first && last < self.to);
            if inside {
                continue;
            }
            let mut doc = start;
            while let Some(next) = bits.next(doc).filter(|next| *next < end) {
                let time = segment.time(next);
                if time < self.from || time >= self.to {
                    bits.remove(next);
                }
                doc = next + 1;
            }
        }
    }

    /// Adds those of the doubtful documents whose events the filter picks.
    fn settle(&self, segment: &Segment, doubts: &Bits, bits: &mut Bits) -> Result<(), Halt> {
        let mut batch: Vec<(u64, u32)> = Vec::with_capacity(DOUBTS);
        let mut docs = doubts.iter();
        loop {
            batch.clear();
            batch.extend(docs.by_ref().take(DOUBTS).map(|doc| (segment.position(doc), doc)));
            if batch.is_empty() {
                return Ok(());
            }
            self.query.budget.check()?;
            batch.sort_unstable();
            let positions: Vec<u64> = batch.iter().map(|(position, _)| *position).collect();
            for ((_, doc), entry) in batch.iter().zip(self.snapshot.get_many(&positions)?) {
                if entry.is_some_and(|entry| Event::read(&entry).is_ok_and(|event| self.matcher.matches(&event))) {
                    bits.insert(*doc);
                }
            }
        }
    }

    /// Reads the events of these documents.
    pub(crate) fn read(
        &self,
        segment: &Segment,
        docs: &[u32],
        f: &mut dyn FnMut(Nanos, &Event<'_>),
    ) -> Result<(), Halt> {
        for docs in docs.chunks(DOUBTS) {
            self.query.budget.check()?;
            let mut batch: Vec<(u64, u32)> = docs.iter().map(|doc| (segment.position(*doc), *doc)).collect();
            batch.sort_unstable();
            let positions: Vec<u64> = batch.iter().map(|(position, _)| *position).collect();
            for ((_, doc), entry) in batch.iter().zip(self.snapshot.get_many(&positions)?) {
                if let Some(entry) = entry
                    && let Ok(event) = Event::read(&entry)
                {
                    f(segment.time(*doc), &event);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn budget(&self) -> &crate::budget::Budget {
        &self.query.budget
    }
}
