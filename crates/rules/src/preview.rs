//! What a rule would have done: the live code over past events.

use std::collections::BTreeMap;

use event::{Catalogue, Event};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::decide::{Effect, Verdict, decide};
use crate::memory::Memory;
use crate::message;
use crate::rule::{ChannelId, Recipient, Rule, RuleSet};

/// What a rule would have done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// How many events the filter picked.
    pub matched: u64,
    /// How many messages would have gone out.
    pub sent: u64,
    /// How many would have been held back.
    pub held: u64,
    /// The same by time; stretches in which nothing was picked are left out.
    pub timeline: Vec<Bucket>,
    /// The first messages.
    pub first: Vec<Sample>,
}

/// A stretch of time of a [`Preview`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    pub from: Timestamp,
    pub sent: u64,
    pub held: u64,
}

/// A message that would have gone out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    pub at: Timestamp,
    pub position: u64,
    pub subject: String,
    pub text: String,
    pub held_before: u64,
}

/// Takes past events in the order of their positions.
#[derive(Debug)]
pub struct Previewer<'a> {
    rules: RuleSet,
    name: String,
    memory: Memory,
    catalogue: &'a Catalogue,
    bucket: SignedDuration,
    samples_max: usize,
    totals: (u64, u64),
    timeline: BTreeMap<i64, (u64, u64)>,
    first: Vec<Sample>,
    until_evict: u32,
}

impl<'a> Previewer<'a> {
    /// Previews `rule` as if it were switched on and told somebody. Its timeline has stretches of
    /// `bucket`, counted from 1970.
    pub fn new(mut rule: Rule, catalogue: &'a Catalogue, bucket: SignedDuration, samples_max: usize) -> Self {
        rule.enabled = true;
        if rule.recipients.is_empty() {
            rule.recipients.push(Recipient { channel: ChannelId("preview".to_owned()), to: Vec::new() });
        }
        Self {
            name: rule.name.clone(),
            rules: RuleSet::new([rule]),
            memory: Memory::default(),
            catalogue,
            bucket: bucket.max(SignedDuration::from_secs(1)),
            samples_max,
            totals: (0, 0),
            timeline: BTreeMap::new(),
            first: Vec::new(),
            until_evict: EVICT_EVERY,
        }
    }

    /// Takes the next event and returns what the rule would have done about it.
    pub fn take(&mut self, position: u64, event: &Event<'_>) -> Option<Effect> {
        self.take_at(position, event, event.ingested().unwrap_or_else(|| event.timestamp()))
    }

    /// As [`take`](Self::take), at another moment than the one at which the event came in: a past that was
    /// sent in later, all at once, is previewed as if it had been told while it happened.
    pub fn take_at(&mut self, position: u64, event: &Event<'_>, now: Timestamp) -> Option<Effect> {
        let effect = decide(&self.rules, &self.memory, position, event, now).pop()?;
        self.count(&effect, event, now);
        if let Some(change) = &effect.remember {
            self.memory.apply(change);
        }
        self.until_evict -= 1;
        if self.until_evict == 0 {
            self.until_evict = EVICT_EVERY;
            self.memory.evict(&self.rules, now);
        }
        Some(effect)
    }

    fn count(&mut self, effect: &Effect, event: &Event<'_>, now: Timestamp) {
        let stretch = now.as_second().div_euclid(self.bucket.as_secs());
        let (sent, held) = self.timeline.entry(stretch).or_default();
        match effect.verdict {
            Verdict::Send { held_before } => {
                *sent += 1;
                self.totals.0 += 1;
                if self.first.len() < self.samples_max {
                    let message = message::compose(self.catalogue, &self.name, effect.position, event, held_before);
                    let (subject, text) = (message.subject, message.text);
                    self.first.push(Sample { at: now, position: effect.position, subject, text, held_before });
                }
            }
            Verdict::Held { .. } => {
                *held += 1;
                self.totals.1 += 1;
            }
        }
    }

    /// The sum of it.
    pub fn finish(self) -> Preview {
        let seconds = self.bucket.as_secs();
        let bucket = |(stretch, (sent, held)): (i64, (u64, u64))| {
            let from = Timestamp::from_second(stretch.saturating_mul(seconds)).unwrap_or(Timestamp::MIN);
            Bucket { from, sent, held }
        };
        let (sent, held) = self.totals;
        Preview {
            matched: sent + held,
            sent,
            held,
            timeline: self.timeline.into_iter().map(bucket).collect(),
            first: self.first,
        }
    }
}

const EVICT_EVERY: u32 = 10_000;

/// What `rule` would have done about past events, by day, with its first ten messages.
pub fn preview<'e>(rule: Rule, catalogue: &Catalogue, events: impl IntoIterator<Item = (u64, Event<'e>)>) -> Preview {
    let mut previewer = Previewer::new(rule, catalogue, SignedDuration::from_hours(24), 10);
    for (position, event) in events {
        previewer.take(position, &event);
    }
    previewer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use event::Object;

    fn failure(at: Timestamp) -> Event<'static> {
        let mut fields = Object::new();
        fields.insert("@timestamp", at.to_string());
        fields.insert("event", [("action", "authentication.failed")].into_iter().collect::<Object<'_>>());
        Event::of(fields)
    }

    #[test]
    fn a_preview_is_what_the_rule_would_have_done() {
        let start: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let at = |minutes: i64| start + SignedDuration::from_mins(minutes);
        let minutes = [0, 10, 20, 70, 24 * 60 + 5];
        let events = minutes.iter().zip(7..).map(|(minutes, position)| (position, failure(at(*minutes))));
        let mut rule = Rule::new("r", "r", "event.action: authentication.*".parse().unwrap());
        rule.enabled = false;
        let preview = preview(rule, Catalogue::builtin(), events);
        assert_eq!((preview.matched, preview.sent, preview.held), (5, 3, 2));
        assert_eq!(
            preview.timeline,
            [Bucket { from: start, sent: 2, held: 2 }, Bucket { from: at(24 * 60), sent: 1, held: 0 }]
        );
        let first: Vec<_> = preview.first.iter().map(|sample| (sample.position, sample.subject.as_str())).collect();
        assert_eq!(first, [(7, "Login failed"), (10, "Login failed, and 2 more held back"), (11, "Login failed")]);
    }
}
