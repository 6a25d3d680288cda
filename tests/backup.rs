//! Backups: made under load, lost, damaged, proven, and brought back.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::support::{Belfry, PASSWORD, event, eventually, run, spawn, verify};

/// A master key, split; and a server that makes backups for it.
struct Keeper {
    belfry: Belfry,
    shares: Vec<String>,
}

impl Keeper {
    /// Any `k` of `n` shares open what it makes.
    fn start(n: u8, k: u8) -> Self {
        let belfry = Belfry::start();
        let made = belfry.post("/api/v1/backups/master-key", &json!({ "shares": n, "threshold": k }));
        assert_eq!(made.header("cache-control"), Some("no-store"));
        let made = made.good();
        let keeper = Self {
            belfry,
            shares: made["shares"].as_array().unwrap().iter().map(|s| s.as_str().unwrap().to_owned()).collect(),
        };
        keeper.set("recipient", &made["recipient"]);
        keeper
    }

    fn set(&self, name: &str, value: &Value) {
        let mut settings = self.belfry.get("/api/v1/backups/settings").good();
        let members = settings.as_object_mut().unwrap();
        members.retain(|name, _| {
            ["recipient", "scheduled", "cron", "zone", "full_every", "keep"].contains(&name.as_str())
        });
        members.insert(name.to_owned(), value.clone());
        self.belfry.put("/api/v1/backups/settings", &settings).good();
    }

    /// Makes a backup and waits for its end.
    #[track_caller]
    fn make(&self, kind: &str) -> Value {
        let started = self.belfry.post("/api/v1/backups", &json!({ "kind": kind })).good();
        let made = self.settled(started["id"].as_str().unwrap());
        assert_eq!(made["state"], "done", "{made}");
        made
    }

    /// Waits until nothing is done with it any more.
    #[track_caller]
    fn settled(&self, id: &str) -> Value {
        eventually(60, "the backup ends", || {
            let backup = self.belfry.get(&format!("/api/v1/backups/{id}")).good();
            (backup["state"] != "running" && backup["progress"].is_null()).then_some(backup)
        })
    }

    fn folder(&self) -> PathBuf {
        self.belfry.data().join("backups")
    }

    fn file(&self, backup: &Value) -> PathBuf {
        self.folder().join(format!("{}.backup", backup["id"].as_str().unwrap()))
    }

    /// `belfry restore` with these shares.
    fn restore(&self, from: &Path, to: &Path, shares: &[String], more: &[&str]) -> Output {
        let mut arguments =
            vec!["restore", "--shares", "--from", from.to_str().unwrap(), "--data", to.to_str().unwrap()];
        arguments.extend(more);
        run(&arguments, &shares.join("\n\n"))
    }

    fn shares_file(&self) -> PathBuf {
        let path = self.belfry.dir.path().join("shares.txt");
        std::fs::write(&path, self.shares.join("\n\n")).unwrap();
        path
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Sends batches until it is told to stop; counts what was acknowledged, as positions.
fn load(belfry: &Belfry) -> (Arc<AtomicBool>, Arc<AtomicU64>, JoinHandle<()>) {
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (told, count, url, token) = (stop.clone(), acknowledged.clone(), belfry.url.clone(), belfry.token.clone());
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = reqwest::Client::new();
        let mut number = 0;
        while !told.load(Ordering::Relaxed) {
            let batch: Vec<Value> = (0..200)
                .map(|n| json!({ "event": { "action": "load.sent", "id": format!("n{}", number + n) }, "user": { "name": "lo" } }))
                .collect();
            number += 200;
            let sent = runtime.block_on(async {
                let request = client.post(format!("{url}/api/v1/events")).bearer_auth(&token).json(&batch);
                request.send().await?.error_for_status()?.json::<Value>().await
            });
            let Ok(receipt) = sent else { return };
            count.store(receipt["last"].as_u64().unwrap() + 1, Ordering::Relaxed);
        }
    });
    (stop, acknowledged, thread)
}

