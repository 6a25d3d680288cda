//! Webhooks that come in: signed by each scheme, refused when they are not.

use std::process::Command;

use serde_json::{Value, json};

use crate::clients::python;
use crate::support::{Answer, Belfry, eventually};

/// Signs as the sender does: prints one line.
fn signed(code: &str, arguments: &[&str]) -> String {
    let output = Command::new(python()).arg("-c").arg(code).args(arguments).output().expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

const HMAC: &str = "import hmac,sys; print(hmac.new(sys.argv[1].encode(), sys.argv[2].encode(), 'sha256').hexdigest())";
const STANDARD: &str = "import sys,datetime; from standardwebhooks.webhooks import Webhook; \
    print(Webhook(sys.argv[1]).sign(sys.argv[2], datetime.datetime.fromtimestamp(int(sys.argv[3]), datetime.timezone.utc), sys.argv[4]))";

fn make(belfry: &Belfry, name: &str, settings: &Value, secret: Option<&str>) -> Option<String> {
    let body = json!({ "name": name, "source": "generic", "settings": settings, "secret": secret });
    let made = belfry.post("/api/v1/hooks", &body).good();
    assert!(made["hook"]["url"].as_str().unwrap().ends_with(&format!("/hooks/{name}")), "{made}");
    made["secret"].as_str().map(str::to_owned)
}

fn post(belfry: &Belfry, name: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = belfry.client().post(format!("{}/hooks/{name}", belfry.url)).body(body.to_owned());
    for (header, value) in headers {
        request = request.header(*header, *value);
    }
    belfry.answer(request)
}

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
}

#[test]
fn standard_webhooks_are_taken_once_and_survive_a_rotation() {
    let belfry = Belfry::start();
    let old = make(&belfry, "shop", &json!({ "scheme": "standard" }), None).unwrap();
    let body = r#"{"type":"order.opened","data":{"user":"ada"}}"#;
    let send = |secret: &str, id: &str, at: i64, body: &str, signed_body: &str| {
        let time = at.to_string();
        let signature = signed(STANDARD, &[secret, id, &time, signed_body]);
        post(
            &belfry,
            "shop",
            &[("webhook-id", id), ("webhook-timestamp", &time), ("webhook-signature", &format!("v1,AAAA {signature}"))],
            body,
        )
    };
    assert_eq!(send(&old, "m1", now(), body, body).good()["accepted"], 1);
    // The same again is a retry.
    send(&old, "m1", now(), body, body).good();
    assert_eq!(belfry.search("event.provider: shop or event.module: generic").len(), 1);
    send(&old, "m2", now(), body, "{}").refused(401);
    let stale = send(&old, "m3", now() - 1_000, body, body).refused(401);
    assert!(stale["detail"].as_str().unwrap().contains("from ours"), "{stale}");

    let new = belfry.post("/api/v1/hooks/shop/rotate", &json!({ "keep_previous_seconds": 3600 })).good();
    let new = new["secret"].as_str().unwrap();
    assert_ne!(new, old);
    assert_eq!(send(&old, "m4", now(), body, body).status, 200);
    assert_eq!(send(new, "m5", now(), body, body).status, 200);
    belfry.post("/api/v1/hooks/shop/rotate", &json!({ "keep_previous_seconds": 0 })).good();
    send(new, "m6", now(), body, body).refused(401);

    let hooks = belfry.get("/api/v1/hooks").good();
    let hook = &hooks["items"][0];
    assert_eq!((hook["accepted"].clone(), hook["refused"].clone()), (json!(4), json!(3)), "{hook}");
    assert!(!hooks.to_string().contains("whsec_"), "the secret is shown once");
    // Refusals are told in one event a minute, not one each.
    let raised = eventually(10, "hook.refused", || belfry.search("event.action: hook.refused").pop());
    assert_eq!(raised["entity"]["name"], "shop");
    assert!(belfry.search("event.action: hook.refused").len() <= 2);
    let audited = belfry.search("event.action: entity.updated and entity.type: hook");
    assert_eq!(audited.len(), 2, "{audited:?}");
    assert!(!format!("{audited:?}").contains(new));
}

