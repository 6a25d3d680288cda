//! How long one event takes. Not a test of anything: `cargo test --release -p event --test speed -- --ignored --nocapture`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "figures for people")]

use std::hint::black_box;
use std::time::Instant;

use event::admit::{Defaults, admit};
use event::filter::Matcher;
use event::json::{Limits, parse, write_canonical};
use event::{Catalogue, Event, Filter};

const SENT: &str = r#"{"@timestamp":"2026-11-21T13:59:58.120Z","event":{"action":"credential.password.viewed","outcome":"success","severity":50,"id":"9f3c5a1e-77aa-4c1b-9d0e-2f6d1b7a0c33","reason":"incident CHG-20419"},"user":{"name":"ada.m","id":"10482","email":"ada.m@example.com","roles":["dba","auditor"]},"source":{"ip":"10.20.30.40","port":51322,"geo":{"country_iso_code":"BR","city_name":"São Paulo"}},"host":{"name":"db-prod-3","ip":"10.1.2.3"},"credential":{"id":"c-4711","type":"password","username":"postgres"},"session":{"id":"s-99f1","protocol":"ssh"},"justification":{"id":"GOV-881","type":"incident","text":"restore of the billing database"},"labels":{"team":"payments"}}"#;

/// Nanoseconds of one call, the best of many short rounds: a busy machine spoils some, hardly all.
fn time(name: &str, mut call: impl FnMut()) {
    const CALLS: u32 = 200;
    let round = |_| {
        let start = Instant::now();
        (0..CALLS).for_each(|_| call());
        start.elapsed().as_nanos() / u128::from(CALLS)
    };
    println!("{name:<50} {:>7} ns", (0..300).map(round).min().unwrap());
}

#[test]
#[ignore = "prints figures"]
fn figures() {
    let limits = Limits::default();
    let defaults = Defaults {
        now: "2026-11-21T14:00:00.25Z".parse().unwrap(),
        source: Some("vault"),
        provider: None,
        catalogue: Catalogue::builtin(),
        mapping: Some("vault@1"),
    };
    let entry = admit(parse(SENT.as_bytes(), &limits).unwrap(), &defaults).unwrap();
    println!("{} bytes as sent, {} as admitted", SENT.len(), entry.len());
    time("parse", || drop(black_box(parse(black_box(SENT.as_bytes()), &limits))));
    let value = parse(SENT.as_bytes(), &limits).unwrap();
    time("write canonical", || {
        let mut out = Vec::with_capacity(1024);
        write_canonical(black_box(&value), &mut out);
        black_box(out);
    });
    time("parse + admit", || drop(black_box(admit(parse(black_box(SENT.as_bytes()), &limits).unwrap(), &defaults))));
    time("Event::read", || drop(black_box(Event::read(black_box(&entry)))));
    time("serde_json::Value, for comparison", || {
        drop(black_box(serde_json::from_slice::<serde_json::Value>(black_box(SENT.as_bytes()))))
    });
    let event = Event::read(&entry).unwrap();
    let message = || Catalogue::builtin().message(&event);
    time("message of the catalogue", || drop(black_box(message())));
    for text in [
        "event.action: authentication.failed",
        "event.action: credential.* and not user.name: svc-* and source.ip: 10.0.0.0/8 and event.severity >= 50",
        "@timestamp >= 2026-11-21",
        "message: viewed",
        "user.*: nobody",
        "nothing of this",
        "*zzz*",
    ] {
        let filter: Filter = text.parse().unwrap();
        let matcher = Matcher::new(&filter);
        time(&format!("match {}", text.get(..40).unwrap_or(text)), || {
            black_box(matcher.matches(black_box(&event)));
        });
        time(&format!("parse filter {}", text.get(..32).unwrap_or(text)), || drop(black_box(text.parse::<Filter>())));
    }
}
