//! Appending, reading and opening again, on the real file system.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::path::Path;

use bytes::Bytes;
use trail::{AppendError, Appended, Batch, Options, SigningKey, Tag, Trail, TrailError, verify};

const ORIGIN: &str = "belfry.example/acme";

fn key() -> SigningKey {
    SigningKey::from_seed(&[9; 32])
}

fn open(dir: &Path) -> Trail {
    Trail::open(dir, key(), Options::default()).unwrap().0
}

fn batch(from: u64, count: u64) -> Batch {
    Batch { entries: (from..from + count).map(entry).collect(), tag: None }
}

fn entry(i: u64) -> Bytes {
    Bytes::from(format!("{{\"n\":{i},\"pad\":\"{}\"}}", "x".repeat((i % 97) as usize)))
}

#[test]
fn what_was_appended_is_read_and_survives_reopening() {
    let dir = tempfile::tempdir().unwrap();
    Trail::create(dir.path(), ORIGIN, &key()).unwrap();
    assert!(matches!(Trail::create(dir.path(), ORIGIN, &key()), Err(TrailError::Present(_))));
    let mut size = 0;
    for round in 0..4 {
        let trail = open(dir.path());
        assert_eq!(trail.size(), size);
        assert_eq!(trail.checkpoint().size, size);
        for count in [1, 700, 3, 256] {
            let appended = trail.append_wait(batch(size, count)).unwrap();
            assert_eq!(appended, Appended { first: size, count: count as u32, repeated: false });
            size += count;
            assert_eq!(trail.size(), size);
        }
        let all = trail.read(0, usize::MAX, usize::MAX).unwrap();
        assert_eq!(all.len() as u64, size, "round {round}");
        for (i, (position, bytes)) in all.into_iter().enumerate() {
            assert_eq!((position, bytes), (i as u64, entry(i as u64)));
        }
        assert_eq!(trail.get(size - 1).unwrap(), Some(entry(size - 1)));
        assert_eq!(trail.get(size).unwrap(), None);
        assert_eq!(trail.read(5, 10, usize::MAX).unwrap().len(), 10);
        assert_eq!(trail.read(5, 10, 1).unwrap().len(), 1);
        let sealed = trail.seal().unwrap();
        assert_eq!(sealed.size, size);
        let proof = trail.inclusion(7, size).unwrap();
        verify::inclusion(&entry(7), &proof, &sealed).unwrap();
        assert!(verify::inclusion(&entry(8), &proof, &sealed).is_err());
    }
}

#[test]
fn a_tagged_batch_is_appended_once() {
    let dir = tempfile::tempdir().unwrap();
    Trail::create(dir.path(), ORIGIN, &key()).unwrap();
    let tag = Tag { key: [1; 16], body: [2; 16] };
    let tagged = Batch { tag: Some(tag), ..batch(0, 5) };
    for round in 0..3 {
        let trail = open(dir.path());
        let appended = trail.append_wait(tagged.clone()).unwrap();
        assert_eq!(appended, Appended { first: 0, count: 5, repeated: round > 0 });
        assert_eq!(trail.size(), 5);
        assert_eq!(trail.find_tag(&[1; 16]).map(|t| (t.first, t.count, t.body)), Some((0, 5, [2; 16])));
        let other = Batch { tag: Some(Tag { body: [3; 16], ..tag }), ..batch(0, 5) };
        assert!(matches!(trail.append_wait(other), Err(AppendError::TagTaken { first: 0, count: 5 })));
    }
}

#[test]
fn only_one_process_has_it_open() {
    let dir = tempfile::tempdir().unwrap();
    Trail::create(dir.path(), ORIGIN, &key()).unwrap();
    let first = open(dir.path());
    assert!(matches!(Trail::open(dir.path(), key(), Options::default()), Err(TrailError::Locked(_))));
    drop(first);
    open(dir.path());
    let absent = dir.path().join("absent");
    assert!(matches!(Trail::open(&absent, key(), Options::default()), Err(TrailError::Absent(_))));
    let other = SigningKey::from_seed(&[8; 32]);
    assert!(matches!(Trail::open(dir.path(), other, Options::default()), Err(TrailError::Checkpoint(_))));
}

