//! Input that must get a clear answer, and of which nothing is lost.

use std::io::Write;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{Belfry, event, eventually, run, spawn};

/// Sends one body and answers its only rejection.
#[track_caller]
fn rejected(belfry: &Belfry, body: impl Into<Vec<u8>>) -> Value {
    let answer = belfry.send_body("", body.into());
    let status = answer.status;
    let receipt = answer.json();
    let receipt = if status == 422 && receipt.get("receipt").is_some() { receipt["receipt"].clone() } else { receipt };
    let rejected = receipt["rejected"].as_array().unwrap_or_else(|| panic!("{status} {receipt}"));
    assert_eq!(rejected.len(), 1, "{receipt}");
    assert_eq!(receipt["accepted"].as_u64(), Some(0), "{receipt}");
    rejected[0].clone()
}

#[test]
fn every_bad_event_is_named_and_set_aside() {
    let belfry = Belfry::start();
    let deep = format!("{{\"event\":{{\"action\":\"a.b\"}},\"x\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    let many = |count: u32| -> String { (0..count).map(|n| format!(",\"{n:x}\":1")).collect() };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("not JSON", b"hello there".to_vec(), ""),
        ("a wrong type", br#"{"event":{"action":"a.b"},"user":{"name":{"x":1}}}"#.to_vec(), "user.name"),
        ("a bad address", br#"{"event":{"action":"a.b"},"source":{"ip":"10.0.0.300"}}"#.to_vec(), "source.ip"),
        ("no zone", br#"{"event":{"action":"a.b"},"@timestamp":"2026-11-20T10:00:00"}"#.to_vec(), "@timestamp"),
        ("far future", br#"{"event":{"action":"a.b"},"@timestamp":"2999-01-01T00:00:00Z"}"#.to_vec(), "@timestamp"),
        ("1970", br#"{"event":{"action":"a.b"},"@timestamp":"1970-01-01T00:00:07Z"}"#.to_vec(), "@timestamp"),
        ("no action", br#"{"user":{"name":"x"}}"#.to_vec(), "event.action"),
        (
            "64 KiB + 1",
            format!("{{\"event\":{{\"action\":\"a.b\"}},\"x\":\"{}\"}}", "x".repeat(65_536)).into_bytes(),
            "65",
        ),
        ("10,000 fields", format!("{{\"event\":{{\"action\":\"a.b\"}}{}}}", many(10_000)).into_bytes(), "65"),
        (
            "5,000 fields, small enough",
            format!("{{\"event\":{{\"action\":\"a.b\"}}{}}}", many(5_000)).into_bytes(),
            "fields",
        ),
        ("deep nesting", deep.into_bytes(), "within each other"),
        ("a duplicate key", br#"{"event":{"action":"a.b","action":"c.d"}}"#.to_vec(), "event.action"),
        ("invalid UTF-8", b"{\"event\":{\"action\":\"a.b\"},\"x\":\"\xff\xfe\"}".to_vec(), "UTF-8"),
        ("NUL", br#"{"event":{"action":"a.b"},"x":"a\u0000b"}"#.to_vec(), "NUL"),
        ("Belfry's own name", br#"{"event":{"action":"a.b","module":"belfry"}}"#.to_vec(), "event.module"),
    ];
    let before = open(&belfry).len();
    for (what, body, says) in &cases {
        let rejection = rejected(&belfry, body.clone());
        let words = rejection.to_string();
        assert!(words.to_lowercase().contains(&says.to_lowercase()), "{what}: {words}");
        let id = rejection["set_aside"].as_str().unwrap_or_else(|| panic!("{what} was not set aside: {rejection}"));
        let kept = belfry.get("/api/v1/set-aside?limit=100").good();
        let kept = kept["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|item| item["id"] == id)
            .unwrap_or_else(|| panic!("{what}"))
            .clone();
        let text = kept["record"].as_str().unwrap();
        assert!(kept["record_base64"].is_string() || text.as_bytes() == body.as_slice(), "{what} is kept as it came");
    }
    assert_eq!(open(&belfry).len() - before, cases.len());
}

fn open(belfry: &Belfry) -> Vec<Value> {
    belfry.get("/api/v1/set-aside?limit=200").good()["items"].as_array().unwrap().clone()
}

#[test]
fn line_seven_is_broken_and_the_others_are_kept() {
    let belfry = Belfry::start();
    let lines: String = (0..10)
        .map(|n| {
            if n == 7 {
                "{\"event\":{\"action\":\n".to_owned()
            } else {
                format!("{}\n", event("line.sent", &format!("u{n}")))
            }
        })
        .collect();
    let receipt = belfry.send_body("", lines).good();
    assert_eq!(receipt["accepted"], 9);
    assert_eq!(receipt["rejected"][0]["index"], 7);
    assert_eq!(belfry.search("event.action: line.sent").len(), 9);
}

#[test]
fn truncated_and_exploding_bodies_are_refused_whole() {
    let belfry = Belfry::start();
    let body = event("user.login", "x").to_string().into_bytes();
    let packed = zstd::encode_all(body.as_slice(), 3).unwrap();
    let send = |encoding: &str, body: Vec<u8>| {
        belfry.answer(
            belfry
                .request("POST", "/api/v1/events")
                .header("content-type", "application/json")
                .header("content-encoding", encoding)
                .body(body),
        )
    };
    send("zstd", packed[..packed.len() - 5].to_vec()).refused(400);
    send("gzip", b"\x1f\x8b\x08\x00\x00\x00".to_vec()).refused(400);
    let bomb = zstd::encode_all(std::io::Read::take(std::io::repeat(b' '), 4 << 30), 1).unwrap();
    assert!(bomb.len() < 1 << 20);
    send("zstd", bomb).refused(413);
    let unknown = send("br", body).refused(415);
    assert!(unknown.to_string().contains("gzip"), "it says what would do: {unknown}");
}

#[test]
fn a_filter_with_a_typo_says_what_and_where() {
    let belfry = Belfry::start();
    let ask = |filter: &str| belfry.answer(belfry.request("GET", "/api/v1/events").query(&[("filter", filter)]));
    let problem = ask("user.nme: ada").refused(422);
    assert!(problem.to_string().contains("user.name"), "{problem}");
    assert_eq!(problem["errors"][0]["pointer"], "/filter");
    let problem = ask("event.action: (a or").refused(422);
    assert!(problem["errors"][0]["offset"].as_u64().is_some(), "{problem}");
}

#[test]
fn tokens_that_are_wrong_expired_or_unscoped() {
    let belfry = Belfry::start();
    let send = |token: &str| {
        belfry.answer(
            belfry.client().post(format!("{}/api/v1/events", belfry.url)).bearer_auth(token).json(&event("a.b", "x")),
        )
    };
    send("nonsense").refused(401);
    let expires = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(1);
    let short = belfry
        .post(
            "/api/v1/tokens",
            &json!({ "name": "short", "scopes": ["events:write"], "expires_at": expires.to_string() }),
        )
        .good();
    let short = short["token"].as_str().unwrap().to_owned();
    assert_eq!(send(&short).status, 200);
    std::thread::sleep(std::time::Duration::from_millis(1_300));
    let problem = send(&short).refused(401);
    assert!(problem.to_string().contains("expired"), "{problem}");
}

#[test]
fn a_syslog_line_without_end_does_not_hold_the_server() {
    let belfry = Belfry::start();
    let port = belfry.syslog.unwrap();
    let mut endless = TcpStream::connect(("127.0.0.1", port)).unwrap();
    for _ in 0..40 {
        endless.write_all(&[b'x'; 8 * 1024]).ok();
    }
    let mut good = TcpStream::connect(("127.0.0.1", port)).unwrap();
    good.write_all(b"<38>Nov 21 14:00:01 web-1 sshd[99]: Accepted password for alive from 10.0.0.1 port 22 ssh2\n")
        .unwrap();
    eventually(10, "the other sender is heard", || belfry.search("user.name: alive").pop());
    drop(endless);
    eventually(10, "the endless line is kept in pieces or set aside", || {
        let kept = belfry.search("xxxx*");
        (!kept.is_empty() || !open(&belfry).is_empty()).then_some(())
    });
}

#[test]
fn a_second_server_on_the_same_folder_is_refused() {
    let belfry = Belfry::start();
    let said = spawn(&belfry.data()).map(|_| ()).unwrap_err();
    assert!(said.contains("already") || said.contains("another"), "{said}");
    assert_eq!(belfry.get("/healthz").status, 200);
}

#[test]
fn a_state_of_a_newer_version_is_refused() {
    let mut belfry = Belfry::start();
    belfry.stop();
    let state = belfry.data().join("state.sqlite");
    let python = "import sqlite3,sys; d=sqlite3.connect(sys.argv[1]); d.execute(\"insert into _sqlx_migrations (version, description, installed_on, success, checksum, execution_time) values (9999,'from the future',datetime(),1,x'00',0)\"); d.commit()";
    let made = std::process::Command::new("python3").args(["-c", python, state.to_str().unwrap()]).status().unwrap();
    assert!(made.success());
    let said = spawn(&belfry.data()).map(|_| ()).unwrap_err();
    assert!(said.contains("newer"), "{said}");
}

#[test]
fn a_full_disk_stops_the_trail_and_loses_nothing() {
    let mut belfry = Belfry::start();
    belfry.send(&event("disk.before", "x"));
    belfry.stop();
    // A file system of 24 MB in memory stands for the full disk.
    let small = tempfile::tempdir().unwrap();
    let mounted =
        std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(small.path()).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: mounting a small file system is not allowed here");
        return;
    }
    let data = small.path().join("data");
    let copied = std::process::Command::new("cp").arg("-a").arg(belfry.data()).arg(&data).status().unwrap();
    assert!(copied.success());
    let (mut child, url) = spawn(&data).expect("it starts");
    let filler: String = (0..1_500).map(|n| json!({ "event": { "action": "disk.filled" }, "labels": { "n": n.to_string(), "noise": format!("{:x}", md(n)).repeat(12) } }).to_string() + "\n").collect();
    let mut accepted = 0;
    let mut refused = None;
    for _ in 0..200 {
        let answer = belfry.try_answer(
            belfry
                .client()
                .post(format!("{url}/api/v1/events"))
                .bearer_auth(&belfry.token)
                .header("content-type", "application/x-ndjson")
                .body(filler.clone()),
        );
        match answer {
            Ok(answer) if answer.status == 200 => accepted += answer.json()["accepted"].as_u64().unwrap(),
            Ok(answer) => {
                refused = Some(answer);
                break;
            }
            Err(error) => panic!("the server does not answer any more: {error}"),
        }
    }
    let refused = refused.expect("the disk is full some time");
    assert!([503, 507].contains(&refused.status), "{} {}", refused.status, refused.text());
    child.kill().ok();
    child.wait().ok();
    let (code, said) = crate::support::verify(&data);
    let size = said
        .split(|c: char| !c.is_ascii_digit() && c != ',')
        .filter_map(|word| word.replace(',', "").parse::<u64>().ok())
        .max()
        .unwrap_or(0);
    std::process::Command::new("umount").arg("-l").arg(small.path()).status().ok();
    assert_eq!(code, 0, "{said}");
    assert!(size > accepted, "all {accepted} acknowledged are there: {said}");
}

/// Some noise that does not compress.
fn md(n: u64) -> u128 {
    let mut random = fastrand::Rng::with_seed(n);
    random.u128(..)
}

#[test]
fn unknown_configuration_is_refused_with_its_name() {
    let mut belfry = Belfry::start();
    belfry.stop();
    let file = belfry.data().join("belfry.toml");
    std::fs::write(&file, "lisen = \"127.0.0.1:1\"\n").unwrap();
    let checked = run(&["config", "check", "--data", belfry.data().to_str().unwrap()], "");
    assert_eq!(checked.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&checked.stderr).contains("lisen"));
}
