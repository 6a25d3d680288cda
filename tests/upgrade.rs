//! A data folder that an older version made loses nothing under this one.
//!
//! `fixtures/data-<version>.tar.zst` is such a folder, killed in the middle of its work; beside it stands what the old
//! version had acknowledged. `fixtures/README.md` says how they are made.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use trail::{Hash, verify};

use crate::support::{Belfry, PASSWORD, eventually, root, run};

/// What the old version said before it was killed.
struct Before {
    about: Value,
    /// Hashes of the entries, by position.
    leaves: Vec<Hash>,
    positions: BTreeMap<String, u64>,
}

impl Before {
    fn text(&self, name: &str) -> &str {
        self.about[name].as_str().unwrap_or_else(|| panic!("{name}"))
    }
}

/// The folder as it was left, in a place of its own.
fn unpack(version: &str) -> (tempfile::TempDir, Before) {
    let fixtures = root().join("tests/fixtures");
    let packed = std::fs::read(fixtures.join(format!("data-{version}.tar.zst"))).unwrap();
    let plain = zstd::decode_all(packed.as_slice()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut tar = Command::new("tar").args(["-xf", "-", "-C"]).arg(dir.path()).stdin(Stdio::piped()).spawn().unwrap();
    tar.stdin.take().unwrap().write_all(&plain).unwrap();
    assert!(tar.wait().unwrap().success());
    let about: Value =
        serde_json::from_slice(&std::fs::read(fixtures.join(format!("data-{version}.json"))).unwrap()).unwrap();
    let leaves = STANDARD.decode(about["leaves"].as_str().unwrap()).unwrap();
    let leaves = leaves.chunks_exact(32).map(|hash| Hash(hash.try_into().unwrap())).collect();
    let positions = serde_json::from_value(about["positions"].clone()).unwrap();
    (dir, Before { about, leaves, positions })
}

/// Fetches a tile of level 0, or an entry bundle, whole or partial.
fn tile(belfry: &Belfry, kind: &str, index: u64, size: u64) -> Vec<u8> {
    let width = (size - index * 256).min(256);
    let part = if width == 256 { String::new() } else { format!(".p/{width}") };
    let answer = belfry.get(&format!("/trail/acme/tile/{kind}/{index:03}{part}"));
    assert_eq!(answer.status, 200, "{kind} {index}: {}", answer.text());
    answer.bytes
}

#[test]
fn a_folder_of_0_1_0_loses_nothing() {
    let (dir, before) = unpack("0.1.0");
    let data = dir.path().join("data");
    // As the kill left it, and before anything of today touched it.
    let checkpoints: Vec<&str> =
        before.about["checkpoints"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
    let kept = dir.path().join("kept");
    std::fs::write(&kept, checkpoints.last().unwrap()).unwrap();
    let arguments = ["verify", data.to_str().unwrap(), "--checkpoint", kept.to_str().unwrap()];
    let checked = run(&arguments, "");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));

    let mut belfry = Belfry::over(dir, before.text("token").to_owned(), None);
    everything_acknowledged_is_there(&belfry, &before);
    old_checkpoints_hold(&belfry, &checkpoints);
    the_state_works(&belfry, &before);

    // What comes now continues the trail, and the old checkpoint still holds after that.
    let grown = belfry.send(&json!({ "event": { "action": "came.later", "id": "later" } }));
    assert!(grown > before.leaves.len() as u64);
    belfry.stop();
    let checked = run(&arguments, "");
    let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
    belfry.up();
    assert_eq!(belfry.search("event.action: came.later").len(), 1);
}

