//! The trail from outside: a monitor that forks, shrinkage and silence can't get past, a check of a running server,
//! and cosignatures of a witness that is not our code.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use trail::tile::TileRef;
use trail::{Batch, Options, SigningKey, Trail};

use crate::clients::python;
use crate::support::files::Files;
use crate::support::hook::Hook;
use crate::support::{Belfry, binary, event, eventually, free_port, root};

/// A folder of its own for each monitor.
struct Watch {
    dir: tempfile::TempDir,
    arguments: Vec<String>,
}

impl Watch {
    fn of(place: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("watch").display().to_string();
        let mut arguments: Vec<String> = ["monitor", "--state", &state].map(str::to_owned).to_vec();
        arguments.extend(place.iter().map(|text| (*text).to_owned()));
        Self { dir, arguments }
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(&self.arguments).args(more).stdin(Stdio::null());
        command
    }

    /// Checks once; answers the exit code and what was said.
    fn once(&self, more: &[&str]) -> (i32, String) {
        said(&self.command(more).arg("--once").output().unwrap())
    }

    fn state(&self) -> Value {
        serde_json::from_slice(&fs::read(self.dir.path().join("watch/state.json")).unwrap()).unwrap()
    }

    fn evidence(&self) -> Vec<PathBuf> {
        let folder = self.dir.path().join("watch/evidence");
        let mut found: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
        found.sort();
        found
    }
}

fn said(output: &Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap_or(-1), text)
}

/// A trail of our own making, to be served from files, honest or not.
struct Log {
    trail: Trail,
    _dir: tempfile::TempDir,
}

impl Log {
    fn new(key: &SigningKey) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("trail");
        Trail::create(&folder, "log.example/acme", key).unwrap();
        let (trail, _) = Trail::open(&folder, key.clone(), Options::default()).unwrap();
        Self { trail, _dir: dir }
    }

    fn grow(&self, tag: &str, count: usize) {
        for from in (0..count).step_by(5_000) {
            let entries = (from..count.min(from + 5_000)).map(|n| Bytes::from(format!("{tag} {n}"))).collect();
            self.trail.append_wait(Batch { entries, tag: None }).unwrap();
        }
    }

    fn key(&self) -> String {
        self.trail.public_key().to_string()
    }

    /// Writes all that a static host of it serves.
    fn export(&self, folder: &Path) {
        let put = |path: PathBuf, bytes: &[u8]| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        let sealed = self.trail.seal().unwrap();
        put(folder.join("checkpoint"), sealed.note.as_bytes());
        let mut hashes = sealed.size;
        for level in 0_u8.. {
            for index in 0..hashes.div_ceil(256) {
                let tile = TileRef { index, width: (hashes - index * 256).min(256) as u16 };
                let bytes = self.trail.tile(level, index, tile.width).unwrap();
                put(folder.join(format!("tile/{level}")).join(tile.to_path()), &bytes);
                if level == 0 {
                    let bytes = self.trail.entries_bundle(index, tile.width).unwrap();
                    put(folder.join("tile/entries").join(tile.to_path()), &bytes);
                }
            }
            hashes /= 256;
            if hashes == 0 {
                break;
            }
        }
    }
}

