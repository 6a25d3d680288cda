//! Every change to any file of a trail is found, with the first position that is wrong.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use trail::verify::{self, FaultKind, Verified};
use trail::{Batch, Checkpoint, Options, SigningKey, Tag, Trail, TrailError, VerifyingKey};

const ORIGIN: &str = "belfry.example/acme";

fn key() -> SigningKey {
    SigningKey::from_seed(&[5; 32])
}

fn vkey() -> VerifyingKey {
    key().verifier(ORIGIN).unwrap()
}

fn entry(i: u64) -> Bytes {
    Bytes::from(format!("{{\"n\":{i},\"user\":\"user{}\"}}", i * 7919 % 100))
}

/// A closed trail of some packs and a WAL.
fn trail(dir: &Path, entries: u64, segment: u32, batch: u64) -> Checkpoint {
    Trail::create(dir, ORIGIN, &key()).unwrap();
    let options = Options { segment_entries_max: segment, frame_entries_max: 32, ..Options::default() };
    let (trail, _) = Trail::open(dir, key(), options).unwrap();
    for from in (0..entries).step_by(batch as usize) {
        let tag = (from % (3 * batch) == 0).then_some(Tag { key: [from as u8; 16], body: [1; 16] });
        trail.append_wait(Batch { entries: (from..(from + batch).min(entries)).map(entry).collect(), tag }).unwrap();
    }
    for _ in 0..500 {
        if wals(dir).len() == 1 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(wals(dir).len(), 1, "packed in time");
    let sealed = trail.seal().unwrap();
    trail.close();
    (*sealed).clone()
}

fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir.join("log")).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == ending));
    files.sort();
    files
}

fn wals(dir: &Path) -> Vec<PathBuf> {
    files(dir, "wal")
}

fn first_of(path: &Path) -> u64 {
    path.file_stem().unwrap().to_str().unwrap().parse().unwrap()
}

fn check(dir: &Path, known: Option<&Checkpoint>) -> Result<Verified, verify::Fault> {
    verify::folder(dir, &vkey(), &mut |_| (), known)
}

#[test]
fn a_flipped_bit_anywhere_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let sealed = trail(dir.path(), 1_000, 300, 50);
    let right = check(dir.path(), Some(&sealed)).unwrap();
    assert_eq!((right.size, right.beyond, right.torn_bytes, right.root), (1_000, 0, 0, sealed.root));
    let mut all = files(dir.path(), "pack");
    all.extend(wals(dir.path()));
    assert_eq!(all.len(), 4);
    for path in &all {
        let (first, content) = (first_of(path), fs::read(path).unwrap());
        let end = first + 300;
        for offset in (0..content.len()).step_by(content.len() / 250 + 1).chain(content.len() - 70..content.len()) {
            let mut wrong = content.clone();
            wrong[offset] ^= 1 << (offset % 8);
            fs::write(path, &wrong).unwrap();
            let fault = check(dir.path(), None).expect_err(&format!("{} byte {offset}", path.display()));
            assert!((first..=end).contains(&fault.position), "{} byte {offset}: {fault}", path.display());
        }
        fs::write(path, &content).unwrap();
    }
    let path = dir.path().join("checkpoint");
    let note = fs::read(&path).unwrap();
    for bit in (0..note.len() * 8).step_by(5) {
        let mut wrong = note.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &wrong).unwrap();
        let fault = check(dir.path(), None).expect_err(&format!("checkpoint bit {bit}"));
        assert!(fault.position <= 1_000, "{fault}");
    }
    fs::write(&path, &note).unwrap();
    check(dir.path(), Some(&sealed)).unwrap();
}

#[test]
fn a_flipped_bit_in_an_entry_is_named_exactly() {
    let dir = tempfile::tempdir().unwrap();
    trail(dir.path(), 1_000, 300, 50);
    let wal = &wals(dir.path())[0];
    let content = fs::read(wal).unwrap();
    for position in [900, 901, 949, 950, 999] {
        let text = entry(position);
        let at = content.windows(text.len()).position(|w| w == text).unwrap();
        let mut wrong = content.clone();
        wrong[at + 5] ^= 4;
        fs::write(wal, &wrong).unwrap();
        assert_eq!(check(dir.path(), None).unwrap_err().position, position);
    }
}

/// What a forger does to the entries of a frame and to their short hashes.
type Change = dyn Fn(&mut Vec<Vec<u8>>, &mut Vec<[u8; 4]>);

