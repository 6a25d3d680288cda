//! Who gets in, what they may do, and that all of it is in the trail.

use serde_json::{Value, json};

use crate::support::{Answer, Belfry, PASSWORD, eventually};

/// Signs in; answers the cookie.
fn sign_in(belfry: &Belfry, name: &str, password: &str) -> (Answer, Option<String>) {
    let answer = belfry.answer(
        belfry
            .client()
            .post(format!("{}/api/v1/session", belfry.url))
            .json(&json!({ "name": name, "password": password })),
    );
    let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
    (answer, cookie)
}

fn with(belfry: &Belfry, cookie: &str, method: &str, path: &str) -> reqwest::RequestBuilder {
    belfry.client().request(method.parse().unwrap(), format!("{}{path}", belfry.url)).header("cookie", cookie)
}

#[test]
fn signing_in_and_out_is_in_the_trail() {
    let belfry = Belfry::start();
    sign_in(&belfry, "admin", "tulip-4711-guess").0.refused(401);
    sign_in(&belfry, "nobody", "tulip-4711-guess").0.refused(401);
    let (answer, cookie) = sign_in(&belfry, "admin", PASSWORD);
    let set = answer.header("set-cookie").unwrap().to_owned();
    assert!(set.contains("HttpOnly") && set.contains("SameSite"), "{set}");
    let cookie = cookie.unwrap();
    assert_eq!(answer.good()["user"]["name"], "admin");
    assert_eq!(belfry.answer(with(&belfry, &cookie, "GET", "/api/v1/session")).status, 200);
    // Another site's page can't use the cookie.
    let forged = belfry.answer(
        with(&belfry, &cookie, "DELETE", "/api/v1/session")
            .header("origin", "https://evil.example")
            .header("sec-fetch-site", "cross-site"),
    );
    assert_eq!(forged.status, 403);
    assert!((200..300).contains(&belfry.answer(with(&belfry, &cookie, "DELETE", "/api/v1/session")).status));
    assert_eq!(belfry.answer(with(&belfry, &cookie, "GET", "/api/v1/session")).status, 401);
    let failed = belfry.search("event.module: belfry and event.action: authentication.failed");
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert_eq!(failed[0]["source"]["ip"], "127.0.0.1");
    assert_eq!(belfry.search("event.action: authentication.succeeded and user.name: admin").len(), 1);
    assert_eq!(belfry.search("event.action: user.logout and user.name: admin").len(), 1);
    assert!(!failed.iter().any(|event| event.to_string().contains("tulip-4711")), "no password in the trail");
}

#[test]
fn changes_are_recorded_with_old_and_new_values() {
    let belfry = Belfry::start();
    let user = belfry.post("/api/v1/users", &json!({ "name": "maud", "full_name": "Maud", "email": "maud@example.com", "role": "member", "password": PASSWORD })).good();
    let id = user["id"].as_str().unwrap();
    belfry.put(&format!("/api/v1/users/{id}"), &json!({ "name": "maud", "full_name": "Maud", "email": "maud@example.com", "role": "auditor", "disabled": false })).good();
    let changed = eventually(5, "the change", || {
        belfry
            .search("event.action: (user.updated or role.changed)")
            .into_iter()
            .find(|event| event["changes"].to_string().contains("auditor"))
    });
    let change = changed["changes"].as_array().unwrap().iter().find(|change| change["field"] == "role").unwrap();
    assert_eq!((&change["old"], &change["new"]), (&json!("member"), &json!("auditor")));
    let hook = belfry.channel("webhook", &json!({ "url": "https://example.com/secret-path" }));
    let token =
        belfry.post("/api/v1/tokens", &json!({ "name": "t", "scopes": ["events:read"], "expires_at": null })).good();
    let all: String = belfry.search("event.module: belfry").iter().map(Value::to_string).collect();
    assert!(!all.contains(token["token"].as_str().unwrap()), "no token in the trail");
    assert!(!all.contains("whsec_"), "no webhook secret in the trail");
    assert!(!all.contains(PASSWORD), "no password in the trail");
    assert!(all.contains(&hook), "the channel is named");
}

