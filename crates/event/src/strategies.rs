//! Random events and filters for property tests, here and in the crates that read filters in
//! another way. Both are made from the same small pools of names and values, so that they meet
//! often. Switched on by the feature `strategies`.
//!
//! The property a second reader of filters has to hold: for any `entries()` and any `filters()`, it
//! finds exactly the entries for which [`crate::filter::matches`] says yes.

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::admit::{Defaults, admit};
use crate::filter::{FieldName, Op, Pattern, Piece, Scalar, Test, Unit, When};
use crate::{Catalogue, Filter, Object, Severity, Value};

/// The time at which every one of [`entries`] comes in.
pub const NOW: &str = "2026-06-15T12:00:00.5Z";

/// The time at which every one of [`entries`] comes in.
pub fn now() -> Timestamp {
    NOW.parse().expect("a time")
}

const NAMES: &[&str] =
    &["ada.m", "Ada.M", "svc-db", "svc-*", "root", "Ünal", "ΟΔΟΣ", "张伟", "a b", "and", "x\"y\\z", "true", "5"];
const ACTIONS: &[&str] = &["authentication.failed", "credential.password.viewed", "session.started", "door.opened"];
const SENTENCES: &[&str] = &[
    "Login failed",
    "login of Ada.M failed, twice",
    "Ada viewed the password of root",
    "rm -rf /var/log/*",
    "не удалось войти",
    "--",
    "",
];
const ADDRESSES: &[&str] = &["10.0.0.5", "10.0.1.9", "192.0.2.7", "2001:db8::1", "::ffff:10.0.0.5"];
const TIMES: &[&str] = &[
    "2026-06-15T11:59:59.999999999Z",
    "2026-06-15T00:00:00Z",
    "2026-06-14T23:59:59.999Z",
    "2026-06-08T12:00:00+02:00",
    "2026-05-31T22:00:00Z",
    "2025-12-31T23:30:00-01:00",
];
const KEYWORDS: &[&str] =
    &["user.name", "user.roles", "user.target.name", "host.name", "session.id", "process.command_line"];
const TEXTS: &[&str] = &["message", "event.reason", "justification.text"];
const UNKNOWN: &[&str] =
    &["labels.app", "labels.count", "native.user", "process.pid", "changes.field", "changes.old", "cluster"];

/// Events as a sender could write them, fit to be admitted.
pub fn events() -> impl Strategy<Value = Value<'static>> {
    let known = (
        select(ACTIONS),
        select(TIMES),
        proptest::option::of(0_u8..=100),
        proptest::option::of(select(&["success", "failure", "unknown"][..])),
        vec((select(KEYWORDS), some_names()), 0..4),
        vec((select(TEXTS), select(SENTENCES)), 0..3),
        proptest::option::of(some_addresses()),
        proptest::option::of(select(ADDRESSES)),
    );
    (known, vec((select(UNKNOWN), any_value()), 0..4)).prop_map(|(known, unknown)| {
        let (action, at, severity, outcome, keywords, texts, source_ip, other_ip) = known;
        let mut event = Object::new();
        set(&mut event, "event.action", action.into());
        set(&mut event, "@timestamp", at.into());
        if let Some(severity) = severity {
            set(&mut event, "event.severity", f64::from(severity).into());
        }
        if let Some(outcome) = outcome {
            set(&mut event, "event.outcome", outcome.into());
        }
        for (name, value) in keywords {
            set(&mut event, name, value);
        }
        for (name, value) in texts {
            set(&mut event, name, value.into());
        }
        if let Some(address) = source_ip {
            set(&mut event, "source.ip", address);
        }
        if let Some(address) = other_ip {
            set(&mut event, "destination.ip", address.into());
        }
        let mut changes = Vec::new();
        for (name, value) in unknown {
            match name.strip_prefix("changes.") {
                Some("field") => changes.push(change("field", select_text(&value))),
                Some(member) => changes.push(change(member, value)),
                None => set(&mut event, name, value),
            }
        }
        if !changes.is_empty() {
            set(&mut event, "changes", Value::Array(changes));
        }
        Value::Object(event)
    })
}

