//! What a program would have made of what is in the trail already: events are read again from their records, and held
//! against what became of them. Nothing is stored.

use std::collections::BTreeMap;

use api::mappings::{DryRunChange, DryRunExample, DryRunResult};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use event::Event;
use serde_json::Value;
use wire::mapping::Mapping;

use super::trial;
use crate::append::{Door, Origin};

const EXAMPLES_MAX: usize = 10;
const CHANGES_MAX: usize = 40;
const RECORD_CHARS_MAX: usize = 2_000;
/// What the door writes by itself, and the record itself: it differs, or is the same, by nature.
const NOT_COMPARED: &[&str] = &["event.ingested", "event.mapping", "event.original", "event.original_base64"];

/// One dry run, to be told of events one by one.
pub struct DryRun<'a> {
    mapping: &'a Mapping,
    door: &'a Door,
    result: DryRunResult,
    changed_shown: usize,
    failed_shown: usize,
}

impl<'a> DryRun<'a> {
    pub fn new(mapping: &'a Mapping, door: &'a Door) -> Self {
        Self { mapping, door, result: DryRunResult::default(), changed_shown: 0, failed_shown: 0 }
    }

    pub fn events(&self) -> u64 {
        self.result.events + self.result.without_record
    }

    /// Reads an event of the trail again from its record.
    pub fn hold(&mut self, position: u64, entry: &[u8]) {
        let Ok(event) = Event::read(entry) else { return };
        let exact = event.text("event.original_base64").and_then(|text| STANDARD.decode(text).ok());
        let Some(record) = exact.or_else(|| event.text("event.original").map(|text| text.as_bytes().to_vec())) else {
            self.result.without_record += 1;
            return;
        };
        self.result.events += 1;
        let origin = Origin {
            source: event.text("event.module"),
            provider: event.text("event.provider"),
            mapping: None,
            device: event.text("event.enrolled_device"),
        };
        let received_at = event.ingested().unwrap_or_else(|| event.timestamp());
        let now = trial::of(self.mapping, self.door, origin, &record, received_at);
        let reason = now.error.or_else(|| now.skipped.map(|why| format!("left out: {why}")));
        if let Some(reason) = reason {
            self.result.failed += 1;
            if self.failed_shown < EXAMPLES_MAX {
                self.failed_shown += 1;
                self.show(position, &record, Some(reason), Vec::new());
            }
            return;
        }
        // A record may become several events: the nearest is the one that this one would be.
        let before = leaves(&event.to_json());
        let changes = now.events.iter().map(|after| difference(&before, &leaves(after))).min_by_key(Vec::len);
        match changes {
            Some(changes) if changes.is_empty() => self.result.same += 1,
            changes => {
                self.result.changed += 1;
                if self.changed_shown < EXAMPLES_MAX {
                    self.changed_shown += 1;
                    let mut changes = changes.unwrap_or_default();
                    changes.truncate(CHANGES_MAX);
                    self.show(position, &record, None, changes);
                }
            }
        }
    }

    fn show(&mut self, position: u64, record: &[u8], error: Option<String>, changes: Vec<DryRunChange>) {
        let record = String::from_utf8_lossy(record).chars().take(RECORD_CHARS_MAX).collect();
        self.result.examples.push(DryRunExample { position, record, error, changes });
    }

    pub fn finish(mut self, partial: bool) -> DryRunResult {
        self.result.partial = partial;
        self.result
    }
}

/// The values of an event by their dotted names; an array is one value.
fn leaves(event: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![(String::new(), event)];
    while let Some((name, value)) = waiting.pop() {
        match value {
            Value::Object(members) => waiting.extend(members.iter().map(|(key, value)| {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                (name, value)
            })),
            value if !NOT_COMPARED.contains(&name.as_str()) => {
                found.insert(name, value.clone());
            }
            _ => {}
        }
    }
    found
}

fn difference(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Vec<DryRunChange> {
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| DryRunChange { field: name.clone(), old: before.get(name).cloned(), new: after.get(name).cloned() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_are_compared_field_by_field() {
        let before = json!({"event": {"action": "a.b", "ingested": "1", "mapping": "x@1"}, "user": {"name": "ada"}, "tags": [1]});
        let after =
            json!({"event": {"action": "a.c", "ingested": "2", "mapping": "x@2"}, "host": {"name": "h"}, "tags": [1]});
        let changes = difference(&leaves(&before), &leaves(&after));
        let told: Vec<_> = changes.iter().map(|c| (c.field.as_str(), c.old.clone(), c.new.clone())).collect();
        assert_eq!(
            told,
            [
                ("event.action", Some(json!("a.b")), Some(json!("a.c"))),
                ("host.name", None, Some(json!("h"))),
                ("user.name", Some(json!("ada")), None),
            ]
        );
    }
}
