//! The bell rings: at the right receiver, in time, without flooding, and over a crash.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::hook::Hook;
use crate::support::{Belfry, event, eventually};

fn with_hook() -> (Belfry, Hook, String) {
    let belfry = Belfry::start();
    let hook = Hook::open();
    belfry.allow_loopback();
    let channel = belfry.channel("webhook", &json!({ "url": hook.url() }));
    (belfry, hook, channel)
}

#[test]
fn repeats_are_held_for_the_interval_and_counted() {
    let (belfry, hook, channel) = with_hook();
    belfry.rule("event.action: authentication.failed and user.name: eve", 2, &channel);
    for _ in 0..3 {
        belfry.send(&event("authentication.failed", "eve"));
    }
    hook.wants(1, 5);
    std::thread::sleep(Duration::from_millis(2_300));
    assert_eq!(hook.got().len(), 1, "the second and the third are held back");
    belfry.send(&event("authentication.failed", "eve"));
    let got = hook.wants(2, 5);
    let text = String::from_utf8_lossy(&got[1].body).into_owned();
    assert!(text.contains("2 more"), "the count of what was held back: {text}");
    assert_eq!(got[1].json()["type"], "authentication.failed", "{text}");
}

#[test]
fn the_reason_why_no_message_came_is_shown() {
    let (belfry, hook, channel) = with_hook();
    let rule = belfry.rule("event.action: door.opened", 3_600, &channel);
    let first = belfry.send(&event("door.opened", "ada"));
    hook.wants(1, 5);
    let second = belfry.send(&event("door.opened", "ada"));
    let said = eventually(5, "a decision", || {
        let said = belfry.get(&format!("/api/v1/events/{second}/notifications")).good();
        (!said["decisions"].as_array().unwrap().is_empty()).then_some(said)
    });
    assert_eq!(said["decisions"][0]["rule_id"].as_str(), Some(rule.as_str()));
    assert!(said["deliveries"].as_array().unwrap().is_empty());
    let first = belfry.get(&format!("/api/v1/events/{first}/notifications")).good();
    assert_eq!(first["deliveries"].as_array().unwrap().len(), 1, "{first}");
}

#[test]
fn a_failing_receiver_is_tried_again_and_the_identity_stays() {
    let (belfry, hook, channel) = with_hook();
    belfry.rule("event.action: tried.again", 0, &channel);
    hook.answers(503, "retry-after: 1\r\n");
    belfry.send(&event("tried.again", "ada"));
    hook.wants(1, 5);
    hook.answers(200, "");
    let got = hook.wants(2, 20);
    assert_eq!(got[0].header("webhook-id"), got[1].header("webhook-id"));
    assert_ne!(got[0].header("webhook-id"), "");
    let deliveries = eventually(5, "it is delivered", || {
        let deliveries = belfry.get("/api/v1/deliveries").good();
        (deliveries["items"][0]["state"] == "delivered").then_some(deliveries)
    });
    let id = deliveries["items"][0]["id"].as_str().unwrap();
    let detail = belfry.get(&format!("/api/v1/deliveries/{id}")).good();
    let attempts = detail["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{detail}");
    assert!(
        attempts.iter().any(|attempt| attempt["status"] == 503)
            && attempts.iter().any(|attempt| attempt["status"] == 200),
        "{detail}"
    );
}

#[test]
fn a_refusing_receiver_fails_at_once_raises_an_event_and_can_be_sent_again() {
    // A chat that refuses a message refuses it for good; other receivers are tried again.
    let (belfry, hook, _) = with_hook();
    let channel = belfry.channel("slack", &json!({ "url": hook.url() }));
    belfry.rule("event.action: refused.first", 0, &channel);
    hook.answers(404, "");
    belfry.send(&event("refused.first", "ada"));
    let failed = eventually(10, "it fails", || {
        let deliveries = belfry.get("/api/v1/deliveries?state=failed").good();
        deliveries["items"].as_array().unwrap().first().cloned()
    });
    eventually(10, "the event", || belfry.search("event.action: notification.undeliverable").pop());
    hook.answers(200, "");
    belfry.post("/api/v1/deliveries/resend", &json!({ "ids": [failed["id"]] })).good();
    hook.wants(2, 10);
    eventually(5, "it is delivered", || {
        let detail = belfry.get(&format!("/api/v1/deliveries/{}", failed["id"].as_str().unwrap())).good();
        (detail["state"] == "delivered").then_some(())
    });
}