/// Canonical entries, as they stand in the trail.
pub fn entries() -> impl Strategy<Value = Vec<u8>> {
    events().prop_map(|event| {
        let catalogue = Catalogue::builtin();
        let defaults = Defaults { now: now(), source: Some("test"), provider: None, catalogue, mapping: None };
        admit(event, &defaults).expect("the strategy makes events that are admitted")
    })
}

/// Filters such as parsing gives.
pub fn filters() -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![
        1 => Just(Filter::All),
        2 => words().prop_map(Filter::Words),
        2 => select(TEXTS).prop_flat_map(|name| text_test().prop_map(move |test| Filter::field(name, test))),
        3 => select(KEYWORDS).prop_flat_map(|name| whole_test().prop_map(move |test| Filter::field(name, test))),
        2 => select(UNKNOWN).prop_flat_map(|name| unknown_test().prop_map(move |test| Filter::field(name, test))),
        1 => whole_test().prop_map(|test| Filter::field("user.*", test)),
        1 => select(&["user", "labels", "changes", "source.geo", "host"][..]).prop_map(|name| Filter::field(name, Test::Exists)),
        2 => select(ACTIONS).prop_map(|action| Filter::equals("event.action", action)),
        1 => Just(Filter::field("event.action", Test::Wildcard(Pattern::from_stars("credential.*")))),
        1 => select(&["success", "failure", "unknown"][..]).prop_map(|outcome| Filter::equals("event.outcome", outcome)),
        2 => severity_test().prop_map(|test| Filter::field("event.severity", test)),
        2 => time_test().prop_map(|test| Filter::field("@timestamp", test)),
        2 => ip_test().prop_map(|test| Filter::field("source.ip", test)),
        1 => ip_test().prop_map(|test| Filter::field("destination.ip", test)),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(|parts| Filter::And(flat(parts, |part| matches!(part, Filter::And(_))))),
            vec(inner.clone(), 2..4).prop_map(|parts| Filter::Or(flat(parts, |part| matches!(part, Filter::Or(_))))),
            inner.prop_map(|part| Filter::Not(Box::new(part))),
        ]
    })
}

/// Texts that look like filters, most of which are none.
pub fn filter_texts() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        4 => select(&["and", "or", "not", "(", ")", ":", ">", ">=", "<", "<=", "\"", "\\", "*", "{", "}", " ", "\\u", "=", "&&"][..])
            .prop_map(str::to_owned),
        3 => select(KEYWORDS).prop_map(str::to_owned),
        1 => select(&["event.severity", "@timestamp", "source.ip", "message", "user.nme", "event.type"][..]).prop_map(str::to_owned),
        2 => select(NAMES).prop_map(str::to_owned),
        1 => select(&["now-7d", "2026-01-01", "10.0.0.0/8", "high", "::1", "5"][..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    vec((token, prop_oneof![Just(""), Just(" ")]), 0..20)
        .prop_map(|tokens| tokens.into_iter().flat_map(|(token, space)| [token, space.to_owned()]).collect())
}

/// Takes in the parts of parts that join in the same way.
fn flat(parts: Vec<Filter>, joins: fn(&Filter) -> bool) -> Vec<Filter> {
    let taken_in = |part: Filter| match part {
        Filter::And(inner) if joins(&Filter::And(Vec::new())) => inner,
        Filter::Or(inner) if joins(&Filter::Or(Vec::new())) => inner,
        part => vec![part],
    };
    parts.into_iter().flat_map(taken_in).collect()
}

fn set(event: &mut Object<'static>, dotted: &'static str, value: Value<'static>) {
    match dotted.split_once('.') {
        None => {
            event.insert(dotted, value);
        }
        Some((head, rest)) => {
            if !matches!(event.get(head), Some(Value::Object(_))) {
                event.insert(head, Object::new());
            }
            if let Some(Value::Object(inner)) = event.get_mut(head) {
                set(inner, rest, value);
            }
        }
    }
}

fn change(member: &'static str, value: Value<'static>) -> Value<'static> {
    Value::Object([(member, value)].into_iter().collect())
}

