//! What was told and what was held back, for each rule and each thing it tells of.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use event::{Event, Value};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::rule::{Rule, RuleId, RuleSet};

/// How many slots are kept at most. Beyond it the ones that were used longest ago go; what they
/// held back is then told again rather than never.
pub const SLOTS_MAX: usize = 100_000;
/// How long a count that waits for its next message is kept after the last event: 90 days.
pub const HELD_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Tells one thing from another within a rule: equal when the values of its `group_by` are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 16]);

impl Fingerprint {
    /// The fingerprint of `event` under `rule`. Letter case does not count, as in filters.
    pub fn of(rule: &Rule, event: &Event<'_>) -> Self {
        let mut hash = Sha256::new();
        for field in &rule.group_by {
            add(&mut hash, b'f', field.as_bytes());
            let name = event::filter::FieldName::new(field.as_str());
            event.values(name.as_str(), &mut |value| match value {
                Value::String(text) => add(&mut hash, b's', event::words::fold(text).as_bytes()),
                other => {
                    let mut text = Vec::new();
                    event::json::write_canonical(other, &mut text);
                    add(&mut hash, b'v', &text);
                }
            });
        }
        let digest: [u8; 32] = hash.finalize().into();
        let mut short = [0; 16];
        short.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self(short)
    }
}

/// Every part goes in with its kind and length, so that no two lists of parts run together.
fn add(hash: &mut Sha256, kind: u8, part: &[u8]) {
    hash.update([kind]);
    hash.update((part.len() as u64).to_be_bytes());
    hash.update(part);
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a fingerprint of 32 hexadecimal digits")]
pub struct NotAFingerprint(String);

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let bad = || NotAFingerprint(text.to_owned());
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(bad());
        }
        u128::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes())).map_err(|_| bad())
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What is remembered of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// When it was last told.
    pub sent_at: Timestamp,
    /// The event that was told.
    pub sent_position: u64,
    /// What that message said to have been held back before it.
    pub held_before: u64,
    /// How many were held back since.
    pub held: u64,
    /// The last event that was decided on.
    pub last_position: u64,
    /// When that was.
    pub last_at: Timestamp,
}

/// A slot to be stored in place of the one of the same rule and fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryChange {
    pub rule: RuleId,
    pub fingerprint: Fingerprint,
    pub slot: Slot,
}

/// A slot that was forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evicted {
    pub rule: RuleId,
    pub fingerprint: Fingerprint,
    /// What it had held back and nobody will hear of; 0 for nearly all.
    pub held: u64,
}

/// All slots. Plain data: load it from rows of [`MemoryChange`], apply each change where it is
/// stored, in the transaction that stores the position.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    rules: HashMap<RuleId, BTreeMap<Fingerprint, Slot>>,
    len: usize,
}

impl Memory {
    /// What is remembered of a thing.
    pub fn get(&self, rule: &RuleId, fingerprint: &Fingerprint) -> Option<&Slot> {
        self.rules.get(rule)?.get(fingerprint)
    }

    /// Remembers.
    pub fn apply(&mut self, change: &MemoryChange) {
        let slots = match self.rules.get_mut(&change.rule) {
            Some(slots) => slots,
            None => self.rules.entry(change.rule.clone()).or_default(),
        };
        if slots.insert(change.fingerprint, change.slot).is_none() {
            self.len += 1;
        }
    }

    /// How many slots there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is remembered.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All slots, as rows to be stored.
    pub fn iter(&self) -> impl Iterator<Item = MemoryChange> + '_ {
        self.rules.iter().flat_map(|(rule, slots)| {
            slots.iter().map(|(fingerprint, slot)| MemoryChange {
                rule: rule.clone(),
                fingerprint: *fingerprint,
                slot: *slot,
            })
        })
    }

    /// Forgets what can't change a decision any more: slots of rules that are gone, slots whose
    /// interval is over and that hold nothing back, counts that waited longer than [`HELD_KEPT`];
    /// and, while there are more than [`SLOTS_MAX`], those that were used longest ago. Returns what
    /// to delete from the rows. Call it every few minutes, `now` being on the clock that
    /// [`decide`](crate::decide) is given.
    pub fn evict(&mut self, rules: &RuleSet, now: Timestamp) -> Vec<Evicted> {
        self.evict_to(rules, now, SLOTS_MAX)
    }

    pub(crate) fn evict_to(&mut self, rules: &RuleSet, now: Timestamp, slots_max: usize) -> Vec<Evicted> {
        let holds: HashMap<_, _> = rules.rules().map(|rule| (&rule.id, rule.hold())).collect();
        let over = |row: &MemoryChange| match holds.get(&row.rule) {
            None => true,
            Some(hold) => {
                let wait = if row.slot.held == 0 { *hold } else { (*hold).max(HELD_KEPT) };
                now.duration_since(row.slot.last_at.max(row.slot.sent_at)) >= wait
            }
        };
        let (mut gone, mut kept): (Vec<_>, Vec<_>) = self.iter().partition(over);
        if kept.len() > slots_max {
            // Those that hold nothing back go first.
            kept.sort_unstable_by_key(|row| (row.slot.held > 0, row.slot.last_at, row.fingerprint));
            gone.extend(kept.drain(..kept.len() - slots_max));
        }
        for row in &gone {
            self.remove(&row.rule, &row.fingerprint);
        }
        gone.into_iter()
            .map(|row| Evicted { rule: row.rule, fingerprint: row.fingerprint, held: row.slot.held })
            .collect()
    }

    fn remove(&mut self, rule: &RuleId, fingerprint: &Fingerprint) {
        let Some(slots) = self.rules.get_mut(rule) else { return };
        if slots.remove(fingerprint).is_some() {
            self.len -= 1;
        }
        if slots.is_empty() {
            self.rules.remove(rule);
        }
    }
}

