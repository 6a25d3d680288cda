//! From the bytes of a record to the fields that the product itself names.
//!
//! A record may be wrapped: in an HTTP Event Collector envelope, in what a shipper puts around a line, in a syslog
//! header. The wrapping is taken off first, then the decoders of the mapping are tried in their order.

pub(crate) mod bundle;
pub mod cef;
pub(crate) mod json;
pub mod kv;
pub mod leef;
mod xml;

use std::borrow::Cow;

use jiff::Timestamp;
use regex::Regex;

use crate::syslog::{self, Form, Syslog};
use crate::time;
use crate::value::{Heap, Val};

/// How the text of a record is taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoder {
    Json,
    Syslog,
    Cef,
    Leef,
    Kv,
    Xml,
    Csv,
    Regex,
    Text,
}

impl Decoder {
    pub const ALL: [Self; 9] =
        [Self::Json, Self::Syslog, Self::Cef, Self::Leef, Self::Kv, Self::Xml, Self::Csv, Self::Regex, Self::Text];

    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Syslog => "syslog",
            Self::Cef => "cef",
            Self::Leef => "leef",
            Self::Kv => "kv",
            Self::Xml => "xml",
            Self::Csv => "csv",
            Self::Regex => "regex",
            Self::Text => "text",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.name() == name)
    }
}

/// The decoders of a mapping, in the order in which they are tried, and what they need to know.
#[derive(Debug, Clone, Default)]
pub(crate) struct Decoders {
    pub order: Vec<Decoder>,
    /// Of `regex`: the first that fits counts.
    pub patterns: Vec<Regex>,
    /// Of `csv`: the names of the columns.
    pub columns: Vec<String>,
    /// Of `csv`: what is between the columns; a comma if nothing is said.
    pub delimiter: Option<u8>,
}

impl Decoders {
    fn has(&self, decoder: Decoder) -> bool {
        self.order.contains(&decoder)
    }
}

/// A record taken apart.
#[derive(Debug)]
pub(crate) struct Decoded<'e> {
    pub decoder: Decoder,
    /// What the decoder read, without the wrapping.
    pub text: &'e str,
    /// The product's own fields.
    pub native: Val<'e>,
    /// What a shipper put around the record; null where there was nothing.
    pub outer: Val<'e>,
    /// The syslog header; null where there was none.
    pub syslog: Val<'e>,
    /// The members of the collector envelope; null where there was none.
    pub hec: Val<'e>,
    /// The time of the wrapping: what stands in when the mapping finds none.
    pub time: Option<Timestamp>,
    /// The sender's own number for the message, of the `meta` element of RFC 5424.
    pub sequence: Option<u32>,
}

/// Why no decoder could read a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("the record is not JSON: {0}")]
    Json(String),
    #[error("the record is not XML: {0}")]
    Xml(String),
    #[error("the record is none of {0}")]
    NoneOf(String),
}

/// Takes `record` apart. `known` is its syslog header, where the listener has read it already.
pub(crate) fn decode<'e>(
    record: &'e [u8],
    decoders: &Decoders,
    known: Option<&'e Syslog<'e>>,
    received_at: Timestamp,
    heap: &'e Heap,
) -> Result<Decoded<'e>, DecodeError> {
    let text = heap.keep(syslog::text_of(record));
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(header) = known {
        return behind(header, Wrapping::default(), decoders, heap);
    }
    if text.trim_start().starts_with('{') {
        // A line out of an array that a product writes on and on.
        let text = text.trim_end().strip_suffix(',').unwrap_or(text);
        match json::read(text, heap) {
            Ok(object @ Val::Object(_)) => return self::object(object, text, decoders, received_at, heap),
            Ok(_) => {}
            Err(error) if decoders.has(Decoder::Json) => return Err(DecodeError::Json(error.to_string())),
            Err(_) => {}
        }
        return body(text, decoders, Wrapping::default(), heap);
    }
    line(text, Wrapping::default(), decoders, received_at, heap)
}

/// A line that may have a syslog header.
fn line<'e>(
    text: &'e str,
    wrapping: Wrapping<'e>,
    decoders: &Decoders,
    received_at: Timestamp,
    heap: &'e Heap,
) -> Result<Decoded<'e>, DecodeError> {
    let header = syslog::parse(text.as_bytes(), received_at);
    if header.form == Form::Text {
        return body(text, decoders, wrapping, heap);
    }
    let Syslog { time, ref message, .. } = header;
    let message = match message {
        Cow::Borrowed(message) => message,
        Cow::Owned(message) => heap.text(message),
    };
    let sequence = sequence_of(&header);
    let wrapping = Wrapping { syslog: header_value(&header, heap), time: time.or(wrapping.time), sequence, ..wrapping };
    body(message, decoders, wrapping, heap)
}

