//! The store of one organization.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use tracing::{info, warn};

use crate::document::Builder;
use crate::entries::Entries;
use crate::error::StoreError;
use crate::facet::Facets;
use crate::manifest::{Entry, Manifest};
use crate::matches::Matches;
use crate::merge;
use crate::month::{Calendar, Month, Nanos};
use crate::query::{Count, Hit, LIMIT_MAX, Order, Page, Paging, Query};
use crate::search::{Nodes, Search};
use crate::segment::Segment;
use crate::shelf::{self, Pen};
use crate::snapshot::{MonthView, Opened, Snapshot, State};
use crate::summary::{self, By, Summary};
use crate::tail::entry_time;
use crate::values::{self, Values};

/// So many entries are read at a time when the index is made again.
const REBUILD: usize = 2_000;
/// How long the writer waits for a merge to come to its end before it looks again.
const MERGE_POLL: Duration = Duration::from_millis(20);

/// How the store works.
#[derive(Debug, Clone)]
pub struct Options {
    /// Memory for what is being indexed, all months together.
    pub heap_bytes: usize,
    /// So many months are written to at a time.
    pub months_max: usize,
    /// What was applied is committed after this time. Until then it is read from the trail: few
    /// large commits cost less than many small ones.
    pub commit_after: Duration,
    /// Fewer events than these wait so many times longer: reading them costs next to nothing.
    pub commit_events_min: usize,
    pub commit_few_after: Duration,
    /// So many events are committed at once.
    pub commit_events_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            heap_bytes: 64_000_000,
            months_max: 64,
            commit_after: Duration::from_secs(10),
            commit_events_min: 2_000,
            commit_few_after: Duration::from_secs(60),
            commit_events_max: 131_072,
        }
    }
}

/// An index over a trail, and the way to ask it.
///
/// One thread follows the trail: it asks [`indexed_to`](Self::indexed_to), reads on from there, and
/// calls [`apply`](Self::apply) and, every now and then, [`tick`](Self::tick). Any number of threads
/// read. What is not in the index yet they find in memory and in the trail.
pub struct Store {
    dir: PathBuf,
    options: Options,
    entries: Arc<dyn Entries>,
    writing: Mutex<Writing>,
    state: RwLock<Arc<State>>,
    opened: Opened,
    facets: Facets,
}

/// What the one writer needs.
struct Writing {
    /// The segments being written, at most one for each month.
    pens: BTreeMap<Month, Pen>,
    manifest: Manifest,
    /// The next position that is wanted.
    applied: u64,
    /// Where segments reach beyond [`Manifest::next`], because others before them were lost.
    ahead: HashMap<Month, Vec<Range<u64>>>,
    builder: Builder,
    calendar: Calendar,
    /// How many events were applied since the last commit, and when the first of them was.
    uncommitted: usize,
    waiting_since: Option<Instant>,
    merging: Option<Merging>,
    /// Segments in whose place others are, and that readers may still be shown.
    replaced: Vec<Entry>,
}

/// Segments that are being joined, on a thread of its own. Whatever happens meanwhile, the result
/// takes their place only if all of them are still there.
struct Merging {
    old: Vec<Entry>,
    thread: JoinHandle<Result<Option<Entry>, StoreError>>,
}

/// How far the index has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
}

/// How the index is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Events before this position are in the index.
    pub indexed_to: u64,
    pub months: usize,
    pub segments: usize,
    pub documents: u64,
    /// Segments are being joined.
    pub merging: bool,
}

impl Store {
    /// Opens the index in `dir`, or begins one. What is damaged, missing or of another version is
    /// thrown away: it comes back by itself, as the follower reads on from where it is missing.
    pub fn open(dir: &Path, options: Options, entries: Arc<dyn Entries>) -> Result<Self, StoreError> {
        let (writing, state) = Writing::open(dir, &*entries)?;
        Ok(Self {
            dir: dir.to_owned(),
            options,
            entries,
            writing: Mutex::new(writing),
            state: RwLock::new(Arc::new(state)),
            opened: Opened::default(),
            facets: Facets::default(),
        })
    }

    /// The position of the next entry to apply. After an error it may be lower than before.
    pub fn indexed_to(&self) -> u64 {
        self.state.read().applied
    }

