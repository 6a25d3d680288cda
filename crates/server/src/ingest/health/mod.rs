//! How every source is, derived from the trail alone: told its entries in order, and the time.
//!
//! All of it lies in memory and is stored together with the follower's position. What it decides (a silence, a gap)
//! is stored in the same transaction as an event that waits to be recorded, so a crash tells nothing twice and
//! forgets nothing.

pub mod facts;
pub mod lag;
pub mod rhythm;
pub mod sequence;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use api::health::SilenceMode;
use event::Event;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::json;
use sqlx::SqlitePool;

use crate::append::{OWN_SOURCE, SENT_BY};
use crate::state::health::{self as state, Gap, SilenceSetting};
use crate::state::{followers, new_id, sources};
use facts::{Facts, Glance, HOURS_KEPT, Setting, Turn};
use rhythm::HOUR_MS;
use sequence::{Hole, Seen, Stream};

/// The name under which the follower keeps its position.
pub const FOLLOWER: &str = "sources";
/// The source of events that name none.
pub const NO_SOURCE: &str = "events";
const SOURCES_MAX: usize = 1_000;
const STREAMS_MAX: usize = 20_000;
const STREAM_CHARS_MAX: usize = 200;
const GAPS_KEPT_MAX: i64 = 1_000;
const MARKS_MAX: usize = 100_000;
/// Whole numbers that JSON carries exactly.
const NUMBER_MAX: f64 = 9_007_199_254_740_991.0;
const SAVE_EVERY_MS: i64 = 5_000;

type Key = (String, String);

/// What is known of all sources.
#[derive(Default)]
pub struct Health {
    table: Mutex<Table>,
    marks: Mutex<Vec<Mark>>,
    /// Somebody else has left events to be told.
    rung: AtomicBool,
}

/// The number of an event that the selection left out: it is not in the trail, and not missing.
struct Mark {
    key: Key,
    number: u64,
    at_ms: i64,
}

#[derive(Default)]
struct Table {
    sources: BTreeMap<String, Facts>,
    settings: HashMap<String, Setting>,
    streams: HashMap<Key, Stream>,
    /// Streams with something missing that is no gap yet.
    waiting: HashSet<Key>,
    listening_ms: i64,
    /// The newest time at which an entry came in.
    newest_ms: i64,
    changed: Changed,
}

/// What is not stored yet.
#[derive(Default)]
struct Changed {
    sources: HashSet<String>,
    streams: HashSet<Key>,
    gaps: Vec<GapChange>,
    notices: Vec<(String, serde_json::Value)>,
    saved_ms: i64,
    pruned_hour: i64,
}

#[derive(Debug, Clone)]
enum GapChange {
    Found { id: String, key: Key, hole: Hole, at_ms: i64 },
    Filled { id: String, left: u64, at_ms: i64 },
}

/// An entry of the trail, as far as the health of its source is concerned.
#[derive(Debug, Default)]
struct Entry {
    glance: Glance,
    source: Option<String>,
    number: Option<f64>,
    session: Option<String>,
    process: Option<String>,
    provider: Option<String>,
    action: Option<String>,
    about: Option<String>,
    records: Option<u64>,
}

