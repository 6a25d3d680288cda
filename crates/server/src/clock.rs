//! What time it is. Rooms ask here, so that a test can say.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

/// The time of the system, or one that stands still until it is moved.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    #[default]
    System,
    Set(Arc<Mutex<Timestamp>>),
}

impl Clock {
    /// A clock that shows `at` until [`Clock::advance`].
    pub fn set(at: Timestamp) -> Self {
        Self::Set(Arc::new(Mutex::new(at)))
    }

    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Set(at) => *at.lock(),
        }
    }

    /// Moves a clock that was set; the system's goes by itself.
    pub fn advance(&self, by: SignedDuration) {
        if let Self::Set(at) = self {
            let mut at = at.lock();
            *at = at.saturating_add(by).unwrap_or(*at);
        }
    }
}