    /// Takes the entries from position `first` on, which must be [`indexed_to`](Self::indexed_to).
    /// They are found at once; they are on disk after the next commit.
    pub fn apply(&self, first: u64, entries: &[&[u8]]) -> Result<(), StoreError> {
        let mut writing = self.writing.lock();
        if first != writing.applied {
            return Err(StoreError::OutOfOrder { wanted: writing.applied, got: first });
        }
        let applied = writing.apply(first, entries, &self.dir, &self.options);
        let times = self.or_reopen(&mut writing, applied)?;
        {
            let mut state = self.state.write();
            let state = Arc::make_mut(&mut state);
            state.tail.push(times);
            state.applied = writing.applied;
        }
        if writing.is_full(&self.options) {
            self.commit_now(&mut writing)?;
        }
        Ok(())
    }

    /// Commits when it is time to. To be called about every second, when there is nothing to apply.
    pub fn tick(&self) -> Result<(), StoreError> {
        let mut writing = self.writing.lock();
        self.merge_on(&mut writing)?;
        let wait = if writing.uncommitted < self.options.commit_events_min {
            self.options.commit_few_after
        } else {
            self.options.commit_after
        };
        if writing.waiting_since.is_some_and(|since| since.elapsed() >= wait) {
            self.commit_now(&mut writing)?;
        }
        Ok(())
    }

    /// Makes what was applied durable, with its position.
    pub fn commit(&self) -> Result<(), StoreError> {
        self.commit_now(&mut self.writing.lock())
    }

    fn commit_now(&self, writing: &mut Writing) -> Result<(), StoreError> {
        let committed = writing.commit(&self.dir);
        self.or_reopen(writing, committed)?;
        self.show(writing);
        self.merge_on(writing)
    }

    /// Takes the result of a merge that has come to its end, and begins the next.
    fn merge_on(&self, writing: &mut Writing) -> Result<(), StoreError> {
        let merged = writing.take_merged(&self.dir);
        if self.or_reopen(writing, merged)? {
            self.show(writing);
        }
        writing.merge(&self.dir);
        Ok(())
    }

    /// Shows readers what was committed, and removes what they are shown no more.
    fn show(&self, writing: &mut Writing) {
        let old = Arc::clone(&self.state.read());
        let replaced = std::mem::take(&mut writing.replaced);
        for month in replaced.iter().map(|entry| entry.month) {
            // Who reads the month at this moment needs its files open before they go.
            if let Some(Err(error)) = old.months.get(&month).map(|view| view.open()) {
                warn!(%error, "the index of {month} can't be opened");
            }
        }
        let state = writing.state(&self.dir, &old.months);
        let opened = state.months.values().filter_map(|view| view.opened());
        let alive: HashSet<_> =
            opened.flat_map(|segments| segments.iter().map(|segment| segment.id).collect::<Vec<_>>()).collect();
        self.facets.retain(&|segment| alive.contains(&segment));
        let mut shown = self.state.write();
        // What was applied since the last commit stays in the tail.
        let tail = if state.committed == shown.committed { shown.tail.clone() } else { state.tail.clone() };
        *shown = Arc::new(State { tail, ..state });
        drop(shown);
        for entry in replaced {
            if let Err(error) = shelf::remove(&shelf::folder(&self.dir, entry.month, &entry.name)) {
                // It is swept away when the index is opened again.
                warn!(%error, "a part of the index that is not needed any more can't be removed");
            }
        }
    }

    /// After a failure nobody knows what the writers hold; the disk does.
    fn or_reopen<T>(&self, writing: &mut Writing, result: Result<T, StoreError>) -> Result<T, StoreError> {
        result.inspect_err(|error| {
            warn!(error = %error, "the index failed and is opened again");
            writing.pens.clear();
            writing.wait_for_merge();
            match Writing::open(&self.dir, &*self.entries) {
                Ok((reopened, state)) => {
                    *writing = reopened;
                    *self.state.write() = Arc::new(state);
                }
                Err(error) => {
                    // Everything is read from the trail until the disk is back.
                    warn!(error = %error, "the index can't be opened");
                    *writing = Writing::empty();
                    *self.state.write() = Arc::new(State::default());
                }
            }
        })
    }