impl Health {
    /// Reads what was stored. From now on this server listens.
    pub async fn open(pool: &SqlitePool, now: Timestamp) -> sqlx::Result<Self> {
        let now_ms = now.as_millisecond();
        let mut table = Table { listening_ms: now_ms, newest_ms: now_ms, ..Table::default() };
        table.changed.saved_ms = now_ms;
        for known in sources::activity(pool).await? {
            let facts = Facts {
                events: known.events.cast_unsigned(),
                first_ms: Some(known.first_seen_at),
                last_ms: Some(known.last_seen_at),
                ..Facts::default()
            };
            table.sources.insert(known.name, facts);
        }
        for (name, text) in state::all(pool, SOURCES_MAX as i64).await? {
            let mut facts: Facts = serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()))?;
            facts.rhythm.skip(now_ms);
            table.sources.insert(name, facts);
        }
        for (source, hour, events, rejected, left_out) in
            state::hours(pool, now_ms.div_euclid(HOUR_MS) - HOURS_KEPT).await?
        {
            if let Some(facts) = table.sources.get_mut(&source) {
                let [events, rejected, left_out] = [events, rejected, left_out].map(i64::cast_unsigned);
                facts.hours.insert(hour, facts::Hour { events, rejected, left_out });
            }
        }
        for (source, stream, text) in state::streams(pool, STREAMS_MAX as i64).await? {
            let known: Stream = serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()))?;
            let key = (source, stream);
            if known.is_waiting() {
                table.waiting.insert(key.clone());
            }
            table.streams.insert(key, known);
        }
        for setting in state::silence(pool).await? {
            table.settings.insert(setting.source.clone(), setting_of(&setting));
        }
        Ok(Self { table: Mutex::new(table), ..Self::default() })
    }

    /// Takes entries of the trail, in their order.
    pub fn take<'a>(&self, entries: impl Iterator<Item = &'a [u8]>, now: Timestamp) {
        self.apply_marks();
        for entry in entries {
            let Some(entry) = glance(entry, now) else { continue };
            self.table.lock().take(&entry, now);
        }
    }

    /// Time goes on. `caught_up`: all that is in the trail was taken, so that what is not there did not come.
    pub fn tick(&self, now: Timestamp, caught_up: bool, off: impl Fn(&str) -> bool) {
        self.apply_marks();
        self.table.lock().tick(now, caught_up, off);
    }

    /// An event with a number was left out: the number is not missing. What of it is lost in a crash is at most what
    /// came in the last seconds.
    pub fn left_out(&self, entry: &[u8], now: Timestamp) {
        let Some(entry) = glance(entry, now) else { return };
        let (Some(key), Some(number)) = (entry.key(), entry.number()) else { return };
        let mut marks = self.marks.lock();
        if marks.len() < MARKS_MAX {
            marks.push(Mark { key, number, at_ms: now.as_millisecond() });
        }
    }

    fn apply_marks(&self) {
        let marks = std::mem::take(&mut *self.marks.lock());
        if !marks.is_empty() {
            let mut table = self.table.lock();
            marks.into_iter().for_each(|mark| table.number(mark.key, mark.number, mark.at_ms));
        }
    }

    /// Says that an event waits to be told.
    pub fn ring(&self) {
        self.rung.store(true, Ordering::Release);
    }

    /// Whether it was rung since the last time somebody asked.
    pub fn was_rung(&self) -> bool {
        self.rung.swap(false, Ordering::AcqRel)
    }

    /// Sets when a source counts as silent.
    pub fn set_silence(&self, setting: &SilenceSetting) {
        self.table.lock().settings.insert(setting.source.clone(), setting_of(setting));
    }

    pub fn setting(&self, source: &str) -> Setting {
        self.table.lock().settings.get(source).copied().unwrap_or_default()
    }

    /// The names of all sources that were heard of.
    pub fn names(&self) -> Vec<String> {
        self.table.lock().sources.keys().cloned().collect()
    }

    /// What is known of a source.
    pub fn facts(&self, source: &str) -> Option<Facts> {
        self.table.lock().sources.get(source).cloned()
    }

    /// Streams of a source, how many of them are no sequences, and repeated numbers.
    pub fn streams(&self, source: &str) -> (u64, u64, u64) {
        let table = self.table.lock();
        let own = table.streams.iter().filter(|((name, _), _)| name == source);
        own.fold((0, 0, 0), |(all, irregular, duplicates), (_, stream)| {
            (all + 1, irregular + u64::from(stream.is_irregular()), duplicates + stream.duplicates)
        })
    }

    /// Events that a device has sent.
    pub fn device_events(&self, device: &str) -> u64 {
        let table = self.table.lock();
        table.sources.values().filter_map(|facts| facts.devices.get(device)).map(|heard| heard.events).sum()
    }

    /// Whether something should be stored now.
    pub fn wants_saving(&self, now: Timestamp) -> bool {
        let table = self.table.lock();
        let changed = &table.changed;
        let old = now.as_millisecond() - changed.saved_ms >= SAVE_EVERY_MS;
        !changed.notices.is_empty() || (old && !(changed.sources.is_empty() && changed.streams.is_empty()))
    }

    /// Stores all that changed together with the position up to which the trail was taken; says whether events wait
    /// to be told.
    pub async fn save(&self, pool: &SqlitePool, position: u64, now: Timestamp) -> sqlx::Result<bool> {
        let now_ms = now.as_millisecond();
        let batch = self.table.lock().collect(now_ms);
        match batch.write(pool, position).await {
            Ok(()) => Ok(!batch.notices.is_empty()),
            Err(error) => {
                self.table.lock().give_back(batch);
                Err(error)
            }
        }
    }
}

