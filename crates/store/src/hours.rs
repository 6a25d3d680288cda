//! Counts by hour, action and outcome: what the overview asks for all the time. Of each segment they
//! are made once, on first use, and kept as long as there is room; a question over a year then adds
//! up hours instead of events.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::budget::{Budget, Halt};
use crate::facet::Facet;
use crate::month::Nanos;
use crate::segment::{BLOCK, Segment};
use crate::tally::Tally;

/// An hour, in nanoseconds.
pub(crate) const HOUR: Nanos = 3_600_000_000_000;

/// The counts of one segment.
pub(crate) struct Hours {
    /// In the order of the hours.
    cells: Vec<Cell>,
    pub(crate) actions: Arc<Facet>,
    pub(crate) outcomes: Arc<Facet>,
}

/// The events of one hour, one action and one outcome.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    /// The beginning of the hour.
    pub(crate) hour: Nanos,
    /// Places among the groups of the facets; [`NONE`] where the event has no such value.
    pub(crate) action: u32,
    pub(crate) outcome: u32,
    pub(crate) tally: Tally,
}

/// No value.
pub(crate) const NONE: u32 = u32::MAX;

impl Hours {
    /// Counts a segment. None when an event of it has several actions, or one that only the event
    /// itself tells.
    pub(crate) fn of(
        segment: &Segment,
        actions: Arc<Facet>,
        outcomes: Arc<Facet>,
        budget: &Budget,
    ) -> Result<Option<Self>, Halt> {
        if !actions.is_plain() || !outcomes.is_plain() {
            return Ok(None);
        }
        let mut counts: HashMap<(Nanos, u32, u32), Tally, RandomState> = HashMap::default();
        let mut times = vec![0; BLOCK as usize];
        for start in (0..segment.docs).step_by(BLOCK as usize) {
            budget.check()?;
            let len = (segment.docs - start).min(BLOCK);
            let times = times.get_mut(..len as usize).unwrap_or_default();
            segment.times(start, times);
            for (doc, time) in (start..).zip(times.iter()) {
                let place = |facet: &Facet| facet.of(doc).first().copied().unwrap_or(NONE);
                let key = (time.div_euclid(HOUR), place(&actions), place(&outcomes));
                counts.entry(key).or_insert(Tally::NONE).add(*time);
            }
        }
        let cell = |((hour, action, outcome), tally)| Cell { hour: hour * HOUR, action, outcome, tally };
        let mut cells: Vec<Cell> = counts.into_iter().map(cell).collect();
        cells.sort_unstable_by_key(|cell| (cell.hour, cell.action, cell.outcome));
        Ok(Some(Self { cells, actions, outcomes }))
    }

    /// The hours that begin in `from..to`.
    pub(crate) fn between(&self, from: Nanos, to: Nanos) -> &[Cell] {
        let first = self.cells.partition_point(|cell| cell.hour < from);
        let end = self.cells.partition_point(|cell| cell.hour < to);
        self.cells.get(first..end).unwrap_or_default()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.cells.len() * size_of::<Cell>()
    }
}
