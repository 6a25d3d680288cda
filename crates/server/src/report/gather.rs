//! The events of a report, read from the store in pages, at one checkpoint.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use event::{Catalogue, Event};
use serde_json::Value;
use store::{Budget, Query, Store, StoreError};

use super::columns::Columns;
use super::plan::Plan;
use super::spool::{Row, Spool, SpoolWriter};

/// What the rows of one run may take on disk while they wait.
const SPOOL_BYTES_MAX: u64 = 4 << 30;

/// How far a run is, and whether somebody called it off.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    pub rows: Arc<AtomicU64>,
    pub rows_total: Arc<AtomicU64>,
    pub cancel: Arc<AtomicBool>,
}

impl Progress {
    pub fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    #[error("the events can't be read")]
    Store(#[from] StoreError),
    #[error("cancelled")]
    Cancelled,
    #[error("it would have more than {max} rows; narrow it")]
    TooMany { max: u64 },
    #[error("its rows would take more than {SPOOL_BYTES_MAX} bytes; narrow it, or leave out the long columns")]
    TooLarge,
    #[error("the rows can't be kept on disk")]
    Disk(#[from] io::Error),
}

/// Hands every event below `size` that the plan picks to `each`, in the plan's order. `each` says whether to go on.
pub fn walk(
    store: &Store,
    plan: &Plan,
    size: u64,
    budget: Budget,
    mut each: impl FnMut(u64, &[u8]) -> Result<bool, GatherError>,
) -> Result<(), GatherError> {
    let query = Query::new(&plan.filter, plan.at).between(plan.range.from, plan.range.to).within(budget);
    let mut failed = None;
    let stopped = store.scan(&query, plan.order(), size, &mut |hit| match each(hit.position, &hit.entry) {
        Ok(true) => ControlFlow::Continue(()),
        Ok(false) => ControlFlow::Break(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    match (failed, stopped) {
        (Some(error), _) => Err(error),
        (None, Some(_)) => Err(GatherError::Cancelled),
        (None, None) => Ok(()),
    }
}

/// Reads all rows of a run into a file without a name in `folder`.
pub fn gather(
    store: &Store,
    catalogue: &Catalogue,
    plan: &Plan,
    size: u64,
    rows_max: u64,
    folder: &Path,
    progress: &Progress,
) -> Result<Spool, GatherError> {
    let columns = Columns::new(&plan.columns);
    let mut spool = SpoolWriter::new(folder)?;
    let budget = Budget { deadline: None, cancel: Some(progress.cancel.clone()) };
    walk(store, plan, size, budget, |position, entry| {
        if progress.is_cancelled() {
            return Err(GatherError::Cancelled);
        }
        if spool.rows() == rows_max {
            return Err(GatherError::TooMany { max: rows_max });
        }
        let Ok(event) = Event::read(entry) else {
            tracing::error!(position, "the entry at position {position} is no event; the report leaves it out");
            return Ok(true);
        };
        spool.push(&Row {
            position,
            leaf_hash: STANDARD.encode(trail::Hash::leaf(entry).0),
            cells: columns.cells(&event, position, catalogue),
        })?;
        if spool.bytes() > SPOOL_BYTES_MAX {
            return Err(GatherError::TooLarge);
        }
        progress.rows.store(spool.rows(), Ordering::Relaxed);
        Ok(true)
    })?;
    Ok(spool.finish()?)
}

/// How many events the plan picks below `size`.
pub fn count(store: &Store, plan: &Plan, size: u64, deadline: Instant) -> Result<u64, GatherError> {
    let query = Query::new(&plan.filter, plan.at)
        .between(plan.range.from, plan.range.to)
        .within(Budget { deadline: Some(deadline), cancel: None });
    let counted = store.count(&query, size)?;
    if counted.stopped.is_some() { Err(GatherError::Cancelled) } else { Ok(counted.count) }
}

/// The first rows with their positions, for a look before the run.
pub fn preview(
    store: &Store,
    catalogue: &Catalogue,
    plan: &Plan,
    size: u64,
    limit: usize,
    deadline: Instant,
) -> Result<(Vec<Vec<Value>>, Vec<u64>), GatherError> {
    let columns = Columns::new(&plan.columns);
    let (mut rows, mut positions) = (Vec::new(), Vec::new());
    let budget = Budget { deadline: Some(deadline), cancel: None };
    walk(store, plan, size, budget, |position, entry| {
        if let Ok(event) = Event::read(entry) {
            rows.push(columns.cells(&event, position, catalogue));
            positions.push(position);
        }
        Ok(rows.len() < limit)
    })?;
    Ok((rows, positions))
}