/// What is behind a header that has been read already.
fn behind<'e>(
    header: &'e Syslog<'e>,
    wrapping: Wrapping<'e>,
    decoders: &Decoders,
    heap: &'e Heap,
) -> Result<Decoded<'e>, DecodeError> {
    let sequence = sequence_of(header);
    let syslog = header_value(header, heap);
    let wrapping = Wrapping { syslog, time: header.time.or(wrapping.time), sequence, ..wrapping };
    body(header.message.as_ref(), decoders, wrapping, heap)
}

/// `[meta sequenceId="7"]`, RFC 5424 section 7.3.1.
fn sequence_of(header: &Syslog<'_>) -> Option<u32> {
    header.parameter("meta", "sequenceId")?.parse().ok()
}

#[derive(Default, Clone, Copy)]
struct Wrapping<'e> {
    outer: Val<'e>,
    syslog: Val<'e>,
    hec: Val<'e>,
    time: Option<Timestamp>,
    sequence: Option<u32>,
}

impl<'e> Wrapping<'e> {
    fn around(self, decoder: Decoder, text: &'e str, native: Val<'e>) -> Decoded<'e> {
        let Self { outer, syslog, hec, time, sequence } = self;
        Decoded { decoder, text, native, outer, syslog, hec, time, sequence }
    }
}

/// A JSON object: an envelope is opened, everything else is the record itself.
fn object<'e>(
    object: Val<'e>,
    text: &'e str,
    decoders: &Decoders,
    received_at: Timestamp,
    heap: &'e Heap,
) -> Result<Decoded<'e>, DecodeError> {
    let json = decoders.has(Decoder::Json);
    if let Some(event) = envelope_event(object, decoders) {
        let time = object.get("time").says(heap).and_then(|time| time::read(time, received_at));
        let Val::Object(members) = object else { return body(text, decoders, Wrapping::default(), heap) };
        let hec = heap.object(members.iter().filter(|(name, _)| *name != "event").copied());
        let wrapping = Wrapping { hec, time, ..Wrapping::default() };
        return match event {
            Val::Object(_) if json => Ok(wrapping.around(Decoder::Json, text, event)),
            Val::Text(inner) => line(inner, wrapping, decoders, received_at, heap),
            _ => body(text, decoders, wrapping, heap),
        };
    }
    let shipped = shipped_line(object);
    if json {
        // A shipper that did not look into the line it read: `{"message":"{…}"}`.
        if let Some(inner) = shipped.filter(|line| line.starts_with('{'))
            && let Ok(native @ Val::Object(_)) = json::read(inner, heap)
        {
            let wrapping = Wrapping { outer: object, ..Wrapping::default() };
            return Ok(wrapping.around(Decoder::Json, inner, native));
        }
        // One that read a line of another format.
        let formatted = |line: &&str| is_headed(line) || cef::find(line).is_some() || leef::find(line).is_some();
        if let Some(inner) = shipped.filter(formatted)
            && decoders.order.len() > 1
        {
            let wrapping = Wrapping { outer: object, ..Wrapping::default() };
            if let Ok(decoded) = line(inner, wrapping, decoders, received_at, heap)
                && !matches!(decoded.decoder, Decoder::Text | Decoder::Kv)
            {
                return Ok(decoded);
            }
        }
        return Ok(Wrapping::default().around(Decoder::Json, text, object));
    }
    match shipped {
        Some(inner) => {
            let time = object.get("@timestamp").says(heap).and_then(|time| time::read(time, received_at));
            let wrapping = Wrapping { outer: object, time, ..Wrapping::default() };
            line(inner, wrapping, decoders, received_at, heap)
        }
        None => body(text, decoders, Wrapping::default(), heap),
    }
}

/// Does a line begin with a syslog priority?
fn is_headed(line: &str) -> bool {
    line.strip_prefix('<').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The line that a shipper wrapped, as it came: Filebeat's and Vector's `message`, Fluent Bit's `log`.
fn shipped_line(object: Val<'_>) -> Option<&str> {
    let text = |name: &str| object.get(name).as_text().map(str::trim).filter(|line| !line.is_empty());
    let original = || object.get("event").get("original").as_text();
    original().or_else(|| text("message")).or_else(|| text("log"))
}

/// The event of a collector envelope. An object is one when it has no member that an envelope has not; an event that
/// is a mere text must come with its source type or be more than a word, or `{"event":"login","time":…}` would be taken
/// for an envelope.
fn envelope_event<'e>(object: Val<'e>, decoders: &Decoders) -> Option<Val<'e>> {
    const MEMBERS: [&str; 7] = ["event", "time", "host", "source", "sourcetype", "index", "fields"];
    let Val::Object(members) = object else { return None };
    if members.len() > MEMBERS.len() || !members.iter().all(|(name, _)| MEMBERS.contains(name)) {
        return None;
    }
    match object.get("event") {
        event @ Val::Object(_) => Some(event),
        event @ Val::Text(text) => {
            let typed = !object.get("sourcetype").is_null() || !object.get("source").is_null();
            let lines = decoders.order.iter().any(|decoder| *decoder != Decoder::Json);
            (typed || lines && text.trim().contains(char::is_whitespace)).then_some(event)
        }
        _ => None,
    }
}