    /// Forgets the events at these positions, which the trail no longer has: no search finds them,
    /// and no file of the index holds anything of them any more. Segments are written anew without
    /// them, which takes about as long as indexing them took.
    ///
    /// A crash in between leaves some segments as they were; the one who removes asks again.
    pub fn forget(&self, positions: &[Range<u64>]) -> Result<(), StoreError> {
        let is_removed = |position: u64| {
            let at = positions.partition_point(|range| range.end <= position);
            positions.get(at).is_some_and(|range| range.contains(&position))
        };
        let mut writing = self.writing.lock();
        self.commit_now(&mut writing)?;
        writing.wait_for_merge();
        let touched = writing
            .manifest
            .segments
            .iter()
            .filter(|entry| positions.iter().any(|range| range.start < entry.to && entry.from < range.end));
        for entry in touched.cloned().collect::<Vec<_>>() {
            if !shelf::holds(&self.dir, &entry, &is_removed)? {
                continue;
            }
            let name = writing.manifest.name();
            let old = [entry];
            let rewritten = shelf::rewrite(&self.dir, &old, name, Some(&is_removed));
            let rewritten = self.or_reopen(&mut writing, rewritten)?;
            let replaced = writing.replace(&self.dir, &old, rewritten);
            self.or_reopen(&mut writing, replaced)?;
            self.show(&mut writing);
        }
        Ok(())
    }

    /// Throws the index away and makes it again from the first `size` entries of the trail. Reads
    /// go on meanwhile, slower.
    pub fn rebuild(&self, size: u64, progress: &mut dyn FnMut(Progress) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.clear()?;
        loop {
            let done = self.indexed_to();
            if progress(Progress { done, total: size }).is_break() || done >= size {
                return self.commit();
            }
            let max = usize::try_from(size - done).map_or(REBUILD, |rest| rest.min(REBUILD));
            let entries = self.entries.read_from(done, max).map_err(StoreError::Entries)?;
            if entries.is_empty() {
                return self.commit();
            }
            let entries: Vec<&[u8]> = entries.iter().map(AsRef::as_ref).collect();
            match self.apply(done, &entries) {
                // Somebody else follows the trail as well, and was faster.
                Err(StoreError::OutOfOrder { .. }) => {}
                applied => applied?,
            }
        }
    }

    /// Throws the index away. It comes back as the follower reads on.
    pub fn clear(&self) -> Result<(), StoreError> {
        let mut writing = self.writing.lock();
        *self.state.write() = Arc::new(State::default());
        writing.pens.clear();
        writing.wait_for_merge();
        *writing = Writing::empty();
        Manifest::default().write(&self.dir)?;
        shelf::sweep(&self.dir, &[])
    }

    /// Waits until no segments are being joined any more.
    pub fn settle(&self) -> Result<(), StoreError> {
        loop {
            self.commit()?;
            if self.writing.lock().merging.is_none() {
                return Ok(());
            }
            std::thread::sleep(MERGE_POLL);
        }
    }

    /// How the index is doing.
    pub fn health(&self) -> Health {
        let state = Arc::clone(&self.state.read());
        let entries = || state.months.values().flat_map(|view| view.entries());
        Health {
            indexed_to: state.applied,
            months: state.months.len(),
            segments: entries().count(),
            documents: entries().map(|entry| u64::from(entry.docs)).sum(),
            merging: self.writing.try_lock().is_some_and(|writing| writing.merging.is_some()),
        }
    }

    fn snapshot(&self, size: u64) -> Snapshot<'_> {
        let state = Arc::clone(&self.state.read());
        Snapshot { state, size, entries: &*self.entries, opened: &self.opened, facets: &self.facets }
    }

    /// One page of the events before position `size` that the query picks.
    pub fn search(&self, query: &Query<'_>, paging: &Paging, size: u64) -> Result<Page, StoreError> {
        let snapshot = self.snapshot(size);
        Search::new(&snapshot, query, paging, &mut Nodes::default()).run()
    }

    /// How many events before position `size` the query picks.
    pub fn count(&self, query: &Query<'_>, size: u64) -> Result<Count, StoreError> {
        let snapshot = self.snapshot(size);
        let matches = Matches::new(&snapshot, query);
        let mut count = 0;
        let stopped = matches.each_recent(&mut |_, _| count += 1).and_then(|()| {
            matches.each(&mut |_, _, bits| {
                count += bits.count();
                Ok(())
            })
        });
        let stopped = stopped.map_or_else(|halt| halt.or_fail().map(Some), |()| Ok(None))?;
        Ok(Count { count, stopped })
    }

    /// Counts the events before position `size` that the query picks, by fields and by time.
    pub fn count_by(&self, query: &Query<'_>, by: &By<'_>, size: u64) -> Result<Summary, StoreError> {
        let snapshot = self.snapshot(size);
        summary::count(&Matches::new(&snapshot, query), query, by)
    }

    /// The values of `field` that begin with `prefix`, among the events before position `size` that
    /// the query picks. Very long values are left out.
    pub fn values(
        &self,
        query: &Query<'_>,
        field: &str,
        prefix: &str,
        limit: usize,
        size: u64,
    ) -> Result<Values, StoreError> {
        let snapshot = self.snapshot(size);
        values::values(&Matches::new(&snapshot, query), field, prefix, limit)
    }

    /// Shows every event before position `size` that the query picks, in order, holding one page of
    /// them at a time. All of it is about one moment: what is indexed meanwhile changes nothing.
    /// Says why it ended early, if the budget ended it.
    pub fn scan(
        &self,
        query: &Query<'_>,
        order: Order,
        size: u64,
        visit: &mut dyn FnMut(Hit) -> ControlFlow<()>,
    ) -> Result<Option<crate::Stopped>, StoreError> {
        let snapshot = self.snapshot(size);
        let mut nodes = Nodes::default();
        let mut paging = Paging { order, limit: LIMIT_MAX, cursor: None };
        loop {
            let page = Search::new(&snapshot, query, &paging, &mut nodes).run()?;
            for hit in page.hits {
                if visit(hit).is_break() {
                    return Ok(None);
                }
            }
            match page.next {
                Some(next) => paging.cursor = Some(next),
                None => return Ok(page.stopped),
            }
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.writing.get_mut().wait_for_merge();
    }
}

