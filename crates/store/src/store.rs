//! The store of one organization.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use event::Event;
use parking_lot::{Mutex, RwLock};
use tracing::{info, warn};

use crate::document::{Builder, Indexed};
use crate::entries::Entries;
use crate::error::StoreError;
use crate::facet::Facets;
use crate::manifest::{Manifest, folders};
use crate::matches::Matches;
use crate::month::{Calendar, Month};
use crate::partition::{Partition, remove};
use crate::query::{Count, Hit, LIMIT_MAX, Order, Page, Paging, Query};
use crate::search::{Nodes, Search};
use crate::segment::Segment;
use crate::shape::Shapes;
use crate::snapshot::{MonthView, Opened, Snapshot, State};
use crate::summary::{self, By, Summary};
use crate::tail::{Chunk, entry_time};
use crate::values::{self, Values};

/// The least memory that a writer of the engine works with.
const WRITER_BYTES_MIN: usize = 15_000_000;
/// So many entries are read at a time when the index is made again.
const REBUILD: usize = 2_000;

/// How the store works.
#[derive(Debug, Clone)]
pub struct Options {
    /// Memory for what is being indexed, all months together.
    pub heap_bytes: usize,
    /// So many months are written to at a time; events of others wait until one of them is closed.
    pub writers_max: usize,
    /// After this time what was applied is committed,
    pub commit_after: Duration,
    /// or after so many events,
    pub commit_events_max: usize,
    /// or so many bytes of them.
    pub commit_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            heap_bytes: 96_000_000,
            writers_max: 3,
            commit_after: Duration::from_secs(1),
            commit_events_max: 40_000,
            commit_bytes_max: 32 * 1024 * 1024,
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
    partitions: BTreeMap<Month, Partition>,
    manifest: Manifest,
    /// The next position that is wanted.
    applied: u64,
    builder: Builder,
    shapes: Shapes,
    calendar: Calendar,
    uses: u64,
    /// How many events were applied since the last commit, and when that was.
    uncommitted: usize,
    committed_at: Instant,
    /// Months whose segments have changed since they were last shown to readers.
    changed: BTreeSet<Month>,
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
        let chunk = self.or_reopen(&mut writing, applied)?;
        let full = {
            let mut state = self.state.write();
            let state = Arc::make_mut(&mut state);
            state.tail.push(chunk);
            state.applied = writing.applied;
            state.tail.bytes() >= self.options.commit_bytes_max
        };
        if full || writing.uncommitted >= self.options.commit_events_max {
            self.commit_now(&mut writing)?;
        }
        Ok(())
    }

    /// Commits when it is time to. To be called about every second when nothing is applied.
    pub fn tick(&self) -> Result<(), StoreError> {
        let mut writing = self.writing.lock();
        let due = writing.committed_at.elapsed() >= self.options.commit_after;
        let merged = writing.note_merged();
        if due && (writing.uncommitted > 0 || merged || !writing.changed.is_empty()) {
            self.commit_now(&mut writing)?;
        }
        Ok(())
    }

    /// Makes what was applied durable, with its position.
    pub fn commit(&self) -> Result<(), StoreError> {
        let mut writing = self.writing.lock();
        writing.note_merged();
        self.commit_now(&mut writing)
    }

    fn commit_now(&self, writing: &mut Writing) -> Result<(), StoreError> {
        let committed = writing.commit(&self.dir);
        self.or_reopen(writing, committed)?;
        let shown = self.show(writing);
        self.or_reopen(writing, shown)
    }

    /// Shows readers what was committed.
    fn show(&self, writing: &mut Writing) -> Result<(), StoreError> {
        let old = Arc::clone(&self.state.read());
        let mut months = BTreeMap::clone(&old.months);
        for month in std::mem::take(&mut writing.changed) {
            let Some(partition) = writing.partitions.get_mut(&month) else { continue };
            let known = months.get(&month).and_then(|view| view.opened());
            let segments = partition.segments(known.as_deref().map_or(&[], Vec::as_slice))?;
            partition.merge(&segments);
            months.insert(month, Arc::new(MonthView::new(month, partition.index(), Some(segments))));
        }
        let alive: HashSet<_> = months
            .values()
            .filter_map(|view| view.opened())
            .flat_map(|segments| segments.iter().map(|segment| segment.id).collect::<Vec<_>>())
            .collect();
        self.facets.retain(&|segment| alive.contains(&segment));
        let state = State {
            committed: writing.manifest.next,
            applied: writing.applied,
            months: Arc::new(months),
            ..State::default()
        };
        *self.state.write() = Arc::new(state);
        Ok(())
    }

    /// After a failure nobody knows what the writers hold; the disk does.
    fn or_reopen<T>(&self, writing: &mut Writing, result: Result<T, StoreError>) -> Result<T, StoreError> {
        result.inspect_err(|error| {
            warn!(error = %error, "the index failed and is opened again");
            writing.partitions.clear();
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
            let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
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
        for (_, partition) in std::mem::take(&mut writing.partitions) {
            partition.remove()?;
        }
        *writing = Writing::empty();
        Manifest::default().write(&self.dir)
    }

    /// Waits until no segments are being joined any more.
    pub fn settle(&self) -> Result<(), StoreError> {
        loop {
            self.commit()?;
            if !self.writing.lock().is_merging() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How the index is doing.
    pub fn health(&self) -> Health {
        let state = Arc::clone(&self.state.read());
        let opened: Vec<_> = state.months.values().filter_map(|view| view.opened()).collect();
        Health {
            indexed_to: state.applied,
            months: state.months.len(),
            segments: opened.iter().map(|segments| segments.len()).sum(),
            documents: opened.iter().flat_map(|segments| segments.iter()).map(|segment| u64::from(segment.docs)).sum(),
            merging: self.writing.try_lock().is_some_and(|writing| writing.is_merging()),
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

impl Writing {
    fn empty() -> Self {
        Self {
            partitions: BTreeMap::new(),
            manifest: Manifest::default(),
            applied: 0,
            builder: Builder::default(),
            shapes: Shapes::default(),
            calendar: Calendar::default(),
            uses: 0,
            uncommitted: 0,
            committed_at: Instant::now(),
            changed: BTreeSet::new(),
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
        let found = folders(dir)?;
        let Some(known) = manifest else {
            for (_, folder) in found {
                remove(&folder)?;
            }
            return Ok((writing, State::default()));
        };
        writing.manifest = known;
        for (month, folder) in found {
            match Partition::open(month, &folder).and_then(|partition| Ok((partition.segments(&[])?, partition))) {
                Ok((_, partition)) => {
                    writing.manifest.months.entry(month).or_insert(writing.manifest.next);
                    writing.partitions.insert(month, partition);
                }
                Err(error) => {
                    warn!(error = %error, "the index of {month} is damaged and is made again");
                    remove(&folder)?;
                }
            }
        }
        // A month that is gone comes back from its first event on; the other months know what they
        // have.
        let missing = writing.manifest.months.iter().filter(|(month, _)| !writing.partitions.contains_key(month));
        if let Some(first) = missing.map(|(_, first)| *first).min() {
            info!(position = first, "the index is made again from position {first}");
            for partition in writing.partitions.values_mut() {
                partition.committed_to = partition.committed_to.max(writing.manifest.next);
            }
            writing.manifest.next = writing.manifest.next.min(first);
        }
        writing.applied = writing.manifest.next;
        let views = writing
            .partitions
            .iter()
            .map(|(month, partition)| (*month, Arc::new(MonthView::new(*month, partition.index(), None))));
        let state = State {
            committed: writing.applied,
            applied: writing.applied,
            months: Arc::new(views.collect()),
            ..State::default()
        };
        Ok((writing, state))
    }

    fn apply(&mut self, first: u64, entries: &[&[u8]], dir: &Path, options: &Options) -> Result<Chunk, StoreError> {
        let next = first + entries.len() as u64;
        let mut chunk = Chunk::new(first);
        let mut docs: BTreeMap<Month, Vec<Indexed>> = BTreeMap::new();
        for (position, entry) in (first..).zip(entries) {
            let event = match Event::read(entry) {
                Ok(event) => event,
                Err(error) => {
                    // The trail holds bytes; that these are no event is not for the store to judge.
                    warn!(position, error = %error, "the entry at position {position} is no event");
                    chunk.push(entry_time(entry), entry);
                    continue;
                }
            };
            let doc = self.builder.build(position, &event, &mut self.shapes);
            chunk.push(doc.time, entry);
            docs.entry(self.calendar.month(doc.time)).or_default().push(doc);
        }
        let months: Vec<Month> = docs.keys().copied().collect();
        for (at, (month, docs)) in docs.into_iter().enumerate() {
            self.make_room(month, first, next, months.get(at + 1..).unwrap_or_default(), options)?;
            self.uses += 1;
            let partition = match self.partitions.entry(month) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    self.manifest.months.entry(month).or_insert(first);
                    entry.insert(Partition::open(month, &dir.join(month.to_string()))?)
                }
            };
            partition.used = self.uses;
            let heap_bytes = (options.heap_bytes / options.writers_max.max(1)).max(WRITER_BYTES_MIN);
            for doc in docs {
                // After a crash some months are ahead of the others.
                if doc.position >= partition.committed_to {
                    partition.add(doc, heap_bytes)?;
                }
            }
        }
        self.applied = next;
        self.uncommitted += entries.len();
        Ok(chunk)
    }

    /// Closes the writer that was not used for the longest time, when another one is needed.
    /// `waiting` are the months whose documents of this batch are still to come.
    fn make_room(
        &mut self,
        month: Month,
        first: u64,
        next: u64,
        waiting: &[Month],
        options: &Options,
    ) -> Result<(), StoreError> {
        let is_open = self.partitions.get(&month).is_some_and(Partition::is_writing);
        while !is_open
            && self.partitions.values().filter(|partition| partition.is_writing()).count() >= options.writers_max.max(1)
        {
            let open = self.partitions.values_mut().filter(|partition| partition.is_writing());
            let Some(oldest) = open.min_by_key(|partition| (waiting.contains(&partition.month), partition.used)) else {
                return Ok(());
            };
            if oldest.dirty {
                oldest.commit(if waiting.contains(&oldest.month) { first } else { next })?;
            }
            oldest.close();
            self.changed.insert(oldest.month);
        }
        Ok(())
    }

    fn commit(&mut self, dir: &Path) -> Result<(), StoreError> {
        self.committed_at = Instant::now();
        self.uncommitted = 0;
        for partition in self.partitions.values_mut().filter(|partition| partition.dirty) {
            partition.commit(self.applied)?;
            self.changed.insert(partition.month);
        }
        if self.manifest.next != self.applied {
            // After the months, never before: see `Manifest`.
            self.manifest.next = self.applied;
            self.manifest.write(dir)?;
        }
        Ok(())
    }

    fn note_merged(&mut self) -> bool {
        let merged =
            self.partitions.values_mut().filter_map(|partition| partition.has_merged().then_some(partition.month));
        let before = self.changed.len();
        let merged: Vec<Month> = merged.collect();
        self.changed.extend(merged);
        self.changed.len() > before
    }

    fn is_merging(&self) -> bool {
        self.partitions.values().any(Partition::is_merging)
    }
}

/// A segment is shared between threads.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Store>();
    shared::<Segment>();
};