#[test]
fn roles_see_and_do_what_is_theirs() {
    let belfry = Belfry::start();
    for (name, role) in [("aud", "auditor"), ("mem", "member")] {
        belfry.post("/api/v1/users", &json!({ "name": name, "full_name": name, "email": format!("{name}@example.com"), "role": role, "password": PASSWORD })).good();
    }
    let cases = [
        ("aud", "GET", "/api/v1/events", 200),
        ("mem", "GET", "/api/v1/events", 403),
        ("aud", "GET", "/api/v1/users", 403),
        ("mem", "GET", "/api/v1/inbox", 200),
        ("aud", "GET", "/api/v1/rules", 200),
        ("mem", "GET", "/api/v1/reports", 403),
        ("aud", "GET", "/api/v1/trail", 200),
        ("mem", "GET", "/api/v1/deliveries", 403),
    ];
    for (name, method, path, status) in cases {
        let (_, cookie) = sign_in(&belfry, name, PASSWORD);
        let answer = belfry.answer(with(&belfry, &cookie.unwrap(), method, path));
        assert_eq!(answer.status, status, "{name} {method} {path}: {}", answer.text());
    }
}

#[test]
fn the_last_administrator_stays() {
    let belfry = Belfry::start();
    let users = belfry.get("/api/v1/users").good();
    let id = users["items"][0]["id"].as_str().unwrap().to_owned();
    let refused = belfry.delete(&format!("/api/v1/users/{id}"));
    assert!([403, 409, 422].contains(&refused.status), "{} {}", refused.status, refused.text());
    assert_eq!(belfry.get("/api/v1/users").good()["items"].as_array().unwrap().len(), 1);
}

#[test]
fn guessing_is_slowed_down() {
    let belfry = Belfry::start();
    let statuses: Vec<u16> = (0..12).map(|n| sign_in(&belfry, "admin", &format!("guess {n}")).0.status).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
    let said = sign_in(&belfry, "admin", "again").0;
    assert!(said.header("retry-after").is_some(), "{}", said.text());
}

#[test]
fn the_description_of_the_api_is_there_and_pages_are_careful() {
    let belfry = Belfry::start();
    let description = belfry.get("/api/openapi.json").good();
    assert!(description["paths"].as_object().unwrap().len() > 40);
    let page = belfry.answer(belfry.client().get(format!("{}/", belfry.url)));
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").unwrap().contains("default-src 'self'"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let metrics = belfry.get("/metrics");
    assert!(metrics.text().contains("belfry_"), "{}", metrics.text());
    assert_eq!(belfry.get("/readyz").status, 200);
}

#[test]
fn the_command_line_is_a_client_like_any_other() {
    let belfry = Belfry::start();
    let file = belfry.dir.path().join("events.ndjson");
    let lines: String =
        (0..50).map(|n| format!("{}\n", crate::support::event("sent.by.hand", &format!("u{n}")))).collect();
    std::fs::write(&file, lines).unwrap();
    let sent = belfry.cli(&["send", file.to_str().unwrap()]);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let found = belfry.cli(&["search", "event.action: sent.by.hand", "--limit", "100", "--format", "json"]);
    assert!(found.status.success());
    assert!(String::from_utf8_lossy(&found.stdout).matches("sent.by.hand").count() >= 50);
    let typo = belfry.cli(&["search", "user.nme: x"]);
    assert_eq!(typo.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&typo.stderr).contains("user.name"));
    for arguments in [
        &["rule", "list"][..],
        &["channel", "list"],
        &["source", "list"],
        &["user", "list"],
        &["token", "list"],
        &["mapping", "list"],
        &["report", "list"],
        &["doctor"],
    ] {
        let output = belfry.cli(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
