//! When a message that was not taken is tried again.

use std::time::Duration;

const SECOND: u64 = 1;
const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;

/// The pauses after the first try, the second one, and so on: those of Standard Webhooks, for all channels.
pub const PAUSES: [Duration; 9] = [
    Duration::from_secs(5 * SECOND),
    Duration::from_secs(5 * MINUTE),
    Duration::from_secs(30 * MINUTE),
    Duration::from_secs(2 * HOUR),
    Duration::from_secs(5 * HOUR),
    Duration::from_secs(10 * HOUR),
    Duration::from_secs(14 * HOUR),
    Duration::from_secs(20 * HOUR),
    Duration::from_secs(24 * HOUR),
];
/// All tries of one message, those that only waited for the other side's patience included.
const TRIES_MAX: u32 = 200;
const PATIENCE_MIN: Duration = Duration::from_secs(1);

/// What comes after a try that failed for the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// `counts` is false where the other side only asked for patience.
    Pause { pause: Duration, counts: bool },
    /// That was the last try.
    GiveUp,
}

/// Says what comes next. `used` counts the tries of the plan before this one, `tries` all of them;
/// `jitter` in 0..1 spreads those that failed together over a tenth of the pause.
pub fn after(pauses: &[Duration], used: u32, tries: u32, retry_after: Option<Duration>, jitter: f64) -> After {
    if tries + 1 >= TRIES_MAX {
        return After::GiveUp;
    }
    if let Some(patience) = retry_after {
        return After::Pause { pause: spread(patience.max(PATIENCE_MIN), jitter), counts: false };
    }
    match pauses.get(used as usize) {
        Some(pause) => After::Pause { pause: spread(*pause, jitter), counts: true },
        None => After::GiveUp,
    }
}

fn spread(pause: Duration, jitter: f64) -> Duration {
    pause.mul_f64(1.0 + 0.1 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_tries_over_three_days_and_then_no_more() {
        let mut whole = Duration::ZERO;
        for used in 0..9 {
            let After::Pause { pause, counts: true } = after(&PAUSES, used, used, None, 0.0) else { panic!("{used}") };
            whole += pause;
        }
        assert_eq!(after(&PAUSES, 9, 9, None, 0.0), After::GiveUp);
        assert_eq!(whole.as_secs() / HOUR, 75);
    }

    #[test]
    fn patience_is_kept_and_does_not_count() {
        let asked = Some(Duration::from_secs(120));
        assert_eq!(after(&PAUSES, 9, 20, asked, 0.0), After::Pause { pause: Duration::from_secs(120), counts: false });
        assert_eq!(
            after(&PAUSES, 0, 0, Some(Duration::ZERO), 0.0),
            After::Pause { pause: PATIENCE_MIN, counts: false }
        );
        assert_eq!(after(&PAUSES, 0, TRIES_MAX, asked, 0.0), After::GiveUp, "not for ever");
    }

    #[test]
    fn jitter_only_ever_adds() {
        let pause = |jitter| match after(&PAUSES, 1, 1, None, jitter) {
            After::Pause { pause, .. } => pause,
            After::GiveUp => panic!(),
        };
        assert_eq!((pause(0.0).as_secs(), pause(1.0).as_secs()), (300, 330));
    }
}
