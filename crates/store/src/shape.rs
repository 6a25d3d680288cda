//! Which paths an event has, as one term.
//!
//! Most events of a type have the same paths. All of them together are one term, the *shape* of the
//! event, so that an event costs one posting for its paths, not thirty. Events that keep making up
//! new paths would fill the dictionary with shapes; after so many, new ones are written path by
//! path.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::document::Terms;
use crate::term::{self, Keeping, Prose};

/// Begins a term that is a shape: paths, each with its end.
pub(crate) const SHAPE: u8 = b's';
/// Begins a term that is a single path.
pub(crate) const PATH: u8 = b'p';
/// The term of an event of which the index can't hold everything. Only the event itself can tell
/// whether a filter picks it.
pub(crate) const ODD: &[u8] = b"o";

/// So many different shapes are written before paths are.
const SHAPES_MAX: usize = 10_000;
const SHAPE_BYTES_MAX: usize = 8 * 1024;
/// So many paths are remembered before all are forgotten.
const NAMES_MAX: usize = 20_000;

/// A path and what is to be done with the leaves there.
#[derive(Debug)]
pub(crate) struct Name {
    path: Box<str>,
    pub(crate) keeping: Keeping,
    pub(crate) prose: Prose,
    pub(crate) is_time: bool,
    /// The last event that had it.
    event: u64,
}

/// The paths and the shapes that were met.
#[derive(Debug, Default)]
pub(crate) struct Names {
    numbers: HashMap<Box<str>, u32, RandomState>,
    names: Vec<Name>,
    /// The paths of the event at hand, each once.
    met: Vec<u32>,
    event: u64,
    shapes: HashMap<Box<[u32]>, Box<[u8]>, RandomState>,
    shapes_written: usize,
}

impl Names {
    /// Begins an event.
    pub(crate) fn begin(&mut self) {
        self.event += 1;
        self.met.clear();
        if self.names.len() > NAMES_MAX {
            self.numbers.clear();
            self.names.clear();
            self.shapes.clear();
        }
    }

    /// A path of the event at hand. None for one that the index can't hold.
    pub(crate) fn meet(&mut self, path: &str) -> Option<&Name> {
        let number = match self.numbers.get(path) {
            Some(number) => *number,
            None => {
                if path.len() > term::PATH_BYTES_MAX || path.as_bytes().contains(&term::END) {
                    return None;
                }
                let number = u32::try_from(self.names.len()).ok()?;
                self.numbers.insert(path.into(), number);
                self.names.push(Name {
                    path: path.into(),
                    keeping: term::keeping(path),
                    prose: term::prose(path),
                    is_time: path == "@timestamp",
                    event: 0,
                });
                number
            }
        };
        let name = self.names.get_mut(number as usize)?;
        if name.event != self.event {
            name.event = self.event;
            self.met.push(number);
        }
        Some(name)
    }

    /// Ends the event: the terms for its paths.
    pub(crate) fn end(&mut self, odd: bool, out: &mut Terms) {
        if odd {
            out.push(&[ODD]);
        }
        if let Some(shape) = self.shapes.get(self.met.as_slice()) {
            return out.push(&[shape]);
        }
        let paths = || self.met.iter().filter_map(|number| self.names.get(*number as usize)).map(|name| &*name.path);
        let bytes: usize = paths().map(|path| path.len() + 1).sum();
        if bytes >= SHAPE_BYTES_MAX || self.shapes_written >= SHAPES_MAX {
            return paths().for_each(|path| out.push(&[&[PATH], path.as_bytes()]));
        }
        let mut shape = vec![SHAPE];
        for path in paths() {
            shape.extend_from_slice(path.as_bytes());
            shape.push(term::END);
        }
        out.push(&[&shape]);
        self.shapes_written += 1;
        self.shapes.insert(self.met.as_slice().into(), shape.into());
    }
}

/// The paths that a term of the field stands for.
pub(crate) fn paths_of(term: &[u8]) -> impl Iterator<Item = &str> {
    let (tag, rest) = term.split_first().map_or((0, &[][..]), |(tag, rest)| (*tag, rest));
    let rest = if tag == SHAPE || tag == PATH { rest } else { &[] };
    rest.split(|byte| *byte == term::END)
        .filter(|path| !path.is_empty())
        .filter_map(|path| std::str::from_utf8(path).ok())
}
