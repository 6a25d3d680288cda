//! What is on disk is put right by opening it: after a crash at any moment, with folders missing or
//! damaged, or when the trail was put back.

#![allow(
    clippy::unwrap_used,
    clippy::type_complexity,
    clippy::cloned_ref_to_slice_refs,
    reason = "a test that can't go on fails, and may be a little wasteful"
)]

mod support;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use event::Filter;
use jiff::Timestamp;
use store::{By, Order, Paging, Query, Store};
use support::{Memory, follow, open};

/// Event `n` of a trail in which the months take turns, in runs.
fn entry(n: usize) -> Vec<u8> {
    let month = [11, 10, 11, 9, 11, 10][n / 7 % 6];
    format!(
        r#"{{"@timestamp":"2026-{month:02}-10T10:{:02}:{:02}Z","event":{{"action":"a{}"}}{},"n":{n}}}"#,
        n / 60 % 60,
        n % 60,
        n % 3,
        if n == 25 || n == 151 { r#","mark":"xyzzy""# } else { "" }
    )
    .into_bytes()
}

fn trail(size: usize) -> Arc<Memory> {
    let trail = Arc::new(Memory::default());
    trail.append(&(0..size).map(entry).collect::<Vec<_>>());
    trail
}

/// Every event is found, once.
fn check(store: &Store, trail: &Memory) {
    let size = trail.size();
    let now = Timestamp::UNIX_EPOCH;
    let mut found = Vec::new();
    let all = Query::new(&Filter::All, now);
    store
        .scan(&all, Order::Newest, size, &mut |hit| {
            found.push(hit.position);
            ControlFlow::Continue(())
        })
        .unwrap();
    found.sort_unstable();
    assert_eq!(found, (0..size).collect::<Vec<_>>());
    let summary = store.count_by(&all, &By::fields(&["event.action"], 10), size).unwrap();
    let counts: BTreeMap<&str, u64> = summary.rows.iter().map(|row| (row.keys[0].as_str(), row.count)).collect();
    for rest in 0..3 {
        let expected = (0..size).filter(|n| n % 3 == rest).count() as u64;
        assert_eq!(counts.get(format!("a{rest}").as_str()).copied().unwrap_or(0), expected);
        let filter = Filter::equals("event.action", format!("A{rest}"));
        assert_eq!(store.count(&Query::new(&filter, now), size).unwrap().count, expected);
    }
}

/// A copy of a folder as a crash would leave it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else if let Ok(bytes) = std::fs::read(&path) {
            std::fs::write(target, bytes).unwrap();
        }
    }
}

#[test]
fn a_crash_between_any_two_steps_loses_and_doubles_nothing() {
    let trail = trail(400);
    let dir = support::scratch();
    let store = open(dir.path(), &trail);
    for step in 0..9 {
        follow(&store, &trail, 23 + step);
        if step % 3 == 2 {
            store.commit().unwrap();
        }
        // What is on disk now is what a crash leaves.
        let crashed = support::scratch();
        copy(dir.path(), crashed.path());
        let again = open(crashed.path(), &trail);
        check(&again, &trail);
        while again.indexed_to() < trail.size() {
            follow(&again, &trail, 50);
        }
        check(&again, &trail);
        again.commit().unwrap();
        check(&again, &trail);
        drop(again);
        let opened = open(crashed.path(), &trail);
        assert_eq!(opened.indexed_to(), trail.size());
        check(&opened, &trail);
    }
}

#[test]
fn a_manifest_from_before_the_months_were_committed_doubles_nothing() {
    let trail = trail(300);
    let dir = support::scratch();
    let store = open(dir.path(), &trail);
    follow(&store, &trail, 80);
    store.commit().unwrap();
    let before = std::fs::read(dir.path().join("index.json")).unwrap();
    follow(&store, &trail, 80);
    store.commit().unwrap();
    drop(store);
    std::fs::write(dir.path().join("index.json"), before).unwrap();
    let store = open(dir.path(), &trail);
    assert_eq!(store.indexed_to(), 80);
    check(&store, &trail);
    follow(&store, &trail, 300);
    store.commit().unwrap();
    check(&store, &trail);
}

/// Empties the files of the segments in the folder of a month that are chosen.
fn each_file(month: &Path, choose: &dyn Fn(&Path) -> Option<()>) {
    for segment in std::fs::read_dir(month).unwrap() {
        for file in std::fs::read_dir(segment.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if choose(&path).is_some() {
                std::fs::write(path, "").unwrap();
            }
        }
    }
}

