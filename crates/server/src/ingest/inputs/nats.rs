//! Subjects of a NATS server. From a JetStream stream each message is acknowledged when it is on disk; without one NATS
//! keeps nothing, and what is sent while Belfry is away is gone.
//!
//! The client connects to an address that the guard has checked, and is told to learn of no others.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, Message, Subscriber};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::select_all;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::lane::{Lane, Step};
use super::settings::host_and_port;
use super::{ReadError, client_tls};
use crate::outgoing::Outgoing;
use crate::state::inputs::{Nats, Position};

const PORT: u16 = 4222;
const BATCH_MAX: usize = 1_000;
const BATCH_BYTES_MAX: usize = 4 << 20;
const GATHER: Duration = Duration::from_millis(200);
/// How long one question for messages stays open.
const PULL: Duration = Duration::from_secs(5);
/// The server sends a message again that was not acknowledged for so long.
const ACK_WAIT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

pub async fn test(settings: &Nats, outgoing: &Outgoing) -> Result<String, ReadError> {
    let (client, _) = connect(settings, outgoing).await?;
    let info = client.server_info();
    let server = format!("NATS server {} {}", info.server_name, info.version);
    let Some(stream) = &settings.stream else { return Ok(server) };
    let found = ask(&client, &format!("$JS.API.STREAM.INFO.{stream}"), &Value::Null).await?;
    let messages = found["state"]["messages"].as_u64().unwrap_or(0);
    Ok(format!("{server}, stream {stream} with {messages} messages"))
}

pub async fn run(settings: &Nats, outgoing: &Outgoing, positions: Vec<Position>, lane: &Lane) -> Result<(), ReadError> {
    let (client, lost) = connect(settings, outgoing).await?;
    match &settings.stream {
        None => subjects(settings, &client, lost, lane).await,
        Some(stream) => {
            let durable = settings.durable.clone().unwrap_or_else(|| format!("belfry-{}", lane.id()));
            let known = positions.into_iter().find(|position| position.part == *stream);
            Pull { client, stream: stream.clone(), durable }.run(settings, known, lost, lane).await
        }
    }
}

type Lost = mpsc::Receiver<String>;

async fn connect(settings: &Nats, outgoing: &Outgoing) -> Result<(Client, Lost), ReadError> {
    let mut refused = ReadError::new("no server is named");
    for server in &settings.servers {
        let (host, port) = host_and_port(server, PORT).map_err(ReadError::new)?;
        let addresses = match outgoing.resolve(&host, port).await {
            Ok(addresses) => addresses,
            Err(error) => {
                refused = error.into();
                continue;
            }
        };
        for address in addresses {
            let (tell, lost) = mpsc::channel(4);
            let mut options = ConnectOptions::new()
                .name("belfry")
                .connection_timeout(CONNECT_TIMEOUT)
                // Others would be connected to without the guard.
                .ignore_discovered_servers()
                .max_reconnects(1)
                .subscription_capacity(BATCH_MAX * 4)
                .event_callback(move |event| {
                    let tell = tell.clone();
                    async move {
                        let said = match event {
                            Event::Disconnected => "the connection to the NATS server is lost".to_owned(),
                            Event::Closed => "the NATS server closed the connection".to_owned(),
                            Event::SlowConsumer(_) => {
                                "messages came faster than they could be kept, and some are lost; use a JetStream stream"
                                    .to_owned()
                            }
                            Event::ServerError(error) => error.to_string(),
                            Event::ClientError(error) => error.to_string(),
                            Event::Connected | Event::LameDuckMode | Event::Draining => return,
                        };
                        let _ = tell.try_send(said);
                    }
                });
            if let Some(token) = &settings.token {
                options = options.token(token.clone());
            }
            if let (Some(user), Some(password)) = (&settings.username, &settings.password) {
                options = options.user_and_password(user.clone(), password.clone());
            }
            if settings.tls {
                let tls = client_tls::config_for(settings.certificate_authority.as_deref(), &host)?;
                options = options.tls_client_config(tls).require_tls(true);
            }
            match options.connect(format!("nats://{address}")).await {
                Ok(client) => return Ok((client, lost)),
                Err(error) => refused = ReadError::new(format!("can't connect to {server}: {error}")),
            }
        }
    }
    Err(refused)
}

/// Without a stream: what comes is handed over, and nobody is told.
async fn subjects(settings: &Nats, client: &Client, mut lost: Lost, lane: &Lane) -> Result<(), ReadError> {
    let mut subscribers = Vec::new();
    for subject in &settings.subjects {
        let subscribed = match &settings.queue {
            None => client.subscribe(subject.clone()).await,
            Some(queue) => client.queue_subscribe(subject.clone(), queue.clone()).await,
        };
        subscribers.push(subscribed.map_err(|error| ReadError::new(format!("can't subscribe to {subject}: {error}")))?);
    }
    client.flush().await.map_err(|error| ReadError::new(error.to_string()))?;
    lane.reading().await?;
    let mut messages = select_all(subscribers);
    loop {
        let first = tokio::select! {
            message = messages.next() => message.ok_or_else(|| ReadError::new("the subscription ended"))?,
            said = lost.recv() => return Err(ReadError::new(said.unwrap_or_default())),
            () = lane.stop.cancelled() => return Ok(()),
        };
        let mut bytes = first.payload.len();
        let mut records = vec![first.payload.to_vec()];
        while records.len() < BATCH_MAX
            && bytes < BATCH_BYTES_MAX
            && let Ok(Some(message)) = tokio::time::timeout(GATHER, messages.next()).await
        {
            bytes += message.payload.len();
            records.push(message.payload.to_vec());
        }
        records.retain(|record| !record.is_empty());
        lane.pass(records).await?;
    }
}

