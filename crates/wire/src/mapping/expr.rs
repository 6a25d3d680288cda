//! A program, and how it is carried out: it reads the record, computes, and fills the fields of the event. There are no
//! loops; it takes as many steps as it has words, and more where it looks at long texts.

use std::collections::HashMap;
use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};

use super::functions::{Function, Usual};
use crate::decode::groups;
use crate::value::{Heap, Val};

/// What is known while a program runs.
pub(super) struct Env<'e> {
    pub heap: &'e Heap,
    /// Those that are written down for every record; the others are [`SELDOM`].
    pub inputs: [Val<'e>; SELDOM],
    pub peer: Option<std::net::IpAddr>,
    pub received_at: jiff::Timestamp,
}

impl<'e> Env<'e> {
    fn input(&self, place: usize) -> Val<'e> {
        match place {
            PEER => self.peer.map_or(Val::Null, |peer| Val::Text(self.heap.text(&peer.to_string()))),
            RECEIVED_AT => Val::Text(self.heap.text(&self.received_at.to_string())),
            place => self.inputs.get(place).copied().unwrap_or_default(),
        }
    }
}

/// What a program can read: its place in [`Env::inputs`].
pub(super) const INPUT_NAMES: [&str; INPUTS] = ["native", "outer", "syslog", "hec", "decoder", "peer", "received_at"];
const INPUTS: usize = 7;
/// From here on inputs are written when a program asks for them.
pub(super) const SELDOM: usize = 5;
const PEER: usize = 5;
const RECEIVED_AT: usize = 6;

/// The state of a run: the variables, and the fields of the event by their slots.
pub(super) struct Frame<'e> {
    pub variables: &'e mut [Val<'e>],
    pub fields: &'e mut [Val<'e>],
    pub steps: u32,
    /// Set when the run is over before its end; what is computed after that is thrown away.
    pub stop: Option<Stop<'e>>,
}

impl Frame<'_> {
    /// Counts steps, and whether there are any left.
    fn takes(&mut self, steps: usize) -> bool {
        self.steps = self.steps.saturating_add(u32::try_from(steps).unwrap_or(u32::MAX));
        if self.steps > super::STEPS_MAX {
            self.stop = self.stop.or(Some(Stop::TooLong));
        }
        self.stop.is_none()
    }
}

/// Bytes of a text that a pattern looks at in one step, and those that a part is looked for in. Texts may grow to
/// [`super::HEAP_BYTES_MAX`].
const MATCHED_IN_A_STEP: usize = 256;
const SEARCHED_IN_A_STEP: usize = 16 << 10;

/// The longest pattern, and how large it may become. A single `\w` takes some 20 KiB.
const PATTERN_BYTES_MAX: usize = 4_096;
const PATTERN_SIZE_MAX: usize = 1 << 20;
/// Patterns that are longer, or count repetitions, are made when the program is compiled, since they may be too large.
const PATTERN_BYTES_SMALL: usize = 60;

/// Why a run ended early.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stop<'e> {
    Abort(Option<&'e str>),
    TooLong,
    TooLarge,
}

#[derive(Debug)]
pub(super) enum Statement {
    Field(usize, Expr),
    Variable(usize, Expr),
    If(Vec<(Expr, Vec<Statement>)>, Vec<Statement>),
    Abort(Option<Expr>),
    /// The value of a block, when it is the last statement of one.
    Value(Expr),
}

#[derive(Debug)]
pub(super) enum Expr {
    Const(Const),
    List(Vec<Expr>),
    Object(Vec<(Box<str>, Expr)>),
    Input(usize),
    /// A field of the record by its path: what programs read most.
    Path(usize, Vec<Box<str>>),
    Field(usize),
    Variable(usize),
    Get(Box<Expr>, Box<str>),
    At(Box<Expr>, i64),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    If(Vec<(Expr, Vec<Statement>)>, Vec<Statement>),
    Call(&'static Function, Vec<Expr>),
    /// `has(x, "a")`, `has(x, ["a", "b"])` with texts that stand in the program.
    Parts(Parts, Box<Expr>, Vec<Box<str>>),
    Match(Box<Expr>, Box<Pattern>),
    Capture(Box<Expr>, Box<Pattern>),
    Replace(Box<Expr>, Box<Pattern>, Box<Expr>),
    Lookup(HashMap<Box<str>, Const>, Box<Expr>, Option<Box<Expr>>),
    Usual(Box<Usual>, Box<Expr>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    Has,
    Begins,
    Ends,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Or,
    And,
    Else,
    Same,
    Differs,
    Less,
    LessOrSame,
    More,
    MoreOrSame,
    Plus,
    Minus,
    Times,
    Over,
}

/// A value that stands in the program.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Const {
    Null,
    Bool(bool),
    Number(f64),
    Text(Box<str>),
    List(Vec<Const>),
    Object(Vec<(Box<str>, Const)>),
}

/// A regular expression of the program. It is made when it is needed first: a program has many that a record never
/// meets.
#[derive(Debug)]
pub(super) struct Pattern {
    source: String,
    made: OnceLock<Option<Regex>>,
}

impl Pattern {
    pub(super) fn new(source: &str) -> Self {
        Self { source: source.to_owned(), made: OnceLock::new() }
    }

