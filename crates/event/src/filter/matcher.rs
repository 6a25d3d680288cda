//! Whether a filter picks an event.

use core::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;

use super::pattern::Glob;
use super::{FieldName, Filter, Op, Scalar, Test, When};
use crate::fields::{self, Kind};
use crate::words::{fold, folds_to, is_random_id, runs};
use crate::{Event, Value};

/// A filter made ready to be asked many times: everything is folded and taken apart once.
#[derive(Debug, Clone)]
pub struct Matcher {
    node: Node,
}

/// Whether `filter` picks `event`. To ask more than once, make a [`Matcher`].
pub fn matches(filter: &Filter, event: &Event<'_>) -> bool {
    Matcher::new(filter).matches(event)
}

impl Matcher {
    /// Makes a filter ready.
    pub fn new(filter: &Filter) -> Self {
        Self { node: Node::new(filter) }
    }

    /// Whether the filter picks the event. A relative time counts from the moment at which the
    /// event came in.
    pub fn matches(&self, event: &Event<'_>) -> bool {
        self.node.matches(event)
    }
}

#[derive(Debug, Clone)]
enum Node {
    All,
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// Leaves of one name, all of one kind.
    Leaves {
        name: String,
        test: Leaf,
    },
    /// Some leaf at or below a name.
    Exists(String),
    /// Leaves of all names that match, each compared as its field is.
    Named {
        pattern: String,
        name: Glob,
        text: Leaf,
        other: Leaf,
    },
    Words(Words),
}

/// What is asked of one leaf.
#[derive(Debug, Clone)]
enum Leaf {
    Exists,
    Never,
    Whole { folded: String, number: Option<f64>, boolean: Option<bool> },
    Glob(Glob),
    WordGlob(Glob),
    AllWords(Vec<String>),
    Phrase(Vec<String>),
    Net(IpNet),
    Number { op: Op, first: f64, last: f64 },
    Time { op: Op, when: When },
}

/// What is asked of all strings together. Prose is looked at word by word, any other string as a
/// whole.
#[derive(Debug, Clone)]
enum Words {
    Never,
    /// Each part is somewhere.
    Spread(Vec<Part>),
    /// The words follow each other, or the whole is one string.
    Phrase {
        words: Leaf,
        whole: String,
    },
    /// A string fits; of prose one word, when the pattern is for words.
    Glob {
        prose: Leaf,
        whole: Glob,
    },
}

/// A part of a bare value: all its words occur in prose, or it is a string by itself.
#[derive(Debug, Clone)]
struct Part {
    words: Vec<String>,
    whole: String,
}

impl Node {
    fn new(filter: &Filter) -> Self {
        match filter {
            Filter::All => Self::All,
            Filter::And(parts) => Self::And(parts.iter().map(Self::new).collect()),
            Filter::Or(parts) => Self::Or(parts.iter().map(Self::new).collect()),
            Filter::Not(part) => Self::Not(Box::new(Self::new(part))),
            Filter::Field { field, test } => Self::field(field, test),
            Filter::Words(Test::Exists) => Self::All,
            Filter::Words(test) => Self::Words(Words::new(test)),
        }
    }

    fn field(field: &FieldName, test: &Test) -> Self {
        let name = field.as_str().to_owned();
        if field.is_wildcard() {
            let pattern = super::Pattern::from_stars(&name);
            let (text, other) = (Leaf::of_text(test), Leaf::of_whole(test));
            return Self::Named { pattern: name, name: Glob::exact(&pattern), text, other };
        }
        match (test, field.known().map(|known| known.kind)) {
            (Test::Exists, _) => Self::Exists(name),
            (test, Some(Kind::Text)) => Self::Leaves { name, test: Leaf::of_text(test) },
            (test, _) => Self::Leaves { name, test: Leaf::of_whole(test) },
        }
    }

    fn matches(&self, event: &Event<'_>) -> bool {
        match self {
            Self::All => true,
            Self::And(parts) => parts.iter().all(|part| part.matches(event)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(event)),
            Self::Not(part) => !part.matches(event),
            Self::Leaves { name, test } => {
                let mut found = false;
                event.values(name, &mut |leaf| found = found || test.holds(leaf, event));
                found
            }
            Self::Exists(name) => event.exists(name),
            Self::Named { pattern, name, text, other } => {
                let mut found = false;
                event.walk_for(pattern, &mut |path, leaf| {
                    if !found && name.matches(path) {
                        let is_text = fields::find(path).is_some_and(|field| field.kind == Kind::Text);
                        found = if is_text { text } else { other }.holds(leaf, event);
                    }
                });
                found
            }
            Self::Words(words) => words.occur(event),
        }
    }
}

impl Leaf {
    /// On a field that is compared as a whole.
    fn of_whole(test: &Test) -> Self {
        match test {
            Test::Equals(value) | Test::Phrase(value) => {
                let folded = fold(value).into_owned();
                let number = folded.parse().ok().filter(|number: &f64| number.is_finite());
                let boolean = folded.parse().ok();
                Self::Whole { folded, number, boolean }
            }
            Test::Wildcard(pattern) => Self::Glob(Glob::new(pattern)),
            test => Self::of_either(test),
        }
    }

