//! Counts by the values of fields and by spans of time.

use std::collections::HashMap;
use std::sync::Arc;

use event::Event;
use foldhash::fast::RandomState;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::bits::{Bits, Window};
use crate::budget::{Halt, Stopped};
use crate::error::StoreError;
use crate::facet::{Facet, Group, groups_of, is_countable};
use crate::matches::Matches;
use crate::month::{Nanos, timestamp};
use crate::query::Query;
use crate::segment::{BLOCK, Segment};
use crate::span::{Span, Spans};

/// The most fields that events are counted by at once.
pub const FIELDS_MAX: usize = 2;
/// The most rows of a summary.
pub const ROWS_MAX: usize = 10_000;
/// When there are more groups than these, the rarest are let go while counting.
const GROUPS_MAX: usize = 400_000;
/// Up to so many pairs of values are counted in a table, more in a map.
const TABLE_MAX: usize = 1 << 20;

/// By what events are counted.
#[derive(Debug, Clone)]
pub struct By<'a> {
    /// None, one or two fields.
    pub fields: &'a [&'a str],
    /// How many rows: those with the highest counts.
    pub top: usize,
    /// Whether to count by time as well.
    pub span: Option<Span>,
    /// Where days begin.
    pub zone: TimeZone,
}

impl<'a> By<'a> {
    /// By these fields alone.
    pub fn fields(fields: &'a [&'a str], top: usize) -> Self {
        Self { fields, top, span: None, zone: TimeZone::UTC }
    }

    /// And by time.
    #[must_use]
    pub fn and_span(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }
}

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The groups with the highest counts, the highest first. An event with several values of a
    /// field counts under each of them, one without any under none.
    pub rows: Vec<Row>,
    /// How many groups there are in all.
    pub groups: u64,
    /// All spans from the first to the last, also those without events.
    pub buckets: Vec<Bucket>,
    /// How many events there are in all.
    pub total: u64,
    /// The rarest groups were let go while counting: `groups` may be too low, and so may be the
    /// counts of rare ones.
    pub approximate: bool,
    /// Why all counts may be too low.
    pub stopped: Option<Stopped>,
}

/// The events of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The values, one for each field.
    pub keys: Vec<String>,
    pub count: u64,
    /// When the first of them happened.
    pub first: Timestamp,
    /// When the last of them happened.
    pub last: Timestamp,
}

/// The events of one span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    pub from: Timestamp,
    pub count: u64,
    /// Of these, how many belong to each row, in the order of the rows.
    pub by: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Tally {
    count: u64,
    first: Nanos,
    last: Nanos,
}

impl Tally {
    const NONE: Self = Self { count: 0, first: Nanos::MAX, last: Nanos::MIN };

    #[inline]
    fn add(&mut self, time: Nanos) {
        self.count += 1;
        self.first = self.first.min(time);
        self.last = self.last.max(time);
    }

    fn join(&mut self, other: &Self) {
        self.count += other.count;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// A group of the whole answer: its folded values, with a zero byte between two.
type Key = Box<str>;

struct Counted {
    tally: Tally,
    written: Vec<Box<str>>,
}

/// An event that was read, and what it counts under.
struct Single {
    time: Nanos,
    keys: Vec<Vec<Group>>,
}

/// What a window holds, to be counted by spans later.
struct Kept {
    segment: Arc<Segment>,
    window: Window,
    bits: Bits,
}

pub(crate) struct Counter<'a> {
    matches: &'a Matches<'a>,
    by: &'a By<'a>,
    all: Tally,
    groups: HashMap<Key, Counted, RandomState>,
    kept: Vec<Kept>,
    singles: Vec<Single>,
    approximate: bool,
}

/// Counts what the query picks.
pub(crate) fn count(matches: &Matches<'_>, query: &Query<'_>, by: &By<'_>) -> Result<Summary, StoreError> {
    if let Some(field) = by.fields.iter().find(|field| !is_countable(field)) {
        return Err(StoreError::NotCountable { field: (*field).to_owned() });
    }
    if by.fields.len() > FIELDS_MAX {
        return Err(StoreError::NotCountable { field: by.fields.join(",") });
    }
    let mut counter = Counter {
        matches,
        by,
        all: Tally::NONE,
        groups: HashMap::default(),
        kept: Vec::new(),
        singles: Vec::new(),
        approximate: false,
    };
    let mut stopped = match counter.gather() {
        Ok(()) => None,
        Err(halt) => Some(halt.or_fail()?),
    };
    let mut summary = Summary { total: counter.all.count, approximate: counter.approximate, ..Summary::default() };
    let (rows, folded) = counter.rows(&mut summary);
    summary.rows = rows;
    if let Some(span) = by.span
        && counter.all.count > 0
    {
        let from = query.from.map_or(counter.all.first, |_| query.stretch().0);
        let last = query.to.map_or(counter.all.last, |_| query.stretch().1.saturating_sub(1));
        let spans = Spans::covering(span, &by.zone, from, last.max(from))?;
        summary.buckets = spans.iter().map(|from| Bucket { from, count: 0, by: vec![0; folded.len()] }).collect();
        if let Err(halt) = counter.spans(&spans, &folded, &mut summary.buckets) {
            stopped = Some(halt.or_fail()?);
        }
    }
    summary.stopped = stopped;
    Ok(summary)
}

impl Counter<'_> {
    fn gather(&mut self) -> Result<(), Halt> {
        let matches = self.matches;
        let mut singles: Vec<Single> = Vec::new();
        matches.each_recent(&mut |time, event| singles.push(self.single(time, event)))?;
        self.singles(singles);
        let mut counts: Option<Counts> = None;
        matches.each(&mut |segment, window, bits| {
            if counts.as_ref().is_none_or(|counts| counts.segment.id != segment.id) {
                if let Some(counts) = counts.take() {
                    self.join(&counts);
                }
                counts = Some(Counts::new(segment, self)?);
            }
            if let Some(counts) = &mut counts {
                self.window(segment, window, bits, counts)?;
            }
            Ok(())
        })?;
        if let Some(counts) = counts.take() {
            self.join(&counts);
        }
        Ok(())
    }

