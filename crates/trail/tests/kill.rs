//! A process that appends is killed at moments drawn from a seed: what it was answered is there.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test that can't go on fails, and says what it skipped")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use trail::{Batch, Options, SigningKey, Trail, verify};

const FOLDER: &str = "BELFRY_KILL_FOLDER";
const ROUNDS: u64 = 20;

fn key() -> SigningKey {
    SigningKey::from_seed(&[4; 32])
}

fn options() -> Options {
    Options { segment_entries_max: 2_000, checkpoint_interval: Duration::from_millis(5), ..Options::default() }
}

fn entry(i: u64) -> Bytes {
    Bytes::from(format!("{{\"n\":{i},\"text\":\"{}\"}}", "y".repeat((i % 200) as usize)))
}

/// The process that is killed: appends for ever and prints how far it was answered.
#[test]
fn append_until_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let (trail, _) = Trail::open(Path::new(&folder), key(), options()).unwrap();
    let mut next = trail.size();
    let mut answers = std::io::stderr().lock();
    loop {
        let count = 1 + next % 150;
        let entries = (next..next + count).map(entry).collect();
        let appended = trail.append_wait(Batch { entries, tag: None }).unwrap();
        assert_eq!(appended.first, next);
        next += count;
        writeln!(answers, "answered {next}").unwrap();
    }
}

#[test]
fn what_was_answered_survives_kill_9() {
    let seed: u64 = std::env::var("BELFRY_SEED").map_or(7, |s| s.parse().unwrap());
    println!("seed {seed}");
    let dir = tempfile::tempdir().unwrap();
    Trail::create(dir.path(), "belfry.example/kill", &key()).unwrap();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["append_until_killed", "--exact", "--nocapture"])
            .env(FOLDER, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let wait = Duration::from_millis(20 + (seed + round).wrapping_mul(0x9E37_79B9_7F4A_7C15) % 180);
        let answered = std::thread::spawn(move || {
            lines.map_while(Result::ok).filter_map(|l| l.strip_prefix("answered ")?.parse::<u64>().ok()).last()
        });
        std::thread::sleep(wait);
        child.kill().unwrap();
        child.wait().unwrap();
        let answered = answered.join().unwrap().unwrap_or(0);
        let (trail, _) = Trail::open(dir.path(), key(), options()).unwrap();
        assert!(trail.size() >= answered, "round {round}: {answered} were answered, {} are there", trail.size());
        let kept = trail.seal().unwrap();
        drop(trail);
        let key = key().verifier("belfry.example/kill").unwrap();
        let verified = verify::folder(dir.path(), &key, &mut |_| (), Some(&kept)).unwrap();
        assert_eq!(verified.size, kept.size, "round {round}");
    }
    let (trail, _) = Trail::open(dir.path(), key(), options()).unwrap();
    assert!(trail.size() > ROUNDS, "hardly anything was appended");
    for (position, bytes) in trail.read(0, usize::MAX, usize::MAX).unwrap() {
        assert_eq!(bytes, entry(position));
    }
    println!("{} entries after {ROUNDS} kills", trail.size());
}