#[test]
fn an_index_of_another_version_is_made_again_by_itself() {
    let (dir, before) = unpack("0.1.0");
    let index = dir.path().join("data/index/acme/index.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&index).unwrap()).unwrap();
    assert!(manifest["next"].as_u64().unwrap() > 0, "the old version had indexed: {manifest}");
    manifest["version"] = json!(0);
    std::fs::write(&index, manifest.to_string()).unwrap();
    let belfry = Belfry::over(dir, before.text("token").to_owned(), None);
    // How far it is can be seen all the while.
    let seen = eventually(60, "the index is made again", || {
        let trail = belfry.get("/api/v1/trail").good();
        let (indexed, size) = (trail["indexed_to"].as_u64().unwrap(), trail["size"].as_u64().unwrap());
        assert!(indexed <= size);
        (indexed == size).then_some(size)
    });
    assert!(seen > before.leaves.len() as u64);
    assert_eq!(belfry.search("labels.kept: yes and event.id: kept-00007").len(), 1);
    summary_is_as_before(&belfry, &before);
}

fn everything_acknowledged_is_there(belfry: &Belfry, before: &Before) {
    let size = before.leaves.len() as u64;
    let mut position = 0;
    for index in 0..size.div_ceil(256) {
        let hashes = tile(belfry, "0", index, size);
        let bundle = tile(belfry, "entries", index, size);
        let mut rest = bundle.as_slice();
        for hash in hashes.chunks_exact(32) {
            let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
            let (entry, after) = rest[2..].split_at(length);
            rest = after;
            let leaf = before.leaves[position];
            assert_eq!(hash, leaf.0, "position {position}");
            assert_eq!(Hash::leaf(entry), leaf, "position {position}");
            position += 1;
        }
    }
    assert_eq!(position as u64, size);
    // Those that were acknowledged in the last moment before the kill are covered by no checkpoint of then.
    let last: Vec<_> = before.positions.iter().filter(|(_, position)| **position >= size).collect();
    assert_eq!(last.len(), 20);
    for (id, position) in last.into_iter().chain(before.positions.iter().step_by(97)) {
        let found = belfry.get(&format!("/api/v1/events/{position}")).good();
        assert_eq!(found["event"]["event"]["id"].as_str(), Some(id.as_str()), "position {position}");
    }
}

fn old_checkpoints_hold(belfry: &Belfry, notes: &[&str]) {
    let key = belfry.get("/api/v1/trail").good()["vkey"].as_str().unwrap().parse().unwrap();
    for note in notes {
        verify::checkpoint(note, &key).unwrap();
    }
    // All entries, over the wire, against today's checkpoint and the oldest of then.
    let kept = belfry.dir.path().join("oldest");
    std::fs::write(&kept, notes[0]).unwrap();
    let checked = belfry.cli(&["verify", "--vkey", &key.to_string(), "--checkpoint", kept.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
    for position in [0, 300, 1_500] {
        let proof = belfry.get(&format!("/api/v1/events/{position}/proof"));
        let file = belfry.dir.path().join("proof.json");
        std::fs::write(&file, &proof.bytes).unwrap();
        let checked = run(&["verify", "--proof", file.to_str().unwrap(), "--vkey", &key.to_string()], "");
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    }
}

fn the_state_works(belfry: &Belfry, before: &Before) {
    // People and programs get in as before.
    let session = json!({ "name": "bob", "password": PASSWORD });
    let answer = belfry.answer(belfry.client().post(format!("{}/api/v1/session", belfry.url)).json(&session));
    assert!((200..300).contains(&answer.status), "{}", answer.text());
    let sent = belfry.answer(
        belfry
            .client()
            .post(format!("{}/api/v1/events", belfry.url))
            .bearer_auth(before.text("sender_token"))
            .json(&json!([{ "event": { "action": "sent.on" } }])),
    );
    assert_eq!(sent.good()["accepted"], 1);
    // Rules, channels, filters, mappings, what was set aside.
    let rule = belfry.get(&format!("/api/v1/rules/{}", before.text("rule"))).good();
    assert_eq!((rule["name"].as_str(), rule["enabled"].as_bool()), (Some("doors"), Some(true)));
    let channels = belfry.get("/api/v1/channels").good();
    assert!(channels["items"].as_array().unwrap().iter().any(|one| one["id"] == before.text("channel")), "{channels}");
    assert!(belfry.get("/api/v1/saved-filters").text().contains(before.text("saved_filter")));
    assert_eq!(belfry.get("/api/v1/settings").good()["outgoing_allow"], json!(["127.0.0.1"]));
    let aside = belfry.get("/api/v1/set-aside?source=turnstile").good();
    assert_eq!(aside["items"].as_array().map(Vec::len), Some(1), "{aside}");
    let receipt = belfry.send_body("?source=turnstile", r#"{"who":"zoe","gate":"west"}"#).good();
    assert_eq!(receipt["accepted"], 1, "{receipt}");
    // Searches, counts, reports; those finished then can still be downloaded.
    eventually(60, "the index has caught up", || {
        let trail = belfry.get("/api/v1/trail").good();
        (trail["indexed_to"] == trail["size"]).then_some(())
    });
    assert_eq!(belfry.search("labels.kept: yes").len(), 470);
    assert_eq!(belfry.search("event.action: door.passed and user.name: (ada or eve or zoe)").len(), 3);
    assert_eq!(belfry.search("event.action: authentication.failed and source.ip: 10.9.8.7").len(), 1);
    summary_is_as_before(belfry, before);
    let old = belfry.get(&format!("/api/v1/report-runs/{}/download", before.text("run")));
    assert_eq!(old.status, 200);
    let body = json!({ "from": "2026-11-01", "to": "2026-12-01", "filter": "", "format": "csv" });
    let made = belfry.post(&format!("/api/v1/reports/{}/runs", before.text("report")), &body).good();
    let made = eventually(60, "the report is done", || {
        let made = belfry.get(&format!("/api/v1/report-runs/{}", made["id"].as_str().unwrap())).good();
        assert_ne!(made["state"], "failed", "{made}");
        (made["state"] == "done").then_some(made)
    });
    // 60 of the first 300 were there then, 94 of all 470.
    assert_eq!((before.about["run_rows"].as_u64(), made["rows"].as_u64()), (Some(60), Some(94)));
}

/// Counts by action and day: those of then, and the twenty events that came after they were asked for.
fn summary_is_as_before(belfry: &Belfry, before: &Before) {
    let query =
        "/api/v1/events/summary?filter=labels.kept:%20yes&by=event.action&span=day&from=2026-11-01&to=2026-12-01";
    let counts = |summary: &Value| -> BTreeMap<String, u64> {
        let rows = summary["rows"].as_array().unwrap_or_else(|| panic!("{summary}"));
        let mut counts = BTreeMap::new();
        for row in rows {
            let name = row["keys"]["event.action"].as_str().unwrap_or_else(|| panic!("{row}"));
            *counts.entry(name.to_owned()).or_default() += row["count"].as_u64().unwrap_or_else(|| panic!("{row}"));
        }
        counts
    };
    let (then, now) = (counts(&before.about["summary"]), counts(&belfry.get(query).good()));
    assert_eq!(then.values().sum::<u64>() + 20, now.values().sum::<u64>(), "{then:?} {now:?}");
    for (name, count) in &then {
        assert_eq!(now.get(name), Some(&(count + 4)), "{name}");
    }
}
