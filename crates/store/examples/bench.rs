//! How fast the store is, and how much it takes.
//!
//! ```sh
//! cargo run --release -p store --example bench -- 1000000
//! ```
//!
//! A second argument asks only the questions with these words in their names.
//!
//! Indexes that many made-up events, as a follower would, and asks the usual questions. The events
//! are read from memory: what a trail takes to hand them out comes on top.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for the terminal")]

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use event::Filter;
use jiff::{SignedDuration, Timestamp};
use store::{By, Entries, EntriesError, Options, Order, Paging, Query, Span, Store};

struct Memory(Vec<Bytes>);

impl Entries for Memory {
    fn get_many(&self, positions: &[u64]) -> Result<Vec<Option<Bytes>>, EntriesError> {
        Ok(positions.iter().map(|position| self.0.get(*position as usize).cloned()).collect())
    }

    fn read_from(&self, position: u64, max: usize) -> Result<Vec<Bytes>, EntriesError> {
        Ok(self.0.iter().skip(position as usize).take(max).cloned().collect())
    }
}

/// Numbers from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }

    /// Small numbers are more frequent than large ones.
    fn skewed(&mut self, n: u64) -> u64 {
        let unit = (self.roll() >> 11) as f64 / (1_u64 << 53) as f64;
        ((n as f64).powf(unit) - 1.0).clamp(0.0, n as f64 - 1.0) as u64
    }

    fn uuid(&mut self) -> String {
        let (a, b) = (self.roll(), self.roll());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xfff,
            b >> 52,
            b & 0xffff_ffff_ffff
        )
    }
}

const AREAS: [&str; 15] = [
    "credential",
    "session",
    "user",
    "role",
    "policy",
    "device",
    "access",
    "certificate",
    "backup",
    "report",
    "authentication",
    "token",
    "rule",
    "channel",
    "group",
];
const DEEDS: [&str; 10] =
    ["viewed", "created", "updated", "deleted", "approved", "rejected", "started", "ended", "rotated", "exported"];
const FIRST: [&str; 20] = [
    "ada", "bruno", "carla", "dmitri", "elena", "fatima", "george", "hana", "ivan", "julia", "kenji", "lena", "marco",
    "nadia", "oscar", "paula", "quentin", "rosa", "sven", "tara",
];
const KINDS: [&str; 6] = ["web", "db", "fw", "app", "switch", "nas"];
const SITES: [&str; 8] = ["berlin", "lisbon", "tokyo", "austin", "lima", "oslo", "cairo", "perth"];

fn event(n: u64, count: u64, dice: &mut Dice) -> Vec<u8> {
    let start: Timestamp = "2026-09-23T00:00:00Z".parse().unwrap();
    // Sixty days, nearly in order.
    let millis = n * 60 * 86_400_000 / count + dice.below(2_000);
    let at = start + SignedDuration::from_millis(millis as i64);
    let ingested = at + SignedDuration::from_micros(300_000 + dice.below(200_000) as i64);
    let kind = dice.skewed(150);
    let (area, deed) = (AREAS[(kind % 15) as usize], DEEDS[(kind / 15) as usize]);
    let user = dice.skewed(5_000);
    let name = format!("{}.{:04}", FIRST[(user % 20) as usize], user);
    let device = dice.below(20_000);
    let host = format!("{}-{}-{device:05}", KINDS[(device % 6) as usize], SITES[(device % 8) as usize]);
    let outcome = if dice.below(12) == 0 { "failure" } else { "success" };
    let severity = [10, 10, 30, 50, 73, 90][dice.skewed(6) as usize];
    let account = ["root", "administrator", "postgres", "oracle", "svc-backup", "svc-deploy"][dice.below(6) as usize];
    let mut json = String::with_capacity(800);
    write!(
        json,
        r#"{{"@timestamp":"{at}","credential":{{"id":"c-{}","type":"password","username":"{account}"}},"#,
        device * 6 % 99_991
    )
    .unwrap();
    write!(json, r#""entity":{{"id":"{device}","name":"{host}","type":"{area}"}},"#).unwrap();
    write!(json, r#""event":{{"action":"{area}.{deed}","category":"{area}","id":"{}","ingested":"{ingested}","module":"vault","outcome":"{outcome}","severity":{severity}}},"#, dice.uuid()).unwrap();
    write!(
        json,
        r#""host":{{"name":"{host}"}},"message":"User {name} {deed} the {area} {account} on {host}, {outcome}","#
    )
    .unwrap();
    write!(
        json,
        r#""session":{{"id":"{:08x}","protocol":"ssh"}},"#,
        dice.below(count / 20 + 1) * 2_654_435_761 % (1 << 32)
    )
    .unwrap();
    let ip = dice.below(60_000);
    write!(
        json,
        r#""source":{{"ip":"10.{}.{}.{}","port":{}}},"#,
        ip >> 14,
        ip >> 7 & 127,
        ip & 127,
        1_024 + dice.below(60_000)
    )
    .unwrap();
    write!(
        json,
        r#""user":{{"full_name":"{} {user}","id":"u{user}","name":"{name}","roles":["operator"]}}}}"#,
        FIRST[(user % 20) as usize]
    )
    .unwrap();
    json.into_bytes()
}

/// Processor time of this process so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks: u64 = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 10)
}

/// The most memory this process ever took.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}

fn bytes(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { bytes(&path) } else { path.metadata().map_or(0, |meta| meta.len()) }).sum()
}