fn select_text(value: &Value<'static>) -> Value<'static> {
    match value {
        Value::String(text) => Value::String(text.clone()),
        _ => "user.name".into(),
    }
}

fn some_names() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        4 => select(NAMES).prop_map(Value::from),
        1 => vec(select(NAMES).prop_map(Value::from), 0..3).prop_map(Value::Array),
    ]
}

fn some_addresses() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        4 => select(ADDRESSES).prop_map(Value::from),
        1 => vec(select(ADDRESSES).prop_map(Value::from), 0..3).prop_map(Value::Array),
    ]
}

fn any_value() -> impl Strategy<Value = Value<'static>> {
    let leaf = prop_oneof![
        3 => select(NAMES).prop_map(Value::from),
        2 => select(SENTENCES).prop_map(Value::from),
        1 => select(TIMES).prop_map(Value::from),
        1 => select(ADDRESSES).prop_map(Value::from),
        2 => select(&[0.0, 5.0, -1.5, 73.0, 1e21][..]).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::Array),
            vec((select(&["app", "count", "user"][..]), inner), 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => select(NAMES).prop_map(str::to_owned),
        2 => select(SENTENCES).prop_map(str::to_owned),
        1 => select(ADDRESSES).prop_map(str::to_owned),
        1 => "\\PC{0,6}",
    ]
}

fn value_with_words() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(&["login", "LOGIN failed", "failed login", "ada", "Ada.M", "the password", "войти", "rm", "var log", "5", "οδος", "db"][..])
            .prop_map(str::to_owned),
        1 => value().prop_map(|text| format!("{text} of")),
    ]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let known = select(
        &["svc-*", "*a*", "lo*", "*ED", "ad*.m", "*", "10.0.*", "*/log/*", "v*d", "*of*", "Log*twice", "д*"][..],
    );
    prop_oneof![
        4 => known.prop_filter_map("a mere star is an existence test", |text| {
            Some(Pattern::from_stars(text)).filter(|pattern| !pattern.is_any())
        }),
        1 => (value(), value()).prop_map(|(a, b)| Pattern::new([Piece::Text(a), Piece::Any, Piece::Text(format!("{b}x"))])),
    ]
}

fn whole_test() -> impl Strategy<Value = Test> {
    prop_oneof![
        1 => Just(Test::Exists),
        4 => value().prop_map(Test::Equals),
        2 => pattern().prop_map(Test::Wildcard),
    ]
}

fn text_test() -> impl Strategy<Value = Test> {
    prop_oneof![
        1 => Just(Test::Exists),
        3 => words(),
    ]
}

fn words() -> impl Strategy<Value = Test> {
    prop_oneof![
        3 => value_with_words().prop_map(Test::Equals),
        2 => value_with_words().prop_map(Test::Phrase),
        2 => pattern().prop_map(Test::Wildcard),
    ]
}

fn ops() -> impl Strategy<Value = Op> {
    select(&[Op::Gt, Op::Ge, Op::Lt, Op::Le][..])
}

fn ops_and_eq() -> impl Strategy<Value = Op> {
    select(&[Op::Eq, Op::Gt, Op::Ge, Op::Lt, Op::Le][..])
}

fn unknown_test() -> impl Strategy<Value = Test> {
    prop_oneof![
        4 => whole_test(),
        1 => select(&["0", "5", "-1.5", "73", "1e21", "TRUE", "false"][..]).prop_map(|text| Test::Equals(text.to_owned())),
        2 => (ops(), select(&[0.0, 5.0, 73.0, 1e21, -2.0][..])).prop_map(|(op, number)| Test::Compare(op, Scalar::Number(number))),
        1 => (ops(), when()).prop_map(|(op, when)| Test::Compare(op, Scalar::Date(when))),
    ]
}