fn body<'e>(
    text: &'e str,
    decoders: &Decoders,
    wrapping: Wrapping<'e>,
    heap: &'e Heap,
) -> Result<Decoded<'e>, DecodeError> {
    let mut fault = None;
    for decoder in &decoders.order {
        let native = match decoder {
            Decoder::Json => {
                let inner = text.trim_start();
                let inner = inner.strip_prefix("@cee:").unwrap_or(inner).trim_start();
                if !inner.starts_with('{') {
                    None
                } else {
                    json::read(inner, heap).map_err(|error| fault = Some(DecodeError::Json(error.to_string()))).ok()
                }
            }
            Decoder::Syslog => (!wrapping.syslog.is_null()).then(|| message(text, heap)),
            Decoder::Cef => cef::find(text).map(|cef| cef.into_value(heap)),
            Decoder::Leef => leef::find(text).map(|leef| leef.into_value(heap)),
            Decoder::Kv => kv::read(text).map(|pairs| pairs.into_value(heap)),
            Decoder::Xml => {
                let start = text.find('<').filter(|at| *at <= XML_START_MAX);
                let inner = start.and_then(|at| text.get(at..)).filter(|inner| inner.trim_end().ends_with('>'));
                inner.and_then(|inner| {
                    xml::read(inner, heap).map_err(|error| fault = Some(DecodeError::Xml(error))).ok()
                })
            }
            Decoder::Csv => csv_row(text, decoders, heap),
            Decoder::Regex => decoders.patterns.iter().find_map(|pattern| groups(pattern, text, heap)),
            Decoder::Text => Some(message(text, heap)),
        };
        if let Some(native) = native {
            return Ok(wrapping.around(*decoder, text, native));
        }
    }
    Err(match fault {
        Some(fault) => fault,
        None if decoders.order == [Decoder::Json] => DecodeError::Json("it does not start with {".to_owned()),
        None => DecodeError::NoneOf(decoders.order.iter().map(|d| d.name()).collect::<Vec<_>>().join(", ")),
    })
}

/// How far into a line XML may start, behind what relays put in front.
const XML_START_MAX: usize = 256;
const COLUMNS_MAX: usize = 1_000;

fn message<'e>(text: &'e str, heap: &'e Heap) -> Val<'e> {
    heap.object([("message", Val::Text(text))])
}

/// The named groups of a pattern that fits.
pub(crate) fn groups<'e>(pattern: &Regex, text: &'e str, heap: &'e Heap) -> Option<Val<'e>> {
    let found = pattern.captures(text)?;
    let names = pattern.capture_names().enumerate().skip(1);
    let groups = names.filter_map(|(index, name)| {
        let value = found.get(index)?;
        // The text of a group is a part of `text`, with its lifetime.
        Some((heap.text(name?), Val::Text(text.get(value.range())?)))
    });
    Some(heap.object(groups))
}

/// One line of CSV under the names of its columns; a line with another number of columns is none.
fn csv_row<'e>(text: &'e str, decoders: &Decoders, heap: &'e Heap) -> Option<Val<'e>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(decoders.delimiter.unwrap_or(b','))
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut row = csv::StringRecord::new();
    if !reader.read_record(&mut row).ok()? || row.len() > COLUMNS_MAX || row.len() < 2 {
        return None;
    }
    // Products add columns at the end with new versions: fewer are taken as well, more keep their number.
    let enough = row.len() * 2 > decoders.columns.len();
    enough.then(|| {
        heap.object(row.iter().enumerate().map(|(index, value)| {
            let name = match decoders.columns.get(index) {
                Some(name) => heap.text(name),
                None => heap.text(&format!("column_{}", index + 1)),
            };
            (name, Val::Text(heap.text(value)))
        }))
    })
}

