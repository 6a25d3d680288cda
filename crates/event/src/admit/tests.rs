use super::*;
use crate::Event;
use crate::json::{Limits, parse};

fn defaults() -> Defaults<'static> {
    Defaults {
        now: "2026-11-21T14:00:00.25Z".parse().unwrap(),
        source: None,
        provider: None,
        catalogue: Catalogue::builtin(),
        mapping: None,
    }
}

fn admitted(text: &str, defaults: &Defaults<'_>) -> Result<String, String> {
    let value = parse(text.as_bytes(), &Limits::default()).map_err(|error| error.to_string())?;
    let entry = admit(value, defaults).map_err(|invalid| invalid.to_string())?;
    Ok(String::from_utf8(entry).unwrap())
}

#[test]
fn what_can_be_known_is_filled_in() {
    let defaults = Defaults { source: Some("sshd"), provider: Some("agent-7"), mapping: Some("sshd@3"), ..defaults() };
    let entry = admitted(r#"{"event":{"action":"authentication.failed"},"user":{"name":"Ada"}}"#, &defaults).unwrap();
    assert_eq!(
        entry,
        concat!(
            r#"{"@timestamp":"2026-11-21T14:00:00.25Z","event":{"action":"authentication.failed","category":"authentication","#,
            r#""ingested":"2026-11-21T14:00:00.25Z","mapping":"sshd@3","module":"sshd","outcome":"unknown","provider":"agent-7","#,
            r#""severity":50},"message":"Ada failed to log in","user":{"name":"Ada"}}"#
        )
    );
}

#[test]
fn what_the_sender_says_stands() {
    let text = r#"{"@timestamp":"2026-11-21T15:59:59.120+02:00","event":{"action":"door.opened","category":["a","b"],"module":"m","provider":"p",
        "severity":"HIGH","outcome":"failure","ingested":"2020-01-01T00:00:00Z","mapping":"x@1","original":"raw"},"message":"said","custom":{"n":1.50,"x":null}}"#;
    let defaults = Defaults { source: Some("sshd"), provider: Some("agent-7"), ..defaults() };
    assert_eq!(
        admitted(text, &defaults).unwrap(),
        concat!(
            r#"{"@timestamp":"2026-11-21T13:59:59.12Z","custom":{"n":1.5,"x":null},"event":{"action":"door.opened","category":["a","b"],"#,
            r#""ingested":"2026-11-21T14:00:00.25Z","module":"m","original":"raw","outcome":"failure","provider":"p","severity":73},"message":"said"}"#
        )
    );
}