#[test]
fn a_slow_receiver_holds_up_nobody_else() {
    let (belfry, slow, slow_channel) = with_hook();
    let quick = Hook::open();
    let quick_channel = belfry.channel("webhook", &json!({ "url": quick.url() }));
    belfry.rule("event.action: both.told", 0, &slow_channel);
    belfry.rule("event.action: both.told", 0, &quick_channel);
    slow.takes(Duration::from_secs(8));
    for n in 0..5 {
        belfry.send(&json!({ "event": { "action": "both.told" }, "user": { "name": format!("u{n}") } }));
    }
    quick.wants(5, 6);
}

#[test]
fn inside_targets_are_refused_unless_allowed() {
    let belfry = Belfry::start();
    let hook = Hook::open();
    for target in [
        "http://127.0.0.1:9/x",
        "http://[::1]:9/x",
        "http://169.254.169.254/latest",
        "http://10.0.0.1/",
        "http://[::ffff:127.0.0.1]:9/",
    ] {
        let draft = json!({ "name": target, "kind": "webhook", "enabled": true, "settings": { "url": target } });
        let words = belfry.post("/api/v1/channels", &draft).refused(422).to_string();
        assert!(words.contains("outgoing_allow"), "{target}: it says how to allow it: {words}");
    }
    // A name is looked up; where it leads counts.
    let named = json!({ "name": "named", "kind": "webhook", "enabled": true, "settings": { "url": format!("http://localhost:{}/x", hook.port) } });
    assert!(belfry.post("/api/v1/channels", &named).refused(422).to_string().contains("outgoing_allow"));
    assert!(hook.got().is_empty());
    belfry.allow_loopback();
    let channel = belfry.channel("webhook", &json!({ "url": hook.url() }));
    let tested = belfry.post(&format!("/api/v1/channels/{channel}/test"), &json!({})).good();
    assert_eq!(tested["state"], "delivered", "{tested}");
    // A redirect is not followed: that would be the way around the guard.
    hook.answers(302, "location: http://127.0.0.1:1/\r\n");
    let tested = belfry.post(&format!("/api/v1/channels/{channel}/test"), &json!({})).good();
    assert_ne!(tested["state"], "delivered", "{tested}");
}

#[test]
fn slack_and_teams_get_what_they_understand() {
    let (belfry, hook, _) = with_hook();
    let slack = belfry.channel("slack", &json!({ "url": hook.url() }));
    let teams = belfry.channel("teams", &json!({ "url": hook.url() }));
    belfry.rule("event.action: chat.told", 0, &slack);
    belfry.rule("event.action: chat.told", 0, &teams);
    belfry.send(&json!({ "event": { "action": "chat.told" }, "user": { "name": "<!channel> & <http://evil|click>" }, "message": "line\nline \"quoted\" 'single' \\ back" }));
    let got = hook.wants(2, 10);
    let bodies: Vec<Value> = got.iter().map(crate::support::hook::Got::json).collect();
    let slack = bodies.iter().find(|body| body["blocks"].is_array()).unwrap_or_else(|| panic!("{bodies:?}"));
    // Plain text is shown as it is; wherever Slack reads marks, a name must not make one.
    let marked = marked_texts(slack);
    assert!(
        marked.iter().any(|text| text.contains("&lt;!channel&gt;"))
            && !marked.iter().any(|text| text.contains("<!channel>")),
        "{marked:?}"
    );
    assert!(slack["text"].is_string());
    let teams = bodies.iter().find(|body| body["type"] == "message").unwrap();
    let card = &teams["attachments"][0];
    assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(card["content"]["type"], "AdaptiveCard");
}

