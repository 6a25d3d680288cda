//! Appending, reading and opening again, on the real file system.

use std::path::Path;

use bytes::Bytes;
use trail::{AppendError, Appended, Batch, Options, SigningKey, Tag, Trail, TrailError};

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
        trail::verify::inclusion(&entry(7), &proof, &sealed).unwrap();
        assert!(trail::verify::inclusion(&entry(8), &proof, &sealed).is_err());
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
    trail.append(one(60_000), Box::new(move |_| {
        let _ = held.recv();
    })).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    trail.append(one(60_000), Box::new(|_| ())).unwrap();
    assert!(matches!(trail.append(one(60_000), Box::new(|_| ())), Err(AppendError::Busy { .. })));
    drop(hold);
    trail.close();
    assert!(matches!(trail.append_wait(one(1)), Err(AppendError::Stopped(_))));
    assert_eq!(trail.size(), 3);
}
