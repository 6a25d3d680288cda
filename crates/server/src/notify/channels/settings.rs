//! Settings of a channel as a person writes them, and as they are shown: without secrets.

use api::notify::{ChannelKind, SECRET_SHOWN};
use api::problem::ProblemPart;
use jiff::Timestamp;
use lettre::message::Mailbox;
use serde::Deserialize;
use serde_json::{Value, json};

use super::webhook::{Secret, SecretError};
use crate::notify::redact;
use crate::outgoing::{self, Outgoing};
use crate::state::channels::{Chat, Email, PreviousSecret, Security, Settings, Webhook};

const TO_MAX: usize = 50;
/// How long a secret that was replaced still signs.
const ROTATION_MS: i64 = 24 * 3_600 * 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmailDraft {
    #[serde(default)]
    host: String,
    port: Option<u16>,
    #[serde(default = "starttls")]
    security: Security,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: Vec<String>,
    #[serde(default)]
    certificate_authority: Option<String>,
}

fn starttls() -> Security {
    Security::Starttls
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChatDraft {
    #[serde(default)]
    url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookDraft {
    #[serde(default)]
    url: String,
    #[serde(default)]
    secret: Option<String>,
    /// Shown, never taken.
    #[serde(default)]
    #[expect(dead_code, reason = "what is shown may be sent back")]
    previous_secret_until: Option<String>,
}

/// Reads the settings of a `kind` of channel. `before` are those it has: where the draft says `••••`, or what
/// is shown of an address, they stay.
pub fn read(
    kind: ChannelKind,
    draft: &Value,
    before: Option<&Settings>,
    now: Timestamp,
) -> Result<Settings, Vec<ProblemPart>> {
    let draft = if draft.is_null() { json!({}) } else { draft.clone() };
    match kind {
        ChannelKind::Email => email(parse(draft)?, before).map(Settings::Email),
        ChannelKind::Slack => chat(&parse(draft)?, before).map(Settings::Slack),
        ChannelKind::Teams => chat(&parse(draft)?, before).map(Settings::Teams),
        ChannelKind::Webhook => webhook(parse(draft)?, before, now).map(Settings::Webhook),
        ChannelKind::Inbox => match draft.as_object() {
            Some(members) if members.is_empty() => Ok(Settings::Inbox),
            _ => Err(vec![part("", "an inbox has no settings")]),
        },
    }
}

fn parse<T: for<'de> Deserialize<'de>>(draft: Value) -> Result<T, Vec<ProblemPart>> {
    serde_json::from_value(draft).map_err(|error| vec![part("", &error.to_string())])
}

fn part(member: &str, detail: &str) -> ProblemPart {
    let pointer = if member.is_empty() { "/settings".to_owned() } else { format!("/settings/{member}") };
    ProblemPart { pointer, detail: detail.to_owned(), offset: None, length: None }
}

fn email(draft: EmailDraft, before: Option<&Settings>) -> Result<Email, Vec<ProblemPart>> {
    let mut wrong = Vec::new();
    let host = draft.host.trim().to_owned();
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '@')) {
        wrong.push(part("host", "the name or address of a mail server is needed"));
    }
    if draft.from.parse::<Mailbox>().is_err() {
        wrong.push(part("from", "an email address is needed, such as Belfry <belfry@example.org>"));
    }
    if draft.to.len() > TO_MAX {
        wrong.push(part("to", &format!("at most {TO_MAX} addresses")));
    }
    for (index, address) in draft.to.iter().enumerate() {
        if address.parse::<Mailbox>().is_err() {
            wrong.push(part(&format!("to/{index}"), &format!("{address} is no email address")));
        }
    }
    let certificate_authority = draft.certificate_authority.filter(|pem| !pem.trim().is_empty());
    if let Some(pem) = &certificate_authority
        && (!pem.contains("-----BEGIN CERTIFICATE-----")
            || lettre::transport::smtp::client::Certificate::from_pem(pem.as_bytes()).is_err())
    {
        wrong.push(part("certificate_authority", "a certificate in PEM form is needed"));
    }
    let known = match before {
        Some(Settings::Email(email)) => Some(email),
        _ => None,
    };
    let username = draft.username.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let password = match draft.password.as_deref() {
        // A password is not carried over to another server: whoever may edit the channel could else
        // have it sent to a server of theirs.
        Some(SECRET_SHOWN) => match known {
            Some(known) if known.host == host && known.username == username => known.password.clone(),
            Some(_) => {
                wrong.push(part("password", "the server or the user changed, so the password must be given again"));
                None
            }
            None => None,
        },
        Some("") | None => None,
        Some(password) => Some(password.to_owned()),
    };
    if username.is_some() && password.is_none() && wrong.is_empty() {
        wrong.push(part("password", "a user needs a password"));
    }
    let port = draft.port.unwrap_or(match draft.security {
        Security::Tls => 465,
        Security::Starttls => 587,
        Security::None => 25,
    });
    if wrong.is_empty() {
        let to = draft.to.into_iter().map(|address| address.trim().to_owned()).collect();
        Ok(Email {
            host,
            port,
            security: draft.security,
            username,
            password,
            from: draft.from,
            to,
            certificate_authority,
        })
    } else {
        Err(wrong)
    }
}

