//! Crashes and faults at moments drawn from a seed: what was answered is there, once, in order.
//! `BELFRY_SEEDS=from..to` runs other seeds.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test that can't go on fails, and says what it skipped")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use trail::disk::faulty::{Fault, FaultyDisk};
use trail::{AppendError, Batch, Options, SigningKey, Tag, Trail, TrailError, verify};

const DIR: &str = "/t";

fn key() -> SigningKey {
    SigningKey::from_seed(&[3; 32])
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn options(disk: &FaultyDisk) -> Options {
    Options {
        disk: Arc::new(disk.clone()),
        segment_entries_max: 40,
        frame_entries_max: 8,
        commit_bytes_max: 2_000,
        checkpoint_interval: Duration::from_micros(300),
        recent_bytes_max: 3_000,
        cache_bytes_max: 3_000,
        rest: Duration::from_millis(1),
        ..Options::default()
    }
}

/// What a batch sent, and what was answered.
struct Sent {
    number: u64,
    count: u64,
    answer: Arc<Mutex<Option<Result<u64, String>>>>,
}

fn entry(batch: u64, i: u64) -> Bytes {
    Bytes::from(format!("{batch}/{i}/{}", "x".repeat((batch * 7 + i) as usize % 90)))
}

fn read_all(trail: &Trail, from: u64) -> Vec<Bytes> {
    let mut entries = Vec::new();
    loop {
        let next = trail.read(from + entries.len() as u64, 100, 10_000).unwrap();
        if next.is_empty() {
            return entries;
        }
        entries.extend(next.into_iter().map(|(_, entry)| entry));
    }
}

/// Every answered batch stands where the answer said, whole; every other one is there once or not at
/// all; all of them in the order they were sent.
fn check(seed: u64, trail: &Trail, base: u64, sent: &[Sent]) {
    let entries = read_all(trail, base);
    assert_eq!(base + entries.len() as u64, trail.size(), "seed {seed}");
    let mut at = 0_usize;
    for one in sent {
        let expected: Vec<Bytes> = (0..one.count).map(|i| entry(one.number, i)).collect();
        let there = entries.get(at..at + expected.len()) == Some(&expected[..]);
        if let Some(Ok(first)) = &*one.answer.lock().unwrap() {
            assert_eq!(*first, base + at as u64, "seed {seed}: batch {} stands elsewhere", one.number);
            assert!(there, "seed {seed}: batch {} was answered and is gone", one.number);
        }
        if there {
            at += expected.len();
        }
        let tagged = trail.find_tag(&tag(one.number).key);
        assert_eq!(tagged.is_some(), there, "seed {seed}: the tag of batch {} and its entries part", one.number);
    }
    assert_eq!(at, entries.len(), "seed {seed}: there are entries that nobody sent, or twice");
}

fn tag(number: u64) -> Tag {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&number.to_be_bytes());
    Tag { key, body: [1; 16] }
}

fn open(disk: &FaultyDisk) -> Result<Trail, TrailError> {
    Trail::open(Path::new(DIR), key(), options(disk)).map(|(trail, _)| trail)
}

fn run(seed: u64, disk: &FaultyDisk, base: u64) {
    let mut random = Random(seed);
    let verifier = key().verifier("sim/a").unwrap();
    let mut sent: Vec<Sent> = Vec::new();
    let mut signed = (0, None);
    for round in 0..4 {
        // A fault may strike while it opens; the next try works.
        if random.below(3) == 0 {
            let fault = if random.below(2) == 0 { Fault::NotDone } else { Fault::DoneButFailed };
            disk.fail_after(random.below(40), fault);
            drop(open(disk));
            disk.heal();
        }
        let trail = open(disk).unwrap_or_else(|e| panic!("seed {seed}, round {round}: {e}"));
        check(seed, &trail, base, &sent);
        let checkpoint = trail.checkpoint();
        let (size, root) = signed;
        assert!(trail.size() >= size, "seed {seed}: shorter than what was signed");
        if let Some(root) = root.filter(|_| size > 0) {
            let proof = trail.consistency(size, trail.size()).unwrap();
            verify::consistency(size, trail.size(), &proof, &root, &trail.root(trail.size()).unwrap()).unwrap();
        }
        assert!(checkpoint.size <= trail.size());

        let ending = random.below(4);
        if ending == 0 {
            match random.below(4) {
                0 => disk.fail_after(random.below(60), Fault::NotDone),
                1 => disk.fail_after(random.below(60), Fault::DoneButFailed),
                2 => disk.fail_next_sync(".tmp"),
                _ => disk.fail_next_sync(".wal"),
            }
        }
        for _ in 0..random.below(60) {
            let (number, count) = (sent.len() as u64 + base, 1 + random.below(12));
            let answer = Arc::new(Mutex::new(None));
            let batch = Batch { entries: (0..count).map(|i| entry(number, i)).collect(), tag: Some(tag(number)) };
            let told = answer.clone();
            let done = Box::new(move |result: Result<trail::Appended, AppendError>| {
                *told.lock().unwrap() = Some(result.map(|a| a.first).map_err(|e| e.to_string()));
            });
            match trail.append(batch, done) {
                Ok(()) => sent.push(Sent { number, count, answer }),
                // It begins anew by itself: sometimes the senders wait for that.
                Err(AppendError::Stopped(_)) if random.below(4) > 0 => std::thread::sleep(Duration::from_micros(1_500)),
                Err(_) => break,
            }
            if random.below(4) == 0 {
                std::thread::sleep(Duration::from_micros(random.below(400)));
            }
        }
        match ending {
            // After a fault the process may just begin again, on what it can read.
            0 if random.below(2) == 0 => std::thread::sleep(Duration::from_millis(1)),
            0 | 1 => disk.crash(),
            2 => {
                std::thread::sleep(Duration::from_millis(random.below(4)));
                disk.crash();
            }
            _ => trail.close(),
        }
        let newest = trail.checkpoint();
        signed = (newest.size, Some(newest.root));
        drop(trail);
        disk.restart();
    }
    let trail = open(disk).unwrap_or_else(|e| panic!("seed {seed}, at the end: {e}"));
    check(seed, &trail, base, &sent);
    let sealed = trail.seal().unwrap();
    trail.close();
    drop(trail);
    let verified = verify::folder_on(disk, Path::new(DIR), &verifier, &mut |_| (), Some(&sealed))
        .unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
    assert_eq!((verified.size, verified.beyond), (sealed.size, 0), "seed {seed}");
}

