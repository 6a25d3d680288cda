//! The channels, one file each, and what they have in common: how a message is sent, and how a "no" is read.

mod bounded;
pub mod email;
pub mod inbox;
pub mod post;
pub mod settings;
pub mod slack;
pub mod teams;
pub mod webhook;

use std::time::Duration;

use api::notify::ChannelKind;
use jiff::Timestamp;
use sqlx::SqlitePool;

use super::redact;
use super::text::cut;
use crate::outgoing::{self, Outgoing};
use crate::state::channels::{Channel, Settings};
use crate::state::deliveries::Message;

/// What of a request is kept with the attempt.
const REQUEST_CHARS_MAX: usize = 4_000;

/// A message on its way to one recipient.
#[derive(Debug)]
pub struct Parcel<'a> {
    /// The same over all attempts: the idempotency key of webhooks, the Message-ID of mail.
    pub id: &'a str,
    pub recipient: &'a str,
    pub message: &'a Message,
    /// The event itself, for programs.
    pub event: Option<serde_json::Value>,
    pub now: Timestamp,
}

/// What a channel answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: Option<u16>,
    pub text: String,
}

/// One try: what went out, without secrets, and what came back.
#[derive(Debug)]
pub struct Try {
    pub request: String,
    pub result: Result<Answer, SendError>,
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Worth trying again.
    #[error("{channel} can't take messages now")]
    Temporary {
        channel: String,
        retry_after: Option<Duration>,
        #[source]
        source: Cause,
    },
    /// Trying again would change nothing.
    #[error("{channel} refuses this message")]
    Permanent {
        channel: String,
        #[source]
        source: Cause,
    },
    /// The receiver is gone and said so (410): nothing should be sent there any more.
    #[error("{channel} has gone")]
    Gone {
        channel: String,
        #[source]
        source: Cause,
    },
}

impl SendError {
    pub fn cause(&self) -> &Cause {
        match self {
            Self::Temporary { source, .. } | Self::Permanent { source, .. } | Self::Gone { source, .. } => source,
        }
    }
}

/// What happened, in words that hold no secret.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    #[error(transparent)]
    Outgoing(#[from] outgoing::Error),
    #[error("no connection: {0}")]
    Connection(String),
    #[error("no answer within {} seconds", .0.as_secs())]
    Timeout(Duration),
    #[error("{status} {answer}")]
    Http { status: u16, answer: String },
    /// `about_us`: said before the message was spoken of, so it is about our settings.
    #[error("{answer}")]
    Smtp { code: u16, answer: String, about_us: bool },
    #[error("{0}")]
    Compose(String),
    #[error("can't write to the inbox: {0}")]
    Inbox(String),
}

impl Cause {
    /// The status of the answer, when there was one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Http { status, .. } => Some(*status),
            Self::Smtp { code, .. } => Some(*code),
            Self::Outgoing(_) | Self::Connection(_) | Self::Timeout(_) | Self::Compose(_) | Self::Inbox(_) => None,
        }
    }
}

/// What is to be thought of a "no".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finality {
    Temporary,
    Permanent,
    Gone,
}

/// A receiver of webhooks may be deployed, misconfigured or behind a login page for an hour: as the
/// specification says, everything but 410 is tried again. A chat that refuses a message refuses it for good.
fn finality(kind: ChannelKind, cause: &Cause) -> Finality {
    match cause {
        Cause::Outgoing(outgoing::Error::Refused { .. } | outgoing::Error::Url { .. }) | Cause::Compose(_) => {
            Finality::Permanent
        }
        Cause::Outgoing(outgoing::Error::Resolve { .. } | outgoing::Error::Client { .. })
        | Cause::Connection(_)
        | Cause::Timeout(_)
        | Cause::Inbox(_) => Finality::Temporary,
        Cause::Smtp { code, about_us, .. } if *about_us || *code < 500 => Finality::Temporary,
        Cause::Smtp { .. } => Finality::Permanent,
        Cause::Http { status, .. } => match (kind, status) {
            (ChannelKind::Webhook, 410) => Finality::Gone,
            (ChannelKind::Webhook, _) | (_, 300..=399 | 408 | 425 | 429 | 500..) => Finality::Temporary,
            _ => Finality::Permanent,
        },
    }
}

/// Sends through whatever channel it is given.
#[derive(Clone)]
pub struct Sender {
    pool: SqlitePool,
    outgoing: Outgoing,
    posts: post::Clients,
}

impl Sender {
    pub fn new(pool: SqlitePool, outgoing: Outgoing) -> Self {
        Self { pool, posts: post::Clients::new(outgoing.clone()), outgoing }
    }