#[test]
fn what_was_admitted_is_read_again() {
    let entry =
        admitted(r#"{"event.action":"user.login","user.roles":["a","b"],"source.ip":"2001:DB8:0:0::1"}"#, &defaults())
            .unwrap();
    let event = Event::read(entry.as_bytes()).unwrap();
    assert_eq!(event.action(), "user.login");
    assert_eq!(event.timestamp(), defaults().now);
    assert_eq!(event.ingested(), Some(defaults().now));
    assert_eq!(event.severity(), Severity::Info.number());
    assert_eq!(event.outcome(), "unknown");
    assert_eq!(event.text("user.roles"), Some("a"));
    assert_eq!(event.text("source.ip"), Some("2001:db8::1"));
    assert_eq!(event.get("user.nothing"), None);
    let mut leaves = Vec::new();
    event.walk(&mut |name, value| leaves.push(format!("{name}={}", value.as_str().unwrap_or("number"))));
    assert!(leaves.contains(&"user.roles=a".to_owned()) && leaves.contains(&"user.roles=b".to_owned()), "{leaves:?}");
    assert!(leaves.contains(&"event.severity=number".to_owned()));
}

#[test]
fn dotted_keys_become_objects() {
    let check = |text: &str, field: &str, expected: Result<&str, &str>| {
        let entry = admitted(text, &defaults());
        match (&entry, expected) {
            (Ok(entry), Ok(expected)) => {
                assert_eq!(Event::read(entry.as_bytes()).unwrap().text(field), Some(expected), "{text}");
            }
            (Err(error), Err(expected)) => assert_eq!(error, expected, "{text}"),
            (entry, _) => panic!("{text} gave {entry:?}"),
        }
    };
    check(r#"{"event.action":"a","user.target.name":"x"}"#, "user.target.name", Ok("x"));
    check(r#"{"event":{"action":"a"},"event.reason":"x"}"#, "event.reason", Ok("x"));
    check(r#"{"event.reason":"x","event":{"action":"a"}}"#, "event.reason", Ok("x"));
    check(r#"{"event":{"action":"a"},"user":{"target.name":"x"}}"#, "user.target.name", Ok("x"));
    check(
        r#"{"event.action":"a","user":{"target":{"id":"1"}},"user.target":{"name":"x"}}"#,
        "user.target.name",
        Ok("x"),
    );
    check(r#"{"event.action":"a","x\u002ey":"x"}"#, "x.y", Ok("x"));
    check(r#"{"event.action":"a","list":[{"a.b":"x"}]}"#, "event.action", Ok("a"));
    check(
        r#"{"event":{"action":"a"},"event.action":"b"}"#,
        "",
        Err("event.action is given twice, nested and with a dotted key"),
    );
    check(
        r#"{"event.action":"a","user":"x","user.name":"y"}"#,
        "",
        Err("user is given twice, nested and with a dotted key"),
    );
    check(
        r#"{"event.action":"a","labels":{"app":"x","app.kubernetes":"y"}}"#,
        "",
        Err("labels.app is given twice, nested and with a dotted key"),
    );
    check(
        r#"{"event.action":"a","user..name":"y"}"#,
        "",
        Err(r#"the event has the key "user..name", in which a name is empty"#),
    );
    check(r#"{"event.action":"a","labels":{"":1}}"#, "", Err(r#"labels has the key "", in which a name is empty"#));
    let deep = format!(r#"{{"event.action":"a","{}":1}}"#, ["a"; 33].join("."));
    check(
        &deep,
        "",
        Err(&format!(
            "{} is nested too deeply, 32 objects and arrays within each other are allowed",
            ["a"; 33].join(".")
        )),
    );
}

#[test]
fn every_fault_is_named_with_its_field() {
    let check = |text: &str, expected: &str| {
        assert_eq!(admitted(text, &defaults()).unwrap_err(), expected, "{text}");
    };
    check("[]", "the event must be an object, is an array");
    check("{}", "event.action is missing: every event needs a type");
    check(r#"{"event":null}"#, "event.action is missing: every event needs a type");
    check(r#"{"event":"x"}"#, "event must be an object with fields such as event.action, is a string");
    check(r#"{"event":{"action":""}}"#, "event.action is empty");
    check(r#"{"event":{"action":5}}"#, "event.action must be a string, is a number");
    check(r#"{"event":{"action":["a"]}}"#, "event.action must be a single value, is an array");
    check(
        r#"{"event":{"action":"Login Failed"}}"#,
        r#"event.action may hold lower-case letters, digits, dots, _ and - only, is "Login Failed""#,
    );
    check(
        &format!(r#"{{"event":{{"action":"{}"}}}}"#, "a".repeat(129)),
        "event.action is 129 bytes long, at most 128 are allowed",
    );
    let with = |rest: &str| format!(r#"{{"event.action":"a",{rest}}}"#);
    check(&with(r#""user":"ada""#), "user must be an object with fields such as user.email, is a string");
    check(&with(r#""user.name":7"#), "user.name must be a string, is a number");
    check(&with(r#""user.roles":["a",7]"#), "user.roles must be a string, is a number");
    check(&with(r#""source.ip":"10.0.0""#), r#"source.ip must be an IP address, is "10.0.0""#);
    check(&with(r#""source.port":"22""#), "source.port must be a number, is a string");
    check(&with(r#""labels":"x""#), "labels must be an object of names and values, is a string");
    check(&with(r#""changes":{}"#), "changes must be an array of objects with field, old and new, is an object");
    check(
        &with(r#""changes":[{"field":"a"},"x"]"#),
        "changes[1] must be an object with field, old and new, is a string",
    );
    check(&with(r#""event.outcome":"ok""#), r#"event.outcome must be success, failure or unknown, is "ok""#);
    check(
        &with(r#""event.severity":101"#),
        "event.severity must be a whole number from 0 to 100, or info, low, medium, high or critical, is 101",
    );
    check(
        &with(r#""event.severity":"hi""#),
        r#"event.severity must be a whole number from 0 to 100, or info, low, medium, high or critical, is "hi""#,
    );
    check(&with(r#""@timestamp":5"#), "@timestamp must be a time in a string, is a number");
    check(
        &with(r#""@timestamp":"2026-11-21T14:00:00""#),
        r#"@timestamp has no zone, add Z or an offset such as +02:00: "2026-11-21T14:00:00""#,
    );
    check(
        &with(r#""@timestamp":"yesterday""#),
        r#"@timestamp must be a time such as 2026-11-21T14:00:00Z, is "yesterday""#,
    );
    check(
        &with(r#""@timestamp":"2026-11-21T14:00:00.1234567891Z""#),
        r#"@timestamp is finer than a nanosecond: "2026-11-21T14:00:00.1234567891Z""#,
    );
    check(
        &with(r#""@timestamp":"1970-01-01T00:00:07Z""#),
        "@timestamp is 1970-01-01T00:00:07Z: the clock of the sender is not set",
    );
    check(&with(r#""@timestamp":"1989-12-31T23:59:59Z""#), "@timestamp is before 1990: 1989-12-31T23:59:59Z");
    check(
        &with(r#""@timestamp":"2026-11-22T14:00:01Z""#),
        "@timestamp is more than 24 hours in the future: 2026-11-22T14:00:01Z, and now is 2026-11-21T14:00:00.25Z",
    );
    check(
        &with(r#""certificate.not_after":"2026-13-01T00:00:00Z""#),
        r#"certificate.not_after must be a time such as 2026-11-21T14:00:00Z, is "2026-13-01T00:00:00Z""#,
    );
    // All at once.
    check(
        r#"{"@timestamp":"1970-01-01T00:00:00Z","event":{"action":"A","outcome":"x"},"user":{"name":1}}"#,
        concat!(
            "user.name must be a string, is a number; @timestamp is 1970-01-01T00:00:00Z: the clock of the sender is not set; ",
            r#"event.action may hold lower-case letters, digits, dots, _ and - only, is "A"; event.outcome must be success, failure or unknown, is "x""#
        ),
    );
}

#[test]
fn values_from_elsewhere_are_held_to_the_same() {
    let of = |value: Value<'static>| {
        let mut event = Object::new();
        event.insert("event", [("action", "a")].into_iter().collect::<Object<'_>>());
        event.insert("x", value);
        admit(Value::Object(event), &defaults()).map_err(|invalid| invalid.to_string()).map(drop)
    };
    assert_eq!(of("a\0b".into()), Err("x holds a NUL character".to_owned()));
    assert_eq!(of(Value::Array(vec!["a\0b".into()])), Err("x holds a NUL character".to_owned()));
    assert_eq!(of(f64::NAN.into()), Err("x is a number that JSON can't hold".to_owned()));
    let mut deep = Value::Null;
    for _ in 0..100 {
        deep = Value::Array(vec![deep]);
    }
    assert!(of(deep).unwrap_err().starts_with("x is nested too deeply"));
}

#[test]
fn an_event_has_its_limit() {
    let event = |bytes: usize| {
        let text = format!(r#"{{"event.action":"a","x":"{}"}}"#, "y".repeat(bytes));
        let limits = Limits { bytes_max: usize::MAX, ..Limits::default() };
        admit(parse(text.as_bytes(), &limits).unwrap(), &defaults())
            .map(|entry| entry.len())
            .map_err(|invalid| invalid.to_string())
    };
    let around = event(0).unwrap();
    assert_eq!(event(ENTRY_BYTES_MAX - around), Ok(ENTRY_BYTES_MAX));
    assert_eq!(
        event(ENTRY_BYTES_MAX - around + 1),
        Err("the event is 65536 bytes long, at most 65535 are kept".to_owned())
    );
}

#[test]
fn times_are_written_in_one_form() {
    let check = |given: &str, expected: &str| {
        let entry = admitted(&format!(r#"{{"event.action":"a","@timestamp":"{given}"}}"#), &defaults()).unwrap();
        assert_eq!(Event::read(entry.as_bytes()).unwrap().text("@timestamp"), Some(expected), "{given}");
    };
    check("2026-11-21T14:00:00Z", "2026-11-21T14:00:00Z");
    check("2026-11-21T14:00:00.123456789Z", "2026-11-21T14:00:00.123456789Z");
    check("2026-11-21T14:00:00.100Z", "2026-11-21T14:00:00.1Z");
    check("2026-11-21T14:00:00.000Z", "2026-11-21T14:00:00Z");
    check("2026-11-21T16:00:00+02:00", "2026-11-21T14:00:00Z");
    check("2026-11-21t14:00:00z", "2026-11-21T14:00:00Z");
    check("2026-11-21 14:00:00Z", "2026-11-21T14:00:00Z");
    check("2026-11-21T13:59:60Z", "2026-11-21T13:59:59Z");
}

#[test]
fn nulls_in_the_set_are_no_values() {
    let entry = admitted(
        r#"{"event":{"action":"a","severity":null,"module":null},"user":null,"message":null,"@timestamp":null}"#,
        &defaults(),
    )
    .unwrap();
    assert!(!entry.contains("null"), "{entry}");
    assert!(entry.contains(r#""severity":10"#), "{entry}");
}
