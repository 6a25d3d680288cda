//! What the index is told of one event.

use std::hash::BuildHasher;
use std::sync::Arc;

use event::json::JsonError;
use event::words::fold;
use event::{Event, Value};
use foldhash::fast::RandomState;
use tantivy::schema::document::{ReferenceValue, ReferenceValueLeaf};
use tantivy::schema::{Document, Field};

use crate::month::{Nanos, nanos};
use crate::schema::{PATHS, POSITION, TERMS, TIME, WORDS};
use crate::shape::Names;
use crate::term::{self, write_kept as write_term};

/// The terms of one event. Built straight from its leaves into three buffers.
#[derive(Debug, Default)]
pub(crate) struct Indexed {
    pub(crate) position: u64,
    pub(crate) time: Nanos,
    paths: Terms,
    terms: Terms,
    words: Terms,
}

/// Byte strings, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Terms {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Terms {
    pub(crate) fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)? as usize;
        let start = if index == 0 { 0 } else { *self.ends.get(index - 1)? as usize };
        self.bytes.get(start..end)
    }

    /// Adds a term.
    pub(crate) fn push(&mut self, parts: &[&[u8]]) {
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.end();
    }

    /// Ends the term that was written to `bytes`.
    fn end(&mut self) {
        #[expect(clippy::cast_possible_truncation, reason = "an event is small, and so are its terms")]
        self.ends.push(self.bytes.len() as u32);
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn start(&self) -> usize {
        self.ends.last().map_or(0, |end| *end as usize)
    }
}

/// A document on its way to the engine, which lets go of it at once; then the next one is made in
/// its place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared(Arc<Indexed>);

impl Shared {
    pub(crate) fn time(&self) -> Nanos {
        self.0.time
    }
}

/// Makes documents of entries, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    doc: Shared,
    words: Seen,
    names: Names,
    folded: String,
}

impl Builder {
    /// The document of the entry at a position.
    pub(crate) fn build(&mut self, position: u64, entry: &[u8]) -> Result<Shared, JsonError> {
        let Self { doc: Shared(shared), words, names, folded } = self;
        if Arc::get_mut(shared).is_none() {
            *shared = Arc::default();
        }
        let Some(doc) = Arc::get_mut(shared) else { return Ok(Shared::default()) };
        let Indexed { paths, terms, words: out, .. } = &mut *doc;
        [&mut *paths, &mut *terms, &mut *out].into_iter().for_each(Terms::clear);
        words.clear();
        names.begin();
        let (mut odd, mut times, mut time) = (false, 0, None);
        Event::leaves(entry, &mut |path, value| {
            let Some(name) = names.meet(path) else {
                odd = true;
                return;
            };
            if name.is_time {
                times += 1;
                time = value.as_str().and_then(usual_time);
            }
            if write_term(name.keeping, path, value, &mut terms.bytes) {
                terms.end();
            }
            if let Value::String(text) = value
                && name.prose.of(text)
            {
                add_words(text, words, folded, out);
            }
        })?;
        // A time that is no plain text, or several, only the event itself explains.
        doc.time = match time {
            Some(time) if times == 1 => time,
            _ => {
                odd = true;
                nanos(Event::read(entry)?.timestamp())
            }
        };
        doc.position = position;
        names.end(odd, &mut doc.paths);
        Ok(Shared(Arc::clone(shared)))
    }
}

/// Adds the words of a text, each word of an event once: those of a field mostly stand in the
/// message and in the original record as well.
fn add_words(text: &str, words: &mut Seen, folded: &mut String, out: &mut Terms) {
    if text.is_ascii() {
        for run in text.as_bytes().split(|byte| !byte.is_ascii_alphanumeric()) {
            match run.len() {
                0 => {}
                len if len > term::WORD_BYTES_MAX => {
                    add_folded_word(std::str::from_utf8(run).unwrap_or_default(), words, folded, out);
                }
                _ => add_plain_word(run, words, out),
            }
        }
        return;
    }
    for run in text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty()) {
        if run.is_ascii() && !term::is_cut(run) {
            add_plain_word(run.as_bytes(), words, out);
        } else {
            add_folded_word(run, words, folded, out);
        }
    }
}

fn add_plain_word(run: &[u8], words: &mut Seen, out: &mut Terms) {
    let start = out.start();
    out.bytes.extend(run.iter().map(u8::to_ascii_lowercase));
    if let Some(bucket) = out.bytes.get(start..).and_then(term::bucket) {
        out.bytes.truncate(start);
        out.bytes.extend_from_slice(&bucket);
    }
    words.end_if_new(out);
}

fn add_folded_word(run: &str, words: &mut Seen, folded: &mut String, out: &mut Terms) {
    folded.clear();
    folded.push_str(&fold(run));
    match (term::bucket(folded.as_bytes()), term::word(folded)) {
        (Some(bucket), _) => out.bytes.extend_from_slice(&bucket),
        (None, (word, cut)) => {
            out.bytes.extend_from_slice(word.as_bytes());
            out.bytes.extend(cut.then_some(term::END));
        }
    }
    words.end_if_new(out);
}

/// The moment of a time, when the column can hold all that it says.
fn usual_time(text: &str) -> Option<Nanos> {
    text.parse::<jiff::Timestamp>().ok().and_then(|time| i64::try_from(time.as_nanosecond()).ok())
}

/// Which terms an event has already. A table that is emptied by counting up.
#[derive(Debug)]
struct Seen {
    hasher: RandomState,
    slots: Vec<Slot>,
    round: u32,
    used: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    round: u32,
    hash: u32,
    term: u32,
}

