//! Events go in by HTTP and syslog, and are found, counted and proven.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Belfry, event, eventually};

#[test]
fn one_event_an_array_and_lines_are_receipted_with_positions() {
    let belfry = Belfry::start();
    let one = belfry.post("/api/v1/events", &event("user.login", "ada")).good();
    assert_eq!((one["accepted"].as_u64(), one["rejected"].as_array().map(Vec::len)), (Some(1), Some(0)), "{one}");
    let first = one["first"].as_u64().unwrap();

    let array = belfry.post("/api/v1/events", &json!([event("user.login", "b"), event("user.logout", "b")])).good();
    assert_eq!(array["accepted"], 2);
    assert_eq!(array["last"].as_u64().unwrap() - array["first"].as_u64().unwrap(), 1);
    assert!(array["first"].as_u64().unwrap() > first);

    let lines = format!("{}\n{}\n\n{}\n", event("user.login", "c"), event("user.login", "d"), event("user.login", "e"));
    assert_eq!(belfry.send_body("", lines).good()["accepted"], 3);

    // What was acknowledged is found at once, without waiting for the index.
    let found = belfry.search("user.name: (ada or b or c or d or e)");
    assert_eq!(found.len(), 6, "{found:?}");
    assert_eq!(found[5]["user"]["name"], "ada", "newest first");
}

#[test]
fn packed_bodies_are_taken() {
    let belfry = Belfry::start();
    let body = event("user.login", "packed").to_string().into_bytes();
    let zstd = zstd::encode_all(body.as_slice(), 3).unwrap();
    let sent = belfry.answer(
        belfry
            .request("POST", "/api/v1/events")
            .header("content-type", "application/json")
            .header("content-encoding", "zstd")
            .body(zstd),
    );
    assert_eq!(sent.good()["accepted"], 1);
    let gzip = Command::new("sh")
        .args(["-c", "printf '%s' \"$0\" | gzip -c"])
        .arg(event("user.login", "packed").to_string())
        .output()
        .unwrap()
        .stdout;
    let sent = belfry.answer(
        belfry
            .request("POST", "/api/v1/events")
            .header("content-type", "application/json")
            .header("content-encoding", "gzip")
            .body(gzip),
    );
    assert_eq!(sent.good()["accepted"], 1);
    assert_eq!(belfry.search("user.name: packed").len(), 2);
}

#[test]
fn a_batch_key_makes_a_retry_harmless_even_over_a_crash() {
    let mut belfry = Belfry::start();
    let body = json!([event("user.login", "twice"), event("user.login", "twice")]);
    let send = |belfry: &Belfry, body: &Value| {
        belfry.answer(belfry.request("POST", "/api/v1/events").header("idempotency-key", "batch-1").json(body))
    };
    let first = send(&belfry, &body).good();
    let again = send(&belfry, &body).good();
    assert_eq!(
        (&first["first"], &first["last"], 2),
        (&again["first"], &again["last"], again["accepted"].as_u64().unwrap())
    );
    send(&belfry, &json!([event("user.login", "other")])).refused(422);
    belfry.kill();
    belfry.up();
    assert_eq!(send(&belfry, &body).good()["first"], first["first"]);
    assert_eq!(belfry.search("user.name: twice").len(), 2);
}

#[test]
fn pages_follow_each_other_without_gap_or_repetition() {
    let belfry = Belfry::start();
    let events: Vec<Value> = (0..250)
        .map(|n| json!({ "@timestamp": format!("2026-11-0{}T10:00:{:02}Z", 1 + n % 9, n % 60), "event": { "action": "page.turned" }, "labels": { "n": n.to_string() } }))
        .collect();
    belfry.post("/api/v1/events", &json!(events)).good();
    let mut seen = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut query = vec![("filter", "event.action: page.turned".to_owned()), ("limit", "37".to_owned())];
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let page = belfry.answer(belfry.request("GET", "/api/v1/events").query(&query)).good();
        for item in page["items"].as_array().unwrap() {
            seen.push((item["event"]["@timestamp"].as_str().unwrap().to_owned(), item["position"].as_u64().unwrap()));
        }
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(seen.len(), 250);
    let mut sorted = seen.clone();
    sorted.sort_by(|a, b| b.cmp(a));
    sorted.dedup();
    assert_eq!(seen, sorted, "newest first, each once");
}