#[test]
fn what_is_too_large_or_too_much_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    Trail::create(dir.path(), ORIGIN, &key()).unwrap();
    let options = Options { queue_bytes_max: 100_000, ..Options::default() };
    let (trail, _) = Trail::open(dir.path(), key(), options).unwrap();
    let one = |len: usize| Batch { entries: vec![Bytes::from(vec![b'x'; len])], tag: None };
    trail.append_wait(one(65_535)).unwrap();
    assert!(matches!(trail.append_wait(one(65_536)), Err(AppendError::TooLarge { .. })));
    assert!(matches!(trail.append_wait(Batch::default()), Err(AppendError::Empty)));
    let too_much = Batch { entries: vec![Bytes::from(vec![b'x'; 60_000]); 2], tag: None };
    assert!(matches!(trail.append_wait(too_much), Err(AppendError::TooLarge { .. })));
    // The writer is held in a callback, so what follows waits.
    let (hold, held) = std::sync::mpsc::channel::<()>();
    trail
        .append(
            one(60_000),
            Box::new(move |_| {
                let _ = held.recv();
            }),
        )
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    trail.append(one(60_000), Box::new(|_| ())).unwrap();
    assert!(matches!(trail.append(one(60_000), Box::new(|_| ())), Err(AppendError::Busy { .. })));
    drop(hold);
    trail.close();
    assert!(matches!(trail.append_wait(one(1)), Err(AppendError::Stopped(_))));
    assert_eq!(trail.size(), 3);
}

/// Small segments, so that there are packs soon.
fn small() -> Options {
    Options { segment_entries_max: 1_000, frame_entries_max: 64, ..Options::default() }
}