    /// Whether it is a regular expression; why not otherwise. Making one is dear: most are looked at by their grammar
    /// alone.
    pub(super) fn check(source: &str) -> Result<(), String> {
        if source.len() > PATTERN_BYTES_MAX {
            return Err(format!("it has {} bytes, more than {PATTERN_BYTES_MAX}", source.len()));
        }
        let last = |error: String| error.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        regex_syntax::parse(source).map_err(|error| last(error.to_string()))?;
        if source.contains('{') || source.len() > PATTERN_BYTES_SMALL {
            Self::make(source).map_err(|error| last(error.to_string()))?;
        }
        Ok(())
    }

    /// Makes the regular expression.
    pub(super) fn make(source: &str) -> Result<Regex, regex::Error> {
        RegexBuilder::new(source).size_limit(PATTERN_SIZE_MAX).build()
    }

    /// `None`: it is no pattern, which the compiler told.
    pub(super) fn regex(&self) -> Option<&Regex> {
        self.made.get_or_init(|| Self::make(&self.source).ok()).as_ref()
    }

    /// The pattern, and steps for this text, unless there are none left.
    fn over(&self, text: &str, frame: &mut Frame<'_>) -> Option<&Regex> {
        frame.takes(text.len() / MATCHED_IN_A_STEP).then(|| self.regex()).flatten()
    }
}

impl Expr {
    /// The member of that name of what this expression gives.
    pub(super) fn member(self, name: String) -> Self {
        match self {
            Self::Input(place) => Self::Path(place, vec![name.into()]),
            Self::Path(place, mut names) => {
                names.push(name.into());
                Self::Path(place, names)
            }
            of => Self::Get(Box::new(of), name.into()),
        }
    }
}

impl Const {
    #[inline]
    fn value<'e>(&'e self, heap: &'e Heap) -> Val<'e> {
        match self {
            Self::Null => Val::Null,
            Self::Bool(bool) => Val::Bool(*bool),
            Self::Number(number) => Val::Number(*number),
            Self::Text(text) => Val::Text(text),
            Self::List(items) => heap.list(items.iter().map(|item| item.value(heap))),
            Self::Object(members) => {
                heap.object(members.iter().map(|(name, value)| (name.as_ref(), value.value(heap))))
            }
        }
    }
}

/// Carries out statements; answers the value of the last one. Nothing is carried out once [`Frame::stop`] is set.
pub(super) fn run<'e>(statements: &'e [Statement], env: &Env<'e>, frame: &mut Frame<'e>) -> Val<'e> {
    let mut last = Val::Null;
    for statement in statements {
        if frame.stop.is_some() {
            return Val::Null;
        }
        frame.takes(1);
        if env.heap.is_full() {
            frame.stop = Some(Stop::TooLarge);
        }
        last = Val::Null;
        match statement {
            Statement::Field(slot, expr) => {
                let value = expr.value(env, frame);
                if let Some(field) = frame.fields.get_mut(*slot) {
                    *field = value;
                }
            }
            Statement::Variable(slot, expr) => {
                let value = expr.value(env, frame);
                if let Some(variable) = frame.variables.get_mut(*slot) {
                    *variable = value;
                }
            }
            Statement::If(branches, otherwise) => last = branch(branches, otherwise, env, frame),
            Statement::Abort(reason) => {
                let reason = reason.as_ref().and_then(|reason| reason.value(env, frame).says(env.heap));
                frame.stop = frame.stop.or(Some(Stop::Abort(reason)));
            }
            Statement::Value(expr) => last = expr.value(env, frame),
        }
    }
    last
}

fn branch<'e>(
    branches: &'e [(Expr, Vec<Statement>)],
    otherwise: &'e [Statement],
    env: &Env<'e>,
    frame: &mut Frame<'e>,
) -> Val<'e> {
    for (condition, block) in branches {
        if condition.holds(env, frame) {
            return run(block, env, frame);
        }
    }
    run(otherwise, env, frame)
}

