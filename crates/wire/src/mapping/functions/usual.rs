//! `usual(record, table)`

use std::collections::HashMap;

use vrl::compiler::prelude::*;

use super::text_of;

/// Finds the fields of an unknown record by the names they usually have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usual;

/// Fields of a record that are looked at, and how deep they may lie.
const FIELDS_MAX: usize = 2_000;
const DEPTH_MAX: usize = 8;

impl Function for Usual {
    fn identifier(&self) -> &'static str {
        "usual"
    }

    fn usage(&self) -> &'static str {
        "Finds fields by their usual names, as texts. The table says for each name of ours which names to look for, the best first: \
         `{\"user\": [\"suser\", \"actor.email\"]}`. Upper and lower case, `_`, `-` and blanks make no difference; a name \
         also fits the end of a longer path, unless it starts with a dot."
    }

    fn category(&self) -> &'static str {
        "Belfry"
    }

    fn return_kind(&self) -> u16 {
        kind::ANY
    }

    fn examples(&self) -> &'static [Example] {
        &[]
    }

    fn parameters(&self) -> &'static [Parameter] {
        const PARAMETERS: &[Parameter] = &[
            Parameter::required("record", kind::ANY, "the record"),
            Parameter::required("table", kind::OBJECT, "an object of lists, written in the program"),
        ];
        PARAMETERS
    }

    fn compile(&self, state: &TypeState, _: &mut FunctionCompileContext, arguments: ArgumentList) -> Compiled {
        let fault = |value: Value| -> Box<dyn DiagnosticMessage> {
            function::Error::InvalidArgument {
                keyword: "table",
                value,
                error: "a table is an object of lists of names",
            }
            .into()
        };
        let table = match arguments.required_literal("table", state)? {
            Value::Object(table) => table,
            value => return Err(fault(value)),
        };
        let mut names: HashMap<String, Vec<Choice>> = HashMap::new();
        let mut targets = Vec::new();
        for (target, list) in table {
            let Value::Array(list) = list else { return Err(fault(list)) };
            for (rank, name) in list.iter().enumerate() {
                let Some(text) = text_of(name) else { return Err(fault(name.clone())) };
                let choice = Choice { target: targets.len(), rank, whole: text.starts_with('.') };
                names.entry(normalised(text.trim_start_matches('.'))).or_default().push(choice);
            }
            targets.push(target);
        }
        Ok(Call { record: arguments.required("record"), names, targets }.as_expr())
    }
}

#[derive(Debug, Clone)]
struct Call {
    record: Box<dyn Expression>,
    /// A normalised name: for which targets it is which choice.
    names: HashMap<String, Vec<Choice>>,
    targets: Vec<KeyString>,
}

/// A name stands in the list of a target.
#[derive(Debug, Clone, Copy)]
struct Choice {
    target: usize,
    /// Its place in the list.
    rank: usize,
    /// It fits a whole path only, not the end of one.
    whole: bool,
}

/// The best find for one target so far.
struct Find {
    /// A whole path before an end of one, then the choice in the list, then how much of the path was left over.
    rank: (bool, usize, usize),
    value: String,
}

impl FunctionExpression for Call {
    fn resolve(&self, ctx: &mut Context) -> Resolved {
        let record = self.record.resolve(ctx)?;
        let mut finds: Vec<Option<Find>> = self.targets.iter().map(|_| None).collect();
        let mut left = FIELDS_MAX;
        self.walk(&record, &mut String::new(), &mut Vec::new(), &mut left, &mut finds);
        let found = self
            .targets
            .iter()
            .zip(finds)
            .filter_map(|(target, find)| Some((target.clone(), Value::from(find?.value))))
            .collect();
        Ok(Value::Object(found))
    }

    fn type_def(&self, _: &TypeState) -> TypeDef {
        let found = Kind::object(Collection::from_unknown(Kind::bytes().or_undefined()));
        TypeDef::from(found).infallible()
    }
}

impl Call {
    fn walk(
        &self,
        value: &Value,
        path: &mut String,
        starts: &mut Vec<usize>,
        left: &mut usize,
        finds: &mut [Option<Find>],
    ) {
        if *left == 0 || starts.len() > DEPTH_MAX {
            return;
        }
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    // A dotted key is a path by itself.
                    let before = path.len();
                    let depth = starts.len();
                    for segment in key.split('.') {
                        if !path.is_empty() {
                            path.push('.');
                        }
                        starts.push(path.len());
                        normalise_into(segment, path);
                    }
                    self.walk(member, path, starts, left, finds);
                    path.truncate(before);
                    starts.truncate(depth);
                }
            }
            Value::Array(items) => {
                // The first object of a list speaks for it; a list of texts is a value.
                match items.first() {
                    Some(first @ Value::Object(_)) => self.walk(first, path, starts, left, finds),
                    Some(_) if items.iter().any(|i| text_of(i).is_some()) => {
                        self.offer(value, path, starts, left, finds)
                    }
                    _ => {}
                }
            }
            scalar if text_of(scalar).is_some() => self.offer(scalar, path, starts, left, finds),
            _ => {}
        }
    }

    /// Tries the whole path first, then its ends: `client.ip_address`, `ip_address`.
    fn offer(&self, value: &Value, path: &str, starts: &[usize], left: &mut usize, finds: &mut [Option<Find>]) {
        *left -= 1;
        for (cut, start) in starts.iter().enumerate() {
            let Some(choices) = path.get(*start..).and_then(|name| self.names.get(name)) else { continue };
            for choice in choices {
                let rank = (cut > 0, choice.rank, cut);
                if !(choice.whole && cut > 0)
                    && let Some(slot) = finds.get_mut(choice.target)
                    && slot.as_ref().is_none_or(|best| rank < best.rank)
                {
                    *slot = Some(Find { rank, value: as_text(value) });
                }
            }
        }
    }
}

/// A scalar as text; a list of them with commas between.
fn as_text(value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().filter_map(text_of).collect::<Vec<_>>().join(", "),
        scalar => text_of(scalar).unwrap_or_default().into_owned(),
    }
}

fn normalised(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (index, segment) in name.split('.').enumerate() {
        if index > 0 {
            out.push('.');
        }
        normalise_into(segment, &mut out);
    }
    out
}

fn normalise_into(segment: &str, out: &mut String) {
    out.extend(segment.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).map(|c| c.to_ascii_lowercase()));
}