impl FromIterator<MemoryChange> for Memory {
    fn from_iter<T: IntoIterator<Item = MemoryChange>>(rows: T) -> Self {
        let mut memory = Self::default();
        for row in rows {
            memory.apply(&row);
        }
        memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event::Object;

    fn event(fields: serde_json::Value) -> Event<'static> {
        match Value::from(fields) {
            Value::Object(fields) => Event::of(fields),
            _ => Event::of(Object::new()),
        }
    }

    #[test]
    fn a_fingerprint_is_of_the_values_in_their_places() {
        let mut rule = Rule::new("r", "r", event::Filter::All);
        rule.group_by = vec!["user.name".to_owned(), "host.name".to_owned()];
        let of = |fields: serde_json::Value| Fingerprint::of(&rule, &event(fields));
        let same = of(serde_json::json!({"user": {"name": "ada"}, "host": {"name": "h"}}));
        assert_eq!(of(serde_json::json!({"user": {"name": "ADA"}, "host": {"name": "h"}, "x": 1})), same);
        let others = [
            serde_json::json!({"user": {"name": "adah"}}),
            serde_json::json!({"host": {"name": "adah"}}),
            serde_json::json!({"user": {"name": "h"}, "host": {"name": "ada"}}),
            serde_json::json!({"user": {"name": ["ada", "h"]}}),
            serde_json::json!({"user": {"name": "ada"}, "host": {"name": ["h", ""]}}),
            serde_json::json!({}),
        ];
        let mut seen = vec![same];
        for other in others {
            let fingerprint = of(other);
            assert!(!seen.contains(&fingerprint));
            seen.push(fingerprint);
        }
        assert_eq!(same.to_string().parse(), Ok(same));
        assert!("x".repeat(32).parse::<Fingerprint>().is_err());
        assert!("+0123456789abcdef0123456789abcde".parse::<Fingerprint>().is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let rules = RuleSet::new([Rule::new("r", "r", event::Filter::All)]);
        let now = Timestamp::UNIX_EPOCH;
        let row = |n: u8, held: u64| MemoryChange {
            rule: RuleId("r".to_owned()),
            fingerprint: Fingerprint([n; 16]),
            slot: Slot {
                sent_at: now,
                sent_position: n.into(),
                held_before: 0,
                held,
                last_position: n.into(),
                last_at: now + SignedDuration::from_secs(n.into()),
            },
        };
        let mut memory: Memory = [row(1, 5), row(2, 0), row(3, 0), row(4, 0)].into_iter().collect();
        let gone = memory.evict_to(&rules, now + SignedDuration::from_secs(60), 2);
        assert_eq!(gone.iter().map(|slot| slot.fingerprint.0[0]).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(memory.len(), 2);
        // A count that waits for its message outlives the interval.
        assert_eq!(memory.evict(&rules, now + SignedDuration::from_hours(48)).len(), 1);
        assert_eq!(memory.iter().collect::<Vec<_>>(), [row(1, 5)]);
        assert_eq!(
            memory.evict(&rules, now + HELD_KEPT + SignedDuration::from_hours(1)).first().map(|slot| slot.held),
            Some(5)
        );
        assert!(memory.is_empty());
        memory.apply(&row(1, 0));
        assert_eq!(memory.evict(&RuleSet::default(), now).len(), 1);
    }

    #[test]
    fn rows_travel_as_json() {
        let change = MemoryChange {
            rule: RuleId("r".to_owned()),
            fingerprint: Fingerprint([7; 16]),
            slot: Slot {
                sent_at: Timestamp::UNIX_EPOCH,
                sent_position: 1,
                held_before: 2,
                held: 3,
                last_position: 4,
                last_at: Timestamp::UNIX_EPOCH,
            },
        };
        let json = serde_json::to_string(&change).unwrap();
        assert_eq!(serde_json::from_str::<MemoryChange>(&json).unwrap(), change);
    }
}
