//! What is not understood is set aside, and replayed once the mapping is mended.

use serde_json::json;

use crate::support::{Belfry, eventually, root, run};

#[test]
fn set_aside_mended_replayed() {
    let belfry = Belfry::start();
    let broken = "# decoder: json\nabort \"the shape of this product is not known yet\"\n";
    belfry.put("/api/v1/mappings/turnstile", &json!({ "program": broken })).good();
    belfry
        .post(
            "/api/v1/sources",
            &json!({ "name": "turnstile", "title": "Turnstiles", "mapping": "turnstile", "enabled": true }),
        )
        .good();
    let record = r#"{"who":"ada","gate":"north","when":"2026-11-20T08:00:00Z","odd":"[31;1m"}"#;
    let receipt = belfry.send_body("?source=turnstile", record).json();
    assert_eq!(receipt["accepted"], 0);
    assert!(receipt["rejected"][0]["error"].as_str().unwrap().contains("not known yet"), "{receipt}");
    let waiting = belfry.get("/api/v1/set-aside?source=turnstile").good();
    assert_eq!(waiting["items"][0]["record"], record);
    assert_eq!(waiting["groups"][0]["records"], 1);

    // A program that does not compile is refused with where and why.
    let problem = belfry
        .put("/api/v1/mappings/turnstile", &json!({ "program": "# decoder: json\n.event.action = nonsense(\n" }))
        .refused(422);
    assert!(problem.to_string().contains("line"), "{problem}");

    let mended = "# decoder: json\n.event.action = \"door.passed\"\n.user.name = .native.who\n.entity.name = .native.gate\n.\"@timestamp\" = .native.when\n";
    let tried =
        belfry.post("/api/v1/mappings/turnstile/test", &json!({ "program": mended, "samples": [record] })).good();
    assert_eq!(tried["results"][0]["events"][0]["user"]["name"], "ada", "{tried}");
    belfry.put("/api/v1/mappings/turnstile", &json!({ "program": mended })).good();
    let replayed = belfry.post("/api/v1/set-aside/replay", &json!({ "source": "turnstile" })).good();
    assert_eq!((replayed["replayed"].as_u64(), replayed["still_set_aside"].as_u64()), (Some(1), Some(0)), "{replayed}");
    let found = belfry.search("event.action: door.passed");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["event"]["original"], record, "byte for byte");
    assert!(belfry.get("/api/v1/set-aside?source=turnstile").good()["items"].as_array().unwrap().is_empty());
    // All of it is in the trail.
    assert!(!belfry.search("event.action: entity.updated and entity.type: mapping").is_empty());
    assert!(
        !belfry.search("event.action: source.rejected").is_empty() || {
            std::thread::sleep(std::time::Duration::from_secs(2));
            !belfry.search("event.action: source.rejected").is_empty()
        }
    );
}

