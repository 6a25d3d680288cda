//! Whether a webhook comes from who it says. Pure: headers, body, secrets and the time come in as arguments.

use api::hooks::{HookEncoding, HookScheme, HookSettings};
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

/// Signatures in one header that are looked at.
const SIGNATURES_MAX: usize = 10;
pub const HMAC_HEADER: &str = "x-signature-256";

/// Why a request is refused. Its sender learns it, so it says nothing about the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the header {0} is missing")]
    Missing(String),
    #[error("the header {0} can't be read")]
    Unreadable(String),
    #[error("the signature does not fit")]
    Wrong,
    #[error("the time of the request is {seconds} s from ours")]
    Stale { seconds: u64 },
}

/// What makes a request one of a kind, where its sender gives it a name: a retry has the same.
pub type RequestId = Option<String>;

/// Checks a request against the secrets that are good now; one of them must fit.
pub fn verify(
    settings: &HookSettings,
    secrets: &[&[u8]],
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<RequestId, Refusal> {
    let tolerance = settings.tolerance_seconds;
    match settings.scheme {
        HookScheme::Standard => {
            let (id, time) = (text(headers, "webhook-id")?, text(headers, "webhook-timestamp")?);
            let given = text(headers, "webhook-signature")?;
            let mut signatures = given
                .split_ascii_whitespace()
                .take(SIGNATURES_MAX)
                .filter_map(|part| part.strip_prefix("v1,").and_then(|encoded| STANDARD.decode(encoded).ok()));
            let signed = [id.as_bytes(), b".", time.as_bytes(), b".", body];
            let fits = signatures.any(|signature| secrets.iter().any(|secret| is_mac(secret, &signed, &signature)));
            // The time counts only once it is known who wrote it.
            fitting(fits)?;
            fresh(time, "webhook-timestamp", tolerance, now)?;
            Ok(Some(id.to_owned()))
        }
        HookScheme::Slack => {
            let time = text(headers, "x-slack-request-timestamp")?;
            let given = text(headers, "x-slack-signature")?;
            let signature = given.strip_prefix("v0=").and_then(hex).ok_or_else(|| unreadable("x-slack-signature"))?;
            let signed = [&b"v0:"[..], time.as_bytes(), b":", body];
            fitting(secrets.iter().any(|secret| is_mac(secret, &signed, &signature)))?;
            fresh(time, "x-slack-request-timestamp", tolerance, now)?;
            Ok(None)
        }
        HookScheme::Github => {
            let given = text(headers, "x-hub-signature-256")?;
            let signature = given.strip_prefix("sha256=").and_then(hex);
            let signature = signature.ok_or_else(|| unreadable("x-hub-signature-256"))?;
            fitting(secrets.iter().any(|secret| is_mac(secret, &[body], &signature)))?;
            Ok(name(headers, "x-github-delivery"))
        }
        HookScheme::Hmac => {
            let header = settings.header.as_deref().unwrap_or(HMAC_HEADER);
            let given = text(headers, header)?;
            let bare = given.strip_prefix(settings.prefix.as_deref().unwrap_or("")).unwrap_or(given);
            let signature = match settings.encoding {
                HookEncoding::Hex => hex(bare),
                HookEncoding::Base64 => STANDARD.decode(bare).or_else(|_| URL_SAFE_NO_PAD.decode(bare)).ok(),
            };
            let signature = signature.ok_or_else(|| unreadable(header))?;
            fitting(secrets.iter().any(|secret| is_mac(secret, &[body], &signature)))?;
            Ok(None)
        }
        HookScheme::Gitlab => {
            let given = text(headers, "x-gitlab-token")?;
            fitting(secrets.iter().any(|secret| same(secret, given.as_bytes())))?;
            Ok(name(headers, "idempotency-key").or_else(|| name(headers, "x-gitlab-event-uuid")))
        }
        HookScheme::Okta => {
            let given = text(headers, "authorization")?;
            fitting(secrets.iter().any(|secret| same(secret, given.as_bytes())))?;
            Ok(None)
        }
        HookScheme::Bearer => {
            let given = text(headers, "authorization")?;
            let token = after_scheme(given, "bearer").ok_or_else(|| unreadable("authorization"))?;
            fitting(secrets.iter().any(|secret| same(secret, token.as_bytes())))?;
            Ok(None)
        }
        HookScheme::Basic => {
            let given = text(headers, "authorization")?;
            let pair = after_scheme(given, "basic").and_then(|encoded| STANDARD.decode(encoded).ok());
            let pair = pair.ok_or_else(|| unreadable("authorization"))?;
            let colon = pair.iter().position(|byte| *byte == b':').ok_or_else(|| unreadable("authorization"))?;
            let (user, password) = (&pair[..colon], &pair[colon + 1..]);
            let user_fits = settings.user.as_deref().is_none_or(|wanted| same(wanted.as_bytes(), user));
            fitting(secrets.iter().any(|secret| same(secret, password)) && user_fits)?;
            Ok(None)
        }
    }
}

/// The bytes to sign with, of a secret as people write it.
pub fn key_of(scheme: HookScheme, secret: &str) -> Result<Vec<u8>, String> {
    if scheme == HookScheme::Standard {
        let encoded = secret.strip_prefix("whsec_").unwrap_or(secret);
        let key = STANDARD.decode(encoded).map_err(|_| "the secret is not whsec_ followed by Base64".to_owned())?;
        return match key.len() {
            24..=64 => Ok(key),
            bytes => Err(format!("the secret has {bytes} bytes; Standard Webhooks wants 24 to 64")),
        };
    }
    match secret.len() {
        16..=256 => Ok(secret.as_bytes().to_vec()),
        bytes => Err(format!("the secret has {bytes} bytes; 16 to 256 are wanted")),
    }
}

/// A new secret, as it is shown once.
pub fn new_secret(scheme: HookScheme) -> String {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes);
    match scheme {
        HookScheme::Standard => format!("whsec_{}", STANDARD.encode(bytes)),
        _ => URL_SAFE_NO_PAD.encode(bytes),
    }
}