fn seeds(default: std::ops::Range<u64>) -> std::ops::Range<u64> {
    let Ok(wanted) = std::env::var("BELFRY_SEEDS") else { return default };
    let (from, to) = wanted.split_once("..").expect("BELFRY_SEEDS is from..to");
    from.parse().unwrap()..to.parse().unwrap()
}

#[test]
fn what_was_answered_survives_every_crash_and_fault() {
    let seeds = seeds(0..1_000);
    println!("seeds {seeds:?}");
    // Several at once: most of a run is waiting for a thread to wake up.
    let next = AtomicU64::new(seeds.start);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let disk = FaultyDisk::new(seed);
                    Trail::create_on(&disk, Path::new(DIR), "sim/a", &key()).unwrap();
                    run(seed, &disk, 0);
                }
            });
        }
    });
}

#[test]
fn a_full_disk_refuses_until_there_is_room_and_loses_nothing() {
    let disk = FaultyDisk::new(1);
    Trail::create_on(&disk, Path::new(DIR), "sim/a", &key()).unwrap();
    let trail = open(&disk).unwrap();
    let batch = |n: u64| Batch { entries: (0..10).map(|i| entry(n, i)).collect(), tag: None };
    for n in 0..20 {
        trail.append_wait(batch(n)).unwrap();
    }
    disk.set_full(true);
    let refused = trail.append_wait(batch(20)).unwrap_err();
    assert!(refused.to_string().contains("no storage space"), "{refused}");
    assert_eq!((trail.size(), trail.get(199).unwrap()), (200, Some(entry(19, 9))), "what is there can be read");
    assert!(matches!(trail.append_wait(batch(21)), Err(AppendError::Stopped(_))), "until there is room");
    assert!(trail.stopped().is_some_and(|reason| reason.contains("no storage space")));
    disk.set_full(false);
    assert_eq!(append_once_it_takes(&trail, &batch(20)), 200);
    assert_eq!(trail.stopped(), None);
    assert_eq!(read_all(&trail, 0).len(), 210);
    drop(trail);
    disk.crash();
    disk.restart();
    let trail = open(&disk).unwrap();
    assert_eq!(read_all(&trail, 0).len(), 210);
}

/// Tries until the trail takes it: the position of its first entry.
fn append_once_it_takes(trail: &Trail, batch: &Batch) -> u64 {
    for _ in 0..2_000 {
        match trail.append_wait(batch.clone()) {
            Ok(appended) => return appended.first,
            Err(AppendError::Stopped(_) | AppendError::Busy { .. }) => std::thread::sleep(Duration::from_millis(1)),
            Err(e) => panic!("{e}"),
        }
    }
    panic!("it never took it: {:?}", trail.stopped());
}

