//! Generic webhooks, signed as Standard Webhooks says
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::state::deliveries::Message;

/// Where a receiver is asked to keep its limit: an event beyond it goes without its original record.
const BODY_BYTES_AIM: usize = 20_000;
const SECRET_BYTES: usize = 32;

/// A signing secret, 24 to 64 bytes, written `whsec_` and Base64.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// A new one, from the randomness of the system.
    pub fn make() -> Result<Self, SecretError> {
        let mut bytes = vec![0; SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(|_| SecretError::NoRandomness)?;
        Ok(Self(bytes))
    }

    /// Reads `whsec_…`; the prefix may be missing, as in many receivers' settings.
    pub fn read(text: &str) -> Result<Self, SecretError> {
        let encoded = text.strip_prefix("whsec_").unwrap_or(text);
        let bytes = STANDARD.decode(encoded).map_err(|_| SecretError::NotBase64)?;
        if (24..=64).contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(SecretError::Length(bytes.len())) }
    }

    /// `whsec_…`, to be shown once.
    pub fn reveal(&self) -> String {
        format!("whsec_{}", STANDARD.encode(&self.0))
    }

    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        // HMAC takes a key of any length; new_from_slice can't fail for it.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(timestamp.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(••••)")
    }
}

/// Why a text is no signing secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SecretError {
    /// Not Base64 after the prefix.
    #[error("a signing secret is whsec_ and Base64")]
    NotBase64,
    /// Too short to be safe, or longer than the specification takes.
    #[error("a signing secret has 24 to 64 bytes, this one has {0}")]
    Length(usize),
    /// The system gave no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
}

/// The three headers of one attempt. While a secret is being replaced both are signed with, so that
/// the receiver can change over at any moment.
pub fn headers(id: &str, now: Timestamp, body: &[u8], secrets: &[Secret]) -> [(&'static str, String); 3] {
    let seconds = now.as_second();
    let signatures: Vec<String> = secrets.iter().map(|secret| secret.sign(id, seconds, body)).collect();
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ]
}

/// The body: `type` and `timestamp` of the event, and under `data` what a person would read together
/// with the event itself. The same message gives the same bytes on every attempt.
pub fn body(message: &Message, event: Option<&Value>) -> Vec<u8> {
    let mut body = json!({
        "type": message.action,
        "timestamp": message.at,
        "data": {
            "organization": message.organization,
            "rule": message.rule,
            "title": message.title,
            "subject": message.subject,
            "text": message.text,
            "severity": message.severity_name(),
            "severity_number": message.severity,
            "held_before": message.held_before,
            "position": message.position,
            "url": message.link,
            "event": event,
        },
    });
    let mut bytes = body.to_string().into_bytes();
    if bytes.len() > BODY_BYTES_AIM {
        // The whole record is one request away, under `url`; a receiver behind a small limit would
        // otherwise see nothing at all.
        leave_out(&mut body, &["event", "original"]);
        bytes = body.to_string().into_bytes();
    }
    if bytes.len() > BODY_BYTES_AIM {
        body["data"]["facts"] = json!(message.facts);
        body["data"]["event"] = Value::Null;
        body["data"]["left_out"] = json!(["event"]);
        bytes = body.to_string().into_bytes();
    }
    bytes
}

fn leave_out(body: &mut Value, path: &[&str; 2]) {
    let data = &mut body["data"];
    let Some(parent) = data["event"].get_mut(path[0]).and_then(Value::as_object_mut) else { return };
    if parent.remove(path[1]).is_some() {
        data["left_out"] = json!([path.join(".")]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::deliveries::example;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the Standard Webhooks reference libraries.
        let secret = Secret::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_a_secret_is_replaced_both_sign() {
        let (old, new) = (Secret::make().unwrap(), Secret::make().unwrap());
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let headers = headers("msg_1", now, b"{}", &[new.clone(), old.clone()]);
        let signatures: Vec<&str> = headers[2].1.split(' ').collect();
        assert_eq!(signatures, [new.sign("msg_1", 1_700_000_000, b"{}"), old.sign("msg_1", 1_700_000_000, b"{}")]);
    }

    #[test]
    fn secrets_are_checked_and_not_printed() {
        let secret = Secret::make().unwrap();
        assert_eq!(Secret::read(&secret.reveal()).unwrap().0, secret.0);
        assert_eq!(format!("{secret:?}"), "Secret(••••)");
        assert_eq!(Secret::read("whsec_c2hvcnQ=").unwrap_err(), SecretError::Length(5));
        assert_eq!(Secret::read("whsec_%%").unwrap_err(), SecretError::NotBase64);
    }

    #[test]
    fn a_large_event_goes_without_its_record() {
        let event = json!({"event": {"action": "credential.password.viewed", "original": "x".repeat(60_000)}, "user": {"name": "ada.m"}});
        let body: Value = serde_json::from_slice(&body(&example(), Some(&event))).unwrap();
        assert_eq!(body["data"]["left_out"], json!(["event.original"]));
        assert_eq!(body["data"]["event"]["user"]["name"], "ada.m");
        assert_eq!(body["type"], "credential.password.viewed");
        assert_eq!(body["timestamp"], "2026-11-21T14:01:58.112Z");
    }

    #[test]
    fn a_larger_one_goes_as_its_facts() {
        let event = json!({"event": {"action": "x"}, "labels": {"long": "x".repeat(60_000)}});
        let body: Value = serde_json::from_slice(&body(&example(), Some(&event))).unwrap();
        assert_eq!(body["data"]["left_out"], json!(["event"]));
        assert_eq!(body["data"]["facts"][0], json!({"title": "Who", "value": "ada.m"}));
    }
}
