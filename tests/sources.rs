//! How sources are: silence, missing numbers, what is set aside, what is left out.

use serde_json::{Value, json};

use crate::support::{Belfry, eventually};

fn health(belfry: &Belfry, source: &str) -> Value {
    belfry.get(&format!("/api/v1/sources/{source}/health")).good()
}

/// The health of a source that may not have been heard of yet.
fn health_soon(belfry: &Belfry, source: &str) -> Value {
    let answer = belfry.get(&format!("/api/v1/sources/{source}/health"));
    if answer.status == 404 { Value::Null } else { answer.good() }
}

fn numbered(number: u64, host: &str) -> Value {
    json!({ "event": { "action": "door.opened", "module": "gate", "sequence": number }, "host": { "name": host } })
}

/// The one source of that name in the list.
fn listed(belfry: &Belfry, source: &str) -> Value {
    let list = belfry.get("/api/v1/sources").good();
    let found = list["items"].as_array().unwrap().iter().find(|known| known["name"] == source);
    found.unwrap_or_else(|| panic!("{source} is not in {list}")).clone()
}

#[test]
fn a_source_that_falls_silent_is_told_once_and_so_is_its_return() {
    let mut belfry = Belfry::start();
    belfry.allow_loopback();
    belfry.send(&numbered(1, "a"));
    eventually(5, "the source is known", || (health_soon(&belfry, "gate")["events_total"] == 1).then_some(()));
    assert_eq!(listed(&belfry, "gate")["health"]["state"], "ok");
    assert_eq!(listed(&belfry, "vault")["health"]["state"], "new");
    assert!(belfry.cli(&["source", "health", "gate"]).status.success());

    let set = belfry.put("/api/v1/sources/gate/silence", &json!({ "mode": "set", "after_seconds": 2 })).good();
    assert_eq!((set["mode"].as_str(), set["after_seconds"].as_u64()), (Some("set"), Some(2)));
    belfry.put("/api/v1/sources/gate/silence", &json!({ "mode": "set" })).refused(422);
    belfry.put("/api/v1/sources/nobody/silence", &json!({ "mode": "off" })).refused(404);
    eventually(10, "it is silent", || belfry.search("event.action: source.silent").pop());
    let shown = health(&belfry, "gate")["health"].clone();
    assert_eq!(shown["state"], "silent");
    assert!(shown["silence"]["silent_since"].is_string(), "{shown}");
    let told = belfry.cli(&["source", "health", "gate"]);
    assert_eq!(told.status.code(), Some(1), "{}", String::from_utf8_lossy(&told.stdout));

    // Killed while it is silent: nothing is told again.
    belfry.kill();
    belfry.up();
    std::thread::sleep(std::time::Duration::from_secs(4));
    belfry.send(&numbered(2, "a"));
    let back = eventually(5, "it speaks again", || belfry.search("event.action: source.recovered").pop());
    assert_eq!(back["entity"]["name"], "gate");
    let silent = belfry.search("event.action: source.silent");
    assert_eq!(silent.len(), 1, "{silent:?}");
    assert!(silent[0]["event"]["reason"].as_str().unwrap().contains("2 s is set"), "{silent:?}");
    let changed = belfry.search("event.action: entity.updated and entity.type: source");
    assert!(changed[0]["changes"].to_string().contains("silence.mode"), "{changed:?}");

    belfry.put("/api/v1/sources/gate/silence", &json!({ "mode": "off" })).good();
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert_eq!(belfry.search("event.action: source.silent").len(), 1);
}

#[test]
fn a_source_that_was_expected_and_never_came_is_silent_too() {
    let belfry = Belfry::start();
    belfry.put("/api/v1/sources/teleport/silence", &json!({ "mode": "set", "after_seconds": 1 })).good();
    let told = eventually(10, "the silence", || belfry.search("event.action: source.silent").pop());
    assert_eq!(told["entity"]["name"], "teleport");
    // One that is switched off may be silent.
    let off = belfry.cli(&["source", "update", "teleport", "--set", "enabled=false"]);
    assert!(off.status.success(), "{}", String::from_utf8_lossy(&off.stderr));
    eventually(5, "off", || (health(&belfry, "teleport")["health"]["state"] == "off").then_some(()));
}

