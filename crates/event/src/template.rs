//! Message templates: text with the values of fields in it.
//!
//! `{user.name}` is the value of a field. `{user.name|user.email|Someone}` is the first that there
//! is, or the text at the end. What stands in `[ ]` is left out when a field in it is missing:
//! `{user.name|Someone} logged in[ from {source.ip}]`.

use crate::{Object, Value, fields};

/// A template taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field { names: Vec<String>, otherwise: Option<String> },
    Optional(Vec<Part>),
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("{0} is never closed")]
    NotClosed(char),
    #[error("{0} closes nothing")]
    NotOpened(char),
    #[error("[ within [ ]")]
    Nested,
    #[error("{{{0}}} names no field")]
    NoField(String),
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut rest = text;
        let mut parts = Vec::new();
        while let Some(at) = rest.find(['[', ']']) {
            let (before, bracket) = rest.split_at(at);
            parts.extend(plain(before)?);
            let inner = bracket.strip_prefix('[').ok_or(TemplateError::NotOpened(']'))?;
            let (inner, after) = inner.split_once(']').ok_or(TemplateError::NotClosed('['))?;
            if inner.contains('[') {
                return Err(TemplateError::Nested);
            }
            parts.push(Part::Optional(plain(inner)?));
            rest = after;
        }
        parts.extend(plain(rest)?);
        Ok(Self { parts })
    }

    /// The text for these fields. A field that is missing and has nothing in its place is a dash.
    pub(crate) fn render(&self, fields: &Object<'_>) -> String {
        let mut out = String::with_capacity(96);
        for part in &self.parts {
            match part {
                Part::Optional(parts) => {
                    let start = out.len();
                    if !parts.iter().all(|part| part.write(fields, &mut out)) {
                        out.truncate(start);
                    }
                }
                part => {
                    if !part.write(fields, &mut out) {
                        out.push('—');
                    }
                }
            }
        }
        out
    }

    /// The names of all fields in it.
    #[cfg(test)]
    pub(crate) fn fields(&self) -> Vec<&str> {
        fn names(part: &Part) -> Vec<&str> {
            match part {
                Part::Text(_) => Vec::new(),
                Part::Field { names, .. } => names.iter().map(String::as_str).collect(),
                Part::Optional(parts) => parts.iter().flat_map(names).collect(),
            }
        }
        self.parts.iter().flat_map(names).collect()
    }
}

/// Takes apart a text without brackets.
fn plain(text: &str) -> Result<Vec<Part>, TemplateError> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, brace) = rest.split_at(at);
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        let inner = brace.strip_prefix('{').ok_or(TemplateError::NotOpened('}'))?;
        let (inner, after) = inner.split_once('}').ok_or(TemplateError::NotClosed('{'))?;
        parts.push(field(inner)?);
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

fn field(inner: &str) -> Result<Part, TemplateError> {
    let mut names: Vec<String> = inner.split('|').map(str::to_owned).collect();
    let is_field = |name: &str| fields::find(name).is_some() || name.contains('.') && !name.contains(' ');
    let otherwise = names.pop_if(|last| !is_field(last));
    match names.is_empty() || !names.iter().all(|name| is_field(name)) {
        true => Err(TemplateError::NoField(inner.to_owned())),
        false => Ok(Part::Field { names, otherwise }),
    }
}

impl Part {
    /// Writes the part; false when a field in it is missing.
    fn write(&self, fields: &Object<'_>, out: &mut String) -> bool {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Field { names, otherwise } => {
                let written = names.iter().any(|name| fields.at(name).is_some_and(|value| write_value(value, out)));
                match otherwise {
                    Some(otherwise) if !written => out.push_str(otherwise),
                    _ => return written,
                }
            }
            Self::Optional(parts) => return parts.iter().all(|part| part.write(fields, out)),
        }
        true
    }
}

/// Writes a value as people read it; false when there is nothing to read.
fn write_value(value: &Value<'_>, out: &mut String) -> bool {
    match value {
        Value::Null | Value::Object(_) => false,
        Value::String(text) => {
            out.push_str(text);
            !text.is_empty()
        }
        Value::Bool(_) | Value::Number(_) => {
            let mut text = Vec::new();
            crate::json::write_canonical(value, &mut text);
            out.push_str(&String::from_utf8_lossy(&text));
            true
        }
        Value::Array(items) => {
            let start = out.len();
            for item in items {
                let before = out.len();
                if before > start {
                    out.push_str(", ");
                }
                if !write_value(item, out) {
                    out.truncate(before);
                }
            }
            out.len() > start
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled() {
        let check = |template: &str, event: &str, expected: &str| {
            let value = Value::from(serde_json::from_str::<serde_json::Value>(event).unwrap());
            let rendered = Template::parse(template).unwrap().render(value.as_object().unwrap());
            assert_eq!(rendered, expected, "{template} {event}");
        };
        check("plain", "{}", "plain");
        check("{user.name} came", r#"{"user":{"name":"Ada"}}"#, "Ada came");
        check("{user.name} came", "{}", "— came");
        check("{user.name|Someone} came", "{}", "Someone came");
        check("{user.name|user.email|Someone} came", r#"{"user":{"email":"a@b"}}"#, "a@b came");
        check("{user.name|user.email}", r#"{"user":{"name":"","email":"a@b"}}"#, "a@b");
        check("in[ from {source.ip}][, {user.roles}].", r#"{"user":{"roles":["a","b"]}}"#, "in, a, b.");
        check("try {operation.attempt}", r#"{"operation":{"attempt":3}}"#, "try 3");
        check("[{user.roles}]", r#"{"user":{"roles":[]}}"#, "");
    }

    #[test]
    fn a_broken_template_is_refused() {
        let check = |template: &str, expected: &str| {
            assert_eq!(Template::parse(template).unwrap_err().to_string(), expected, "{template}");
        };
        check("a[b", "[ is never closed");
        check("a]b", "] closes nothing");
        check("[a[b]]", "[ within [ ]");
        check("{user.name", "{ is never closed");
        check("a}", "} closes nothing");
        check("{}", "{} names no field");
        check("{somebody}", "{somebody} names no field");
    }
}
