//! Reads are bounded in rows, time and memory, and can be cancelled; and they never wait for the
//! writer.

#![allow(
    clippy::unwrap_used,
    clippy::type_complexity,
    clippy::cloned_ref_to_slice_refs,
    reason = "a test that can't go on fails, and may be a little wasteful"
)]

mod support;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use event::Filter;
use jiff::Timestamp;
use store::{Budget, By, Entries, LIMIT_MAX, Order, Paging, Query, Span, Stopped, Store, StoreError};
use support::{Memory, follow, open};

fn entry(n: usize) -> Vec<u8> {
    format!(
        r#"{{"@timestamp":"2026-11-{:02}T10:00:{:02}Z","event":{{"action":"a"}},"message":"number {n} of many","user":{{"name":"u{n}"}}}}"#,
        n / 600 % 28 + 1,
        n % 60
    )
    .into_bytes()
}

fn filled(size: usize) -> (tempfile::TempDir, Arc<Memory>, Store) {
    let dir = support::scratch();
    let trail = Arc::new(Memory::default());
    trail.append(&(0..size).map(entry).collect::<Vec<_>>());
    let store = open(dir.path(), &trail);
    (dir, trail, store)
}

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

#[test]
fn a_page_is_never_larger_than_the_largest() {
    let (_dir, trail, store) = filled(1_500);
    follow(&store, &trail, 700);
    store.commit().unwrap();
    for (limit, expected) in [(0, 1), (1, 1), (LIMIT_MAX, LIMIT_MAX), (usize::MAX, LIMIT_MAX)] {
        let page = store.search(&Query::new(&Filter::All, NOW), &Paging { limit, ..Paging::default() }, 1_500).unwrap();
        assert_eq!(page.hits.len(), expected);
        assert!(page.next.is_some());
    }
}

#[test]
fn a_deadline_and_a_change_of_mind_are_told() {
    let (_dir, trail, store) = filled(3_000);
    follow(&store, &trail, 2_000);
    store.commit().unwrap();
    let filter: Filter = "message: \"of many\"".parse().unwrap();
    let cancelled = Arc::new(AtomicBool::new(true));
    let late = Budget { deadline: Some(Instant::now()), cancel: None };
    let unwanted = Budget { deadline: None, cancel: Some(Arc::clone(&cancelled)) };
    for (budget, expected) in [(late, Stopped::Deadline), (unwanted, Stopped::Cancelled)] {
        let query = Query::new(&filter, NOW).within(budget);
        let page = store.search(&query, &Paging { limit: 10, ..Paging::default() }, 3_000).unwrap();
        assert_eq!((page.stopped, page.next), (Some(expected), None));
        assert_eq!(store.count(&query, 3_000).unwrap().stopped, Some(expected));
        let by = By::fields(&["user.name"], 5).and_span(Span::Day);
        assert_eq!(store.count_by(&query, &by, 3_000).unwrap().stopped, Some(expected));
        assert_eq!(store.values(&query, "user.name", "", 5, 3_000).unwrap().stopped, Some(expected));
        assert_eq!(
            store.scan(&query, Order::Oldest, 3_000, &mut |_| ControlFlow::Continue(())).unwrap(),
            Some(expected)
        );
    }
    cancelled.store(false, Ordering::Relaxed);
    let budget = Budget { deadline: Some(Instant::now() + Duration::from_secs(600)), cancel: Some(cancelled) };
    let query = Query::new(&filter, NOW).within(budget);
    assert_eq!(store.count(&query, 3_000).unwrap(), store::Count { count: 3_000, stopped: None });
}

#[test]
fn what_cannot_be_counted_by_is_refused() {
    let (_dir, _trail, store) = filled(1);
    let query = Query::new(&Filter::All, NOW);
    for field in ["message", "@timestamp", "event.ingested", "event.original", ""] {
        let error = store.count_by(&query, &By::fields(&[field], 5), 1).unwrap_err();
        assert!(matches!(error, StoreError::NotCountable { .. }), "{field}: {error}");
        assert!(!store::is_countable(field));
    }
    let hours = By::fields(&[], 0).and_span(Span::Hours(1));
    let query = query.between("1990-01-01T00:00:00Z".parse::<Timestamp>().unwrap(), None);
    let error = store.count_by(&query, &hours, 1).unwrap_err();
    assert_eq!(error.to_string(), "the stretch holds more than 5000 spans; choose longer spans or a shorter stretch");
}

#[test]
fn buckets_cover_the_stretch_that_was_asked_for() {
    let (_dir, trail, store) = filled(1_200);
    follow(&store, &trail, 1_000);
    store.commit().unwrap();
    let moment = |text: &str| text.parse::<Timestamp>().unwrap();
    let query = Query::new(&Filter::All, NOW).between(moment("2026-10-30T00:00:00Z"), moment("2026-11-04T00:00:00Z"));
    let summary = store.count_by(&query, &By::fields(&["event.action"], 5).and_span(Span::Day), 1_200).unwrap();
    let counts: Vec<u64> = summary.buckets.iter().map(|bucket| bucket.count).collect();
    assert_eq!(counts, [0, 0, 600, 600, 0]);
    assert!(summary.buckets.iter().all(|bucket| bucket.by == [bucket.count]));
    let row = &summary.rows[0];
    assert_eq!((row.keys.as_slice(), row.count), (&["a".to_owned()][..], 1_200));
    assert_eq!((row.first, row.last), (moment("2026-11-01T10:00:00Z"), moment("2026-11-02T10:00:59Z")));
}

#[test]
fn reads_and_writes_go_on_side_by_side() {
    let (_dir, trail, store) = filled(0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for order in [Order::Newest, Order::Oldest] {
            let (store, trail, done) = (&store, &trail, &done);
            scope.spawn(move || {
                let mut rounds = 0;
                while !done.load(Ordering::Relaxed) || rounds == 0 {
                    let size = trail.size();
                    let query = Query::new(&Filter::All, NOW);
                    assert_eq!(store.count(&query, size).unwrap().count, size);
                    let summary = store.count_by(&query, &By::fields(&["user.name"], 3), size).unwrap();
                    assert_eq!((summary.total, summary.groups), (size, size));
                    let page = store.search(&query, &Paging { order, limit: 20, cursor: None }, size).unwrap();
                    assert_eq!(page.hits.len() as u64, size.min(20));
                    rounds += 1;
                }
            });
        }
        for n in 0..60 {
            trail.append(&(n * 20..(n + 1) * 20).map(entry).collect::<Vec<_>>());
            if n % 3 != 0 {
                follow(&store, &trail, 33);
            }
            if n % 5 == 0 {
                store.commit().unwrap();
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    store.settle().unwrap();
    assert_eq!(store.count(&Query::new(&Filter::All, NOW), trail.size()).unwrap().count, 1_200);
    assert!(trail.read_from(1_200, 1).unwrap().is_empty());
}
