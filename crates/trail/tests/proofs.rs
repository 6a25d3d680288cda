//! Proofs held against others' code (`tlog_tiles`, a port of Go's), others' vectors, and against
//! every flipped bit.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test that can't go on fails, and says what it skipped")]

use std::path::{Path, PathBuf};

use bytes::Bytes;
use proptest::prelude::*;
use serde::Deserialize;
use trail::{Batch, Hash, Options, SigningKey, Trail, verify};

fn key() -> SigningKey {
    SigningKey::from_seed(&[2; 32])
}

fn entry(i: u64) -> Vec<u8> {
    format!("entry {i}").into_bytes()
}

/// A trail of `size` entries, most of them packed.
fn trail(size: u64) -> (tempfile::TempDir, Trail) {
    let dir = tempfile::tempdir().unwrap();
    Trail::create(dir.path(), "belfry.example/acme", &key()).unwrap();
    let options = Options { segment_entries_max: 700, frame_entries_max: 64, ..Options::default() };
    let (trail, _) = Trail::open(dir.path(), key(), options).unwrap();
    for from in (0..size).step_by(100) {
        let entries = (from..(from + 100).min(size)).map(|i| Bytes::from(entry(i))).collect();
        trail.append_wait(Batch { entries, tag: None }).unwrap();
    }
    trail.seal().unwrap();
    (dir, trail)
}

/// Serves our tiles to `tlog_tiles`.
struct Tiles<'a>(&'a Trail);

impl tlog_tiles::TileReader for Tiles<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |t: &tlog_tiles::Tile| self.0.tile(t.level(), t.level_index(), t.width() as u16).map(|b| b.to_vec());
        tiles.iter().map(|t| read(t).map_err(|_| tlog_tiles::Error::InvalidTile)).collect()
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

fn theirs(hash: &Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(hash.0)
}

#[test]
fn another_implementation_makes_and_accepts_the_same_proofs() {
    let size = 3_333;
    let (_dir, trail) = trail(size);
    let sealed = trail.checkpoint();
    let tiles = Tiles(&trail);
    let reader = tlog_tiles::TileHashReader::new(size, theirs(&sealed.root), &tiles);
    for position in (0..size).step_by(37).chain([size - 1]) {
        let ours: Vec<_> = trail.inclusion(position, size).unwrap().path.iter().map(theirs).collect();
        let leaf = tlog_tiles::record_hash(&entry(position));
        tlog_tiles::check_record(&ours, size, theirs(&sealed.root), position, leaf).unwrap();
        assert!(tlog_tiles::prove_record(size, position, &reader).unwrap() == ours, "inclusion of {position}");
    }
    for old in (1..size).step_by(41).chain([256, 512, 1_024, 2_048]) {
        let ours: Vec<_> = trail.consistency(old, size).unwrap().iter().map(theirs).collect();
        let old_root = theirs(&trail.root(old).unwrap());
        tlog_tiles::check_tree(&ours, size, theirs(&sealed.root), old, old_root).unwrap();
        assert!(tlog_tiles::prove_tree(size, old, &reader).unwrap() == ours, "consistency of {old}");
    }
    let text = sealed.note.split_once("\n\n").unwrap().0.to_owned() + "\n";
    let read = tlog_tiles::Checkpoint::from_bytes(text.as_bytes()).unwrap();
    assert_eq!((read.origin(), read.size()), ("belfry.example/acme", size));
    assert!(*read.hash() == theirs(&sealed.root));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn right_proofs_verify_and_wrong_ones_do_not(size in 1_u64..2_000, at in any::<u64>(), flip in any::<u64>()) {
        use std::sync::OnceLock;
        static TRAIL: OnceLock<(tempfile::TempDir, Trail)> = OnceLock::new();
        let (_, trail) = TRAIL.get_or_init(|| self::trail(2_000));
        let root = trail.root(size).unwrap();
        let position = at % size;
        let at = |path: &[Hash], leaf: &Hash, position, size, root: &Hash| {
            let proof = trail::Proof { position, size, leaf: *leaf, path: path.to_vec() };
            verify::leaf(&proof, size, root)
        };
        let proof = trail.inclusion(position, size).unwrap();
        prop_assert_eq!(proof.leaf, Hash::leaf(&entry(position)));
        prop_assert!(at(&proof.path, &proof.leaf, position, size, &root).is_ok());
        let flipped = |hash: &Hash| {
            let mut hash = *hash;
            hash.0[(flip / 8 % 32) as usize] ^= 1 << (flip % 8);
            hash
        };
        for i in 0..proof.path.len() {
            let mut path = proof.path.clone();
            path[i] = flipped(&path[i]);
            prop_assert!(at(&path, &proof.leaf, position, size, &root).is_err());
            path.remove(i);
            prop_assert!(at(&path, &proof.leaf, position, size, &root).is_err());
        }
        prop_assert!(at(&proof.path, &flipped(&proof.leaf), position, size, &root).is_err());
        prop_assert!(at(&proof.path, &proof.leaf, position, size, &flipped(&root)).is_err());
        if size > 1 {
            let other = (position + 1 + flip % (size - 1)) % size;
            prop_assert!(at(&proof.path, &proof.leaf, other, size, &root).is_err());
        }

        let old = 1 + flip % size;
        let old_root = trail.root(old).unwrap();
        let path = trail.consistency(old, size).unwrap();
        prop_assert!(verify::consistency(old, size, &path, &old_root, &root).is_ok());
        for i in 0..path.len() {
            let mut wrong = path.clone();
            wrong[i] = flipped(&wrong[i]);
            prop_assert!(verify::consistency(old, size, &wrong, &old_root, &root).is_err());
        }
        prop_assert!(verify::consistency(old, size, &path, &flipped(&old_root), &root).is_err());
        prop_assert!(verify::consistency(old, size, &path, &old_root, &flipped(&root)).is_err());
    }
}

