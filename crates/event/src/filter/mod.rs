//! The filter language: KQL as in Kibana, with the departures of docs/filter-language.md. One
//! parser, one tree, and two readers that must agree: [`Matcher`] for a single event, and the
//! query of the store.
//!
//! # What a filter means
//!
//! Letter case never counts: both sides of every comparison of text are [folded](crate::words::fold).
//!
//! - [`Filter::Field`] looks at the *leaves* of the event named by `field` ([`Event::walk`]): strings,
//!   numbers and booleans at exactly that dotted path, where arrays on the way or at the end stand
//!   for each of their elements. Nulls, empty arrays and empty objects are no leaves. A name with `*`
//!   stands for all paths it matches, `*` matching dots as well, and every leaf is compared as its
//!   own field is. One fitting leaf is enough. Letter case counts in names.
//! - A name that begins with `native.` looks at the product's own fields as well, decoded from the
//!   record ([`crate::native`]). Nothing else looks at those.
//! - [`Test::Exists`]: there is a leaf at the path *or below it* (`user: *`).
//! - On a [text field](crate::fields::Kind::Text): [`Test::Equals`] wants every word of the value
//!   among the words of the leaf; [`Test::Phrase`] wants them next to each other, in order;
//!   [`Test::Wildcard`] wants some word of the leaf to match when the pattern
//!   [is of letters and digits only](Pattern::is_word), else the whole leaf.
//! - On an ip field, or any leaf: [`Test::Cidr`] holds for a string that is an address within.
//! - On every other field: [`Test::Equals`] and [`Test::Phrase`] compare the whole string; a number
//!   leaf is equal when the value reads as the same number; a boolean when it reads `true` or
//!   `false`. [`Test::Wildcard`] matches the whole string, and never numbers or booleans.
//! - [`Test::Compare`] with a number or severity holds for number leaves only; with a time for
//!   string leaves only that are an RFC 3339 time.
//! - [`Filter::Words`] looks at all string leaves of the event, `event.original` included, but not
//!   at `@timestamp` and `event.ingested`.
//!   [`Test::Equals`]: each of its words occurs in one of them (not all in the same one).
//!   [`Test::Phrase`]: its words stand next to each other in one of them. [`Test::Wildcard`]: some
//!   word matches when the pattern is of letters and digits only, else some whole string does.
//!   [`Test::Cidr`], [`Test::Compare`]: never. [`Test::Exists`]: always.
//! - A value without any word (`--`) is found in no text.

mod date;
mod literal;
mod matcher;
mod parse;
mod pattern;
mod print;
mod value;

use std::borrow::Cow;

use ipnet::IpNet;
use jiff::Timestamp;

pub use date::{Unit, When};
pub use matcher::{Matcher, matches};
pub use parse::{BYTES_MAX, DEPTH_MAX, FilterError, parse};
pub use pattern::{Glob, Pattern, Piece};

#[cfg(doc)]
use crate::Event;
use crate::Severity;

/// A condition on events. See the [module](self) for what each part means.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Filter {
    /// Every event.
    #[default]
    All,
    /// All of them; of none: every event.
    And(Vec<Filter>),
    /// One of them; of none: no event.
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Field {
        field: FieldName,
        test: Test,
    },
    /// A bare value, looked for in the whole event.
    Words(Test),
}

/// A dotted field name, which may hold `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldName(String);

/// What is asked of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    Exists,
    Equals(String),
    Wildcard(Pattern),
    /// Words next to each other, in order.
    Phrase(String),
    /// A network; a single address is a network of full length.
    Cidr(IpNet),
    Compare(Op, Scalar),
}

/// How a number or a time is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    Eq,
    Gt,
    Ge,
    Lt,
    Le,
}

/// What a number or a time is compared with. A severity and a day are stretches: `=` means within,
/// `>` after the last, `>=` from the first on, `<` before the first, `<=` up to the last.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    Number(f64),
    Severity(Severity),
    Date(When),
}

impl Scalar {
    /// The first and the last number that are equal to it.
    pub fn numbers(&self) -> Option<(f64, f64)> {
        match self {
            Self::Number(number) => Some((*number, *number)),
            Self::Severity(severity) => {
                let (first, last) = severity.band();
                Some((first.into(), last.into()))
            }
            Self::Date(_) => None,
        }
    }

    /// The first and the last instant that are equal to it.
    pub fn instants(&self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        match self {
            Self::Date(when) => Some(when.instants(now)),
            Self::Number(_) | Self::Severity(_) => None,
        }
    }
}

