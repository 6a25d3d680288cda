//! From an event to the cells of a row.

use api::report::Column;
use event::{Catalogue, Event, Severity};
use serde_json::Value;

/// Fields that no event holds as such.
pub const WORKED_OUT: &[(&str, &str)] = &[
    ("action.title", "Operation"),
    ("severity.name", "Severity"),
    ("changed", "Changed"),
    ("changes", "Changes"),
    ("position", "Position"),
];

/// Where a cell comes from.
#[derive(Debug, Clone)]
enum Source {
    Field(String),
    ActionTitle,
    SeverityName,
    Changed,
    Changes,
    Position,
}

/// The columns of a report, ready to read events with.
#[derive(Debug, Clone)]
pub struct Columns(Vec<Vec<Source>>);

impl Columns {
    pub fn new(columns: &[Column]) -> Self {
        let source = |field: &str| match field {
            "action.title" => Source::ActionTitle,
            "severity.name" => Source::SeverityName,
            "changed" => Source::Changed,
            "changes" => Source::Changes,
            "position" => Source::Position,
            _ => Source::Field(event::fields::alias(field).unwrap_or(field).to_owned()),
        };
        // `a|b` is the first of them that the event has.
        Self(columns.iter().map(|column| column.field.split('|').map(source).collect()).collect())
    }

    /// One cell for each column; `Null` where the event has nothing.
    pub fn cells(&self, event: &Event<'_>, position: u64, catalogue: &Catalogue) -> Vec<Value> {
        self.0
            .iter()
            .map(|sources| {
                let mut values = sources.iter().map(|source| source.read(event, position, catalogue));
                values.find(|value| !is_empty(value)).unwrap_or(Value::Null)
            })
            .collect()
    }
}

impl Source {
    fn read(&self, event: &Event<'_>, position: u64, catalogue: &Catalogue) -> Value {
        match self {
            Self::Field(field) => many(event, field),
            Self::ActionTitle => catalogue.title(event.action()).into_owned().into(),
            Self::SeverityName => Severity::from_number(event.severity()).name().into(),
            Self::Changed => changed(event).into(),
            Self::Changes => changes(event).into_iter().map(|c| c.to_string()).collect::<Vec<_>>().join("; ").into(),
            Self::Position => position.into(),
        }
    }
}

/// The value of a field; all of them when an array stands on the way.
fn many(event: &Event<'_>, field: &str) -> Value {
    if let Some(value) = event.get(field) {
        return value.to_json();
    }
    let mut values = Vec::new();
    event.values(field, &mut |value| values.push(value.to_json()));
    match values.len() {
        0 => Value::Null,
        1 => values.swap_remove(0),
        _ => Value::Array(values),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether the event says that something is different now.
pub fn changed(event: &Event<'_>) -> bool {
    const CHANGING: &[&str] = &[
        "added",
        "activated",
        "applied",
        "approved",
        "changed",
        "created",
        "deactivated",
        "deleted",
        "disabled",
        "enabled",
        "granted",
        "imported",
        "locked",
        "moved",
        "removed",
        "renewed",
        "restored",
        "revoked",
        "rotated",
        "shared",
        "unlocked",
        "unshared",
        "updated",
    ];
    if event.outcome() == "failure" {
        return false;
    }
    if let Some(event::Value::Array(changes)) = event.get("changes") {
        return !changes.is_empty();
    }
    event.action().rsplit('.').next().is_some_and(|last| CHANGING.contains(&last))
}

/// One field that is different now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    pub field: String,
    pub old: String,
    pub new: String,
}

impl std::fmt::Display for Changed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |text: &str| if text.is_empty() { "–".to_owned() } else { text.to_owned() };
        write!(f, "{}: {} → {}", self.field, shown(&self.old), shown(&self.new))
    }
}

/// The changes an event lists.
pub fn changes(event: &Event<'_>) -> Vec<Changed> {
    let Some(event::Value::Array(items)) = event.get("changes") else { return Vec::new() };
    items
        .iter()
        .filter_map(event::Value::as_object)
        .map(|item| {
            let text = |key: &str| item.get(key).map(|value| super::cell::plain(&value.to_json())).unwrap_or_default();
            Changed { field: text("field"), old: text("old"), new: text("new") }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(event: Value, field: &str, expected: Value) {
        let entry = event.to_string();
        let event = Event::read(entry.as_bytes()).unwrap();
        let columns = Columns::new(&[Column { field: field.into(), title: "x".into() }]);
        assert_eq!(columns.cells(&event, 17, Catalogue::builtin()), [expected], "{field} of {entry}");
    }

    #[test]
    fn cells_come_from_the_event() {
        let event = json!({
            "@timestamp": "2026-11-21T14:02:11Z",
            "event": {"action": "credential.password.viewed", "severity": 50, "outcome": "success", "original": "raw"},
            "user": {"name": "ada", "roles": ["administrator", "dba"]},
            "changes": [{"field": "a", "old": "1", "new": "2"}, {"field": "b", "new": true}],
            "labels": {"port": 22},
        });
        for (field, expected) in [
            ("user.name", json!("ada")),
            ("user.roles", json!(["administrator", "dba"])),
            ("user.email", json!(null)),
            ("user.email|user.name", json!("ada")),
            ("labels.port", json!(22)),
            ("severity.name", json!("medium")),
            ("position", json!(17)),
            ("changed", json!(true)),
            ("changes", json!("a: 1 → 2; b: – → yes")),
            ("event.type", json!("credential.password.viewed")),
        ] {
            check(event.clone(), field, expected);
        }
    }

    #[test]
    fn what_changed_something_is_known_by_its_changes_or_its_name() {
        for (action, outcome, changes, expected) in [
            ("entity.updated", "success", None, true),
            ("entity.updated", "failure", None, false),
            ("entity.updated", "success", Some(json!([])), false),
            ("credential.password.viewed", "success", None, false),
            ("account.password.updated", "unknown", None, true),
        ] {
            let mut event =
                json!({"@timestamp": "2026-11-21T14:02:11Z", "event": {"action": action, "outcome": outcome}});
            if let Some(changes) = changes {
                event["changes"] = changes;
            }
            check(event, "changed", json!(expected));
        }
    }
}
