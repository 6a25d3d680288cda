//! Any bytes as the JSON of an event: what is read is written in one form, which reads the same again, and is admitted
//! or refused with a reason.

#![no_main]

use std::ops::ControlFlow;

use event::admit::EARLIEST;
use event::json::{Limits, parse, write_canonical};
use event::{Event, Value};
use fuzz::{admitted, text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    let value = match parse(data, &limits) {
        Ok(value) => value,
        Err(error) => return assert!(error.position <= data.len() && !error.to_string().is_empty()),
    };
    let everybodys: serde_json::Value = serde_json::from_slice(data).expect("what we take, everybody takes");
    assert!(is_same(&value, &everybodys), "{everybodys} was read as {}", value.to_json());

    let written = canonical(&value);
    let again = parse(&written, &Limits { bytes_max: usize::MAX, ..limits }).expect("what we write can be read");
    assert_eq!(again, value, "{}", text(&written));
    assert_eq!(text(&canonical(&again)), text(&written));

    let Value::Object(fields) = &value else { return };
    let event = Event::of(fields.clone());
    let (mut walked, mut shown) = (Vec::new(), Vec::new());
    event.walk(&mut |name, value| walked.push((name.to_owned(), value.to_json())));
    let all = Event::leaves(&written, &mut |name, value| {
        shown.push((name.to_owned(), value.to_json()));
        ControlFlow::Continue(())
    });
    assert!(all.is_ok() && walked == shown, "{}", text(&written));

    let Some(entry) = admitted(value, None) else { return };
    let event = Event::read(&entry).expect("it was read before");
    assert_eq!(text(&canonical(&Value::Object(event.fields().clone()))), text(&entry));
    event.walk(&mut |name, _| {
        let mut found = false;
        event.values(name, &mut |_| found = true);
        assert!(found && event.exists(name), "{name:?} is not found in {}", text(&entry));
        Event::glance(&entry, name);
    });
    assert!(event.ingested().is_some() && event.timestamp() >= EARLIEST && event.severity() <= 100);
});

/// Whether another reader sees the same.
fn is_same(ours: &Value<'_>, theirs: &serde_json::Value) -> bool {
    match (ours, theirs) {
        (Value::Null, serde_json::Value::Null) => true,
        (Value::Bool(ours), serde_json::Value::Bool(theirs)) => ours == theirs,
        // The other reader does not always round to the nearest double; ours must, and [`canonical`] tells.
        (Value::Number(ours), serde_json::Value::Number(theirs)) => {
            theirs.as_f64().is_some_and(|theirs| (theirs - ours).abs() <= ours.abs() * 1e-15)
        }
        (Value::String(ours), serde_json::Value::String(theirs)) => ours == theirs,
        (Value::Array(ours), serde_json::Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| is_same(ours, theirs))
        }
        (Value::Object(ours), serde_json::Value::Object(theirs)) => {
            let same = |(key, value)| theirs.get(key).is_some_and(|theirs| is_same(value, theirs));
            ours.len() == theirs.len() && ours.iter().all(same)
        }
        _ => false,
    }
}

fn canonical(value: &Value<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write_canonical(value, &mut out);
    out
}
