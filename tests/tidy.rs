//! The house rules that a compiler does not hold: who may import whom, and what no file may contain.

use std::fs;
use std::path::{Path, PathBuf};

/// The crates of ours that each crate may depend on, as ARCHITECTURE.md draws them.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("event", &[]),
    ("trail", &[]),
    ("wire", &["event"]),
    ("rules", &["event"]),
    ("store", &["event"]),
    ("api", &["event", "trail"]),
    ("server", &["api", "event", "rules", "store", "trail", "wire"]),
];
/// What the binary may depend on; `event` gives it the catalogue and the filter language.
const BINARY_MAY_IMPORT: &[&str] = &["api", "event", "server", "trail", "wire"];

const ROOMS: &[&str] = &["ingest", "report", "notify", "detect", "session", "access", "keep"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![dir.to_path_buf()];
    while let Some(dir) = waiting.pop() {
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() {
                if !["target", "node_modules", ".git", "dist", ".run"].contains(&name.to_str().unwrap_or("")) {
                    waiting.push(path);
                }
            } else if path.extension().is_some_and(|e| e == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn section<'a>(manifest: &'a str, header: &str) -> &'a str {
    let Some(start) = manifest.find(&format!("\n[{header}]\n")) else { return "" };
    let rest = &manifest[start + header.len() + 4..];
    &rest[..rest.find("\n[").unwrap_or(rest.len())]
}

fn dependencies_of_ours(manifest: &str) -> Vec<String> {
    let ours: Vec<&str> = MAY_IMPORT.iter().map(|(name, _)| *name).collect();
    section(manifest, "dependencies")
        .lines()
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| ours.contains(name))
        .map(str::to_owned)
        .collect()
}

#[test]
fn crates_import_only_what_they_may() {
    for (name, allowed) in MAY_IMPORT {
        let manifest = fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
        for dependency in dependencies_of_ours(&manifest) {
            assert!(allowed.contains(&dependency.as_str()), "crate {name} must not import {dependency}");
        }
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for dependency in dependencies_of_ours(&manifest) {
        assert!(BINARY_MAY_IMPORT.contains(&dependency.as_str()), "the binary must not import {dependency}");
    }
}

#[test]
fn rooms_meet_in_state_and_trail_only() {
    let src = root().join("crates/server/src");
    for file in files(&src, "rs") {
        let relative = file.strip_prefix(&src).unwrap().to_string_lossy().into_owned();
        let own = relative.split(['/', '.']).next().unwrap_or("").to_owned();
        let text = fs::read_to_string(&file).unwrap();
        let inside_room = ROOMS.contains(&own.as_str());
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            // Who asks is what every room may know.
            if line.starts_with("//")
                || !line.contains("crate::")
                || line.starts_with("use crate::access::Subject;")
                || relative.ends_with("tests.rs")
            {
                continue;
            }
            let place = format!("{relative}:{}", number + 1);
            if inside_room {
                assert!(!line.contains("crate::http"), "{place}: a room must not know http");
                for room in ROOMS.iter().filter(|room| **room != own) {
                    assert!(
                        !line.contains(&format!("crate::{room}")),
                        "{place}: room {own} must not import room {room}"
                    );
                }
            }
            if own == "state" {
                for above in ROOMS.iter().chain(&["http", "append", "follow"]) {
                    assert!(!line.contains(&format!("crate::{above}")), "{place}: state must not import {above}");
                }
            }
        }
    }
}

#[test]
fn pure_crates_never_ask_the_time_or_the_world() {
    for name in ["event", "rules"] {
        for file in files(&root().join("crates").join(name).join("src"), "rs") {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or("");
            for word in
                ["Timestamp::now", "SystemTime::now", "Instant::now", "std::fs", "std::net", "async fn", "tokio"]
            {
                assert!(!code.contains(word), "{} must not use {word}", file.display());
            }
        }
    }
}

#[test]
fn every_lint_exception_has_its_reason() {
    for file in files(&root(), "rs") {
        if file.ends_with("tests/tidy.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            if !line.starts_with("#[allow(") && !line.starts_with("#![allow(") {
                continue;
            }
            let end = lines[number..].iter().position(|line| line.ends_with(")]")).unwrap_or(0);
            let exception = lines[number..=number + end].concat();
            assert!(exception.contains("reason"), "{}:{}: an exception without its reason", file.display(), number + 1);
        }
    }
}

#[test]
fn no_room_without_a_name() {
    for file in files(&root().join("crates"), "rs").into_iter().chain(files(&root().join("src"), "rs")) {
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(!["core", "common", "utils", "util", "helpers", "misc"].contains(&stem.as_str()), "{}", file.display());
    }
}

#[test]
fn formats_start_with_a_version_and_migrations_are_numbered() {
    let mut numbers: Vec<u32> = files(&root().join("crates/server/migrations"), "sql")
        .iter()
        .map(|file| {
            file.file_name().unwrap().to_string_lossy()[..4].parse().expect("a migration starts with four digits")
        })
        .collect();
    let all = numbers.len();
    numbers.dedup();
    assert_eq!(all, numbers.len(), "two migrations share a number");
}

#[test]
fn the_web_client_imports_downwards_only() {
    let src = root().join("web/src");
    let rank =
        |path: &str| ["lib/", "api/", "ui/", "components/", "pages/"].iter().position(|part| path.starts_with(part));
    for file in files(&src, "ts").into_iter().chain(files(&src, "tsx")) {
        let relative = file.strip_prefix(&src).unwrap().to_string_lossy().into_owned();
        let Some(own) = rank(&relative) else { continue };
        for line in fs::read_to_string(&file).unwrap().lines().filter(|line| line.contains(" from ")) {
            let Some(target) = line.split(" from ").nth(1) else { continue };
            let target = target.trim_matches(|c| c == '"' || c == '\'' || c == ';');
            for (higher, part) in ["lib/", "api/", "ui/", "components/", "pages/"].iter().enumerate() {
                if target.starts_with('.') && target.contains(part) {
                    assert!(higher <= own, "web/src/{relative} imports {target}: ui → components → pages, never back");
                }
            }
        }
    }
}
