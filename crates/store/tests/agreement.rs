//! The store finds exactly what the matcher picks: whatever is indexed, applied, or only in the
//! trail; in pages, counts, summaries and values.

#![allow(
    clippy::unwrap_used,
    clippy::type_complexity,
    clippy::cloned_ref_to_slice_refs,
    reason = "a test that can't go on fails, and may be a little wasteful"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use event::filter::{Matcher, Pattern, Test};
use event::strategies::{entries, field_names, filters, now};
use event::words::fold;
use event::{Event, Filter, Value};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use store::{By, Count, Order, Paging, Query, Span, Store, StoreError};

use support::{Memory, open};

/// What is not usual, but may be in a trail.
fn odd() -> impl Strategy<Value = Vec<u8>> {
    let long = "x".repeat(130);
    let longer = format!("{}{}", "Word ".repeat(40), "y".repeat(90));
    let path = "p".repeat(450);
    let odd: Vec<String> = vec![
        "{}".into(),
        "no event".into(),
        r#"{"@timestamp":"soon"}"#.into(),
        r#"{"@timestamp":["2026-06-15T00:00:00Z","2026-06-14T00:00:00Z"],"user":{"name":"root"}}"#.into(),
        r#"{"@timestamp":"2026-06-15T00:00:00Z","event":{"ingested":"2026-06-15T12:00:00.5Z","type":"door.opened"}}"#.into(),
        r#"{"@timestamp":"2026-06-08T10:00:00Z","event":{"id":"0194-ABCD","original":"Jun 8 host sshd[5]: Failed login of Ada.M from 10.0.0.5"},"host":{"ip":["10.0.0.5","0:0:0:0:0:ffff:10.0.0.5"]}}"#.into(),
        format!(r#"{{"@timestamp":"2026-06-08T10:00:00Z","labels":{{"app":"{long}"}},"message":"Login {long}"}}"#),
        format!(r#"{{"@timestamp":"2026-06-08T10:00:00Z","labels":{{"app":"{longer}"}},"user":{{"name":["Root","root",5,true]}}}}"#),
        format!(r#"{{"@timestamp":"2026-06-08T10:00:00Z","{path}":"root","user":{{"name":"root"}}}}"#),
        r#"{"@timestamp":"2026-06-08T10:00:00Z","message":[5,true,"Login"],"user":{"name":[["a b"],{"x":"root"}]}}"#.into(),
        r#"{"@timestamp":"2026-06-08T10:00:00Z","labels":{"app":"a\u0000b","count":-0.5},"":"root"}"#.into(),
        r#"{"@timestamp":"2026-06-15T10:00:00Z","event":{"id":"0194abcd-12ab-4fcb-8aaa-deadbeef0123"},"labels":{"app":"job 1763761850 of 4FCB1234"}}"#.into(),
        r#"{"@timestamp":"2026-06-15T10:00:01Z","event":{"id":"0194abcd-12ab-4fcb-8aaa-deadbeef0124"},"labels":{"app":"job 1763761851 of 4fcb1235"}}"#.into(),
    ];
    select(odd).prop_map(String::into_bytes)
}

fn more_filters() -> impl Strategy<Value = Filter> {
    let long = "X".repeat(130);
    let text = |text: &str| Filter::Words(Test::Equals(text.to_owned()));
    let stars = |text: &str| Pattern::from_stars(text);
    let unusual = vec![
        Filter::equals("event.id", "0194-abcd"),
        Filter::field("event.id", Test::Wildcard(stars("0194*"))),
        Filter::field("event.original", Test::Wildcard(stars("*sshd*"))),
        Filter::equals("labels.app", long.clone()),
        Filter::field("labels.app", Test::Wildcard(stars("x*x"))),
        Filter::field("labels.app", Test::Wildcard(stars("word*"))),
        Filter::Not(Box::new(Filter::equals("labels.app", "x".repeat(129)))),
        text(&long),
        Filter::Words(Test::Wildcard(stars("xxx*"))),
        Filter::Words(Test::Wildcard(stars("*y"))),
        Filter::Words(Test::Wildcard(stars("*sshd[5]*"))),
        Filter::Words(Test::Phrase("Failed LOGIN".into())),
        Filter::Words(Test::Phrase("login".into())),
        text("2026"),
        text("12"),
        text("10 5"),
        Filter::field("host.ip", Test::Cidr("10.0.0.0/30".parse().unwrap())),
        Filter::field("*", Test::Exists),
        Filter::field("*.name", Test::Equals("5".into())),
        Filter::field("*", Test::Equals("TRUE".into())),
        Filter::field("user.name", Test::Equals("5.0".into())),
        Filter::field("message", Test::Equals("5".into())),
        Filter::field("message", Test::Exists),
        Filter::field("user", Test::Exists),
        Filter::field("event.ingested", Test::Exists),
        Filter::Not(Box::new(Filter::field("@timestamp", Test::Exists))),
        Filter::equals("labels.app", "a\0b"),
        text("4fcb1234"),
        text("0194ABCD deadbeef0123"),
        text("1763761850"),
        Filter::Words(Test::Phrase("job 1763761851".into())),
        Filter::Words(Test::Wildcard(stars("176*"))),
        Filter::Words(Test::Wildcard(stars("*beef*"))),
        Filter::Words(Test::Wildcard(stars("4FC*5"))),
        Filter::Not(Box::new(Filter::Words(Test::Wildcard(stars("4*"))))),
        Filter::field("event.id", Test::Wildcard(stars("*0123"))),
        Filter::And(vec![]),
        Filter::Or(vec![]),
    ];
    prop_oneof![
        6 => filters(),
        1 => select(unusual.clone()),
        1 => (filters(), select(unusual)).prop_map(|(a, b)| Filter::And(vec![a, Filter::Not(Box::new(b))])),
        1 => (field_names(), select(vec!["root", "ada.m", "true", "5"])).prop_map(|(field, value)| Filter::equals(field.as_str(), value)),
    ]
}

/// What one case asks.
#[derive(Debug, Clone)]
struct Ask {
    filter: Filter,
    visibility: Option<Filter>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    limit: usize,
    fields: Vec<&'static str>,
    span: Option<Span>,
    /// How much of the trail, in percent.
    size: usize,
}

fn asks() -> impl Strategy<Value = Ask> {
    let moment = || {
        prop_oneof![
            3 => Just(None),
            1 => select(vec![
                "2026-06-15T11:59:59.999999999Z", "2026-06-15T00:00:00Z", "2026-06-08T10:00:00Z", "2026-06-01T00:00:00Z",
                "2026-01-01T00:30:00Z", "1970-01-01T00:00:00Z", "2026-05-31T22:00:00.000000001Z",
            ])
            .prop_map(|text| Some(text.parse::<Timestamp>().unwrap())),
        ]
    };
    let fields = select(vec![
        vec![],
        vec!["event.action"],
        vec!["user.name"],
        vec!["event.severity"],
        vec!["labels.app"],
        vec!["user.roles"],
        vec!["event.action", "user.name"],
        vec!["labels.count", "labels.app"],
        vec!["source.ip"],
        vec!["nothing"],
    ]);
    let size = prop_oneof![3 => Just(100), 1 => 0_usize..=100];
    (
        more_filters(),
        prop_oneof![3 => Just(None), 1 => filters().prop_map(Some)],
        moment(),
        moment(),
        prop_oneof![1 => Just(1), 12 => select(vec![5, 17, 60, 1000])],
        fields,
        prop_oneof![1 => Just(None), 1 => select(vec![Some(Span::Day), Some(Span::Week), Some(Span::Month)])],
        size,
    )
        .prop_map(|(filter, visibility, from, to, limit, fields, span, size)| Ask {
            filter,
            visibility,
            from,
            to,
            limit,
            fields,
            span,
            size,
        })
}

/// A trail, how it was fed to the store, and what is asked.
#[derive(Debug, Clone)]
struct Case {
    entries: Vec<Vec<u8>>,
    /// How many entries are applied at a time, and whether a commit follows.
    steps: Vec<(usize, bool)>,
    asks: Vec<Ask>,
}

fn cases() -> impl Strategy<Value = Case> {
    let entry = prop_oneof![12 => entries(), 1 => odd()];
    let steps = vec((1_usize..40, prop::bool::weighted(0.6)), 1..8);
    (vec(entry, 1..160), steps, vec(asks(), 200)).prop_map(|(entries, steps, asks)| Case { entries, steps, asks })
}

/// The answer without an index: (time, position) of every event that is meant, oldest first.
fn meant(trail: &[Vec<u8>], ask: &Ask) -> Vec<(Timestamp, u64)> {
    let filter = Matcher::new(&ask.filter.at(now()));
    let visibility = ask.visibility.as_ref().map(|visibility| Matcher::new(&visibility.at(now())));
    let mut meant: Vec<(Timestamp, u64)> = (0..)
        .zip(trail)
        .filter_map(|(position, entry)| {
            let event = Event::read(entry).ok()?;
            let time = event.timestamp();
            let within = ask.from.is_none_or(|from| from <= time) && ask.to.is_none_or(|to| time < to);
            let picked = within
                && filter.matches(&event)
                && visibility.as_ref().is_none_or(|visibility| visibility.matches(&event));
            picked.then_some((time, position))
        })
        .collect();
    meant.sort_unstable();
    meant
}

fn groups(event: &Event<'_>, fields: &[&str]) -> BTreeSet<Vec<String>> {
    let mut keys = BTreeSet::from([Vec::new()]);
    for field in fields {
        let mut values = BTreeSet::new();
        event.values(field, &mut |value| {
            values.insert(match value {
                Value::String(text) => fold(text).into_owned(),
                Value::Number(number) => (number + 0.0).to_string(),
                Value::Bool(bool) => bool.to_string(),
                _ => unreachable!("no leaf"),
            });
        });
        keys = keys.iter().flat_map(|key| values.iter().map(|value| [&key[..], &[value.clone()]].concat())).collect();
    }
    keys
}

fn check(store: &Store, trail: &[Vec<u8>], ask: &Ask) -> Result<(), TestCaseError> {
    let size = trail.len() * ask.size / 100;
    let trail = &trail[..size];
    let size = size as u64;
    let query = Query::new(&ask.filter, now()).between(ask.from, ask.to).visible(ask.visibility.as_ref());
    let expected = meant(trail, ask);

    for order in [Order::Newest, Order::Oldest] {
        let mut expected = expected.clone();
        if order == Order::Newest {
            expected.reverse();
        }
        let mut paging = Paging { order, limit: ask.limit, cursor: None };
        let mut found = Vec::new();
        loop {
            let page = store.search(&query, &paging, size).unwrap();
            prop_assert_eq!(page.stopped, None);
            prop_assert!(page.hits.len() <= ask.limit);
            for hit in &page.hits {
                prop_assert_eq!(&hit.entry, &trail[hit.position as usize]);
            }
            found.extend(page.hits.iter().map(|hit| (hit.time, hit.position)));
            match page.next {
                Some(next) => paging.cursor = Some(next.to_string().parse().unwrap()),
                None => break,
            }
            prop_assert_eq!(page.hits.len(), ask.limit);
        }
        prop_assert_eq!(&found, &expected, "{:?} {}", order, ask.filter);

        let mut scanned = Vec::new();
        let stopped = store.scan(&query, order, size, &mut |hit| {
            scanned.push((hit.time, hit.position));
            ControlFlow::Continue(())
        });
        prop_assert_eq!(stopped.unwrap(), None);
        prop_assert_eq!(&scanned, &expected);
    }

    prop_assert_eq!(store.count(&query, size).unwrap(), Count { count: expected.len() as u64, stopped: None });

    let by = By { fields: &ask.fields, top: 1000, span: ask.span, zone: TimeZone::UTC };
    let summary = match store.count_by(&query, &by, size) {
        // An event of 1970 makes for many days.
        Err(StoreError::TooManySpans { .. }) => return Ok(()),
        summary => summary.unwrap(),
    };
    prop_assert_eq!((summary.total, summary.stopped, summary.approximate), (expected.len() as u64, None, false));
    let mut counts: BTreeMap<Vec<String>, (u64, Timestamp, Timestamp)> = BTreeMap::new();
    for (time, position) in &expected {
        let event = Event::read(&trail[*position as usize]).unwrap();
        if !ask.fields.is_empty() {
            for key in groups(&event, &ask.fields) {
                let row = counts.entry(key).or_insert((0, *time, *time));
                *row = (row.0 + 1, row.1.min(*time), row.2.max(*time));
            }
        }
    }
    let rows: BTreeMap<Vec<String>, (u64, Timestamp, Timestamp)> = summary
        .rows
        .iter()
        .map(|row| (row.keys.iter().map(|key| fold(key).into_owned()).collect(), (row.count, row.first, row.last)))
        .collect();
    prop_assert_eq!(&rows, &counts, "{:?} {}", ask.fields, ask.filter);
    prop_assert_eq!(summary.groups, rows.len() as u64);
    prop_assert!(summary.rows.is_sorted_by(|a, b| a.count >= b.count));
    if ask.span.is_some() && !expected.is_empty() {
        prop_assert_eq!(summary.buckets.iter().map(|bucket| bucket.count).sum::<u64>(), expected.len() as u64);
        for (at, row) in summary.rows.iter().enumerate() {
            prop_assert_eq!(summary.buckets.iter().map(|bucket| bucket.by[at]).sum::<u64>(), row.count);
        }
        for pair in summary.buckets.windows(2) {
            let within =
                expected.iter().filter(|(time, _)| pair[0].from <= *time && *time < pair[1].from).count() as u64;
            prop_assert_eq!(pair[0].count, within);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 30, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_finds_what_the_matcher_picks(case in cases()) {
        let dir = support::scratch();
        let trail = Arc::new(Memory::default());
        trail.append(&case.entries);
        let store = open(dir.path(), &trail);
        for (count, commit) in &case.steps {
            let first = store.indexed_to() as usize;
            let next = (first + count).min(case.entries.len());
            let batch: Vec<&[u8]> = case.entries[first..next].iter().map(Vec::as_slice).collect();
            store.apply(first as u64, &batch).unwrap();
            if *commit {
                store.commit().unwrap();
            }
        }
        for ask in &case.asks {
            check(&store, &case.entries, ask)?;
        }
    }
}

#[test]
fn values_are_those_of_the_events() {
    let dir = support::scratch();
    let trail = Arc::new(Memory::default());
    let event = |name: &str, outcome: &str| {
        format!(r#"{{"@timestamp":"2026-06-08T10:00:00Z","event":{{"outcome":"{outcome}"}},"user":{{"name":{name}}}}}"#)
            .into_bytes()
    };
    trail.append(&[
        event("\"Alice\"", "success"),
        event("\"alice\"", "failure"),
        event("[\"albert\",\"bob\"]", "success"),
        event("5", "success"),
    ]);
    let store = open(dir.path(), &trail);
    let check = |filter: &str, prefix: &str, expected: &[(&str, u64)]| {
        let filter = event::filter::parse(filter).unwrap();
        let found = store.values(&Query::new(&filter, now()), "user.name", prefix, 10, 4).unwrap();
        let found: Vec<_> = found.values.iter().map(|value| (value.value.to_lowercase(), value.count)).collect();
        assert_eq!(found, expected.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect::<Vec<_>>());
    };
    for _ in 0..3 {
        check("", "", &[("alice", 2), ("5", 1), ("albert", 1), ("bob", 1)]);
        check("", "AL", &[("alice", 2), ("albert", 1)]);
        check("event.outcome: success", "al", &[("albert", 1), ("alice", 1)]);
        check("", "z", &[]);
        support::follow(&store, &trail, 2);
        store.commit().unwrap();
    }
}