/// Many records, few kinds of reason; each group can be looked at, taken out, replayed and given up.
#[test]
fn what_is_set_aside_is_worked_off_in_groups() {
    let belfry = Belfry::start();
    let program = "# decoder: json\nif .native.gate == null { abort \"passage \" + (text(.native.seq) || \"\") + \" has no gate\" }\n.event.action = \"door.passed\"\n";
    belfry.put("/api/v1/mappings/gates", &json!({ "program": program })).good();
    belfry.post("/api/v1/sources", &json!({ "name": "gates", "mapping": "gates" })).good();
    let lines: Vec<String> = (0..600).map(|seq| format!("{{\"seq\":{seq},\"who\":\"ada\"}}")).collect();
    belfry.send_body("?source=gates", lines.join("\n")).json();
    belfry.send_body("?source=gates", "{\"gate\": \"no\n").json();

    let groups = belfry.get("/api/v1/set-aside/groups?source=gates").good();
    let groups = groups["items"].as_array().unwrap();
    assert_eq!(groups.len(), 2, "{groups:?}");
    assert_eq!((groups[0]["records"].as_u64(), groups[0]["kind"].as_str()), (Some(600), Some("passage # has no gate")));
    let (id, newest) = (groups[0]["id"].as_str().unwrap(), groups[0]["newest"].as_str().unwrap());
    let detail = belfry.get(&format!("/api/v1/set-aside/groups/{id}")).good();
    assert_eq!(detail["senders"][0]["records"], 600, "{detail}");
    // Pages of a group go back in time, and end.
    let first = belfry.get(&format!("/api/v1/set-aside?group={id}&limit=400")).good();
    let cursor = first["next"].as_str().unwrap();
    let second = belfry.get(&format!("/api/v1/set-aside?group={id}&limit=400&cursor={cursor}")).good();
    assert_eq!((first["items"].as_array().unwrap().len(), second["items"].as_array().unwrap().len()), (400, 200));
    assert!(second["next"].is_null());
    // The place at which JSON can't be read is told.
    let broken = belfry.get(&format!("/api/v1/set-aside?group={}", groups[1]["id"].as_str().unwrap())).good();
    assert!(broken["items"][0]["offset"].is_u64(), "{broken}");

    // A replay tells what became of each and what is still wrong.
    let mended = program.replace("== null {", "== null && .native.seq != 7 {");
    belfry.put("/api/v1/mappings/gates", &json!({ "program": mended })).good();
    let job = belfry.post("/api/v1/set-aside/replays", &json!({ "group": id })).good();
    let path = format!("/api/v1/set-aside/replays/{}", job["id"].as_str().unwrap());
    let done = eventually(30, "the replay ends", || {
        let job = belfry.get(&path).good();
        (job["state"] != "running").then_some(job)
    });
    assert_eq!(
        (&done["state"], &done["total"], &done["replayed"], &done["still_set_aside"]),
        (&json!("done"), &json!(600), &json!(1), &json!(599))
    );
    assert_eq!(done["reasons"][0]["records"], 599);
    assert_eq!(belfry.search("event.action: door.passed").len(), 1);
    belfry.post("/api/v1/set-aside/replays", &json!({})).refused(422);

    // Only what was seen is given up; what came later stays.
    belfry.send_body("?source=gates", "{\"seq\":9000}").json();
    let body = json!({ "group": id, "through": newest, "reason": "a test" });
    assert_eq!(belfry.post("/api/v1/set-aside/discard", &body).good()["discarded"], 599);
    let left = belfry.get("/api/v1/set-aside/groups?source=gates").good();
    let left: u64 = left["items"].as_array().unwrap().iter().map(|group| group["records"].as_u64().unwrap()).sum();
    assert_eq!(left, 2);
    assert!(!belfry.search("event.action: set_aside.discarded and event.reason: \"a test\"").is_empty());
}