    /// One try. Takes at most about a minute, whatever the other side does.
    pub async fn send(&self, channel: &Channel, parcel: &Parcel<'_>) -> Try {
        let (request, result) = match &channel.settings {
            Settings::Email(email) => self.mail(email, parcel).await,
            Settings::Slack(chat) => {
                let body = slack::body(parcel.message).to_string().into_bytes();
                self.post(&chat.url, redact::host_only(&chat.url), body, &[]).await
            }
            Settings::Teams(chat) => {
                let body = teams::body(parcel.message).to_string().into_bytes();
                self.post(&chat.url, redact::host_only(&chat.url), body, &[]).await
            }
            Settings::Webhook(hook) => match settings::secrets(hook, parcel.now) {
                Ok(secrets) => {
                    let body = webhook::body(parcel.message, parcel.event.as_ref());
                    let headers = webhook::headers(parcel.id, parcel.now, &body, &secrets);
                    self.post(&hook.url, redact::url(&hook.url), body, &headers).await
                }
                Err(error) => (String::new(), Err((Cause::Compose(error.to_string()), None))),
            },
            Settings::Inbox => inbox::deliver(&self.pool, parcel).await,
        };
        let result = result.map_err(|(source, retry_after)| {
            let channel_name = channel.name.clone();
            match finality(channel.kind(), &source) {
                Finality::Temporary => SendError::Temporary { channel: channel_name, retry_after, source },
                Finality::Permanent => SendError::Permanent { channel: channel_name, source },
                Finality::Gone => SendError::Gone { channel: channel_name, source },
            }
        });
        Try { request: cut(&request, REQUEST_CHARS_MAX), result }
    }

    async fn post(&self, url: &str, shown: String, body: Vec<u8>, headers: &[(&'static str, String)]) -> Sent {
        let mut request = format!("POST {shown}\ncontent-type: application/json\n");
        for (name, value) in headers {
            let value = if *name == "webhook-signature" { "••••" } else { value };
            request.push_str(&format!("{name}: {value}\n"));
        }
        request.push('\n');
        request.push_str(&String::from_utf8_lossy(&body));
        (request, self.posts.post(url, body, headers).await)
    }

    async fn mail(&self, email: &crate::state::channels::Email, parcel: &Parcel<'_>) -> Sent {
        let letter = email::letter(parcel.message);
        let request = format!(
            "SMTP {}:{} ({})\nfrom: {}\nto: {}\nmessage-id: {}\nsubject: {}\n\n{}",
            email.host,
            email.port,
            settings::security_name(email.security),
            email.from,
            parcel.recipient,
            parcel.id,
            letter.subject,
            letter.plain,
        );
        let attached = match attachments(parcel.message).await {
            Ok(attached) => attached,
            Err(cause) => return (request, Err((cause, None))),
        };
        let (envelope, mail) = match email::compose(email, parcel, letter, attached) {
            Ok(composed) => composed,
            Err(cause) => return (request, Err((cause, None))),
        };
        let addresses = match self.outgoing.resolve(&email.host, email.port).await {
            Ok(addresses) => addresses,
            Err(error) => return (request, Err((error.into(), None))),
        };
        // One after the other: a mail server behind two addresses of which one does not answer is common.
        let mut result = Err(Cause::Connection("the name has no address".to_owned()));
        for address in addresses.into_iter().take(3) {
            result = email::send(email, address, &envelope, &mail).await;
            if !matches!(result, Err(Cause::Connection(_))) {
                break;
            }
        }
        let answered = result.map(|text| {
            let status = text.split(' ').next().and_then(|code| code.parse().ok());
            Answer { status, text }
        });
        (request, answered.map_err(|cause| (cause, None)))
    }
}

type Sent = (String, Result<Answer, (Cause, Option<Duration>)>);

/// What a delivery's mail carries may have been cleaned away meanwhile; then the mail is refused, and says so.
async fn attachments(message: &Message) -> Result<Vec<(String, String, Vec<u8>)>, Cause> {
    const BYTES_MAX: u64 = 20 << 20;
    let mut read = Vec::new();
    for attachment in &message.attachments {
        let lost = |reason: String| Cause::Compose(format!("{} can't be attached: {reason}", attachment.name));
        let about = tokio::fs::metadata(&attachment.path).await.map_err(|error| lost(error.to_string()))?;
        if about.len() > BYTES_MAX {
            return Err(lost(format!("it has {} bytes, mail takes {BYTES_MAX}", about.len())));
        }
        let bytes = tokio::fs::read(&attachment.path).await.map_err(|error| lost(error.to_string()))?;
        read.push((attachment.name.clone(), attachment.media_type.clone(), bytes));
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_no_means() {
        let http = |status| Cause::Http { status, answer: String::new() };
        let smtp = |code, about_us| Cause::Smtp { code, answer: String::new(), about_us };
        for (kind, cause, wanted) in [
            (ChannelKind::Webhook, http(302), Finality::Temporary),
            (ChannelKind::Webhook, http(404), Finality::Temporary),
            (ChannelKind::Webhook, http(410), Finality::Gone),
            (ChannelKind::Webhook, http(503), Finality::Temporary),
            (ChannelKind::Slack, http(429), Finality::Temporary),
            (ChannelKind::Slack, http(400), Finality::Permanent),
            (ChannelKind::Slack, http(410), Finality::Permanent),
            (ChannelKind::Teams, http(413), Finality::Permanent),
            (ChannelKind::Teams, http(502), Finality::Temporary),
            (ChannelKind::Email, smtp(550, false), Finality::Permanent),
            (ChannelKind::Email, smtp(451, false), Finality::Temporary),
            // A wrong password is mended by a person; the mail waits.
            (ChannelKind::Email, smtp(535, true), Finality::Temporary),
            (ChannelKind::Email, Cause::Timeout(Duration::from_secs(1)), Finality::Temporary),
        ] {
            assert_eq!(finality(kind, &cause), wanted, "{kind:?} {cause:?}");
        }
    }
}
