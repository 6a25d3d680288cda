use super::*;
use crate::{Event, Value};

fn parsed(text: &str) -> Filter {
    parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn filters_are_read() {
    let check = |text: &str, expected: Filter| assert_eq!(parsed(text), expected, "{text}");
    let name = |value: &str| Filter::equals("user.name", value);
    check("", Filter::All);
    check("  ", Filter::All);
    check("*", Filter::All);
    check("*: *", Filter::All);
    check("user.name: ada", name("ada"));
    check("user.name:ada", name("ada"));
    check("user.name : \"ada\"", name("ada"));
    check("user.name: ada lovelace", name("ada lovelace"));
    check("user.name: *", Filter::field("user.name", Test::Exists));
    check("user.name: svc-*", Filter::field("user.name", Test::Wildcard(Pattern::from_stars("svc-*"))));
    check("user.name: \"svc-*\"", Filter::field("user.name", Test::Wildcard(Pattern::from_stars("svc-*"))));
    check(r#"user.name: "svc-\*""#, name("svc-*"));
    check(r"user.name: svc-\*", name("svc-*"));
    check(r"user.name: \and", name("and"));
    check(r"user.name: a\:b\(c\)", name("a:b(c)"));
    check(r#"user.name: "say \"hi\" \\ C:\temp""#, name(r#"say "hi" \ C:\temp"#));
    check(r"user.name: \u00fcnal", name("ünal"));
    check("event.type: user.login", Filter::equals("event.action", "user.login"));
    check("a.b: 1 and c.d: 2", Filter::And(vec![Filter::equals("a.b", "1"), Filter::equals("c.d", "2")]));
    check("a.b: 1 AND c.d: 2", Filter::And(vec![Filter::equals("a.b", "1"), Filter::equals("c.d", "2")]));
    check(
        "a: 1 or b: 2 and not c: 3",
        Filter::Or(vec![
            Filter::equals("a", "1"),
            Filter::And(vec![Filter::equals("b", "2"), Filter::Not(Box::new(Filter::equals("c", "3")))]),
        ]),
    );
    check(
        "(a: 1 or b: 2) or c: 3",
        Filter::Or(vec![Filter::equals("a", "1"), Filter::equals("b", "2"), Filter::equals("c", "3")]),
    );
    check("user.name: (ada or bob)", Filter::Or(vec![name("ada"), name("bob")]));
    check(
        "not user.name: (ada and not bob)",
        Filter::Not(Box::new(Filter::And(vec![name("ada"), Filter::Not(Box::new(name("bob")))]))),
    );
    check("failed login", Filter::Words(Test::Equals("failed login".into())));
    check("\"failed login\"", Filter::Words(Test::Phrase("failed login".into())));
    check("fail*", Filter::Words(Test::Wildcard(Pattern::from_stars("fail*"))));
    check(
        "android or nothing",
        Filter::Or(vec![Filter::Words(Test::Equals("android".into())), Filter::Words(Test::Equals("nothing".into()))]),
    );
    check("message: failed login", Filter::field("message", Test::Equals("failed login".into())));
    check("message: \"failed login\"", Filter::field("message", Test::Phrase("failed login".into())));
    let severity = |op, severity| Filter::field("event.severity", Test::Compare(op, Scalar::Severity(severity)));
    check("event.severity >= high", severity(Op::Ge, Severity::High));
    check("event.severity: High", severity(Op::Eq, Severity::High));
    check(
        "event.severity: (high or critical)",
        Filter::Or(vec![severity(Op::Eq, Severity::High), severity(Op::Eq, Severity::Critical)]),
    );
    check("event.severity>=73", Filter::field("event.severity", Test::Compare(Op::Ge, Scalar::Number(73.0))));
    check("labels.n < -1.5", Filter::field("labels.n", Test::Compare(Op::Lt, Scalar::Number(-1.5))));
    let net = |text: &str| Filter::field("source.ip", Test::Cidr(text.parse().unwrap()));
    check("source.ip: 10.1.2.3/8", net("10.0.0.0/8"));
    check("source.ip: 10.0.0.1", net("10.0.0.1/32"));
    check("source.ip: 2001:db8::/32", net("2001:db8::/32"));
    check("source.ip: (2001:db8::1 or ::1)", Filter::Or(vec![net("2001:db8::1/128"), net("::1/128")]));
    check("source.ip: 10.0.*", Filter::field("source.ip", Test::Wildcard(Pattern::from_stars("10.0.*"))));
    let time = |op, when| Filter::field("@timestamp", Test::Compare(op, Scalar::Date(when)));
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    check("@timestamp >= 2026-11-01", time(Op::Ge, When::Day("2026-11-01".parse().unwrap())));
    check("@timestamp < 2026-11-01T10:00:00+01:00", time(Op::Lt, When::At(at("2026-11-01T09:00:00Z"))));
    check("@timestamp: \"2026-11-01T10:00:00Z\"", time(Op::Eq, When::At(at("2026-11-01T10:00:00Z"))));
    check("@timestamp > now-7d", time(Op::Gt, When::Now { offset: -7, unit: Unit::Day, round: None }));
    check("@timestamp: now/d", time(Op::Eq, When::Now { offset: 0, unit: Unit::Second, round: Some(Unit::Day) }));
    check(
        "@timestamp: 2026-11-01..2026-11-02",
        time(Op::Eq, When::Between(at("2026-11-01T00:00:00Z"), at("2026-11-02T23:59:59.999999999Z"))),
    );
}

#[test]
fn the_example_of_the_design_is_read() {
    let text =
        r#"event.action: credential.* and not user.name: "svc-*" and source.ip: 10.0.0.0/8 and event.severity >= 73"#;
    let Filter::And(parts) = parsed(text) else { panic!() };
    assert_eq!(parts.len(), 4);
}

#[test]
fn mistakes_are_told_with_their_place_and_mend() {
    let check = |text: &str, place: &str, message: &str, suggestion: Option<&str>| {
        let error = parse(text).unwrap_err();
        assert_eq!(error.message, message, "{text}");
        assert_eq!(&text[error.offset..error.offset + error.length], place, "{text}: {error:?}");
        assert_eq!(error.suggestion.as_deref(), suggestion, "{text}");
        assert_eq!(error.char_offset, text[..error.offset].chars().count(), "{text}");
        assert_eq!(error.char_length, place.chars().count(), "{text}");
    };
    check("user.nme: ada", "user.nme", "unknown field user.nme", Some("user.name"));
    check("Ünal and user.nme: ada", "user.nme", "unknown field user.nme", Some("user.name"));
    check("user.name:", "", "a value is missing", Some("*"));
    check("user.name: and x", "and", "a value is missing before and", Some("*"));
    check("user.name >", "", "a number or a time is missing", None);
    check("a: 1 and", "", "a condition is missing", None);
    check("and a: 1", "and", "a condition is missing before and", None);
    check("(a: 1", "(", "this ( is never closed", None);
    check("a: (1 or 2", "(", "this ( is never closed", None);
    check("a: 1)", ")", "this ) closes nothing", None);
    check("()", ")", "a condition is missing before )", None);
    check("a: \"x", "\"x", "this quote is never closed", None);
    check(
        "user.name: ada user.email: x",
        "user.email",
        "user.email begins a new condition, it needs and or or before it",
        Some("and user.email"),
    );
    check(
        "failed user.name: ada",
        "user.name",
        "user.name begins a new condition, it needs and or or before it",
        Some("and user.name"),
    );
    check("a: 1 (b: 2)", "(", "and or or is missing before this", Some("and ("));
    check("a: \"1\" b", "b", "and or or is missing before this", Some("and b"));
    check("a: x:y", "x:y", "a value with a colon, < or > in it needs quotes", Some("\"x:y\""));
    check("message: did not work", "not", "not needs and or or before it, or quotes around the value", Some("and not"));
    check("user.name=ada", "user.name=ada", "a field is compared with a colon", Some("user.name: ada"));
    check("user.name != ada", "user.name != ada", "a field is compared with a colon", Some("not user.name: ada"));
    check("a && b", "&&", "&& is written and", Some("and"));
    check("!a", "!a", "! is written not", Some("not a"));
    check(
        "user.name > 5",
        "5",
        "user.name is no number and no time, it can't be compared with >",
        Some("user.name: 5"),
    );
    check("user.name:>5", ">", "> takes no colon before it", Some("user.name > value"));
    check("source.port: abc", "abc", "source.port is a number, and abc is none", None);
    check(
        "event.severity >= hihg",
        "hihg",
        "hihg is no severity: a number from 0 to 100, or info, low, medium, high, critical",
        Some("high"),
    );
    check("source.ip: 10.0.0", "10.0.0", "source.ip is an address, and 10.0.0 is no address, network or pattern", None);
    check(
        "source.ip: 10.0.0.0/33",
        "10.0.0.0/33",
        "source.ip is an address, and 10.0.0.0/33 is no address, network or pattern",
        None,
    );
    check(
        "@timestamp > yesterday",
        "yesterday",
        "yesterday is no time; write 2026-11-21, 2026-11-21T14:00:00Z or now-7d",
        None,
    );
    check(
        "@timestamp > 2026-11-21T14:00:00",
        "2026-11-21T14:00:00",
        "2026-11-21T14:00:00 has no zone",
        Some("2026-11-21T14:00:00Z"),
    );
    check(
        "@timestamp > now-7x",
        "now-7x",
        "now-7x is no time; a relative one is now, now-7d, now-1h or now-1d/d",
        Some("now-7d"),
    );
    check("labels.x > abc", "abc", "only numbers and times can be compared, and abc is none", None);
    check("labels.x > 1*", "1*", "a wildcard can't be compared with < or >", None);
    check("message: \"--\"", "\"--\"", "message is searched by its words, and there is none in this", None);
    check("--", "--", "there is no word to look for in this", None);
    check(
        "changes: {field: x}",
        "{",
        "conditions on one element of a list can't be grouped with { }",
        Some("changes.field: value"),
    );
    check(
        r"a: C\W",
        r"\",
        "a backslash stands before a special character, for the backslash itself write it twice",
        Some(r"\\"),
    );
    check("user..name: x", "user..name", "\"user..name\" is no name of a field", None);
    check(": x", ":", "a condition is missing before :", None);
    check("a: b\0", "\0", "a NUL character", None);
    let long = "x".repeat(BYTES_MAX + 1);
    assert_eq!(parse(&long).unwrap_err().message, "a filter of 8193 bytes is longer than the 8192 allowed");
    let deep = "(".repeat(8_000);
    assert_eq!(parse(&deep).unwrap_err().message, "more than 50 parentheses and negations within each other");
    let deep = "not ".repeat(2_000);
    assert_eq!(parse(&deep).unwrap_err().message, "more than 50 parentheses and negations within each other");
    assert_eq!(
        parse("a and b user.nme: x").unwrap_err().to_string(),
        "user.nme begins a new condition, it needs and or or before it at character 9, did you mean and user.nme?"
    );
}

#[test]
fn filters_are_printed() {
    let check = |text: &str, expected: &str| {
        assert_eq!(parsed(text).to_string(), expected, "{text}");
        assert_eq!(parsed(expected), parsed(text), "{expected}");
    };
    check("", "*");
    check("user.name:ada", "user.name: ada");
    check("user.name: ada lovelace", r#"user.name: "ada lovelace""#);
    check(r#"a: "and""#, r#"a: "and""#);
    check(r#"a: """#, r#"a: """#);
    check("a: (1 or 2) and not (b: 3 and c: 4)", "(a: 1 or a: 2) and not (b: 3 and c: 4)");
    check("source.ip: 2001:DB8::1/128", "source.ip: 2001:db8::1");
    check("@timestamp>=now-1d/d", "@timestamp >= now-1d/d");
    check("@timestamp>now", "@timestamp > now");
    check("event.severity>=HIGH", "event.severity >= high");
    check(r"\not: x", r"\not: x");
    check(r"a\ b: x", r"a\ b: x");
    check(r#""*x" "#, r#""*x""#);
}

/// What filters pick of one event.
#[test]
fn filters_pick() {
    let event = serde_json::json!({
        "@timestamp": "2026-11-20T23:59:59.5Z",
        "event": {"action": "credential.password.viewed", "severity": 73, "outcome": "success", "ingested": "2026-11-21T00:00:10Z",
            "original": "<86>Nov 20 23:59:59 vault: VIEW id=4711"},
        "message": "Ada.M viewed the password of root, twice",
        "user": {"name": "Ada.M", "roles": ["Auditor", "dba"], "target": {"name": "root"}},
        "source": {"ip": "10.1.2.3"},
        "host": {"ip": ["192.0.2.1", "2001:db8::7"]},
        "labels": {"ticket": "CHG-42", "count": 5, "urgent": true, "nothing": null, "list": []},
        "changes": [{"field": "owner", "old": "bob", "new": "ada"}, {"field": "level", "old": 1, "new": 2}],
        "client": {"ip": "172.16.0.9"},
        "name": {"city": "ΟΔΟΣ"},
    });
    let value = Value::from(event);
    let event = Event::of(value.as_object().unwrap().clone());
    let check = |text: &str, expected: bool| assert_eq!(matches(&parsed(text), &event), expected, "{text}");
    for text in [
        "",
        "user.name: ada.m",
        "user.name: ADA*",
        "user.name: *.m",
        "user.roles: AUDITOR",
        "user.roles: d*",
        "event.type: credential.*",
        "event.action: credential.password.viewed",
        "user.target.name: root",
        "message: viewed",
        "message: root viewed",
        "message: \"the password of\"",
        "message: PASS*",
        "message: \"root, twice\"",
        "message: *password of*",
        "message: *word",
        "message: ada.m",
        "message: *",
        "password",
        "root CHG-42 dba",
        "\"password of root\"",
        "VIEW 4711",
        "\"view id\"",
        "vaul*",
        "10.1.*",
        "dba and auditor",
        "chg-42",
        "οδος",
        "ΟΔΌΣ or οδοσ",
        "source.ip: 10.0.0.0/8",
        "source.ip: 10.1.2.3",
        "source.ip: 10.1.*",
        "host.ip: 2001:db8::/32",
        "host.ip: 192.0.2.1",
        "client.ip: 172.16.0.0/12",
        "event.severity: high",
        "event.severity >= high",
        "event.severity > medium",
        "event.severity < critical",
        "event.severity: 73",
        "event.severity >= 73",
        "@timestamp: 2026-11-20",
        "@timestamp <= 2026-11-20",
        "@timestamp >= 2026-11-20",
        "@timestamp < 2026-11-21",
        "@timestamp > now-1m",
        "@timestamp > 2026-11-20T23:59:59Z",
        "@timestamp: 2026-11-20T23:59:59.5Z",
        "@timestamp: now-1d/d",
        "@timestamp: 2026-11-19..2026-11-20",
        "labels.count: 5",
        "labels.count: 5.0",
        "labels.count > 4",
        "labels.urgent: true",
        "labels.urgent: TRUE",
        "labels.ticket: chg-42",
        "labels: *",
        "user: *",
        "user.target: *",
        "changes: *",
        "changes.field: owner",
        "changes.old: 1",
        "changes.new >= 2",
        "labels.*: chg-42",
        "user.*: root",
        "*: auditor",
        "*.name: root",
        "mess*: viewed",
        "*: 5",
        "not user.name: bob",
        "user.name: (bob or ada.m)",
        "user.roles: (auditor and dba)",
        "nothing.at.all: x or user.name: ada.m",
    ] {
        check(text, true);
    }
    for text in [
        "user.name: ada",
        "user.name: \"*\\*\"",
        "user.roles: d",
        "user: ada.m",
        "message: view",
        "message: \"password root\"",
        "message: *passwor",
        "message: \"of the\"",
        "viewe",
        "\"root ticket\"",
        "view*47*",
        "source.ip: 11.0.0.0/8",
        "source.ip: 1*.2.4",
        "host.ip: 10.0.0.0/8",
        "event.severity: medium",
        "event.severity > high",
        "event.severity <= medium",
        "@timestamp > 2026-11-20",
        "@timestamp < 2026-11-20",
        "@timestamp: 2026-11-21",
        "@timestamp > now",
        "@timestamp < now-7d",
        "labels.count: 50",
        "labels.count > 5",
        "labels.count: 5*",
        "labels.nothing: *",
        "labels.list: *",
        "labels.none: *",
        "labels.urgent: false",
        "changes.field: x",
        "changes.old > 1",
        "changes: owner",
        "User.name: ada.m",
        "user.*: nobody",
        "owner: *",
        "event.ingested > now",
    ] {
        check(text, false);
    }
}

#[test]
fn rules_are_found_by_action() {
    let check = |text: &str, expected: Option<&[&str]>| {
        let found = parsed(text).required_actions();
        assert_eq!(
            found.as_deref(),
            expected.map(|actions| actions.iter().map(|action| (*action).to_owned()).collect::<Vec<_>>()).as_deref(),
            "{text}"
        );
    };
    check("event.action: A.b", Some(&["a.b"]));
    check("event.type: (b or a or b) and user.name: x", Some(&["a", "b"]));
    check("event.action: (a or b) and event.action: a", Some(&["a"]));
    check("event.action: a or user.name: x", None);
    check("not event.action: a", None);
    check("event.action: a*", None);
    check("", None);
}

#[test]
fn filters_are_joined_and_fixed() {
    assert_eq!(parsed("a: 1 and b: 2").and(parsed("c: 3 and d: 4")), parsed("a: 1 and b: 2 and c: 3 and d: 4"));
    assert_eq!(parsed("a: 1 or b: 2").and(parsed("c: 3")), parsed("(a: 1 or b: 2) and c: 3"));
    assert_eq!(parsed("").and(parsed("c: 3")), parsed("c: 3"));
    let now: Timestamp = "2026-11-21T14:30:00Z".parse().unwrap();
    let fixed = |text: &str| parsed(text).at(now).to_string();
    assert_eq!(fixed("@timestamp > now-7d and a: 1"), "@timestamp > 2026-11-14T14:30:00Z and a: 1");
    assert_eq!(fixed("@timestamp: now/M"), "@timestamp: 2026-11-01T00:00:00Z..2026-11-30T23:59:59.999999999Z");
    assert_eq!(fixed("@timestamp: now/w"), "@timestamp: 2026-11-16T00:00:00Z..2026-11-22T23:59:59.999999999Z");
    assert_eq!(fixed("@timestamp: now-1h/h"), "@timestamp: 2026-11-21T13:00:00Z..2026-11-21T13:59:59.999999999Z");
    assert_eq!(fixed("@timestamp > now-2000000y"), "@timestamp > -009999-01-02T01:59:59Z");
    let names: Vec<_> =
        parsed("b: 1 and (a: 2 or b: 3)").fields().into_iter().map(FieldName::as_str).map(str::to_owned).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn filters_travel_as_text() {
    let filter = parsed("user.name: ada and event.severity >= high");
    let json = serde_json::to_string(&filter).unwrap();
    assert_eq!(json, r#""user.name: ada and event.severity >= high""#);
    assert_eq!(serde_json::from_str::<Filter>(&json).unwrap(), filter);
    assert_eq!(serde_json::to_string(&Filter::All).unwrap(), r#""""#);
    assert!(
        serde_json::from_str::<Filter>(r#""user.nme: x""#).unwrap_err().to_string().contains("did you mean user.name?")
    );
}