fn web_address(url: &str) -> Result<(), Vec<ProblemPart>> {
    let parsed =
        reqwest::Url::parse(url).map_err(|error| vec![part("url", &format!("a web address is needed: {error}"))])?;
    if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
        return Err(vec![part("url", "an address that begins with https:// is needed")]);
    }
    Ok(())
}

fn chat(draft: &ChatDraft, before: Option<&Settings>) -> Result<Chat, Vec<ProblemPart>> {
    let url = match before {
        Some(Settings::Slack(known) | Settings::Teams(known)) if stays(&draft.url, &redact::host_only(&known.url)) => {
            known.url.clone()
        }
        _ => draft.url.trim().to_owned(),
    };
    web_address(&url)?;
    Ok(Chat { url })
}

fn webhook(draft: WebhookDraft, before: Option<&Settings>, now: Timestamp) -> Result<Webhook, Vec<ProblemPart>> {
    let known = match before {
        Some(Settings::Webhook(hook)) => Some(hook),
        _ => None,
    };
    let url = match known {
        Some(known) if stays(&draft.url, &redact::url(&known.url)) => known.url.clone(),
        _ => draft.url.trim().to_owned(),
    };
    web_address(&url)?;
    let given = draft.secret.filter(|secret| !secret.is_empty() && secret != SECRET_SHOWN);
    let secret = match (&given, known) {
        (Some(given), _) => Secret::read(given),
        (None, Some(known)) => Secret::read(&known.secret),
        (None, None) => Secret::make(),
    }
    .map_err(|error| vec![part("secret", &error.to_string())])?
    .reveal();
    let previous = known.and_then(|known| {
        if known.secret == secret {
            known.previous.clone().filter(|previous| previous.until > now.as_millisecond())
        } else {
            Some(PreviousSecret { secret: known.secret.clone(), until: now.as_millisecond() + ROTATION_MS })
        }
    });
    Ok(Webhook { url, secret, previous })
}

/// A new secret for a webhook; the one it has goes on signing beside it for a day.
pub fn rotated(hook: &Webhook, now: Timestamp) -> Result<Webhook, SecretError> {
    Ok(Webhook {
        url: hook.url.clone(),
        secret: Secret::make()?.reveal(),
        previous: Some(PreviousSecret { secret: hook.secret.clone(), until: now.as_millisecond() + ROTATION_MS }),
    })
}

/// What a webhook signs with now, the newest first.
pub fn secrets(hook: &Webhook, now: Timestamp) -> Result<Vec<Secret>, SecretError> {
    let mut secrets = vec![Secret::read(&hook.secret)?];
    if let Some(previous) = hook.previous.as_ref().filter(|previous| previous.until > now.as_millisecond()) {
        secrets.push(Secret::read(&previous.secret)?);
    }
    Ok(secrets)
}

/// True where an address came back as it was shown.
fn stays(given: &str, shown: &str) -> bool {
    given.is_empty() || given == SECRET_SHOWN || given == shown
}

/// The settings as everybody who may read channels sees them.
pub fn shown(settings: &Settings) -> Value {
    match settings {
        Settings::Email(email) => json!({
            "host": email.host, "port": email.port, "security": security_name(email.security),
            "username": email.username, "password": email.password.as_ref().map(|_| SECRET_SHOWN),
            "from": email.from, "to": email.to, "certificate_authority": email.certificate_authority,
        }),
        Settings::Slack(chat) | Settings::Teams(chat) => json!({"url": redact::host_only(&chat.url)}),
        Settings::Webhook(hook) => json!({
            "url": redact::url(&hook.url), "secret": SECRET_SHOWN,
            "previous_secret_until": hook.previous.as_ref().map(|previous| crate::state::time_text(previous.until)),
        }),
        Settings::Inbox => json!({}),
    }
}

/// The word for how a mail server is spoken to.
pub fn security_name(security: Security) -> &'static str {
    match security {
        Security::Starttls => "starttls",
        Security::Tls => "tls",
        Security::None => "none",
    }
}

