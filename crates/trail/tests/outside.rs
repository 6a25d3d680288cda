//! What a trail serves, checked by the Go checksum database's own code. Needs Go and its x/mod
//! library (Debian: golang-go, golang-golang-x-mod-dev); BELFRY_REQUIRE_OUTSIDE=1 makes it fail
//! where they are missing.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test that can't go on fails, and says what it skipped")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use bytes::Bytes;
use trail::tile::TileRef;
use trail::witness::{self, WitnessKey};
use trail::{Batch, Options, SigningKey, Trail};

const GO_LIBRARY: &str = "/usr/share/gocode";

const WITNESS: &str = "witness.example/w1";

fn witness_key() -> SigningKey {
    SigningKey::from_seed(&[2; 32])
}

fn go_is_there() -> bool {
    let go = Command::new("go").arg("version").output().is_ok_and(|o| o.status.success());
    go && Path::new(GO_LIBRARY).join("src/golang.org/x/mod/sumdb/tlog").is_dir()
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Writes what a server serves, tiles of every level and width that the checkpoint needs.
fn export(trail: &Trail, folder: &Path) {
    let sealed = trail.seal().unwrap();
    let cosignature = witness::cosign(&witness_key(), WITNESS, &sealed.note, 1_679_315_147).unwrap();
    let cosigned = trail.add_cosignatures(&sealed, &[cosignature]).unwrap().unwrap();
    write(&folder.join("checkpoint"), cosigned.note.as_bytes());
    let mut width = sealed.size;
    for level in 0_u8.. {
        for index in 0..width.div_ceil(256) {
            let tile = TileRef { index, width: (width - index * 256).min(256) as u16 };
            let path = folder.join("tile").join(level.to_string()).join(tile.to_path());
            write(&path, &trail.tile(level, index, tile.width).unwrap());
            if level == 0 {
                let path = folder.join("tile/entries").join(tile.to_path());
                write(&path, &trail.entries_bundle(index, tile.width).unwrap());
            }
        }
        width /= 256;
        if width == 0 {
            break;
        }
    }
    let mut proofs = String::new();
    for position in (0..sealed.size).step_by(997).chain([sealed.size - 1]) {
        write!(proofs, "record {position}").unwrap();
        for hash in trail.inclusion(position, sealed.size).unwrap().path {
            write!(proofs, " {hash}").unwrap();
        }
        proofs.push('\n');
    }
    for old in (1..sealed.size).step_by(1_499).chain([256, 65_536, sealed.size]) {
        write!(proofs, "tree {old} {}", trail.root(old).unwrap()).unwrap();
        for hash in trail.consistency(old, sealed.size).unwrap() {
            write!(proofs, " {hash}").unwrap();
        }
        proofs.push('\n');
    }
    write(&folder.join("proofs"), proofs.as_bytes());
}

fn go_verify(folder: &Path, vkey: &str) -> Output {
    let witness = WitnessKey::of(&witness_key(), WITNESS).unwrap().to_string();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outside/verify.go");
    Command::new("go")
        .env("GO111MODULE", "off")
        .env("GOPATH", GO_LIBRARY)
        .args(["run".as_ref(), program.as_os_str(), folder.as_os_str(), vkey.as_ref(), witness.as_ref()])
        .output()
        .unwrap()
}

#[test]
fn go_reads_tiles_entries_checkpoint_and_proofs() {
    if !go_is_there() {
        assert!(std::env::var_os("BELFRY_REQUIRE_OUTSIDE").is_none(), "Go or its x/mod library is missing");
        println!("skipped: Go or its x/mod library is missing");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::generate().unwrap();
    Trail::create(&dir.path().join("trail"), "belfry.example/acme", &key).unwrap();
    let (trail, _) = Trail::open(&dir.path().join("trail"), key, Options::default()).unwrap();
    for from in (0..70_000_u64).step_by(3_500) {
        let entries = (from..from + 3_500).map(|i| Bytes::from(format!("{{\"n\":{i}}}"))).collect();
        trail.append_wait(Batch { entries, tag: None }).unwrap();
    }
    let folder = dir.path().join("served");
    export(&trail, &folder);
    let vkey = trail.public_key().to_string();
    let right = go_verify(&folder, &vkey);
    assert!(right.status.success(), "{}", String::from_utf8_lossy(&right.stderr));
    print!("{}", String::from_utf8_lossy(&right.stdout));

    for wrong in ["tile/0/017", "tile/1/000", "tile/entries/x000/003", "tile/entries/200", "checkpoint"] {
        let path = folder.join(wrong);
        let Ok(content) = fs::read(&path) else { continue };
        let mut changed = content.clone();
        changed[content.len() / 2] ^= 1;
        fs::write(&path, changed).unwrap();
        assert!(!go_verify(&folder, &vkey).status.success(), "{wrong} was changed, and Go did not see it");
        fs::write(&path, content).unwrap();
    }
}