/// The vectors of transparency-dev/merkle, when they lie beside the project or where
/// BELFRY_SAMPLES says.
fn vectors(kind: &str) -> Vec<PathBuf> {
    let samples = std::env::var_os("BELFRY_SAMPLES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples"), PathBuf::from);
    let Ok(files) = std::fs::read_dir(samples.join("merkle").join(kind)) else {
        println!("skipped: no merkle vectors in {}", samples.display());
        return Vec::new();
    };
    files.map(|f| f.unwrap().path()).collect()
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> T {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Hashes of the wrong length can't even be said in our types: that is their refusal.
fn hashes(texts: &[String]) -> Option<Vec<Hash>> {
    texts.iter().map(|t| t.parse().ok()).collect()
}

#[test]
fn inclusion_vectors() {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Vector {
        leaf_idx: u64,
        tree_size: u64,
        root: String,
        leaf_hash: String,
        proof: Option<Vec<String>>,
        want_err: bool,
    }
    let files = vectors("inclusion");
    for path in &files {
        let v: Vector = read(path);
        let parsed = hashes(&v.proof.unwrap_or_default()).zip(hashes(&[v.root, v.leaf_hash]));
        let right = parsed.is_some_and(|(path, two)| {
            let proof = trail::Proof { position: v.leaf_idx, size: v.tree_size, leaf: two[1], path };
            verify::leaf(&proof, v.tree_size, &two[0]).is_ok()
        });
        assert_eq!(right, !v.want_err, "{}", path.display());
    }
    println!("{} vectors", files.len());
}

#[test]
fn consistency_vectors() {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Vector {
        size1: u64,
        size2: u64,
        root1: String,
        root2: String,
        proof: Option<Vec<String>>,
        want_err: bool,
    }
    let files = vectors("consistency");
    for path in &files {
        let v: Vector = read(path);
        // Some vectors have any text for a root that does not matter.
        let root = |text: String| text.parse().unwrap_or_else(|_| Hash::leaf(text.as_bytes()));
        let (old, new) = (root(v.root1), root(v.root2));
        let right = hashes(&v.proof.unwrap_or_default())
            .is_some_and(|proof| verify::consistency(v.size1, v.size2, &proof, &old, &new).is_ok());
        assert_eq!(right, !v.want_err, "{}", path.display());
    }
    println!("{} vectors", files.len());
}