/// Rewrites the frames of the WAL after `change`, with right checksums: someone who knows the format.
fn forge(wal: &Path, change: &Change) {
    let content = fs::read(wal).unwrap();
    let mut forged = content[..32].to_vec();
    let mut at = 32;
    let number = |at: usize| u32::from_be_bytes(content[at..at + 4].try_into().unwrap()) as usize;
    while at < content.len() {
        let (body, entries, tags, entries_bytes) = (number(at), number(at + 16), number(at + 20), number(at + 24));
        let mut parts = Vec::new();
        let mut next = at + 28;
        for _ in 0..entries {
            let len = usize::from(u16::from_be_bytes(content[next..next + 2].try_into().unwrap()));
            parts.push(content[next..next + 2 + len].to_vec());
            next += 2 + len;
        }
        let mut shorts: Vec<[u8; 4]> =
            content[next..next + 4 * entries].chunks_exact(4).map(|c| c.try_into().unwrap()).collect();
        let tags = content[next + 4 * entries..next + 4 * entries + 44 * tags].to_vec();
        assert_eq!(next - at - 28, entries_bytes);
        if parts.iter().any(|p| p[2..] == entry(925)) {
            change(&mut parts, &mut shorts);
        }
        let entries_bytes: usize = parts.iter().map(Vec::len).sum();
        let mut frame = ((entries_bytes + 4 * parts.len() + tags.len()) as u32).to_be_bytes().to_vec();
        frame.extend([0; 4]);
        frame.extend(&content[at + 8..at + 16]);
        frame.extend((parts.len() as u32).to_be_bytes());
        frame.extend(&content[at + 20..at + 24]);
        frame.extend((entries_bytes as u32).to_be_bytes());
        parts.iter().for_each(|p| frame.extend(p));
        shorts.iter().for_each(|s| frame.extend(s));
        frame.extend(tags);
        let crc = crc32c::crc32c(&frame[8..]);
        frame[4..8].copy_from_slice(&crc.to_be_bytes());
        forged.extend(frame);
        at += 28 + body;
    }
    fs::write(wal, forged).unwrap();
}

#[test]
fn swapped_dropped_and_rewritten_entries_are_found_behind_right_checksums() {
    let dir = tempfile::tempdir().unwrap();
    trail(dir.path(), 1_000, 300, 50);
    let wal = &wals(dir.path())[0];
    let content = fs::read(wal).unwrap();
    let fault = |change: &Change| {
        fs::write(wal, &content).unwrap();
        forge(wal, change);
        check(dir.path(), None).unwrap_err()
    };
    forge(wal, &|_, _| ());
    assert_eq!(fs::read(wal).unwrap(), content, "the forger knows the format");
    assert_eq!(fault(&|parts, _| parts.swap(7, 12)).position, 907);
    assert_eq!(fault(&|parts, _| drop(parts.splice(7..8, [vec![0, 3, b'x', b'y', b'z']]))).position, 907);
    // With the short hashes made to fit as well, only what was signed tells: since position 900.
    let both = |parts: &mut Vec<Vec<u8>>, shorts: &mut Vec<[u8; 4]>| {
        parts.swap(7, 12);
        shorts.swap(7, 12);
    };
    assert_eq!(fault(&both).position, 900);
    let dropped = |parts: &mut Vec<Vec<u8>>, shorts: &mut Vec<[u8; 4]>| {
        parts.pop();
        shorts.pop();
    };
    assert_eq!(fault(&dropped).position, 949);
}

#[test]
fn missing_swapped_and_cut_files_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let sealed = trail(dir.path(), 1_000, 300, 50);
    let packs = files(dir.path(), "pack");
    let aside = dir.path().join("aside");
    for (path, position) in [(&packs[0], 0), (&packs[1], 300), (&packs[2], 600), (&wals(dir.path())[0], 900)] {
        fs::rename(path, &aside).unwrap();
        let fault = check(dir.path(), None).unwrap_err();
        assert_eq!((fault.kind, fault.position), (FaultKind::Wrong, position), "{fault}");
        assert!(Trail::open(dir.path(), key(), Options::default()).is_err(), "{} is missing", path.display());
        fs::rename(&aside, path).unwrap();
    }
    fs::rename(&packs[0], &aside).unwrap();
    fs::rename(&packs[1], &packs[0]).unwrap();
    fs::rename(&aside, &packs[1]).unwrap();
    assert_eq!(check(dir.path(), None).unwrap_err().position, 0);
    fs::rename(&packs[0], &aside).unwrap();
    fs::rename(&packs[1], &packs[0]).unwrap();
    fs::rename(&aside, &packs[1]).unwrap();

    for path in packs.iter().chain(&wals(dir.path())) {
        let content = fs::read(path).unwrap();
        for len in (0..content.len()).step_by(content.len() / 60) {
            fs::write(path, &content[..len]).unwrap();
            let fault = check(dir.path(), None).unwrap_err();
            let first = first_of(path);
            assert!((first..=first + 300).contains(&fault.position), "{} cut at {len}: {fault}", path.display());
        }
        fs::write(path, &content).unwrap();
    }
    check(dir.path(), Some(&sealed)).unwrap();

    fs::remove_file(dir.path().join("checkpoint")).unwrap();
    assert_eq!(check(dir.path(), None).unwrap_err().position, 900, "what the last pack's checkpoint vouches for");
}