#[test]
fn the_inbox_is_read_acknowledged_and_cleared() {
    let belfry = Belfry::start();
    let inbox = belfry.channel("inbox", &json!({}));
    belfry.rule("event.action: inbox.filled", 0, &inbox);
    for n in 0..3 {
        belfry.send(
            &json!({ "event": { "action": "inbox.filled", "severity": "high" }, "user": { "name": format!("u{n}") } }),
        );
    }
    let items = eventually(10, "three items", || {
        let inbox = belfry.get("/api/v1/inbox").good();
        (inbox["items"].as_array().unwrap().len() == 3).then_some(inbox)
    });
    assert_eq!(items["unread"], 3);
    let id = items["items"][0]["id"].clone();
    belfry.post("/api/v1/inbox/read", &json!({ "ids": [id] })).good();
    belfry.post("/api/v1/inbox/acknowledge", &json!({ "ids": [id] })).good();
    let after = belfry.get("/api/v1/inbox").good();
    assert_eq!(after["unread"], 2);
    let item = after["items"].as_array().unwrap().iter().find(|item| item["id"] == id).unwrap().clone();
    assert_eq!(item["acknowledged_by"], "admin", "{item}");
    belfry.post("/api/v1/inbox/delete", &json!({ "all": true })).good();
    assert!(belfry.get("/api/v1/inbox").good()["items"].as_array().unwrap().is_empty());
}

#[test]
fn a_preview_says_what_the_rule_would_have_sent() {
    let belfry = Belfry::start();
    let now = jiff::Timestamp::now();
    let ago = |hours: i64| (now - jiff::SignedDuration::from_hours(hours)).to_string();
    let events: Vec<Value> = (0..40).map(|n| json!({ "@timestamp": ago(1 + n * 3), "event": { "action": "seen.before" }, "user": { "name": if n % 2 == 0 { "ada" } else { "bola" } } })).collect();
    belfry.post("/api/v1/events", &json!(events)).good();
    let rule = json!({ "name": "draft", "enabled": true, "filter": "event.action: seen.before", "hold_seconds": 86_400, "recipients": [] });
    let preview = belfry.post("/api/v1/rules/preview", &json!({ "rule": rule, "days": 30 })).good();
    assert_eq!(preview["matched"], 40, "{preview}");
    let (sent, held) = (preview["sent"].as_u64().unwrap(), preview["held"].as_u64().unwrap());
    assert_eq!(sent + held, 40);
    assert!((10..=12).contains(&sent), "five days of two people, once a day each: {sent}");
    let first = &preview["first"][0];
    assert!(
        first["subject"].as_str().unwrap().len() > 3 && first["slack"].is_object() && first["teams"].is_object(),
        "{first}"
    );
    // A preview sends nothing and remembers nothing.
    assert!(belfry.get("/api/v1/deliveries").good()["items"].as_array().unwrap().is_empty());
    let problem = belfry
        .post("/api/v1/rules/preview", &json!({ "rule": { "name": "x", "filter": "user.nme: x" }, "days": 30 }))
        .refused(422);
    assert!(problem.to_string().contains("user.name"));
}

#[test]
fn deliveries_survive_a_kill() {
    let (mut belfry, hook, channel) = with_hook();
    belfry.rule("event.action: late.told", 0, &channel);
    hook.answers(503, "retry-after: 2\r\n");
    for n in 0..20 {
        belfry.send(&json!({ "event": { "action": "late.told" }, "user": { "name": format!("u{n}") } }));
    }
    belfry.kill();
    hook.answers(200, "");
    belfry.up();
    let told = eventually(60, "all twenty", || {
        let bodies: Vec<String> =
            hook.got().iter().map(|got| String::from_utf8_lossy(&got.body).into_owned()).collect();
        let told = (0..20).filter(|n| bodies.iter().any(|body| body.contains(&format!("\"u{n}\"")))).count();
        (told == 20).then_some(told)
    });
    assert_eq!(told, 20);
}

/// The texts in which Slack looks for marks.
fn marked_texts(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) if members.get("type") == Some(&json!("mrkdwn")) => {
            members["text"].as_str().map(str::to_owned).into_iter().collect()
        }
        Value::Object(members) => members.values().flat_map(marked_texts).collect(),
        Value::Array(items) => items.iter().flat_map(marked_texts).collect(),
        _ => Vec::new(),
    }
}