#[test]
fn github_slack_okta_gitlab_and_the_others_show_what_they_know() {
    let mut belfry = Belfry::start();
    const SECRET: &str = "5e1f0c9d8b7a6f5e4d3c2b1a";
    let body = r#"{"action":"opened","sender":{"login":"octo"}}"#;
    make(&belfry, "hub", &json!({ "scheme": "github" }), Some(SECRET));
    let signature = format!("sha256={}", signed(HMAC, &[SECRET, body]));
    let headers =
        [("x-hub-signature-256", signature.as_str()), ("x-github-event", "issues"), ("x-github-delivery", "d-1")];
    assert_eq!(post(&belfry, "hub", &headers, body).good()["accepted"], 1);
    let found = belfry.search("event.provider: hub or event.module: generic").remove(0);
    let original: Value = serde_json::from_str(found["event"]["original"].as_str().unwrap()).unwrap();
    assert_eq!(original["fields"]["x-github-event"], "issues", "{original}");
    assert!(found["event"]["original"].as_str().unwrap().contains(body));
    post(&belfry, "hub", &headers, "{}").refused(401);

    make(&belfry, "chat", &json!({ "scheme": "slack" }), Some(SECRET));
    let challenge = r#"{"type":"url_verification","token":"x","challenge":"3eZbrw1aB"}"#;
    let time = now().to_string();
    let slack = |body: &str| {
        let signature = format!("v0={}", signed(HMAC, &[SECRET, &format!("v0:{time}:{body}")]));
        post(&belfry, "chat", &[("x-slack-request-timestamp", &time), ("x-slack-signature", &signature)], body)
    };
    assert_eq!(slack(challenge).good(), json!({ "challenge": "3eZbrw1aB" }));
    assert_eq!(
        slack(r#"{"type":"event_callback","event_id":"E1","event":{"type":"team_join","user":"u"}}"#).status,
        200
    );
    post(&belfry, "chat", &[], challenge).refused(401);

    make(&belfry, "okta", &json!({ "scheme": "okta" }), Some(SECRET));
    let verify =
        belfry.client().get(format!("{}/hooks/okta", belfry.url)).header("x-okta-verification-challenge", "abc");
    assert_eq!(belfry.answer(verify).good(), json!({ "verification": "abc" }));
    assert_eq!(post(&belfry, "okta", &[("authorization", SECRET)], body).status, 200);
    make(&belfry, "lab", &json!({ "scheme": "gitlab" }), Some(SECRET));
    assert_eq!(post(&belfry, "lab", &[("x-gitlab-token", SECRET)], body).status, 200);
    post(&belfry, "lab", &[("x-gitlab-token", "5e1f0c9d8b7a6f5e4d3c2b1b")], body).refused(401);
    make(&belfry, "own", &json!({ "scheme": "hmac", "header": "X-Sig", "prefix": "hmac=" }), Some(SECRET));
    assert_eq!(
        post(&belfry, "own", &[("x-sig", &format!("hmac={}", signed(HMAC, &[SECRET, body])))], body).status,
        200
    );
    make(&belfry, "bearer", &json!({ "scheme": "bearer" }), Some(SECRET));
    assert_eq!(post(&belfry, "bearer", &[("authorization", &format!("Bearer {SECRET}"))], body).status, 200);
    post(&belfry, "bearer", &[("authorization", &format!("Bearer {}", belfry.token))], body).refused(401);

    // What can't be understood is set aside, and the sender has nothing to repeat.
    let aside = post(&belfry, "lab", &[("x-gitlab-token", SECRET)], "{\"broken").good();
    assert_eq!(aside["set_aside"], 1);
    post(&belfry, "nobody", &[], body).refused(404);
    let large = "x".repeat(2 << 20);
    let refused = post(&belfry, "lab", &[("x-gitlab-token", SECRET)], &large);
    // The rest of the body is not waited for: the client is told not to use the connection again.
    assert_eq!((refused.status, refused.header("connection")), (413, Some("close")));
    belfry
        .put(
            "/api/v1/hooks/lab",
            &json!({ "name": "lab", "source": "generic", "settings": { "scheme": "gitlab" }, "enabled": false }),
        )
        .good();
    post(&belfry, "lab", &[("x-gitlab-token", SECRET)], body).refused(404);
    for (member, bad) in [("name", json!("Not A Name")), ("source", json!("nowhere")), ("secret", json!("short"))] {
        let mut input = json!({ "name": "ok", "source": "generic", "settings": { "scheme": "gitlab" } });
        input[member] = bad;
        belfry.post("/api/v1/hooks", &input).refused(422);
    }
    belfry
        .post("/api/v1/hooks", &json!({ "name": "s", "source": "generic", "settings": { "scheme": "slack" } }))
        .refused(422);

    // Hooks and their secrets are there after a restart.
    belfry.stop();
    belfry.up();
    assert_eq!(post(&belfry, "bearer", &[("authorization", &format!("Bearer {SECRET}"))], body).status, 200);
}

#[test]
fn the_command_line_makes_and_turns_hooks() {
    let belfry = Belfry::start();
    let made = belfry.cli(&["hook", "create", "ci", "--source", "generic", "--scheme", "hmac", "--header", "X-Sig"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let secret = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let body = r#"{"action":"built"}"#;
    let send = |secret: &str| post(&belfry, "ci", &[("x-sig", &signed(HMAC, &[secret, body]))], body).status;
    assert_eq!(send(&secret), 200);
    let turned = belfry.cli(&["hook", "rotate", "ci", "--keep-previous", "0s"]);
    let new = String::from_utf8(turned.stdout).unwrap().trim().to_owned();
    assert_eq!((send(&secret), send(&new)), (401, 200));
    let listed = belfry.cli(&["hook", "list"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("ci") && listed.contains("hmac") && !listed.contains(&new), "{listed}");
    assert!(belfry.cli(&["hook", "update", "ci", "--set", "enabled=false"]).status.success());
    assert_eq!(send(&new), 404);
    assert!(belfry.cli(&["hook", "delete", "ci"]).status.success());
}
