//! A filter, looked up in one segment.
//!
//! Where the terms of the index say less than the filter asks, the answer has a doubt: documents
//! that are possible but not sure. A doubt is settled by the matcher on the event.

use event::Filter;
use event::filter::{FieldName, Glob, Op, Pattern, Piece, Scalar, Test};
use event::words::{fold, is_prose, words};
use jiff::Timestamp;
use tantivy::index::InvertedIndexReader;
use tantivy::postings::TermInfo;

use crate::bits::{Bits, Marks, Window};
use crate::budget::{Budget, Halt};
use crate::error::StoreError;
use crate::month::{Nanos, nanos};
use crate::segment::{BLOCK, Segment};
use crate::shape::{ODD, paths_of};
use crate::term::{self, AFTER, Keeping, Kept};

/// More posting lists than these are joined once, for the whole segment.
const LISTS_MAX: usize = 12;
/// So many terms are looked at between two looks at the clock.
const TERMS_PER_CHECK: usize = 4096;

/// What a part of a filter comes to in a segment.
pub(crate) enum Node {
    All,
    None,
    /// The documents of these posting lists.
    Lists(Dictionary, Vec<TermInfo>),
    /// These documents.
    Set(Bits),
    /// Those with a time from the first to the last, both included.
    Time(Nanos, Nanos),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// All of them are possible, none is sure.
    Doubt(Box<Node>),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Dictionary {
    Paths,
    Terms,
    Words,
}

impl Dictionary {
    fn of(self, segment: &Segment) -> &InvertedIndexReader {
        match self {
            Self::Paths => &segment.paths,
            Self::Terms => &segment.terms,
            Self::Words => &segment.words,
        }
    }
}

impl Node {
    /// The documents of `window`, as far as the index can tell. Those outside of `within` may be
    /// left out.
    pub(crate) fn marks(&self, segment: &Segment, window: Window, within: Option<&Bits>) -> Result<Marks, StoreError> {
        Ok(match self {
            Self::All => Marks::exact(Bits::all(window)),
            Self::None => Marks::none(window),
            Self::Lists(dictionary, lists) => {
                let mut bits = Bits::none(window);
                for list in lists {
                    segment.read(dictionary.of(segment), list, window, within, &mut bits)?;
                }
                Marks::exact(bits)
            }
            Self::Set(bits) => Marks::exact(bits.cut(window)),
            Self::Time(first, last) => Marks::exact(time(segment, window, *first, *last)),
            Self::And(parts) => {
                let mut found: Option<Marks> = None;
                for part in parts {
                    match &mut found {
                        None => found = Some(part.marks(segment, window, within)?),
                        Some(found) => {
                            let more = part.marks(segment, window, Some(found.possible()))?;
                            found.and(&more);
                        }
                    }
                    if found.as_ref().is_some_and(|found| found.possible().is_empty()) {
                        return Ok(Marks::none(window));
                    }
                }
                found.unwrap_or_else(|| Marks::exact(Bits::all(window)))
            }
            Self::Or(parts) => {
                let mut found = Marks::none(window);
                for part in parts {
                    found.or(&part.marks(segment, window, within)?);
                }
                found
            }
            Self::Not(part) => {
                let mut found = part.marks(segment, window, within)?;
                found.not();
                found
            }
            Self::Doubt(part) => part.marks(segment, window, within)?.doubted(),
        })
    }

