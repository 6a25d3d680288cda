//! What Belfry reads by itself: files through rotation, the journal, NATS, Kafka; each over a crash.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::clients::python;
use crate::support::{Belfry, eventually, free_port, root};

/// A process of a test's own; ends with it.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[track_caller]
fn add(belfry: &Belfry, kind: &str, settings: &Value) -> String {
    let body = json!({ "name": format!("the {kind}"), "kind": kind, "source": "generic", "settings": settings });
    belfry.post("/api/v1/inputs", &body).good()["id"].as_str().unwrap().to_owned()
}

/// It fails, and says why: the reason is stored a moment after the state is known.
fn has_failed(input: &Value) -> bool {
    input["state"] == "failing" && !input["last_error"].is_null()
}

fn shown(belfry: &Belfry, id: &str) -> Value {
    belfry.get(&format!("/api/v1/inputs/{id}")).good()
}

/// How often each word that begins with `prefix` is in the trail.
fn counts(belfry: &Belfry, prefix: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for event in belfry.search(&format!("event.original: *{prefix}*")) {
        let original = event["event"]["original"].as_str().unwrap_or_default();
        for word in original.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.starts_with(prefix)) {
            *counts.entry(word.to_owned()).or_default() += 1;
        }
    }
    counts
}

/// All of `count` words came, each once.
#[track_caller]
fn once_each(belfry: &Belfry, prefix: &str, count: usize) {
    let all = || counts(belfry, prefix);
    let until = std::time::Instant::now() + Duration::from_secs(60);
    while all().len() < count {
        assert!(
            std::time::Instant::now() < until,
            "{} of {count}: {:?}",
            all().len(),
            belfry.get("/api/v1/inputs").text()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_millis(500));
    let twice: Vec<_> = all().into_iter().filter(|(_, times)| *times != 1).collect();
    assert_eq!((all().len(), twice), (count, Vec::new()));
}

struct Logs {
    belfry: Belfry,
    dir: tempfile::TempDir,
    next: usize,
}

impl Logs {
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let belfry = Belfry::start_with(&format!("[inputs]\nfolders = [\"{}\"]\n", dir.path().display()));
        Self { belfry, dir, next: 0 }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// Appends `count` lines to a file.
    fn write(&mut self, name: &str, count: usize) {
        let mut file = File::options().create(true).append(true).open(self.path(name)).unwrap();
        for _ in 0..count {
            writeln!(file, "2026-11-20T10:00:00Z ledger line{:05} was written to the file by a program", self.next)
                .unwrap();
            self.next += 1;
        }
    }

    #[track_caller]
    fn all_once(&self) {
        once_each(&self.belfry, "line", self.next);
    }
}

#[test]
fn files_are_followed_through_rotation_and_restarts() {
    let mut logs = Logs::open();
    logs.write("a.log", 20);
    fs::write(logs.path("a.log.2.gz"), b"\x1f\x8b packed").unwrap();
    let id = add(&logs.belfry, "files", &json!({ "paths": [logs.path("*.log")] }));
    logs.all_once();
    // Appended, and a new file.
    logs.write("a.log", 20);
    logs.write("b.log", 20);
    logs.all_once();
    // Renamed and made anew, with lines before and after that nobody saw yet.
    logs.write("a.log", 10);
    fs::rename(logs.path("a.log"), logs.path("a.log.1")).unwrap();
    logs.write("a.log.1", 5);
    logs.write("a.log", 10);
    logs.all_once();
    // Copied and emptied.
    logs.write("b.log", 10);
    logs.all_once();
    logs.belfry.stop();
    logs.write("b.log", 10);
    fs::copy(logs.path("b.log"), logs.path("b.log.1")).unwrap();
    File::options().write(true).open(logs.path("b.log")).unwrap().set_len(0).unwrap();
    logs.write("b.log", 3);
    // And the other one renamed, while Belfry is away.
    logs.write("a.log", 10);
    fs::rename(logs.path("a.log"), logs.path("a.log.0")).unwrap();
    logs.write("a.log", 10);
    logs.belfry.up();
    logs.all_once();
    // Killed in the middle of work, several times.
    for _ in 0..4 {
        logs.write("a.log", 100);
        std::thread::sleep(Duration::from_millis(fastrand::u64(50..600)));
        logs.belfry.kill();
        logs.write("a.log", 20);
        logs.belfry.up();
    }
    logs.all_once();
    let input = shown(&logs.belfry, &id);
    assert_eq!((input["state"].as_str(), input["rejected"].as_u64()), (Some("running"), Some(0)), "{input}");
    let labels = input["positions"].to_string();
    assert!(labels.contains("a.log") && !labels.contains(".gz"), "{labels}");
    assert_eq!(logs.belfry.verify().0, 0);
}

#[test]
fn last_lines_several_lines_and_lines_too_long() {
    let logs = Logs::open();
    let mut file = File::create(logs.path("app.log")).unwrap();
    let first = "2026-11-20 10:00:00 record1 began\n  at step one\n  at step two\n2026-11-20 10:00:01 record2 alone\n";
    file.write_all(first.as_bytes()).unwrap();
    file.write_all(b"2026-11-20 10:00:02 record3 ").unwrap();
    let settings = json!({ "paths": [logs.path("app.log")], "record_start": r"^\d{4}-\d\d-\d\d " });
    add(&logs.belfry, "files", &settings);
    // A line without its end waits, and with it the record before: this line may go on with it.
    std::thread::sleep(Duration::from_secs(1));
    assert!(logs.belfry.search("event.original: *record3*").is_empty());
    file.write_all(b"ends later\n  with more").unwrap();
    once_each(&logs.belfry, "record", 3);
    let one = logs.belfry.search("event.original: *record1*").remove(0);
    assert!(one["event"]["original"].as_str().unwrap().ends_with("at step one\n  at step two"), "{one}");
    let three = logs.belfry.search("event.original: *record3*").remove(0);
    assert!(three["event"]["original"].as_str().unwrap().ends_with("record3 ends later\n  with more"), "{three}");

    let long = format!("toolong {}\nrecord8 is whole\n", "x".repeat(3 << 20));
    fs::write(logs.path("long.log"), long).unwrap();
    let body = json!({ "name": "long", "kind": "files", "source": "generic", "settings": { "paths": [logs.path("long.log")] } });
    let id = logs.belfry.post("/api/v1/inputs", &body).good()["id"].as_str().unwrap().to_owned();
    once_each(&logs.belfry, "record", 4);
    let input = shown(&logs.belfry, &id);
    assert_eq!(input["rejected"], 1, "{input}");
    assert!(input["last_error"].as_str().unwrap().contains("longer than"), "{input}");
    let kept = logs.belfry.get("/api/v1/set-aside").good();
    assert!(kept["items"][0]["record"].as_str().unwrap().starts_with("toolong xxx"));
}

#[test]
fn inputs_are_managed_audited_and_kept_within_bounds() {
    let logs = Logs::open();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret1\n").unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), logs.path("link.log")).unwrap();
    let belfry = &logs.belfry;
    let refused = |settings: Value| {
        let body = json!({ "name": "x", "kind": "files", "settings": settings });
        belfry.post("/api/v1/inputs", &body).refused(422)["errors"][0]["pointer"].as_str().unwrap().to_owned()
    };
    assert_eq!(refused(json!({ "paths": ["/etc/passwd"] })), "/settings/paths/0");
    assert_eq!(refused(json!({ "paths": [format!("{}/../x", logs.dir.path().display())] })), "/settings/paths/0");
    assert_eq!(refused(json!({ "paths": [logs.path("a")], "record_start": "(" })), "/settings/record_start");
    let body = json!({ "name": "x", "kind": "files", "source": "nowhere", "settings": { "paths": [logs.path("a")] } });
    assert_eq!(belfry.post("/api/v1/inputs", &body).refused(422)["errors"][0]["pointer"], "/source");

    // By the command line, from beginning to end.
    let cli = |arguments: &[&str], code: i32| {
        let output = belfry.cli(arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        said
    };
    let paths = format!("paths=[\"{}/*.log\"]", logs.dir.path().display());
    cli(&["input", "add", "app logs", "--kind", "files", "--setting", &paths], 0);
    cli(&["input", "add", "App Logs", "--kind", "files", "--setting", &paths], 2);
    let found = eventually(10, "the link is refused", || {
        let said = cli(&["input", "list", "--format", "json"], 0);
        said.contains("not below inputs.folders").then_some(said)
    });
    assert!(found.contains("running"), "{found}");
    cli(&["input", "test", "app logs"], 1);
    fs::remove_file(logs.path("link.log")).unwrap();
    fs::write(logs.path("good.log"), "line00000 is here\n").unwrap();
    assert!(cli(&["input", "test", "app logs"], 0).contains("good.log"));
    once_each(belfry, "line", 1);
    assert!(belfry.search("event.original: *secret1*").is_empty());
    cli(&["input", "update", "app logs", "--set", "enabled=false"], 0);
    assert!(cli(&["input", "show", "app logs", "--format", "json"], 0).contains("\"off\""));
    cli(&["input", "remove", "app logs"], 0);
    cli(&["input", "show", "app logs"], 2);

    let changes = belfry.search("entity.type: input");
    let actions: Vec<&str> = changes.iter().rev().filter_map(|event| event["event"]["action"].as_str()).collect();
    assert_eq!(actions, ["entity.created", "entity.updated", "entity.deactivated"], "{changes:?}");
    assert_eq!(changes[1]["changes"][0], json!({ "field": "enabled", "old": "true", "new": "false" }));
}

/// Writes a journal file with entries, as a host writes it.
fn journal(folder: &Path, from: usize, to: usize) {
    fs::create_dir_all(folder).unwrap();
    let mut child = Command::new("/lib/systemd/systemd-journal-remote")
        .arg("-o")
        .arg(folder.join("remote.journal"))
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    for n in from..to {
        let time = 1_795_000_000_000_000_u64 + n as u64;
        write!(
            input,
            "__REALTIME_TIMESTAMP={time}\n__MONOTONIC_TIMESTAMP={n}\n_BOOT_ID=0123456789abcdef0123456789abcdef\n\
             PRIORITY=6\nSYSLOG_IDENTIFIER=ledger\n_SYSTEMD_UNIT=ledger.service\nMESSAGE=entry{n:05} of the journal\n\n"
        )
        .unwrap();
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_journal_is_read_behind_its_cursor() {
    if !Path::new("/lib/systemd/systemd-journal-remote").exists() {
        println!("skipped: systemd-journal-remote is missing (scripts/debian.sh test)");
        return;
    }
    let mut logs = Logs::open();
    let folder = logs.path("journal");
    journal(&folder, 0, 50);
    let id = add(&logs.belfry, "journald", &json!({ "directory": folder }));
    once_each(&logs.belfry, "entry", 50);
    let tested = logs.belfry.post(&format!("/api/v1/inputs/{id}/test"), &json!({})).good();
    assert_eq!(tested["ok"], true, "{tested}");
    logs.belfry.stop();
    journal(&folder, 50, 80);
    logs.belfry.up();
    once_each(&logs.belfry, "entry", 80);
    journal(&folder, 80, 400);
    std::thread::sleep(Duration::from_millis(200));
    logs.belfry.kill();
    logs.belfry.up();
    once_each(&logs.belfry, "entry", 400);
    assert!(shown(&logs.belfry, &id)["positions"][0]["position"].as_str().unwrap().starts_with("s="));
}

/// A connection to NATS by hand: the protocol is lines of text.
struct Nats(BufReader<TcpStream>);

impl Nats {
    fn connect(port: u16) -> Self {
        let stream = eventually(10, "NATS", || TcpStream::connect(("127.0.0.1", port)).ok());
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut nats = Self(BufReader::new(stream));
        nats.line();
        nats.say("CONNECT {\"verbose\":false,\"auth_token\":\"hunter42\"}\r\nPING\r\n");
        while nats.line() != "PONG" {}
        nats
    }

    fn say(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn publish(&mut self, subject: &str, text: &str) {
        self.say(&format!("PUB {subject} {}\r\n{text}\r\n", text.len()));
    }

    fn flush(&mut self) {
        self.say("PING\r\n");
        while self.line() != "PONG" {}
    }

    /// Asks and answers what came.
    fn ask(&mut self, subject: &str, request: &Value) -> String {
        let request = request.to_string();
        self.say(&format!(
            "SUB _INBOX.test 1\r\nUNSUB 1 1\r\nPUB {subject} _INBOX.test {}\r\n{request}\r\n",
            request.len()
        ));
        loop {
            let line = self.line();
            if line.starts_with("MSG ") {
                let length: usize = line.rsplit(' ').next().unwrap().parse().unwrap();
                let mut body = vec![0; length + 2];
                self.0.read_exact(&mut body).unwrap();
                return String::from_utf8_lossy(&body).into_owned();
            }
        }
    }
}

fn nats_server(folder: &Path, port: u16) -> Process {
    let log = File::create(folder.join("nats.log")).unwrap();
    let child = Command::new("nats-server")
        .args(["-a", "127.0.0.1", "-p", &port.to_string(), "--auth", "hunter42", "-js", "-sd"])
        .arg(folder.join("js"))
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .expect("nats-server is installed (scripts/debian.sh test)");
    Process(child)
}

#[test]
fn nats_subjects_and_streams() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let server = nats_server(dir.path(), port);
    let mut nats = Nats::connect(port);
    let stream = json!({ "name": "AUDIT", "subjects": ["audit.>"], "storage": "file" });
    assert!(nats.ask("$JS.API.STREAM.CREATE.AUDIT", &stream).contains("\"created\""));
    let mut belfry = Belfry::start();
    let settings = json!({ "servers": [format!("127.0.0.1:{port}")], "subjects": ["audit.>"], "stream": "AUDIT", "token": "hunter42" });
    let id = add(&belfry, "nats", &settings);
    // The guard refuses the loopback until an administrator allows it.
    let failing = eventually(10, "the guard", || Some(shown(&belfry, &id)).filter(has_failed));
    assert!(failing["last_error"].as_str().unwrap().contains("outgoing_allow"), "{failing}");
    assert!(failing["retry_at"].is_string());
    assert!(!failing.to_string().contains("hunter42"));
    belfry.allow_loopback();
    for n in 0..100 {
        nats.publish("audit.login", &format!("stream{n:05} over NATS"));
    }
    nats.flush();
    once_each(&belfry, "stream", 100);
    let tested = belfry.post(&format!("/api/v1/inputs/{id}/test"), &json!({})).good();
    assert!(tested["detail"].as_str().unwrap().contains("stream AUDIT with 100 messages"), "{tested}");
    // Killed in the middle; what was not acknowledged comes again, what is kept already is not kept twice.
    for round in 0..2 {
        for n in 0..300 {
            nats.publish("audit.login", &format!("stream{:05} over NATS", 100 + round * 300 + n));
        }
        nats.flush();
        std::thread::sleep(Duration::from_millis(fastrand::u64(20..300)));
        belfry.kill();
        belfry.up();
    }
    once_each(&belfry, "stream", 700);

    // Plain subjects: with a wildcard and a queue group.
    let plain = json!({ "name": "plain", "kind": "nats", "source": "generic", "settings": {
        "servers": [format!("localhost:{port}"), format!("127.0.0.1:{port}")], "subjects": ["app.*.login", "other"], "queue": "belfry", "token": "hunter42" } });
    let plain = belfry.post("/api/v1/inputs", &plain).good()["id"].as_str().unwrap().to_owned();
    eventually(20, "it reads", || (shown(&belfry, &plain)["state"] == "running").then_some(()));
    nats.publish("app.web.login", "core00001 over NATS");
    nats.publish("other", "core00002 over NATS");
    nats.publish("app.web.logout", "core00003 nobody asked for");
    nats.flush();
    once_each(&belfry, "core", 2);
    // The server goes away and comes back.
    drop(server);
    eventually(20, "it is noticed", || (shown(&belfry, &plain)["state"] == "failing").then_some(()));
    let _server = nats_server(dir.path(), port);
    eventually(60, "it reads again", || (shown(&belfry, &plain)["state"] == "running").then_some(()));
    // A wrong token is said, and not shown.
    let wrong = json!({ "name": "wrong", "kind": "nats", "settings": { "servers": [format!("127.0.0.1:{port}")], "subjects": ["x"], "token": "hunter43" } });
    let wrong = belfry.post("/api/v1/inputs", &wrong).good()["id"].as_str().unwrap().to_owned();
    let failing = eventually(20, "the refusal", || Some(shown(&belfry, &wrong)).filter(has_failed));
    assert!(failing["last_error"].as_str().unwrap().contains("uthorization"), "{failing}");
    assert!(belfry.search("entity.type: input").iter().all(|event| !event.to_string().contains("hunter4")));
}

/// The mock cluster of librdkafka: the real protocol on real ports, but not Apache Kafka.
struct Cluster {
    process: Process,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    brokers: String,
}

impl Cluster {
    fn start() -> Self {
        let mut child = Command::new(python())
            .arg(root().join("tests/clients/kafka_cluster.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut brokers = String::new();
        output.read_line(&mut brokers).unwrap();
        Self { process: Process(child), input, output, brokers: brokers.trim().to_owned() }
    }

    fn send(&mut self, topic: &str, partition: usize, text: &str) {
        writeln!(self.input, "{topic} {partition} {text}").unwrap();
        let mut said = String::new();
        self.output.read_line(&mut said).unwrap();
        assert_eq!(said.trim(), "ok");
    }
}

#[test]
fn kafka_topics_from_the_offsets_we_keep() {
    let mut cluster = Cluster::start();
    for n in 0..20 {
        cluster.send("audit", n % 2, &format!("kafka{n:05} over a topic"));
    }
    let mut belfry = Belfry::start();
    belfry.put("/api/v1/settings", &json!({ "outgoing_allow": ["127.0.0.0/8", "localhost", "::1"] })).good();
    let settings = json!({ "brokers": [cluster.brokers], "topics": ["audit"] });
    let id = add(&belfry, "kafka", &settings);
    once_each(&belfry, "kafka", 20);
    let tested = belfry.post(&format!("/api/v1/inputs/{id}/test"), &json!({})).good();
    assert!(tested["detail"].as_str().unwrap().contains("audit"), "{tested}");
    for round in 0..3 {
        for n in 0..40 {
            cluster.send("audit", n % 2, &format!("kafka{:05} over a topic", 20 + round * 40 + n));
        }
        belfry.kill();
        belfry.up();
    }
    once_each(&belfry, "kafka", 140);
    let input = shown(&belfry, &id);
    let positions: Vec<&str> =
        input["positions"].as_array().unwrap().iter().filter_map(|position| position["label"].as_str()).collect();
    assert!(positions.contains(&"audit/0") && positions.contains(&"audit/1"), "{input}");
    let missing = json!({ "name": "missing", "kind": "kafka", "settings": { "brokers": [cluster.brokers], "topics": ["nothing"] } });
    let missing = belfry.post("/api/v1/inputs", &missing).good()["id"].as_str().unwrap().to_owned();
    let failing = eventually(30, "what is wrong", || Some(shown(&belfry, &missing)).filter(has_failed));
    assert!(failing["last_error"].as_str().unwrap().contains("there is no topic nothing"), "{failing}");
    drop(cluster.process);
}