impl Writing {
    fn empty() -> Self {
        Self {
            pens: BTreeMap::new(),
            manifest: Manifest::default(),
            applied: 0,
            ahead: HashMap::new(),
            builder: Builder::default(),
            calendar: Calendar::default(),
            uncommitted: 0,
            waiting_since: None,
            merging: None,
            replaced: Vec::new(),
        }
    }

    /// Takes stock of what is on disk.
    fn open(dir: &Path, entries: &dyn Entries) -> Result<(Self, State), StoreError> {
        std::fs::create_dir_all(dir).map_err(|source| StoreError::disk(dir, source))?;
        let mut manifest = Manifest::read(dir)?;
        if let Some(known) = &manifest
            && known.next > 0
            && entries.read_from(known.next - 1, 1).map_err(StoreError::Entries)?.is_empty()
        {
            // The trail was put back from a backup. What comes next may be something else.
            warn!(position = known.next, "the index is ahead of the trail and is made again");
            manifest = None;
        }
        let mut writing = Self::empty();
        writing.manifest = manifest.unwrap_or_default();
        let Manifest { next, segments, .. } = &mut writing.manifest;
        // What is gone comes back from its first position on; the others know what they have.
        let before = *next;
        segments.retain(|entry| {
            let is_whole = shelf::is_whole(dir, entry);
            if !is_whole {
                warn!(month = %entry.month, "a part of the index of {} is missing or damaged and is made again", entry.month);
                *next = entry.from.min(*next);
            }
            is_whole
        });
        if *next < before {
            info!(position = *next, "the index is made again from position {next}");
            for entry in segments.iter().filter(|entry| entry.to > *next) {
                writing.ahead.entry(entry.month).or_default().push(entry.from..entry.to);
            }
        }
        shelf::sweep(dir, segments)?;
        writing.applied = *next;
        let state = writing.state(dir, &BTreeMap::new());
        Ok((writing, state))
    }

    /// What readers are shown, with the segments that are open already.
    fn state(&self, dir: &Path, old: &BTreeMap<Month, Arc<MonthView>>) -> State {
        let mut by_month: BTreeMap<Month, Vec<Entry>> = BTreeMap::new();
        for entry in &self.manifest.segments {
            by_month.entry(entry.month).or_default().push(entry.clone());
        }
        let views = by_month.into_iter().map(|(month, entries)| match old.get(&month) {
            Some(view) if view.entries() == entries => (month, Arc::clone(view)),
            old => (month, Arc::new(MonthView::new(month, dir, entries, old.map(|view| &**view)))),
        });
        State {
            committed: self.manifest.next,
            applied: self.applied,
            months: Arc::new(views.collect()),
            ..State::default()
        }
    }