/// A durable consumer on a stream, asked for messages by us.
struct Pull {
    client: Client,
    stream: String,
    durable: String,
}

/// Numbers of messages, as stretches from one to another.
type Stretches = Vec<(u64, u64)>;

impl Pull {
    async fn run(
        &self,
        settings: &Nats,
        known: Option<Position>,
        mut lost: Lost,
        lane: &Lane,
    ) -> Result<(), ReadError> {
        self.make_consumer(settings).await?;
        let inbox = self.client.new_inbox();
        let mut answers =
            self.client.subscribe(inbox.clone()).await.map_err(|error| ReadError::new(error.to_string()))?;
        lane.reading().await?;
        // The messages of the last batch: sent again because the acknowledgement was lost, they are not taken again.
        let mut last = known.as_ref().map(|known| known.position.clone()).unwrap_or_default();
        // The messages of a batch that was begun before a crash: they are handed over once more, together.
        let mut begun = known.and_then(|known| known.pending).map(|pending| stretches(&pending)).unwrap_or_default();
        let resume_until = tokio::time::Instant::now() + ACK_WAIT * 3;
        let mut held: BTreeMap<u64, Message> = BTreeMap::new();
        while !lane.stop.is_cancelled() {
            self.pull(&inbox, &mut answers, &mut held, &mut lost, lane).await?;
            let kept = stretches(&last);
            let (again, mut batch): (BTreeMap<_, _>, BTreeMap<_, _>) =
                std::mem::take(&mut held).into_iter().partition(|(number, _)| holds(&kept, *number));
            self.acknowledge(again.values()).await?;
            let mut resumed = false;
            if !begun.is_empty() {
                if tokio::time::Instant::now() < resume_until
                    && begun.iter().any(|(from, to)| (*from..=*to).any(|number| !batch.contains_key(&number)))
                {
                    held = batch;
                    continue;
                }
                // Complete, or never to be: some of it may have been deleted.
                let (again, others) = batch.into_iter().partition(|(number, _)| holds(&begun, *number));
                batch = again;
                held = others;
                resumed = numbers(batch.keys().copied()) == begun;
                begun.clear();
            }
            if batch.is_empty() {
                continue;
            }
            let to = text(&numbers(batch.keys().copied()));
            let step = Step {
                part: self.stream.clone(),
                label: self.stream.clone(),
                from: std::mem::replace(&mut last, to.clone()),
                to,
                records: batch.values().map(|m| m.payload.to_vec()).filter(|record| !record.is_empty()).collect(),
                resumed,
            };
            lane.deliver(step).await?;
            self.acknowledge(batch.values()).await?;
        }
        Ok(())
    }

    async fn make_consumer(&self, settings: &Nats) -> Result<(), ReadError> {
        let (stream, durable) = (&self.stream, &self.durable);
        let info = format!("$JS.API.CONSUMER.INFO.{stream}.{durable}");
        if let Ok(found) = ask(&self.client, &info, &Value::Null).await {
            return match found["config"]["ack_policy"].as_str() {
                Some("explicit") => Ok(()),
                other => Err(ReadError::new(format!(
                    "the consumer {durable} acknowledges {}, and explicit is needed",
                    other.unwrap_or("in no known way")
                ))),
            };
        }
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let mut config = json!({
            "durable_name": durable,
            "ack_policy": "explicit",
            "deliver_policy": "all",
            "ack_wait": nanos(ACK_WAIT),
            "max_ack_pending": BATCH_MAX,
        });
        if let Some(subject) = settings.subjects.first()
            && subject != ">"
        {
            config["filter_subject"] = json!(subject);
        }
        let request = json!({ "stream_name": stream, "config": config });
        ask(&self.client, &format!("$JS.API.CONSUMER.DURABLE.CREATE.{stream}.{durable}"), &request).await?;
        Ok(())
    }

