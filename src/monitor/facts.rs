//! What the monitor has to say, as a line, as JSON, as variables, as gauges.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::folder::Kept;

/// How the trail is, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Fine,
    Stalled,
    Unreachable,
    Wrong,
}

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// Two signed checkpoints contradict each other.
    Forked,
    /// A signed checkpoint of fewer entries than there were.
    Shrunk,
    /// The checkpoint is not signed with the key.
    Unsigned,
    /// The hash tiles do not lead to the signed root.
    Tiles,
    /// The entries do not fit the signed root.
    Entries,
}

impl State {
    const ALL: [Self; 4] = [Self::Fine, Self::Stalled, Self::Unreachable, Self::Wrong];

    pub fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Stalled => "stalled",
            Self::Unreachable => "unreachable",
            Self::Wrong => "wrong",
        }
    }
}

impl Fault {
    pub fn name(self) -> &'static str {
        match self {
            Self::Forked => "forked",
            Self::Shrunk => "shrunk",
            Self::Unsigned => "unsigned",
            Self::Tiles => "tiles",
            Self::Entries => "entries",
        }
    }
}

/// The state that a [`Kept::standing`] begins with.
pub fn state_of(standing: &str) -> Option<State> {
    let name = standing.split(' ').next()?;
    State::ALL.into_iter().find(|state| state.name() == name)
}

/// One line for a log.
pub fn line(kept: &Kept, now: Timestamp) -> String {
    let mut text = format!("{now:.0}  {}", kept.state.name());
    if let Some(fault) = kept.fault {
        let _ = write!(text, " ({})", fault.name());
    }
    let _ = write!(text, "  {}  {} entries", kept.origin(), kept.size());
    if !kept.what.is_empty() {
        let _ = write!(text, "  {}", kept.what);
    }
    if let Some(evidence) = kept.evidence.as_ref().filter(|_| kept.state == State::Wrong) {
        let _ = write!(text, "  (kept in {})", evidence.display());
    }
    text
}

/// The facts by name, for people's programs.
pub fn facts(kept: &Kept) -> Vec<(&'static str, String)> {
    let evidence = kept.evidence.as_ref().map(|path| path.display().to_string());
    vec![
        ("state", kept.state.name().to_owned()),
        ("before", kept.before.map_or("", State::name).to_owned()),
        ("fault", kept.fault.map_or("", Fault::name).to_owned()),
        ("what", kept.what.clone()),
        ("origin", kept.origin().to_owned()),
        ("prefix", kept.prefix.clone()),
        ("size", kept.size().to_string()),
        ("since", kept.since.to_string()),
        ("evidence", evidence.unwrap_or_default()),
    ]
}

/// The body of the webhook.
pub fn body(kept: &Kept) -> Value {
    let data: serde_json::Map<String, Value> = facts(kept)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), if name == "size" { json!(kept.size()) } else { json!(value) }))
        .collect();
    let kind = kept.fault.map_or_else(|| kept.state.name(), Fault::name);
    json!({ "type": format!("trail.monitor.{kind}"), "timestamp": kept.since.to_string(), "data": data })
}

/// Gauges in the text format of Prometheus.
pub fn metrics(kept: &Kept, now: Timestamp) -> String {
    let mut text = String::new();
    let origin = kept.origin().replace('\\', "\\\\").replace('"', "\\\"");
    let mut gauge = |name: &str, help: &str, values: &[(String, f64)]| {
        let _ = write!(text, "# HELP belfry_monitor_{name} {help}\n# TYPE belfry_monitor_{name} gauge\n");
        for (labels, value) in values {
            let _ = writeln!(text, "belfry_monitor_{name}{{origin=\"{origin}\"{labels}}} {value}");
        }
    };
    let one = |value: f64| [(String::new(), value)];
    let states =
        State::ALL.map(|state| (format!(",state=\"{}\"", state.name()), f64::from(u8::from(kept.state == state))));
    gauge("state", "1 for the state the trail is in.", &states);
    gauge("entries", "Entries of the last verified checkpoint.", &one(kept.size() as f64));
    gauge("contradictions", "Contradictions that were found and kept.", &one(kept.contradictions as f64));
    gauge("checked_at_seconds", "When the last check ended.", &one(now.as_second() as f64));
    gauge("grew_at_seconds", "When the trail was last seen to grow.", &one(kept.grew_at.as_second() as f64));
    text
}