impl Expr {
    /// What it gives. The frequent kinds are here; the others apart, so that this stays small.
    pub(super) fn value<'e>(&'e self, env: &Env<'e>, frame: &mut Frame<'e>) -> Val<'e> {
        match self {
            Self::Const(Const::Text(text)) => Val::Text(text),
            Self::Const(Const::Null) => Val::Null,
            Self::Path(place, names) => names.iter().fold(env.input(*place), |of, name| of.get(name)),
            Self::Field(slot) => frame.fields.get(*slot).copied().unwrap_or_default(),
            Self::Variable(slot) => frame.variables.get(*slot).copied().unwrap_or_default(),
            Self::Get(of, name) => of.value(env, frame).get(name),
            Self::If(branches, otherwise) => branch(branches, otherwise, env, frame),
            Self::Call(function, arguments) => call(function, arguments, env, frame),
            Self::Binary(operator, left, right) => binary(*operator, left, right, env, frame),
            Self::Not(_) | Self::Parts(..) | Self::Match(..) => Val::Bool(self.holds(env, frame)),
            seldom => seldom.seldom(env, frame),
        }
    }

    /// Whether it is neither null nor false.
    fn holds<'e>(&'e self, env: &Env<'e>, frame: &mut Frame<'e>) -> bool {
        match self {
            Self::Not(of) => !of.holds(env, frame),
            Self::Binary(Binary::And, left, right) => left.holds(env, frame) && right.holds(env, frame),
            Self::Binary(Binary::Or, left, right) => left.holds(env, frame) || right.holds(env, frame),
            Self::Binary(operator @ (Binary::Same | Binary::Differs), left, right) => {
                let left = left.value(env, frame);
                let same = match right.as_ref() {
                    Self::Const(Const::Text(text)) => left.as_text() == Some(text),
                    right => left == right.value(env, frame),
                };
                same == (*operator == Binary::Same)
            }
            Self::Parts(parts, of, texts) => match of.value(env, frame) {
                Val::Text(text) => {
                    frame.takes(text.len() * texts.len() / SEARCHED_IN_A_STEP)
                        && texts.iter().any(|part| parts.fits(text, part))
                }
                _ => false,
            },
            Self::Match(of, pattern) => {
                let text = super::functions::text(of.value(env, frame), env.heap);
                text.is_some_and(|text| pattern.over(text, frame).is_some_and(|regex| regex.is_match(text)))
            }
            other => other.value(env, frame).is_truthy(),
        }
    }

    #[inline(never)]
    fn seldom<'e>(&'e self, env: &Env<'e>, frame: &mut Frame<'e>) -> Val<'e> {
        let heap = env.heap;
        match self {
            Self::Const(value) => value.value(heap),
            Self::List(items) => {
                let mut list = heap.items();
                for item in items {
                    let item = item.value(env, frame);
                    heap.push_item(&mut list, item);
                }
                Val::List(list.into_bump_slice())
            }
            Self::Object(members) => {
                let mut object = heap.members();
                for (name, value) in members {
                    let value = value.value(env, frame);
                    heap.push(&mut object, name, value);
                }
                Val::Object(object.into_bump_slice())
            }
            Self::Input(place) => env.input(*place),
            Self::At(of, index) => of.value(env, frame).at(*index),
            Self::Negative(of) => match of.value(env, frame) {
                Val::Number(number) => Val::Number(-number),
                _ => Val::Null,
            },
            Self::Capture(of, pattern) => {
                let text = super::functions::text(of.value(env, frame), heap);
                text.and_then(|text| groups(pattern.over(text, frame)?, text, heap)).unwrap_or_default()
            }
            Self::Replace(of, pattern, with) => {
                let (of, with) = (of.value(env, frame), with.value(env, frame));
                match (of, with) {
                    (Val::Text(text), Val::Text(with)) => match pattern.over(text, frame) {
                        Some(regex) => replaced(text, regex, with, heap),
                        None => of,
                    },
                    _ => of,
                }
            }
            Self::Lookup(table, key, otherwise) => {
                let key = key.value(env, frame);
                match (key.says(heap).and_then(|key| table.get(key)), otherwise) {
                    (Some(found), _) => found.value(heap),
                    (None, Some(otherwise)) => otherwise.value(env, frame),
                    (None, None) => Val::Null,
                }
            }
            Self::Usual(usual, record) => usual.find(record.value(env, frame), heap),
            often => often.value(env, frame),
        }
    }
}

