//! Removing entries: what is gone is gone, what is left is proved as before, and no crash or fault
//! leaves anything in between. `BELFRY_SEEDS=from..to` runs other seeds.
#![allow(clippy::single_range_in_vec_init, reason = "that is what is meant")]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test that can't go on fails, and says what it did")]

use std::collections::BTreeSet;
use std::fs;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use trail::disk::faulty::{Fault, FaultyDisk};
use trail::verify::{self, FaultKind};
use trail::{AppendError, Batch, Hash, Options, Removal, Removed, SigningKey, Tag, Trail, TrailError, VerifyingKey};

const ORIGIN: &str = "belfry.example/acme";

fn key() -> SigningKey {
    SigningKey::from_seed(&[5; 32])
}

fn vkey() -> VerifyingKey {
    key().verifier(ORIGIN).unwrap()
}

fn options() -> Options {
    Options { segment_entries_max: 300, frame_entries_max: 32, shred: true, ..Options::default() }
}

fn entry(i: u64) -> Bytes {
    Bytes::from(format!("{{\"n\":{i},\"user\":\"user{}\"}}", i * 7919 % 100))
}

fn append(trail: &Trail, entries: Range<u64>, batch: u64) {
    for from in entries.clone().step_by(batch as usize) {
        let tag = (from % 150 == 0).then_some(Tag { key: [from as u8; 16], body: [1; 16] });
        let entries = (from..(from + batch).min(entries.end)).map(entry).collect();
        trail.append_wait(Batch { entries, tag }).unwrap();
    }
}

fn removal(ranges: &[Range<u64>]) -> Removal {
    ranges.iter().cloned().collect()
}

fn remove(trail: &Trail, ranges: &[Range<u64>]) -> Result<Removed, TrailError> {
    trail.remove(&removal(ranges), &mut |_| ControlFlow::Continue(()))
}

fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir.join("log")).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == ending));
    files.sort();
    files
}

/// Every entry is as it was or empty, the empty ones are those of `gone`, and all is proved as before.
fn check(trail: &Trail, size: u64, root: Hash, gone: &BTreeSet<u64>) {
    let all = trail.read(0, usize::MAX, usize::MAX).unwrap();
    assert_eq!(all.len() as u64, size);
    for (position, bytes) in all {
        let expected = if gone.contains(&position) { Bytes::new() } else { entry(position) };
        assert_eq!(bytes, expected, "position {position}");
    }
    assert_eq!(trail.root(size).unwrap(), root);
    for position in (0..size).step_by(7).chain(gone.iter().copied().take(30)) {
        let proof = trail.inclusion(position, size).unwrap();
        assert_eq!(proof.leaf, Hash::leaf(&entry(position)), "the hash is that of what was there");
        verify::leaf(&proof, size, &root).unwrap();
        let wanted = if gone.contains(&position) { Bytes::new() } else { entry(position) };
        assert_eq!(trail.get(position).unwrap(), Some(wanted));
    }
    assert_eq!(trail.removed_in(0..size).unwrap(), gone.len() as u64);
    for (from, to) in [(0, 1), (10, 11), (3, 50), (290, 310), (299, 900), (31, 64)] {
        let wanted = gone.range(from..to).count() as u64;
        assert_eq!(trail.removed_in(from..to.min(size)).unwrap(), wanted, "{from}..{to}");
    }
    for index in 0..size / 256 {
        assert_eq!(trail.tile(0, index, 256).unwrap().len(), 8_192);
        let first_gone = gone.range(index * 256..(index + 1) * 256).next();
        match (trail.entries_bundle(index, 256), first_gone) {
            (Ok(bytes), None) => assert!(bytes.len() > 256 * 10),
            (Err(TrailError::Removed { position }), Some(first)) => assert_eq!(position, *first),
            (other, _) => panic!("entry bundle {index}: {other:?}"),
        }
    }
}

