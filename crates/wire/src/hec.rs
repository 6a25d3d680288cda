//! Bodies of Splunk's HTTP Event Collector: JSON objects one after the other, with or without line ends between them.

use serde::Deserialize;
use serde_json::value::RawValue;

/// One object of the body. It borrows from the body: `raw` is the record as it came in.
#[derive(Debug, Clone, PartialEq)]
pub struct HecEvent<'a> {
    pub index: usize,
    /// The whole object, byte for byte: what a mapping reads and what is kept.
    pub raw: &'a [u8],
    /// Seconds since 1970, with fraction, as the text that was sent.
    pub time: Option<String>,
    pub host: Option<String>,
    pub source: Option<String>,
    pub sourcetype: Option<String>,
}

/// What Splunk answers with; clients know these codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HecCode {
    #[error("No data")]
    NoData,
    #[error("Invalid data format")]
    InvalidFormat,
    #[error("Event field is required")]
    EventMissing,
    #[error("Event field cannot be blank")]
    EventBlank,
}

impl HecCode {
    pub fn number(self) -> u8 {
        match self {
            Self::NoData => 5,
            Self::InvalidFormat => 6,
            Self::EventMissing => 12,
            Self::EventBlank => 13,
        }
    }
}

/// An object that is no event. `raw` is what was sent, to be set aside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} in event {index}: {text}")]
pub struct HecError<'a> {
    pub code: HecCode,
    pub index: usize,
    pub text: String,
    pub raw: &'a [u8],
}

/// Events of one body that are looked at.
pub const EVENTS_MAX: usize = 100_000;

/// Reads the events of a body, each by itself. After JSON that is broken, reading goes on at the next line that starts
/// an object; an empty body is one [`HecCode::NoData`].
pub fn parse_events(body: &[u8]) -> Events<'_> {
    Events { body, at: 0, index: 0, done: false }
}

#[derive(Debug)]
pub struct Events<'a> {
    body: &'a [u8],
    at: usize,
    index: usize,
    done: bool,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    time: Option<&'a RawValue>,
    host: Option<serde_json::Value>,
    source: Option<serde_json::Value>,
    sourcetype: Option<serde_json::Value>,
    #[serde(borrow)]
    fields: Option<&'a RawValue>,
}

impl<'a> Iterator for Events<'a> {
    type Item = Result<HecEvent<'a>, HecError<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let rest = self.body.get(self.at..).unwrap_or_default();
        // Some senders separate objects by commas, as if in an array.
        let blank = rest.iter().take_while(|b| b.is_ascii_whitespace() || **b == b',').count();
        self.at += blank;
        let rest = rest.get(blank..).unwrap_or_default();
        let index = self.index;
        if rest.is_empty() {
            self.done = true;
            let none = index == 0;
            return none
                .then(|| Err(HecError { code: HecCode::NoData, index, text: "the body is empty".into(), raw: rest }));
        }
        if index == EVENTS_MAX {
            self.done = true;
            let text = format!("more than {EVENTS_MAX} events in one body");
            return Some(Err(HecError { code: HecCode::InvalidFormat, index, text, raw: &[] }));
        }
        self.index += 1;
        let mut stream = serde_json::Deserializer::from_slice(rest).into_iter::<&RawValue>();
        let read = stream.next();
        let offset = stream.byte_offset();
        match read {
            Some(Ok(value)) => {
                self.at += offset;
                Some(envelope(value.get(), index))
            }
            Some(Err(error)) => {
                let length = next_object(rest);
                self.at += length;
                let raw = rest.get(..length).unwrap_or(rest);
                Some(Err(HecError { code: HecCode::InvalidFormat, index, text: error.to_string(), raw }))
            }
            None => {
                self.done = true;
                None
            }
        }
    }
}