fn fitting(fits: bool) -> Result<(), Refusal> {
    if fits { Ok(()) } else { Err(Refusal::Wrong) }
}

fn fresh(time: &str, header: &str, tolerance_seconds: u32, now: Timestamp) -> Result<(), Refusal> {
    let time: i64 = time.parse().map_err(|_| unreadable(header))?;
    let seconds = now.as_second().abs_diff(time);
    if seconds <= u64::from(tolerance_seconds) { Ok(()) } else { Err(Refusal::Stale { seconds }) }
}

fn unreadable(header: &str) -> Refusal {
    Refusal::Unreadable(header.to_owned())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Refusal> {
    let value = headers.get(name).ok_or_else(|| Refusal::Missing(name.to_owned()))?;
    value.to_str().map(str::trim).map_err(|_| unreadable(name))
}

fn name(headers: &HeaderMap, header: &str) -> RequestId {
    text(headers, header).ok().filter(|id| !id.is_empty() && id.len() <= 200).map(str::to_owned)
}

fn after_scheme<'a>(value: &'a str, scheme: &str) -> Option<&'a str> {
    let (found, rest) = value.split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// Compares in a time that does not depend on where they differ.
fn is_mac(secret: &[u8], parts: &[&[u8]], signature: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return false };
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(signature).is_ok()
}