/// A server on a restored folder, until it is dropped.
struct Restored {
    child: std::process::Child,
    url: String,
    token: String,
}

impl Restored {
    fn up(data: &Path, token: &str) -> Self {
        // The server it comes from lives, on the ports that its configuration names.
        std::fs::write(data.join("belfry.toml"), "").unwrap();
        let (child, url) = spawn(data).unwrap_or_else(|said| panic!("the restored server did not start: {said}"));
        Self { child, url, token: token.to_owned() }
    }

    fn get(&self, belfry: &Belfry, path: &str) -> Value {
        belfry.answer(belfry.client().get(format!("{}{path}", self.url)).bearer_auth(&self.token)).good()
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn a_chain_made_under_load_comes_back_whole() {
    let keeper = Keeper::start(3, 2);
    let belfry = &keeper.belfry;
    belfry
        .post(
            "/api/v1/users",
            &json!({ "name": "maud", "full_name": "Maud", "email": "", "role": "auditor", "password": PASSWORD }),
        )
        .good();
    // So much that there are packs, which an incremental backup does not hold again.
    for _ in 0..14 {
        let batch: Vec<Value> = (0..5_000)
            .map(|n| json!({ "event": { "action": "bulk.sent" }, "user": { "name": format!("u{n}") } }))
            .collect();
        belfry.post("/api/v1/events", &json!(batch)).good();
    }
    let log = belfry.data().join("trails/main/log");
    eventually(60, "a pack", || {
        let names = std::fs::read_dir(&log).unwrap().flatten().map(|entry| entry.path());
        names.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "pack"))
    });
    let (stop, acknowledged, thread) = load(belfry);
    eventually(20, "there is load", || (acknowledged.load(Ordering::Relaxed) > 2_000).then_some(()));
    let mut chain = Vec::new();
    for kind in ["full", "incremental", "incremental"] {
        // What was acknowledged before it was asked for is in it.
        let before = acknowledged.load(Ordering::Relaxed);
        let made = keeper.make(kind);
        assert_eq!(made["kind"], kind);
        assert!(made["tree_size"].as_u64().unwrap() >= before, "{made} {before}");
        chain.push(made);
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
    assert!(chain[1]["files_new"].as_u64() < chain[1]["files"].as_u64(), "{}", chain[1]);
    assert_eq!(chain[1]["parent"], chain[0]["id"]);
    assert_eq!(chain[2]["parent"], chain[1]["id"]);
    let (first, last) = (&chain[0], &chain[2]);
    let sizes: Vec<u64> = chain.iter().map(|made| made["tree_size"].as_u64().unwrap()).collect();
    assert!(sizes[0] < sizes[1] && sizes[1] < sizes[2], "{sizes:?}");

    // Restored to the newest, on a folder that is not there yet.
    let to = belfry.dir.path().join("again");
    let output = keeper.restore(&keeper.folder(), &to, &keeper.shares[1..], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let (code, told) = verify(&to);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains(&format!("{} events", sizes[2])), "{told}");
    // Into a folder with something in it, never.
    let output = keeper.restore(&keeper.folder(), &to, &keeper.shares[1..], &[]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));