impl Op {
    /// Whether `value` stands to the stretch `first..=last` as the operator says.
    pub fn holds<T: PartialOrd>(self, value: &T, first: &T, last: &T) -> bool {
        match self {
            Self::Eq => first <= value && value <= last,
            Self::Gt => value > last,
            Self::Ge => value >= first,
            Self::Lt => value < first,
            Self::Le => value <= last,
        }
    }

    /// As it is written in a filter.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Eq => ":",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Lt => "<",
            Self::Le => "<=",
        }
    }
}

impl FieldName {
    /// The field of that name; an alias (`event.type`) becomes the name it stands for.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        match crate::fields::alias(&name) {
            Some(stands_for) => Self(stands_for.to_owned()),
            None => Self(name),
        }
    }

    /// The dotted name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for more than one field.
    pub fn is_wildcard(&self) -> bool {
        self.0.contains('*')
    }

    /// What is known of the field; nothing for a wildcard or a field outside the set.
    pub fn known(&self) -> Option<&'static crate::fields::Field> {
        crate::fields::find(&self.0)
    }
}

impl std::fmt::Display for FieldName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Filter {
    /// A test of one field.
    pub fn field(name: impl Into<String>, test: Test) -> Self {
        Self::Field { field: FieldName::new(name), test }
    }

    /// Whole value, letter case aside.
    pub fn equals(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::field(name, Test::Equals(value.into()))
    }

    /// Both: this and the other.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, filter) | (filter, Self::All) => filter,
            (Self::And(mut a), Self::And(b)) => {
                a.extend(b);
                Self::And(a)
            }
            (Self::And(mut a), b) => {
                a.push(b);
                Self::And(a)
            }
            (a, Self::And(mut b)) => {
                b.insert(0, a);
                Self::And(b)
            }
            (a, b) => Self::And(vec![a, b]),
        }
    }

    /// Every field that is named, each once, in the order of the names.
    pub fn fields(&self) -> std::collections::BTreeSet<&FieldName> {
        let mut names = std::collections::BTreeSet::new();
        self.visit(&mut |filter| {
            if let Self::Field { field, .. } = filter {
                names.insert(field);
            }
        });
        names
    }

    /// The values of `event.action` outside of which the filter picks nothing, folded, sorted, each
    /// once; none when it may pick events of any action. A filter that can't pick anything has an
    /// empty list.
    pub fn required_actions(&self) -> Option<Vec<String>> {
        let mut actions = match self {
            Self::Field { field, test: Test::Equals(value) | Test::Phrase(value) }
                if field.as_str() == "event.action" =>
            {
                vec![crate::words::fold(value).into_owned()]
            }
            Self::And(parts) => parts.iter().filter_map(Self::required_actions).min_by_key(Vec::len)?,
            Self::Or(parts) => {
                let parts: Option<Vec<_>> = parts.iter().map(Self::required_actions).collect();
                parts?.concat()
            }
            Self::All | Self::Not(_) | Self::Field { .. } | Self::Words(_) => return None,
        };
        actions.sort_unstable();
        actions.dedup();
        Some(actions)
    }

    /// The same filter with every relative time (`now-7d`) fixed at `now`. A search does this once,
    /// so that all of its pages mean the same stretch. A rule does not: its matcher takes the moment
    /// the event came in.
    pub fn at(&self, now: Timestamp) -> Cow<'_, Self> {
        let mut relative = false;
        self.visit(&mut |filter| {
            if let Self::Field { test: Test::Compare(_, Scalar::Date(when)), .. } = filter {
                relative |= when.is_relative();
            }
        });
        if relative { Cow::Owned(self.fixed(now)) } else { Cow::Borrowed(self) }
    }

    fn fixed(&self, now: Timestamp) -> Self {
        match self {
            Self::And(parts) => Self::And(parts.iter().map(|part| part.fixed(now)).collect()),
            Self::Or(parts) => Self::Or(parts.iter().map(|part| part.fixed(now)).collect()),
            Self::Not(part) => Self::Not(Box::new(part.fixed(now))),
            Self::Field { field, test: Test::Compare(op, Scalar::Date(when)) } => {
                Self::Field { field: field.clone(), test: Test::Compare(*op, Scalar::Date(when.fixed(now))) }
            }
            Self::All | Self::Field { .. } | Self::Words(_) => self.clone(),
        }
    }

    fn visit<'a>(&'a self, f: &mut dyn FnMut(&'a Self)) {
        f(self);
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.visit(f)),
            Self::Not(part) => part.visit(f),
            Self::All | Self::Field { .. } | Self::Words(_) => {}
        }
    }
}

impl std::str::FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        parse(text)
    }
}

impl serde::Serialize for Filter {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str(""),
            filter => serializer.collect_str(filter),
        }
    }
}

impl<'de> serde::Deserialize<'de> for Filter {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
