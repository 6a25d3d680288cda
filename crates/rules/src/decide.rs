//! The decision.

use event::Event;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::memory::{Fingerprint, Memory, MemoryChange, Slot};
use crate::rule::{Recipient, Rule, RuleId, RuleSet};

/// What is to be done about one event under one rule, and what to remember of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    pub rule: RuleId,
    /// The event.
    pub position: u64,
    pub verdict: Verdict,
    /// The thing it tells of.
    pub fingerprint: Fingerprint,
    /// Whom to tell; empty when it is held back.
    pub recipients: Vec<Recipient>,
    /// To be stored in the transaction that stores the position, and applied to the memory before
    /// the next event is decided on. None when this event was decided on before.
    pub remember: Option<MemoryChange>,
}

/// Whether a message goes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// It goes out, and says how many were held back since the one before.
    Send { held_before: u64 },
    /// It does not.
    Held { why: Why },
}

/// Why a message was held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Why {
    /// The same thing was told with the event at `position`; from `next` on it is told again.
    SentLately { position: u64, next: Timestamp },
    /// The rule is switched off. Only [`explain`] says so.
    Disabled,
    /// The rule has no recipients.
    NoRecipients,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SentLately { position, next } => {
                write!(f, "the same was sent with event {position}; from {next} on it is sent again")
            }
            Self::Disabled => f.write_str("the rule is switched off"),
            Self::NoRecipients => f.write_str("the rule tells nobody"),
        }
    }
}

/// Says what to do about `event`, in the order of the rules. Depends on its arguments alone.
///
/// `now` is the time at which the event came in (`event.ingested`), live as well as in a preview:
/// then a follower that is late, or that reads on after a crash, decides as it would have in time.
/// Events come in the order of their positions. One that `memory` has seen already gets the verdict
/// it got, and changes nothing.
pub fn decide(rules: &RuleSet, memory: &Memory, position: u64, event: &Event<'_>, now: Timestamp) -> Vec<Effect> {
    let enabled = rules.matching(event).filter(|rule| rule.enabled);
    enabled.filter_map(|rule| judge(rule, memory, position, event, now)).collect()
}

/// What every rule that picks `event` says about it, those that are switched off included. Nothing
/// of it is to be carried out.
pub fn explain(rules: &RuleSet, memory: &Memory, position: u64, event: &Event<'_>, now: Timestamp) -> Vec<Effect> {
    let explained = rules.matching(event).filter_map(|rule| match rule.enabled {
        true => judge(rule, memory, position, event, now),
        false => Some(held(rule, position, Fingerprint::of(rule, event), Why::Disabled)),
    });
    explained.map(|effect| Effect { remember: None, ..effect }).collect()
}

fn judge(rule: &Rule, memory: &Memory, position: u64, event: &Event<'_>, now: Timestamp) -> Option<Effect> {
    let fingerprint = Fingerprint::of(rule, event);
    if rule.recipients.is_empty() {
        return Some(held(rule, position, fingerprint, Why::NoRecipients));
    }
    let slot = memory.get(&rule.id, &fingerprint);
    if let Some(slot) = slot.filter(|slot| position <= slot.last_position) {
        return again(rule, position, fingerprint, slot);
    }
    let (verdict, slot) = match slot {
        Some(slot) if holds(rule, slot, now) => {
            let slot = Slot { held: slot.held + 1, last_position: position, last_at: now, ..*slot };
            (Verdict::Held { why: sent_lately(rule, &slot) }, slot)
        }
        before => {
            let held_before = before.map_or(0, |slot| slot.held);
            let slot = Slot {
                sent_at: now,
                sent_position: position,
                held_before,
                held: 0,
                last_position: position,
                last_at: now,
            };
            (Verdict::Send { held_before }, slot)
        }
    };
    let recipients = match verdict {
        Verdict::Send { .. } => rule.recipients.clone(),
        Verdict::Held { .. } => Vec::new(),
    };
    let remember = Some(MemoryChange { rule: rule.id.clone(), fingerprint, slot });
    Some(Effect { rule: rule.id.clone(), position, verdict, fingerprint, recipients, remember })
}

