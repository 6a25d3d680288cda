//! What a cell holds and how it reads.

use serde_json::Value;

/// What kind of values a column holds, as far as it matters for its looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Code,
    Number,
    Time,
}

impl Kind {
    /// By the field's name.
    pub fn of(field: &str) -> Self {
        // Of `a|b` the first says what the column is for.
        let field = field.split('|').next().unwrap_or(field);
        match field {
            "@timestamp"
            | "event.ingested"
            | "operation.scheduled_at"
            | "operation.executed_at"
            | "operation.last_attempt_at"
            | "certificate.not_after"
            | "event.start"
            | "event.end" => Self::Time,
            "position" | "event.severity" | "operation.attempt" | "event.duration" | "source.port" => Self::Number,
            "source.ip" | "host.ip" | "process.command_line" | "event.original" | "event.action" => Self::Code,
            _ if field.ends_with(".id") || field.ends_with("_id") || field.ends_with(".hash") => Self::Code,
            _ => Self::Text,
        }
    }
}

/// A cell as plain text: what CSV holds.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(plain).collect::<Vec<_>>().join(", ")
        }
        Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// A cell as it is printed: times in UTC as people write them, nothing shown as a dash.
pub fn printed(value: &Value, kind: Kind) -> String {
    let text = plain(value);
    if text.is_empty() {
        return "–".to_owned();
    }
    if kind == Kind::Time
        && let Ok(at) = text.parse::<jiff::Timestamp>()
    {
        let format = if at.subsec_nanosecond() == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S%.3f" };
        return at.strftime(format).to_string();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_column_of_two_fields_looks_as_the_first() {
        assert_eq!(Kind::of("operation.executed_at|@timestamp"), Kind::Time);
        assert_eq!(Kind::of("host.name|entity.id"), Kind::Text);
    }

    #[test]
    fn cells_read_as_people_write() {
        for (value, kind, expected) in [
            (json!(null), Kind::Text, "–"),
            (json!(""), Kind::Text, "–"),
            (json!(true), Kind::Text, "yes"),
            (json!(["a", "b"]), Kind::Text, "a, b"),
            (json!([{"field": "x"}]), Kind::Text, r#"[{"field":"x"}]"#),
            (json!(73), Kind::Number, "73"),
            (json!("2026-11-21T14:02:11Z"), Kind::Time, "2026-11-21 14:02:11"),
            (json!("2026-11-21T14:02:11.112345678Z"), Kind::Time, "2026-11-21 14:02:11.112"),
            (json!("yesterday"), Kind::Time, "yesterday"),
        ] {
            assert_eq!(printed(&value, kind), expected);
        }
    }
}