fn change(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_running_server_is_followed_and_silence_is_told() {
    let mut belfry = Belfry::start();
    let vkey = belfry.get("/api/v1/trail").good()["vkey"].as_str().unwrap().to_owned();
    let (url, token) = (belfry.url.clone(), belfry.token.clone());
    let watch = Watch::of(&["--url", &url, "--token", &token]);
    let metrics = watch.dir.path().join("belfry.prom");
    let metrics = metrics.to_str().unwrap();

    let (code, text) = watch.once(&["--entries"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("PINNED") && text.contains(&vkey), "the first key is a matter of trust: {text}");
    for _ in 0..3 {
        let batch: Vec<Value> = (0..400).map(|n| event("kept.safe", &format!("u{n}"))).collect();
        let last = belfry.post("/api/v1/events", &json!(batch)).good()["last"].as_u64().unwrap();
        // A proof of the last one needs a checkpoint that covers it.
        belfry.get(&format!("/api/v1/events/{last}/proof")).good();
        let (code, text) = watch.once(&["--entries", "--vkey", &vkey, "--metrics", metrics]);
        assert_eq!(code, 0, "{text}");
    }
    assert_eq!(watch.state()["entries_to"], belfry.get("/api/v1/trail").good()["checkpoint"]["size"]);
    let gauges = fs::read_to_string(metrics).unwrap();
    assert!(gauges.contains("state=\"fine\"} 1") && gauges.contains("belfry_monitor_entries"), "{gauges}");
    let other = SigningKey::from_seed(&[9; 32]).verifier("belfry.example/other").unwrap().to_string();
    assert_eq!(watch.once(&["--vkey", &other]).0, 2, "another key is another trail");

    // Nothing new for a while.
    let mut tries = 0;
    let (code, text) = loop {
        std::thread::sleep(Duration::from_millis(2_100));
        let (code, text) = watch.once(&["--stall", "1s"]);
        tries += 1;
        // The server may just have written of a check of its own.
        if code == 1 || tries == 5 {
            break (code, text);
        }
    };
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("stalled"), "{text}");
    belfry.send(&event("kept.safe", "ada"));
    eventually(5, "a checkpoint of it", || (watch.once(&["--stall", "1s"]).0 == 0).then_some(()));
    belfry.stop();
    let (code, text) = watch.once(&[]);
    assert_eq!(code, 2, "nobody there is another thing than something wrong: {text}");
}

#[test]
fn a_fork_is_found_told_and_kept() {
    let key = SigningKey::generate().unwrap();
    let (honest, forked) = (Log::new(&key), Log::new(&key));
    let dir = tempfile::tempdir().unwrap();
    let folders: Vec<PathBuf> = (0..3).map(|n| dir.path().join(n.to_string())).collect();
    honest.grow("entry", 70_000);
    honest.export(&folders[0]);
    honest.grow("later", 3_000);
    honest.export(&folders[1]);
    forked.grow("entry", 69_999);
    forked.grow("other", 5_000);
    forked.export(&folders[2]);

    let files = Files::serve(&folders[0]);
    let hook = Hook::open();
    let note = dir.path().join("told");
    let watch = Watch::of(&["--prefix", &files.url(), "--vkey", &honest.key()]);
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let exec = format!("echo $BELFRY_MONITOR_STATE $BELFRY_MONITOR_FAULT $BELFRY_MONITOR_SIZE >> {}", note.display());
    let voice = ["--webhook", &hook.url(), "--webhook-secret", secret, "--exec", &exec];

    assert_eq!(watch.once(&voice).0, 0);
    assert!(hook.got().is_empty(), "that all is well from the beginning is no news");
    files.change_to(&folders[1]);
    files.asked();
    assert_eq!(watch.once(&voice).0, 0);
    let asked = files.asked();
    assert!(asked.len() <= 12 && !asked.iter().any(|path| path.contains("entries")), "only the edges: {asked:?}");

    files.change_to(&folders[2]);
    hook.answers(500, "");
    let (code, text) = watch.once(&voice);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("forked") && text.contains("nobody was told"), "{text}");
    // The webhook is back; the old tree as well. What was signed stays said.
    hook.answers(200, "");
    files.change_to(&folders[1]);
    assert_eq!(watch.once(&voice).0, 1);
    let told = hook.got().last().cloned().unwrap();
    assert_eq!(
        (told.json()["type"].as_str(), told.json()["data"]["fault"].as_str()),
        (Some("trail.monitor.forked"), Some("forked"))
    );
    accepted_by_standard_webhooks(secret, &told);
    assert_eq!(fs::read_to_string(&note).unwrap(), "wrong forked 73000\nwrong forked 73000\n");
    assert_eq!(watch.once(&voice).0, 1);
    assert_eq!(hook.got().len(), 2, "news are told once");

    let evidence = watch.evidence();
    assert_eq!(evidence.len(), 1, "{evidence:?}");
    let read = |name: &str| fs::read_to_string(evidence[0].join(name)).unwrap();
    assert_eq!(read("verified"), fs::read_to_string(folders[1].join("checkpoint")).unwrap());
    assert_eq!(read("served"), fs::read_to_string(folders[2].join("checkpoint")).unwrap());

    let (code, text) = watch.once(&["--acknowledge"]);
    assert_eq!((code, watch.evidence().len()), (0, 1), "{text}");
}