fn envelope(raw: &str, index: usize) -> Result<HecEvent<'_>, HecError<'_>> {
    let fault = |code: HecCode, text: &str| HecError { code, index, text: text.to_owned(), raw: raw.as_bytes() };
    if !raw.starts_with('{') {
        return Err(fault(HecCode::InvalidFormat, "an event is a JSON object"));
    }
    let envelope: Envelope<'_> =
        serde_json::from_str(raw).map_err(|e| fault(HecCode::InvalidFormat, &e.to_string()))?;
    match envelope.event.map(RawValue::get) {
        None | Some("null") => return Err(fault(HecCode::EventMissing, "the object has no member event")),
        Some("\"\"" | "{}") => return Err(fault(HecCode::EventBlank, "the member event is empty")),
        Some(event) if event.starts_with('"') && event.trim_matches('"').trim().is_empty() => {
            return Err(fault(HecCode::EventBlank, "the member event is empty"));
        }
        Some(_) => {}
    }
    if envelope.fields.is_some_and(|fields| !fields.get().starts_with('{') && fields.get() != "null") {
        return Err(fault(HecCode::InvalidFormat, "the member fields is not an object"));
    }
    let time = match envelope.time.map(|t| t.get().trim_matches('"').trim()) {
        None | Some("null" | "") => None,
        Some(text) if text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-')) => {
            Some(text.to_owned())
        }
        Some(_) => return Err(fault(HecCode::InvalidFormat, "the member time is not a number of seconds")),
    };
    let text = |value: Option<serde_json::Value>| match value {
        Some(serde_json::Value::String(text)) if !text.is_empty() => Some(text),
        Some(serde_json::Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    Ok(HecEvent {
        index,
        raw: raw.as_bytes(),
        time,
        host: text(envelope.host),
        source: text(envelope.source),
        sourcetype: text(envelope.sourcetype),
    })
}

/// After broken JSON: the start of the next line that starts with `{`, or of the next `}{` on this one.
fn next_object(rest: &[u8]) -> usize {
    let mut previous = b' ';
    for (at, byte) in rest.iter().enumerate().skip(1) {
        if *byte == b'{' && (previous == b'\n' || previous == b'}') {
            return at;
        }
        if !matches!(byte, b' ' | b'\t' | b'\r') || previous != b'\n' {
            previous = *byte;
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ok` or the number of the fault, for each object.
    fn codes(body: &str) -> Vec<u8> {
        parse_events(body.as_bytes()).map(|e| e.map_or_else(|e| e.code.number(), |_| 0)).collect()
    }

    #[test]
    fn reads_objects_one_after_the_other() {
        assert_eq!(codes(r#"{"event":"a"}{"event":{"b":1}} {"event":"c"}"#), [0, 0, 0]);
        assert_eq!(codes("{\"event\":\"a\"}\r\n\r\n{\"event\":2}\n"), [0, 0]);
        assert_eq!(codes(r#"{"event":"a"},{"event":"b"}"#), [0, 0]);
    }

    #[test]
    fn keeps_the_record_and_its_envelope() {
        let body = br#"  {"time":1767323045.123, "host":"web1","source":"s","sourcetype":"_json","event":{"a": "\u00e9"}} {"time":"5","event":"x"}"#;
        let events: Vec<_> = parse_events(body).map(Result::unwrap).collect();
        assert_eq!(events[0].raw, &body[2..body.len() - 25]);
        assert_eq!((events[0].time.as_deref(), events[0].host.as_deref()), (Some("1767323045.123"), Some("web1")));
        assert_eq!((events[1].time.as_deref(), events[1].index), (Some("5"), 1));
    }

    #[test]
    fn names_what_is_wrong_with_which_event() {
        assert_eq!(codes(""), [5]);
        assert_eq!(codes(" \n"), [5]);
        assert_eq!(
            codes(r#"{"event":"a"}{"host":"x"}{"event":""}{"event":null}{"event":"  "}{"event":{}}{"event":"b"}"#),
            [0, 12, 13, 12, 13, 13, 0]
        );
        assert_eq!(codes("{\"event\":\"a\"}\n{\"event\":oops}\n{\"event\":\"b\"}"), [0, 6, 0]);
        assert_eq!(codes("{\"event\":\"a\"}[1]{\"event\":\"b\"}"), [0, 6, 0]);
        assert_eq!(codes("not json"), [6]);
        assert_eq!(codes(r#"{"event":"a","time":"noon"}{"event":"a","fields":[1]}"#), [6, 6]);
        assert_eq!(codes(r#"{"event":"a"#), [6]);
        let error = parse_events(b"{\"event\":oops} \n {\"event\":1}").next().unwrap().unwrap_err();
        assert_eq!(error.raw, b"{\"event\":oops} \n ");
    }
}