impl Table {
    fn take(&mut self, entry: &Entry, now: Timestamp) {
        let at_ms = entry.glance.ingested_ms;
        self.newest_ms = self.newest_ms.max(at_ms);
        let source = entry.source.as_deref().unwrap_or(NO_SOURCE).to_owned();
        if source == OWN_SOURCE {
            self.own(entry, at_ms);
        }
        let listening_ms = self.listening_ms;
        let Some(facts) = self.facts(&source) else { return };
        let turn = facts.take(&entry.glance, listening_ms);
        if let Some(Turn::Recovered { after_ms }) = turn {
            let reason = format!("after {} of silence", facts::span(after_ms));
            self.notice(now, source_event("source.recovered", &source, "success", &reason, &json!({})));
        }
        if let (Some(key), Some(number)) = (entry.key(), entry.number()) {
            self.number(key, number, at_ms);
        }
    }

    /// What Belfry itself has recorded about a source.
    fn own(&mut self, entry: &Entry, at_ms: i64) {
        let (Some(about), Some(records)) = (&entry.about, entry.records) else { return };
        let counts = match entry.action.as_deref() {
            Some("source.rejected") => Facts::rejected,
            Some("source.left_out") => Facts::left_out,
            _ => return,
        };
        if let Some(facts) = self.facts(&about.clone()) {
            counts(facts, records, at_ms);
        }
    }

    fn facts(&mut self, source: &str) -> Option<&mut Facts> {
        if !self.sources.contains_key(source) {
            if self.sources.len() >= SOURCES_MAX {
                return None;
            }
            self.sources.insert(source.to_owned(), Facts::default());
        }
        if !self.changed.sources.contains(source) {
            self.changed.sources.insert(source.to_owned());
        }
        self.sources.get_mut(source)
    }

    fn number(&mut self, key: Key, number: u64, at_ms: i64) {
        if !self.streams.contains_key(&key) && self.streams.len() >= STREAMS_MAX {
            self.forget_streams();
        }
        let stream = self.streams.entry(key.clone()).or_default();
        let seen = stream.take(number, at_ms);
        if stream.is_waiting() {
            self.waiting.insert(key.clone());
        }
        if let Seen::Filled { gap, left } = seen {
            if left == 0 {
                let reason = format!("what was missing in {} has come", key.1);
                let event = source_event("source.gap_filled", &key.0, "success", &reason, &json!({"gap_id": gap}));
                self.changed.notices.push((format!("{gap}-filled"), event));
            }
            self.changed.gaps.push(GapChange::Filled { id: gap, left, at_ms });
        }
        self.changed.streams.insert(key);
    }

    /// Makes room: the streams that were not heard of for the longest go.
    fn forget_streams(&mut self) {
        let mut ages: Vec<(i64, Key)> =
            self.streams.iter().map(|(key, stream)| (stream.seen_ms, key.clone())).collect();
        ages.sort_unstable();
        for (_, key) in ages.into_iter().take(STREAMS_MAX / 20) {
            self.streams.remove(&key);
            self.waiting.remove(&key);
            self.changed.streams.insert(key);
        }
    }

    fn tick(&mut self, now: Timestamp, caught_up: bool, off: impl Fn(&str) -> bool) {
        // While the past is read, the time is that of the past.
        let now_ms = if caught_up { now.as_millisecond() } else { self.newest_ms };
        self.settle(now, now_ms);
        if !caught_up {
            return;
        }
        let unheard: Vec<String> =
            self.settings.keys().filter(|name| !self.sources.contains_key(*name)).take(SOURCES_MAX).cloned().collect();
        for name in unheard {
            if self.sources.len() < SOURCES_MAX {
                self.sources.insert(name, Facts::default());
            }
        }
        let mut told = Vec::new();
        for (name, facts) in &mut self.sources {
            if name == OWN_SOURCE {
                continue;
            }
            let setting = self.settings.get(name).copied().unwrap_or_default();
            let was = facts.silent_ms;
            if let Some(Turn::Silent { last_ms }) = facts.tick(setting, off(name), now_ms, self.listening_ms) {
                told.push(silent_event(name, facts, setting, last_ms, now_ms));
            }
            if facts.silent_ms != was {
                self.changed.sources.insert(name.clone());
            }
        }
        told.into_iter().for_each(|event| self.notice(now, event));
    }

