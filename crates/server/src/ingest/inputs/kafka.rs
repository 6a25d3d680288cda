//! Topics of a Kafka cluster. How far each partition is read is kept by us, in no consumer group.
//!
//! The brokers that are named are checked by the guard before each connection. The client resolves them once more, and
//! goes to whichever brokers the cluster says it has; it lets nobody come between.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use rskafka::BackoffConfig;
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use rskafka::record::RecordAndOffset;

use super::lane::{Lane, Step};
use super::settings::host_and_port;
use super::{ReadError, client_tls};
use crate::outgoing::Outgoing;
use crate::state::inputs::{From, Kafka, Position};

const PORT: u16 = 9092;
const FETCH_BYTES: std::ops::Range<i32> = 1..1_000_000;
const FETCH_WAIT_MS: i32 = 500;
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 64 << 20;
const PARTITIONS_MAX: usize = 500;
/// New topics and partitions are looked for so often.
const LOOK_EVERY: Duration = Duration::from_secs(60);

pub async fn test(settings: &Kafka, outgoing: &Outgoing) -> Result<String, ReadError> {
    let client = connect(settings, outgoing).await?;
    let mut found = Vec::new();
    for (topic, partitions) in topics(&client, settings).await? {
        found.push(format!("{topic} ({} partitions)", partitions.len()));
    }
    Ok(found.join(", "))
}

pub async fn run(
    settings: &Kafka,
    outgoing: &Outgoing,
    positions: Vec<Position>,
    lane: &Lane,
) -> Result<(), ReadError> {
    let mut known: HashMap<String, Position> =
        positions.into_iter().map(|position| (position.part.clone(), position)).collect();
    let client = connect(settings, outgoing).await?;
    let mut reading: HashMap<String, Arc<PartitionClient>> = HashMap::new();
    let mut fetches = FuturesUnordered::new();
    let mut looked: Option<tokio::time::Instant> = None;
    loop {
        if looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY) {
            looked = Some(tokio::time::Instant::now());
            for (topic, partitions) in topics(&client, settings).await? {
                for partition in partitions {
                    let part = format!("{topic}/{partition}");
                    if reading.contains_key(&part) || reading.len() >= PARTITIONS_MAX {
                        continue;
                    }
                    let failed = |error: Error| ReadError::new(format!("{part}: {error}"));
                    let partition = client
                        .partition_client(topic.clone(), partition, UnknownTopicHandling::Error)
                        .await
                        .map_err(failed)?;
                    let partition = Arc::new(partition);
                    let offset = match known.get(&part) {
                        Some(known) => known.position.parse().unwrap_or(0),
                        None => first(&partition, settings.from).await.map_err(failed)?,
                    };
                    reading.insert(part.clone(), partition.clone());
                    fetches.push(fetch(part, partition, offset));
                }
            }
            lane.reading().await?;
        }
        let fetched = tokio::select! {
            fetched = fetches.next() => fetched,
            () = lane.stop.cancelled() => return Ok(()),
        };
        let Some(Fetched { part, offset, result }) = fetched else {
            tokio::time::sleep(Duration::from_millis(500)).await;
            continue;
        };
        let Some(partition) = reading.get(&part).cloned() else { continue };
        let mut records = match result {
            Ok(records) => records,
            Err(Error::ServerError { protocol_error: ProtocolError::OffsetOutOfRange, .. }) => {
                let failed = |error: Error| ReadError::new(format!("{part}: {error}"));
                let begin = partition.get_offset(OffsetAt::Earliest).await.map_err(failed)?;
                lane.note(&format!(
                    "{part}: offset {offset} is not there any more; reading goes on at {begin}, what was between is lost"
                ))
                .await;
                fetches.push(fetch(part, partition, begin));
                continue;
            }
            Err(error) => return Err(ReadError::new(format!("{part}: {error}"))),
        };
        let pending = known.get_mut(&part).and_then(|known| known.pending.take()).and_then(|to| to.parse::<i64>().ok());
        let mut resumed = false;
        if let Some(to) = pending.filter(|to| *to > offset) {
            let more = records.last().is_some_and(|last| last.offset + 1 >= to);
            records.retain(|record| record.offset < to);
            resumed = more;
        }
        let next = records.last().map_or(offset, |last| last.offset + 1).max(offset);
        // What ends a batch that was begun before a crash need not be a record: the stretch may have been cleaned up.
        let next = if resumed { pending.unwrap_or(next) } else { next };
        if next > offset {
            let step = Step {
                part: part.clone(),
                label: part.clone(),
                from: offset.to_string(),
                to: next.to_string(),
                records: records
                    .into_iter()
                    .filter_map(|record| record.record.value.filter(|value| !value.is_empty()))
                    .collect(),
                resumed,
            };
            lane.deliver(step).await?;
        }
        fetches.push(fetch(part, partition, next));
    }
}

struct Fetched {
    part: String,
    offset: i64,
    result: Result<Vec<RecordAndOffset>, Error>,
}

async fn fetch(part: String, partition: Arc<PartitionClient>, offset: i64) -> Fetched {
    let fetched = partition.fetch_records(offset, FETCH_BYTES, FETCH_WAIT_MS);
    let result = match tokio::time::timeout(FETCH_TIMEOUT, fetched).await {
        Ok(Ok((records, _))) => Ok(records.into_iter().filter(|record| record.offset >= offset).collect()),
        Ok(Err(error)) => Err(error),
        Err(_) => Ok(Vec::new()),
    };
    Fetched { part, offset, result }
}

async fn first(partition: &PartitionClient, from: From) -> Result<i64, Error> {
    let at = match from {
        From::Begin => OffsetAt::Earliest,
        From::End => OffsetAt::Latest,
    };
    partition.get_offset(at).await
}

async fn connect(settings: &Kafka, outgoing: &Outgoing) -> Result<Client, ReadError> {
    let mut brokers = Vec::new();
    for broker in &settings.brokers {
        let (host, port) = host_and_port(broker, PORT).map_err(ReadError::new)?;
        outgoing.resolve(&host, port).await?;
        brokers.push(format!("{host}:{port}"));
    }
    let patience = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(2),
        base: 2.0,
        deadline: Some(Duration::from_secs(10)),
    };
    let mut builder =
        ClientBuilder::new(brokers).client_id("belfry").max_message_size(ANSWER_BYTES_MAX).backoff_config(patience);
    if settings.tls {
        builder = builder.tls_config(Arc::new(client_tls::config(settings.certificate_authority.as_deref())?));
    }
    if let (Some(username), Some(password)) = (&settings.username, &settings.password) {
        builder = builder.sasl_config(SaslConfig::Plain(Credentials::new(username.clone(), password.clone())));
    }
    let named = settings.brokers.join(", ");
    let built = tokio::time::timeout(Duration::from_secs(20), builder.build()).await;
    match built {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(error)) => Err(ReadError::new(format!("can't connect to {named}: {error}"))),
        Err(_) => Err(ReadError::new(format!("{named} does not answer"))),
    }
}

/// The topics that are wanted, with their partitions.
async fn topics(client: &Client, settings: &Kafka) -> Result<Vec<(String, Vec<i32>)>, ReadError> {
    let all = client.list_topics().await.map_err(|error| ReadError::new(format!("can't list the topics: {error}")))?;
    let mut found = Vec::new();
    for wanted in &settings.topics {
        let topic = all.iter().find(|topic| topic.name == *wanted);
        let topic = topic.ok_or_else(|| ReadError::new(format!("there is no topic {wanted}")))?;
        found.push((topic.name.clone(), topic.partitions.iter().copied().collect()));
    }
    Ok(found)
}
