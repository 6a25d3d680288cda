//! From the bytes of a record to the fields that the product itself names.
//!
//! A record may be wrapped: in an HTTP Event Collector envelope, in a syslog header. The wrapping is taken off first,
//! then the decoders of the mapping are tried in their order.

pub mod cef;
mod json;
pub mod kv;
pub mod leef;

use std::borrow::Cow;

use bytes::Bytes;
use jiff::Timestamp;
use vrl::value::{KeyString, ObjectMap, Value};

use crate::syslog::{self, Form, Syslog};
use crate::time;

/// How the text of a record is taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoder {
    Json,
    Syslog,
    Cef,
    Leef,
    Kv,
    Text,
}

impl Decoder {
    pub const ALL: [Self; 6] = [Self::Json, Self::Syslog, Self::Cef, Self::Leef, Self::Kv, Self::Text];

    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Syslog => "syslog",
            Self::Cef => "cef",
            Self::Leef => "leef",
            Self::Kv => "kv",
            Self::Text => "text",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.name() == name)
    }
}

/// A record taken apart.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub decoder: Decoder,
    /// The product's own fields.
    pub native: Value,
    /// The syslog header, when there was one.
    pub syslog: Option<Value>,
    /// The members of the collector envelope, when there was one.
    pub hec: Option<Value>,
    /// The time of the wrapping: what stands in when the mapping finds none.
    pub time: Option<Timestamp>,
}

/// Why no decoder could read a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("the record is not JSON: {0}")]
    Json(String),
    #[error("the record is none of {0}")]
    NoneOf(String),
}

