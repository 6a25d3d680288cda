//! Messages that a listener has cut: many senders' in one batch, each read by the source it belongs to.
//!
//! What no receipt can be given for must not be lost on the way: as long as the trail can't take it, the batch waits,
//! and with it whoever hands over the next.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use wire::syslog::{Syslog, parse};

use super::intake::{Intake, Reading, Sender};
use super::registry::Routes;
use crate::append;

/// How long a batch waits before it is handed to a trail that takes nothing again.
const STOPPED_PAUSE: Duration = Duration::from_secs(1);

/// What is known of a sender by its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientName {
    /// The common name, else the whole subject, else the fingerprint.
    pub name: String,
    pub subject: String,
    /// SHA-256 of the certificate, in hex.
    pub fingerprint: String,
}

impl ClientName {
    /// The field set `tls` of an event that came over such a connection.
    pub(super) fn fields(&self) -> serde_json::Value {
        serde_json::json!({
            "client": {
                "subject": self.subject,
                "hash": { "sha256": self.fingerprint },
                "x509": { "subject": { "common_name": self.name } },
            },
        })
    }
}

/// Messages of one sender, one behind the other in one buffer.
#[derive(Debug)]
pub struct Messages {
    pub peer: IpAddr,
    /// What becomes `event.provider`: `syslog`, or the name in the client's certificate.
    pub provider: Arc<str>,
    pub client: Option<Arc<ClientName>>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Messages {
    pub fn new(peer: IpAddr, provider: Arc<str>) -> Self {
        Self::of_client(peer, provider, None)
    }

    pub fn of_client(peer: IpAddr, provider: Arc<str>, client: Option<Arc<ClientName>>) -> Self {
        Self { peer, provider, client, bytes: Vec::new(), ends: Vec::new() }
    }

    pub fn push(&mut self, message: &[u8]) {
        if !message.is_empty() {
            self.bytes.extend_from_slice(message);
            self.ends.push(self.bytes.len());
        }
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all of them together.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let message = self.bytes.get(start..*end).unwrap_or_default();
            start = *end;
            message
        })
    }
}

/// One message, and what the listener knows of it.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    pub bytes: &'a [u8],
    pub header: &'a Syslog<'a>,
    pub client: Option<&'a ClientName>,
}

/// What was read of a batch, ready to be appended.
pub struct Read {
    reading: Reading,
}

impl Intake {
    /// Reads a batch, on as many threads as there are parts. The order stays.
    pub async fn read_messages(self: &Arc<Self>, parts: Vec<Vec<Messages>>) -> Read {
        let routes = self.registry().routes();
        let readers: Vec<_> = parts
            .into_iter()
            .map(|part| {
                let (intake, routes) = (self.clone(), routes.clone());
                tokio::task::spawn_blocking(move || intake.read_part(&part, &routes))
            })
            .collect();
        let mut reading = Reading::default();
        for reader in readers {
            match reader.await {
                Ok(mut part) => reading.append(&mut part),
                Err(error) => tracing::error!(%error, "a part of a batch of messages could not be read"),
            }
        }
        Read { reading }
    }

    fn read_part(&self, part: &[Messages], routes: &Routes) -> Reading {
        let mut reading = Reading::default();
        let mut sender = Sender::default();
        for messages in part {
            messages.provider.as_ref().clone_into(&mut sender.provider);
            sender.peer = Some(messages.peer);
            let now = self.now();
            for message in messages.iter() {
                let header = parse(message, now);
                let (source, reader) = routes.of(&header);
                if sender.source.as_deref() != Some(source) {
                    sender.source = Some(source.to_owned());
                }
                let index = reading.seen();
                // A fault in reading one message must not cost the others of the batch.
                let read = catch_unwind(AssertUnwindSafe(|| {
                    let read = Message { bytes: message, header: &header, client: messages.client.as_deref() };
                    self.read_message(&sender, reader, index, &read, &mut reading);
                }));
                if read.is_err() {
                    let refusal = ("broken", "reading this record failed, which is a fault of Belfry".to_owned(), None);
                    reading.refuse(&sender, index, refusal, message);
                }
            }
        }
        reading
    }

    /// Appends what was read, and sets the rest aside. Waits for as long as the trail or the state can't take it.
    pub async fn keep_messages(self: &Arc<Self>, read: Read) {
        let (admitted, rejects, left_out) = read.reading.into_parts();
        self.selection().count(left_out);
        while !admitted.is_empty() {
            // The entries are shared, not copied.
            match self.door().append(admitted.clone(), None).await {
                Ok(_) => break,
                Err(append::Error::Busy { retry_after }) => tokio::time::sleep(retry_after).await,
                Err(error @ append::Error::Stopped { .. }) => {
                    tracing::debug!(%error, "messages wait for the trail");
                    tokio::time::sleep(STOPPED_PAUSE).await;
                }
                Err(error) => {
                    tracing::error!(%error, "{} messages can't be appended and are lost", admitted.len());
                    break;
                }
            }
        }
        while !rejects.is_empty() {
            match self.keep_rejects(&rejects).await {
                Ok(()) => break,
                Err(error) => {
                    tracing::warn!(%error, "records wait to be set aside");
                    tokio::time::sleep(STOPPED_PAUSE).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_lie_one_behind_the_other() {
        let mut messages = Messages::new(IpAddr::from([192, 0, 2, 1]), Arc::from("syslog"));
        for message in ["one", "", "two", "three"] {
            messages.push(message.as_bytes());
        }
        assert_eq!((messages.len(), messages.bytes(), messages.is_empty()), (3, 11, false));
        let all: Vec<&[u8]> = messages.iter().collect();
        assert_eq!(all, [b"one".as_slice(), b"two", b"three"]);
    }
}
