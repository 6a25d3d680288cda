//! Bodies of Splunk's HTTP Event Collector: JSON objects one after the other, with or without line ends between them;
//! and lines of text that came by its raw endpoint.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// One object of the body. It borrows from the body: `raw` is the record as it came in.
#[derive(Debug, Clone, PartialEq)]
pub struct HecEvent<'a> {
    pub index: usize,
    /// Where it begins in the body.
    pub start: usize,
    /// The whole object, byte for byte: what a mapping reads and what is kept.
    pub raw: &'a [u8],
    /// Seconds since 1970, with fraction, as the text that was sent.
    pub time: Option<&'a str>,
    pub host: Option<Cow<'a, str>>,
    pub source: Option<Cow<'a, str>>,
    pub sourcetype: Option<Cow<'a, str>>,
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
    #[error("Error in handling indexed fields")]
    Fields,
}

impl HecCode {
    pub fn number(self) -> u8 {
        match self {
            Self::NoData => 5,
            Self::InvalidFormat => 6,
            Self::EventMissing => 12,
            Self::EventBlank => 13,
            Self::Fields => 15,
        }
    }

    /// The same for people who look at what was set aside.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoData => "the body is empty",
            Self::InvalidFormat => "this is no event of the collector: broken JSON, or a member of the wrong kind",
            Self::EventMissing => "the object has no member event",
            Self::EventBlank => "the member event is empty",
            Self::Fields => "the member fields is not a flat object",
        }
    }
}

/// An object that is no event. `raw` is what was sent, to be set aside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} in event {index}: {text}")]
pub struct HecError<'a> {
    pub code: HecCode,
    pub index: usize,
    pub start: usize,
    pub text: String,
    pub raw: &'a [u8],
}

/// Events of one body that are looked at.
pub const EVENTS_MAX: usize = 50_000;

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

/// Every member as the bytes it stands there with: only a few are looked into.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    time: Option<&'a RawValue>,
    #[serde(borrow)]
    host: Option<&'a RawValue>,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    #[serde(borrow)]
    sourcetype: Option<&'a RawValue>,
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
        let (index, start) = (self.index, self.at);
        let fault = |code, text: String, raw| Some(Err(HecError { code, index, start, text, raw }));
        if rest.is_empty() {
            self.done = true;
            return if index == 0 { fault(HecCode::NoData, "the body is empty".into(), rest) } else { None };
        }
        if index == EVENTS_MAX {
            self.done = true;
            return fault(HecCode::InvalidFormat, format!("more than {EVENTS_MAX} events in one body"), &[]);
        }
        self.index += 1;
        if rest.first() == Some(&b'{') {
            let mut stream = serde_json::Deserializer::from_slice(rest).into_iter::<Envelope<'a>>();
            if let Some(Ok(envelope)) = stream.next() {
                let raw = rest.get(..stream.byte_offset()).unwrap_or(rest);
                self.at += raw.len();
                return Some(check(&envelope, raw, index, start));
            }
        }
        // It is no envelope. What it is decides how much of the body belongs to it.
        let mut stream = serde_json::Deserializer::from_slice(rest).into_iter::<&RawValue>();
        let (length, text) = match stream.next() {
            Some(Ok(_)) => (stream.byte_offset(), "an event is a JSON object, each member once".to_owned()),
            Some(Err(error)) => (next_object(rest), error.to_string()),
            None => (rest.len(), "this is no JSON".to_owned()),
        };
        self.at += length.max(1);
        fault(HecCode::InvalidFormat, text, rest.get(..length).unwrap_or(rest))
    }
}

fn check<'a>(envelope: &Envelope<'a>, raw: &'a [u8], index: usize, start: usize) -> Result<HecEvent<'a>, HecError<'a>> {
    let fault = |code: HecCode| HecError { code, index, start, text: code.reason().to_owned(), raw };
    match envelope.event.map(RawValue::get) {
        None | Some("null") => return Err(fault(HecCode::EventMissing)),
        Some("{}") => return Err(fault(HecCode::EventBlank)),
        Some(event) if event.starts_with('"') && event.trim_matches('"').trim().is_empty() => {
            return Err(fault(HecCode::EventBlank));
        }
        Some(_) => {}
    }
    if let Some(fields) = envelope.fields.map(RawValue::get)
        && !(fields == "null" || (fields.starts_with('{') && is_flat(fields)))
    {
        return Err(fault(HecCode::Fields));
    }
    let time = match envelope.time.map(|t| t.get().trim_matches('"').trim()) {
        None | Some("null" | "") => None,
        Some(text) if is_seconds(text) => Some(text),
        Some(_) => return Err(fault(HecCode::InvalidFormat)),
    };
    let text = |value: Option<&'a RawValue>| value.and_then(text_of);
    Ok(HecEvent {
        index,
        start,
        raw,
        time,
        host: text(envelope.host),
        source: text(envelope.source),
        sourcetype: text(envelope.sourcetype),
    })
}