#[test]
fn filters_mean_the_same_before_and_after_indexing() {
    let belfry = Belfry::start();
    belfry.post("/api/v1/events", &json!([
        { "event": { "action": "credential.password.viewed", "severity": "high" }, "user": { "name": "Ada" }, "source": { "ip": "10.2.3.4" }, "message": "Ada viewed the password of root", "labels": { "ticket": "CHG-7" } },
        { "event": { "action": "credential.password.viewed" }, "user": { "name": "svc-backup" }, "source": { "ip": "192.0.2.9" }, "message": "svc-backup viewed the password of admin" },
        { "event": { "action": "user.login", "outcome": "failure" }, "user": { "name": "bola" }, "source": { "ip": "2001:db8::7" }, "custom": { "depth": { "level": "seven" } } },
    ])).good();
    let cases = [
        ("event.action: credential.* and not user.name: \"svc-*\"", 1, "a star stands for anything, in quotes as well"),
        ("event.action: credential.* and not user.name: svc-*", 1, ""),
        ("event.action: credential.* and not user.name: svc-\\*", 2, "unless it is escaped"),
        ("user.name: ada", 1, "case does not matter"),
        ("source.ip: 10.0.0.0/8", 1, ""),
        ("source.ip: \"2001:db8::/32\"", 1, ""),
        ("event.severity >= high and event.action: credential.*", 1, ""),
        ("password", 2, "a word of the message"),
        ("\"password of root\"", 1, "a phrase"),
        ("labels.ticket: chg-7", 1, "any field"),
        ("custom.depth.level: seven", 1, "any depth"),
        ("event.outcome: failure and user.name: bola", 1, ""),
        ("user.name: (ada or bola)", 2, ""),
        ("labels.ticket: *", 1, "exists"),
    ];
    let check = |when: &str| {
        for (filter, count, why) in cases {
            assert_eq!(belfry.search(filter).len(), count, "{when}: {filter} {why}");
        }
    };
    check("at once");
    eventually(20, "the index catches up", || {
        let trail = belfry.get("/api/v1/trail").good();
        (trail["indexed_to"] == trail["size"]).then_some(())
    });
    check("indexed");
}

#[test]
fn a_proof_holds_against_the_signed_checkpoint() {
    let belfry = Belfry::start();
    let position = belfry.send(&event("user.login", "proof"));
    for n in 0..40 {
        belfry.send(&event("user.login", &format!("other{n}")));
    }
    let proof = eventually(10, "a checkpoint that covers the event", || {
        let answer = belfry.get(&format!("/api/v1/events/{position}/proof"));
        (answer.status == 200).then(|| answer.json())
    });
    let file = belfry.dir.path().join("proof.json");
    std::fs::write(&file, proof.to_string()).unwrap();
    let checked = belfry.cli(&["verify", "--proof", file.to_str().unwrap()]);
    assert!(
        checked.status.success(),
        "{}{}",
        String::from_utf8_lossy(&checked.stdout),
        String::from_utf8_lossy(&checked.stderr)
    );
    let mut forged = proof.clone();
    forged["position"] = json!(position + 1);
    std::fs::write(&file, forged.to_string()).unwrap();
    assert_eq!(belfry.cli(&["verify", "--proof", file.to_str().unwrap()]).status.code(), Some(1));
}

#[test]
fn counts_by_field_and_time() {
    let belfry = Belfry::start();
    let events: Vec<Value> = (0..90).map(|n| json!({ "@timestamp": format!("2026-11-{:02}T12:00:00Z", 1 + n % 3), "event": { "action": if n % 2 == 0 { "a.b" } else { "c.d" } }, "user": { "name": format!("u{}", n % 5) } })).collect();
    belfry.post("/api/v1/events", &json!(events)).good();
    let answer = belfry.get("/api/v1/events/summary?by=event.action&span=day&filter=event.action:%20(a.b%20or%20c.d)&from=2026-11-01&to=2026-11-05").good();
    assert_eq!(answer["total"], 90);
    let rows = answer["rows"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| row["count"].as_u64().unwrap()).collect::<Vec<_>>(), [45, 45]);
    let buckets: Vec<u64> = answer["buckets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bucket| bucket["count"].as_u64().unwrap())
        .filter(|count| *count > 0)
        .collect();
    assert_eq!(buckets, [30, 30, 30]);
    let two = belfry.get("/api/v1/events/summary?by=event.action,user.name&filter=event.action:a.b").good();
    assert_eq!(two["rows"].as_array().unwrap().len(), 5);
}

#[test]
fn syslog_comes_in_over_udp_and_tcp_in_both_framings() {
    let belfry = Belfry::start();
    let port = belfry.syslog.unwrap();
    let sshd = |user: &str| {
        format!("<38>Nov 21 14:00:01 web-1 sshd[99]: Failed password for {user} from 203.0.113.9 port 4242 ssh2")
    };
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(sshd("udp").as_bytes(), ("127.0.0.1", port)).unwrap();
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
    tcp.write_all(format!("{}\n", sshd("newline")).as_bytes()).unwrap();
    let counted = sshd("counted");
    tcp.write_all(format!("{} {counted}", counted.len()).as_bytes()).unwrap();
    // Without an end, and then the connection is closed.
    tcp.write_all(sshd("unended").as_bytes()).unwrap();
    drop(tcp);
    for user in ["udp", "newline", "counted", "unended"] {
        let found = eventually(10, user, || belfry.search(&format!("user.name: {user} and event.module: sshd")).pop());
        assert_eq!(found["event"]["action"], "authentication.failed", "{found}");
        assert_eq!(found["source"]["ip"], "203.0.113.9");
        assert!(found["event"]["original"].as_str().unwrap().contains(user));
    }
}

