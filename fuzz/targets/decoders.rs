//! Any text for each of the decoders, and for the readers of times and addresses. The first byte says for which.

#![no_main]

use std::sync::OnceLock;

use fuzz::{meta, picked, read, received_at};
use libfuzzer_sys::fuzz_target;
use wire::mapping::Mapping;
use wire::{address, decode, time};

/// The heads of mappings that do no more than decode.
const HEADS: [&str; 12] = [
    "# decoder: json",
    "# decoder: syslog",
    "# decoder: cef",
    "# decoder: leef",
    "# decoder: kv",
    "# decoder: xml",
    "# decoder: csv\n# columns: time, user, action, source, rest",
    "# decoder: csv\n# columns: a, b\n# delimiter: tab",
    "# decoder: regex\n# pattern: ^(?P<user>\\S+) +(?P<rest>.*)$\n# pattern: (?P<number>\\d+)",
    "# decoder: text",
    "# decoder: json, cef, leef, xml, kv, text",
    "# decoder: json\n# each: .events\n# marks: a, b.c",
];
/// What reads a text of its own.
const READERS: usize = 5;

fuzz_target!(|data: &[u8]| {
    let Some((pick, bytes)) = picked(data) else { return };
    let pick = pick % (HEADS.len() + READERS);
    if let Some(mapping) = mappings().get(pick) {
        return read(mapping, bytes, &meta());
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match pick - HEADS.len() {
        0 => drop(decode::cef::find(text)),
        1 => drop(decode::leef::find(text)),
        2 => drop(decode::kv::read(text)),
        3 => times(text),
        _ => addresses(text),
    }
});

fn mappings() -> &'static [Mapping] {
    static MAPPINGS: OnceLock<Vec<Mapping>> = OnceLock::new();
    MAPPINGS.get_or_init(|| {
        let program = |head| format!("{head}\n.event.action = \"fuzz.decoded\"\n.labels = .native");
        HEADS.iter().map(|head| Mapping::compile("fuzz", "1", &program(head)).expect("it compiles")).collect()
    })
}

fn times(text: &str) {
    if let Some(at) = time::read(text, received_at()) {
        assert_eq!(time::read(&at.to_string(), received_at()), Some(at), "a time is not what it was written as");
    }
    if let Some((_, rest)) = time::read_prefix(text, received_at()) {
        assert!(text.ends_with(rest) && rest.len() < text.len());
    }
    text.parse().ok().and_then(time::from_epoch);
}

fn addresses(text: &str) {
    if let Some(found) = address::read(text) {
        let again = address::read(&found.ip.to_string()).map(|again| again.ip);
        assert_eq!(again, Some(found.ip), "an address is not what it was written as");
    }
}