    fn single(&self, time: Nanos, event: &Event<'_>) -> Single {
        Single { time, keys: self.by.fields.iter().map(|field| groups_of(event, field)).collect() }
    }

    /// Counts events that were read.
    fn singles(&mut self, singles: Vec<Single>) {
        for single in singles {
            self.all.add(single.time);
            self.single_groups(&single);
            if self.by.span.is_some() {
                self.singles.push(single);
            }
        }
    }

    fn single_groups(&mut self, single: &Single) {
        let mut key = String::new();
        each_pair(&single.keys, &mut |groups| {
            let tally = Tally { count: 1, first: single.time, last: single.time };
            add(&mut self.groups, &mut key, groups, &tally);
        });
    }

    fn window(&mut self, segment: &Arc<Segment>, window: Window, bits: &Bits, counts: &mut Counts) -> Result<(), Halt> {
        let mut bits = bits.clone();
        // Those of which the index does not hold all values are read.
        let unread: Vec<u32> =
            bits.iter().filter(|doc| counts.facets.iter().any(|facet| facet.unread.contains(*doc))).collect();
        if !unread.is_empty() {
            unread.iter().for_each(|doc| bits.remove(*doc));
            let mut singles = Vec::new();
            self.matches.read(segment, &unread, &mut |time, event| singles.push(self.single(time, event)))?;
            self.singles(singles);
        }
        counts.window(window, &bits, &mut self.all);
        if self.by.span.is_some() {
            self.kept.push(Kept { segment: Arc::clone(segment), window, bits });
        }
        Ok(())
    }

    /// Adds the counts of a segment to the whole.
    fn join(&mut self, counts: &Counts) {
        let mut key = String::new();
        counts.each(&mut |groups, tally| add(&mut self.groups, &mut key, groups, tally));
        if self.groups.len() > GROUPS_MAX {
            let mut sizes: Vec<u64> = self.groups.values().map(|counted| counted.tally.count).collect();
            let (_, median, _) = sizes.select_nth_unstable(GROUPS_MAX / 2);
            let enough = *median;
            let mut room = GROUPS_MAX / 2;
            self.groups.retain(|_, counted| {
                let keep = counted.tally.count > enough || counted.tally.count == enough && room > 0;
                room = room.saturating_sub(usize::from(counted.tally.count == enough));
                keep
            });
            self.approximate = true;
        }
    }

    /// The rows, and the keys to them.
    fn rows(&mut self, summary: &mut Summary) -> (Vec<Row>, HashMap<Key, usize>) {
        summary.groups = self.groups.len() as u64;
        let mut all: Vec<(Key, Counted)> = std::mem::take(&mut self.groups).into_iter().collect();
        let top = self.by.top.min(ROWS_MAX).min(all.len());
        let order = |(key, counted): &(Key, Counted), (other_key, other): &(Key, Counted)| {
            other.tally.count.cmp(&counted.tally.count).then_with(|| key.cmp(other_key))
        };
        if top < all.len() {
            all.select_nth_unstable_by(top, order);
            all.truncate(top);
        }
        all.sort_unstable_by(order);
        let mut rows = Vec::with_capacity(all.len());
        let mut places = HashMap::with_capacity(all.len());
        for (key, counted) in all {
            places.insert(key, rows.len());
            rows.push(Row {
                keys: counted.written.into_iter().map(String::from).collect(),
                count: counted.tally.count,
                first: timestamp(counted.tally.first),
                last: timestamp(counted.tally.last),
            });
        }
        (rows, places)
    }