/// Looks whether the target may be talked to at all, so that whoever writes it learns it now and not from the
/// first message that fails. A name that can't be resolved at this moment is no mistake.
pub async fn check_target(outgoing: &Outgoing, settings: &Settings) -> Result<(), Vec<ProblemPart>> {
    let (member, checked) = match settings {
        Settings::Email(email) => ("host", outgoing.resolve(&email.host, email.port).await.map(drop)),
        Settings::Slack(chat) | Settings::Teams(chat) => ("url", outgoing.client(&chat.url).await.map(drop)),
        Settings::Webhook(hook) => ("url", outgoing.client(&hook.url).await.map(drop)),
        Settings::Inbox => return Ok(()),
    };
    match checked {
        Err(error @ (outgoing::Error::Refused { .. } | outgoing::Error::Url { .. })) => {
            Err(vec![part(member, &error.to_string())])
        }
        Ok(()) | Err(outgoing::Error::Resolve { .. } | outgoing::Error::Client { .. }) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_700_000_000).unwrap()
    }

    fn pointers(kind: ChannelKind, draft: Value) -> Vec<String> {
        match read(kind, &draft, None, now()) {
            Ok(_) => Vec::new(),
            Err(wrong) => wrong.into_iter().map(|part| part.pointer).collect(),
        }
    }

    #[test]
    fn what_is_wrong_is_pointed_to() {
        let mail = |extra: Value| {
            let mut draft = json!({"host": "mail.example.org", "from": "b@example.org"});
            draft.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            pointers(ChannelKind::Email, draft)
        };
        assert!(mail(json!({})).is_empty());
        assert_eq!(mail(json!({"host": ""})), ["/settings/host"]);
        assert_eq!(mail(json!({"from": "nobody"})), ["/settings/from"]);
        assert_eq!(mail(json!({"to": ["a@example.org", "b"]})), ["/settings/to/1"]);
        assert_eq!(mail(json!({"username": "u"})), ["/settings/password"]);
        assert_eq!(mail(json!({"port": 70_000})), ["/settings"]);
        assert_eq!(mail(json!({"security": "ssl"})), ["/settings"]);
        assert_eq!(mail(json!({"certificate_authority": "x"})), ["/settings/certificate_authority"]);
        assert_eq!(pointers(ChannelKind::Slack, json!({"url": "hooks.slack.com"})), ["/settings/url"]);
        assert_eq!(pointers(ChannelKind::Teams, json!({"url": "file:///etc/passwd"})), ["/settings/url"]);
        assert_eq!(
            pointers(ChannelKind::Webhook, json!({"url": "https://a.example", "secret": "short"})),
            ["/settings/secret"]
        );
        assert_eq!(pointers(ChannelKind::Inbox, json!({"url": "x"})), ["/settings"]);
        assert!(pointers(ChannelKind::Inbox, Value::Null).is_empty());
    }

    #[test]
    fn what_is_shown_can_be_sent_back_and_changes_nothing() {
        let drafts = [
            (
                ChannelKind::Email,
                json!({"host": "mail.example.org", "from": "b@example.org", "username": "u", "password": "p4ss"}),
            ),
            (ChannelKind::Slack, json!({"url": "https://hooks.slack.com/services/T0/B0/s3cret"})),
            (ChannelKind::Webhook, json!({"url": "https://a.example/in?key=s3cret"})),
        ];
        for (kind, draft) in drafts {
            let settings = read(kind, &draft, None, now()).unwrap_or_else(|_| panic!("{kind:?}"));
            let seen = shown(&settings);
            assert!(!seen.to_string().contains("s3cret") && !seen.to_string().contains("p4ss"), "{seen}");
            let again = read(kind, &seen, Some(&settings), now()).unwrap_or_else(|_| panic!("{kind:?} again"));
            assert!(settings == again, "{kind:?}");
        }
    }

    #[test]
    fn a_password_does_not_follow_to_another_server() {
        let draft = json!({"host": "mail.example.org", "from": "b@example.org", "username": "u", "password": "p4ss"});
        let settings = read(ChannelKind::Email, &draft, None, now()).ok().unwrap();
        let mut seen = shown(&settings);
        seen["host"] = json!("evil.example");
        let wrong = read(ChannelKind::Email, &seen, Some(&settings), now()).err().unwrap();
        assert_eq!(wrong[0].pointer, "/settings/password");
    }

    #[test]
    fn a_replaced_secret_signs_for_one_more_day() {
        let first = read(ChannelKind::Webhook, &json!({"url": "https://a.example"}), None, now()).ok().unwrap();
        let given = Secret::make().unwrap().reveal();
        let second =
            read(ChannelKind::Webhook, &json!({"url": "https://a.example", "secret": given}), Some(&first), now());
        let Ok(Settings::Webhook(hook)) = second else { panic!() };
        assert_eq!(secrets(&hook, now()).unwrap().len(), 2);
        let later = Timestamp::from_second(1_700_000_000 + 86_401).unwrap();
        assert_eq!(secrets(&hook, later).unwrap().len(), 1);
        assert_eq!(secrets(&rotated(&hook, later).unwrap(), later).unwrap().len(), 2);
    }
}