    /// Raises the gaps that are due.
    fn settle(&mut self, now: Timestamp, now_ms: i64) {
        let mut found = Vec::new();
        for key in &self.waiting {
            let Some(stream) = self.streams.get_mut(key) else { continue };
            for hole in stream.settle(now_ms, &mut || new_id(now)) {
                found.push((key.clone(), hole));
            }
        }
        let streams = &self.streams;
        self.waiting.retain(|key| streams.get(key).is_some_and(Stream::is_waiting));
        for (key, hole) in found {
            let Some(id) = hole.gap.clone() else { continue };
            self.changed.notices.push((id.clone(), gap_event(&key, &hole, &id)));
            self.changed.streams.insert(key.clone());
            self.changed.gaps.push(GapChange::Found { id, key, hole, at_ms: now.as_millisecond() });
        }
    }

    fn notice(&mut self, now: Timestamp, event: serde_json::Value) {
        self.changed.notices.push((new_id(now), event));
    }

    fn collect(&mut self, now_ms: i64) -> Batch {
        let changed = std::mem::take(&mut self.changed);
        let hour = now_ms.div_euclid(HOUR_MS);
        let mut batch = Batch {
            prune_before: (changed.pruned_hour != hour).then_some(hour - HOURS_KEPT),
            gaps: changed.gaps,
            notices: changed.notices,
            ..Batch::default()
        };
        self.changed.saved_ms = now_ms;
        self.changed.pruned_hour = hour;
        for name in changed.sources {
            let Some(facts) = self.sources.get_mut(&name) else { continue };
            for hour in std::mem::take(&mut facts.changed_hours) {
                let counted = facts.hours.get(&hour).copied().unwrap_or_default();
                batch.hours.push((name.clone(), hour, [counted.events, counted.rejected, counted.left_out]));
            }
            batch.sources.push((name, serde_json::to_string(facts).unwrap_or_default()));
        }
        for key in changed.streams {
            let facts = self.streams.get(&key).map(|s| (serde_json::to_string(s).unwrap_or_default(), s.seen_ms));
            batch.streams.push((key, facts));
        }
        batch
    }

    /// What could not be stored is stored with the next.
    fn give_back(&mut self, batch: Batch) {
        for (name, hour, _) in batch.hours {
            if let Some(facts) = self.sources.get_mut(&name) {
                facts.changed_hours.push(hour);
            }
        }
        self.changed.sources.extend(batch.sources.into_iter().map(|(name, _)| name));
        self.changed.streams.extend(batch.streams.into_iter().map(|(key, _)| key));
        self.changed.gaps.splice(0..0, batch.gaps);
        self.changed.notices.splice(0..0, batch.notices);
    }
}

/// What is written in one transaction.
#[derive(Default)]
struct Batch {
    sources: Vec<(String, String)>,
    hours: Vec<(String, i64, [u64; 3])>,
    streams: Vec<(Key, Option<(String, i64)>)>,
    gaps: Vec<GapChange>,
    notices: Vec<(String, serde_json::Value)>,
    prune_before: Option<i64>,
}

impl Batch {
    async fn write(&self, pool: &SqlitePool, position: u64) -> sqlx::Result<()> {
        let mut transaction = crate::state::begin_write(pool).await?;
        for (name, facts) in &self.sources {
            state::put(&mut transaction, name, facts).await?;
        }
        for (name, hour, counts) in &self.hours {
            state::put_hour(&mut transaction, name, *hour, *counts).await?;
        }
        for ((source, stream), facts) in &self.streams {
            match facts {
                Some((facts, at)) => state::put_stream(&mut transaction, (source, stream), facts, *at).await?,
                None => state::remove_stream(&mut transaction, (source, stream)).await?,
            }
        }
        for gap in &self.gaps {
            match gap {
                GapChange::Found { id, key, hole, at_ms } => {
                    let gap = Gap {
                        id: id.clone(),
                        source: key.0.clone(),
                        stream: key.1.clone(),
                        first: hole.from.cast_signed(),
                        last: hole.to.cast_signed(),
                        missing: hole.width().cast_signed(),
                        found_at: *at_ms,
                        state: "open".to_owned(),
                        settled_at: None,
                        settled_by: None,
                        reason: None,
                    };
                    state::add_gap(&mut transaction, &gap, GAPS_KEPT_MAX).await?;
                }
                GapChange::Filled { id, left, at_ms } => {
                    state::fill_gap(&mut transaction, id, *left, *at_ms).await?;
                }
            }
        }
        for (id, event) in &self.notices {
            state::add_notice(&mut transaction, id, &event.to_string()).await?;
        }
        if let Some(hour) = self.prune_before {
            state::prune_hours(&mut transaction, hour).await?;
        }
        followers::advance(&mut transaction, FOLLOWER, position).await?;
        transaction.commit().await
    }
}

