//! The values of one field, document by document.
//!
//! They are not kept as a column: the postings hold them already. When a field is first counted by,
//! its postings are turned around, which takes a few milliseconds for a million documents, and the
//! result is kept as long as there is room. So any field can be counted by, and none costs disk.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use event::words::fold;
use event::{Event, Value};
use foldhash::fast::RandomState;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use tantivy::TERMINATED;
use tantivy::index::SegmentId;
use tantivy::postings::BlockSegmentPostings;
use tantivy::schema::IndexRecordOption;

use crate::bits::Bits;
use crate::budget::{Budget, Halt};
use crate::error::StoreError;
use crate::hours::Hours;
use crate::segment::Segment;
use crate::shape::ODD;
use crate::term::{self, END, Keeping, Kept};

/// The document has several values.
const SEVERAL: u32 = u32::MAX;
/// The document has no value.
const NONE: u32 = u32::MAX - 1;
/// So many bytes of facets are kept.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// So many values of a field have numbers before they begin anew.
const NUMBERED_MAX: usize = 400_000;
const FIELDS_NUMBERED_MAX: usize = 64;

/// A value that events are counted under. Those that differ in letter case only are one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) folded: Box<str>,
    /// One of the ways in which it was written.
    pub(crate) written: Box<str>,
}

/// The values of one field that were met so far, each with a number, in whatever segment it is. So
/// the counts of segments are joined by numbers and not by texts.
#[derive(Default)]
pub(crate) struct Numbers(RwLock<Numbered>);

#[derive(Default)]
pub(crate) struct Numbered {
    of: HashMap<Box<str>, u32, RandomState>,
    pub(crate) groups: Vec<Group>,
}

impl Numbers {
    /// The numbers of these values.
    pub(crate) fn of<'g>(&self, groups: impl Iterator<Item = &'g Group>) -> Vec<u32> {
        let mut numbered = self.0.write();
        let Numbered { of, groups: known } = &mut *numbered;
        let mut number = |group: &Group| match of.get(&group.folded) {
            Some(number) => *number,
            None => {
                let number = group_of(known.len());
                of.insert(group.folded.clone(), number);
                known.push(group.clone());
                number
            }
        };
        groups.map(&mut number).collect()
    }

    /// The values by their numbers.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Numbered> {
        self.0.read()
    }
}

/// The values of one field in one segment.
pub(crate) struct Facet {
    pub(crate) groups: Vec<Group>,
    /// The numbers of the groups among those of the field.
    numbers: Vec<u32>,
    numbered_by: Arc<Numbers>,
    of: Vec<u32>,
    several: HashMap<u32, Vec<u32>>,
    /// Documents with values that only the event itself tells.
    pub(crate) unread: Bits,
}

impl Facet {
    /// The groups of a document, each once, as places in `groups`.
    #[inline]
    pub(crate) fn of(&self, doc: u32) -> &[u32] {
        match self.of.get(doc as usize) {
            None | Some(&NONE) => &[],
            Some(&SEVERAL) => self.several.get(&doc).map_or(&[], Vec::as_slice),
            Some(group) => std::slice::from_ref(group),
        }
    }

    /// The numbers of the groups, as `numbers` has them.
    pub(crate) fn numbers(&self, numbers: &Arc<Numbers>) -> Cow<'_, [u32]> {
        if Arc::ptr_eq(numbers, &self.numbered_by) {
            return Cow::Borrowed(&self.numbers);
        }
        Cow::Owned(numbers.of(self.groups.iter()))
    }

    /// Whether each document has at most one value, and it is known here.
    pub(crate) fn is_plain(&self) -> bool {
        self.several.is_empty() && self.unread.is_empty()
    }

    fn bytes(&self) -> usize {
        let groups: usize = self.groups.iter().map(|group| group.folded.len() + group.written.len() + 64).sum();
        self.of.len() * 4 + self.several.len() * 64 + groups + self.of.len() / 8
    }

    fn put(&mut self, doc: u32, group: u32) {
        let Some(slot) = self.of.get_mut(doc as usize) else { return };
        match *slot {
            NONE => *slot = group,
            SEVERAL => {
                let groups = self.several.entry(doc).or_default();
                if !groups.contains(&group) {
                    groups.push(group);
                }
            }
            other if other == group => {}
            other => {
                *slot = SEVERAL;
                self.several.insert(doc, vec![other, group]);
            }
        }
    }
}

/// Whether events can be counted by a field.
pub fn is_countable(field: &str) -> bool {
    term::keeping(field) == Keeping::Values && field.len() <= term::PATH_BYTES_MAX && !field.is_empty()
}

/// The groups of an event, each once.
pub(crate) fn groups_of(event: &Event<'_>, field: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    event.values(field, &mut |value| {
        let group = match value {
            Value::String(text) => Group { folded: fold(text).into(), written: text.as_ref().into() },
            Value::Number(number) => same(term::number_text(*number)),
            Value::Bool(bool) => same(bool.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => return,
        };
        if !groups.iter().any(|other| other.folded == group.folded) {
            groups.push(group);
        }
    });
    groups
}

fn same(text: String) -> Group {
    Group { folded: text.as_str().into(), written: text.into() }
}

/// A segment and a field.
type Key = (SegmentId, String);

/// The facets that were made lately, each with its last use.
#[derive(Default)]
pub(crate) struct Facets {
    kept: Mutex<HashMap<Key, (Arc<Facet>, u64)>>,
    numbers: Mutex<HashMap<String, Arc<Numbers>>>,
    hours: Mutex<HashMap<SegmentId, Option<Arc<Hours>>>>,
    uses: AtomicU64,
}

