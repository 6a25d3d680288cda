//! What waits to be written, bounded in bytes, and the state that ends everything: stopped.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::error::AppendError;
use crate::hash::Hash;
use crate::trail::{Batch, Done};

/// A batch that waits.
pub struct Waiting {
    /// What to append.
    pub batch: Batch,
    /// The hashes of its entries.
    pub leaves: Vec<Hash>,
    /// The bytes it takes in a frame, about.
    pub bytes: usize,
    /// Who is told.
    pub done: Done,
}

/// What the writer has to do.
#[derive(Default)]
pub struct Work {
    /// Batches to write together.
    pub waiting: Vec<Waiting>,
    /// End the open segment afterwards.
    pub seal: bool,
}

/// The queue before the writer.
pub struct Queue {
    bytes_max: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// Reserved and waiting.
    bytes: usize,
    /// The packer is too far behind.
    held: bool,
    /// Somebody wants the open segment to end.
    seal: bool,
    end: Option<End>,
}

#[derive(Clone)]
enum End {
    Closed,
    Failed(Arc<str>),
}

impl End {
    fn reason(&self) -> Arc<str> {
        match self {
            Self::Closed => "it was closed".into(),
            Self::Failed(reason) => reason.clone(),
        }
    }
}

impl Queue {
    /// An empty queue.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Takes room for `bytes`, or says at once that there is none.
    pub fn reserve(&self, bytes: usize) -> Result<(), AppendError> {
        let mut state = self.state.lock();
        if let Some(end) = &state.end {
            return Err(AppendError::Stopped(end.reason()));
        }
        if state.held || state.bytes + bytes > self.bytes_max {
            let retry_after = Duration::from_millis(if state.held { 1_000 } else { 200 });
            return Err(AppendError::Busy { retry_after });
        }
        state.bytes += bytes;
        Ok(())
    }

    /// Adds a batch whose bytes were reserved.
    pub fn push(&self, waiting: Waiting) {
        let refused = {
            let mut state = self.state.lock();
            match state.end.clone() {
                None => {
                    state.waiting.push_back(waiting);
                    self.changed.notify_one();
                    return;
                }
                Some(end) => {
                    state.bytes -= waiting.bytes;
                    (waiting, end.reason())
                }
            }
        };
        let (waiting, reason) = refused;
        (waiting.done)(Err(AppendError::Stopped(reason)));
    }

    /// Waits for work and takes as many batches as fit in the bounds, at least one if there is one. None when the queue
    /// was closed and is empty, or has failed.
    pub fn take(&self, entries_max: usize, bytes_max: usize) -> Option<Work> {
        let mut state = self.state.lock();
        while state.waiting.is_empty() && !state.seal && state.end.is_none() {
            self.changed.wait(&mut state);
        }
        if matches!(state.end, Some(End::Failed(_))) {
            return None;
        }
        let (mut entries, mut bytes) = (0, 0);
        let mut taken = Vec::new();
        while let Some(next) = state.waiting.front() {
            entries += next.batch.entries.len();
            bytes += next.bytes;
            if !taken.is_empty() && (entries > entries_max || bytes > bytes_max) {
                break;
            }
            taken.extend(state.waiting.pop_front());
        }
        let work = Work { waiting: taken, seal: std::mem::take(&mut state.seal) };
        (work.seal || !work.waiting.is_empty()).then_some(work)
    }

    /// Has the writer end the open segment.
    pub fn seal(&self) {
        self.state.lock().seal = true;
        self.changed.notify_one();
    }

    /// Gives room back.
    pub fn release(&self, bytes: usize) {
        self.state.lock().bytes -= bytes;
    }

    /// Refuses new batches as busy while the packer is too far behind.
    pub fn hold(&self, held: bool) {
        self.state.lock().held = held;
    }

    /// Takes no more; what waits is still written.
    pub fn close(&self) {
        self.state.lock().end.get_or_insert(End::Closed);
        self.changed.notify_all();
    }

    /// Stops for good: whoever waits is told `reason`.
    pub fn fail(&self, reason: &str) {
        let waiting = {
            let mut state = self.state.lock();
            if !matches!(state.end, Some(End::Failed(_))) {
                state.end = Some(End::Failed(reason.into()));
            }
            state.bytes = 0;
            std::mem::take(&mut state.waiting)
        };
        self.changed.notify_all();
        for one in waiting {
            (one.done)(Err(AppendError::Stopped(reason.into())));
        }
    }

    /// Why nothing is taken any more.
    pub fn stopped(&self) -> Option<Arc<str>> {
        self.state.lock().end.as_ref().map(End::reason)
    }

    /// The fault that stopped the trail.
    pub fn failed(&self) -> Option<Arc<str>> {
        match &self.state.lock().end {
            Some(End::Failed(reason)) => Some(reason.clone()),
            _ => None,
        }
    }
}