#[test]
fn the_live_stream_brings_events_as_they_come() {
    let belfry = Belfry::start();
    let request = belfry.request("GET", "/api/v1/events/stream").query(&[("filter", "user.name: live")]);
    let heard = belfry.wait(async {
        let mut stream = request.send().await.unwrap();
        assert_eq!(stream.status(), 200);
        let send = belfry
            .request("POST", "/api/v1/events")
            .json(&json!([event("user.login", "not-this"), event("user.login", "live")]));
        send.send().await.unwrap();
        let mut heard = String::new();
        while !heard.contains("\"live\"") {
            let chunk = tokio::time::timeout(std::time::Duration::from_secs(10), stream.chunk())
                .await
                .expect("in time")
                .unwrap();
            heard.push_str(&String::from_utf8_lossy(&chunk.expect("the stream goes on")));
        }
        heard
    });
    assert!(!heard.contains("not-this"), "{heard}");
}

#[test]
fn a_member_sees_no_events_and_an_unscoped_token_sends_none() {
    let belfry = Belfry::start();
    let token = belfry
        .post("/api/v1/tokens", &json!({ "name": "reader", "scopes": ["events:read"], "expires_at": null }))
        .good();
    let token = token["token"].as_str().unwrap();
    let refused = belfry.answer(
        belfry
            .client()
            .post(format!("{}/api/v1/events", belfry.url))
            .bearer_auth(token)
            .json(&event("user.login", "x")),
    );
    let problem = refused.refused(403);
    assert!(problem.to_string().contains("events:write"), "it says what is missing: {problem}");
    belfry
        .answer(
            belfry
                .client()
                .post(format!("{}/api/v1/events", belfry.url))
                .bearer_auth("blf_wrong")
                .json(&event("user.login", "x")),
        )
        .refused(401);
}

#[test]
fn the_trail_is_served_as_tiles() {
    let belfry = Belfry::start();
    let lines: String = (0..600).map(|n| format!("{}\n", event("tile.laid", &format!("u{n}")))).collect();
    belfry.send_body("", lines).good();
    let trail = eventually(10, "a checkpoint of all", || {
        let trail = belfry.get("/api/v1/trail").good();
        (trail["checkpoint"]["size"] == trail["size"]).then_some(trail)
    });
    let organization = trail["organization"].as_str().unwrap();
    let note = belfry.get(&format!("/trail/{organization}/checkpoint")).text();
    assert!(note.starts_with(trail["origin"].as_str().unwrap()), "{note}");
    let tile = belfry.get(&format!("/trail/{organization}/tile/0/000"));
    assert_eq!((tile.status, tile.bytes.len()), (200, 256 * 32));
    assert_eq!(belfry.get(&format!("/trail/{organization}/tile/1/000.p/2")).bytes.len(), 64);
    let bundle = belfry.get(&format!("/trail/{organization}/tile/entries/000"));
    assert_eq!(bundle.status, 200);
    assert_eq!(belfry.get(&format!("/trail/{organization}/tile/0/999")).status, 404);
    let anonymous = belfry.answer(belfry.client().get(format!("{}/trail/{organization}/tile/entries/000", belfry.url)));
    assert_eq!(anonymous.status, 401);
}

#[test]
fn all_that_a_filter_picks_is_taken_out_as_a_stream_and_that_is_on_record() {
    let belfry = Belfry::start();
    let batch: Vec<Value> = (0..2_500).map(|n| event("user.login", if n % 5 == 0 { "ada" } else { "bob" })).collect();
    let sent = belfry.post("/api/v1/events", &json!(batch)).good();
    let first = sent["first"].as_u64().unwrap();

    let export = |query: &str| belfry.get(&format!("/api/v1/export/events?{query}"));
    let answer = export("filter=user.name:ada&order=asc");
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let text = answer.text();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // The rows and, from the first moment on, nothing that came later, the record of this export included.
    assert_eq!(rows.len(), 500);
    let positions: Vec<u64> = rows.iter().map(|row| row["position"].as_u64().unwrap()).collect();
    assert_eq!((positions[0], positions[499]), (first, first + 2_495), "oldest first, when asked for");
    assert!(rows.iter().all(|row| row["event"]["user"]["name"] == "ada"));
    assert_eq!(export("filter=user.name:bob&limit=7").text().lines().count(), 7);

    let taken = belfry.search("event.action: audit.exported");
    assert_eq!(taken.len(), 2, "{taken:?}");
    assert_eq!(taken[1]["export"]["filter"], "user.name:ada");
    export("filter=user.nme:ada").refused(422);
    let stranger = belfry.client().get(format!("{}/api/v1/export/events", belfry.url));
    belfry.answer(stranger).refused(401);
}
