//! A copy made from the list of files while others append is a whole trail.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use trail::{Batch, Checkpoint, Options, SigningKey, Trail, verify};

const ORIGIN: &str = "belfry.example/acme";

fn key() -> SigningKey {
    SigningKey::from_seed(&[5; 32])
}

fn copy(trail: &Trail, checkpoint: &Checkpoint, to: &Path) {
    std::fs::create_dir_all(to.join("log")).unwrap();
    std::fs::create_dir_all(to.join("tile")).unwrap();
    for file in trail.files(checkpoint).unwrap() {
        let path = to.join(&file.name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let (mut from, bytes) = file.open().unwrap();
        let mut content = Vec::new();
        from.read_to_end(&mut content).unwrap();
        assert_eq!(content.len() as u64, bytes, "{}", file.name);
        std::fs::write(path, content).unwrap();
    }
    std::fs::write(to.join("checkpoint"), &checkpoint.note).unwrap();
}

#[test]
fn a_copy_taken_under_load_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("trail");
    Trail::create(&from, ORIGIN, &key()).unwrap();
    let small = Options { segment_entries_max: 3_000, ..Options::default() };
    let trail = Trail::open(&from, key(), small).unwrap().0;
    let stop = Arc::new(AtomicBool::new(false));
    let (writer, told) = (trail.clone(), stop.clone());
    let thread = std::thread::spawn(move || {
        let mut n: u64 = 0;
        while !told.load(Ordering::Relaxed) && n < 400_000 {
            let entries = (n..n + 100).map(|i| Bytes::from(format!("{{\"n\":{i}}}"))).collect();
            n += 100;
            // A trail that is busy refuses: then there is less to copy.
            writer.append_wait(Batch { entries, tag: None }).ok();
        }
    });
    for round in 0..6 {
        std::thread::sleep(std::time::Duration::from_millis(120));
        let checkpoint = trail.seal().unwrap();
        let to = dir.path().join(format!("copy{round}"));
        copy(&trail, &checkpoint, &to);
        let verifier = key().verifier(ORIGIN).unwrap();
        let found = verify::folder(&to, &verifier, &mut |_| {}, Some(&checkpoint)).unwrap();
        assert_eq!((found.size, found.root, found.torn_bytes), (checkpoint.size, checkpoint.root, 0));
        // It opens, holds all that the checkpoint covers, and goes on.
        let opened = Trail::open(&to, key(), Options::default()).unwrap().0;
        assert!(opened.size() >= checkpoint.size);
        assert_eq!(opened.root(checkpoint.size).unwrap(), checkpoint.root);
        opened.append_wait(Batch { entries: vec![Bytes::from_static(b"{}")], tag: None }).unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
    trail.close();
}

#[test]
fn an_empty_trail_has_no_files() {
    let dir = tempfile::tempdir().unwrap();
    Trail::create(dir.path(), ORIGIN, &key()).unwrap();
    let trail = Trail::open(dir.path(), key(), Options::default()).unwrap().0;
    assert!(trail.files(&trail.checkpoint()).unwrap().is_empty());
}