/// Compares two texts in a time that depends on neither, by way of a MAC of each.
fn same(a: &[u8], b: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(b"compared") else { return false };
    mac.update(b);
    is_mac(b"compared", &[a], &mac.finalize().into_bytes())
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || digits.len() > 256 {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    digits.chunks_exact(2).map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn settings(scheme: HookScheme) -> HookSettings {
        HookSettings {
            scheme,
            header: None,
            prefix: None,
            encoding: HookEncoding::Hex,
            user: None,
            tolerance_seconds: 300,
            keep_headers: Vec::new(),
        }
    }

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair =
            |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        pairs.iter().map(pair).collect()
    }

    fn mac(secret: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().to_vec()
    }

    fn in_hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    const NOW: i64 = 1_767_323_045;

    fn check(settings: &HookSettings, secret: &[u8], given: &[(&str, &str)], expected: Result<Option<&str>, Refusal>) {
        let now = Timestamp::from_second(NOW).unwrap();
        let others: &[u8] = b"some other secret";
        let got = verify(settings, &[others, secret], &headers(given), b"{\"a\":1}", now);
        assert_eq!(got, expected.map(|id| id.map(str::to_owned)), "{:?} {given:?}", settings.scheme);
        if got.is_ok() {
            let forged = verify(settings, &[others], &headers(given), b"{\"a\":1}", now);
            assert_eq!(forged, Err(Refusal::Wrong), "{:?}", settings.scheme);
        }
    }

    #[test]
    fn every_scheme_knows_its_own() {
        let key = b"0123456789abcdef01234567";
        let time = NOW.to_string();
        let standard = settings(HookScheme::Standard);
        let sign = |time: &str| format!("v1,{}", STANDARD.encode(mac(key, &[b"m1.", time.as_bytes(), b".{\"a\":1}"])));
        let several = format!("v1a,xxx v1,AAAA {}", sign(&time));
        let with = |time: &str, signature: &str| {
            vec![
                ("webhook-id".to_owned(), "m1".to_owned()),
                ("webhook-timestamp".to_owned(), time.to_owned()),
                ("webhook-signature".to_owned(), signature.to_owned()),
            ]
        };
        let run = |time: &str, signature: &str, expected| {
            let owned = with(time, signature);
            let pairs: Vec<(&str, &str)> = owned.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            check(&standard, key, &pairs, expected);
        };
        run(&time, &several, Ok(Some("m1")));
        run(&time, "v1,AAAA", Err(Refusal::Wrong));
        let old = (NOW - 301).to_string();
        run(&old, &sign(&old), Err(Refusal::Stale { seconds: 301 }));
        // The time is signed.
        run(&(NOW + 1).to_string(), &sign(&time), Err(Refusal::Wrong));

        let body_mac = mac(key, &[b"{\"a\":1}"]);
        let github = format!("sha256={}", in_hex(&body_mac));
        let g = settings(HookScheme::Github);
        check(&g, key, &[("x-hub-signature-256", &github), ("x-github-delivery", "d-1")], Ok(Some("d-1")));
        check(&g, key, &[("x-hub-signature-256", "sha256=zz")], Err(Refusal::Unreadable("x-hub-signature-256".into())));
        check(&g, key, &[], Err(Refusal::Missing("x-hub-signature-256".into())));

        let slack = format!("v0={}", in_hex(&mac(key, &[b"v0:", time.as_bytes(), b":{\"a\":1}"])));
        let s = settings(HookScheme::Slack);
        check(&s, key, &[("x-slack-request-timestamp", &time), ("x-slack-signature", &slack)], Ok(None));
        check(&s, key, &[("x-slack-request-timestamp", "1"), ("x-slack-signature", &slack)], Err(Refusal::Wrong));

        let own = HookSettings {
            header: Some("X-Sig".into()),
            prefix: Some("hmac ".into()),
            encoding: HookEncoding::Base64,
            ..settings(HookScheme::Hmac)
        };
        check(&own, key, &[("x-sig", &format!("hmac {}", STANDARD.encode(&body_mac)))], Ok(None));
        check(&settings(HookScheme::Hmac), key, &[("x-signature-256", &in_hex(&body_mac))], Ok(None));

        let secret = std::str::from_utf8(key).unwrap();
        check(&settings(HookScheme::Gitlab), key, &[("x-gitlab-token", secret)], Ok(None));
        check(&settings(HookScheme::Okta), key, &[("authorization", secret)], Ok(None));
        check(&settings(HookScheme::Bearer), key, &[("authorization", &format!("bearer {secret}"))], Ok(None));
        let pair = format!("Basic {}", STANDARD.encode(format!("ada:{secret}")));
        let basic = HookSettings { user: Some("ada".into()), ..settings(HookScheme::Basic) };
        check(&basic, key, &[("authorization", &pair)], Ok(None));
        let other = HookSettings { user: Some("bob".into()), ..basic };
        check(&other, key, &[("authorization", &pair)], Err(Refusal::Wrong));
    }

    #[test]
    fn secrets_have_a_length() {
        assert!(key_of(HookScheme::Standard, &new_secret(HookScheme::Standard)).is_ok());
        assert!(key_of(HookScheme::Hmac, &new_secret(HookScheme::Hmac)).is_ok());
        assert!(key_of(HookScheme::Github, "short").is_err());
        assert!(key_of(HookScheme::Standard, "whsec_AAAA").is_err());
    }
}
