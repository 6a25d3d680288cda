//! The values that a field has, for whoever types the beginning of one.

use std::collections::HashMap;

use event::words::fold;

use crate::bits::Bits;
use crate::budget::{Halt, Stopped};
use crate::error::StoreError;
use crate::facet::{groups_of, is_countable};
use crate::matches::Matches;
use crate::segment::Segment;
use crate::term::{self, END, Kept};

/// A value of a field, and how many events have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldValue {
    pub value: String,
    pub count: u64,
}

/// The values of a field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    /// The most frequent first.
    pub values: Vec<FieldValue>,
    /// Why values may be missing, or counts too low.
    pub stopped: Option<Stopped>,
}

/// The most values that are handed out.
const LIMIT_MAX: usize = 1_000;
/// So many different values are looked at.
const VALUES_MAX: usize = 200_000;

struct Listing<'a> {
    field: &'a str,
    prefix: String,
    found: HashMap<String, FieldValue>,
}

/// The values of `field` that begin with `prefix` in what the query picks.
pub(crate) fn values(matches: &Matches<'_>, field: &str, prefix: &str, limit: usize) -> Result<Values, StoreError> {
    if !is_countable(field) {
        return Ok(Values::default());
    }
    let mut listing = Listing { field, prefix: fold(prefix).into_owned(), found: HashMap::new() };
    let stopped = match listing.gather(matches) {
        Ok(()) => None,
        Err(halt) => Some(halt.or_fail()?),
    };
    let mut found: Vec<(String, FieldValue)> = listing.found.into_iter().collect();
    found.sort_unstable_by(|(a, one), (b, other)| other.count.cmp(&one.count).then_with(|| a.cmp(b)));
    found.truncate(limit.min(LIMIT_MAX));
    Ok(Values { values: found.into_iter().map(|(_, value)| value).collect(), stopped })
}

impl Listing<'_> {
    fn gather(&mut self, matches: &Matches<'_>) -> Result<(), Halt> {
        let everything = matches.is_everything();
        matches.each_recent(&mut |_, event| {
            for group in groups_of(event, self.field) {
                self.add(&group.folded, &group.written, 1);
            }
        })?;
        let mut last: Option<(std::sync::Arc<Segment>, Bits)> = None;
        matches.each(&mut |segment, _, bits| {
            if last.as_ref().is_none_or(|(other, _)| other.id != segment.id) {
                if let Some((segment, bits)) = last.take() {
                    self.segment(matches, &segment, &bits, everything)?;
                }
                last = Some((std::sync::Arc::clone(segment), Bits::none(segment.whole())));
            }
            if let Some((_, all)) = &mut last {
                bits.iter().for_each(|doc| all.insert(doc));
            }
            Ok(())
        })?;
        if let Some((segment, bits)) = last {
            self.segment(matches, &segment, &bits, everything)?;
        }
        Ok(())
    }

    fn segment(&mut self, matches: &Matches<'_>, segment: &Segment, bits: &Bits, everything: bool) -> Result<(), Halt> {
        let failed = |source| Halt::Failed(StoreError::index(segment.month, source));
        let everything = everything && bits.count() == u64::from(segment.docs);
        let start = [self.field.as_bytes(), &[END]].concat();
        let mut strings = [&start[..], b"s", self.prefix.as_bytes()].concat();
        let mut after_strings = strings.clone();
        after_strings.push(u8::MAX);
        let mut count = 0;
        for (first, end) in
            [(start.clone(), [&start[..], b"s"].concat()), (std::mem::take(&mut strings), after_strings)]
        {
            let mut terms = segment.terms.terms().range().ge(&first).lt(&end).into_stream().map_err(failed)?;
            while terms.advance() {
                count += 1;
                if count % 1024 == 0 {
                    matches.budget().check()?;
                }
                if count > VALUES_MAX {
                    return Ok(());
                }
                let (folded, written) = match terms.key().get(start.len()..).and_then(term::read) {
                    Some(Kept::String { folded, written }) => (folded.to_owned(), written.to_owned()),
                    Some(Kept::Number(number)) => (term::number_text(number), term::number_text(number)),
                    Some(Kept::Bool(bool)) => (bool.to_string(), bool.to_string()),
                    Some(Kept::Hash) | None => continue,
                };
                if !folded.starts_with(&self.prefix) {
                    continue;
                }
                let events = if everything {
                    terms.value().doc_freq.into()
                } else {
                    segment.count(&segment.terms, terms.value(), bits)?
                };
                self.add(&folded, &written, events);
            }
        }
        Ok(())
    }

    fn add(&mut self, folded: &str, written: &str, count: u64) {
        if count == 0 || !folded.starts_with(&self.prefix) {
            return;
        }
        match self.found.get_mut(folded) {
            Some(value) => value.count += count,
            None => {
                self.found.insert(folded.to_owned(), FieldValue { value: written.to_owned(), count });
            }
        }
    }
}