#[test]
fn shrinkage_broken_tiles_and_changed_entries_are_found() {
    let key = SigningKey::generate().unwrap();
    let log = Log::new(&key);
    let dir = tempfile::tempdir().unwrap();
    let (early, late) = (dir.path().join("early"), dir.path().join("late"));
    log.grow("entry", 300);
    log.export(&early);
    log.grow("later", 69_700);
    log.export(&late);
    let files = Files::serve(&early);
    let watch = || {
        files.change_to(&early);
        let watch = Watch::of(&["--prefix", &files.url(), "--vkey", &log.key()]);
        assert_eq!(watch.once(&["--entries"]).0, 0);
        files.change_to(&late);
        watch
    };

    let one = watch();
    assert_eq!(one.once(&["--entries"]).0, 0);
    files.change_to(&early);
    let (code, text) = one.once(&[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("shrunk") && text.contains("70000") && text.contains("300"), "{text}");
    assert_eq!(one.evidence().len(), 1);

    // An entry that was changed after it was signed, position 66,000 (the third bundle after 65,536).
    let bundle = late.join("tile/entries/257");
    let good = fs::read(&bundle).unwrap();
    let at = offset_of(&good, 66_000 - 257 * 256) + 3;
    change(&bundle, at);
    let two = watch();
    assert_eq!(two.once(&[]).0, 0, "without the entries it can't be seen");
    let (code, text) = watch().once(&["--entries"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("(entries)") && text.contains("position 66000"), "{text}");
    let verify = |more: &[&str]| {
        let place = ["verify", "--prefix", &files.url(), "--vkey", &log.key()].map(str::to_owned);
        said(&Command::new(binary()).args(place).args(more).output().unwrap())
    };
    let (code, text) = verify(&[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("position 66000"), "{text}");
    fs::write(&bundle, &good).unwrap();
    let (code, text) = verify(&["--checkpoint", early.join("checkpoint").to_str().unwrap()]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("70000 events"), "{text}");

    // Removed entries: their bundle is gone, their hashes are not.
    let gone = late.join("tile/entries/010.gone");
    fs::write(&gone, "").unwrap();
    let (code, text) = verify(&[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("256 stand in bundles"), "{text}");
    change(&late.join("tile/0/010"), 100);
    let (code, text) = verify(&[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("position 2560"), "{text}");

    // A tile of the right edge: every new checkpoint needs it.
    let three = watch();
    change(&late.join("tile/1/001.p/17"), 40);
    let (code, text) = three.once(&[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("(tiles)"), "{text}");
    change(&late.join("tile/1/001.p/17"), 40);
    assert_eq!(three.once(&[]).0, 0, "what is not signed passes");

    // Not signed at all.
    let checkpoint = late.join("checkpoint");
    fs::write(&checkpoint, "<html>out of order</html>").unwrap();
    let (code, text) = three.once(&[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("(unsigned)"), "{text}");
}

#[test]
fn a_watching_monitor_speaks_when_something_changes_and_else_is_quiet() {
    let key = SigningKey::generate().unwrap();
    let log = Log::new(&key);
    let dir = tempfile::tempdir().unwrap();
    log.grow("entry", 700);
    log.export(dir.path());
    let files = Files::serve(dir.path());
    let watch = Watch::of(&["--prefix", &files.url(), "--vkey", &log.key(), "--interval", "1s"]);
    let out = fs::File::create(watch.dir.path().join("out")).unwrap();
    let mut child = watch.command(&[]).stdout(out).spawn().unwrap();
    let lines = || fs::read_to_string(watch.dir.path().join("out")).unwrap();
    eventually(20, "the first line", || (lines().lines().count() == 1).then_some(()));
    assert_eq!(said(&watch.command(&["--once"]).output().unwrap()).0, 2, "one monitor at a time");
    let note = fs::read(dir.path().join("checkpoint")).unwrap();
    fs::write(dir.path().join("checkpoint"), "no note").unwrap();
    eventually(20, "the second line", || lines().contains("(unsigned)").then_some(()));
    fs::write(dir.path().join("checkpoint"), note).unwrap();
    eventually(20, "the third line", || (lines().lines().count() == 3).then_some(()));
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(lines().lines().count(), 3, "{}", lines());
    Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "the last state was a good one");
}

/// A witness that is not our code, when scripts/test-env.sh could install it.
struct Witness {
    dir: tempfile::TempDir,
    port: u16,
    vkey: String,
    child: Option<std::process::Child>,
}

impl Witness {
    fn program(name: &str) -> Option<PathBuf> {
        let program = root().join("target/witness-venv/bin").join(name);
        if !program.exists() {
            assert!(std::env::var_os("BELFRY_REQUIRE_OUTSIDE").is_none(), "{} is missing", program.display());
            println!(
                "skipped: {} is missing; scripts/test-env.sh installs it where it reaches PyPI",
                program.display()
            );
            return None;
        }
        Some(program)
    }

    fn new() -> Option<Self> {
        Self::program("aics-witness")?;
        let dir = tempfile::tempdir().unwrap();
        let mut witness = Self { dir, port: free_port(), vkey: String::new(), child: None };
        let said = witness.run(&["init", "--name", "witness.example/w1"]);
        let vkey = said.split_whitespace().find(|word| word.starts_with("witness.example/w1+"));
        witness.vkey = vkey.unwrap_or_else(|| panic!("{said}")).to_owned();
        Some(witness)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(Self::program("aics-witness").unwrap());
        command.env("AICS_WITNESS_CONFIG", self.dir.path().join("witness.json")).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        let (code, text) = said(&self.command(arguments).output().unwrap());
        assert_eq!(code, 0, "{text}");
        text
    }

    fn up(&mut self) {
        let listen = format!("127.0.0.1:{}", self.port);
        let log = fs::File::create(self.dir.path().join("log")).unwrap();
        self.child = Some(
            self.command(&["serve", "--listen", &listen]).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap(),
        );
    }

    fn trust(&self, origin: &str, vkey: &str) {
        self.run(&["add-log", "--origin", origin, "--vkey", vkey]);
        let id = self.child.as_ref().unwrap().id().to_string();
        Command::new("kill").args(["-HUP", &id]).status().unwrap();
    }

    fn down(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("witness: {}", fs::read_to_string(self.dir.path().join("log")).unwrap_or_default());
        }
        self.down();
    }
}

#[test]
fn a_foreign_witness_cosigns_is_missed_and_contradicts_a_cut_trail() {
    let Some(mut witness) = Witness::new() else { return };
    witness.up();
    let mut belfry = Belfry::start_with("[witness]\ninterval_seconds = 1\nlost_seconds = 5\n");
    let trail = belfry.get("/api/v1/trail").good();
    let (origin, vkey) = (trail["origin"].as_str().unwrap().to_owned(), trail["vkey"].as_str().unwrap().to_owned());
    assert_eq!(belfry.get("/trail/main/cosigned").status, 404);
    let url = format!("http://127.0.0.1:{}", witness.port);
    let settings = |allow: &Value, vkey: &str, url: &str| json!({ "outgoing_allow": allow, "witnesses": [{ "vkey": vkey, "url": url }] });
    let problem = belfry.put("/api/v1/settings", &settings(&json!([]), "nobody", &url)).refused(422);
    assert!(problem.to_string().contains("/witnesses"), "{problem}");
    let state = || belfry.get("/api/v1/trail").good()["witnesses"][0].clone();
    let wait =
        |what: &str, done: &dyn Fn(&Value) -> bool| eventually(30, what, || Some(state()).filter(|state| done(state)));

    // Refused by our own guard, then unknown to the witness, then trusted.
    belfry.put("/api/v1/settings", &settings(&json!([]), &witness.vkey, &url)).good();
    wait("the guard refuses", &|state| state["error"].as_str().is_some_and(|error| error.contains("outgoing_allow")));
    belfry.put("/api/v1/settings", &settings(&json!(["127.0.0.1"]), &witness.vkey, &url)).good();
    wait("a 404", &|state| state["error"].as_str().is_some_and(|error| error.contains("404")));
    witness.trust(&origin, &vkey);
    let first = wait("a cosignature", &|state| state["size"].is_u64())["size"].as_u64().unwrap();
    let copy = belfry.dir.path().join("earlier");

    // The trail grows, the witness checks the proof and goes along; another program checks what it signed.
    let batch: Vec<Value> = (0..900).map(|n| event("kept.safe", &format!("u{n}"))).collect();
    belfry.post("/api/v1/events", &json!(batch)).good();
    wait("a cosignature of more", &|state| state["size"].as_u64() >= Some(first + 900) && state["error"].is_null());
    let note = belfry.dir.path().join("note");
    let covered = eventually(10, "the newest checkpoint, cosigned", || {
        let served = belfry.get("/trail/main/checkpoint").text();
        (served.matches("\n— ").count() == 2).then_some(served)
    });
    for text in [covered, belfry.get("/trail/main/cosigned").text()] {
        fs::write(&note, &text).unwrap();
        let checked = Command::new(Witness::program("aics-tlog").unwrap())
            .args(["verify-checkpoint", "--note", note.to_str().unwrap(), "--origin", &origin, "--log-key", &vkey])
            .args(["--witness-key", &witness.vkey, "--quorum", "1", "--max-age", "600"])
            .output()
            .unwrap();
        let (code, text) = said(&checked);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("witness.example/w1"), "{text}");
    }
    assert!(!belfry.search("event.action: entity.updated and entity.type: settings").is_empty(), "it is audited");

    // It goes away and comes back.
    let told = |action: &str| belfry.search(&format!("event.action: trail.{action}")).len();
    let before = (told("witness_lost"), told("witness_restored"));
    witness.down();
    belfry.send(&event("kept.safe", "ada"));
    wait("it is lost", &|state| state["lost"] == true);
    eventually(10, "an event of it", || (told("witness_lost") == before.0 + 1).then_some(()));
    witness.up();
    wait("it is back", &|state| state["lost"] == false && state["error"].is_null());
    eventually(10, "an event of it", || (told("witness_restored") == before.1 + 1).then_some(()));

    // The server as it was earlier, keys and all: in itself it is whole, but the witness has seen more.
    belfry.stop();
    assert!(Command::new("cp").arg("-a").arg(belfry.data()).arg(&copy).status().unwrap().success());
    belfry.up();
    belfry.send(&event("came.later", "ada"));
    let state = || belfry.get("/api/v1/trail").good();
    let grown = eventually(30, "a cosignature of it", || {
        let trail = state();
        let size = trail["witnesses"][0]["size"].as_u64();
        (size == trail["size"].as_u64()).then_some(size)
    });
    belfry.stop();
    fs::remove_dir_all(belfry.data()).unwrap();
    fs::rename(&copy, belfry.data()).unwrap();
    belfry.up();
    let said = eventually(30, "the witness contradicts", || {
        let found = belfry.search("event.action: trail.witness_contradicted");
        (!found.is_empty()).then_some(found)
    });
    assert!(said[0]["event"]["reason"].as_str().unwrap().contains("entries"), "{said:?}");
    assert_eq!(belfry.get("/api/v1/trail").good()["witnesses"][0]["contradicts"], true, "after {grown:?}");
}

/// Where entry `n` of a bundle begins.
fn offset_of(bundle: &[u8], n: usize) -> usize {
    let mut at = 0;
    for _ in 0..n {
        at += 2 + usize::from(u16::from_be_bytes([bundle[at], bundle[at + 1]]));
    }
    at
}

fn accepted_by_standard_webhooks(secret: &str, got: &crate::support::hook::Got) {
    let headers: serde_json::Map<String, Value> = ["webhook-id", "webhook-timestamp", "webhook-signature"]
        .map(|name| (name.to_owned(), json!(got.header(name))))
        .into_iter()
        .collect();
    let case = json!({ "secret": secret, "headers": headers, "body": String::from_utf8_lossy(&got.body) });
    let mut checker = Command::new(python())
        .arg(root().join("tests/clients/standard_webhook.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    use std::io::Write as _;
    writeln!(checker.stdin.take().unwrap(), "{case}").unwrap();
    assert_eq!(String::from_utf8(checker.wait_with_output().unwrap().stdout).unwrap().trim(), "ok");
}