    /// About how many documents, to begin with the rarest.
    fn weight(&self, segment: &Segment) -> u64 {
        let docs = u64::from(segment.docs);
        match self {
            Self::All => docs,
            Self::None => 0,
            Self::Lists(_, lists) => lists.iter().map(|list| u64::from(list.doc_freq)).sum::<u64>().min(docs),
            Self::Set(bits) => bits.count(),
            Self::Time(..) => docs / 2,
            Self::And(parts) => parts.iter().map(|part| part.weight(segment)).min().unwrap_or(docs),
            Self::Or(parts) => parts.iter().map(|part| part.weight(segment)).sum::<u64>().min(docs),
            Self::Not(part) => docs.saturating_sub(part.weight(segment)),
            Self::Doubt(part) => part.weight(segment),
        }
    }
}

/// The documents of `window` with a time from `first` to `last`.
fn time(segment: &Segment, window: Window, first: Nanos, last: Nanos) -> Bits {
    let mut bits = Bits::none(window);
    let mut times = vec![0; BLOCK as usize];
    for start in (window.start..window.end).step_by(BLOCK as usize) {
        let end = (start - start % BLOCK + BLOCK).min(window.end);
        match segment.bounds.block(start) {
            Some((low, high)) if high < first || low > last => {}
            Some((low, high)) if first <= low && high <= last => (start..end).for_each(|doc| bits.insert(doc)),
            _ => {
                let times = times.get_mut(..(end - start) as usize).unwrap_or_default();
                segment.times(start, times);
                for (doc, time) in (start..end).zip(times.iter()) {
                    if first <= *time && *time <= last {
                        bits.insert(doc);
                    }
                }
            }
        }
    }
    bits
}

/// Looks a filter up in a segment.
pub(crate) struct Lookup<'a> {
    pub(crate) segment: &'a Segment,
    pub(crate) now: Timestamp,
    pub(crate) budget: &'a Budget,
}

