//! The events that say what was changed, with old and new values.

use serde_json::{Map, Value, json};

/// How a secret looks in an event, in an answer and in a log.
pub const SECRET: &str = "••••";

/// The differences of two states of one thing, field by field (nested ones dotted). The values of fields whose last
/// part is in `secrets` are hidden; that they changed is not.
pub fn diff(old: &Value, new: &Value, secrets: &[&str]) -> Vec<Value> {
    let mut changes = Vec::new();
    walk("", old, new, secrets, &mut changes);
    changes
}

fn walk(path: &str, old: &Value, new: &Value, secrets: &[&str], changes: &mut Vec<Value>) {
    if old == new {
        return;
    }
    let last = path.rsplit('.').next().unwrap_or(path);
    if !path.is_empty() && secrets.contains(&last) {
        let hide = |value: &Value| if value.is_null() { Value::Null } else { json!(SECRET) };
        changes.push(json!({"field": path, "old": hide(old), "new": hide(new)}));
        return;
    }
    let empty = Map::new();
    match (old, new) {
        (Value::Object(_) | Value::Null, Value::Object(_)) | (Value::Object(_), Value::Null) => {
            let old = old.as_object().unwrap_or(&empty);
            let new = new.as_object().unwrap_or(&empty);
            let mut names: Vec<&String> = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))).collect();
            names.sort();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let absent = Value::Null;
                walk(&path, old.get(name).unwrap_or(&absent), new.get(name).unwrap_or(&absent), secrets, changes);
            }
        }
        _ => changes.push(json!({"field": path, "old": text(old), "new": text(new)})),
    }
}

/// Values of all kinds stand side by side in one field of the index, so they are texts.
fn text(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::String(text) => json!(text),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            json!(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
        }
        other => json!(other.to_string()),
    }
}

/// What was changed: a rule, a channel, a user…
#[derive(Debug, Clone, Copy)]
pub struct Entity<'a> {
    pub kind: &'a str,
    pub id: &'a str,
    pub name: &'a str,
}

impl Entity<'_> {
    /// `entity.created` with all values as new ones.
    pub fn created(&self, new: &Value, secrets: &[&str]) -> Value {
        self.event("entity.created", diff(&Value::Null, new, secrets))
    }

    /// `entity.updated`; `None` when nothing differs.
    pub fn updated(&self, old: &Value, new: &Value, secrets: &[&str]) -> Option<Value> {
        let changes = diff(old, new, secrets);
        (!changes.is_empty()).then(|| self.event("entity.updated", changes))
    }

    /// `entity.deactivated`, which is what the catalogue calls a deletion too.
    pub fn removed(&self, old: &Value, secrets: &[&str]) -> Value {
        self.event("entity.deactivated", diff(old, &Value::Null, secrets))
    }

    /// Any event about it.
    pub fn event(&self, action: &str, changes: Vec<Value>) -> Value {
        let mut event = json!({
            "event": {"action": action, "outcome": "success"},
            "entity": {"type": self.kind, "id": self.id, "name": self.name},
        });
        if !changes.is_empty()
            && let Some(root) = event.as_object_mut()
        {
            root.insert("changes".to_owned(), Value::Array(changes));
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named_and_secrets_hidden() {
        let old = json!({"name": "a", "settings": {"url": "https://x/SECRET", "to": ["a@x", "b@x"]}, "gone": 1});
        let new = json!({"name": "a", "settings": {"url": "https://y/SECRET", "to": ["a@x"]}, "enabled": true});
        let changes = diff(&old, &new, &["url"]);
        assert_eq!(
            Value::Array(changes),
            json!([
                {"field": "enabled", "old": null, "new": "true"},
                {"field": "gone", "old": "1", "new": null},
                {"field": "settings.to", "old": "a@x, b@x", "new": "a@x"},
                {"field": "settings.url", "old": "••••", "new": "••••"},
            ])
        );
        assert!(diff(&old, &old, &[]).is_empty());
        let entity = Entity { kind: "channel", id: "1", name: "ops" };
        assert!(entity.updated(&old, &old, &[]).is_none());
        assert_eq!(entity.created(&new, &["url"])["changes"][1]["new"], "a");
        assert!(!entity.removed(&old, &["url"]).to_string().contains("SECRET"));
    }
}