    // Nothing is signed before somebody says that the trail goes on from there.
    let refused = run(&["serve", "--data", to.to_str().unwrap(), "--listen", "127.0.0.1:0"], "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("--accept-fork"), "{}", said(&refused));
    let accepted = run(&["restore", "--accept-fork", "--data", to.to_str().unwrap()], "");
    assert_eq!(accepted.status.code(), Some(0), "{}", said(&accepted));
    let again = Restored::up(&to, &belfry.token);
    let trail = again.get(belfry, "/api/v1/trail");
    assert_eq!(trail["origin"], belfry.get("/api/v1/trail").good()["origin"]);
    // Every event of the original is at its place, and the first new one says what happened.
    for position in [0, sizes[0] / 2, sizes[0], sizes[1], sizes[2] - 1] {
        let path = format!("/api/v1/events/{position}");
        assert_eq!(again.get(belfry, &path)["event"], belfry.get(&path).good()["event"], "position {position}");
    }
    let told = eventually(30, "the trail is told", || {
        (sizes[2]..sizes[2] + 2_000).step_by(1).find_map(|position| {
            let answer = belfry.answer(
                belfry.client().get(format!("{}/api/v1/events/{position}", again.url)).bearer_auth(&again.token),
            );
            (answer.status == 200)
                .then(|| answer.json()["event"].clone())
                .filter(|event| event["event"]["action"] == "masterkey.recovery.succeeded")
        })
    });
    assert_eq!(told["restore"]["tree_size"].as_u64(), Some(sizes[2]), "{told}");
    assert!(told["restore"]["fork_accepted_at"].is_string(), "{told}");
    // The state came along: people, and the followers catch up.
    let users = again.get(belfry, "/api/v1/users");
    assert!(users["items"].as_array().unwrap().iter().any(|user| user["name"] == "maud"));
    eventually(60, "the index is made again", || {
        let trail = again.get(belfry, "/api/v1/trail");
        (trail["indexed_to"] == trail["size"]).then_some(())
    });
    drop(again);
    assert_eq!(verify(&to).0, 0);
    assert!(!to.join("restored.json").exists());

    // To an earlier point, by id and by position; the backups after it are not needed.
    let early = belfry.dir.path().join("early");
    let output =
        keeper.restore(&keeper.folder(), &early, &keeper.shares[..2], &["--to-position", &(sizes[0] - 1).to_string()]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains(first["id"].as_str().unwrap()), "{}", said(&output));
    // A checkpoint kept elsewhere says how much is missing.
    let kept = belfry.dir.path().join("kept");
    std::fs::write(&kept, last["checkpoint"].as_str().unwrap()).unwrap();
    let other = belfry.dir.path().join("other");
    let more = ["--to-backup", first["id"].as_str().unwrap(), "--checkpoint", kept.to_str().unwrap()];
    let output = keeper.restore(&keeper.folder(), &other, &keeper.shares[..2], &more);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("later events"), "{}", said(&output));

    // Without the first of the chain there is nothing to build on, and that is said.
    let alone = belfry.dir.path().join("alone");
    std::fs::create_dir(&alone).unwrap();
    std::fs::copy(keeper.file(last), alone.join(keeper.file(last).file_name().unwrap())).unwrap();
    let output = keeper.restore(
        &alone,
        &belfry.dir.path().join("none"),
        &keeper.shares,
        &["--to-backup", last["id"].as_str().unwrap()],
    );
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("is needed"), "{}", said(&output));

    for (action, wanted) in [("backup.started", 3), ("backup.completed", 3), ("masterkey.created", 1)] {
        eventually(20, action, || (belfry.search(&format!("event.action: {action}")).len() == wanted).then_some(()));
    }
}

