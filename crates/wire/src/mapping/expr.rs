//! A program, and how it is carried out: it reads the record, computes, and fills the fields of the event. There are no
//! loops; it takes as many steps as it has words, whatever the record holds.

use std::collections::HashMap;
use std::sync::OnceLock;

use regex::Regex;

use super::functions::{Function, Usual};
use crate::decode::groups;
use crate::value::{Heap, Val};

/// What is known while a program runs.
pub(super) struct Env<'e> {
    pub heap: &'e Heap,
    pub inputs: [Val<'e>; INPUTS],
    pub received_at: jiff::Timestamp,
}

/// What a program can read: its place in [`Env::inputs`].
pub(super) const INPUT_NAMES: [&str; INPUTS] = ["native", "outer", "syslog", "hec", "decoder", "peer", "received_at"];
pub(super) const INPUTS: usize = 7;

/// The state of a run: the variables, and the fields of the event by their slots.
pub(super) struct Frame<'e> {
    pub variables: &'e mut [Val<'e>],
    pub fields: &'e mut [Val<'e>],
    pub steps: u32,
    /// Set when the run is over before its end; what is computed after that is thrown away.
    pub stop: Option<Stop<'e>>,
}

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

    /// `None`: it is no pattern, which the compiler told.
    pub(super) fn regex(&self) -> Option<&Regex> {
        self.made.get_or_init(|| Regex::new(&self.source).ok()).as_ref()
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
        frame.steps += 1;
        if frame.steps > super::STEPS_MAX {
            frame.stop = Some(Stop::TooLong);
        }
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
            Self::Path(place, names) => {
                let input = env.inputs.get(*place).copied().unwrap_or_default();
                names.iter().fold(input, |of, name| of.get(name))
            }
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
                Val::Text(text) => texts.iter().any(|part| parts.fits(text, part)),
                _ => false,
            },
            Self::Match(of, pattern) => {
                let text = super::functions::text(of.value(env, frame), env.heap);
                text.zip(pattern.regex()).is_some_and(|(text, regex)| regex.is_match(text))
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
            Self::Input(place) => env.inputs.get(*place).copied().unwrap_or_default(),
            Self::At(of, index) => of.value(env, frame).at(*index),
            Self::Negative(of) => match of.value(env, frame) {
                Val::Number(number) => Val::Number(-number),
                _ => Val::Null,
            },
            Self::Capture(of, pattern) => {
                let text = super::functions::text(of.value(env, frame), heap);
                let found = text.zip(pattern.regex()).and_then(|(text, regex)| groups(regex, text, heap));
                found.unwrap_or_default()
            }
            Self::Replace(of, pattern, with) => {
                let (of, with) = (of.value(env, frame), with.value(env, frame));
                match (of, pattern.regex(), with) {
                    (Val::Text(text), Some(regex), Val::Text(with)) => {
                        Val::Text(heap.keep(regex.replace_all(text, with)))
                    }
                    (of, ..) => of,
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

#[inline(never)]
fn call<'e>(function: &Function, arguments: &'e [Expr], env: &Env<'e>, frame: &mut Frame<'e>) -> Val<'e> {
    frame.steps += 1;
    match arguments {
        [one] => (function.call)(env, &[one.value(env, frame)]),
        [one, two] => {
            let one = one.value(env, frame);
            (function.call)(env, &[one, two.value(env, frame)])
        }
        all => {
            let mut values = [Val::Null; super::functions::ARGUMENTS_MAX];
            for (slot, argument) in values.iter_mut().zip(all) {
                *slot = argument.value(env, frame);
            }
            (function.call)(env, values.get(..all.len()).unwrap_or_default())
        }
    }
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
