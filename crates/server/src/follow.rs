//! Reading the trail on from a position.
//!
//! A follower keeps its position itself, in the same transaction as what it concluded. What recovers after a crash is
//! what runs on a good day: read on from there.

use bytes::Bytes;
use tokio::sync::watch;
use trail::{Trail, TrailError};

/// How much one step of a follower may read.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    pub entries_max: usize,
    pub bytes_max: usize,
}

impl Default for Step {
    fn default() -> Self {
        Self { entries_max: 4_096, bytes_max: 4 << 20 }
    }
}

/// Reads entry after entry, and waits at the end for more.
pub struct Follower {
    trail: Trail,
    growth: watch::Receiver<u64>,
    position: u64,
    step: Step,
}

impl Follower {
    pub fn new(trail: Trail, growth: watch::Receiver<u64>, position: u64, step: Step) -> Self {
        Self { trail, growth, position, step }
    }

    /// The next position that will be read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Goes on from another position.
    pub fn seek(&mut self, position: u64) {
        self.position = position;
    }

    /// The next entries; waits until there is at least one. `None` when the server goes down.
    ///
    /// Cancel-safe: the position moves only with the entries that are answered.
    pub async fn next(&mut self) -> Option<Result<Vec<(u64, Bytes)>, TrailError>> {
        loop {
            let size = *self.growth.borrow_and_update();
            if self.position < size {
                break;
            }
            self.growth.changed().await.ok()?;
        }
        let (trail, position, step) = (self.trail.clone(), self.position, self.step);
        let read =
            tokio::task::spawn_blocking(move || trail.read(position, step.entries_max, step.bytes_max)).await.ok()?;
        match read {
            Ok(entries) => {
                if let Some((last, _)) = entries.last() {
                    self.position = last + 1;
                }
                Some(Ok(entries))
            }
            Err(error) => Some(Err(error)),
        }
    }
}