#[test]
fn enough_shares_open_a_backup_and_fewer_or_others_do_not() {
    let keeper = Keeper::start(5, 3);
    let belfry = &keeper.belfry;
    belfry.send(&event("something.happened", "ada"));
    let made = keeper.make("full");
    let id = made["id"].as_str().unwrap();
    let drill = |shares: &[String]| belfry.post(&format!("/api/v1/backups/{id}/check"), &json!({ "shares": shares }));
    let other = belfry.post("/api/v1/backups/master-key", &json!({ "shares": 2, "threshold": 1 })).good();
    let other: Vec<String> = vec![other["shares"][0].as_str().unwrap().to_owned()];

    let refused = drill(&keeper.shares[..2]).refused(422).to_string();
    assert!(refused.contains("2 of 3"), "{refused}");
    drill(&other).refused(422);
    let mut slip = keeper.shares[..3].to_vec();
    let spoiled = if slip[1].ends_with('0') { "1" } else { "0" };
    let cut = slip[1].len() - 1;
    slip[1].replace_range(cut.., spoiled);
    let refused = drill(&slip).refused(422).to_string();
    assert!(refused.contains("share 2") && refused.contains("group 15"), "{refused}");
    // A slip says nothing about the file.
    assert!(belfry.get(&format!("/api/v1/backups/{id}")).good()["check"].is_null());
    drill(&keeper.shares[2..]).good();
    assert_eq!(keeper.settled(id)["check"]["ok"], true);

    let failed = eventually(20, "the drills are told", || {
        let found = belfry.search("event.action: masterkey.recovery.failed");
        (found.len() == 3).then_some(found)
    });
    assert_eq!(failed[0]["user"]["name"], "admin");
    let all: String = belfry.search("event.module: belfry").iter().map(Value::to_string).collect();
    assert!(all.contains("masterkey.recovery.succeeded"), "{all}");
    for share in &keeper.shares {
        let code = share.lines().nth(1).unwrap();
        assert!(!all.contains(code), "no share in the trail");
    }
    let log = std::fs::read_to_string(belfry.data().join("test.log")).unwrap();
    assert!(!keeper.shares.iter().any(|share| log.contains(share.lines().nth(1).unwrap())), "no share in the log");

    // On the command line: the same answers, and what failed is told to the trail that comes out in the end.
    let to = belfry.dir.path().join("again");
    for shares in [&keeper.shares[..2], &other[..]] {
        let output = keeper.restore(&keeper.folder(), &to, shares, &[]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(!to.exists());
    }
    let output = keeper.restore(&keeper.folder(), &to, &keeper.shares[..3], &["--accept-fork"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let again = Restored::up(&to, &belfry.token);
    let tried = eventually(30, "the tries are told", || {
        let found = belfry.answer(
            belfry
                .client()
                .get(format!("{}/api/v1/events", again.url))
                .query(&[("filter", "event.action: masterkey.recovery.* and restore.id: *")])
                .bearer_auth(&again.token),
        );
        let found = found.good()["items"].as_array().unwrap().clone();
        (found.len() == 3).then_some(found)
    });
    assert_eq!(tried[0]["event"]["event"]["action"], "masterkey.recovery.succeeded");
    assert_eq!(tried[2]["event"]["event"]["action"], "masterkey.recovery.failed");
}

#[test]
fn a_flipped_byte_anywhere_is_found() {
    let keeper = Keeper::start(1, 1);
    let belfry = &keeper.belfry;
    belfry
        .post("/api/v1/events", &json!((0..500).map(|n| event("filler.sent", &format!("u{n}"))).collect::<Vec<_>>()))
        .good();
    let made = keeper.make("full");
    let file = keeper.file(&made);
    let key = keeper.shares_file();
    let check = |arguments: &[&str]| run(&[&["verify", file.to_str().unwrap()], arguments].concat(), "");
    let with_key = ["--identity", key.to_str().unwrap()];
    assert_eq!(check(&with_key).status.code(), Some(0), "{}", said(&check(&with_key)));
    assert_eq!(check(&[]).status.code(), Some(0));
    let whole = std::fs::read(&file).unwrap();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut places: Vec<usize> = (0..25).map(|_| random.usize(..whole.len())).collect();
    // The head, the first and the last piece.
    places.extend([0, 30, 100, 190, 260, whole.len() - 1]);
    for place in places {
        let mut altered = whole.clone();
        altered[place] ^= 1 << random.u32(..8);
        std::fs::write(&file, &altered).unwrap();
        for arguments in [&with_key[..], &[]] {
            let output = check(arguments);
            // A file that no longer begins as one of age's is no backup to the eye; all else is one that was altered.
            assert_ne!(output.status.code(), Some(0), "byte {place}: {}", said(&output));
            if place > 30 {
                assert_eq!(output.status.code(), Some(1), "byte {place}: {}", said(&output));
                assert!(said(&output).contains("changed or damaged"), "byte {place}: {}", said(&output));
            }
        }
    }
    for length in [whole.len() - 1, whole.len() / 2, 10] {
        std::fs::write(&file, &whole[..length]).unwrap();
        assert_ne!(check(&with_key).status.code(), Some(0), "cut to {length}");
    }
    // A drill on the server finds it too.
    let mut altered = whole.clone();
    altered[whole.len() / 2] ^= 1;
    std::fs::write(&file, &altered).unwrap();
    let id = made["id"].as_str().unwrap();
    // At once when it is in the first piece, else while it is read.
    let drilled = belfry.post(&format!("/api/v1/backups/{id}/check"), &json!({ "shares": keeper.shares }));
    assert!([202, 409].contains(&drilled.status), "{}", drilled.text());
    let checked = keeper.settled(id);
    assert_eq!(checked["check"]["ok"], false, "{checked}");
    assert!(checked["check"]["what"].as_str().unwrap().contains("changed or damaged"), "{checked}");
    // Nobody builds on it.
    assert_eq!(keeper.make("incremental")["kind"], "full");
}

#[test]
fn a_kill_leaves_no_half_backup() {
    let mut keeper = Keeper::start(1, 1);
    let filler = "x".repeat(4_000);
    let batch: Vec<Value> = (0..500).map(|n| json!({ "event": { "action": "filler.sent" }, "user": { "name": format!("u{n}") }, "labels": { "fill": filler } })).collect();
    for _ in 0..12 {
        keeper.belfry.post("/api/v1/events", &json!(batch)).good();
    }
    let first = keeper.make("full");
    for round in 0..5 {
        let started = keeper.belfry.post("/api/v1/backups", &json!({ "kind": "full" })).good();
        std::thread::sleep(std::time::Duration::from_millis(5 + round * 12));
        keeper.belfry.kill();
        // Between the kill and the start: what has a sidecar is whole.
        for entry in std::fs::read_dir(keeper.folder()).unwrap().flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "json") {
                let sidecar: Value = serde_json::from_slice(&std::fs::read(entry.path()).unwrap()).unwrap();
                let file = keeper.folder().join(format!("{}.backup", sidecar["id"].as_str().unwrap()));
                let output =
                    run(&["verify", file.to_str().unwrap(), "--identity", keeper.shares_file().to_str().unwrap()], "");
                assert_eq!(output.status.code(), Some(0), "{}", said(&output));
            }
        }
        keeper.belfry.up();
        let ended = keeper.settled(started["id"].as_str().unwrap());
        let names: Vec<String> = std::fs::read_dir(keeper.folder())
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        assert!(!names.iter().any(|name| name.ends_with(".part")), "{names:?}");
        let left = std::fs::read_dir(keeper.belfry.data()).unwrap().flatten();
        assert!(!left.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("backup-state-")));
        let there = keeper.file(&ended).is_file();
        assert_eq!(there, ended["state"] == "done", "{ended} {names:?}");
        if !there {
            assert_eq!(ended["state"], "failed");
        }
    }
    assert_eq!(keeper.settled(first["id"].as_str().unwrap())["state"], "done");
    // The next one works, and its chain opens.
    let made = keeper.make("incremental");
    let output = run(
        &["verify", keeper.file(&made).to_str().unwrap(), "--identity", keeper.shares_file().to_str().unwrap()],
        "",
    );
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn the_schedule_fires_and_only_so_many_are_kept() {
    let keeper = Keeper::start(1, 1);
    let belfry = &keeper.belfry;
    for (name, value) in
        [("keep", json!(2)), ("full_every", json!(2)), ("cron", json!("* * * * * *")), ("scheduled", json!(true))]
    {
        keeper.set(name, &value);
    }
    assert!(belfry.get("/api/v1/backups/settings").good()["next_at"].is_string());
    let seen = eventually(60, "backups by the schedule", || {
        let items = belfry.get("/api/v1/backups").good()["items"].as_array().unwrap().clone();
        let deleted = belfry.search("event.action: backup.deleted").len();
        (deleted >= 2).then_some(items)
    });
    keeper.set("scheduled", &json!(false));
    assert!(belfry.get("/api/v1/backups/settings").good()["next_at"].is_null());
    assert!(seen.iter().all(|backup| backup["reason"] == "scheduled" && backup["by"] == "belfry"), "{seen:?}");
    eventually(30, "the last one ends", || {
        let items = belfry.get("/api/v1/backups").good()["items"].as_array().unwrap().clone();
        items.iter().all(|backup| backup["state"] == "done" && backup["progress"].is_null()).then_some(())
    });
    let items = belfry.get("/api/v1/backups").good()["items"].as_array().unwrap().clone();
    assert!((2..=4).contains(&items.len()), "{items:?}");
    // Whatever is left opens: no parent went before its children.
    for backup in &items {
        let output = run(
            &["verify", keeper.file(backup).to_str().unwrap(), "--identity", keeper.shares_file().to_str().unwrap()],
            "",
        );
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }
    let changes = belfry.search("event.action: entity.updated and entity.type: backup_settings");
    assert!(
        changes.iter().any(|event| event["changes"]
            .to_string()
            .contains(r#""field":"cron","new":"* * * * * *","old":"30 2 * * *""#)),
        "{changes:?}"
    );
}

#[test]
fn a_download_is_the_file_and_privileges_are_fine() {
    let keeper = Keeper::start(2, 2);
    let belfry = &keeper.belfry;
    let full = keeper.make("full");
    belfry.send(&event("something.happened", "ada"));
    let next = keeper.make("incremental");
    let id = full["id"].as_str().unwrap();
    let file = std::fs::read(keeper.file(&full)).unwrap();
    let path = format!("/api/v1/backups/{id}/download");
    let whole = belfry.get(&path);
    assert_eq!(whole.bytes, file);
    assert_eq!(whole.header("etag"), Some(format!("\"{}\"", full["sha256"].as_str().unwrap()).as_str()));
    assert!(whole.header("content-disposition").unwrap().contains(&format!("-full-{id}.backup")));
    let part = belfry.answer(belfry.request("GET", &path).header("range", "bytes=100-199"));
    assert_eq!((part.status, &part.bytes[..]), (206, &file[100..200]));
    assert_eq!(part.header("content-range"), Some(format!("bytes 100-199/{}", file.len()).as_str()));
    let to = belfry.dir.path().join("fetched.backup");
    let fetched = belfry.cli(&["backup", "download", id, "--output", to.to_str().unwrap()]);
    assert!(fetched.status.success(), "{}", said(&fetched));
    assert_eq!(std::fs::read(&to).unwrap(), file);

    let refused = belfry.delete(&format!("/api/v1/backups/{id}")).refused(409).to_string();
    assert!(refused.contains(next["id"].as_str().unwrap()), "{refused}");
    assert_eq!(belfry.get(&format!("/api/v1/backups/{id}")).good()["needed_by"], json!([next["id"]]));

    let token = |scope: &str| {
        let body = json!({ "name": scope, "scopes": [scope], "expires_at": null });
        belfry.post("/api/v1/tokens", &body).good()["token"].as_str().unwrap().to_owned()
    };
    let (reads, manages, neither) = (token("backups:read"), token("backups:manage"), token("events:read"));
    let asks = |token: &str, method: &str, path: &str, body: Value| {
        let method: reqwest::Method = method.parse().unwrap();
        let request = belfry.client().request(method, format!("{}{path}", belfry.url)).bearer_auth(token);
        belfry.answer(if body.is_null() { request } else { request.json(&body) }).status
    };
    let one = format!("/api/v1/backups/{id}");
    for (method, path, body) in [
        ("GET", "/api/v1/backups", Value::Null),
        ("GET", &one, Value::Null),
        ("GET", &path, Value::Null),
        ("GET", "/api/v1/backups/settings", Value::Null),
    ] {
        assert_eq!(asks(&reads, method, path, body.clone()), 200, "{method} {path}");
        assert_eq!(asks(&neither, method, path, body.clone()), 403, "{method} {path}");
    }
    for (method, path, body) in [
        ("POST", "/api/v1/backups".to_owned(), json!({ "kind": "full" })),
        ("POST", "/api/v1/backups/master-key".to_owned(), json!({ "shares": 1, "threshold": 1 })),
        ("PUT", "/api/v1/backups/settings".to_owned(), json!({})),
        ("POST", format!("{one}/check"), json!({ "shares": [] })),
        ("POST", format!("{one}/cancel"), json!({})),
        ("DELETE", one.clone(), Value::Null),
    ] {
        assert_eq!(asks(&reads, method, &path, body.clone()), 403, "{method} {path}");
        assert_ne!(asks(&manages, method, &path, body), 403, "{method} {path}");
    }
}

#[test]
fn settings_that_cant_be_used_are_refused_and_nothing_is_made_without_a_key() {
    let belfry = Belfry::start();
    belfry.post("/api/v1/backups", &json!({ "kind": "full" })).refused(409);
    for (settings, wanted) in [
        (json!({ "scheduled": true }), "master key"),
        (json!({ "recipient": "age1nonsense" }), "recipient"),
        (json!({ "cron": "every day" }), "cron"),
        (json!({ "zone": "Mars/Olympus" }), "time zone"),
        (json!({ "full_every": 0 }), "from 1"),
    ] {
        let refused = belfry.put("/api/v1/backups/settings", &settings).refused(422).to_string();
        assert!(refused.contains(wanted), "{refused}");
    }
    for (shares, threshold) in [(0, 0), (3, 4), (21, 1)] {
        belfry.post("/api/v1/backups/master-key", &json!({ "shares": shares, "threshold": threshold })).refused(422);
    }
    belfry.get("/api/v1/backups/nothing").refused(404);
}

/// The whole way on the command line alone, with a key that the server never saw.
#[test]
fn the_command_line_makes_proves_and_restores() {
    let belfry = Belfry::start();
    let key = run(&["masterkey", "make", "--shares", "3", "--threshold", "2"], "");
    assert!(key.status.success());
    let printed = String::from_utf8_lossy(&key.stdout).into_owned();
    let recipient = printed.split_whitespace().find(|word| word.starts_with("age1")).unwrap().to_owned();
    let shares: Vec<&str> = printed.split("\n\n").filter(|part| part.starts_with("Belfry master key")).collect();
    assert_eq!(shares.len(), 3, "{printed}");
    assert!(belfry.cli(&["backup", "settings", "--set", &format!("recipient={recipient}")]).status.success());
    let made = belfry.cli(&["backup", "make", "--type", "full", "--format", "json"]);
    assert!(made.status.success(), "{}", said(&made));
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert!(said(&belfry.cli(&["backup", "list"])).contains(made["id"].as_str().unwrap()));
    let drill = |text: String| {
        let mut child = Command::new(crate::support::binary())
            .args(["backup", "drill", "--shares"])
            .env("BELFRY_URL", &belfry.url)
            .env("BELFRY_TOKEN", &belfry.token)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let few = drill(shares[..1].join("\n"));
    assert_eq!(few.status.code(), Some(1), "{}", said(&few));
    let enough = drill(shares[1..].join("\n"));
    assert_eq!(enough.status.code(), Some(0), "{}", said(&enough));
    // The whole key, for those who would rather use the program age.
    let whole = run(&["masterkey", "combine", "--shares"], &shares[..2].join("\n"));
    let identity = belfry.dir.path().join("identity");
    std::fs::write(&identity, &whole.stdout).unwrap();
    assert!(String::from_utf8_lossy(&whole.stdout).starts_with("AGE-SECRET-KEY-1"));
    let to = belfry.dir.path().join("again");
    let from = belfry.data().join("backups");
    let output = run(
        &[
            "restore",
            "--from",
            from.to_str().unwrap(),
            "--identity",
            identity.to_str().unwrap(),
            "--data",
            to.to_str().unwrap(),
        ],
        "",
    );
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(verify(&to).0, 0);
}

#[test]
fn a_backup_is_called_off() {
    let keeper = Keeper::start(1, 1);
    let belfry = &keeper.belfry;
    let filler = "x".repeat(20_000);
    let batch: Vec<Value> =
        (0..200).map(|_| json!({ "event": { "action": "filler.sent" }, "labels": { "fill": filler } })).collect();
    for _ in 0..8 {
        belfry.post("/api/v1/events", &json!(batch)).good();
    }
    let started = belfry.post("/api/v1/backups", &json!({ "kind": "full" })).good();
    let id = started["id"].as_str().unwrap();
    assert!(started["progress"].is_object(), "{started}");
    belfry.post("/api/v1/backups", &json!({ "kind": "full" })).refused(409);
    let cancelled = belfry.post(&format!("/api/v1/backups/{id}/cancel"), &json!({}));
    let ended = keeper.settled(id);
    if cancelled.status == 202 {
        assert_eq!(ended["state"], "cancelled", "{ended}");
        assert!(!keeper.file(&ended).exists());
        eventually(20, "it is told", || (belfry.search("event.action: backup.cancelled").len() == 1).then_some(()));
    } else {
        // It was done before.
        assert_eq!((cancelled.status, &ended["state"]), (409, &json!("done")));
    }
    keeper.make("incremental");
}

/// A small file system of its own, when this machine lets us make one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf, size: &str) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let options = format!("size={size},mode=0700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&at).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}

#[test]
fn a_full_disk_fails_the_backup_and_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(place.path().join("disk"), "3m") else {
        println!("skipped: this machine does not let us mount a small disk");
        return;
    };
    let belfry = Belfry::start_with(&format!("[backup]\nfolder = {:?}\n", disk.0));
    let key = belfry.post("/api/v1/backups/master-key", &json!({ "shares": 1, "threshold": 1 })).good();
    belfry.put("/api/v1/backups/settings", &json!({ "recipient": key["recipient"] })).good();
    let make = || {
        let started = belfry.post("/api/v1/backups", &json!({ "kind": "full" })).good();
        let path = format!("/api/v1/backups/{}", started["id"].as_str().unwrap());
        eventually(30, "it ends", || Some(belfry.get(&path).good()).filter(|backup| backup["state"] != "running"))
    };
    let names = || std::fs::read_dir(&disk.0).unwrap().flatten().map(|entry| entry.file_name()).collect::<Vec<_>>();
    let blocks = vec![7; 3 << 20];
    let fill = disk.0.join("fill");
    std::fs::File::create(&fill).unwrap().write_all(&blocks).ok();
    let failed = make();
    assert_eq!(failed["state"], "failed", "{failed}");
    assert!(failed["error"].as_str().unwrap().contains("No space left"), "{failed}");
    assert_eq!(names(), ["fill"]);
    let told = eventually(20, "it is told", || belfry.search("event.action: backup.failed").pop());
    assert!(told["event"]["reason"].as_str().unwrap().contains("No space left"), "{told}");
    // Events are taken all the same, and with room again so are backups.
    belfry.send(&event("something.happened", "ada"));
    std::fs::remove_file(&fill).unwrap();
    assert_eq!(make()["state"], "done");
    assert_eq!(names().len(), 2);
}