impl Lookup<'_> {
    /// The node of a filter. Documents that the index can't hold are in doubt.
    pub(crate) fn root(&self, filter: &Filter) -> Result<Node, Halt> {
        let root = self.node(filter)?;
        let odd = self.exactly(Dictionary::Paths, ODD)?;
        if matches!(odd, Node::None) || matches!(root, Node::All) {
            return Ok(root);
        }
        let odd_again = self.exactly(Dictionary::Paths, ODD)?;
        let usual = Node::And(vec![root, Node::Not(Box::new(odd))]);
        Ok(Node::Or(vec![usual, Node::Doubt(Box::new(odd_again))]))
    }

    fn node(&self, filter: &Filter) -> Result<Node, Halt> {
        self.budget.check()?;
        Ok(match filter {
            Filter::All => Node::All,
            Filter::And(parts) => {
                let mut nodes = Vec::with_capacity(parts.len());
                for part in parts {
                    match self.node(part)? {
                        Node::None => return Ok(Node::None),
                        Node::All => {}
                        node => nodes.push(node),
                    }
                }
                self.and(nodes)
            }
            Filter::Or(parts) => or(parts.iter().map(|part| self.node(part)).collect::<Result<_, _>>()?),
            Filter::Not(part) => match self.node(part)? {
                Node::All => Node::None,
                Node::None => Node::All,
                node => Node::Not(Box::new(node)),
            },
            Filter::Field { field, test } => self.field(field, test)?,
            Filter::Words(test) => self.words(test)?,
        })
    }

    /// All of them, the rarest first.
    fn and(&self, mut nodes: Vec<Node>) -> Node {
        nodes.sort_by_cached_key(|node| node.weight(self.segment));
        match nodes.len() {
            0 => Node::All,
            1 => nodes.swap_remove(0),
            _ => Node::And(nodes),
        }
    }

    fn field(&self, field: &FieldName, test: &Test) -> Result<Node, Halt> {
        let own = self.own_field(field, test)?;
        if !field.as_str().starts_with(event::native::PREFIX) {
            return Ok(own);
        }
        // The fields of the product itself are not in the index: whatever has a record may have them.
        let record = self.exists_at("event.original")?;
        Ok(or(vec![own, Node::Doubt(Box::new(record))]))
    }

    fn own_field(&self, field: &FieldName, test: &Test) -> Result<Node, Halt> {
        if matches!(test, Test::Exists) {
            return self.exists(field);
        }
        if !field.is_wildcard() {
            return self.value(field.as_str(), test);
        }
        let name = Glob::exact(&Pattern::from_stars(field.as_str()));
        let paths = self.paths(|path| name.matches(path))?;
        Ok(or(paths.iter().map(|path| self.value(path, test)).collect::<Result<_, _>>()?))
    }

    /// Every path of the segment that is wanted, each once.
    fn paths(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<String>, Halt> {
        Ok(self.segment.path_names()?.iter().filter(|path| wanted(path)).cloned().collect())
    }

    /// There is a leaf at the path or below it; for a wildcard, at a path that it stands for.
    fn exists(&self, field: &FieldName) -> Result<Node, Halt> {
        let name = Glob::exact(&Pattern::from_stars(field.as_str()));
        let wanted = |path: &str| {
            if field.is_wildcard() {
                return name.matches(path);
            }
            path.strip_prefix(field.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.gather(Dictionary::Paths, &[], &[], |term| paths_of(term).any(wanted))
    }

    /// The test on the leaves at one path.
    fn value(&self, path: &str, test: &Test) -> Result<Node, Halt> {
        let field = FieldName::new(path);
        if path == "@timestamp"
            && let Test::Compare(op, scalar) = test
        {
            return Ok(match scalar.instants(self.now) {
                Some((first, last)) => moment(*op, nanos(first), nanos(last)),
                None => Node::None,
            });
        }
        if field.as_str() != path {
            // An alias that is used as a path; the matcher knows what it means.
            return Ok(Node::Doubt(Box::new(self.exists_at(path)?)));
        }
        match term::keeping(path) {
            Keeping::Nothing => Ok(Node::Doubt(Box::new(self.exists_at(path)?))),
            Keeping::Words => self.text(path, test),
            Keeping::Values => self.kept(path, test),
        }
    }

    fn exists_at(&self, path: &str) -> Result<Node, Halt> {
        self.gather(Dictionary::Paths, &[], &[], |term| paths_of(term).any(|other| other == path))
    }

    /// A text field: its words are among those of the event.
    fn text(&self, path: &str, test: &Test) -> Result<Node, Halt> {
        let at_path = self.exists_at(path)?;
        let words = match test {
            Test::Equals(value) | Test::Phrase(value) => self.all_words(words(value))?,
            Test::Wildcard(pattern) if pattern.is_word() => self.word_pattern(pattern)?,
            Test::Wildcard(pattern) => self.all_words(whole_words(pattern).into_iter())?,
            Test::Exists | Test::Cidr(_) | Test::Compare(..) => Node::All,
        };
        // Numbers and booleans have no words.
        let others = self.gather(Dictionary::Terms, &prefix(path, b'b'), &prefix(path, b'n' + 1), |_| true)?;
        let node = self.and(vec![at_path, or(vec![words, others])]);
        Ok(Node::Doubt(Box::new(node)))
    }

    /// A field whose values are terms: the test is put to each of them.
    fn kept(&self, path: &str, test: &Test) -> Result<Node, Halt> {
        let mut parts = Vec::new();
        match test {
            Test::Exists => return self.exists_at(path),
            Test::Equals(value) | Test::Phrase(value) => {
                let folded = fold(value);
                let mut hash = Vec::new();
                term::write_hash(path, &folded, &mut hash);
                parts.push(doubt(self.exactly(Dictionary::Terms, &hash)?));
                if let Some(bucket) = term::id_bucket(&folded) {
                    let mut key = prefix(path, b'h');
                    key.extend_from_slice(&bucket);
                    parts.push(doubt(self.exactly(Dictionary::Terms, &key)?));
                } else if !term::is_long(&folded) {
                    let mut first = prefix(path, b's');
                    first.extend_from_slice(folded.as_bytes());
                    let mut end = first.clone();
                    end.push(AFTER);
                    parts.push(self.gather(Dictionary::Terms, &first, &end, |_| true)?);
                }
                parts.push(self.equal_others(path, test)?);
            }
            Test::Wildcard(pattern) => {
                let glob = Glob::new(pattern);
                let mut first = prefix(path, b's');
                let skip = first.len() - 1;
                first.extend_from_slice(glob.prefix().as_bytes());
                let node = self.gather(Dictionary::Terms, &first, &after(&first), |found| {
                    matches!(found.get(skip..).and_then(term::read), Some(Kept::String { folded, .. }) if glob.matches(folded))
                })?;
                parts.push(node);
                parts.push(self.hashed(path)?);
            }
            Test::Cidr(net) => {
                // A network that reaches over whole parts of an address is a prefix of its text.
                let mut first = prefix(path, b's');
                let skip = first.len() - 1;
                if let ipnet::IpNet::V4(net) = net {
                    let octets = net.network().octets();
                    for octet in octets.iter().take((net.prefix_len() / 8) as usize) {
                        first.extend_from_slice(format!("{octet}.").as_bytes());
                    }
                    if net.prefix_len() == 32 {
                        first.pop();
                    }
                }
                let filter = Filter::field(path, test.clone());
                let matcher = event::filter::Matcher::new(&filter);
                // Addresses of version 4 may be written as ones of version 6.
                for low in [first, mapped(path, "::"), mapped(path, "0")] {
                    let high = after(&low);
                    parts.push(self.gather(Dictionary::Terms, &low, &high, |found| {
                        self.asked(&matcher, path, found.get(skip..))
                    })?);
                }
                parts.push(self.hashed(path)?);
            }
            Test::Compare(op, scalar) => parts.push(self.compare(path, *op, scalar, test)?),
        }
        Ok(or(parts))
    }

    /// Numbers and booleans that are equal to a text.
    fn equal_others(&self, path: &str, test: &Test) -> Result<Node, Halt> {
        let filter = Filter::field(path, test.clone());
        let matcher = event::filter::Matcher::new(&filter);
        let skip = path.len() + 1;
        let first = prefix(path, b'b');
        let mut parts = vec![self.gather(Dictionary::Terms, &first, &after(&first), |found| {
            self.asked(&matcher, path, found.get(skip..))
        })?];
        if let Test::Equals(value) | Test::Phrase(value) = test
            && let Ok(number) = value.trim().parse()
        {
            let mut term = Vec::new();
            term::write_number(path, number, &mut term);
            if self.asked(&matcher, path, term.get(skip..)) {
                parts.push(self.exactly(Dictionary::Terms, &term)?);
            }
        }
        Ok(or(parts))
    }

    fn compare(&self, path: &str, op: Op, scalar: &Scalar, test: &Test) -> Result<Node, Halt> {
        let skip = path.len() + 1;
        if let Some((low, high)) = scalar.numbers() {
            let first = prefix(path, b'n');
            return self.gather(
                Dictionary::Terms,
                &first,
                &after(&first),
                |found| matches!(found.get(skip..).and_then(term::read), Some(Kept::Number(number)) if op.holds(&number, &low, &high)),
            );
        }
        let filter = Filter::field(path, test.clone()).at(self.now).into_owned();
        let matcher = event::filter::Matcher::new(&filter);
        let first = prefix(path, b's');
        let node = self
            .gather(Dictionary::Terms, &first, &after(&first), |found| self.asked(&matcher, path, found.get(skip..)))?;
        Ok(or(vec![node, self.hashed(path)?]))
    }

    /// What the matcher says of an event with this one leaf.
    fn asked(&self, matcher: &event::filter::Matcher, path: &str, kept: Option<&[u8]>) -> bool {
        let value = match kept.and_then(term::read) {
            Some(Kept::Bool(bool)) => event::Value::Bool(bool),
            Some(Kept::Number(number)) => event::Value::Number(number),
            Some(Kept::String { written, .. }) => event::Value::from(written),
            Some(Kept::Hash) | None => return false,
        };
        let mut value = value;
        let mut keys = path.rsplit('.');
        let last = keys.next().unwrap_or_default();
        for key in std::iter::once(last).chain(keys) {
            value = event::Value::Object(std::iter::once((key, value)).collect());
        }
        let event::Value::Object(fields) = value else { return false };
        matcher.matches(&event::Event::of(fields))
    }

    /// Strings of which only a hash is kept: who knows.
    fn hashed(&self, path: &str) -> Result<Node, Halt> {
        let first = prefix(path, b'h');
        Ok(match self.gather(Dictionary::Terms, &first, &after(&first), |_| true)? {
            Node::None => Node::None,
            node => Node::Doubt(Box::new(node)),
        })
    }

    /// A bare value: somewhere in the event.
    fn words(&self, test: &Test) -> Result<Node, Halt> {
        match test {
            Test::Exists => Ok(Node::All),
            Test::Cidr(_) | Test::Compare(..) => Ok(Node::None),
            Test::Equals(value) => {
                let mut each = Vec::new();
                for part in event::words::parts(value) {
                    let node = or(vec![self.all_words(words(part))?, self.whole(&fold(part))?]);
                    if matches!(node, Node::None) {
                        return Ok(node);
                    }
                    each.push(node);
                }
                Ok(if each.is_empty() { Node::None } else { self.and(each) })
            }
            Test::Phrase(value) => {
                let node = self.all_words(words(value))?;
                let prose = if words(value).nth(1).is_none() { node } else { doubt(node) };
                Ok(or(vec![prose, self.whole(&fold(value))?]))
            }
            Test::Wildcard(pattern) => {
                let prose = if pattern.is_word() {
                    self.word_pattern(pattern)?
                } else {
                    match whole_words(pattern) {
                        whole if whole.is_empty() => Node::Doubt(Box::new(Node::All)),
                        whole => doubt(self.all_words(whole.into_iter())?),
                    }
                };
                if matches!(&prose, Node::Doubt(all) if matches!(**all, Node::All)) {
                    return Ok(prose);
                }
                Ok(or(vec![prose, self.whole_pattern(pattern)?]))
            }
        }
    }

    /// Some string that is no prose is this, whatever its path.
    fn whole(&self, folded: &str) -> Result<Node, Halt> {
        let mut parts = Vec::new();
        if is_prose(folded) {
            return Ok(Node::None);
        }
        for path in self.segment.path_names()?.iter().filter(|path| term::keeping(path) == Keeping::Values) {
            let mut key = Vec::new();
            if let Some(bucket) = term::id_bucket(folded) {
                key = prefix(path, b'h');
                key.extend_from_slice(&bucket);
            } else if term::is_long(folded) {
                term::write_hash(path, folded, &mut key);
            }
            if !key.is_empty() {
                parts.push(doubt(self.exactly(Dictionary::Terms, &key)?));
                continue;
            }
            let mut first = prefix(path, b's');
            first.extend_from_slice(folded.as_bytes());
            let mut end = first.clone();
            end.push(AFTER);
            parts.push(self.gather(Dictionary::Terms, &first, &end, |_| true)?);
        }
        Ok(or(parts))
    }

    /// Some string that is no prose fits, whatever its path; or one that is, as a whole.
    fn whole_pattern(&self, pattern: &Pattern) -> Result<Node, Halt> {
        let glob = Glob::new(pattern);
        let mut parts = Vec::new();
        for path in self.segment.path_names()?.iter().filter(|path| term::keeping(path) == Keeping::Values) {
            let mut first = prefix(path, b's');
            let skip = first.len() - 1;
            first.extend_from_slice(glob.prefix().as_bytes());
            parts.push(self.gather(Dictionary::Terms, &first, &after(&first), |found| {
                matches!(found.get(skip..).and_then(term::read), Some(Kept::String { folded, .. })
                    if glob.matches(folded) && (!pattern.is_word() || !is_prose(folded)))
            })?);
            // Of what is too long to be kept, the event tells; ids are not held against patterns.
            let hashed = prefix(path, b'h');
            let is_long = |found: &[u8]| found.len() == hashed.len() + term::HASH_BYTES;
            parts.push(doubt(self.gather(Dictionary::Terms, &hashed, &after(&hashed), is_long)?));
        }
        Ok(or(parts))
    }

    /// Every one of these words; of none: nothing.
    fn all_words(&self, words: impl Iterator<Item = String>) -> Result<Node, Halt> {
        let mut nodes = Vec::new();
        for word in words {
            let (kept, cut) = term::word(&word);
            let mut key = kept.as_bytes().to_vec();
            let bucket = term::bucket(word.as_bytes());
            match bucket {
                Some(bucket) => key = bucket.to_vec(),
                None if cut => key.push(term::END),
                None => {}
            }
            match self.exactly(Dictionary::Words, &key)? {
                Node::None => return Ok(Node::None),
                node if cut || bucket.is_some() => nodes.push(doubt(node)),
                node => nodes.push(node),
            }
        }
        if nodes.is_empty() { Ok(Node::None) } else { Ok(self.and(nodes)) }
    }

    /// Some word matches.
    fn word_pattern(&self, pattern: &Pattern) -> Result<Node, Halt> {
        let glob = Glob::new(pattern);
        let first = glob.prefix();
        let whole = |term: &[u8]| {
            !matches!(term, [term::BUCKET, ..] | [.., term::END])
                && std::str::from_utf8(term).is_ok_and(|word| glob.matches(word))
        };
        let sure = self.gather(Dictionary::Words, first.as_bytes(), &after(first.as_bytes()), whole)?;
        // A cut word may go on as the pattern wants.
        let is_cut = |term: &[u8]| matches!(term, [.., term::END]) && !matches!(term, [term::BUCKET, ..]);
        let cut = self.gather(Dictionary::Words, &[], &[], |term| is_cut(term) && may_begin(term, first.as_bytes()))?;
        // And so may a word of which only the bucket is known.
        let hexadecimal = glob.texts().all(|text| text.bytes().all(term::is_hexadecimal));
        let mut bucket = vec![term::BUCKET];
        bucket.extend_from_slice(first.as_bytes().get(..2).unwrap_or(first.as_bytes()));
        let buckets =
            if hexadecimal { self.gather(Dictionary::Words, &bucket, &after(&bucket), |_| true)? } else { Node::None };
        Ok(or(vec![sure, doubt(cut), doubt(buckets)]))
    }

    /// The documents of one term.
    fn exactly(&self, dictionary: Dictionary, term: &[u8]) -> Result<Node, Halt> {
        let found = dictionary.of(self.segment).terms().get(term).map_err(|source| self.failed(source))?;
        Ok(found.map_or(Node::None, |list| Node::Lists(dictionary, vec![list])))
    }

    /// The documents of all terms from `first` up to `end` that are wanted.
    fn gather(
        &self,
        dictionary: Dictionary,
        first: &[u8],
        end: &[u8],
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<Node, Halt> {
        let mut lists: Vec<TermInfo> = Vec::new();
        let mut set: Option<Bits> = None;
        let mut failed = None;
        self.each(dictionary, first, end, |term, list| {
            if failed.is_some() || !wanted(term) {
                return;
            }
            if lists.len() < LISTS_MAX && set.is_none() {
                lists.push(list.clone());
                return;
            }
            let whole = self.segment.whole();
            let set = set.get_or_insert_with(|| Bits::none(whole));
            for list in lists.drain(..).chain(std::iter::once(list.clone())) {
                failed = self.segment.read(dictionary.of(self.segment), &list, whole, None, set).err();
            }
        })?;
        if let Some(failed) = failed {
            return Err(failed.into());
        }
        Ok(match set {
            Some(set) => Node::Set(set),
            None if lists.is_empty() => Node::None,
            None => Node::Lists(dictionary, lists),
        })
    }

    /// Every term from `first` up to `end`; an empty end is none.
    fn each(
        &self,
        dictionary: Dictionary,
        first: &[u8],
        end: &[u8],
        mut f: impl FnMut(&[u8], &TermInfo),
    ) -> Result<(), Halt> {
        let mut range = dictionary.of(self.segment).terms().range().ge(first);
        if !end.is_empty() {
            range = range.lt(end);
        }
        let mut terms = range.into_stream().map_err(|source| self.failed(source))?;
        let mut count = 0;
        while terms.advance() {
            f(terms.key(), terms.value());
            count += 1;
            if count % TERMS_PER_CHECK == 0 {
                self.budget.check()?;
            }
        }
        Ok(())
    }

    fn failed(&self, source: std::io::Error) -> Halt {
        Halt::Failed(StoreError::index(self.segment.month, source))
    }
}

fn or(mut nodes: Vec<Node>) -> Node {
    nodes.retain(|node| !matches!(node, Node::None));
    if nodes.iter().any(|node| matches!(node, Node::All)) {
        return Node::All;
    }
    match nodes.len() {
        0 => Node::None,
        1 => nodes.swap_remove(0),
        _ => Node::Or(nodes),
    }
}

fn doubt(node: Node) -> Node {
    if matches!(node, Node::None) { node } else { Node::Doubt(Box::new(node)) }
}

/// Times that stand to the stretch `first..=last` as the operator says.
fn moment(op: Op, first: Nanos, last: Nanos) -> Node {
    match op {
        Op::Eq => Node::Time(first, last),
        Op::Gt => last.checked_add(1).map_or(Node::None, |first| Node::Time(first, Nanos::MAX)),
        Op::Ge => Node::Time(first, Nanos::MAX),
        Op::Lt => first.checked_sub(1).map_or(Node::None, |last| Node::Time(Nanos::MIN, last)),
        Op::Le => Node::Time(Nanos::MIN, last),
    }
}

/// The beginning of all terms of `path` with this tag.
fn prefix(path: &str, tag: u8) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(path.len() + 2);
    term::write_tag(path, tag, &mut prefix);
    prefix
}

/// The beginning of all strings of `path` that begin so.
fn mapped(path: &str, beginning: &str) -> Vec<u8> {
    let mut mapped = prefix(path, b's');
    mapped.extend_from_slice(beginning.as_bytes());
    mapped
}

/// The end of the range of everything that begins with `prefix`; empty for no end.
fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

/// Whether a cut word may go on so that it begins with `first`.
fn may_begin(cut: &[u8], first: &[u8]) -> bool {
    let word = cut.strip_suffix(&[term::END]).unwrap_or(cut);
    word.starts_with(first) || first.starts_with(word)
}

/// The words that everything must hold that the pattern matches: those that stand free between
/// other characters, or at the ends.
fn whole_words(pattern: &Pattern) -> Vec<String> {
    let pieces = pattern.pieces();
    let mut found = Vec::new();
    for (nth, piece) in pieces.iter().enumerate() {
        let Piece::Text(text) = piece else { continue };
        let open_before = nth > 0;
        let open_after = nth + 1 < pieces.len();
        // A letter with a mark of its own is one word in the text, and two in the pattern.
        if !text.chars().all(|c| c.is_ascii() || c.is_alphanumeric()) {
            continue;
        }
        let mut rest = text.as_str();
        if open_before {
            rest = rest.trim_start_matches(char::is_alphanumeric);
        }
        if open_after {
            rest = rest.trim_end_matches(char::is_alphanumeric);
        }
        found.extend(words(rest));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_a_pattern_leaves_whole() {
        let check = |pattern: &str, expected: &[&str]| {
            assert_eq!(whole_words(&Pattern::from_stars(pattern)), expected, "{pattern}")
        };
        check("10.0.*", &["10", "0"]);
        check("*foo-bar*", &[]);
        check("*-foo-bar-b*", &["foo", "bar"]);
        check("rm -rf /var/*", &["rm", "rf", "var"]);
        check("rm -rf /va*", &["rm", "rf"]);
        check("a-i\u{307}*", &[]);
    }
}
