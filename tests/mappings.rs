//! What is not understood is set aside, and replayed once the mapping is mended.

use serde_json::json;

use crate::support::{Belfry, root, run};

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