/// A text with all that a pattern fits replaced. Both texts may come from a record: what grows beyond all measure is
/// given up before it does.
fn replaced<'e>(text: &'e str, regex: &Regex, with: &str, heap: &'e Heap) -> Val<'e> {
    let groups = with.matches('$').count();
    let at_most = text.len().saturating_mul(1 + groups).saturating_add((text.len() + 1).saturating_mul(with.len()));
    if at_most < heap.left() {
        return Val::Text(heap.keep(regex.replace_all(text, with)));
    }
    let (mut all, mut from) = (String::new(), 0);
    for found in regex.captures_iter(text) {
        let Some(whole) = found.get(0) else { continue };
        let before = text.get(from..whole.start()).unwrap_or_default();
        // A group is no longer than the whole.
        let more = before.len() + with.len() + groups.saturating_mul(whole.len());
        if !heap.has_room(all.len().saturating_add(more)) {
            return Val::Null;
        }
        all.push_str(before);
        found.expand(with, &mut all);
        from = whole.end();
    }
    all.push_str(text.get(from..).unwrap_or_default());
    Val::Text(heap.text(&all))
}

#[inline(never)]
fn call<'e>(function: &Function, arguments: &'e [Expr], env: &Env<'e>, frame: &mut Frame<'e>) -> Val<'e> {
    match arguments {
        [one] => carried_out(function, &[one.value(env, frame)], env, frame),
        [one, two] => {
            let one = one.value(env, frame);
            carried_out(function, &[one, two.value(env, frame)], env, frame)
        }
        all => {
            let mut values = [Val::Null; super::functions::ARGUMENTS_MAX];
            for (slot, argument) in values.iter_mut().zip(all) {
                *slot = argument.value(env, frame);
            }
            carried_out(function, values.get(..all.len()).unwrap_or_default(), env, frame)
        }
    }
}

#[inline]
fn carried_out<'e>(function: &Function, values: &[Val<'e>], env: &Env<'e>, frame: &mut Frame<'e>) -> Val<'e> {
    let bytes: usize = values.iter().filter_map(|value| value.as_text()).map(str::len).sum();
    if frame.takes(1 + bytes / MATCHED_IN_A_STEP) { (function.call)(env, values) } else { Val::Null }
}

impl Parts {
    pub(super) fn fits(self, text: &str, part: &str) -> bool {
        match self {
            Self::Has => text.contains(part),
            Self::Begins => text.starts_with(part),
            Self::Ends => text.ends_with(part),
        }
    }
}

fn binary<'e>(operator: Binary, left: &'e Expr, right: &'e Expr, env: &Env<'e>, frame: &mut Frame<'e>) -> Val<'e> {
    let left = left.value(env, frame);
    match operator {
        Binary::Or => return if left.is_truthy() { left } else { right.value(env, frame) },
        Binary::Else => return if left.is_null() { right.value(env, frame) } else { left },
        Binary::And => {
            let both = left.is_truthy() && right.value(env, frame).is_truthy();
            return Val::Bool(both);
        }
        _ => {}
    }
    let right = right.value(env, frame);
    let order = || match (left, right) {
        (Val::Number(a), Val::Number(b)) => a.partial_cmp(&b),
        (Val::Text(a), Val::Text(b)) => Some(a.cmp(b)),
        _ => None,
    };
    let number = |compute: fn(f64, f64) -> f64| match (left, right) {
        (Val::Number(a), Val::Number(b)) => {
            Some(compute(a, b)).filter(|n| n.is_finite()).map_or(Val::Null, Val::Number)
        }
        _ => Val::Null,
    };
    match operator {
        Binary::Same => Val::Bool(left == right),
        Binary::Differs => Val::Bool(left != right),
        Binary::Less => Val::Bool(order().is_some_and(std::cmp::Ordering::is_lt)),
        Binary::LessOrSame => Val::Bool(order().is_some_and(std::cmp::Ordering::is_le)),
        Binary::More => Val::Bool(order().is_some_and(std::cmp::Ordering::is_gt)),
        Binary::MoreOrSame => Val::Bool(order().is_some_and(std::cmp::Ordering::is_ge)),
        Binary::Minus => number(|a, b| a - b),
        Binary::Times => number(|a, b| a * b),
        Binary::Over => number(|a, b| a / b),
        Binary::Plus => match (left, right) {
            (Val::Number(_), Val::Number(_)) => number(|a, b| a + b),
            (left, right) => joined(left, right, env.heap),
        },
        Binary::Or | Binary::And | Binary::Else => Val::Null,
    }
}

/// Two texts as one; what says nothing adds nothing.
fn joined<'e>(left: Val<'e>, right: Val<'e>, heap: &'e Heap) -> Val<'e> {
    let text = |value: Val<'e>| match value {
        Val::Text(text) => text,
        value => value.says(heap).unwrap_or_default(),
    };
    let (left, right) = (text(left), text(right));
    match (left.is_empty(), right.is_empty()) {
        (true, true) => Val::Null,
        (true, false) => Val::Text(right),
        (false, true) => Val::Text(left),
        (false, false) => Val::Text(heap.text(&[left, right].concat())),
    }
}
