//! Whoever changes the trail is found out, with the first position that is wrong.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Belfry, eventually, run, verify};

/// A stopped server whose trail has `events` events, packed as far as they are.
fn trail_of(events: usize) -> Belfry {
    let mut belfry = Belfry::start();
    for chunk in (0..events).collect::<Vec<_>>().chunks(2_000) {
        let batch: Vec<Value> = chunk.iter().map(|n| json!({ "event": { "action": "kept.safe" }, "user": { "name": format!("u{n}") }, "message": format!("event number {n} of many") })).collect();
        belfry.post("/api/v1/events", &json!(batch)).good();
    }
    eventually(20, "a checkpoint of all", || {
        let trail = belfry.get("/api/v1/trail").good();
        (trail["checkpoint"]["size"] == trail["size"]).then_some(())
    });
    belfry.stop();
    let (code, said) = belfry.verify();
    assert_eq!(code, 0, "{said}");
    belfry
}

fn trail_files(data: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![data.join("trails")];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() { waiting.push(entry.path()) } else { found.push(entry.path()) }
        }
    }
    found.sort();
    found
}

#[test]
fn a_flipped_bit_in_any_file_is_found() {
    let belfry = trail_of(70_000);
    let mut random = fastrand::Rng::with_seed(5);
    let files = trail_files(&belfry.data());
    assert!(files.iter().any(|file| file.extension().is_some_and(|e| e == "pack")), "some of it is packed: {files:?}");
    assert!(files.iter().any(|file| file.extension().is_some_and(|e| e == "wal")), "some of it is not: {files:?}");
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let good = fs::read(&file).unwrap();
        // Space that a log file was given ahead holds nothing yet.
        let used = good.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        if used == 0 || name == "LOCK" || name == "lock" {
            continue;
        }
        let tries = if name == "checkpoint" {
            12
        } else if file.to_string_lossy().contains("/tile/") {
            1
        } else {
            4
        };
        for _ in 0..tries {
            let mut bad = good.clone();
            let at = random.usize(..used);
            bad[at] ^= 1 << random.u8(..8);
            fs::write(&file, &bad).unwrap();
            let (code, said) = belfry.verify();
            assert_eq!(code, 1, "{name}, byte {at} of {used}: {said}");
            assert!(said.contains("position") || name == "checkpoint", "it says where: {said}");
        }
        fs::write(&file, &good).unwrap();
    }
    assert_eq!(belfry.verify().0, 0);
}

#[test]
fn a_missing_file_is_found() {
    let belfry = trail_of(70_000);
    for file in trail_files(&belfry.data()) {
        let good = fs::read(&file).unwrap();
        if !good.iter().any(|byte| *byte != 0) || file.file_name().is_some_and(|name| name == "LOCK" || name == "lock")
        {
            continue;
        }
        fs::remove_file(&file).unwrap();
        let (code, said) = belfry.verify();
        assert_ne!(code, 0, "{} is gone: {said}", file.display());
        fs::write(&file, &good).unwrap();
    }
}

#[test]
fn a_cut_tail_is_found_by_a_checkpoint_kept_elsewhere() {
    let mut belfry = trail_of(500);
    let copy = belfry.dir.path().join("earlier");
    copy_folder(&belfry.data(), &copy);
    belfry.up();
    belfry.post("/api/v1/events", &json!([{ "event": { "action": "came.later" } }])).good();
    let kept = belfry.dir.path().join("checkpoint");
    eventually(10, "a newer checkpoint", || {
        let trail = belfry.get("/api/v1/trail").good();
        fs::write(&kept, trail["checkpoint"]["note"].as_str().unwrap()).unwrap();
        (trail["checkpoint"]["size"] == trail["size"]).then_some(())
    });
    belfry.stop();
    // The whole folder as it was before: in itself all is well, and yet the newest event is gone.
    let (code, said) = verify(&copy);
    assert_eq!(code, 0, "{said}");
    let output = run(&["verify", copy.to_str().unwrap(), "--checkpoint", kept.to_str().unwrap()], "");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cut") || said.contains("shorter") || said.contains("missing"), "{said}");
}

#[test]
fn a_tampered_trail_does_not_open_quietly() {
    let belfry = trail_of(3_000);
    let wal = trail_files(&belfry.data())
        .into_iter()
        .find(|file| file.extension().is_some_and(|e| e == "wal"))
        .expect("a log");
    let mut bytes = fs::read(&wal).unwrap();
    bytes[3_000] ^= 1;
    fs::write(&wal, bytes).unwrap();
    let opened = crate::support::spawn(&belfry.data());
    match opened {
        Err(said) => {
            assert!(said.contains("position") || said.contains("tamper") || said.contains("damaged"), "{said}")
        }
        Ok((mut child, url)) => {
            let found = eventually(20, "the self-check finds it", || {
                let trail =
                    belfry.answer(belfry.client().get(format!("{url}/api/v1/trail")).bearer_auth(&belfry.token)).good();
                (trail["self_check"]["state"] == "failed").then_some(trail)
            });
            child.kill().ok();
            child.wait().ok();
            assert!(found["self_check"]["position"].as_u64().is_some(), "{found}");
        }
    }
}

fn copy_folder(from: &Path, to: &Path) {
    assert!(std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}