fn header_value<'e>(header: &Syslog<'_>, heap: &'e Heap) -> Val<'e> {
    let mut object = heap.members();
    let texts = [
        ("facility", header.facility().map(Val::Text)),
        ("severity", header.severity().map(Val::Text)),
        ("host", header.host.as_deref().map(|text| Val::Text(heap.text(text)))),
        ("app", header.app.as_deref().map(|text| Val::Text(heap.text(text)))),
        ("process_id", header.process_id.as_deref().map(|text| Val::Text(heap.text(text)))),
        ("message_id", header.message_id.as_deref().map(|text| Val::Text(heap.text(text)))),
        ("time", header.time.map(|time| Val::Text(heap.text(&time.to_string())))),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            heap.push(&mut object, name, value);
        }
    }
    if !header.data.is_empty() {
        let data = header.data.iter().map(|element| {
            let parameters = element.parameters.iter();
            let parameters = parameters.map(|(name, value)| (heap.text(name), Val::Text(heap.text(value))));
            (heap.text(&element.id), heap.object(parameters))
        });
        let data = heap.object(data);
        heap.push(&mut object, "data", data);
    }
    Val::Object(object.into_bump_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The decoder that fitted, and what it and the wrapping gave, as JSON.
    fn check(record: &str, decoders: &[Decoder], expected: serde_json::Value) {
        let received_at = "2026-06-30T12:00:00Z".parse().unwrap();
        let heap = Heap::new(1 << 20);
        let decoders = Decoders { order: decoders.to_vec(), ..Decoders::default() };
        let json = |value: Val<'_>| value.to_event().map(|value| value.to_json());
        let got = decode(record.as_bytes(), &decoders, None, received_at, &heap).map(|d| {
            serde_json::json!({
                "decoder": d.decoder.name(), "native": json(d.native), "syslog": json(d.syslog), "hec": json(d.hec),
                "time": d.time.map(|t| t.to_string()),
            })
        });
        let got = got.unwrap_or_else(|e| serde_json::json!({ "error": e.to_string() }));
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&got[name], value, "{name} of {record}");
        }
    }

    #[test]
    fn takes_the_wrapping_off() {
        use Decoder::{Cef, Json, Kv, Syslog, Text};
        let j = serde_json::json!({"decoder": "json", "native": {"a": 1}});
        check(r#"{"a":1}"#, &[Json], j.clone());
        check("\u{feff} {\"a\":1}\r\n", &[Json], j.clone());
        check("{\"a\":1},\n", &[Json], j.clone());
        check(r#"<13>Jun 30 11:00:00 h vault: {"a":1}"#, &[Json], j.clone());
        check(r#"<13>Jun 30 11:00:00 h app: @cee: {"a":1}"#, &[Json], j.clone());
        check(r#"{"time":1767323045,"host":"h","event":{"a":1}}"#, &[Json], j);
        check(
            r#"{"time":1767323045,"host":"h","event":{"a":1}}"#,
            &[Json],
            serde_json::json!({"hec": {"host": "h", "time": 1767323045}, "time": "2026-01-02T03:04:05Z"}),
        );
        check(
            r#"{"time":1767323045,"event":"login"}"#,
            &[Json],
            serde_json::json!({"native": {"event": "login", "time": 1767323045}}),
        );
        check(
            r#"{"time":1767323045,"event":"Door 7 opened"}"#,
            &[Json, Text],
            serde_json::json!({"decoder": "text", "native": {"message": "Door 7 opened"}, "time": "2026-01-02T03:04:05Z"}),
        );
        check(r#"{"event":"Door 7 opened"}"#, &[Json], serde_json::json!({"native": {"event": "Door 7 opened"}}));
        check(
            r#"{"source":"s","event":"<13>Jun 30 11:07:31 h sshd[1]: hello"}"#,
            &[Json, Syslog],
            serde_json::json!({"decoder": "syslog", "native": {"message": "hello"}, "time": "2026-06-30T11:07:31Z"}),
        );
        check(
            "<13>Jun 30 11:00:00 h CEF:0|V|P|1|7|n|3|src=1.2.3.4",
            &[Json, Cef],
            serde_json::json!({"decoder": "cef"}),
        );
        check("plain", &[Json, Kv, Text], serde_json::json!({"decoder": "text", "native": {"message": "plain"}}));
    }

    #[test]
    fn says_why_nothing_fits() {
        use Decoder::{Cef, Json, Syslog};
        check("plain", &[Json], serde_json::json!({"error": "the record is not JSON: it does not start with {"}));
        check(
            "{\"a\":}",
            &[Json],
            serde_json::json!({"error": "the record is not JSON: expected value at line 1 column 6"}),
        );
        check("plain", &[Syslog, Cef], serde_json::json!({"error": "the record is none of syslog, cef"}));
    }

    #[test]
    fn numbers_keep_their_digits() {
        check(
            r#"{"id":18446744073709551615,"n":-5,"f":1.5}"#,
            &[Decoder::Json],
            serde_json::json!({"native": {"id": "18446744073709551615", "n": -5, "f": 1.5}}),
        );
    }
}
