//! The console in real Chromium against the real server.

use std::process::Command;

use serde_json::json;

use crate::support::{Belfry, PASSWORD, eventually, root};

#[test]
fn a_person_signs_in_searches_proves_makes_a_rule_and_downloads_a_report() {
    let belfry = Belfry::start();
    let now = jiff::Timestamp::now();
    let events: Vec<_> = (0..300)
        .map(|n| {
            let at = now - jiff::SignedDuration::from_mins(n * 7);
            let name = ["ada.moreau", "bola.okafor", "елена"][n as usize % 3];
            let action = ["user.login", "credential.password.viewed", "authentication.failed", "secret.viewed"][n as usize % 4];
            json!({
                "@timestamp": at.to_string(), "event": { "action": action, "outcome": if action.ends_with("failed") { "failure" } else { "success" }, "module": "portal" },
                "user": { "name": name }, "source": { "ip": format!("10.2.3.{}", n % 200) },
                "host": { "name": format!("db-{}", n % 9) }, "credential": { "type": "local", "username": "root" }, "session": { "id": format!("s{}", n / 10) },
            })
        })
        .collect();
    belfry.post("/api/v1/events", &json!(events)).good();
    belfry.channel("inbox", &json!({}));
    eventually(20, "the index catches up", || {
        let trail = belfry.get("/api/v1/trail").good();
        (trail["indexed_to"] == trail["size"]).then_some(())
    });
    let output = Command::new("npm")
        .args(["run", "--silent", "e2e"])
        .current_dir(root().join("web"))
        .env("BELFRY_URL", &belfry.url)
        .env("BELFRY_USER", "admin")
        .env("BELFRY_PASSWORD", PASSWORD)
        .env("BELFRY_TOKEN", &belfry.token)
        .output()
        .expect("npm runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    println!("{said}");
    assert!(output.status.success(), "the browser tests failed");
}
