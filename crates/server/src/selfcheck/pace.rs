//! How a check of the whole trail leaves the machine to others.

use std::time::Duration;

/// No pause is longer, however long the work before it took.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Why a check runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is time. Nobody waits for it.
    Schedule,
    /// Somebody asked, and watches.
    Asked,
}

/// How long to rest after a piece of work (a file of the trail, some tens of milliseconds), when `arrived` events came
/// in meanwhile. A check that nobody waits for takes half of the time where nothing else goes on, and a fifth of it
/// while events come in.
pub fn pause(reason: Reason, worked: Duration, arrived: u64) -> Duration {
    let times = match (reason, arrived) {
        (Reason::Asked, 0) => 0,
        (Reason::Asked, _) | (Reason::Schedule, 0) => 1,
        (Reason::Schedule, _) => 4,
    };
    worked.saturating_mul(times).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_go_first_and_watchers_wait_less() {
        let worked = Duration::from_millis(100);
        assert_eq!(pause(Reason::Asked, worked, 0), Duration::ZERO);
        assert_eq!(pause(Reason::Asked, worked, 1), worked);
        assert_eq!(pause(Reason::Schedule, worked, 0), worked);
        assert_eq!(pause(Reason::Schedule, worked, 9), worked * 4);
        assert_eq!(pause(Reason::Schedule, worked * 1_000, 9), PAUSE_MAX);
    }
}