#[test]
fn removed_entries_are_gone_and_all_else_stays() {
    let dir = tempfile::tempdir().unwrap();
    Trail::create(dir.path(), ORIGIN, &key()).unwrap();
    let (trail, _) = Trail::open(dir.path(), key(), options()).unwrap();
    append(&trail, 0..1_000, 50);
    let sealed = trail.seal().unwrap();
    // Read before, so that caches hold what shall go.
    trail.read(0, usize::MAX, usize::MAX).unwrap();
    let ranges = [3..4, 40..41, 63..65, 295..305, 320..640, 950..951];
    let done = remove(&trail, &ranges).unwrap();
    let gone: BTreeSet<u64> = ranges.iter().cloned().flatten().collect();
    assert_eq!((done.entries, done.packs), (gone.len() as u64, 4));
    assert!(done.bytes_freed > 0 || done.entries < 400);
    check(&trail, 1_000, sealed.root, &gone);
    assert_eq!(files(dir.path(), "wal").len(), 1, "the open segment was ended and packed");
    assert!(!fs::read(&files(dir.path(), "wal")[0]).unwrap().windows(20).any(|w| w == &entry(950)[..20]));

    let verified = verify::folder(dir.path(), &vkey(), &mut |_| (), Some(&sealed)).unwrap();
    assert_eq!((verified.removed, verified.root), (gone.len() as u64, sealed.root));
    let json = trail.bundle(&[2, 3, 40, 999]).unwrap().to_json();
    let proved = verify::bundle(&json, Some(&vkey())).unwrap();
    assert_eq!((proved.entries, proved.removed), (4, 2));
    let text = String::from_utf8(trail.bundle(&[3, 40]).unwrap().to_json()).unwrap();
    let other = text.replace(&Hash::leaf(&entry(3)).to_string(), &Hash::leaf(b"other").to_string());
    assert_eq!(verify::bundle(other.as_bytes(), None).unwrap_err().position, 3);

    // Again: nothing is left to do; and one more beside those that are gone.
    assert_eq!(remove(&trail, &ranges).unwrap(), Removed::default());
    assert_eq!(remove(&trail, &[2..6]).unwrap().entries, 3);
    let gone: BTreeSet<u64> = gone.into_iter().chain(2..6).collect();
    check(&trail, 1_000, sealed.root, &gone);
    assert_eq!(remove(&trail, &[]).unwrap(), Removed::default());
    assert!(matches!(remove(&trail, &[999..1_001]), Err(TrailError::OutOfRange { .. })));

    append(&trail, 1_000..1_400, 50);
    trail.close();
    assert!(matches!(remove(&trail, &[1_399..1_400]), Err(TrailError::Stopped(_))));
    drop(trail);
    let (trail, _) = Trail::open(dir.path(), key(), options()).unwrap();
    let root = trail.root(1_400).unwrap();
    check(&trail, 1_400, root, &gone);
    assert_eq!(trail.root(1_000).unwrap(), sealed.root);
    assert!(trail.find_tag(&[0; 16]).is_some(), "the tag of a batch outlives its entries");
    let empty = Batch { entries: vec![entry(1), Bytes::new()], tag: None };
    assert!(matches!(trail.append_wait(empty), Err(AppendError::Empty)), "empty is what a removed entry reads as");
}

#[test]
fn only_what_is_touched_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    Trail::create(dir.path(), ORIGIN, &key()).unwrap();
    let (trail, _) = Trail::open(dir.path(), key(), options()).unwrap();
    append(&trail, 0..900, 50);
    remove(&trail, &[899..900]).unwrap();
    let before: Vec<Vec<u8>> = files(dir.path(), "pack").iter().map(|p| fs::read(p).unwrap()).collect();
    remove(&trail, &[320..321]).unwrap();
    let after: Vec<Vec<u8>> = files(dir.path(), "pack").iter().map(|p| fs::read(p).unwrap()).collect();
    assert_eq!((&before[0], &before[2]), (&after[0], &after[2]));
    // Frames end at multiples of 32: positions 300 to 319 are the first frame, 352 on the third and later ones.
    let frame = |pack: &[u8], number: usize| {
        let at = |offset: usize| u32::from_be_bytes(pack[offset..offset + 4].try_into().unwrap()) as usize;
        let mut offset = 32;
        (0..number).for_each(|_| offset += 32 + at(offset + 4));
        pack[offset..offset + 32 + at(offset + 4)].to_vec()
    };
    for number in (0..10).filter(|n| *n != 1) {
        assert_eq!(frame(&before[1], number), frame(&after[1], number), "frame {number}");
    }
    assert_ne!(frame(&before[1], 1), frame(&after[1], 1));
}

