//! Any text as a filter, up to the first NUL; behind it any event to look at.

#![no_main]

use event::filter::{BYTES_MAX, Matcher, parse};
use event::json::{Limits, parse as parse_json};
use event::{Event, Value, words};
use fuzz::{halves, later};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (filter, event) = halves(data);
    let Ok(text) = std::str::from_utf8(filter) else { return };
    event::native::install(wire::mapping::native_fields);
    let filter = match parse(text) {
        Ok(filter) => filter,
        Err(error) => {
            let place = text.get(error.offset..error.offset + error.length);
            assert!(place.is_some_and(|place| place.chars().count() == error.char_length), "{text:?}: {error:?}");
            assert!(!error.message.is_empty());
            return;
        }
    };
    let printed = filter.to_string();
    // Escapes make it longer.
    if printed.len() <= BYTES_MAX {
        assert_eq!(parse(&printed).as_ref(), Ok(&filter), "{text:?} prints as {printed:?}");
    }
    let fixed = filter.at(later());
    filter.fields();
    let Ok(Value::Object(fields)) = parse_json(event, &Limits::default()) else { return };
    let event = Event::of(fields);
    Matcher::new(&fixed).matches(&event);
    if Matcher::new(&filter).matches(&event)
        && let Some(actions) = filter.required_actions()
    {
        let mut found = false;
        event.values("event.action", &mut |value| {
            found |= value.as_str().is_some_and(|text| actions.contains(&words::fold(text).into_owned()));
        });
        assert!(found, "{printed:?} picks an event of none of {actions:?}");
    }
});
