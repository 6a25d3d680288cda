//! From the fields that a program filled to the event that goes to admission.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use event::fields::{self, Kind};
use event::{Object, Value};

use super::functions::outcome;
use crate::value::{Heap, Val, without_nul};
use crate::{address, time};

/// The fields that a program names, as they lie in each other.
#[derive(Debug, Default)]
pub(super) struct Tree {
    root: Vec<Node>,
    /// `.skip`, `.events`, and the number of the record.
    pub skip: Option<usize>,
    pub events: Option<usize>,
    pub sequence: Option<usize>,
}

#[derive(Debug)]
struct Node {
    name: String,
    dotted: String,
    kind: Option<Kind>,
    slot: Option<usize>,
    below: Vec<Node>,
}

impl Tree {
    pub(super) fn of(fields: &[Vec<String>]) -> Self {
        let mut tree = Self::default();
        for (slot, path) in fields.iter().enumerate() {
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            match names.as_slice() {
                ["skip"] => tree.skip = Some(slot),
                ["events"] => tree.events = Some(slot),
                names => {
                    if names == ["event", "sequence"] {
                        tree.sequence = Some(slot);
                    }
                    add(&mut tree.root, names, "", slot);
                }
            }
        }
        sort(&mut tree.root);
        tree
    }

    /// The event that the fields make. `heap` holds what must be written anew.
    pub(super) fn event<'e>(&'e self, fields: &[Val<'e>], heap: &'e Heap) -> Object<'e> {
        object(&self.root, fields, heap)
    }
}

fn add(nodes: &mut Vec<Node>, names: &[&str], above: &str, slot: usize) {
    let Some((first, rest)) = names.split_first() else { return };
    let dotted = if above.is_empty() { (*first).to_owned() } else { format!("{above}.{first}") };
    let at = nodes.iter().position(|node| node.name == *first).unwrap_or_else(|| {
        let kind = fields::find(&dotted).map(|field| field.kind);
        nodes.push(Node { name: (*first).to_owned(), dotted: dotted.clone(), kind, slot: None, below: Vec::new() });
        nodes.len() - 1
    });
    let Some(node) = nodes.get_mut(at) else { return };
    if rest.is_empty() { node.slot = Some(slot) } else { add(&mut node.below, rest, &dotted, slot) }
}

fn sort(nodes: &mut [Node]) {
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    nodes.iter_mut().for_each(|node| sort(&mut node.below));
}

fn object<'e>(nodes: &'e [Node], fields: &[Val<'e>], heap: &'e Heap) -> Object<'e> {
    let mut object = Object::new();
    for node in nodes {
        let own = node.slot.and_then(|slot| fields.get(slot)).and_then(|value| fitting(*value, node, heap));
        let below = if node.below.is_empty() { Object::new() } else { self::object(&node.below, fields, heap) };
        let value = match (own, below.is_empty()) {
            (own, true) => own,
            (Some(Value::Object(mut own)), false) => {
                merge(&mut own, below);
                Some(Value::Object(own))
            }
            (_, false) => Some(Value::Object(below)),
        };
        if let Some(value) = value {
            object.insert(node.name.as_str(), value);
        }
    }
    object
}