    /// Counts by spans what was kept.
    fn spans(&self, spans: &Spans, places: &HashMap<Key, usize>, buckets: &mut [Bucket]) -> Result<(), Halt> {
        let mut key = String::new();
        for single in &self.singles {
            let Some(bucket) = buckets.get_mut(spans.of(single.time)) else { continue };
            bucket.count += 1;
            each_pair(&single.keys, &mut |groups| {
                write_key(groups, &mut key);
                if let Some(by) = places.get(key.as_str()).and_then(|place| bucket.by.get_mut(*place)) {
                    *by += 1;
                }
            });
        }
        let mut table: Option<(Counts, Vec<u64>)> = None;
        let width = places.len() + 1;
        for kept in &self.kept {
            self.matches.budget().check()?;
            if table.as_ref().is_none_or(|(counts, _)| counts.segment.id != kept.segment.id) {
                if let Some((_, cells)) = table.take() {
                    pour(&cells, width, buckets);
                }
                let mut counts = Counts::new(&kept.segment, self)?;
                counts.place(places);
                table = Some((counts, vec![0; width * spans.len()]));
            }
            let Some((counts, cells)) = &mut table else { continue };
            each_block(&kept.segment, kept.window, &kept.bits, |start, end, times| {
                // Most blocks lie within one span.
                let one = kept.segment.bounds.block(start).map(|(first, last)| (spans.of(first), spans.of(last)));
                let one = one.filter(|(first, last)| first == last);
                let times = if one.is_some() { &[] } else { times.read(start, end) };
                let mut last = 0;
                kept.bits.each_in(start, end, |doc| {
                    let time = || times.get((doc - start) as usize).copied().unwrap_or_default();
                    let row = one.map_or_else(|| spans.near(time(), &mut last), |(span, _)| span) * width;
                    if let Some(cell) = cells.get_mut(row) {
                        *cell += 1;
                    }
                    counts.places_of(doc, |place| {
                        if let Some(cell) = cells.get_mut(row + 1 + place) {
                            *cell += 1;
                        }
                    });
                });
            });
        }
        if let Some((_, cells)) = table {
            pour(&cells, width, buckets);
        }
        Ok(())
    }
}

/// Adds a table of spans, each with the count of all and of every row, to the buckets.
fn pour(cells: &[u64], width: usize, buckets: &mut [Bucket]) {
    for (bucket, row) in buckets.iter_mut().zip(cells.chunks(width)) {
        let Some((all, by)) = row.split_first() else { continue };
        bucket.count += all;
        bucket.by.iter_mut().zip(by).for_each(|(sum, count)| *sum += count);
    }
}

/// Reads the times of blocks.
struct Times<'a> {
    segment: &'a Segment,
    buffer: Vec<Nanos>,
}

impl Times<'_> {
    /// The times of the documents `start..end`.
    fn read(&mut self, start: u32, end: u32) -> &[Nanos] {
        self.buffer.resize((end - start) as usize, 0);
        self.segment.times(start, &mut self.buffer);
        &self.buffer
    }
}

