//! How fast a channel may be spoken to.

use std::time::{Duration, Instant};

use api::notify::ChannelKind;

/// The least time between two messages, and how many may be under way at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    pub interval: Duration,
    pub at_once: usize,
}

/// Slack takes about one message a second, a Teams workflow four; the others say themselves when it is too much.
pub fn of(kind: ChannelKind) -> Pace {
    match kind {
        ChannelKind::Slack => Pace { interval: Duration::from_millis(1_000), at_once: 1 },
        ChannelKind::Teams => Pace { interval: Duration::from_millis(250), at_once: 2 },
        ChannelKind::Email => Pace { interval: Duration::ZERO, at_once: 4 },
        ChannelKind::Webhook => Pace { interval: Duration::ZERO, at_once: 8 },
        ChannelKind::Inbox => Pace { interval: Duration::ZERO, at_once: 1 },
    }
}

/// Keeps the pace of one channel.
#[derive(Debug)]
pub struct Turnstile {
    interval: Duration,
    next: Option<Instant>,
}

impl Turnstile {
    pub fn new(interval: Duration) -> Self {
        Self { interval, next: None }
    }

    /// How long the next message has to wait; its place is taken.
    pub fn take(&mut self, now: Instant) -> Duration {
        let at = self.next.map_or(now, |next| next.max(now));
        self.next = Some(at + self.interval);
        at.duration_since(now)
    }

    /// How long the next message would have to wait.
    pub fn peek(&self, now: Instant) -> Duration {
        self.next.map_or(Duration::ZERO, |next| next.saturating_duration_since(now))
    }

    /// The other side asked for patience: nobody passes before `until`.
    pub fn close(&mut self, until: Instant) {
        self.next = Some(self.next.map_or(until, |next| next.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_passes_in_each_interval() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut turnstile = Turnstile::new(second);
        assert_eq!(turnstile.take(start), Duration::ZERO);
        assert_eq!(turnstile.take(start), second);
        assert_eq!(turnstile.take(start), second * 2);
        assert_eq!(turnstile.take(start + second * 10), Duration::ZERO, "what was not used is not saved up");
        turnstile.close(start + second * 20);
        assert_eq!(turnstile.take(start + second * 11), second * 9);
    }
}