#[test]
fn a_tail_cut_with_its_checkpoint_is_found_against_one_kept_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    Trail::create(dir.path(), ORIGIN, &key()).unwrap();
    let (trail, _) = Trail::open(dir.path(), key(), Options::default()).unwrap();
    let wal = &wals(dir.path())[0];
    trail.append_wait(Batch { entries: (0..100).map(entry).collect(), tag: None }).unwrap();
    trail.seal().unwrap();
    let (old_wal, old_note) = (fs::read(wal).unwrap(), fs::read(dir.path().join("checkpoint")).unwrap());
    trail.append_wait(Batch { entries: (100..200).map(entry).collect(), tag: None }).unwrap();
    let kept = trail.seal().unwrap();
    drop(trail);
    fs::write(wal, old_wal).unwrap();
    fs::write(dir.path().join("checkpoint"), old_note).unwrap();
    assert_eq!(check(dir.path(), None).unwrap().size, 100, "by itself it looks right");
    assert_eq!(check(dir.path(), Some(&kept)).unwrap_err().position, 100);
    // The trail goes on from there with other entries: the old checkpoint tells.
    let (trail, _) = Trail::open(dir.path(), key(), Options::default()).unwrap();
    trail.append_wait(Batch { entries: (300..500).map(entry).collect(), tag: None }).unwrap();
    drop(trail);
    assert_eq!(check(dir.path(), None).unwrap().size, 300);
    assert_eq!(check(dir.path(), Some(&kept)).unwrap_err().position, 0, "no checkpoint in between says where");
}

#[test]
fn a_wrong_or_missing_tile_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let sealed = trail(dir.path(), 70_000, 3_000, 1_000);
    check(dir.path(), Some(&sealed)).unwrap();
    let tile = dir.path().join("tile/1/000");
    let content = fs::read(&tile).unwrap();
    for offset in (0..content.len()).step_by(251) {
        let mut wrong = content.clone();
        wrong[offset] ^= 0x10;
        fs::write(&tile, &wrong).unwrap();
        let fault = check(dir.path(), None).unwrap_err();
        assert_eq!(fault.position, offset as u64 / 32 * 256, "{fault}");
    }
    fs::write(&tile, &content[..8_000]).unwrap();
    assert_eq!(check(dir.path(), None).unwrap_err().position, 250 * 256);
    fs::remove_file(&tile).unwrap();
    assert_eq!(check(dir.path(), None).unwrap_err().position, 0);
}

#[test]
fn a_newer_format_is_said_to_be_newer() {
    let dir = tempfile::tempdir().unwrap();
    trail(dir.path(), 1_000, 300, 50);
    let patch = |path: &Path, newest: u32, version: std::ops::Range<usize>, covered: std::ops::Range<usize>| {
        let content = fs::read(path).unwrap();
        let mut newer = content.clone();
        newer[version].copy_from_slice(&newest.to_be_bytes());
        let crc = crc32c::crc32c(&newer[covered.clone()]);
        newer[covered.end..covered.end + 4].copy_from_slice(&crc.to_be_bytes());
        fs::write(path, &newer).unwrap();
        let fault = check(dir.path(), None).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Unreadable, "{fault}");
        let error = Trail::open(dir.path(), key(), Options::default()).unwrap_err();
        assert!(
            matches!(error, TrailError::Version { found, known, .. } if found == newest && known + 1 == newest),
            "{error}"
        );
        fs::write(path, content).unwrap();
    };
    patch(&wals(dir.path())[0], 2, 8..12, 0..28);
    let pack = &files(dir.path(), "pack")[2];
    let end = fs::metadata(pack).unwrap().len() as usize;
    patch(pack, 3, end - 20..end - 16, end - 64..end - 12);
    check(dir.path(), None).unwrap();
}

#[test]
fn a_bundle_proves_its_entries_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    trail(dir.path(), 1_000, 300, 50);
    let (trail, _) = Trail::open(dir.path(), key(), Options::default()).unwrap();
    trail.append_wait(Batch { entries: vec![Bytes::from_static(b"\xff\xfe not text")], tag: None }).unwrap();
    let json = trail.bundle(&[0, 17, 18, 555, 1_000]).unwrap().to_json();
    let proved = verify::bundle(&json, Some(&vkey())).unwrap();
    assert_eq!((proved.entries, proved.range, proved.size), (5, Some((0, 1_000)), 1_001));
    assert_eq!(verify::bundle(&json, None).unwrap().key, vkey());
    let other = SigningKey::from_seed(&[6; 32]).verifier(ORIGIN).unwrap();
    assert!(verify::bundle(&json, Some(&other)).is_err());
    for offset in 0..json.len() {
        let mut wrong = json.clone();
        wrong[offset] ^= 1;
        if let Ok(proved) = verify::bundle(&wrong, Some(&vkey())) {
            panic!("byte {offset} was changed and still: {proved:?}");
        }
    }
    let text = String::from_utf8(json).unwrap();
    let wrong = text.replace("\"position\":17,", "\"position\":19,");
    assert_eq!(verify::bundle(wrong.as_bytes(), None).unwrap_err().position, 19);
    assert!(trail.bundle(&[1_001]).is_err());
}
