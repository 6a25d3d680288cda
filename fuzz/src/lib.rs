//! What the targets ask of whatever comes out of a reader.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use event::admit::{Defaults, ENTRY_BYTES_MAX, admit};
use event::{Catalogue, Event, Value};
use jiff::Timestamp;
use wire::mapping::{EVENTS_MAX, Mapping, Meta, Outcome};

pub use wire::mapping::samples::received_at;

/// Reads a record by a mapping: it comes out whole as one or more events that are admitted or refused with a reason, or
/// is left out or set aside with one.
pub fn read(mapping: &Mapping, record: &[u8], meta: &Meta<'_>) {
    mapping.read(record, meta, |outcome| match outcome {
        Outcome::Events(drafts) => {
            assert!((1..=EVENTS_MAX).contains(&drafts.len()), "{} events of one record", drafts.len());
            for draft in drafts {
                assert_eq!(original(&draft), record, "the record was not kept as it is");
                admitted(draft, Some(mapping));
            }
        }
        Outcome::Skipped(reason) => assert!(!reason.is_empty(), "left out without a reason"),
        Outcome::Failed(reason) => assert!(!reason.text.is_empty(), "set aside without a reason"),
    });
}

/// Admits an event, or makes sure that what is wrong with it is said. An entry can be read, and says the same again.
pub fn admitted(draft: Value<'_>, mapping: Option<&Mapping>) -> Option<Vec<u8>> {
    let id = mapping.map(Mapping::id);
    let defaults = Defaults {
        now: received_at(),
        source: mapping.map(Mapping::name),
        provider: None,
        catalogue: Catalogue::builtin(),
        mapping: id.as_deref(),
    };
    match admit(draft, &defaults) {
        Ok(entry) => {
            assert!(entry.len() <= ENTRY_BYTES_MAX, "an entry of {} bytes", entry.len());
            let event = Event::read(&entry).expect("an entry can be read");
            assert!(event::admit::is_action(event.action()), "an entry without an action");
            let again = admit(Value::Object(event.fields().clone()), &defaults).expect("an entry can be admitted");
            assert_eq!(text(&again), text(&entry), "an entry that was admitted twice is another");
            Some(entry)
        }
        Err(invalid) => {
            assert!(!invalid.errors.is_empty(), "refused without a reason");
            assert!(invalid.errors.iter().all(|error| !error.reason.is_empty()), "{invalid:?}");
            None
        }
    }
}

/// The first byte of an input, which says how the others are taken.
pub fn picked(data: &[u8]) -> Option<(usize, &[u8])> {
    data.split_first().map(|(pick, rest)| (usize::from(*pick), rest))
}

/// The input in two parts, at the first NUL.
pub fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|byte| *byte == 0) {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, b"{}"),
    }
}

/// The moment at which every input comes in.
pub fn meta() -> Meta<'static> {
    Meta::at(received_at())
}

/// A later moment, for what counts from now.
pub fn later() -> Timestamp {
    Timestamp::constant(1_790_000_000, 0)
}

/// For messages.
pub fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// The exact bytes of the record that an event carries.
fn original(draft: &Value<'_>) -> Vec<u8> {
    let at = |name| draft.as_object().and_then(|event| event.at(name)).and_then(Value::as_str);
    match at("event.original_base64") {
        Some(exact) => STANDARD.decode(exact).expect("base64"),
        None => at("event.original").expect("an event carries its record").as_bytes().to_vec(),
    }
}