#[test]
fn what_is_missing_or_damaged_comes_back() {
    let trail = trail(300);
    let damage: [(&str, fn(&Path)); 6] = [
        ("the whole folder", |dir| std::fs::remove_dir_all(dir).unwrap()),
        ("a month", |dir| std::fs::remove_dir_all(dir.join("2026-10")).unwrap()),
        ("the manifest", |dir| std::fs::remove_file(dir.join("index.json")).unwrap()),
        ("a torn manifest", |dir| std::fs::write(dir.join("index.json"), "{\"ver").unwrap()),
        ("the description of a segment", |dir| {
            each_file(&dir.join("2026-11"), &|path| path.ends_with("meta.json").then_some(()))
        }),
        ("a segment", |dir| {
            each_file(&dir.join("2026-11"), &|path| (path.extension()? == "term").then_some(()));
        }),
    ];
    for (what, damage) in damage {
        let dir = support::scratch();
        let index = dir.path().join("index");
        let store = open(&index, &trail);
        follow(&store, &trail, 300);
        store.commit().unwrap();
        assert_eq!(store.indexed_to(), 300);
        drop(store);
        damage(&index);
        let store = open(&index, &trail);
        assert!(store.indexed_to() < 300, "{what}");
        check(&store, &trail);
        follow(&store, &trail, 300);
        store.commit().unwrap();
        check(&store, &trail);
    }
}

#[test]
fn what_is_forgotten_is_in_no_file_any_more() {
    let trail = trail(300);
    let dir = support::scratch();
    let store = open(dir.path(), &trail);
    follow(&store, &trail, 300);
    let marked = Filter::equals("mark", "xyzzy");
    let forgotten = [20..40_u64, 151..152];
    trail.remove(&forgotten);
    store.forget(&forgotten).unwrap();
    let now = Timestamp::UNIX_EPOCH;
    let all = store.count(&Query::new(&Filter::All, now), 300).unwrap().count;
    assert_eq!(all, 279);
    assert_eq!(store.count(&Query::new(&marked, now), 300).unwrap().count, 0);
    let summary = store.count_by(&Query::new(&Filter::All, now), &By::fields(&["event.action"], 10), 300).unwrap();
    assert_eq!(summary.rows.iter().map(|row| row.count).sum::<u64>(), 279);
    let mut files = vec![dir.path().to_owned()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if let Ok(bytes) = std::fs::read(&path) {
            assert!(!bytes.windows(5).any(|window| window == b"xyzzy"), "{}", path.display());
        }
    }
    drop(store);
    let store = open(dir.path(), &trail);
    assert_eq!(store.count(&Query::new(&Filter::All, now), 300).unwrap().count, 279);
}

#[test]
fn an_index_ahead_of_its_trail_is_made_again() {
    let trail = trail(200);
    let dir = support::scratch();
    let store = open(dir.path(), &trail);
    follow(&store, &trail, 200);
    store.commit().unwrap();
    drop(store);
    trail.truncate(150);
    trail.append(&[entry(0)]);
    trail.truncate(150);
    let store = open(dir.path(), &trail);
    assert_eq!(store.indexed_to(), 0);
    check(&store, &trail);
}

#[test]
fn a_rebuilt_index_finds_the_same_and_tells_how_far_it_is() {
    let trail = trail(250);
    let dir = support::scratch();
    let store = open(dir.path(), &trail);
    follow(&store, &trail, 100);
    let mut seen = Vec::new();
    store
        .rebuild(250, &mut |progress| {
            seen.push(progress.done);
            assert_eq!(progress.total, 250);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((seen.first(), seen.last()), (Some(&0), Some(&250)));
    check(&store, &trail);
    assert_eq!(store.health().indexed_to, 250);
}

#[test]
fn entries_must_come_in_order() {
    let trail = trail(10);
    let dir = support::scratch();
    let store = open(dir.path(), &trail);
    let error = store.apply(3, &[&entry(3)]).unwrap_err();
    assert_eq!(error.to_string(), "the index wants the entry at position 0 next, not 3");
    follow(&store, &trail, 10);
    check(&store, &trail);
}

#[test]
fn many_small_commits_are_joined_and_nothing_is_lost() {
    let trail = trail(600);
    let dir = support::scratch();
    let store = open(dir.path(), &trail);
    while store.indexed_to() < 600 {
        follow(&store, &trail, 10);
        store.commit().unwrap();
        check(&store, &trail);
    }
    store.settle().unwrap();
    check(&store, &trail);
    let health = store.health();
    assert_eq!((health.months, health.documents), (3, 600));
    assert!(health.segments < 3 * 16, "{health:?}");
    let page = store
        .search(&Query::new(&Filter::All, Timestamp::UNIX_EPOCH), &Paging { limit: 5, ..Paging::default() }, 600)
        .unwrap();
    assert_eq!(page.hits.len(), 5);
}