fn bytes_by_kind(dir: &Path, kinds: &mut std::collections::BTreeMap<String, u64>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            bytes_by_kind(&path, kinds);
        } else {
            let kind = path.extension().map_or_else(String::new, |kind| kind.to_string_lossy().into_owned());
            *kinds.entry(kind).or_default() += path.metadata().map_or(0, |meta| meta.len());
        }
    }
}

fn time(what: &str, mut ask: impl FnMut() -> String) {
    if std::env::args().nth(2).is_some_and(|wanted| !what.contains(&wanted)) {
        return;
    }
    let started = Instant::now();
    let answer = ask();
    let first = started.elapsed();
    let busy = cpu();
    let mut times: Vec<Duration> = (0..21_u32)
        .map(|_| {
            let started = Instant::now();
            ask();
            started.elapsed()
        })
        .collect();
    let busy = (cpu() - busy) / 21;
    times.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{what:<44} first {:>8.2} ms   median {:>8.2} ms   worst {:>8.2} ms   CPU {:>6.1} ms   {answer}",
        ms(first),
        ms(times[10]),
        ms(times[20]),
        ms(busy)
    );
}

fn main() {
    let count: u64 = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(100_000);
    let mut dice = Dice(20_261_121);
    let trail = Arc::new(Memory((0..count).map(|n| event(n, count, &mut dice).into()).collect()));
    let size: usize = trail.0.iter().map(Bytes::len).sum();
    println!("{count} events of {} bytes", size as u64 / count);

    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default(), Arc::clone(&trail) as Arc<dyn Entries>).unwrap();
    let (started, busy) = (Instant::now(), cpu());
    for (at, batch) in trail.0.chunks(2_000).enumerate() {
        let batch: Vec<&[u8]> = batch.iter().map(AsRef::as_ref).collect();
        store.apply(at as u64 * 2_000, &batch).unwrap();
    }
    store.commit().unwrap();
    let applied = started.elapsed();
    store.settle().unwrap();
    let millions = count as f64 / 1e6;
    println!(
        "indexed at {:.0}/s; {:.1} CPU s per million, merges included; {:.1} bytes per event; {:?}; peak {} MB, of which {} MB are the events",
        count as f64 / applied.as_secs_f64(),
        (cpu() - busy).as_secs_f64() / millions,
        bytes(dir.path()) as f64 / count as f64,
        store.health(),
        peak_mb(),
        size / 1_000_000,
    );
    let mut kinds = std::collections::BTreeMap::new();
    bytes_by_kind(dir.path(), &mut kinds);
    let kinds: Vec<String> =
        kinds.iter().map(|(kind, bytes)| format!("{kind} {:.1}", *bytes as f64 / count as f64)).collect();
    println!("bytes per event by file: {}", kinds.join(", "));

    let now: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
    let month_ago = now - SignedDuration::from_hours(30 * 24);
    let page = |filter: &str, limit: usize, from: Option<Timestamp>| {
        let filter: Filter = filter.parse().unwrap();
        let page = store
            .search(&Query::new(&filter, now).between(from, None), &Paging { limit, ..Paging::default() }, count)
            .unwrap();
        format!("{} hits", page.hits.len())
    };
    let total = |filter: &str| {
        let filter: Filter = filter.parse().unwrap();
        format!("{} of them", store.count(&Query::new(&filter, now), count).unwrap().count)
    };
    let by = |filter: &str, fields: &[&str], span: Option<Span>| {
        let filter: Filter = filter.parse().unwrap();
        let summary = store.count_by(&Query::new(&filter, now), &By { span, ..By::fields(fields, 20) }, count).unwrap();
        format!(
            "{} rows of {}, {} spans, {} events",
            summary.rows.len(),
            summary.groups,
            summary.buckets.len(),
            summary.total
        )
    };
    let rare = String::from_utf8_lossy(&trail.0[count as usize / 3]).split("\"id\":\"").nth(3).unwrap_or_default()[..8]
        .to_owned();
    time("newest 50", || page("", 50, None));
    time("newest 50 of one user in 30 days", || page("user.name: \"elena.0104\"", 50, Some(month_ago)));
    time("newest 50 of a rare user", || page("user.name: \"tara.4999\"", 50, None));
    time("newest 100 with a common word", || page("success", 100, None));
    time("newest 100 with a rare word", || page(&rare, 100, None));
    time("newest 100 with a part of a word", || page("*uentin*", 100, None));
    time("newest 50, failures of high severity", || {
        page("event.outcome: failure and event.severity >= high and not user.name: ada*", 50, None)
    });
    time("newest 50 of a network", || page("source.ip: 10.1.7.0/24", 50, None));
    time("count with a word in the message", || total("message: rotated"));
    time("count of a severity", || total("event.severity >= high"));
    time("counts by action and day", || by("", &["event.action"], Some(Span::Day)));
    time("counts by severity and day", || by("", &["event.severity"], Some(Span::Day)));
    time("top 20 users of one action", || by("event.action: session.viewed", &["user.name"], None));
    time("counts by user and host", || by("event.outcome: failure", &["user.name", "host.name"], None));
    time("counts by address", || by("", &["source.ip"], None));
    time("values of a field", || {
        let values = store.values(&Query::new(&Filter::All, now), "user.name", "el", 20, count).unwrap();
        format!("{} values", values.values.len())
    });
    let started = Instant::now();
    let mut left = 100_000;
    store
        .scan(&Query::new(&Filter::All, now), Order::Oldest, count, &mut |_| {
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    println!("scan of {} events: {:.0} ms", 100_000 - left, started.elapsed().as_secs_f64() * 1e3);
}
