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
use crate::facet::{Facet, Numbers, groups_of, is_countable};
use crate::hours::{HOUR, Hours, NONE};
use crate::matches::{Matches, Part};
use crate::month::{Nanos, timestamp};
use crate::query::Query;
use crate::segment::{BLOCK, Segment};
use crate::span::{Span, Spans};
use crate::tally::Tally;

/// The most fields that events are counted by at once.
pub const FIELDS_MAX: usize = 2;
/// The most rows of a summary.
pub const ROWS_MAX: usize = 10_000;
/// When there are more groups than these, the rarest are let go while counting.
const GROUPS_MAX: usize = 400_000;
/// Up to so many pairs of values are counted in a table, more in a map.
const TABLE_MAX: usize = 1 << 20;
/// So many documents of a block are few.
const FEW: u64 = 200;

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

/// A group of the whole answer: the numbers of its values, the first in the high half.
type Key = u64;

fn key(numbers: &[u32]) -> Key {
    numbers.iter().fold(0, |key, number| key << 32 | u64::from(*number))
}

/// An event that was read, and what it counts under.
struct Single {
    time: Nanos,
    keys: Vec<Key>,
}

/// Whole hours of a segment, to be counted by spans later.
struct KeptHours {
    hours: Arc<Hours>,
    from: Nanos,
    to: Nanos,
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
    /// The numbers of the values of each field.
    numbers: Vec<Arc<Numbers>>,
    all: Tally,
    groups: HashMap<Key, Tally, RandomState>,
    kept: Vec<Kept>,
    kept_hours: Vec<KeptHours>,
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
        numbers: by.fields.iter().map(|field| matches.snapshot.facets.numbers(field)).collect(),
        all: Tally::NONE,
        groups: HashMap::default(),
        kept: Vec::new(),
        kept_hours: Vec::new(),
        singles: Vec::new(),
        approximate: false,
    };
    let mut stopped = match counter.gather() {
        Ok(()) => None,
        Err(halt) => Some(halt.or_fail()?),
    };
    let mut summary = Summary { total: counter.all.count, approximate: counter.approximate, ..Summary::default() };
    let (rows, places) = counter.rows(&mut summary);
    summary.rows = rows;
    if let Some(span) = by.span
        && counter.all.count > 0
    {
        let from = query.from.map_or(counter.all.first, |_| query.stretch().0);
        let last = query.to.map_or(counter.all.last, |_| query.stretch().1.saturating_sub(1));
        let spans = Spans::covering(span, &by.zone, from, last.max(from))?;
        summary.buckets = spans.iter().map(|from| Bucket { from, count: 0, by: vec![0; places.len()] }).collect();
        if let Err(halt) = counter.spans(&spans, &places, &mut summary.buckets) {
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
        // What is counted by hours already need not be counted by events.
        let (from, to) = matches.stretch();
        let whole = if self.can_take_hours() { whole_hours(from, to) } else { None };
        let mut counts: Option<Counts> = None;
        matches.each_besides(whole.is_some(), &mut |part| {
            match part {
                Part::Whole(segment) => {
                    let Some((first, end)) = whole else { return Ok(None) };
                    let Some(hours) = matches.snapshot.facets.hours(segment, matches.budget())? else {
                        return Ok(None);
                    };
                    self.hours(hours, first, end);
                    return Ok(whole);
                }
                Part::Window(segment, window, bits) => {
                    if counts.as_ref().is_none_or(|counts| counts.segment.id != segment.id) {
                        if let Some(counts) = counts.take() {
                            self.join(&counts);
                        }
                        counts = Some(Counts::new(segment, self)?);
                    }
                    if let Some(counts) = &mut counts {
                        self.window(segment, window, bits, counts)?;
                    }
                }
            }
            Ok(None)
        })?;
        if let Some(counts) = counts.take() {
            self.join(&counts);
        }
        Ok(())
    }

    /// Whether the counts by hour say all that is asked for.
    fn can_take_hours(&self) -> bool {
        let fields = self.by.fields.iter().all(|field| matches!(*field, "event.action" | "event.outcome"));
        let twice = matches!(self.by.fields, [one, other] if one == other);
        let spans = match self.by.span {
            None | Some(Span::Hours(_) | Span::Day | Span::Week | Span::Month) => {
                self.by.span.is_none() || self.by.zone == TimeZone::UTC
            }
            Some(Span::Seconds(_) | Span::Minutes(_)) => false,
        };
        fields && !twice && spans && self.matches.is_every_event()
    }

    /// Counts whole hours of a segment.
    fn hours(&mut self, hours: Arc<Hours>, from: Nanos, to: Nanos) {
        let cells = hours.between(from, to);
        let width = hours.outcomes.groups.len() + 1;
        let place = |place: u32, none: usize| if place == NONE { none } else { place as usize };
        let mut table = vec![Tally::NONE; (hours.actions.groups.len() + 1) * width];
        for cell in cells {
            self.all.join(&cell.tally);
            let at = place(cell.action, hours.actions.groups.len()) * width + place(cell.outcome, width - 1);
            if let Some(tally) = table.get_mut(at) {
                tally.join(&cell.tally);
            }
        }
        if !self.by.fields.is_empty() {
            let numbers = self.hour_numbers(&hours);
            for (at, tally) in table.iter().enumerate().filter(|(_, tally)| tally.count > 0) {
                if let Some(key) = self.hour_key(&numbers, at / width, at % width) {
                    self.groups.entry(key).or_insert(Tally::NONE).join(tally);
                }
            }
        }
        if self.by.span.is_some() {
            self.kept_hours.push(KeptHours { hours, from, to });
        }
    }

    /// The numbers of the values of each field that is counted by, in the order of the fields.
    fn hour_numbers<'h>(&self, hours: &'h Hours) -> Vec<std::borrow::Cow<'h, [u32]>> {
        let facet = |field: &str| if field == "event.action" { &hours.actions } else { &hours.outcomes };
        self.by.fields.iter().zip(&self.numbers).map(|(field, numbers)| facet(field).numbers(numbers)).collect()
    }

    fn hour_key(&self, numbers: &[std::borrow::Cow<'_, [u32]>], action: usize, outcome: usize) -> Option<Key> {
        let place = |field: &str| if field == "event.action" { action } else { outcome };
        let mut whole = 0;
        for (field, numbers) in self.by.fields.iter().zip(numbers) {
            whole = whole << 32 | u64::from(*numbers.get(place(field))?);
        }
        Some(whole)
    }

    fn single(&self, time: Nanos, event: &Event<'_>) -> Single {
        let numbers: Vec<Vec<u32>> = self
            .by
            .fields
            .iter()
            .zip(&self.numbers)
            .map(|(field, numbers)| numbers.of(groups_of(event, field).iter()))
            .collect();
        let keys = match numbers.as_slice() {
            [] => Vec::new(),
            [one] => one.iter().map(|number| key(&[*number])).collect(),
            [one, other, ..] => {
                one.iter().flat_map(|number| other.iter().map(|second| key(&[*number, *second]))).collect()
            }
        };
        Single { time, keys }
    }

    /// Counts events that were read.
    fn singles(&mut self, singles: Vec<Single>) {
        for single in singles {
            self.all.add(single.time);
            for key in &single.keys {
                self.groups.entry(*key).or_insert(Tally::NONE).add(single.time);
            }
            if self.by.span.is_some() {
                self.singles.push(single);
            }
        }
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
        let numbers: Vec<_> =
            counts.facets.iter().zip(&self.numbers).map(|(facet, numbers)| facet.numbers(numbers)).collect();
        counts.each(&mut |group, tally| {
            let places = [group / counts.width.max(1), group % counts.width.max(1)];
            let places = if numbers.len() == 1 { [group, 0] } else { places };
            let mut numbers = numbers.iter().zip(places).map(|(numbers, place)| numbers.get(place).copied());
            let key = numbers.try_fold(0, |key, number| Some(key << 32 | u64::from(number?)));
            if let Some(key) = key {
                self.groups.entry(key).or_insert(Tally::NONE).join(tally);
            }
        });
        if self.groups.len() > GROUPS_MAX {
            let mut sizes: Vec<u64> = self.groups.values().map(|tally| tally.count).collect();
            let (_, median, _) = sizes.select_nth_unstable(GROUPS_MAX / 2);
            let enough = *median;
            let mut room = GROUPS_MAX / 2;
            self.groups.retain(|_, tally| {
                let keep = tally.count > enough || tally.count == enough && room > 0;
                room = room.saturating_sub(usize::from(tally.count == enough));
                keep
            });
            self.approximate = true;
        }
    }

    /// The rows, and the keys to them.
    fn rows(&mut self, summary: &mut Summary) -> (Vec<Row>, HashMap<Key, usize>) {
        summary.groups = self.groups.len() as u64;
        let mut all: Vec<(Key, Tally)> = std::mem::take(&mut self.groups).into_iter().collect();
        let top = self.by.top.min(ROWS_MAX).min(all.len());
        let numbered: Vec<_> = self.numbers.iter().map(|numbers| numbers.read()).collect();
        let of = |key: Key| {
            let places = if numbered.len() == 1 { [key, 0] } else { [key >> 32, key & u64::from(u32::MAX)] };
            let groups = numbered.iter().zip(places);
            groups.filter_map(|(numbered, place)| numbered.groups.get(usize::try_from(place).ok()?))
        };
        let order = |(key, tally): &(Key, Tally), (other_key, other): &(Key, Tally)| {
            other
                .count
                .cmp(&tally.count)
                .then_with(|| of(*key).map(|group| &group.folded).cmp(of(*other_key).map(|group| &group.folded)))
        };
        if top < all.len() {
            all.select_nth_unstable_by(top, order);
            all.truncate(top);
        }
        all.sort_unstable_by(order);
        let mut rows = Vec::with_capacity(all.len());
        let mut places = HashMap::with_capacity(all.len());
        for (key, tally) in all {
            places.insert(key, rows.len());
            rows.push(Row {
                keys: of(key).map(|group| String::from(group.written.clone())).collect(),
                count: tally.count,
                first: timestamp(tally.first),
                last: timestamp(tally.last),
            });
        }
        (rows, places)
    }

    /// Counts by spans what was kept.
    fn spans(&self, spans: &Spans, places: &HashMap<Key, usize>, buckets: &mut [Bucket]) -> Result<(), Halt> {
        for single in &self.singles {
            let Some(bucket) = buckets.get_mut(spans.of(single.time)) else { continue };
            bucket.count += 1;
            for key in &single.keys {
                if let Some(by) = places.get(key).and_then(|place| bucket.by.get_mut(*place)) {
                    *by += 1;
                }
            }
        }
        let width = places.len() + 1;
        for KeptHours { hours, from, to } in &self.kept_hours {
            self.matches.budget().check()?;
            self.spans_of_hours(spans, places, hours, *from, *to, buckets);
        }
        let mut table: Option<(Counts, Vec<u64>)> = None;
        for kept in &self.kept {
            self.matches.budget().check()?;
            if table.as_ref().is_none_or(|(counts, _)| counts.segment.id != kept.segment.id) {
                if let Some((_, cells)) = table.take() {
                    pour(&cells, width, buckets);
                }
                let mut counts = Counts::new(&kept.segment, self)?;
                counts.place(places, &self.numbers);
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

    fn spans_of_hours(
        &self,
        spans: &Spans,
        places: &HashMap<Key, usize>,
        hours: &Hours,
        from: Nanos,
        to: Nanos,
        buckets: &mut [Bucket],
    ) {
        let numbers = self.hour_numbers(hours);
        let width = hours.outcomes.groups.len() + 1;
        let rows: Vec<Option<usize>> = (0..(hours.actions.groups.len() + 1) * width)
            .map(|at| places.get(&self.hour_key(&numbers, at / width, at % width)?).copied())
            .collect();
        let place = |place: u32, none: usize| if place == NONE { none } else { place as usize };
        let mut span = 0;
        for cell in hours.between(from, to) {
            span = spans.near(cell.hour, &mut span);
            let Some(bucket) = buckets.get_mut(span) else { continue };
            bucket.count += cell.tally.count;
            let at = place(cell.action, hours.actions.groups.len()) * width + place(cell.outcome, width - 1);
            if let Some(by) = rows.get(at).copied().flatten().and_then(|row| bucket.by.get_mut(row)) {
                *by += cell.tally.count;
            }
        }
    }
}

/// The whole hours of a stretch, when there are some.
fn whole_hours(from: Nanos, to: Nanos) -> Option<(Nanos, Nanos)> {
    let first = from.div_euclid(HOUR).checked_add(i64::from(from.rem_euclid(HOUR) > 0))?.checked_mul(HOUR);
    let first = if from == Nanos::MIN { from } else { first? };
    let end = if to == Nanos::MAX { to } else { to.div_euclid(HOUR).checked_mul(HOUR)? };
    (first < end).then_some((first, end))
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
            // Of a few documents each time is looked up, of many all are read at once.
            let few = bits.count_in(start, end) < FEW;
            let times = if few { &[] } else { times.read(start, end) };
            bits.each_in(start, end, |doc| {
                let time = times.get((doc - start) as usize).copied().unwrap_or_else(|| segment.time(doc));
                all.add(time);
                each_group(facets, *width, doc, |group| match table.get_mut(group) {
                    Some(tally) => tally.add(time),
                    None => map.entry(group).or_insert(Tally::NONE).add(time),
                });
            });
        });
    }

    fn each(&self, f: &mut dyn FnMut(usize, &Tally)) {
        let table = self.table.iter().enumerate().filter(|(_, tally)| tally.count > 0);
        for (group, tally) in table.chain(self.map.iter().map(|(group, tally)| (*group, tally))) {
            f(group, tally);
        }
    }

    /// Finds the rows of the groups.
    fn place(&mut self, rows: &HashMap<Key, usize>, numbers: &[Arc<Numbers>]) {
        let mut places = HashMap::with_capacity(rows.len());
        let local: Vec<HashMap<u32, usize>> = self
            .facets
            .iter()
            .zip(numbers)
            .map(|(facet, numbers)| facet.numbers(numbers).iter().copied().zip(0..).collect())
            .collect();
        for (key, row) in rows {
            #[expect(clippy::cast_possible_truncation, reason = "each half is a number of 32 bits")]
            let (high, low) = ((key >> 32) as u32, *key as u32);
            let group = match local.as_slice() {
                [one] => one.get(&low).copied(),
                [one, other] => one.get(&high).zip(other.get(&low)).map(|(one, other)| one * self.width + other),
                _ => None,
            };
            if let Some(group) = group {
                places.insert(group, *row);
            }
        }
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