/// Every block of the window in which there is a document of the set.
fn each_block(segment: &Segment, window: Window, bits: &Bits, mut f: impl FnMut(u32, u32, &mut Times<'_>)) {
    let mut times = Times { segment, buffer: Vec::new() };
    for start in (window.start..window.end).step_by(BLOCK as usize) {
        let end = start.saturating_add(BLOCK).min(window.end);
        if bits.count_in(start, end) > 0 {
            f(start, end, &mut times);
        }
    }
}

/// The counts of one segment, by the places of values in its facets.
struct Counts {
    segment: Arc<Segment>,
    facets: Vec<Arc<Facet>>,
    /// How many groups the second facet has; 1 without it.
    width: usize,
    table: Vec<Tally>,
    map: HashMap<usize, Tally, RandomState>,
    /// Of each group the row, once the rows are known.
    places: HashMap<usize, usize>,
    table_places: Vec<usize>,
}

const NO_PLACE: usize = usize::MAX;

impl Counts {
    fn new(segment: &Arc<Segment>, counter: &Counter<'_>) -> Result<Self, Halt> {
        let facets = counter
            .by
            .fields
            .iter()
            .map(|field| counter.matches.snapshot.facets.get(segment, field, counter.matches.budget()));
        let facets: Vec<Arc<Facet>> = facets.collect::<Result<_, _>>()?;
        let width = facets.get(1).map_or(1, |facet| facet.groups.len());
        let size = facets.first().map_or(0, |facet| facet.groups.len()).saturating_mul(width);
        let table = if size <= TABLE_MAX || facets.len() == 1 { vec![Tally::NONE; size] } else { Vec::new() };
        Ok(Self {
            segment: Arc::clone(segment),
            facets,
            width,
            table,
            map: HashMap::default(),
            places: HashMap::new(),
            table_places: Vec::new(),
        })
    }

    /// Counts the documents of a window.
    fn window(&mut self, window: Window, bits: &Bits, all: &mut Tally) {
        let Self { segment, facets, width, table, map, .. } = self;
        each_block(segment, window, bits, |start, end, times| {
            let times = times.read(start, end);
            bits.each_in(start, end, |doc| {
                let time = times.get((doc - start) as usize).copied().unwrap_or_default();
                all.add(time);
                each_group(facets, *width, doc, |group| match table.get_mut(group) {
                    Some(tally) => tally.add(time),
                    None => map.entry(group).or_insert(Tally::NONE).add(time),
                });
            });
        });
    }

    fn each(&self, f: &mut dyn FnMut(&[&Group], &Tally)) {
        let table = self.table.iter().enumerate().filter(|(_, tally)| tally.count > 0);
        for (group, tally) in table.chain(self.map.iter().map(|(group, tally)| (*group, tally))) {
            f(&self.group(group), tally);
        }
    }

    fn group(&self, group: usize) -> Vec<&Group> {
        let places = [group / self.width.max(1), group % self.width.max(1)];
        self.facets.iter().zip(places).filter_map(|(facet, place)| facet.groups.get(place)).collect()
    }

    /// Finds the rows of the groups.
    fn place(&mut self, rows: &HashMap<Key, usize>) {
        let first: HashMap<&str, usize> = self.places_in(0);
        let second: HashMap<&str, usize> = self.places_in(1);
        let mut places = HashMap::with_capacity(rows.len());
        for (key, row) in rows {
            let group = match (key.split_once('\0'), self.facets.len()) {
                (_, 1) => first.get(&**key).copied(),
                (Some((one, other)), 2) => {
                    first.get(one).zip(second.get(other)).map(|(one, other)| one * self.width + other)
                }
                _ => None,
            };
            if let Some(group) = group {
                places.insert(group, *row);
            }
        }
        drop((first, second));
        if !self.table.is_empty() {
            self.table_places = vec![NO_PLACE; self.table.len()];
            for (group, row) in &places {
                if let Some(place) = self.table_places.get_mut(*group) {
                    *place = *row;
                }
            }
        }
        self.places = places;
    }

    fn places_in(&self, facet: usize) -> HashMap<&str, usize> {
        let groups = self.facets.get(facet).map_or(&[][..], |facet| &facet.groups);
        groups.iter().enumerate().map(|(place, group)| (&*group.folded, place)).collect()
    }

    #[inline]
    fn places_of(&self, doc: u32, mut f: impl FnMut(usize)) {
        each_group(&self.facets, self.width, doc, |group| match self.table_places.get(group) {
            Some(&NO_PLACE) => {}
            Some(place) => f(*place),
            None => {
                if let Some(place) = self.places.get(&group) {
                    f(*place);
                }
            }
        });
    }
}

/// The groups of a document, as places in a table with so many columns.
#[inline]
fn each_group(facets: &[Arc<Facet>], width: usize, doc: u32, mut f: impl FnMut(usize)) {
    match facets {
        [] => {}
        [facet] => facet.of(doc).iter().for_each(|group| f(*group as usize)),
        [facet, second, ..] => {
            for group in facet.of(doc) {
                for other in second.of(doc) {
                    f(*group as usize * width + *other as usize);
                }
            }
        }
    }
}

/// Writes the key of a group.
fn write_key(groups: &[&Group], key: &mut String) {
    key.clear();
    for (nth, group) in groups.iter().enumerate() {
        if nth > 0 {
            key.push('\0');
        }
        key.push_str(&group.folded);
    }
}

fn add(all: &mut HashMap<Key, Counted, RandomState>, key: &mut String, groups: &[&Group], tally: &Tally) {
    write_key(groups, key);
    match all.get_mut(key.as_str()) {
        Some(counted) => counted.tally.join(tally),
        None => {
            let written = groups.iter().map(|group| group.written.clone()).collect();
            all.insert(key.as_str().into(), Counted { tally: *tally, written });
        }
    }
}

/// Every combination of the values of the fields.
fn each_pair(keys: &[Vec<Group>], f: &mut dyn FnMut(&[&Group])) {
    match keys {
        [] => {}
        [one] => one.iter().for_each(|group| f(&[group])),
        [one, other, ..] => {
            for group in one {
                other.iter().for_each(|second| f(&[group, second]));
            }
        }
    }
}