impl Entry {
    fn number(&self) -> Option<u64> {
        let whole = self.number.filter(|number| (0.0..=NUMBER_MAX).contains(number) && number.fract() == 0.0)?;
        Some(whole as u64)
    }

    /// Which sequence its number belongs to: of a session where it has one, else of a device, host and program.
    fn key(&self) -> Option<Key> {
        self.number?;
        let parts = match &self.session {
            Some(session) => [self.glance.device.as_ref(), self.glance.host.as_ref(), Some(session)],
            None => {
                let program = self.process.as_ref().or(self.provider.as_ref());
                [self.glance.device.as_ref(), self.glance.host.as_ref(), program]
            }
        };
        let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        let stream = parts.join(" / ").chars().take(STREAM_CHARS_MAX).collect();
        Some((self.source.clone().unwrap_or_else(|| NO_SOURCE.to_owned()), stream))
    }
}

/// Reads an entry; none for what is no event, or is removed.
fn glance(bytes: &[u8], now: Timestamp) -> Option<Entry> {
    let mut entry = Entry::default();
    let mut ingested = None;
    let mut happened = None;
    let leaves = Event::leaves(bytes, &mut |path, value| {
        let text = || value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        match path {
            "@timestamp" => happened = value.as_str().and_then(|text| text.parse::<Timestamp>().ok()),
            "entity.id" => entry.about = text(),
            "event.action" => entry.action = text(),
            SENT_BY => entry.glance.device = text(),
            "event.ingested" => ingested = value.as_str().and_then(|text| text.parse::<Timestamp>().ok()),
            "event.module" => entry.source = text(),
            "event.provider" => entry.provider = text(),
            "event.sequence" => {
                entry.number = value.as_number().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
            }
            "host.name" => entry.glance.host = text(),
            "labels.records" => entry.records = value.as_str().and_then(|text| text.parse().ok()),
            "process.name" => entry.process = text(),
            "session.id" => entry.session = text(),
            // Names come in their order: behind these there is nothing for us.
            _ if path > "session.id" => return ControlFlow::Break(()),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    leaves.ok()?;
    // An event from the future says nothing about when it came in; the trail's own note does.
    entry.glance.ingested_ms = ingested.or(happened).map_or(now.as_millisecond(), Timestamp::as_millisecond);
    entry.glance.happened_ms = happened.map(Timestamp::as_millisecond);
    if happened.is_none() && ingested.is_none() && entry.action.is_none() {
        return None;
    }
    Some(entry)
}

fn setting_of(setting: &SilenceSetting) -> Setting {
    Setting {
        mode: mode_of(&setting.mode),
        after_seconds: setting.after_seconds.unwrap_or(0).cast_unsigned(),
        set_at_ms: setting.set_at,
    }
}

/// The mode of that name; one that is not known is the usual one.
pub fn mode_of(name: &str) -> SilenceMode {
    match name {
        "set" => SilenceMode::Set,
        "off" => SilenceMode::Off,
        _ => SilenceMode::Learned,
    }
}

fn source_event(
    action: &str,
    source: &str,
    outcome: &str,
    reason: &str,
    labels: &serde_json::Value,
) -> serde_json::Value {
    json!({
        "event": {"action": action, "outcome": outcome, "reason": reason},
        "entity": {"type": "source", "id": source, "name": source},
        "labels": labels,
    })
}

fn silent_event(source: &str, facts: &Facts, setting: Setting, last_ms: Option<i64>, now_ms: i64) -> serde_json::Value {
    let after = facts.silent_after_seconds(setting);
    let limit = after.map_or_else(String::new, |seconds| facts::span(seconds.cast_signed().saturating_mul(1_000)));
    let how = if setting.mode == SilenceMode::Set { "is set for it" } else { "is its habit" };
    let reason = match last_ms {
        Some(last) => format!("the last event came {} ago, and {limit} {how}", facts::span(now_ms - last)),
        None => format!("nothing has ever come, and {limit} {how}"),
    };
    let mut labels = json!({"after_seconds": after.unwrap_or(0).to_string()});
    if let Some(last) = last_ms {
        labels["last_seen_at"] = json!(crate::state::time_text(last));
    }
    source_event("source.silent", source, "failure", &reason, &labels)
}

fn gap_event((source, stream): &Key, hole: &Hole, id: &str) -> serde_json::Value {
    let numbers = if hole.from == hole.to {
        format!("number {} is missing", hole.from)
    } else {
        format!("{} numbers, {} to {}, are missing", hole.width(), hole.from, hole.to)
    };
    let of = if stream.is_empty() { String::new() } else { format!(" of {stream}") };
    let mut event = source_event("source.gap", source, "failure", &format!("{numbers}{of}"), &json!({"gap_id": id}));
    event["gap"] = json!({"from": hole.from, "to": hole.to, "missing": hole.width(), "stream": stream});
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_767_571_200;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(START + second).unwrap()
    }

    fn entry(second: i64, more: serde_json::Value) -> Vec<u8> {
        let mut event = json!({"@timestamp": at(second).to_string(), "event": {"action": "a.b", "ingested": at(second).to_string(), "module": "vault"}});
        for (name, value) in more.as_object().unwrap() {
            let mut place = &mut event;
            for part in name.split('.') {
                place = &mut place[part];
            }
            *place = value.clone();
        }
        serde_json::to_vec(&event).unwrap()
    }

    async fn house() -> (tempfile::TempDir, SqlitePool) {
        let dir = tempfile::tempdir().unwrap();
        let pool = crate::state::open(&dir.path().join("state.sqlite")).await.unwrap();
        (dir, pool)
    }

    fn numbered(second: i64, host: &str, number: u64) -> Vec<u8> {
        entry(second, json!({"event.sequence": number, "host.name": host}))
    }

    async fn waiting(pool: &SqlitePool) -> Vec<(String, String)> {
        let notices = state::notices(pool, 100).await.unwrap();
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        notices
            .iter()
            .map(|(_, text)| read(text))
            .map(|event| {
                (
                    event["event"]["action"].as_str().unwrap().to_owned(),
                    event["event"]["reason"].as_str().unwrap().to_owned(),
                )
            })
            .collect()
    }

    #[tokio::test]
    async fn a_gap_is_found_once_and_survives_a_restart() {
        let (_dir, pool) = house().await;
        let health = Health::open(&pool, at(0)).await.unwrap();
        let entries = [
            numbered(1, "a", 7),
            numbered(2, "b", 100),
            numbered(3, "a", 8),
            numbered(4, "a", 12),
            numbered(5, "b", 101),
        ];
        health.take(entries.iter().map(Vec::as_slice), at(5));
        health.tick(at(20), true, |_| false);
        assert!(!health.wants_saving(at(4)));
        health.save(&pool, 5, at(20)).await.unwrap();

        // Down and up: the number that was on its way is waited for as before.
        let health = Health::open(&pool, at(30)).await.unwrap();
        assert_eq!(followers::position(&pool, FOLLOWER).await.unwrap(), 5);
        health.take([numbered(31, "a", 10)].iter().map(Vec::as_slice), at(31));
        health.tick(at(40), true, |_| false);
        assert!(waiting(&pool).await.is_empty());
        health.tick(at(70), true, |_| false);
        assert!(health.wants_saving(at(70)));
        assert!(health.save(&pool, 6, at(70)).await.unwrap());
        let told = waiting(&pool).await;
        let mut reasons: Vec<&str> = told.iter().map(|(_, reason)| reason.as_str()).collect();
        reasons.sort_unstable();
        assert_eq!(reasons, ["number 11 is missing of a", "number 9 is missing of a"]);
        assert_eq!(state::open_gaps(&pool, 10).await.unwrap().len(), 2);

        let health = Health::open(&pool, at(80)).await.unwrap();
        health.tick(at(1_000), true, |_| false);
        assert!(!health.wants_saving(at(81)));
        health.take([numbered(1_001, "a", 9), numbered(1_002, "a", 9)].iter().map(Vec::as_slice), at(1_002));
        health.save(&pool, 8, at(1_002)).await.unwrap();
        assert_eq!(waiting(&pool).await.iter().filter(|(action, _)| action == "source.gap_filled").count(), 1);
        let gaps = state::gaps_of(&pool, "vault", 10).await.unwrap();
        let states: Vec<_> = gaps.iter().map(|gap| (gap.first, gap.missing, gap.state.as_str())).collect();
        assert!(states.contains(&(9, 0, "filled")) && states.contains(&(11, 1, "open")), "{states:?}");
        assert_eq!(health.streams("vault"), (2, 0, 1));
    }

    #[tokio::test]
    async fn what_was_left_out_is_not_missing() {
        let (_dir, pool) = house().await;
        let health = Health::open(&pool, at(0)).await.unwrap();
        health.take([numbered(1, "a", 1)].iter().map(Vec::as_slice), at(1));
        health.left_out(&numbered(2, "a", 2), at(2));
        health.take([numbered(3, "a", 3)].iter().map(Vec::as_slice), at(3));
        health.tick(at(100), true, |_| false);
        health.save(&pool, 2, at(100)).await.unwrap();
        assert!(waiting(&pool).await.is_empty());
    }

    #[tokio::test]
    async fn silence_is_not_spoken_of_while_the_past_is_read() {
        let (_dir, pool) = house().await;
        let setting = SilenceSetting {
            source: "vault".into(),
            mode: "set".into(),
            after_seconds: Some(60),
            set_at: START * 1_000,
        };
        let mut connection = pool.acquire().await.unwrap();
        state::set_silence(&mut connection, &setting).await.unwrap();
        drop(connection);
        let health = Health::open(&pool, at(0)).await.unwrap();
        health.take([entry(1, json!({}))].iter().map(Vec::as_slice), at(1));
        health.tick(at(500), false, |_| false);
        health.tick(at(501), true, |name| name == "vault");
        health.save(&pool, 1, at(501)).await.unwrap();
        assert!(waiting(&pool).await.is_empty());
        health.tick(at(502), true, |_| false);
        health.tick(at(503), true, |_| false);
        health.take([entry(600, json!({}))].iter().map(Vec::as_slice), at(600));
        health.save(&pool, 2, at(600)).await.unwrap();
        let told = waiting(&pool).await;
        let actions: Vec<&str> = told.iter().map(|(action, _)| action.as_str()).collect();
        assert_eq!(actions, ["source.silent", "source.recovered"], "{told:?}");
        assert!(told[0].1.contains("1 min is set"), "{told:?}");
    }

    #[tokio::test]
    async fn what_is_recorded_of_a_source_counts_for_it() {
        let (_dir, pool) = house().await;
        let health = Health::open(&pool, at(0)).await.unwrap();
        let own = entry(
            1,
            json!({"event.module": "belfry", "event.action": "source.rejected", "entity.id": "vault", "labels.records": "7"}),
        );
        health.take([own, entry(2, json!({}))].iter().map(Vec::as_slice), at(2));
        let facts = health.facts("vault").unwrap();
        assert_eq!((facts.events, facts.sum(24, (START + 2) * 1_000).rejected), (1, 7));
        health.save(&pool, 2, at(2)).await.unwrap();
        let again = Health::open(&pool, at(10)).await.unwrap().facts("vault").unwrap();
        assert_eq!(again.sum(24, (START + 2) * 1_000).rejected, 7);
    }

    #[test]
    fn streams_are_told_apart() {
        let check = |more: serde_json::Value, expected: Option<&str>| {
            let entry = glance(&entry(0, more), at(0)).unwrap();
            assert_eq!(entry.key().map(|(_, stream)| stream).as_deref().filter(|_| entry.number().is_some()), expected);
        };
        check(json!({"host.name": "a"}), None);
        check(json!({"event.sequence": 1.5}), None);
        check(json!({"event.sequence": -1}), None);
        check(json!({"event.sequence": 3}), Some(""));
        check(json!({"event.sequence": "17"}), Some(""));
        check(json!({"event.sequence": 3, "host.name": "a", "process.name": "sshd"}), Some("a / sshd"));
        check(json!({"event.sequence": 3, "host.name": "a", "event.provider": "p", "session.id": "s"}), Some("a / s"));
        check(json!({"event.sequence": 3, "event.enrolled_device": "d", "event.provider": "p"}), Some("d / p"));
    }
}