/// Puts the members of one object over those of another.
pub(super) fn merge<'e>(into: &mut Object<'e>, from: Object<'e>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(inner)), Value::Object(more)) => merge(inner, more),
            (Some(slot), value) => *slot = value,
            (None, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// The value as the field wants it: a record may write a number where names are wanted, or a word where a number is.
/// `None`: it can't be that, and is left to the record.
fn fitting<'e>(value: Val<'e>, node: &Node, heap: &'e Heap) -> Option<Value<'e>> {
    let Some(kind) = node.kind else { return value.to_event() };
    match (kind, value) {
        (_, Val::Null | Val::Object(_)) => None,
        (_, Val::List(_))
            if ["event.action", "event.outcome", "event.severity", "@timestamp"].contains(&node.dotted.as_str()) =>
        {
            fitting(value.at(0), node, heap)
        }
        (Kind::Text, Val::List(items)) => {
            let texts: Vec<&str> = items.iter().filter_map(|item| item.says(heap)).collect();
            (!texts.is_empty()).then(|| Value::String(Cow::Owned(texts.join(", "))))
        }
        (_, Val::List(items)) => {
            let items: Vec<_> = items
                .iter()
                .filter(|item| !matches!(item, Val::List(_)))
                .filter_map(|item| fitting(*item, node, heap))
                .collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        (Kind::Keyword, value) if node.dotted == "event.action" => {
            let text = value.says(heap)?;
            if event::admit::is_action(text) {
                return Some(text.into());
            }
            super::functions::slug(text).map(|slug| Value::String(Cow::Owned(slug)))
        }
        (Kind::Keyword, value) if node.dotted == "event.outcome" => {
            let text = value.says(heap)?;
            Some(Value::from(if text == "unknown" { text } else { outcome(text).unwrap_or("unknown") }))
        }
        (Kind::Keyword | Kind::Text, Val::Text(text)) => (!text.is_empty()).then(|| Value::String(without_nul(text))),
        (Kind::Keyword | Kind::Text, scalar) => Some(Value::from(scalar.says(heap)?)),
        (Kind::Ip, scalar) => {
            let text = scalar.as_text()?;
            let found = address::read(text)?;
            Some(Value::String(Cow::Owned(found.ip.to_string())))
        }
        (Kind::Number, Val::Number(number)) => number.is_finite().then_some(Value::Number(number)),
        // A severity may be a word.
        (Kind::Number, Val::Text(text)) if node.dotted == "event.severity" => Some(text.into()),
        (Kind::Number, Val::Text(text)) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()).map(Value::Number),
        (Kind::Number, Val::Bool(_)) => None,
        (Kind::Date, Val::Number(number)) => Some(Value::String(Cow::Owned(time::from_epoch(number)?.to_string()))),
        (Kind::Date, Val::Text(text)) => Some(match is_rfc3339(text) {
            true => text.into(),
            false => Value::String(Cow::Owned(time::read(text, jiff::Timestamp::UNIX_EPOCH)?.to_string())),
        }),
        (Kind::Date, Val::Bool(_)) => None,
        (Kind::Boolean, Val::Bool(bool)) => Some(Value::Bool(bool)),
        (Kind::Boolean, Val::Text(text)) => text.parse().ok().map(Value::Bool),
        (Kind::Boolean, Val::Number(_)) => None,
    }
}

/// What `time()` writes; admission looks at it closely.
fn is_rfc3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 20 && bytes.get(10) == Some(&b'T') && bytes.last() == Some(&b'Z')
}

/// Adds the record itself, and the time of its wrapping where the program found none.
pub(super) fn complete<'e>(object: &mut Object<'e>, time: Option<jiff::Timestamp>, record: &'e [u8]) {
    if object.get("@timestamp").is_none()
        && let Some(time) = time
    {
        object.insert("@timestamp", Value::String(Cow::Owned(time.to_string())));
    }
    if !matches!(object.get("event"), Some(Value::Object(_))) {
        object.insert("event", Value::Object(Object::new()));
    }
    if let Some(Value::Object(own)) = object.get_mut("event") {
        let (original, exact) = original(record);
        own.insert("original", Value::String(original));
        if let Some(exact) = exact {
            own.insert("original_base64", Value::String(Cow::Owned(exact)));
        }
    }
}

/// The record as text, and its exact bytes in base64 where text can't hold them: what is not UTF-8, and NUL.
fn original(record: &[u8]) -> (Cow<'_, str>, Option<String>) {
    match std::str::from_utf8(record) {
        Ok(text) if memchr::memchr(0, record).is_none() => (Cow::Borrowed(text), None),
        _ => {
            let readable = crate::syslog::text_of(record);
            (Cow::Owned(without_nul(&readable).into_owned()), Some(STANDARD.encode(record)))
        }
    }
}