/// Made by the first version of the program: three packs and a WAL, and an empty entry at position 10.
fn version_1(dir: &Path) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/version-1");
    fs::create_dir_all(dir.join("log")).unwrap();
    fs::create_dir_all(dir.join("tile")).unwrap();
    fs::copy(fixture.join("checkpoint"), dir.join("checkpoint")).unwrap();
    for entry in fs::read_dir(fixture.join("log")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, dir.join("log").join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn packs_of_version_1_are_read_verified_and_lose_entries() {
    let dir = tempfile::tempdir().unwrap();
    version_1(dir.path());
    let before = verify::folder(dir.path(), &vkey(), &mut |_| (), None).unwrap();
    assert_eq!((before.size, before.removed), (1_000, 0));
    let (trail, opened) = Trail::open(dir.path(), key(), options()).unwrap();
    assert_eq!((trail.size(), opened.recovered), (1_000, 0));
    let read = |position: u64| trail.get(position).unwrap().unwrap();
    assert!((0..1_000).all(|i| read(i) == if i == 10 { Bytes::new() } else { entry(i) }));
    assert_eq!(trail.removed_in(0..1_000).unwrap(), 0, "an empty entry is not a removed one");
    assert!(trail.entries_bundle(0, 256).is_ok());
    assert!(trail.find_tag(&[150; 16]).is_some());
    let sealed = trail.checkpoint();
    let second = fs::read(&files(dir.path(), "pack")[1]).unwrap();
    remove(&trail, &[9..12, 700..701]).unwrap();
    assert_eq!(trail.removed_in(0..1_000).unwrap(), 4);
    assert_eq!(trail.root(1_000).unwrap(), sealed.root);
    assert_eq!(trail.inclusion(10, 1_000).unwrap().leaf, Hash::leaf(b""));
    let packs = files(dir.path(), "pack");
    let versions: Vec<u8> = packs.iter().map(|p| fs::read(p).unwrap()[11]).collect();
    assert_eq!(versions, [2, 1, 2]);
    assert_eq!(fs::read(&packs[1]).unwrap(), second);
    trail.close();
    drop(trail);
    let after = verify::folder(dir.path(), &vkey(), &mut |_| (), Some(&sealed)).unwrap();
    assert_eq!((after.removed, after.root), (4, before.root));
    let (trail, _) = Trail::open(dir.path(), key(), options()).unwrap();
    assert_eq!(trail.get(13).unwrap(), Some(entry(13)));
}

#[test]
fn a_flipped_bit_beside_removed_entries_is_found() {
    let dir = tempfile::tempdir().unwrap();
    Trail::create(dir.path(), ORIGIN, &key()).unwrap();
    let (trail, _) = Trail::open(dir.path(), key(), options()).unwrap();
    append(&trail, 0..300, 50);
    remove(&trail, &[5..7, 100..150, 299..300]).unwrap();
    trail.seal().unwrap();
    drop(trail);
    let path = &files(dir.path(), "pack")[0];
    let content = fs::read(path).unwrap();
    for offset in 0..content.len() {
        let mut wrong = content.clone();
        wrong[offset] ^= 1 << (offset % 8);
        fs::write(path, &wrong).unwrap();
        let fault = verify::folder(dir.path(), &vkey(), &mut |_| (), None).expect_err(&format!("byte {offset}"));
        assert!(fault.position <= 300 && fault.kind == FaultKind::Wrong, "byte {offset}: {fault}");
    }
    // The stored hash of one removed entry: named exactly.
    let leaf = Hash::leaf(&entry(6)).0;
    let at = content.windows(32).position(|w| w == leaf).unwrap();
    let mut wrong = content.clone();
    wrong[at] ^= 1;
    fs::write(path, &wrong).unwrap();
    assert_eq!(verify::folder(dir.path(), &vkey(), &mut |_| (), None).unwrap_err().position, 6);
    // A pack that was tampered with is not made to look right by a removal: it is not touched.
    fs::write(path, &content).unwrap();
    let (trail, _) = Trail::open(dir.path(), key(), options()).unwrap();
    fs::write(path, &wrong).unwrap();
    assert!(matches!(remove(&trail, &[200..201]), Err(TrailError::Tampered { position: 6, .. })));
    assert_eq!(fs::read(path).unwrap(), wrong);
}

#[test]
fn it_goes_on_while_others_read_write_and_verify() {
    let dir = tempfile::tempdir().unwrap();
    Trail::create(dir.path(), ORIGIN, &key()).unwrap();
    let options = Options { checkpoint_interval: Duration::from_millis(1), cache_bytes_max: 100_000, ..options() };
    let (trail, _) = Trail::open(dir.path(), key(), options.clone()).unwrap();
    let ended = AtomicBool::new(false);
    append(&trail, 0..600, 50);
    let gone: BTreeSet<u64> = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                let before = trail.checkpoint();
                verify::folder(dir.path(), trail.public_key(), &mut |_| (), Some(&before)).unwrap();
            }
        });
        for reader in 0..2_u64 {
            let (trail, ended) = (&trail, &ended);
            scope.spawn(move || {
                let mut at = reader;
                while !ended.load(Ordering::Relaxed) {
                    at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let checkpoint = trail.checkpoint();
                    // The first one may not be signed yet.
                    let Some(position) = (at >> 20).checked_rem(checkpoint.size) else { continue };
                    let proof = trail.inclusion(position, checkpoint.size).unwrap();
                    verify::leaf(&proof, checkpoint.size, &checkpoint.root).unwrap();
                    let read = trail.get(position).unwrap().unwrap();
                    assert!(read.is_empty() || read == entry(position));
                }
            });
        }
        let writer = scope.spawn(|| {
            let mut size = 600;
            while size < 12_000 {
                match trail.append_wait(Batch { entries: (size..size + 100).map(entry).collect(), tag: None }) {
                    Ok(_) => size += 100,
                    Err(AppendError::Busy { .. }) => std::thread::sleep(Duration::from_millis(5)),
                    Err(e) => panic!("{e}"),
                }
            }
        });
        let mut gone = BTreeSet::new();
        let mut at = 1_u64;
        while !writer.is_finished() || gone.is_empty() {
            at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let from = (at >> 20) % trail.size();
            let range = from..(from + 1 + at % 40).min(trail.size());
            remove(&trail, std::slice::from_ref(&range)).unwrap();
            assert!(range.clone().all(|p| trail.get(p).unwrap().unwrap().is_empty()), "gone when it returns");
            gone.extend(range);
        }
        ended.store(true, Ordering::Relaxed);
        gone
    });
    let root = trail.root(12_000).unwrap();
    check(&trail, 12_000, root, &gone);
    drop(trail);
    let (trail, _) = Trail::open(dir.path(), key(), options).unwrap();
    check(&trail, 12_000, root, &gone);
}