    fn apply(
        &mut self,
        first: u64,
        entries: &[&[u8]],
        dir: &Path,
        options: &Options,
    ) -> Result<Vec<Nanos>, StoreError> {
        let mut times = Vec::with_capacity(entries.len());
        for (position, entry) in (first..).zip(entries) {
            if entry.is_empty() {
                // Removed from the trail; nobody finds it again.
                times.push(Nanos::MIN);
                continue;
            }
            let doc = match self.builder.build(position, entry) {
                Ok(doc) => doc,
                Err(error) => {
                    // The trail holds bytes; that these are no event is not for the store to judge.
                    warn!(position, error = %error, "the entry at position {position} is no event");
                    times.push(entry_time(entry));
                    continue;
                }
            };
            times.push(doc.time());
            let month = self.calendar.month(doc.time());
            let is_there = |ranges: &Vec<Range<u64>>| ranges.iter().any(|range: &Range<u64>| range.contains(&position));
            if !self.ahead.is_empty() && self.ahead.get(&month).is_some_and(is_there) {
                continue;
            }
            let pen = match self.pens.entry(month) {
                std::collections::btree_map::Entry::Occupied(pen) => pen.into_mut(),
                std::collections::btree_map::Entry::Vacant(pen) => {
                    pen.insert(Pen::begin(dir, month, self.manifest.name())?)
                }
            };
            pen.add(doc)?;
        }
        self.applied = first + entries.len() as u64;
        self.uncommitted += entries.len();
        self.waiting_since.get_or_insert_with(Instant::now);
        if self.pens.len() > options.months_max {
            // Events of all times at once: what was begun is finished first.
            self.uncommitted = options.commit_events_max;
        }
        Ok(times)
    }

    fn is_full(&self, options: &Options) -> bool {
        self.uncommitted >= options.commit_events_max
            || self.pens.values().map(Pen::bytes).sum::<usize>() >= options.heap_bytes
    }

    fn commit(&mut self, dir: &Path) -> Result<(), StoreError> {
        self.waiting_since = None;
        self.uncommitted = 0;
        let (from, to) = (self.manifest.next, self.applied);
        for (_, pen) in std::mem::take(&mut self.pens) {
            self.manifest.add(pen.finish(dir, from, to)?);
        }
        if from != to {
            self.manifest.next = to;
            // After the segments, never before: see `Manifest`.
            self.manifest.write(dir)?;
        }
        self.ahead.retain(|_, ranges| ranges.iter().any(|range| range.end > to));
        Ok(())
    }

    /// Begins to join small segments, unless some are being joined already.
    fn merge(&mut self, dir: &Path) {
        if self.merging.is_some() || !self.ahead.is_empty() {
            return;
        }
        let chosen = self.manifest.segments.chunk_by(|a, b| a.month == b.month).find_map(|month| {
            let sizes: Vec<u32> = month.iter().map(|entry| entry.docs).collect();
            merge::choose(&sizes).and_then(|range| month.get(range))
        });
        let Some(old) = chosen.map(<[Entry]>::to_vec) else { return };
        let (dir, entries, name) = (dir.to_owned(), old.clone(), self.manifest.name());
        let merge = move || shelf::join(&dir, &entries, name);
        match std::thread::Builder::new().name("index-merge".to_owned()).spawn(merge) {
            Ok(thread) => self.merging = Some(Merging { old, thread }),
            Err(error) => warn!(%error, "no thread to join segments on; they stay apart for now"),
        }
    }

    /// Puts joined segments in their place. Whether there were any.
    fn take_merged(&mut self, dir: &Path) -> Result<bool, StoreError> {
        let Some(Merging { old, thread }) = self.merging.take_if(|merging| merging.thread.is_finished()) else {
            return Ok(false);
        };
        match thread.join() {
            Ok(joined) => self.replace(dir, &old, joined?),
            Err(_) => {
                warn!("joining segments failed; they stay apart");
                Ok(false)
            }
        }
    }

    fn wait_for_merge(&mut self) {
        if let Some(Merging { thread, .. }) = self.merging.take() {
            // Its folder is swept away when the index is opened again.
            let _ = thread.join();
        }
    }

    /// Puts a segment in the place of others. Whether those were still there.
    fn replace(&mut self, dir: &Path, old: &[Entry], new: Option<Entry>) -> Result<bool, StoreError> {
        let unused = new.as_ref().map(|entry| shelf::folder(dir, entry.month, &entry.name));
        if !self.manifest.replace(old, new) {
            unused.map_or(Ok(()), |folder| shelf::remove(&folder))?;
            return Ok(false);
        }
        self.manifest.write(dir)?;
        self.replaced.extend_from_slice(old);
        Ok(true)
    }
}

/// A segment is shared between threads.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Store>();
    shared::<Segment>();
};
