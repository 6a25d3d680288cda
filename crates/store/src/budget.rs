//! How long a read may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::error::StoreError;

/// What a read may cost. The default has no bounds but those of memory.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    /// When to stop and hand over what was found.
    pub deadline: Option<Instant>,
    /// Set to true by whoever no longer wants the answer.
    pub cancel: Option<Arc<AtomicBool>>,
}

/// Why an answer is not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The deadline passed.
    Deadline,
    /// Nobody wants the answer any more.
    Cancelled,
}

/// Why a read came to its end early.
#[derive(Debug)]
pub(crate) enum Halt {
    Stopped(Stopped),
    Failed(StoreError),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl Halt {
    /// An early end is no failure: what was found so far counts.
    pub(crate) fn or_fail(self) -> Result<Stopped, StoreError> {
        match self {
            Self::Stopped(stopped) => Ok(stopped),
            Self::Failed(error) => Err(error),
        }
    }
}

impl Budget {
    /// Whether to go on.
    pub(crate) fn check(&self) -> Result<(), Halt> {
        if self.cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed)) {
            return Err(Halt::Stopped(Stopped::Cancelled));
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Halt::Stopped(Stopped::Deadline));
        }
        Ok(())
    }
}