#[test]
fn it_can_be_ended_early_and_goes_on_later() {
    let dir = tempfile::tempdir().unwrap();
    Trail::create(dir.path(), ORIGIN, &key()).unwrap();
    let (trail, _) = Trail::open(dir.path(), key(), options()).unwrap();
    append(&trail, 0..1_200, 50);
    let mut seen = Vec::new();
    let removal = removal(&[0..1_200]);
    let done = trail.remove(&removal, &mut |progress| {
        seen.push((progress.packs_done, progress.packs_total, progress.entries));
        if progress.packs_done == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((done.unwrap().entries, seen), (600, vec![(1, 4, 300), (2, 4, 600)]));
    assert_eq!(trail.removed_in(0..1_200).unwrap(), 600);
    assert_eq!(remove(&trail, &[0..1_200]).unwrap().entries, 600);
}

const DIR: &str = "/t";

fn on(disk: &FaultyDisk) -> Options {
    Options {
        disk: Arc::new(disk.clone()),
        segment_entries_max: 60,
        frame_entries_max: 8,
        shred: true,
        checkpoint_interval: Duration::from_micros(300),
        rest: Duration::from_millis(1),
        pack_wait_max: Duration::from_secs(10),
        ..Options::default()
    }
}

/// The power goes, or an operation fails, at every moment of a removal.
#[test]
fn a_crash_or_fault_at_any_moment_leaves_each_entry_whole_or_removed() {
    let prepared = FaultyDisk::new(0);
    Trail::create_on(&prepared, Path::new(DIR), ORIGIN, &key()).unwrap();
    let (trail, _) = Trail::open(Path::new(DIR), key(), on(&prepared)).unwrap();
    append(&trail, 0..400, 20);
    let sealed = trail.seal().unwrap();
    remove(&trail, &[7..8, 130..140]).unwrap();
    append(&trail, 400..430, 10);
    drop(trail);
    let asked = [6..9, 60..120, 125..126, 300..302, 395..405];
    let before: BTreeSet<u64> = [7..8, 130..140].into_iter().flatten().collect();
    let wanted: BTreeSet<u64> = before.iter().copied().chain(asked.iter().cloned().flatten()).collect();

    let counted = prepared.copy(0);
    let (trail, _) = Trail::open(Path::new(DIR), key(), on(&counted)).unwrap();
    let begun = counted.operations();
    remove(&trail, &asked).unwrap();
    let operations = counted.operations() - begun;
    drop(trail);
    println!("{operations} operations");
    let repeats = std::env::var("BELFRY_SEEDS").map_or(0..1_u64, |s| {
        let (from, to) = s.split_once("..").expect("BELFRY_SEEDS is from..to");
        from.parse().unwrap()..to.parse().unwrap()
    });
    for seed in repeats {
        for moment in 1..=operations + 4 {
            for fault in [None, Some(Fault::NotDone), Some(Fault::DoneButFailed)] {
                let name = format!("seed {seed}, operation {moment}, {fault:?}");
                let disk = prepared.copy(seed * 10_007 + moment);
                let (trail, _) = Trail::open(Path::new(DIR), key(), on(&disk)).unwrap();
                match fault {
                    None => disk.crash_after(moment),
                    Some(fault) => disk.fail_after(moment, fault),
                }
                let outcome = remove(&trail, &asked);
                let complete = outcome.is_ok();
                match fault {
                    // Sometimes the process goes on after a fault and just tries again.
                    Some(_) if moment % 2 == 0 && trail.stopped().is_none() => {
                        disk.heal();
                        remove(&trail, &asked).unwrap_or_else(|e| panic!("{name}: {e}"));
                    }
                    _ => disk.crash(),
                }
                drop(trail);
                disk.restart();
                let (trail, _) =
                    Trail::open(Path::new(DIR), key(), on(&disk)).unwrap_or_else(|e| panic!("{name}: {e}"));
                for (position, bytes) in trail.read(0, usize::MAX, usize::MAX).unwrap() {
                    if bytes.is_empty() {
                        assert!(wanted.contains(&position), "{name}: {position} was not to go");
                    } else {
                        assert_eq!(bytes, entry(position), "{name}");
                        assert!(!before.contains(&position), "{name}: {position} came back");
                        assert!(!complete || !wanted.contains(&position), "{name}: {position} is said to be removed");
                    }
                }
                remove(&trail, &asked).unwrap_or_else(|e| panic!("{name}: {e}"));
                check(&trail, 430, trail.root(430).unwrap(), &wanted);
                assert_eq!(trail.root(400).unwrap(), sealed.root);
                trail.close();
                drop(trail);
                let verified = verify::folder_on(&disk, Path::new(DIR), &vkey(), &mut |_| (), Some(&sealed))
                    .unwrap_or_else(|fault| panic!("{name}: {fault}"));
                assert_eq!(verified.removed, wanted.len() as u64, "{name}");
            }
        }
    }
}