fn wait_packed(dir: &Path, packs: usize) {
    for _ in 0..500 {
        let names: Vec<_> = std::fs::read_dir(dir.join("log"))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        if names.iter().filter(|n| n.ends_with(".pack")).count() >= packs
            && names.iter().filter(|n| n.ends_with(".wal")).count() <= 1
        {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("not packed in time");
}

#[test]
fn packed_entries_are_read_and_proved_like_others() {
    let dir = tempfile::tempdir().unwrap();
    Trail::create(dir.path(), ORIGIN, &key()).unwrap();
    let mut size = 0;
    let tag = Tag { key: [1; 16], body: [2; 16] };
    for round in 0..3 {
        let (trail, opened) = Trail::open(dir.path(), key(), small()).unwrap();
        assert_eq!((trail.size(), opened.recovered, opened.cut_bytes), (size, 0, 0));
        assert_eq!(trail.find_tag(&tag.key).is_some(), round > 0);
        for _ in 0..29 {
            let tag = (size == 0).then_some(tag);
            trail.append_wait(Batch { tag, ..batch(size, 300) }).unwrap();
            size += 300;
        }
        wait_packed(dir.path(), (size / 900) as usize - 1);
        let all = trail.read(0, usize::MAX, usize::MAX).unwrap();
        assert_eq!(all.len() as u64, size);
        for (i, (position, bytes)) in all.into_iter().enumerate() {
            assert_eq!((position, bytes), (i as u64, entry(i as u64)));
        }
        let sealed = trail.seal().unwrap();
        for position in [0, 1, 899, 900, 4_000, size - 1] {
            assert_eq!(trail.get(position).unwrap(), Some(entry(position)));
            let proof = trail.inclusion(position, size).unwrap();
            verify::inclusion(&entry(position), &proof, &sealed).unwrap();
        }
        for old in [1, 255, 256, 257, 1_000, size - 1] {
            let path = trail.consistency(old, size).unwrap();
            verify::consistency(old, size, &path, &trail.root(old).unwrap(), &sealed.root).unwrap();
        }
        let bundle = trail.entries_bundle(7, 256).unwrap();
        assert_eq!(&bundle[2..2 + entry(7 * 256).len()], &entry(7 * 256)[..]);
        assert_eq!(trail.tile(0, 7, 256).unwrap().len(), 8_192);
        assert!(trail.tile(1, 0, 256).is_err() && trail.tile(1, 0, (size / 256) as u16).is_ok());
    }
}

#[test]
fn tiles_of_level_1_are_kept_and_used_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    Trail::create(dir.path(), ORIGIN, &key()).unwrap();
    let options = || Options { segment_entries_max: 10_000, ..Options::default() };
    let (trail, _) = Trail::open(dir.path(), key(), options()).unwrap();
    let mut size = 0;
    while size < 150_000 {
        trail.append_wait(batch(size, 5_000)).unwrap();
        size += 5_000;
    }
    wait_packed(dir.path(), 14);
    let sealed = trail.seal().unwrap();
    trail.close();
    drop(trail);
    assert_eq!(std::fs::read_dir(dir.path().join("tile/1")).unwrap().count(), 2);
    let (trail, _) = Trail::open(dir.path(), key(), options()).unwrap();
    assert_eq!(trail.root(size).unwrap(), sealed.root);
    for position in [3, 65_535, 65_536, 131_071, 131_072, 149_999] {
        let proof = trail.inclusion(position, size).unwrap();
        verify::inclusion(&entry(position), &proof, &sealed).unwrap();
    }
    assert_eq!(trail.tile(1, 1, 256).unwrap(), std::fs::read(dir.path().join("tile/1/001")).unwrap());
}

#[test]
fn readers_are_right_while_it_is_written_and_packed() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let dir = tempfile::tempdir().unwrap();
    Trail::create(dir.path(), ORIGIN, &key()).unwrap();
    let options = Options {
        checkpoint_interval: std::time::Duration::from_millis(1),
        recent_bytes_max: 100_000,
        cache_bytes_max: 100_000,
        ..small()
    };
    let (trail, _) = Trail::open(dir.path(), key(), options).unwrap();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut checks = 0;
            while !ended.load(Ordering::Relaxed) || checks == 0 {
                let before = trail.checkpoint();
                let verified = verify::folder(dir.path(), trail.public_key(), &mut |_| (), Some(&before)).unwrap();
                assert!(verified.size >= before.size);
                checks += 1;
            }
        });
        for reader in 0..3_u64 {
            let (trail, ended) = (&trail, &ended);
            scope.spawn(move || {
                let mut random = reader;
                while !ended.load(Ordering::Relaxed) {
                    let checkpoint = trail.checkpoint();
                    let size = checkpoint.size;
                    assert!(size <= trail.size());
                    if size == 0 {
                        continue;
                    }
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let position = (random >> 20) % size;
                    let proof = trail.inclusion(position, size).unwrap();
                    verify::inclusion(&entry(position), &proof, &checkpoint).unwrap();
                    assert_eq!(trail.get(position).unwrap(), Some(entry(position)));
                    let old = position + 1;
                    let path = trail.consistency(old, size).unwrap();
                    verify::consistency(old, size, &path, &trail.root(old).unwrap(), &checkpoint.root).unwrap();
                    let read = trail.read(position, 500, 20_000).unwrap();
                    for (i, (at, bytes)) in read.into_iter().enumerate() {
                        assert_eq!((at, bytes), (position + i as u64, entry(position + i as u64)));
                    }
                    trail.tile(0, position / 256, (size - position / 256 * 256).min(256) as u16).unwrap();
                }
            });
        }
        let mut size = 0;
        while size < 70_000 {
            let count = 1 + size % 400;
            match trail.append_wait(batch(size, count)) {
                Ok(_) => size += count,
                Err(AppendError::Busy { .. }) => std::thread::sleep(std::time::Duration::from_millis(5)),
                Err(e) => panic!("{e}"),
            }
        }
        ended.store(true, Ordering::Relaxed);
    });
}