/// Whether the interval since the last message is still running. The whole duration counts, not its
/// seconds within the day. Of a clock that went back by more than the interval it lets go, so that
/// nobody waits for the old time to come again.
fn holds(rule: &Rule, slot: &Slot, now: Timestamp) -> bool {
    now.duration_since(slot.sent_at).abs() < rule.hold()
}

/// An event that was decided on before: the same verdict, and nothing to remember. Of one before
/// the last message nothing is known any more; its verdict was carried out long ago.
fn again(rule: &Rule, position: u64, fingerprint: Fingerprint, slot: &Slot) -> Option<Effect> {
    match position.cmp(&slot.sent_position) {
        std::cmp::Ordering::Less => None,
        std::cmp::Ordering::Equal => Some(Effect {
            rule: rule.id.clone(),
            position,
            verdict: Verdict::Send { held_before: slot.held_before },
            fingerprint,
            recipients: rule.recipients.clone(),
            remember: None,
        }),
        std::cmp::Ordering::Greater => Some(held(rule, position, fingerprint, sent_lately(rule, slot))),
    }
}

fn held(rule: &Rule, position: u64, fingerprint: Fingerprint, why: Why) -> Effect {
    let verdict = Verdict::Held { why };
    Effect { rule: rule.id.clone(), position, verdict, fingerprint, recipients: Vec::new(), remember: None }
}

fn sent_lately(rule: &Rule, slot: &Slot) -> Why {
    let next = slot.sent_at.checked_add(rule.hold()).unwrap_or(Timestamp::MAX);
    Why::SentLately { position: slot.sent_position, next }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::ChannelId;
    use event::Object;

    #[test]
    fn a_rule_that_is_off_or_tells_nobody_says_so() {
        let mut off = Rule::new("off", "off", event::Filter::All);
        off.recipients.push(Recipient { channel: ChannelId("c".to_owned()), to: Vec::new() });
        let mut on = off.clone();
        on.id = RuleId("on".to_owned());
        off.enabled = false;
        let rules = RuleSet::new([off, on, Rule::new("nobody", "nobody", event::Filter::All)]);
        let event = Event::of(Object::new());
        let verdicts = |effects: Vec<Effect>| {
            effects.into_iter().map(|effect| (effect.rule.0, effect.verdict)).collect::<Vec<_>>()
        };
        let nobody = ("nobody".to_owned(), Verdict::Held { why: Why::NoRecipients });
        let sent = ("on".to_owned(), Verdict::Send { held_before: 0 });
        let memory = Memory::default();
        assert_eq!(verdicts(decide(&rules, &memory, 0, &event, Timestamp::UNIX_EPOCH)), [sent.clone(), nobody.clone()]);
        assert_eq!(
            verdicts(explain(&rules, &memory, 0, &event, Timestamp::UNIX_EPOCH)),
            [("off".to_owned(), Verdict::Held { why: Why::Disabled }), sent, nobody]
        );
    }

    #[test]
    fn verdicts_are_data() {
        let json = |verdict: &Verdict| serde_json::to_string(verdict).unwrap();
        let held = Verdict::Held { why: Why::SentLately { position: 4, next: Timestamp::UNIX_EPOCH } };
        assert_eq!(json(&Verdict::Send { held_before: 2 }), r#"{"verdict":"send","held_before":2}"#);
        assert_eq!(
            json(&held),
            r#"{"verdict":"held","why":{"kind":"sent_lately","position":4,"next":"1970-01-01T00:00:00Z"}}"#
        );
        assert_eq!(serde_json::from_str::<Verdict>(&json(&held)).unwrap(), held);
    }
}