    /// On a field that is searched by its words.
    fn of_text(test: &Test) -> Self {
        let words = |text: &str| crate::words::words(text).collect::<Vec<_>>();
        match test {
            Test::Equals(value) => Self::AllWords(words(value)),
            Test::Phrase(value) => Self::Phrase(words(value)),
            Test::Wildcard(pattern) if pattern.is_word() => Self::WordGlob(Glob::new(pattern)),
            Test::Wildcard(pattern) => Self::Glob(Glob::new(pattern)),
            test => Self::of_either(test),
        }
    }

    fn of_either(test: &Test) -> Self {
        match test {
            Test::Exists => Self::Exists,
            Test::Cidr(net) => Self::Net(net.trunc()),
            Test::Compare(op, Scalar::Date(when)) => Self::Time { op: *op, when: *when },
            Test::Compare(op, scalar) => match scalar.numbers() {
                Some((first, last)) => Self::Number { op: *op, first, last },
                None => Self::Never,
            },
            Test::Equals(_) | Test::Phrase(_) | Test::Wildcard(_) => Self::Never,
        }
    }

    fn holds(&self, leaf: &Value<'_>, event: &Event<'_>) -> bool {
        match (self, leaf) {
            (Self::Exists, _) => true,
            (Self::Whole { number, .. }, Value::Number(leaf)) => number.is_some_and(|number| number == *leaf),
            (Self::Whole { boolean, .. }, Value::Bool(leaf)) => *boolean == Some(*leaf),
            (Self::Number { op, first, last }, Value::Number(leaf)) => op.holds(leaf, first, last),
            (Self::Time { op, when }, Value::String(text)) => {
                let Ok(instant) = text.parse::<Timestamp>() else { return false };
                let (first, last) = when.instants(event.ingested_or_happened(*when));
                op.holds(&instant, &first, &last)
            }
            (test, Value::String(text)) => test.holds_text(text),
            _ => false,
        }
    }

    fn holds_text(&self, text: &str) -> bool {
        match self {
            Self::Exists => true,
            Self::Whole { folded, .. } => folds_to(text, folded),
            Self::Glob(glob) => glob.matches(&fold(text)),
            Self::WordGlob(glob) => runs(text).any(|run| glob.matches(&fold(run))),
            Self::AllWords(words) => {
                !words.is_empty() && words.iter().all(|word| runs(text).any(|run| folds_to(run, word)))
            }
            Self::Phrase(words) => has_phrase(text, words),
            Self::Net(net) => text.parse::<IpAddr>().is_ok_and(|address| net.contains(&address.to_canonical())),
            Self::Never | Self::Number { .. } | Self::Time { .. } => false,
        }
    }
}

/// Whether `words` stand next to each other in `text`.
fn has_phrase(text: &str, words: &[String]) -> bool {
    let Some((first, others)) = words.split_first() else { return false };
    let mut from = runs(text);
    while let Some(run) = from.next() {
        if folds_to(run, first) {
            let mut after = from.clone();
            if others.iter().all(|word| after.next().is_some_and(|run| folds_to(run, word))) {
                return true;
            }
        }
    }
    false
}

impl Words {
    fn new(test: &Test) -> Self {
        match test {
            Test::Equals(value) => {
                let part = |part: &str| {
                    let mut words: Vec<_> = crate::words::words(part).collect();
                    words.sort_unstable();
                    words.dedup();
                    Part { words, whole: fold(part).into_owned() }
                };
                Self::Spread(crate::words::parts(value).into_iter().map(part).collect())
            }
            Test::Phrase(value) => Self::Phrase { words: Leaf::of_text(test), whole: fold(value).into_owned() },
            Test::Wildcard(pattern) => Self::Glob { prose: Leaf::of_text(test), whole: Glob::new(pattern) },
            Test::Exists | Test::Cidr(_) | Test::Compare(..) => Self::Never,
        }
    }

    fn occur(&self, event: &Event<'_>) -> bool {
        match self {
            Self::Never => false,
            Self::Phrase { words, whole } => event.any_string(&mut |text, is_prose| match is_prose {
                true => words.holds_text(text),
                false => folds_to(text, whole),
            }),
            Self::Glob { prose, whole } => event.any_string(&mut |text, is_prose| {
                if is_prose {
                    return prose.holds_text(text);
                }
                let folded = fold(text);
                whole.matches(&folded) && !is_random_id(&folded)
            }),
            Self::Spread(parts) => {
                // Of each part the words that were not met yet.
                let mut missing: Vec<(&Part, Vec<&str>)> =
                    parts.iter().map(|part| (part, part.words.iter().map(String::as_str).collect())).collect();
                !missing.is_empty()
                    && event.any_string(&mut |text, is_prose| {
                        if !is_prose {
                            missing.retain(|(part, _)| !folds_to(text, &part.whole));
                            return missing.is_empty();
                        }
                        for run in runs(text) {
                            missing.retain_mut(|(part, words)| {
                                words.retain(|word| !folds_to(run, word));
                                part.words.is_empty() || !words.is_empty()
                            });
                            if missing.is_empty() {
                                return true;
                            }
                        }
                        false
                    })
            }
        }
    }
}
