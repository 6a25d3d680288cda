//! `usual(record, table)`

use std::collections::HashMap;

use super::super::expr::Const;
use crate::value::{Heap, Val};

/// Fields of a record that are looked at, and how deep they may lie.
const FIELDS_MAX: usize = 2_000;
const DEPTH_MAX: usize = 8;

/// Finds the fields of an unknown record by the names they usually have.
#[derive(Debug)]
pub(in super::super) struct Usual {
    /// A normalised name: for which targets it is which choice.
    names: HashMap<String, Vec<Choice>>,
    targets: Vec<Box<str>>,
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
struct Find<'e> {
    /// A whole path before an end of one, then the choice in the list, then how much of the path was left over.
    rank: (bool, usize, usize),
    value: &'e str,
}

impl Usual {
    /// Makes one of its table; the name of what is wrong with it otherwise.
    pub(in super::super) fn new(table: &[(Box<str>, Const)]) -> Result<Self, Box<str>> {
        let mut names: HashMap<String, Vec<Choice>> = HashMap::new();
        let mut targets = Vec::new();
        for (target, list) in table {
            let Const::List(list) = list else { return Err(target.clone()) };
            for (rank, name) in list.iter().enumerate() {
                let Const::Text(text) = name else { return Err(target.clone()) };
                let choice = Choice { target: targets.len(), rank, whole: text.starts_with('.') };
                names.entry(normalised(text.trim_start_matches('.'))).or_default().push(choice);
            }
            targets.push(target.clone());
        }
        Ok(Self { names, targets })
    }

    pub(in super::super) fn find<'e>(&'e self, record: Val<'e>, heap: &'e Heap) -> Val<'e> {
        let mut search = Search { usual: self, heap, left: FIELDS_MAX, finds: Vec::new() };
        search.finds.resize_with(self.targets.len(), || None);
        search.walk(record, &mut String::new(), &mut Vec::new());
        let found = self.targets.iter().zip(search.finds);
        heap.object(found.filter_map(|(target, find)| Some((target.as_ref(), Val::Text(find?.value)))))
    }
}

struct Search<'e> {
    usual: &'e Usual,
    heap: &'e Heap,
    left: usize,
    finds: Vec<Option<Find<'e>>>,
}

impl<'e> Search<'e> {
    fn walk(&mut self, value: Val<'e>, path: &mut String, starts: &mut Vec<usize>) {
        if self.left == 0 || starts.len() > DEPTH_MAX {
            return;
        }
        match value {
            Val::Object(members) => {
                for (key, member) in members {
                    // A dotted key is a path by itself.
                    let (before, depth) = (path.len(), starts.len());
                    for segment in key.split('.') {
                        if !path.is_empty() {
                            path.push('.');
                        }
                        starts.push(path.len());
                        normalise_into(segment, path);
                    }
                    self.walk(*member, path, starts);
                    path.truncate(before);
                    starts.truncate(depth);
                }
            }
            Val::List(items) => {
                // The first object of a list speaks for it; a list of texts is a value.
                match items.first() {
                    Some(first @ Val::Object(_)) => self.walk(*first, path, starts),
                    Some(_) => {
                        let mut texts = items.iter().filter_map(|item| item.says(self.heap));
                        let Some(first) = texts.next() else { return };
                        let mut all = first.to_owned();
                        texts.for_each(|text| {
                            all.push_str(", ");
                            all.push_str(text);
                        });
                        let all = if all.len() == first.len() { first } else { self.heap.text(&all) };
                        self.offer(all, path, starts);
                    }
                    None => {}
                }
            }
            scalar => {
                if let Some(text) = scalar.says(self.heap) {
                    self.offer(text, path, starts);
                }
            }
        }
    }

    /// Tries the whole path first, then its ends: `client.ip_address`, `ip_address`.
    fn offer(&mut self, value: &'e str, path: &str, starts: &[usize]) {
        self.left = self.left.saturating_sub(1);
        for (cut, start) in starts.iter().enumerate() {
            let Some(choices) = path.get(*start..).and_then(|name| self.usual.names.get(name)) else { continue };
            for choice in choices {
                let rank = (cut > 0, choice.rank, cut);
                if !(choice.whole && cut > 0)
                    && let Some(slot) = self.finds.get_mut(choice.target)
                    && slot.as_ref().is_none_or(|best| rank < best.rank)
                {
                    *slot = Some(Find { rank, value });
                }
            }
        }
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
