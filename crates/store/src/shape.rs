//! Which paths an event has, as one term.
//!
//! Most events of a type have the same paths. All of them together are one term, the *shape* of the
//! event, so that an event costs one posting for its paths, not thirty. Events that keep making up
//! new paths would fill the dictionary with shapes; after so many, new ones are written path by
//! path.

use std::collections::HashSet;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::term;

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

/// The shapes that were met.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    hasher: RandomState,
    met: HashSet<u64>,
}

impl Shapes {
    /// The terms for these paths, which lie one after the other in `bytes`, ending at `ends`.
    pub(crate) fn paths(&mut self, bytes: &[u8], ends: &[u32], odd: bool) -> (Vec<u8>, Vec<u32>) {
        let mut out = Vec::with_capacity(bytes.len() + ends.len() + 2);
        let mut out_ends = Vec::with_capacity(2);
        let hash = self.hasher.hash_one(bytes);
        let small = bytes.len() + ends.len() < SHAPE_BYTES_MAX;
        let shape = small && (self.met.contains(&hash) || self.met.len() < SHAPES_MAX && self.met.insert(hash));
        if odd {
            out.extend_from_slice(ODD);
            end(&out, &mut out_ends);
        }
        if shape {
            out.push(SHAPE);
        }
        let mut start = 0;
        for path_end in ends.iter().copied() {
            let path = bytes.get(start..path_end as usize).unwrap_or_default();
            start = path_end as usize;
            if shape {
                out.extend_from_slice(path);
                out.push(term::END);
            } else {
                out.push(PATH);
                out.extend_from_slice(path);
                end(&out, &mut out_ends);
            }
        }
        if shape {
            end(&out, &mut out_ends);
        }
        (out, out_ends)
    }
}

fn end(out: &[u8], ends: &mut Vec<u32>) {
    #[expect(clippy::cast_possible_truncation, reason = "the paths of one event")]
    ends.push(out.len() as u32);
}

/// The paths that a term of the field stands for.
pub(crate) fn paths_of(term: &[u8]) -> impl Iterator<Item = &str> {
    let (tag, rest) = term.split_first().map_or((0, &[][..]), |(tag, rest)| (*tag, rest));
    let rest = if tag == SHAPE || tag == PATH { rest } else { &[] };
    rest.split(|byte| *byte == term::END)
        .filter(|path| !path.is_empty())
        .filter_map(|path| std::str::from_utf8(path).ok())
}