impl Default for Seen {
    fn default() -> Self {
        Self { hasher: RandomState::default(), slots: vec![Slot::default(); 1024], round: 1, used: 0 }
    }
}

impl Seen {
    fn clear(&mut self) {
        self.used = 0;
        self.round = self.round.checked_add(1).unwrap_or_else(|| {
            self.slots.fill(Slot::default());
            1
        });
    }

    /// Ends the term at the end of `terms`, or takes it away when it is there already.
    fn end_if_new(&mut self, terms: &mut Terms) {
        let start = terms.start();
        let written = terms.bytes.get(start..).unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, reason = "the low half is as good as the whole")]
        let hash = self.hasher.hash_one(written) as u32;
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let Some(slot) = self.slots.get_mut(at) else { return };
            if slot.round != self.round {
                #[expect(clippy::cast_possible_truncation, reason = "an event has fewer terms than bytes")]
                let term = terms.ends.len() as u32;
                *slot = Slot { round: self.round, hash, term };
                break;
            }
            if slot.hash == hash && terms.get(slot.term as usize) == Some(written) {
                terms.bytes.truncate(start);
                return;
            }
            at = (at + 1) & mask;
        }
        terms.end();
        self.used += 1;
        if self.used * 2 > self.slots.len() {
            self.grow(terms);
        }
    }

    fn grow(&mut self, terms: &Terms) {
        self.slots = vec![Slot::default(); self.slots.len() * 2];
        let mask = self.slots.len() - 1;
        for term in 0..terms.ends.len() {
            #[expect(clippy::cast_possible_truncation, reason = "the low half is as good as the whole")]
            let hash = self.hasher.hash_one(terms.get(term).unwrap_or_default()) as u32;
            let mut at = hash as usize & mask;
            while self.slots.get(at).is_some_and(|slot| slot.round == self.round) {
                at = (at + 1) & mask;
            }
            if let Some(slot) = self.slots.get_mut(at) {
                #[expect(clippy::cast_possible_truncation, reason = "an event has fewer terms than bytes")]
                let term = term as u32;
                *slot = Slot { round: self.round, hash, term };
            }
        }
    }
}

/// One value of a document, as the search engine reads it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Leaf<'a> {
    Term(&'a [u8]),
    Time(i64),
    Position(u64),
}

impl<'a> tantivy::schema::Value<'a> for Leaf<'a> {
    type ArrayIter = std::iter::Empty<Self>;
    type ObjectIter = std::iter::Empty<(&'a str, Self)>;

    fn as_value(&self) -> ReferenceValue<'a, Self> {
        ReferenceValue::Leaf(match self {
            Self::Term(bytes) => ReferenceValueLeaf::Bytes(bytes),
            Self::Time(time) => ReferenceValueLeaf::I64(*time),
            Self::Position(position) => ReferenceValueLeaf::U64(*position),
        })
    }
}

/// The values of a document in the order of the fields.
pub(crate) struct Leaves<'a> {
    doc: &'a Indexed,
    field: u8,
    next: usize,
}

impl<'a> Iterator for Leaves<'a> {
    type Item = (Field, Leaf<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (field, terms) = match self.field {
                0 => (PATHS, &self.doc.paths),
                1 => (TERMS, &self.doc.terms),
                2 => (WORDS, &self.doc.words),
                3 => {
                    self.field += 1;
                    return Some((TIME, Leaf::Time(self.doc.time)));
                }
                4 => {
                    self.field += 1;
                    return Some((POSITION, Leaf::Position(self.doc.position)));
                }
                _ => return None,
            };
            if let Some(term) = terms.get(self.next) {
                self.next += 1;
                return Some((field, Leaf::Term(term)));
            }
            self.field += 1;
            self.next = 0;
        }
    }
}

impl Document for Shared {
    type Value<'a> = Leaf<'a>;
    type FieldsValuesIter<'a> = Leaves<'a>;

    fn iter_fields_and_values(&self) -> Leaves<'_> {
        Leaves { doc: &self.0, field: 0, next: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(texts: &[&str]) -> Vec<String> {
        let (mut seen, mut out) = (Seen::default(), Terms::default());
        texts.iter().for_each(|text| add_words(text, &mut seen, &mut String::new(), &mut out));
        (0..out.ends.len()).map(|at| String::from_utf8(out.get(at).unwrap().to_vec()).unwrap()).collect()
    }

    #[test]
    fn words_are_those_of_the_matcher_each_once() {
        let texts = [
            "Login of svc-DB_2, svc failed!",
            "ΟΔΟΣ οδοσ Straße",
            "İx 张伟 登录",
            "login LOGIN Login",
            "1234567 deadbeef",
        ];
        let mut expected: Vec<String> = Vec::new();
        for word in texts.iter().flat_map(|text| event::words::words(text)) {
            if !expected.contains(&word) {
                expected.push(word);
            }
        }
        assert_eq!(words(&texts), expected);
    }

    #[test]
    fn long_words_are_cut_and_many_words_are_told_apart() {
        let long = "Äx".repeat(50);
        assert!(words(&[&long]).concat().ends_with('\0'));
        assert!(words(&[&"Ab".repeat(50)]).concat().ends_with('\0'));
        let many: Vec<String> = (0..5_000).map(|n| format!("w{n}")).collect();
        assert_eq!(words(&[&many.join(" "), &many.join(",")]), many);
    }
}