impl Facets {
    pub(crate) fn get(&self, segment: &Segment, field: &str, budget: &Budget) -> Result<Arc<Facet>, Halt> {
        let used = self.uses.fetch_add(1, Ordering::Relaxed);
        let key = (segment.id, field.to_owned());
        if let Some((facet, last)) = self.kept.lock().get_mut(&key) {
            *last = used;
            return Ok(Arc::clone(facet));
        }
        let facet = Arc::new(turn_around(segment, field, self.numbers(field), budget)?);
        let mut kept = self.kept.lock();
        kept.insert(key, (Arc::clone(&facet), used));
        let mut bytes: usize = kept.values().map(|(facet, _)| facet.bytes()).sum();
        while bytes > KEPT_BYTES_MAX && kept.len() > 1 {
            let Some(oldest) = kept.iter().min_by_key(|(_, (_, last))| *last).map(|(key, _)| key.clone()) else {
                break;
            };
            if let Some((facet, _)) = kept.remove(&oldest) {
                bytes -= facet.bytes();
            }
        }
        Ok(facet)
    }

    /// The numbers of the values of a field. When there are too many of them, they begin anew.
    pub(crate) fn numbers(&self, field: &str) -> Arc<Numbers> {
        let mut numbers = self.numbers.lock();
        let known = numbers.entry(field.to_owned()).or_default();
        if known.read().groups.len() > NUMBERED_MAX {
            *known = Arc::default();
        }
        let known = Arc::clone(known);
        if numbers.len() > FIELDS_NUMBERED_MAX {
            numbers.retain(|name, _| name == field);
        }
        known
    }

    /// The counts by hour of a segment; none where they would not be all there is.
    pub(crate) fn hours(&self, segment: &Arc<Segment>, budget: &Budget) -> Result<Option<Arc<Hours>>, Halt> {
        if let Some(hours) = self.hours.lock().get(&segment.id) {
            return Ok(hours.clone());
        }
        let actions = self.get(segment, "event.action", budget)?;
        let outcomes = self.get(segment, "event.outcome", budget)?;
        let hours = Hours::of(segment, actions, outcomes, budget)?.map(Arc::new);
        let mut kept = self.hours.lock();
        let bytes: usize = kept.values().flatten().map(|hours| hours.bytes()).sum();
        if bytes > KEPT_BYTES_MAX / 2 {
            kept.clear();
        }
        kept.insert(segment.id, hours.clone());
        Ok(hours)
    }

    /// Forgets the facets of segments that are no more.
    pub(crate) fn retain(&self, alive: &dyn Fn(SegmentId) -> bool) {
        self.kept.lock().retain(|(segment, _), _| alive(*segment));
        self.hours.lock().retain(|segment, _| alive(*segment));
    }
}

fn turn_around(segment: &Segment, field: &str, numbers: Arc<Numbers>, budget: &Budget) -> Result<Facet, Halt> {
    let failed = |source| Halt::Failed(StoreError::index(segment.month, source));
    let mut facet = Facet {
        groups: Vec::new(),
        numbers: Vec::new(),
        numbered_by: numbers,
        of: vec![NONE; segment.docs as usize],
        several: HashMap::new(),
        unread: Bits::none(segment.whole()),
    };
    if let Some(odd) = segment.paths.terms().get(ODD).map_err(failed)? {
        segment.read(&segment.paths, &odd, segment.whole(), None, &mut facet.unread)?;
    }
    let first = [field.as_bytes(), &[END]].concat();
    let end = [field.as_bytes(), &[END + 1]].concat();
    let mut terms = segment.terms.terms().range().ge(&first).lt(&end).into_stream().map_err(failed)?;
    let mut postings: Option<BlockSegmentPostings> = None;
    // A string may read as a number or a boolean does; those come first.
    let mut others: HashMap<String, u32> = HashMap::new();
    let mut count = 0_u32;
    while terms.advance() {
        count += 1;
        if count.is_multiple_of(4096) {
            budget.check()?;
        }
        let kept = terms.key().get(first.len()..).and_then(term::read);
        let (folded, written) = match kept {
            None => continue,
            Some(Kept::Hash) => {
                segment.read(&segment.terms, terms.value(), segment.whole(), None, &mut facet.unread)?;
                continue;
            }
            Some(Kept::String { folded, written }) => (folded.to_owned(), written.to_owned()),
            Some(Kept::Number(number)) => (term::number_text(number), term::number_text(number)),
            Some(Kept::Bool(bool)) => (bool.to_string(), bool.to_string()),
        };
        let group = match (others.get(&folded), facet.groups.last()) {
            (Some(group), _) => *group,
            (None, Some(last)) if *last.folded == *folded => group_of(facet.groups.len() - 1),
            _ => {
                let group = group_of(facet.groups.len());
                if !matches!(kept, Some(Kept::String { .. })) {
                    others.insert(folded.clone(), group);
                }
                facet.groups.push(Group { folded: folded.into(), written: written.into() });
                group
            }
        };
        let postings = match &mut postings {
            Some(postings) => {
                segment.terms.reset_block_postings_from_terminfo(terms.value(), postings).map_err(failed)?;
                postings
            }
            None => postings.insert(
                segment
                    .terms
                    .read_block_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)
                    .map_err(failed)?,
            ),
        };
        loop {
            let docs = postings.docs();
            if docs.is_empty() || docs.first() == Some(&TERMINATED) {
                break;
            }
            docs.iter().for_each(|doc| facet.put(*doc, group));
            postings.advance();
        }
    }
    facet.numbers = facet.numbered_by.of(facet.groups.iter());
    Ok(facet)
}

#[expect(clippy::cast_possible_truncation, reason = "a segment holds fewer than 2^32 documents, and so fewer values")]
fn group_of(at: usize) -> u32 {
    at as u32
}