/// Whether an object holds no objects: Splunk takes lists of values, but nothing nested.
fn is_flat(object: &str) -> bool {
    let mut in_string = false;
    let mut escaped = false;
    object.bytes().skip(1).all(|byte| {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            return true;
        }
        in_string = byte == b'"';
        byte != b'{'
    })
}

/// Whether it is a number of seconds, as `time` wants it.
pub fn is_seconds(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
}

/// The text or number of a member; nothing where it is empty or of another kind.
fn text_of(value: &RawValue) -> Option<Cow<'_, str>> {
    let json = value.get();
    match json.as_bytes() {
        [b'"', inner @ .., b'"'] if !inner.is_empty() => {
            let plain = !inner.contains(&b'\\');
            if plain {
                json.get(1..json.len() - 1).map(Cow::Borrowed)
            } else {
                serde_json::from_str::<String>(json).ok().map(Cow::Owned)
            }
        }
        [b'0'..=b'9' | b'-', ..] => Some(Cow::Borrowed(json)),
        _ => None,
    }
}

/// What the query of the raw endpoint says of all lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata<'a> {
    pub host: Option<&'a str>,
    pub source: Option<&'a str>,
    pub sourcetype: Option<&'a str>,
    pub index: Option<&'a str>,
    /// Seconds since 1970; see [`is_seconds`].
    pub time: Option<&'a str>,
}

impl Metadata<'_> {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Writes an envelope around a line, as if it had come by the event endpoint, so that nothing said is lost. A line
    /// that is not UTF-8 keeps its bytes.
    pub fn envelope(&self, line: &[u8], out: &mut Vec<u8>) {
        out.push(b'{');
        if let Some(time) = self.time {
            out.extend_from_slice(b"\"time\":");
            crate::json_text::string(out, time.as_bytes());
            out.push(b',');
        }
        let members = [
            ("host", self.host),
            ("source", self.source),
            // The event is a text, and it is an envelope by this member.
            ("sourcetype", Some(self.sourcetype.unwrap_or("raw"))),
            ("index", self.index),
        ];
        for (name, value) in members {
            if let Some(value) = value {
                crate::json_text::string(out, name.as_bytes());
                out.push(b':');
                crate::json_text::string(out, value.as_bytes());
                out.push(b',');
            }
        }
        out.extend_from_slice(b"\"event\":");
        crate::json_text::string(out, line);
        out.push(b'}');
    }
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
        assert_eq!((events[0].time, events[0].host.as_deref()), (Some("1767323045.123"), Some("web1")));
        assert_eq!((events[1].time, events[1].index), (Some("5"), 1));
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
        assert_eq!(codes(r#"{"event":"a","time":"noon"}{"event":"a","fields":[1]}"#), [6, 15]);
        assert_eq!(codes(r#"{"event":"a","fields":{"a":"{\"","b":[1]}}{"event":"a","fields":{"a":{}}}"#), [0, 15]);
        assert_eq!(codes(r#"{"event":"a"#), [6]);
        let error = parse_events(b"{\"event\":oops} \n {\"event\":1}").next().unwrap().unwrap_err();
        assert_eq!(error.raw, b"{\"event\":oops} \n ");
    }

    #[test]
    fn lines_get_an_envelope_that_says_what_the_query_said() {
        let metadata = Metadata { host: Some("we\"b"), time: Some("1767323045.5"), ..Metadata::default() };
        let mut out = Vec::new();
        metadata.envelope(b"a \"line\"\t\x00", &mut out);
        let expected = r#"{"time":"1767323045.5","host":"we\"b","sourcetype":"raw","event":"a \"line\"\t\u0000"}"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