/// Takes `record` apart. `known` is its syslog header, where the listener has read it already.
pub(crate) fn decode(
    record: &[u8],
    decoders: &[Decoder],
    known: Option<&Syslog<'_>>,
    received_at: Timestamp,
) -> Result<Decoded, DecodeError> {
    // One buffer for the whole record; the strings below are slices of it.
    let shared = match String::from_utf8_lossy(syslog::trim_end(record)) {
        Cow::Borrowed(text) => Bytes::copy_from_slice(text.as_bytes()),
        Cow::Owned(text) => Bytes::from(text),
    };
    let Ok(text) = std::str::from_utf8(&shared) else {
        return Err(DecodeError::Json("it is not UTF-8".to_owned()));
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let wants_json = decoders.contains(&Decoder::Json);
    let is_object = text.trim_start().starts_with('{');

    if known.is_none() && is_object {
        match json::read(text, &shared) {
            Ok(Value::Object(members)) => return object(members, text, decoders, received_at),
            Ok(_) => {}
            Err(error) if wants_json => return Err(DecodeError::Json(error.to_string())),
            Err(_) => {}
        }
        return body(text, &shared, decoders, Wrapping::default());
    }

    let parsed;
    let header = match known {
        Some(header) => Some(header),
        None => {
            parsed = syslog::parse(text.as_bytes(), received_at);
            (parsed.form != Form::Text).then_some(&parsed)
        }
    };
    let Some(header) = header else {
        return body(text, &shared, decoders, Wrapping::default());
    };
    let wrapping = Wrapping { syslog: Some(header_value(header)), hec: None, time: header.time };
    body(header.message.as_ref(), &shared, decoders, wrapping)
}

#[derive(Default)]
struct Wrapping {
    syslog: Option<Value>,
    hec: Option<Value>,
    time: Option<Timestamp>,
}

impl Wrapping {
    fn around(self, decoder: Decoder, native: Value) -> Decoded {
        Decoded { decoder, native, syslog: self.syslog, hec: self.hec, time: self.time }
    }
}

/// A JSON object: a collector envelope is opened, everything else is the record itself.
fn object(
    mut members: ObjectMap,
    text: &str,
    decoders: &[Decoder],
    received_at: Timestamp,
) -> Result<Decoded, DecodeError> {
    match envelope_event(&mut members) {
        None if decoders.contains(&Decoder::Json) => {
            Ok(Wrapping::default().around(Decoder::Json, Value::Object(members)))
        }
        None => body(text, &Bytes::copy_from_slice(text.as_bytes()), decoders, Wrapping::default()),
        Some(event) => {
            let time = members.get("time").and_then(|t| time::read(&t.to_string_lossy(), received_at));
            let wrapping = Wrapping { syslog: None, hec: Some(Value::Object(members)), time };
            match event {
                Value::Object(_) if decoders.contains(&Decoder::Json) => Ok(wrapping.around(Decoder::Json, event)),
                event => {
                    let inner = Bytes::from(event.to_string_lossy().into_owned());
                    let inner_text = String::from_utf8_lossy(&inner).into_owned();
                    let parsed = syslog::parse(inner_text.as_bytes(), received_at);
                    if parsed.form == Form::Text {
                        return body(&inner_text, &inner, decoders, wrapping);
                    }
                    let wrapping = Wrapping {
                        syslog: Some(header_value(&parsed)),
                        time: parsed.time.or(wrapping.time),
                        ..wrapping
                    };
                    body(parsed.message.as_ref(), &inner, decoders, wrapping)
                }
            }
        }
    }
}

/// The event of a collector envelope, taken out of it. An object is one when it has no member that an envelope has
/// not; an event that is a mere text must come with its source type, or `{"event":"login","time":…}` would be taken
/// for an envelope.
fn envelope_event(members: &mut ObjectMap) -> Option<Value> {
    const MEMBERS: [&str; 7] = ["event", "time", "host", "source", "sourcetype", "index", "fields"];
    if members.len() > MEMBERS.len() || !members.keys().all(|k| MEMBERS.contains(&k.as_str())) {
        return None;
    }
    match members.get("event")? {
        Value::Object(_) => {}
        Value::Bytes(_) | Value::String(_) if members.contains_key("sourcetype") || members.contains_key("source") => {}
        _ => return None,
    }
    members.remove("event")
}

fn body(text: &str, shared: &Bytes, decoders: &[Decoder], wrapping: Wrapping) -> Result<Decoded, DecodeError> {
    let mut json_error = None;
    for decoder in decoders {
        let native = match decoder {
            Decoder::Json => {
                let inner = text.trim_start();
                let inner = inner.strip_prefix("@cee:").unwrap_or(inner).trim_start();
                if !inner.starts_with('{') {
                    None
                } else {
                    match json::read(inner, shared) {
                        Ok(value) => Some(value),
                        Err(error) => {
                            json_error = Some(error.to_string());
                            None
                        }
                    }
                }
            }
            Decoder::Syslog => wrapping.syslog.is_some().then(|| message(text)),
            Decoder::Cef => cef::find(text).map(|c| c.into_value()),
            Decoder::Leef => leef::find(text).map(|l| l.into_value()),
            Decoder::Kv => kv::read(text).map(kv::Pairs::into_value),
            Decoder::Text => Some(message(text)),
        };
        if let Some(native) = native {
            return Ok(wrapping.around(*decoder, native));
        }
    }
    Err(match json_error {
        Some(error) => DecodeError::Json(error),
        None if decoders == [Decoder::Json] => DecodeError::Json("it does not start with {".to_owned()),
        None => DecodeError::NoneOf(decoders.iter().map(|d| d.name()).collect::<Vec<_>>().join(", ")),
    })
}

fn message(text: &str) -> Value {
    object_of([("message", text_value(text))])
}

fn header_value(header: &Syslog<'_>) -> Value {
    let mut map = ObjectMap::new();
    let mut put = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            map.insert(KeyString::from(name), text_value(value));
        }
    };
    put("facility", header.facility());
    put("severity", header.severity());
    put("host", header.host.as_deref());
    put("app", header.app.as_deref());
    put("process_id", header.process_id.as_deref());
    put("message_id", header.message_id.as_deref());
    put("time", header.time.map(|t| t.to_string()).as_deref());
    if !header.data.is_empty() {
        let mut data = ObjectMap::new();
        for element in &header.data {
            let parameters = element
                .parameters
                .iter()
                .map(|(name, value)| (KeyString::from(name.as_ref()), text_value(value)))
                .collect();
            data.insert(KeyString::from(element.id.as_ref()), Value::Object(parameters));
        }
        map.insert(KeyString::from("data"), Value::Object(data));
    }
    Value::Object(map)
}

pub(crate) fn text_value(text: &str) -> Value {
    Value::Bytes(Bytes::copy_from_slice(text.as_bytes()))
}

pub(crate) fn object_of<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(k, v)| (KeyString::from(k), v)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The decoder that fitted, and what it and the wrapping gave, as JSON.
    fn check(record: &str, decoders: &[Decoder], expected: serde_json::Value) {
        let received_at = "2026-06-30T12:00:00Z".parse().unwrap();
        let got = decode(record.as_bytes(), decoders, None, received_at).map(|d| {
            serde_json::json!({
                "decoder": d.decoder.name(), "native": d.native, "syslog": d.syslog, "hec": d.hec,
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