#[test]
fn missing_numbers_are_found_after_their_patience_and_acknowledged() {
    let mut belfry = Belfry::start();
    let all: Vec<Value> = [1, 2, 3, 7, 8, 5].iter().map(|number| numbered(*number, "a")).collect();
    belfry.post("/api/v1/events", &json!(all)).good();
    let other: Vec<Value> = [100, 101, 102, 0, 1, 2, 2].iter().map(|number| numbered(*number, "b")).collect();
    belfry.post("/api/v1/events", &json!(other)).good();
    eventually(5, "the streams are known", || (health_soon(&belfry, "gate")["streams"] == 2).then_some(()));
    assert_eq!(belfry.search("event.action: source.gap").len(), 0, "they may be on their way");
    // A restart in between changes nothing.
    belfry.stop();
    belfry.up();
    let gaps = eventually(90, "both gaps", || {
        let gaps = health(&belfry, "gate")["gap_list"].as_array().unwrap().clone();
        (gaps.len() == 2).then_some(gaps)
    });
    let mut ranges: Vec<_> =
        gaps.iter().map(|gap| (gap["from"].as_u64().unwrap(), gap["to"].as_u64().unwrap())).collect();
    ranges.sort_unstable();
    assert_eq!(ranges, [(4, 4), (6, 6)]);
    let told = eventually(5, "the events", || {
        let told = belfry.search("event.action: source.gap");
        (told.len() == 2).then_some(told)
    });
    assert!(told.iter().all(|event| event["gap"]["stream"].as_str().unwrap().starts_with("a / ")), "{told:?}");
    assert_eq!(listed(&belfry, "gate")["health"]["gaps_open"], 2);

    // One comes after all, the other is looked at.
    belfry.send(&numbered(4, "a"));
    eventually(10, "it is filled", || belfry.search("event.action: source.gap_filled").pop());
    let open = health(&belfry, "gate")["health"]["gaps"].as_array().unwrap().clone();
    assert_eq!(open.len(), 1, "{open:?}");
    let id = open[0]["id"].as_str().unwrap();
    let path = format!("/api/v1/sources/gate/gaps/{id}/acknowledge");
    belfry.post(&path, &json!({ "reason": " " })).refused(422);
    let done = belfry.cli(&["source", "acknowledge", "gate", id, "--reason", "the host was replaced"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    belfry.post(&path, &json!({ "reason": "again" })).refused(409);
    let acknowledged = belfry.search("event.action: source.gap_acknowledged");
    assert_eq!(acknowledged[0]["event"]["reason"], "the host was replaced");
    let shown = health(&belfry, "gate");
    assert_eq!((&shown["health"]["gaps_open"], &shown["duplicates"]), (&json!(0), &json!(1)), "{shown}");
    assert!(String::from_utf8_lossy(&belfry.cli(&["source", "gaps", "gate"]).stdout).contains("the host was replaced"));
}

#[test]
fn rejected_records_and_wrong_clocks_show() {
    let belfry = Belfry::start();
    let future = (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(10)).to_string();
    let mut event = numbered(1, "fast");
    event["@timestamp"] = json!(future);
    belfry.send(&event);
    let answer = belfry.send_body("?source=vault", "not json at all\n");
    assert_eq!(answer.status, 422, "{}", answer.text());
    let rejecting = eventually(10, "it is rejecting", || {
        let shown = health(&belfry, "vault")["health"].clone();
        (shown["state"] == "rejecting").then_some(shown)
    });
    assert_eq!((&rejecting["rejected"]["records"], &rejecting["rejected"]["share"]), (&json!(1), &json!(1.0)));
    let skew = eventually(5, "the clock", || health_soon(&belfry, "gate")["health"]["clock_skew_ms"].as_i64());
    assert!((590_000..=600_000).contains(&skew), "{skew}");
    let shown = health(&belfry, "gate");
    assert_eq!((shown["hours"].as_array().unwrap().len(), shown["minutes"].as_array().unwrap().len()), (336, 60));
    assert_eq!(shown["host_list"][0]["name"], "fast");
    let metrics = belfry.get("/metrics").text();
    assert!(metrics.contains("belfry_source_events{source=\"gate\"} 1"), "{metrics}");
    assert!(metrics.contains("belfry_source_rejected_day{source=\"vault\"} 1"), "{metrics}");
    belfry.get("/api/v1/sources/nobody/health").refused(404);
}

#[test]
fn what_is_left_out_is_counted_and_never_our_own() {
    let mut belfry = Belfry::start();
    for (action, times) in [("door.opened", 3), ("door.heartbeat", 5)] {
        let all: Vec<Value> = (0..times).map(|_| json!({ "event": { "action": action, "module": "gate" } })).collect();
        belfry.post("/api/v1/events", &json!(all)).good();
    }
    let wanted =
        json!({ "source": "gate", "action": "door.heart*", "filter": "", "reason": "a sign of life, each second" });
    let preview = eventually(5, "the preview", || {
        let preview = belfry
            .post("/api/v1/selection/preview", &json!({ "source": "gate", "action": "door.heart*", "days": 1 }))
            .good();
        (preview["of"] == 8).then_some(preview)
    });
    assert_eq!(
        (&preview["events"], &preview["by_type"][0]["action"]),
        (&json!(5), &json!("door.heartbeat")),
        "{preview}"
    );
    assert_eq!(belfry.search("event.action: door.heartbeat").len(), 5, "a preview changes nothing");

    eventually(5, "the source is known", || (health_soon(&belfry, "gate")["events_total"] == 8).then_some(()));
    for (bad, field) in [
        (json!({ "source": "belfry", "action": "*", "reason": "x" }), "source"),
        (json!({ "source": "*", "action": "*", "reason": "x" }), "source"),
        (json!({ "source": "gate", "action": "a.b", "reason": "" }), "reason"),
        (json!({ "source": "gate", "filter": "user.name: (", "reason": "x" }), "filter"),
        (json!({ "source": "nobody", "action": "a.b", "reason": "x" }), "source"),
    ] {
        let problem = belfry.post("/api/v1/selection", &bad).refused(422);
        assert!(problem.to_string().contains(field), "{bad} {problem}");
    }
    let rule = belfry.post("/api/v1/selection", &wanted).good();
    let id = rule["id"].as_str().unwrap();
    let batch = json!([
        { "event": { "action": "door.heartbeat", "module": "gate", "sequence": 2 } },
        { "event": { "action": "door.opened", "module": "gate", "sequence": 1 } },
        { "event": { "action": "door.heartbeat" } },
        { "event": { "action": "door.heartbeat", "module": "gate", "sequence": 3 } },
        { "event": { "action": "door.opened", "module": "gate", "sequence": 4 } },
    ]);
    let sent = || {
        let request = belfry.request("POST", "/api/v1/events").header("idempotency-key", "one").json(&batch);
        belfry.answer(request).good()
    };
    let receipt = sent();
    assert_eq!(
        (&receipt["accepted"], &receipt["left_out"], receipt["rejected"].as_array().unwrap().len()),
        (&json!(3), &json!(2), 0)
    );
    assert_eq!(sent()["repeated"], true);
    // Whatever a rule says, what Belfry itself does is kept.
    let all = json!({ "source": "*", "filter": "event.action: (entity.* or authentication.*)", "reason": "too eager" });
    belfry.post("/api/v1/selection", &all).good();
    assert_eq!(belfry.search("event.action: entity.created and entity.type: \"selection rule\"").len(), 2);

    let shown = eventually(10, "it is counted", || {
        let shown = belfry.get(&format!("/api/v1/selection/{id}")).good();
        (shown["rule"]["left_out_total"] == 2).then_some(shown)
    });
    assert_eq!(shown["counts"][0]["action"], "door.heartbeat");
    // The counts outlive a kill, and are recorded before the rule changes.
    belfry.kill();
    belfry.up();
    let off = belfry.cli(&["selection", "disable", id]);
    assert!(off.status.success(), "{}", String::from_utf8_lossy(&off.stderr));
    let told = eventually(10, "the counts are told", || belfry.search("event.action: source.left_out").pop());
    assert_eq!((&told["left_out"]["events"], &told["entity"]["name"]), (&json!(2), &json!("gate")), "{told}");
    let changed = belfry.search("event.action: entity.updated and entity.type: \"selection rule\"");
    assert_eq!(changed[0]["changes"], json!([{ "field": "enabled", "new": "false", "old": "true" }]));
    assert_eq!(changed[0]["event"]["reason"], "a sign of life, each second");
    eventually(10, "the time line", || {
        let hours = health(&belfry, "gate")["hours"].as_array().unwrap().clone();
        (hours.iter().filter_map(|hour| hour["left_out"].as_u64()).sum::<u64>() == 2).then_some(())
    });
    belfry.send(&json!({ "event": { "action": "door.heartbeat", "module": "gate" } }));
    assert!(belfry.cli(&["selection", "list"]).status.success());
    assert!(belfry.cli(&["selection", "remove", id]).status.success());
    belfry.get(&format!("/api/v1/selection/{id}")).refused(404);
    assert_eq!(belfry.verify().0, 0);
}