/// Every operation of a run fails once, in both ways. The trail is never opened again in between.
#[test]
fn a_fault_at_any_call_is_got_over_without_opening_again() {
    const BATCHES: u64 = 14;
    let batch = |n: u64| Batch { entries: (0..10).map(|i| entry(n, i)).collect(), tag: Some(tag(n)) };
    let verifier = key().verifier("sim/a").unwrap();
    for moment in 1..150 {
        for fault in [Fault::NotDone, Fault::DoneButFailed] {
            let name = format!("operation {moment}, {fault:?}");
            let disk = FaultyDisk::new(moment);
            Trail::create_on(&disk, Path::new(DIR), "sim/a", &key()).unwrap();
            let trail = open(&disk).unwrap();
            disk.fail_after(moment, fault);
            for n in 0..BATCHES {
                assert_eq!(append_once_it_takes(&trail, &batch(n)), n * 10, "{name}");
            }
            for _ in 0..2_000 {
                if trail.seal().is_ok() && trail.checkpoint().size == 10 * BATCHES {
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            let sealed = trail.checkpoint();
            assert_eq!((sealed.size, trail.stopped()), (10 * BATCHES, None), "{name}");
            drop(trail);
            disk.heal();
            disk.crash();
            disk.restart();
            let trail = open(&disk).unwrap_or_else(|e| panic!("{name}: {e}"));
            let wanted: Vec<Bytes> = (0..BATCHES).flat_map(|n| (0..10).map(move |i| entry(n, i))).collect();
            assert_eq!(read_all(&trail, 0), wanted, "{name}");
            drop(trail);
            verify::folder_on(&disk, Path::new(DIR), &verifier, &mut |_| (), Some(&sealed))
                .unwrap_or_else(|fault| panic!("{name}: {fault}"));
        }
    }
}

#[test]
fn without_file_handles_a_read_fails_clearly_and_nothing_stops_for_good() {
    let disk = FaultyDisk::new(1);
    Trail::create_on(&disk, Path::new(DIR), "sim/a", &key()).unwrap();
    let trail = open(&disk).unwrap();
    let batch = |n: u64| Batch { entries: (0..10).map(|i| entry(n, i)).collect(), tag: None };
    // More packs than are kept open.
    for n in 0..1_200 {
        append_once_it_takes(&trail, &batch(n));
    }
    drop(trail);
    let trail = open(&disk).unwrap();
    let end = trail.size();
    disk.set_no_handles(true);
    let reads: Vec<_> = (0..end).step_by(35).map(|position| trail.get(position)).collect();
    let refused = reads.iter().filter_map(|read| read.as_ref().err()).next().expect("packs can't be opened");
    assert!(
        matches!(refused, TrailError::Io { .. }) && refused.to_string().contains("too many open files"),
        "{refused}"
    );
    assert!(matches!(trail.get(end - 1), Ok(Some(_))), "what is in the WAL has its handle");
    for n in 1_200..1_210 {
        // As long as no new file is needed entries are taken; then it says why not.
        if let Err(refused) = trail.append_wait(batch(n)) {
            assert!(refused.to_string().contains("too many open files"), "{refused}");
        }
    }
    assert!(trail.stopped().is_some());
    disk.set_no_handles(false);
    let size = append_once_it_takes(&trail, &batch(1_210)) + 10;
    assert_eq!(trail.size(), size);
    assert!((0..size).step_by(7).all(|position| trail.get(position).unwrap().is_some()));
    for _ in 0..2_000 {
        if trail.seal().is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(trail.checkpoint().size, size);
}

/// No file holds a time, so no clock that goes back can make one of them wrong.
#[test]
fn the_files_do_not_depend_on_the_clock() {
    let made = |pause: Duration| {
        let dir = tempfile::tempdir().unwrap();
        Trail::create(dir.path(), "sim/a", &key()).unwrap();
        std::thread::sleep(pause);
        let options = Options { segment_entries_max: 40, ..Options::default() };
        let (trail, _) = Trail::open(dir.path(), key(), options).unwrap();
        for n in 0..21 {
            trail.append_wait(Batch { entries: (0..10).map(|i| entry(n, i)).collect(), tag: Some(tag(n)) }).unwrap();
        }
        let names = || {
            let files = std::fs::read_dir(dir.path().join("log")).unwrap().map(|e| e.unwrap().path());
            let mut files: Vec<PathBuf> = files.collect();
            files.sort();
            files
        };
        while names().len() > 6 {
            std::thread::sleep(Duration::from_millis(5));
        }
        trail.close();
        let mut files = vec![std::fs::read(dir.path().join("checkpoint")).unwrap()];
        files.extend(names().iter().map(|path| std::fs::read(path).unwrap()));
        files
    };
    assert!(made(Duration::ZERO) == made(Duration::from_millis(1_100)));
}

/// The same where a tile of level 1 fills while things go wrong.
#[test]
fn tiles_survive_too() {
    const BASE: u64 = 65_500;
    let prepared = FaultyDisk::new(0);
    Trail::create_on(&prepared, Path::new(DIR), "sim/a", &key()).unwrap();
    let large = Options { segment_entries_max: 5_000, ..options(&prepared) };
    let (trail, _) = Trail::open(&PathBuf::from(DIR), key(), large).unwrap();
    for from in (0..BASE).step_by(100) {
        let entries = (from..from + 100).map(|i| Bytes::from(i.to_string())).collect();
        trail.append_wait(Batch { entries, tag: None }).unwrap();
    }
    drop(trail);
    let seeds = seeds(1_000..1_200);
    println!("every tenth of the seeds {seeds:?}");
    for seed in seeds.step_by(10) {
        run(seed, &prepared.copy(seed), BASE);
    }
}