    /// Asks for messages, and gathers what comes until there is a batch or nothing more for a moment.
    async fn pull(
        &self,
        inbox: &str,
        answers: &mut Subscriber,
        held: &mut BTreeMap<u64, Message>,
        lost: &mut Lost,
        lane: &Lane,
    ) -> Result<(), ReadError> {
        let wanted = BATCH_MAX.saturating_sub(held.len()).max(1);
        let request = json!({ "batch": wanted, "expires": u64::try_from(PULL.as_nanos()).unwrap_or(u64::MAX) });
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", self.stream, self.durable);
        self.client
            .publish_with_reply(subject, inbox.to_owned(), Bytes::from(request.to_string()))
            .await
            .map_err(|error| ReadError::new(error.to_string()))?;
        let mut patience = PULL + GATHER;
        let (mut come, mut bytes) = (0, 0);
        while come < wanted && bytes < BATCH_BYTES_MAX {
            let message = tokio::select! {
                message = tokio::time::timeout(patience, answers.next()) => message,
                said = lost.recv() => return Err(ReadError::new(said.unwrap_or_default())),
                () = lane.stop.cancelled() => return Ok(()),
            };
            let message = match message {
                Err(_) => break,
                Ok(None) => return Err(ReadError::new("the subscription ended")),
                Ok(Some(message)) => message,
            };
            match message.status.map(|status| status.as_u16()) {
                None | Some(200) => {}
                // A sign of life.
                Some(100) => continue,
                // Nothing there, nothing came in time, or enough was sent.
                Some(404 | 408) => break,
                Some(409) if message.description.as_deref().is_some_and(|said| !said.contains("Deleted")) => break,
                Some(status) => {
                    let said = message.description.unwrap_or_default();
                    return Err(ReadError::new(format!("stream {}: {status} {said}", self.stream)));
                }
            }
            if let Some(number) = message.reply.as_ref().and_then(|reply| number_of(reply)) {
                bytes += message.payload.len();
                come += 1;
                held.insert(number, message);
                patience = GATHER;
            }
        }
        Ok(())
    }

    async fn acknowledge(&self, messages: impl Iterator<Item = &Message>) -> Result<(), ReadError> {
        let failed = |error: String| ReadError::new(format!("can't acknowledge: {error}"));
        let mut any = false;
        for reply in messages.filter_map(|message| message.reply.clone()) {
            any = true;
            self.client.publish(reply, Bytes::from_static(b"+ACK")).await.map_err(|error| failed(error.to_string()))?;
        }
        if any {
            self.client.flush().await.map_err(|error| failed(error.to_string()))?;
        }
        Ok(())
    }
}

/// Asks JetStream; its errors become ours.
async fn ask(client: &Client, subject: &str, request: &Value) -> Result<Value, ReadError> {
    let body = if request.is_null() { Bytes::new() } else { Bytes::from(request.to_string()) };
    let answer = client
        .request(subject.to_owned(), body)
        .await
        .map_err(|error| ReadError::new(format!("JetStream does not answer {subject}: {error}")))?;
    let answer: Value = serde_json::from_slice(&answer.payload)
        .map_err(|error| ReadError::new(format!("JetStream answers {subject} with no JSON: {error}")))?;
    match answer["error"]["description"].as_str() {
        Some(said) => Err(ReadError::new(format!("JetStream: {said}"))),
        None => Ok(answer),
    }
}

/// The number of a message in its stream, from where its acknowledgement goes:
/// `$JS.ACK.STREAM.CONSUMER.TRIES.NUMBER.…`, in newer servers with two more parts before the stream.
fn number_of(reply: &str) -> Option<u64> {
    let parts: Vec<&str> = reply.split('.').collect();
    let at = match parts.len() {
        9 => 5,
        11.. => 7,
        _ => return None,
    };
    if parts.get(..2) != Some(&["$JS", "ACK"]) {
        return None;
    }
    parts.get(at)?.parse().ok()
}

fn numbers(sorted: impl Iterator<Item = u64>) -> Stretches {
    let mut stretches: Stretches = Vec::new();
    for number in sorted {
        match stretches.last_mut() {
            Some((_, to)) if *to + 1 == number => *to = number,
            _ => stretches.push((number, number)),
        }
    }
    stretches
}

fn holds(stretches: &Stretches, number: u64) -> bool {
    stretches.iter().any(|(from, to)| (*from..=*to).contains(&number))
}

/// `1-5,8-8`
fn text(stretches: &Stretches) -> String {
    stretches.iter().map(|(from, to)| format!("{from}-{to}")).collect::<Vec<_>>().join(",")
}

fn stretches(text: &str) -> Stretches {
    text.split(',')
        .filter_map(|stretch| {
            let (from, to) = stretch.split_once('-')?;
            let (from, to): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
            (from <= to && to - from <= BATCH_MAX as u64).then_some((from, to))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_where_the_acknowledgement_goes() {
        assert_eq!(number_of("$JS.ACK.AUDIT.belfry.1.42.7.1700000000000000000.3"), Some(42));
        assert_eq!(number_of("$JS.ACK.hub.x7.AUDIT.belfry.1.42.7.1700000000000000000.3.r"), Some(42));
        assert_eq!(number_of("_INBOX.abc"), None);
    }

    #[test]
    fn stretches_are_written_and_read() {
        let some = numbers([1, 2, 3, 5, 9, 10].into_iter());
        assert_eq!(text(&some), "1-3,5-5,9-10");
        assert_eq!(stretches(&text(&some)), some);
        assert!(holds(&some, 5) && !holds(&some, 4));
        assert!(stretches("").is_empty() && stretches("x-1,5-2").is_empty());
    }
}
