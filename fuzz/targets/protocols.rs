//! Any body for each of the protocols that carry records. The first byte says for which.

#![no_main]

use fuzz::{halves, picked, text};
use libfuzzer_sys::fuzz_target;
use wire::{bulk, cloud_events, hec, otlp};

fuzz_target!(|data: &[u8]| {
    let Some((pick, body)) = picked(data) else { return };
    match pick % 6 {
        0 => collector(body),
        1 => collected_lines(body),
        2 => records(body, otlp::Form::Log),
        3 => records(body, otlp::Form::Enveloped),
        4 => actions(body),
        _ => cloud_event(body),
    }
});

fn collector(body: &[u8]) {
    let mut end = 0;
    for (count, next) in hec::parse_events(body).enumerate() {
        let (start, raw) = match next {
            Ok(event) => {
                assert!(is_json(event.raw), "no JSON is taken for an event: {}", text(event.raw));
                assert!(event.time.is_none_or(hec::is_seconds));
                (event.start, event.raw)
            }
            Err(error) => {
                assert!(!error.text.is_empty());
                (error.start, error.raw)
            }
        };
        assert!(count <= body.len() && start >= end, "event {count} begins in the one before");
        end = start + raw.len();
        assert_eq!(&body[start..end], raw, "event {count} is not what was sent");
    }
}

fn collected_lines(body: &[u8]) {
    let (host, line) = halves(body);
    let Ok(host) = std::str::from_utf8(host) else { return };
    let said = hec::Metadata { host: Some(host), source: Some(host), ..hec::Metadata::default() };
    let mut out = Vec::new();
    said.envelope(line, &mut out);
    if std::str::from_utf8(line).is_ok() {
        let events: Vec<_> = hec::parse_events(&out).collect();
        assert_eq!(events.len(), 1, "{}", text(&out));
        // A line of blanks is no event.
        if let Ok(event) = &events[0] {
            assert_eq!(event.raw, out);
            assert_eq!(event.host.as_deref().unwrap_or_default(), host);
        }
    }
}

fn records(body: &[u8], form: otlp::Form) {
    let limits = otlp::Limits { records: 100, bytes: 1 << 20 };
    match otlp::records(body, limits, &mut |seen| (form, seen.has_body)) {
        Ok((json, records)) => {
            assert!(records.len() <= limits.records && json.len() <= limits.bytes);
            for record in records {
                let json = &json[record.range];
                assert!(is_json(json), "a log record became no JSON: {}", text(json));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn actions(body: &[u8]) {
    let mut end = 0;
    for (count, item) in bulk::items(body).enumerate() {
        assert!(count <= body.len());
        assert!(item.document.is_some() || item.fault.is_some() || item.action == bulk::Action::Delete, "{item:?}");
        if let Some(document) = item.document {
            assert!(document.start >= end && document.end <= body.len() && !document.is_empty(), "{document:?}");
            end = document.end;
        }
    }
}

fn cloud_event(body: &[u8]) {
    if let Ok(identity) = cloud_events::identity(body) {
        assert!(!identity.id.is_empty() && !identity.source.is_empty());
    }
    let (head, data) = halves(body);
    let Ok(head) = std::str::from_utf8(head) else { return };
    let always = [("specversion", "1.0"), ("id", "7"), ("source", "/door"), ("type", "door.opened")];
    let own = head.lines().filter_map(|line| line.split_once(':'));
    for content_type in [None, Some("application/json"), Some("text/plain")] {
        if let Ok((identity, json)) =
            cloud_events::from_headers(always.into_iter().chain(own.clone()), content_type, data)
        {
            assert!(is_json(&json), "a CloudEvent became no JSON: {}", text(&json));
            assert!(!identity.id.is_empty());
        }
    }
}

/// Whether it is JSON. Bytes in its texts that are not UTF-8 stay as they are: the mappings keep such records exactly.
fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_str::<&serde_json::value::RawValue>(&text(bytes)).is_ok()
}