fn severity_test() -> impl Strategy<Value = Test> {
    let scalar = prop_oneof![
        select(&Severity::ALL[..]).prop_map(Scalar::Severity),
        (0_u8..=100).prop_map(|number| Scalar::Number(number.into())),
        Just(Scalar::Number(49.5)),
    ];
    prop_oneof![
        6 => (ops_and_eq(), scalar).prop_map(|(op, scalar)| Test::Compare(op, scalar)),
        1 => Just(Test::Exists),
    ]
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        select(TIMES).prop_map(|text| When::At(text.parse().expect("a time"))),
        select(&["2026-06-15", "2026-06-14", "2026-05-31", "2025-12-31"][..])
            .prop_map(|text| When::Day(text.parse().expect("a day"))),
        (select(&[-1, -7, -30, 2][..]), select(&Unit::ALL[..]), proptest::option::of(select(&Unit::ALL[..])))
            .prop_map(|(offset, unit, round)| When::Now { offset, unit, round }),
        Just(When::Now { offset: 0, unit: Unit::Second, round: None }),
        (select(TIMES), select(TIMES))
            .prop_map(|(from, to)| { When::Between(from.parse().expect("a time"), to.parse().expect("a time")) }),
    ]
}

fn time_test() -> impl Strategy<Value = Test> {
    (ops_and_eq(), when()).prop_map(|(op, when)| Test::Compare(op, Scalar::Date(when)))
}

fn ip_test() -> impl Strategy<Value = Test> {
    let net = select(
        &["10.0.0.5/32", "10.0.0.0/8", "10.0.0.0/24", "0.0.0.0/0", "2001:db8::/32", "::/0", "2001:db8::1/128"][..],
    );
    prop_oneof![
        4 => net.prop_map(|text| Test::Cidr(text.parse().expect("a network"))),
        1 => Just(Test::Wildcard(Pattern::from_stars("10.0.*"))),
        1 => Just(Test::Exists),
    ]
}

/// The name of a field, known or not.
pub fn field_names() -> impl Strategy<Value = FieldName> {
    prop_oneof![select(KEYWORDS), select(TEXTS), select(UNKNOWN)].prop_map(FieldName::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Event;
    use crate::filter::{matches, parse};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_is_printed_parses_to_the_same(filter in filters()) {
            let text = filter.to_string();
            if text.len() <= crate::filter::BYTES_MAX {
                let parsed = parse(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
                prop_assert_eq!(&parsed, &filter, "{}", text);
            }
        }

        #[test]
        fn parsing_never_panics_and_printing_is_stable(text in filter_texts()) {
            match parse(&text) {
                Ok(filter) => {
                    let printed = filter.to_string();
                    let again = parse(&printed).map_err(|error| TestCaseError::fail(format!("{text} -> {printed}: {error}")))?;
                    prop_assert_eq!(again, filter, "{} -> {}", text, printed);
                }
                Err(error) => {
                    prop_assert!(text.get(error.offset..error.offset + error.length).is_some(), "{:?} {:?}", text, error);
                }
            }
        }

        #[test]
        fn any_text_can_be_tried(text in "\\PC{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn a_filter_fixed_at_the_time_of_coming_in_picks_the_same(entry in entries(), filter in filters()) {
            let event = Event::read(&entry).expect("an entry");
            prop_assert_eq!(matches(&filter, &event), matches(&filter.at(now()), &event));
        }

        #[test]
        fn required_actions_are_required(entry in entries(), filter in filters()) {
            let event = Event::read(&entry).expect("an entry");
            if let Some(actions) = filter.required_actions()
                && matches(&filter, &event)
            {
                prop_assert!(actions.iter().any(|action| action == event.action()), "{} {:?}", filter, actions);
            }
        }
    }

    #[test]
    fn filters_and_entries_meet() {
        use proptest::strategy::ValueTree;
        use proptest::test_runner::TestRunner;

        let mut runner = TestRunner::deterministic();
        let mut picked = 0;
        for _ in 0..500 {
            let entry = entries().new_tree(&mut runner).expect("a tree").current();
            let filter = filters().new_tree(&mut runner).expect("a tree").current();
            picked += usize::from(matches(&filter, &Event::read(&entry).expect("an entry")));
        }
        assert!((100..400).contains(&picked), "{picked} of 500 were picked");
    }
}
