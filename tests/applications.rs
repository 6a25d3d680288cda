//! Applications and their devices, from the one-time token to the last refusal.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::{Answer, Belfry, PASSWORD, binary, eventually};

/// Makes the application `gate`, which may send to the source of that name, and a token for a device.
fn gate(belfry: &Belfry) {
    belfry.post("/api/v1/sources", &json!({ "name": "gate", "mapping": "generic" })).good();
    let made = belfry.cli(&["application", "add", "gate", "--owner", "ops", "--source", "gate"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn enrolment(belfry: &Belfry, more: Value) -> String {
    let made = belfry.post("/api/v1/applications/gate/enrolments", &more).good();
    made["token"].as_str().unwrap().to_owned()
}

fn enroll(belfry: &Belfry, token: &str, device: &str) -> Answer {
    let request = belfry.client().post(format!("{}/api/v1/devices/enroll", belfry.url));
    belfry.answer(request.json(&json!({ "token": token, "device": device })))
}

/// A request with a device's credential.
fn as_device(belfry: &Belfry, credential: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
    let request = belfry.client().request(method.parse().unwrap(), format!("{}{path}", belfry.url));
    let request = request.bearer_auth(credential);
    belfry.answer(match body {
        Some(body) => request.json(&body),
        None => request,
    })
}

fn send(belfry: &Belfry, credential: &str, query: &str, body: Value) -> Answer {
    as_device(belfry, credential, "POST", &format!("/api/v1/events{query}"), Some(body))
}

fn cli(belfry: &Belfry, arguments: &[&str], credential: &str) -> Output {
    Command::new(binary())
        .args(arguments)
        .env_remove("BELFRY_TOKEN")
        .env("BELFRY_CREDENTIAL", credential)
        .current_dir(belfry.dir.path())
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
}

fn actions(belfry: &Belfry, filter: &str) -> Vec<String> {
    belfry.search(filter).iter().rev().map(|event| event["event"]["action"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_device_enrols_sends_rotates_and_is_removed() {
    let belfry = Belfry::start();
    gate(&belfry);
    let made = belfry.cli(&["application", "enroll", "gate", "--device", "edge-1", "--lock"]);
    let token = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    assert!(token.starts_with("ble_"), "{token}");
    let file = belfry.dir.path().join("edge.json");
    let file = file.to_str().unwrap();
    let url = belfry.url.clone();
    let enrolled = cli(&belfry, &["enroll", "--url", &url, "--token", &token], file);
    assert!(enrolled.status.success(), "{}", String::from_utf8_lossy(&enrolled.stderr));
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    let other = belfry.dir.path().join("other.json");
    let again = cli(&belfry, &["enroll", "--url", &url, "--token", &token], other.to_str().unwrap());
    assert_eq!(again.status.code(), Some(2), "a token is good once");
    assert!(String::from_utf8_lossy(&again.stderr).contains("was used"));

    let events = belfry.dir.path().join("events.log");
    std::fs::write(&events, "{\"action\":\"opened\",\"user\":\"ada\"}\n").unwrap();
    let sent = cli(&belfry, &["send", "--source", "gate", events.to_str().unwrap()], file);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let kept = eventually(5, "the event", || belfry.search("event.module: gate").pop());
    let device = belfry.get("/api/v1/applications/gate/devices").good()["items"][0].clone();
    assert_eq!(
        (&kept["event"]["provider"], &kept["event"]["enrolled_device"]),
        (&json!("gate"), &device["id"]),
        "{kept}"
    );
    assert_eq!((&device["name"], &device["networks"][0]), (&json!("edge-1"), &json!("127.0.0.1/32")), "{device}");
    assert!(device["last_seen_at"].is_string() && device["version"].as_str().unwrap().contains("belfry"), "{device}");
    eventually(10, "what it sent is counted", || {
        let devices = belfry.get("/api/v1/applications/gate/devices").good();
        (devices["items"][0]["events_total"] == 1).then_some(())
    });

    let read = |file: &str| serde_json::from_str::<Value>(&std::fs::read_to_string(file).unwrap()).unwrap();
    let old = read(file)["token"].as_str().unwrap().to_owned();
    let rotated = cli(&belfry, &["credential", "rotate", "--overlap", "2s"], file);
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    let new = read(file)["token"].as_str().unwrap().to_owned();
    assert_ne!(old, new);
    for credential in [&old, &new] {
        assert_eq!(as_device(&belfry, credential, "GET", "/api/v1/devices/self", None).status, 200);
    }
    std::thread::sleep(std::time::Duration::from_millis(2_200));
    as_device(&belfry, &old, "GET", "/api/v1/devices/self", None).refused(401);
    assert_eq!(as_device(&belfry, &new, "GET", "/api/v1/devices/self", None).status, 200);

    assert!(belfry.cli(&["application", "suspend", "gate", "edge-1"]).status.success());
    send(&belfry, &new, "?source=gate", json!([])).refused(403);
    assert!(belfry.cli(&["application", "resume", "gate", "edge-1"]).status.success());
    assert_eq!(as_device(&belfry, &new, "GET", "/api/v1/devices/self", None).status, 200);
    assert!(belfry.cli(&["application", "remove-device", "gate", "edge-1"]).status.success());
    as_device(&belfry, &new, "GET", "/api/v1/devices/self", None).refused(401);

    let told = actions(&belfry, "event.module: belfry and (event.action: app_client_* or event.action: app_folder_*)");
    assert_eq!(
        told,
        ["app_folder_shared", "app_client_added", "app_client_connected", "app_client_access", "app_client_removed"]
    );
    assert_eq!(belfry.search("event.action: sdk.application.registered").len(), 1);
    let all: String = belfry.search("event.module: belfry").iter().map(Value::to_string).collect();
    for secret in [&token, &old, &new] {
        assert!(!all.contains(secret.as_str()), "a secret is in the trail");
    }
}

#[test]
fn an_application_does_what_is_shared_with_it_and_nothing_else() {
    let belfry = Belfry::start();
    gate(&belfry);
    let credential = enroll(&belfry, &enrolment(&belfry, json!({})), "edge-1").good();
    let device = credential["token"].as_str().unwrap();
    let opened = json!({ "event": { "action": "door.opened" } });
    assert_eq!(send(&belfry, device, "?source=gate", json!({ "action": "opened" })).status, 200);
    for query in ["", "?source=vault", "?source=nobody"] {
        send(&belfry, device, query, opened.clone()).refused(403);
    }
    for path in [
        "/api/v1/events",
        "/api/v1/sources",
        "/api/v1/users",
        "/api/v1/mappings/generic",
        "/api/v1/devices/mappings/generic",
    ] {
        as_device(&belfry, device, "GET", path, None).refused(403);
    }
    // Splunk's and basic authentication carry the same credential.
    let splunk = belfry
        .client()
        .post(format!("{}/services/collector/event?source=gate", belfry.url))
        .header("authorization", format!("Splunk {device}"))
        .body(r#"{"event":{"action":"opened"}}"#);
    assert_eq!(belfry.answer(splunk).json()["code"], 0);
    let basic = belfry
        .client()
        .post(format!("{}/services/collector/event?source=gate", belfry.url))
        .basic_auth("edge-1", Some(device))
        .body(r#"{"event":{"action":"opened"}}"#);
    assert_eq!(belfry.answer(basic).json()["code"], 0);

    // Events as they are may not speak for a source that is not granted.
    let share = |what: Value| belfry.put("/api/v1/applications/gate/grants", &what);
    share(json!({ "kind": "source", "name": "events", "rights": ["send"] })).good();
    let receipt =
        send(&belfry, device, "", json!([opened, { "event": { "action": "x.y", "module": "vault" } }])).good();
    assert_eq!(
        (&receipt["accepted"], &receipt["rejected"][0]["field"]),
        (&json!(1), &json!("event.module")),
        "{receipt}"
    );
    // Nobody else can write that a device sent it.
    let forged = belfry.post("/api/v1/events", &json!({ "event": { "action": "x.y", "enrolled_device": "edge-1" } }));
    assert_eq!(forged.status, 422, "{}", forged.text());

    share(json!({ "kind": "source", "name": "gate", "rights": ["send", "read"] })).good();
    belfry.send(&json!({ "event": { "action": "secret.read", "module": "vault" } }));
    let seen = eventually(5, "what it may see", || {
        let found = as_device(&belfry, device, "GET", "/api/v1/events", None).good();
        let found = found["items"].as_array().unwrap().clone();
        (!found.is_empty()).then_some(found)
    });
    assert!(seen.iter().all(|found| found["event"]["event"]["module"] == "gate"), "{seen:?}");

    share(json!({ "kind": "mapping", "name": "nothing", "rights": ["read"] })).refused(404);
    share(json!({ "kind": "mapping", "name": "generic", "rights": ["send"] })).refused(422);
    share(json!({ "kind": "mapping", "name": "generic", "rights": ["read"] })).good();
    let mapping = as_device(&belfry, device, "GET", "/api/v1/devices/mappings/generic", None).good();
    let program =
        json!({ "program": format!("{}\n# by the pipeline\n", mapping["program"].as_str().unwrap().trim_end()) });
    let save = || as_device(&belfry, device, "PUT", "/api/v1/devices/mappings/generic", Some(program.clone()));
    save().refused(403);
    share(json!({ "kind": "mapping", "name": "generic", "rights": ["read", "change"] })).good();
    assert_eq!(save().good()["version"], 2);
    assert_eq!(belfry.delete("/api/v1/applications/gate/grants/mapping/generic").status, 204);
    save().refused(403);
    assert_eq!(belfry.delete("/api/v1/applications/gate/grants/source/gate").status, 204);
    send(&belfry, device, "?source=gate", json!({ "action": "opened" })).refused(403);

    let told = actions(
        &belfry,
        "event.module: belfry and event.action: (app_folder_* or app_record_* or app_client_record_update)",
    );
    assert_eq!(
        told,
        [
            "app_folder_shared",
            "app_folder_shared",
            "app_folder_share_changed",
            "app_record_shared",
            "app_record_share_changed",
            "app_client_record_update",
            "app_record_removed",
            "app_folder_removed",
        ]
    );
    let changed = belfry.search("event.action: app_folder_share_changed").pop().unwrap();
    assert_eq!(changed["changes"], json!([{ "field": "rights", "old": "send", "new": "send read" }]));
    assert_eq!((&changed["event"]["provider"], &changed["user"]["name"]), (&json!("gate"), &json!("admin")));
}

#[test]
fn a_device_is_held_to_its_address() {
    let belfry = Belfry::start_with("trusted_proxies = [\"127.0.0.1\"]\n");
    gate(&belfry);
    let from = |address: &str, credential: &str| {
        let request = belfry.client().get(format!("{}/api/v1/devices/self", belfry.url));
        belfry.answer(request.bearer_auth(credential).header("x-forwarded-for", address))
    };
    let token = enrolment(&belfry, json!({ "lock_to_first_address": true }));
    let request = belfry.client().post(format!("{}/api/v1/devices/enroll", belfry.url));
    let request = request.json(&json!({ "token": token, "device": "edge-1" })).header("x-forwarded-for", "192.0.2.7");
    let made = belfry.answer(request).good();
    let credential = made["token"].as_str().unwrap();
    assert_eq!(from("192.0.2.7", credential).status, 200);
    for _ in 0..3 {
        from("192.0.2.8", credential).refused(403);
    }
    from("203.0.113.9", credential).refused(403);
    let blocked = belfry.search("event.action: app_client_blocked_ip");
    let addresses: Vec<&str> = blocked.iter().filter_map(|event| event["source"]["ip"].as_str()).collect();
    assert_eq!(addresses, ["203.0.113.9", "192.0.2.8"], "once an hour for each address");
    assert_eq!(blocked[0]["host"]["name"], "edge-1");

    let widened = belfry.cli(&["application", "lock", "gate", "edge-1", "192.0.2.0/24"]);
    assert!(widened.status.success(), "{}", String::from_utf8_lossy(&widened.stderr));
    assert_eq!(from("192.0.2.8", credential).status, 200);
    from("203.0.113.9", credential).refused(403);
    // The place itself may be limited before anybody takes it.
    let token = enrolment(&belfry, json!({ "networks": ["198.51.100.0/24"] }));
    enroll(&belfry, &token, "edge-2").refused(403);
    belfry.post("/api/v1/applications/gate/enrolments", &json!({ "networks": ["here"] })).refused(422);
}

#[test]
fn tokens_end_and_only_those_who_may_give_them() {
    let belfry = Belfry::start();
    gate(&belfry);
    belfry.post("/api/v1/applications/gate/enrolments", &json!({ "valid_seconds": 1 })).refused(422);
    belfry.post("/api/v1/applications/nobody/enrolments", &json!({})).refused(404);
    belfry.post("/api/v1/applications", &json!({ "name": "gate" })).refused(409);
    belfry.post("/api/v1/applications", &json!({ "name": "Gate!" })).refused(422);
    let token = enrolment(&belfry, json!({ "device": "edge-1" }));
    let waiting = belfry.get("/api/v1/applications/gate/enrolments").good()["items"].clone();
    assert!(!waiting.to_string().contains(&token), "shown once");
    let id = waiting[0]["id"].as_str().unwrap();
    assert!(belfry.cli(&["application", "cancel", "gate", id]).status.success());
    enroll(&belfry, &token, "edge-1").refused(403);
    enroll(&belfry, "ble_guess", "edge-1").refused(403);
    assert_eq!(belfry.search("event.action: authentication.failed and entity.type: enrolment").len(), 2);

    let auditor = json!({ "name": "aud", "full_name": "", "email": "", "role": "auditor", "password": PASSWORD });
    belfry.post("/api/v1/users", &auditor).good();
    let kept = enroll(&belfry, &enrolment(&belfry, json!({})), "edge-1").good();
    let credential = kept["token"].as_str().unwrap();
    // A token of a person is no device, and a device rotates nobody else.
    belfry.get("/api/v1/devices/self").refused(403);
    belfry.post("/api/v1/devices/rotate", &json!({})).refused(403);
    let off = belfry.cli(&["application", "update", "gate", "--set", "enabled=false"]);
    assert!(off.status.success(), "{}", String::from_utf8_lossy(&off.stderr));
    as_device(&belfry, credential, "GET", "/api/v1/devices/self", None).refused(403);
    assert!(belfry.cli(&["application", "remove", "gate"]).status.success());
    as_device(&belfry, credential, "GET", "/api/v1/devices/self", None).refused(401);
    assert_eq!(belfry.search("event.action: app_client_removed").len(), 2, "the enrolment and the device");
}

#[test]
fn batch_keys_count_for_a_credential_not_for_a_name() {
    let belfry = Belfry::start();
    let token = || {
        let made = belfry
            .post("/api/v1/tokens", &json!({ "name": "shipper", "scopes": ["events:write"], "expires_at": null }));
        made.good()["token"].as_str().unwrap().to_owned()
    };
    let (one, two) = (token(), token());
    let send = |token: &str| {
        let request = belfry.client().post(format!("{}/api/v1/events", belfry.url)).bearer_auth(token);
        let event = json!({ "@timestamp": "2026-01-05T10:00:00Z", "event": { "action": "door.opened" } });
        belfry.answer(request.header("idempotency-key", "batch-1").json(&event)).good()
    };
    let first = send(&one);
    assert_eq!(send(&one)["repeated"], true);
    let other = send(&two);
    assert_ne!(other["first"], first["first"], "another token of the same name is another sender: {other}");
}
