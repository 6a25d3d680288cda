//! CloudEvents 1.0: one JSON object, or the attributes in headers around a body of any kind.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json_text;

/// What makes an event one of a kind: its source and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub source: String,
    pub id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the CloudEvent is not JSON: {0}")]
    Json(String),
    #[error("the CloudEvent has no {0}, which every one must have")]
    Missing(&'static str),
    #[error("the CloudEvent is of version {0}; 1.0 is understood here")]
    Version(String),
}

#[derive(Deserialize)]
struct Attributes<'a> {
    specversion: Option<String>,
    id: Option<String>,
    source: Option<String>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
}

/// Checks an event in its JSON form.
pub fn identity(event: &[u8]) -> Result<Identity, Fault> {
    let read: Attributes<'_> = serde_json::from_slice(event).map_err(|error| Fault::Json(error.to_string()))?;
    required(read.specversion, read.id, read.source, read.kind.is_some_and(|kind| kind.get() != "\"\""))
}

fn required(
    version: Option<String>,
    id: Option<String>,
    source: Option<String>,
    has_type: bool,
) -> Result<Identity, Fault> {
    let present = |value: Option<String>, name| value.filter(|text| !text.is_empty()).ok_or(Fault::Missing(name));
    let version = present(version, "specversion")?;
    if version != "1.0" && version != "0.3" {
        return Err(Fault::Version(version));
    }
    let identity = Identity { id: present(id, "id")?, source: present(source, "source")? };
    if has_type { Ok(identity) } else { Err(Fault::Missing("type")) }
}

/// The JSON form of an event whose attributes came as headers: `attributes` are their names without `ce-`, in lower
/// case, with the values as they came. A JSON body becomes `data` as it stands; text becomes a string, other bytes
/// `data_base64`.
pub fn from_headers<'a>(
    attributes: impl Iterator<Item = (&'a str, &'a str)>,
    content_type: Option<&str>,
    body: &[u8],
) -> Result<(Identity, Vec<u8>), Fault> {
    let (mut version, mut id, mut source, mut has_type) = (None, None, None, false);
    let mut out = Vec::with_capacity(body.len() + 512);
    out.push(b'{');
    for (name, value) in attributes {
        let value = percent_decoded(value);
        match name {
            "specversion" => version = Some(value.clone()),
            "id" => id = Some(value.clone()),
            "source" => source = Some(value.clone()),
            "type" => has_type = !value.is_empty(),
            _ => {}
        }
        json_text::string(&mut out, name.as_bytes());
        out.push(b':');
        json_text::string(&mut out, value.as_bytes());
        out.push(b',');
    }
    let identity = required(version, id, source, has_type)?;
    if let Some(content_type) = content_type {
        out.extend_from_slice(b"\"datacontenttype\":");
        json_text::string(&mut out, content_type.as_bytes());
        out.push(b',');
    }
    let body = body.trim_ascii_end();
    if body.is_empty() {
        out.pop();
    } else if content_type.is_none_or(is_json) && serde_json::from_slice::<&RawValue>(body).is_ok() {
        out.extend_from_slice(b"\"data\":");
        out.extend_from_slice(body);
    } else if std::str::from_utf8(body).is_ok() {
        out.extend_from_slice(b"\"data\":");
        json_text::string(&mut out, body);
    } else {
        out.extend_from_slice(b"\"data_base64\":\"");
        out.extend_from_slice(STANDARD.encode(body).as_bytes());
        out.push(b'"');
    }
    out.push(b'}');
    Ok((identity, out))
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json") || kind == "text/json"
}

/// Header values carry what is not plain ASCII as `%XX`.
fn percent_decoded(value: &str) -> String {
    if !value.contains('%') {
        return value.to_owned();
    }
    let bytes = value.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let code = (*byte == b'%').then(|| value.get(at + 1..at + 3)).flatten();
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_become_the_json_form() {
        let headers =
            [("specversion", "1.0"), ("id", "7"), ("source", "/door"), ("type", "door.opened"), ("who", "J%C3%BCrgen")];
        let check = |content_type: Option<&str>, body: &[u8], data: &str| {
            let (identity, json) = from_headers(headers.into_iter(), content_type, body).unwrap();
            assert_eq!((identity.id.as_str(), identity.source.as_str()), ("7", "/door"));
            let read: serde_json::Value = serde_json::from_slice(&json).unwrap();
            assert_eq!(read["who"], "Jürgen");
            assert!(String::from_utf8(json).unwrap().ends_with(data), "{data}");
        };
        check(Some("application/json"), b"{\"a\": 1}\n", r#""data":{"a": 1}}"#);
        check(Some("application/json"), b"{oops", r#""data":"{oops"}"#);
        check(Some("text/plain"), b"12", r#""data":"12"}"#);
        check(Some("image/png"), b"\xff\x00", r#""data_base64":"/wA="}"#);
        check(None, b"", r#""who":"Jürgen"}"#);
    }

    #[test]
    fn what_every_event_must_have_is_asked_for() {
        assert!(identity(br#"{"specversion":"1.0","id":"1","source":"s","type":"t"}"#).is_ok());
        assert_eq!(identity(br#"{"specversion":"1.0","id":"","source":"s","type":"t"}"#), Err(Fault::Missing("id")));
        assert_eq!(identity(br#"{"specversion":"1.0","id":"1","source":"s"}"#), Err(Fault::Missing("type")));
        assert_eq!(
            identity(br#"{"specversion":"2.0","id":"1","source":"s","type":"t"}"#),
            Err(Fault::Version("2.0".into()))
        );
        assert!(matches!(identity(b"[]"), Err(Fault::Json(_) | Fault::Missing(_))));
    }
}
