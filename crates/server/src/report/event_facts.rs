//! One event as an auditor asks about it: who, from where, on what, why, with what outcome, and what else is known.

use event::{Catalogue, Event, Severity};
use jiff::Timestamp;
use trail::Proof;

use super::pdf::{Change, EventFacts, Group};
use super::plan::Seal;
use super::{cell, columns};

/// Who asks, and when.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    pub organization: &'a str,
    pub by: &'a str,
    pub at: Timestamp,
}

/// The groups, and the beginnings of the fields that belong to each.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "Who",
        &[
            "user.name",
            "user.full_name",
            "user.email",
            "user.id",
            "user.roles",
            "user.domain",
            "user.group",
            "organization.",
        ],
    ),
    ("From where", &["source.", "client.", "user_agent.", "session.", "network."]),
    (
        "On what",
        &[
            "entity.",
            "credential.",
            "host.",
            "user.target.",
            "product.",
            "certificate.",
            "process.",
            "destination.",
            "url.",
            "file.",
            "server.",
            "service.",
            "orchestrator.",
            "database.",
        ],
    ),
    ("What was done", &["operation.", "report.", "http.", "rule.", "command."]),
    ("Why", &["justification.", "access.", "event.reason", "ticket."]),
    ("Outcome", &["event.outcome", "error.", "event.duration", "event.risk_score"]),
];

/// Shown elsewhere on the page, or made by us.
const ELSEWHERE: &[&str] = &[
    "@timestamp",
    "message",
    "event.action",
    "event.original",
    "event.severity",
    "event.mapping",
    "event.category",
    "event.kind",
];

/// Gathers all there is to say about an event.
pub fn facts(
    event: &Event<'_>,
    position: u64,
    catalogue: &Catalogue,
    proof: &Proof,
    seal: &Seal,
    frame: &Frame<'_>,
) -> EventFacts {
    let mut groups: Vec<Group> = GROUPS.iter().map(|(title, _)| Group { title, fields: Vec::new() }).collect();
    let mut others = Group { title: "Also known", fields: Vec::new() };
    let mut leaves: Vec<(String, Vec<String>)> = Vec::new();
    event.walk(&mut |name, value| {
        let skipped = ELSEWHERE.contains(&name) || name == "changes" || name.starts_with("changes.");
        let text = cell::plain(&value.to_json());
        if skipped || text.is_empty() {
            return;
        }
        match leaves.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => values.push(text),
            None => leaves.push((name.to_owned(), vec![text])),
        }
    });
    leaves.sort_by_key(|(name, _)| {
        event::fields::FIELDS.iter().position(|field| field.name == name).unwrap_or(usize::MAX)
    });
    for (name, values) in leaves {
        let title = event::fields::find(&name).map_or_else(|| name.clone(), |field| field.title.to_owned());
        let kind = cell::Kind::of(&name);
        let value = cell::printed(&values.join(", ").into(), kind);
        let place =
            GROUPS.iter().position(|(_, beginnings)| beginnings.iter().any(|beginning| name.starts_with(beginning)));
        let group = place.and_then(|place| groups.get_mut(place)).unwrap_or(&mut others);
        group.fields.push((title, value, kind == cell::Kind::Code));
    }
    groups.push(others);
    let severity = event.severity();
    EventFacts {
        organization: frame.organization.to_owned(),
        position,
        title: catalogue.title(event.action()).into_owned(),
        sentence: event.text("message").map_or_else(|| catalogue.message(event), str::to_owned),
        at: event.timestamp().to_string(),
        severity: format!("{} ({severity})", capital(Severity::from_number(severity).name())),
        outcome: capital(event.outcome()),
        action: event.action().to_owned(),
        groups,
        changes: columns::changes(event)
            .into_iter()
            .map(|change| Change { field: change.field, old: change.old, new: change.new })
            .collect(),
        record: event.text("event.original").map(str::to_owned),
        mapping: event.text("event.mapping").map(str::to_owned),
        proof: super::pdf::Proof {
            leaf_hash: proof.leaf.to_string(),
            tree_size: proof.size,
            path: proof.path.iter().map(ToString::to_string).collect(),
            root: seal.checkpoint.root.to_string(),
            note: seal.checkpoint.note.clone(),
            vkey: seal.vkey.clone(),
        },
        by: frame.by.to_owned(),
        taken_at: frame.at,
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
