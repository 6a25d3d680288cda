//! Clients that nobody of this project wrote: logger, curl, Keeper Commander, Standard Webhooks.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::hook::Hook;
use crate::support::{Belfry, event, eventually, root};

pub fn python() -> std::path::PathBuf {
    let python = root().join("target/test-venv/bin/python");
    assert!(python.exists(), "run scripts/test-env.sh first: {} is missing", python.display());
    python
}

fn done(command: &mut Command) {
    let output = command.output().expect("it runs");
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn logger_over_tcp_and_udp_in_both_formats() {
    let belfry = Belfry::start();
    let port = belfry.syslog.unwrap().to_string();
    let log = |arguments: &[&str], text: &str| {
        done(
            Command::new("logger")
                .args(["--server", "127.0.0.1", "--port", &port, "--tag", "sshd", "--priority", "auth.info"])
                .args(arguments)
                .arg(text),
        );
    };
    log(&["--tcp", "--rfc5424", "--octet-count"], "Accepted password for tcp5424 from 10.9.8.7 port 2222 ssh2");
    log(&["--tcp", "--rfc3164"], "Accepted password for tcp3164 from 10.9.8.7 port 2222 ssh2");
    log(&["--udp", "--rfc5424"], "Accepted password for udp5424 from 10.9.8.7 port 2222 ssh2");
    log(&["--udp", "--rfc3164"], "Accepted password for udp3164 from 10.9.8.7 port 2222 ssh2");
    for user in ["tcp5424", "tcp3164", "udp5424", "udp3164"] {
        let found = eventually(10, user, || belfry.search(&format!("user.name: {user}")).pop());
        assert_eq!(found["event"]["action"], "authentication.succeeded", "{found}");
        assert_eq!(found["source"]["ip"], "10.9.8.7");
        assert_eq!(found["event"]["module"], "sshd");
    }
}

#[test]
fn curl_sends_searches_and_is_told_what_is_wrong() {
    let belfry = Belfry::start();
    let authorization = format!("Authorization: Bearer {}", belfry.token);
    let url = format!("{}/api/v1/events", belfry.url);
    let curl = |arguments: &[&str]| {
        let output = Command::new("curl")
            .args(["-sS", "-w", "\n%{http_code}", "-H", &authorization])
            .args(arguments)
            .output()
            .expect("curl runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let sent = curl(&[
        &url,
        "-H",
        "Content-Type: application/json",
        "-d",
        r#"{"event.action":"user.login","user.name":"curl"}"#,
    ]);
    assert!(sent.ends_with("200"), "{sent}");
    let found = curl(&["-G", &url, "--data-urlencode", "filter=user.name: curl"]);
    assert!(found.contains(r#""name":"curl""#), "{found}");
    // As curl sends it by default, without a type of content that anybody meant.
    let sent = curl(&[&url, "-d", r#"{"event.action":"user.login","user.name":"plain"}"#]);
    assert!(sent.ends_with("200"), "{sent}");
    let vault = r#"{"time":"2026-11-20T10:00:00Z","type":"response","auth":{"display_name":"ldap-ada"},"request":{"id":"r1","operation":"read","path":"secret/data/db","remote_address":"10.0.0.9","mount_type":"kv"}}"#;
    let sent = curl(&[&format!("{url}?source=vault"), "-d", vault]);
    assert!(sent.ends_with("200"), "{sent}");
    assert_eq!(belfry.search("event.action: secret.viewed and event.module: vault").len(), 1);
    let unknown = curl(&[&format!("{url}?source=valt"), "-d", vault]);
    assert!(unknown.ends_with("404") && unknown.contains("valt"), "{unknown}");
}

#[test]
fn keeper_commander_exports_by_hec_and_syslog() {
    let belfry = Belfry::start();
    let script = root().join("tests/clients/keeper.py");
    let hec = format!("{}/services/collector", belfry.url);
    // What Commander asks before it takes an address for a collector.
    let bare = belfry.answer(belfry.client().post(&hec).json(&json!("")));
    assert_eq!((bare.status, bare.json()["code"].as_u64()), (401, Some(2)), "{}", bare.text());
    let asked = belfry.answer(
        belfry.client().post(&hec).header("authorization", format!("Splunk {}", belfry.token)).json(&json!("")),
    );
    assert_eq!((asked.status, asked.json()["code"].as_u64()), (400, Some(6)), "{}", asked.text());

    done(Command::new(python()).arg(&script).args(["hec", &hec, &belfry.token]));
    let found = belfry.search("event.module: keeper");
    assert_eq!(found.len(), 3, "{found:?}");
    let by = |action: &str| {
        found
            .iter()
            .find(|event| event["event"]["action"] == action)
            .unwrap_or_else(|| panic!("no {action}: {found:?}"))
            .clone()
    };
    assert_eq!(by("app_client_added")["user"]["name"], "бола@example.com");
    assert_eq!(by("secret.viewed")["source"]["ip"], "10.1.1.1");
    assert!(by("app_client_added")["event"]["original"].as_str().unwrap().contains("quote"));

    for framing in ["lines", "counting"] {
        done(Command::new(python()).arg(&script).args(["syslog", &belfry.syslog.unwrap().to_string(), framing]));
    }
    // Structured data that isn't escaped, and a count of characters instead of bytes: all of it arrives.
    let found = eventually(15, "both framings", || {
        let found = belfry.search("event.module: keeper and event.action: app_client_added");
        (found.len() >= 3).then_some(found)
    });
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn standard_webhooks_accepts_our_signatures() {
    let belfry = Belfry::start();
    let hook = Hook::open();
    belfry.allow_loopback();
    let made = belfry
        .post(
            "/api/v1/channels",
            &json!({ "name": "hook", "kind": "webhook", "enabled": true, "settings": { "url": hook.url() } }),
        )
        .good();
    let secret = find_secret(&made).unwrap_or_else(|| panic!("the secret is shown once: {made}"));
    let id = made["id"].as_str().or_else(|| made["channel"]["id"].as_str()).unwrap().to_owned();
    belfry.rule("event.action: hooked.*", 0, &id);
    belfry.send(&event("hooked.once", "ада"));
    let got = hook.wants(1, 10).remove(0);
    let body = String::from_utf8(got.body.clone()).unwrap();
    let headers: Value = ["webhook-id", "webhook-timestamp", "webhook-signature"]
        .iter()
        .map(|name| ((*name).to_owned(), json!(got.header(name))))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let cases = [
        json!({ "secret": secret, "headers": headers, "body": body }),
        json!({ "secret": secret, "headers": headers, "body": body.replace("hooked", "forged") }),
    ];
    let mut checker = Command::new(python())
        .arg(root().join("tests/clients/standard_webhook.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = checker.stdin.take().unwrap();
    for case in &cases {
        writeln!(input, "{case}").unwrap();
    }
    drop(input);
    let said = String::from_utf8(checker.wait_with_output().unwrap().stdout).unwrap();
    let said: Vec<&str> = said.lines().collect();
    assert_eq!(said[0], "ok");
    assert!(said[1].starts_with("refused"), "{said:?}");
    // It is shown once.
    let again = belfry.get(&format!("/api/v1/channels/{id}")).good();
    assert!(find_secret(&again).is_none(), "{again}");
}

fn find_secret(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.starts_with("whsec_") => Some(text.clone()),
        Value::Object(members) => members.values().find_map(find_secret),
        Value::Array(items) => items.iter().find_map(find_secret),
        _ => None,
    }
}