/// Versions are kept, samples are held, a dry run says what would change, a line becomes a draft.
#[test]
fn a_mapping_is_drafted_tried_versioned_and_restored() {
    let belfry = Belfry::start();
    let line =
        r#"{"when":"2026-11-20T08:00:00Z","who":"ada","client_ip":"192.0.2.7:51000","what":"passed","gate":"north"}"#;
    let proposal = belfry.post("/api/v1/mappings/propose", &json!({ "record": line, "name": "gate" })).good();
    assert_eq!(proposal["decoder"], "json");
    let event = &proposal["result"]["events"][0];
    assert_eq!(
        (&event["event"]["action"], &event["source"]["ip"]),
        (&json!("gate.passed"), &json!("192.0.2.7")),
        "{proposal}"
    );

    let first = proposal["program"].as_str().unwrap();
    belfry.put("/api/v1/mappings/gate", &json!({ "program": first, "samples": [line] })).good();
    belfry.post("/api/v1/sources", &json!({ "name": "gate", "mapping": "gate" })).good();
    let receipt = belfry.send_body("?source=gate", format!("{line}\n{line}")).json();
    assert_eq!(receipt["accepted"], 2, "{receipt}");

    // What a draft would change is told before it is saved.
    let second = format!("{first}\n.labels.gate = text(.native.gate)\n");
    let dry = eventually(20, "the events are found", || {
        let dry = belfry.post("/api/v1/mappings/gate/dry-run", &json!({ "program": second })).good();
        (dry["events"] == 2).then_some(dry)
    });
    assert_eq!((&dry["changed"], &dry["failed"]), (&json!(2), &json!(0)), "{dry}");
    assert_eq!(
        dry["examples"][0]["changes"],
        json!([{ "field": "labels.gate", "old": null, "new": "north" }]),
        "{dry}"
    );
    let same = belfry.post("/api/v1/mappings/gate/dry-run", &json!({})).good();
    assert_eq!(same["same"], 2, "{same}");

    // A version that breaks a sample asks first.
    let broken = "# decoder: json\nabort \"not today\"\n";
    let problem = belfry.put("/api/v1/mappings/gate", &json!({ "program": broken })).refused(409);
    assert_eq!(problem["errors"][0]["pointer"], "/samples/0", "{problem}");
    belfry.put("/api/v1/mappings/gate", &json!({ "program": broken, "force": true })).good();
    let versions = belfry.get("/api/v1/mappings/gate/versions").good();
    assert_eq!(versions["items"].as_array().unwrap().len(), 2);
    let old = belfry.get("/api/v1/mappings/gate/versions/1").good();
    assert_eq!(old["program"], first);
    let restored = belfry.put("/api/v1/mappings/gate", &json!({ "program": old["program"] })).good();
    assert_eq!(restored["version"], 3);
    assert_eq!(belfry.get("/api/v1/mappings/gate/samples").good()["own"], json!([line]));

    // Errors say where, and what to do; the reference names what there is.
    let test = json!({ "program": "# decoder: jsn\n.event.action = \"a.b\"\n", "samples": [line] });
    let wrong = belfry.post("/api/v1/mappings/gate/test", &test).good();
    assert!(wrong["compile_errors"][0]["help"].as_str().is_some_and(|help| help.contains("json")), "{wrong}");
    let reference = belfry.get("/api/v1/mappings/reference").good();
    assert!(reference["functions"].as_array().unwrap().iter().any(|function| function["name"] == "capture"));
    assert!(belfry.get("/api/v1/mappings/vault/samples").good()["shipped"].as_array().unwrap().len() > 3);
}

#[test]
fn a_mapping_can_neither_hang_nor_reach_out() {
    let belfry = Belfry::start();
    for program in [
        "# decoder: json\n.x = http_request!(\"http://127.0.0.1/\")\n",
        "# decoder: json\n.x = get_env_var!(\"HOME\")\n",
    ] {
        let problem = belfry.put("/api/v1/mappings/nosy", &json!({ "program": program })).refused(422);
        assert!(problem.to_string().contains("line"), "{problem}");
    }
    let heavy = "# decoder: text\nx = \"a\"\nx = x + x + x + x\nx = x + x + x + x\n.event.action = \"heavy.done\"\n.message = x\n";
    belfry.put("/api/v1/mappings/heavy", &json!({ "program": heavy })).good();
}

#[test]
fn the_command_tests_the_shipped_mappings() {
    for product in std::fs::read_dir(root().join("mappings")).unwrap().flatten() {
        let output = run(&["mapping", "test", product.path().to_str().unwrap()], "");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", product.path().display());
    }
    let copy = tempfile::tempdir().unwrap();
    assert!(
        std::process::Command::new("cp")
            .arg("-a")
            .arg(root().join("mappings/sshd"))
            .arg(copy.path())
            .status()
            .unwrap()
            .success()
    );
    let folder = copy.path().join("sshd");
    let program = std::fs::read_to_string(folder.join("mapping.vrl")).unwrap();
    std::fs::write(folder.join("mapping.vrl"), format!("{program}\n.user.name = \"somebody else\"\n")).unwrap();
    let output = run(&["mapping", "test", folder.to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(1), "a changed result is told");
}
