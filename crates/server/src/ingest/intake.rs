//! The journey of a batch: records → events → trail → receipt.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use api::events::{Receipt, Rejected};
use event::json::Limits;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::SqlitePool;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use trail::Tag;
use wire::decode::Decoder;
use wire::mapping::{Meta, Outcome, Recognised};

use super::body::{self, BodyError, Piece};
use super::health::NO_SOURCE;
use super::messages::Message;
use super::registry::{Reader, ReaderRef, Registry, RegistryError};
use super::routed::Routed;
use super::selection::{Counter, Selection};
use crate::append::{self, Admitted, Door, Origin};
use crate::clock::Clock;
use crate::state::set_aside::{self, New};
use crate::state::set_aside_groups;

/// Records of one batch.
pub const RECORDS_MAX: usize = 50_000;
/// Bodies that are being worked on, all together.
const BODIES_BYTES_MAX: usize = 256 << 20;
/// A record larger than this is refused and not kept.
const SET_ASIDE_BYTES_MAX: usize = 1 << 20;
/// What may wait to be settled before nothing more is set aside.
const WAITING_RECORDS_MAX: u64 = 200_000;
const WAITING_BYTES_MAX: u64 = 1 << 30;
/// How many rejected records a receipt names.
const RECEIPT_REJECTED_MAX: usize = 1_000;
/// How often a source's rejections are raised as an event.
const REJECTED_EVENT_EVERY: Duration = Duration::from_secs(60);

/// Who hands a batch over.
#[derive(Debug, Clone, Default)]
pub struct Sender {
    /// The source whose mapping reads the records; none for events as they are.
    pub source: Option<String>,
    /// The token's or user's name; becomes `event.provider`.
    pub provider: String,
    pub peer: Option<IpAddr>,
    pub identity: Identity,
}

/// What is certain of a sender, whatever it is called.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// The id of its token, device or user: batch keys count for it alone.
    pub id: String,
    /// The device it is; becomes `event.enrolled_device`.
    pub device: Option<Arc<str>>,
    /// The sources it may send to; none: all.
    pub sources: Option<Arc<[String]>>,
}

impl Identity {
    /// Whether it may send to that source; none: events that need no source.
    pub fn may_send_to(&self, source: Option<&str>) -> bool {
        let name = source.unwrap_or(NO_SOURCE);
        self.sources.as_ref().is_none_or(|sources| sources.iter().any(|granted| granted == name))
    }
}

impl Sender {
    /// In whose name batch keys are: names can be taken by others, ids can't.
    fn key_name(&self) -> &str {
        if self.identity.id.is_empty() { &self.provider } else { &self.identity.id }
    }
}

/// What a batch is made of.
pub enum Records {
    /// A JSON body or text lines, as the source's mapping wants it.
    Body(Vec<u8>),
    /// Records that a listener has cut already.
    Cut(Vec<Vec<u8>>),
    /// Pieces of one buffer, each for a source of its own; the sender's source counts for none of them.
    Routed(Routed),
}

#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Append(#[from] append::Error),
    #[error("the server works on as many bodies as it has room for")]
    Busy { retry_after: Duration },
    #[error("a batch with this key is being taken at this moment")]
    InFlight,
    #[error("the state database failed")]
    State(#[from] sqlx::Error),
    #[error("the batch could not be worked on")]
    Broken,
}

/// Why a record was not understood: a word for the kind of reason, the reason, and the field that is wrong.
pub type Refusal = (&'static str, String, Option<String>);

/// A record that was not understood.
#[derive(Debug, Clone)]
pub(super) struct Reject {
    index: usize,
    peer: Option<IpAddr>,
    code: &'static str,
    error: String,
    field: Option<String>,
    source: String,
    record: Vec<u8>,
}

/// Under whose name a record is read, and by what.
struct Route {
    sender: Sender,
    reader: Option<Reader>,
}

/// What came of records so far.
#[derive(Default)]
pub(super) struct Reading {
    admitted: Vec<Admitted>,
    skipped: u64,
    left_out: Vec<Counter>,
    rejects: Vec<Reject>,
}

impl Reading {
    pub(super) fn refuse(&mut self, sender: &Sender, index: usize, (code, error, field): Refusal, record: &[u8]) {
        let source = sender.source.clone().unwrap_or_else(|| "events".to_owned());
        self.rejects.push(Reject { index, peer: sender.peer, code, error, field, source, record: record.to_vec() });
    }

    pub(super) fn seen(&self) -> usize {
        self.admitted.len() + self.rejects.len()
    }

    pub(super) fn append(&mut self, other: &mut Self) {
        self.admitted.append(&mut other.admitted);
        self.skipped += other.skipped;
        self.rejects.append(&mut other.rejects);
        self.left_out.append(&mut other.left_out);
    }

    /// What was admitted, what was refused, and what a rule left out.
    pub(super) fn into_parts(self) -> (Vec<Admitted>, Vec<Reject>, Vec<Counter>) {
        (self.admitted, self.rejects, self.left_out)
    }
}

/// Takes batches in.
pub struct Intake {
    door: Door,
    pool: SqlitePool,
    clock: Clock,
    registry: Arc<Registry>,
    selection: Arc<Selection>,
    room: Arc<Semaphore>,
    in_flight: Mutex<HashSet<[u8; 16]>>,
    waiting_records: AtomicU64,
    waiting_bytes: AtomicU64,
    rejections: Mutex<HashMap<String, Rejections>>,
}

#[derive(Default)]
struct Rejections {
    records: u64,
    reason: String,
    raised: Option<Timestamp>,
}

impl Intake {
    pub async fn open(
        door: Door,
        pool: SqlitePool,
        clock: Clock,
        registry: Arc<Registry>,
        selection: Arc<Selection>,
    ) -> Result<Arc<Self>, IntakeError> {
        set_aside_groups::find_all(&pool).await?;
        let (records, bytes) = set_aside::waiting(&pool).await?;
        Ok(Arc::new(Self {
            door,
            pool,
            clock,
            registry,
            selection,
            room: Arc::new(Semaphore::new(BODIES_BYTES_MAX / 1024)),
            in_flight: Mutex::default(),
            waiting_records: AtomicU64::new(records),
            waiting_bytes: AtomicU64::new(bytes),
            rejections: Mutex::default(),
        }))
    }

    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    pub fn selection(&self) -> &Arc<Selection> {
        &self.selection
    }

    pub(super) fn door(&self) -> &Door {
        &self.door
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Room for a body of `bytes`; given back when the permit is dropped.
    pub fn room_for(&self, bytes: usize) -> Result<OwnedSemaphorePermit, IntakeError> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        self.room
            .clone()
            .try_acquire_many_owned(kib)
            .map_err(|_| IntakeError::Busy { retry_after: Duration::from_secs(1) })
    }

    /// Takes a batch. Returns when what was accepted is on disk and what was not is set aside.
    ///
    /// `key` makes a repetition harmless: the same key with the same body answers the first receipt's positions again.
    pub async fn take(
        self: &Arc<Self>,
        sender: Sender,
        records: Records,
        key: Option<&str>,
    ) -> Result<Receipt, IntakeError> {
        self.take_shared(sender, Arc::new(records), key).await
    }

    /// The same for a caller that tries again when the server is busy, and keeps the batch for that.
    pub async fn take_shared(
        self: &Arc<Self>,
        sender: Sender,
        records: Arc<Records>,
        key: Option<&str>,
    ) -> Result<Receipt, IntakeError> {
        let tag = key.map(|key| tag_of(sender.key_name(), key, &records));
        let _flight = tag.as_ref().map(|tag| self.enter(tag.key)).transpose()?;
        let routes = self.routes(&sender, &records)?;

        let intake = self.clone();
        let reading = tokio::task::spawn_blocking(move || intake.read(&routes, &records))
            .await
            .map_err(|_| IntakeError::Broken)??;

        let left_out = reading.left_out.len() as u64;
        let mut receipt = Receipt { skipped: reading.skipped, left_out, ..Receipt::default() };
        if !reading.admitted.is_empty() {
            let positions = self.door.append(reading.admitted, tag).await?;
            receipt.accepted = positions.count;
            receipt.first = Some(positions.first);
            receipt.last = Some(positions.first + positions.count.saturating_sub(1));
            receipt.repeated = positions.repeated;
        }
        if left_out > 0 && !receipt.repeated {
            self.selection.count(reading.left_out);
        }
        self.set_aside(tag.as_ref(), &reading.rejects, &mut receipt).await?;
        Ok(receipt)
    }

    /// The source of each record, with what reads it: one for all, or those that a routed batch names.
    fn routes(&self, sender: &Sender, records: &Records) -> Result<Vec<Route>, RegistryError> {
        let route = |source: Option<&str>| {
            if !sender.identity.may_send_to(source) {
                return Err(RegistryError::NotGranted { name: source.unwrap_or(NO_SOURCE).to_owned() });
            }
            let reader = source.map(|name| self.registry.reader(name)).transpose()?.flatten();
            Ok(Route { sender: Sender { source: source.map(str::to_owned), ..sender.clone() }, reader })
        };
        match records {
            Records::Routed(routed) => routed.sources.iter().map(|name| route(Some(name))).collect(),
            Records::Body(_) | Records::Cut(_) => Ok(vec![route(sender.source.as_deref())?]),
        }
    }

    /// Reads one record again, as when it is replayed: the events it makes now, or why it still makes none.
    pub fn reread(&self, sender: &Sender, record: &[u8]) -> Result<Result<Vec<Admitted>, Refusal>, RegistryError> {
        let reader = sender.source.as_deref().map(|name| self.registry.reader(name)).transpose()?.flatten();
        let mut reading = Reading::default();
        self.read_piece(
            sender,
            reader.as_ref().map(Reader::by),
            0,
            Piece { bytes: record, broken: None },
            &mut reading,
        );
        Ok(match reading.rejects.pop() {
            Some(reject) => Err((reject.code, reject.error, reject.field)),
            None => {
                self.selection.count(reading.left_out);
                Ok(reading.admitted)
            }
        })
    }

    /// Says that `records` of what waited are settled.
    pub fn settled(&self, records: u64, bytes: u64) {
        // The counters only bound what is set aside; a moment's imprecision is harmless.
        let _ = self
            .waiting_records
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| Some(now.saturating_sub(records)));
        let _ = self
            .waiting_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| Some(now.saturating_sub(bytes)));
    }

    fn read(&self, routes: &[Route], records: &Records) -> Result<Reading, IntakeError> {
        let mut reading = Reading::default();
        if let Records::Routed(routed) = records {
            reading.admitted.reserve(routed.pieces.len());
            for (index, piece) in routed.pieces.iter().enumerate() {
                let Some(Route { sender, reader }) = routes.get(usize::from(piece.source)) else { continue };
                let bytes = routed.buffer.get(piece.range.clone()).unwrap_or_default();
                let piece = Piece { bytes, broken: piece.broken };
                self.read_piece(sender, reader.as_ref().map(Reader::by), index, piece, &mut reading);
            }
            return Ok(reading);
        }
        let Some(Route { sender, reader }) = routes.first() else { return Ok(reading) };
        let reader = reader.as_ref().map(Reader::by);
        match records {
            Records::Body(content) => {
                let lines = reader.is_some_and(|reader| !reads_json(reader, content));
                let pieces = if lines {
                    body::split_lines(content, RECORDS_MAX)?
                } else {
                    body::split_json(content, RECORDS_MAX)?
                };
                reading.admitted.reserve(pieces.len());
                for (index, piece) in pieces.into_iter().enumerate() {
                    self.read_piece(sender, reader, index, piece, &mut reading);
                }
            }
            Records::Cut(records) => {
                for (index, record) in records.iter().enumerate() {
                    self.read_piece(sender, reader, index, Piece { bytes: record, broken: None }, &mut reading);
                }
            }
            Records::Routed(_) => {}
        }
        Ok(reading)
    }

    fn read_piece(
        &self,
        sender: &Sender,
        reader: Option<ReaderRef<'_>>,
        index: usize,
        piece: Piece<'_>,
        reading: &mut Reading,
    ) {
        if let (None, Some(parts)) =
            (piece.broken, reader.and_then(|reader| reader.split(piece.bytes, &Meta::at(self.clock.now()))))
        {
            for part in parts {
                self.read_one(sender, reader, index, Piece { bytes: part, broken: None }, reading);
            }
            return;
        }
        self.read_one(sender, reader, index, piece, reading);
    }

    fn read_one(
        &self,
        sender: &Sender,
        reader: Option<ReaderRef<'_>>,
        index: usize,
        piece: Piece<'_>,
        reading: &mut Reading,
    ) {
        let outcome = match (piece.broken, reader) {
            (Some(reason), _) => Err(("body", reason.to_owned(), None)),
            (None, Some(reader)) => self.map(sender, reader, piece.bytes, None, reading),
            (None, None) => self.admit_json(sender, piece.bytes).map(|admitted| self.keep(vec![admitted], reading)),
        };
        if let Err(refusal) = outcome {
            reading.refuse(sender, index, refusal, piece.bytes);
        }
    }

    /// Reads a message whose header is known already.
    pub(super) fn read_message(
        &self,
        sender: &Sender,
        reader: Option<ReaderRef<'_>>,
        index: usize,
        message: &Message<'_>,
        reading: &mut Reading,
    ) {
        let outcome = match reader {
            Some(reader) => self.map(sender, reader, message.bytes, Some(message), reading),
            None => self.admit_json(sender, message.bytes).map(|admitted| self.keep(vec![admitted], reading)),
        };
        if let Err(refusal) = outcome {
            reading.refuse(sender, index, refusal, message.bytes);
        }
    }

    fn admit_json(&self, sender: &Sender, record: &[u8]) -> Result<Admitted, Refusal> {
        let value =
            event::json::parse(record, &Limits::default()).map_err(|error| ("json", error.to_string(), None))?;
        self.admit(sender, sender.source.as_deref(), None, value)
    }

    fn admit(
        &self,
        sender: &Sender,
        source: Option<&str>,
        mapping: Option<&str>,
        value: event::Value<'_>,
    ) -> Result<Admitted, Refusal> {
        let device = sender.identity.device.as_deref();
        let origin = Origin { source, provider: Some(&sender.provider), mapping, device };
        let admitted = self.door.admit(value, origin).map_err(|invalid| {
            let field = invalid.errors.first().map(|error| error.field.clone());
            ("invalid", invalid.to_string(), field)
        })?;
        // An event may name its source itself: then that one must be granted too.
        if sender.identity.sources.is_some() {
            let named = event::Event::glance(admitted.bytes(), "event.module");
            if !sender.identity.may_send_to(named.as_deref()) {
                let name = named.as_deref().unwrap_or(NO_SOURCE);
                let reason = format!("event.module: the source {name} is not granted to {}", sender.provider);
                return Err(("not_granted", reason, Some("event.module".to_owned())));
            }
        }
        Ok(admitted)
    }

    /// Keeps what no rule leaves out.
    fn keep(&self, admitted: Vec<Admitted>, reading: &mut Reading) {
        for admitted in admitted {
            match self.selection.leaves_out(admitted.bytes()) {
                Some(counter) => reading.left_out.push(counter),
                None => reading.admitted.push(admitted),
            }
        }
    }

    fn map(
        &self,
        sender: &Sender,
        reader: ReaderRef<'_>,
        record: &[u8],
        message: Option<&Message<'_>>,
        reading: &mut Reading,
    ) -> Result<(), Refusal> {
        let meta =
            Meta { received_at: self.clock.now(), peer: sender.peer, syslog: message.map(|message| message.header) };
        let known = |record: &Recognised<'_>| record.surest(reader.telling.iter().map(|compiled| &compiled.mapping));
        reader.compiled.mapping.read_as(record, &meta, known, |used, outcome| match outcome {
            Outcome::Skipped(_) => {
                reading.skipped += 1;
                Ok(())
            }
            Outcome::Failed(reason) => Err((reason.code.name(), reason.to_string(), None)),
            Outcome::Events(values) => {
                let other = reader.telling.iter().find(|other| std::ptr::eq(&other.mapping, used));
                let (source, label) = match other {
                    Some(other) if sender.identity.may_send_to(Some(&other.name)) => {
                        (Some(other.name.as_str()), &other.label)
                    }
                    Some(other) => (sender.source.as_deref(), &other.label),
                    None => (sender.source.as_deref(), &reader.compiled.label),
                };
                // All events of a record, or none: a half of it could not be replayed.
                let mut admitted = Vec::with_capacity(values.len());
                let client = message.and_then(|message| message.client);
                for mut value in values {
                    if let (Some(client), event::Value::Object(fields)) = (client, &mut value)
                        && fields.get("tls").is_none()
                    {
                        fields.insert("tls", event::Value::from(client.fields()));
                    }
                    admitted.push(self.admit(sender, source, Some(label), value)?);
                }
                self.keep(admitted, reading);
                Ok(())
            }
        })
    }

    /// Sets aside what nobody waits for a receipt of.
    pub(super) async fn keep_rejects(&self, rejects: &[Reject]) -> Result<(), IntakeError> {
        self.set_aside(None, rejects, &mut Receipt::default()).await
    }

    async fn set_aside(&self, tag: Option<&Tag>, rejects: &[Reject], receipt: &mut Receipt) -> Result<(), IntakeError> {
        if rejects.is_empty() {
            return Ok(());
        }
        let received_at = self.clock.now().as_millisecond();
        let full = self.waiting_records.load(Ordering::Relaxed) >= WAITING_RECORDS_MAX
            || self.waiting_bytes.load(Ordering::Relaxed) >= WAITING_BYTES_MAX;
        let keep = |reject: &Reject| !full && reject.record.len() <= SET_ASIDE_BYTES_MAX;
        let kept: Vec<New<'_>> = rejects
            .iter()
            .filter(|reject| keep(reject))
            .map(|reject| New {
                source: &reject.source,
                received_at,
                peer: reject.peer.map(|peer| peer.to_string()),
                code: reject.code,
                reason: &reject.error,
                field: reject.field.as_deref(),
                record: &reject.record,
                batch: tag.map(|tag| (tag.key.as_slice(), reject.index)),
            })
            .collect();
        let bytes: usize = kept.iter().map(|new| new.record.len()).sum();
        let ids = set_aside::add(&self.pool, &kept).await?;
        self.waiting_records.fetch_add(ids.len() as u64, Ordering::Relaxed);
        self.waiting_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.count_rejections(rejects);

        let mut ids = ids.into_iter();
        for reject in rejects {
            let set_aside = if keep(reject) { ids.next().map(|id| id.to_string()) } else { None };
            let mut error = reject.error.clone();
            if set_aside.is_none() {
                error.push_str(if full {
                    "; not kept, since too much waits to be settled"
                } else {
                    "; too large to be kept"
                });
            }
            if receipt.rejected.len() < RECEIPT_REJECTED_MAX {
                receipt.rejected.push(Rejected { index: reject.index, error, field: reject.field.clone(), set_aside });
            } else {
                receipt.rejected_more += 1;
            }
        }
        Ok(())
    }

    fn count_rejections(&self, rejects: &[Reject]) {
        let mut rejections = self.rejections.lock();
        for reject in rejects {
            if rejections.len() >= 1_000 && !rejections.contains_key(&reject.source) {
                continue;
            }
            let known = rejections.entry(reject.source.clone()).or_default();
            known.records += 1;
            known.reason.clone_from(&reject.error);
        }
    }

    /// Raises `source.rejected` for sources that had something rejected, each at most once a minute. Runs for ever.
    pub async fn raise_rejections(self: Arc<Self>) {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            tick.tick().await;
            let now = self.clock.now();
            let due: Vec<(String, u64, String)> = {
                let mut rejections = self.rejections.lock();
                rejections
                    .iter_mut()
                    .filter(|(_, known)| {
                        known.records > 0
                            && known
                                .raised
                                .is_none_or(|at| now.duration_since(at).unsigned_abs() >= REJECTED_EVENT_EVERY)
                    })
                    .map(|(source, known)| {
                        known.raised = Some(now);
                        (source.clone(), std::mem::take(&mut known.records), known.reason.clone())
                    })
                    .collect()
            };
            for (source, records, reason) in due {
                let event = json!({
                    "event": { "action": "source.rejected", "reason": reason, "outcome": "failure" },
                    "message": format!("{records} record{} of source {source} could not be understood and {} set aside",
                        if records == 1 { "" } else { "s" }, if records == 1 { "is" } else { "are" }),
                    "entity": { "type": "source", "name": source, "id": source },
                    "labels": { "records": records.to_string() },
                });
                if let Err(error) = self.door.record(event).await {
                    tracing::error!(%error, "could not record rejections of source {source}");
                }
            }
        }
    }

    fn enter(self: &Arc<Self>, key: [u8; 16]) -> Result<Flight, IntakeError> {
        if !self.in_flight.lock().insert(key) {
            return Err(IntakeError::InFlight);
        }
        Ok(Flight { intake: self.clone(), key })
    }
}

/// A batch key that is being worked on; leaves the list when dropped, also when the request is given up.
struct Flight {
    intake: Arc<Intake>,
    key: [u8; 16],
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.intake.in_flight.lock().remove(&self.key);
    }
}

/// Whether a body is JSON for this mapping, rather than lines of text.
fn reads_json(reader: ReaderRef<'_>, content: &[u8]) -> bool {
    let json = reader.compiled.mapping.decoders().contains(&Decoder::Json);
    json && matches!(content.trim_ascii_start().first(), Some(b'{' | b'['))
}

fn tag_of(sender: &str, key: &str, records: &Records) -> Tag {
    let short = |hash: sha2::digest::Output<Sha256>| -> [u8; 16] {
        let mut short = [0; 16];
        short.copy_from_slice(&hash[..16]);
        short
    };
    let mut body = Sha256::new();
    match records {
        Records::Body(content) => body.update(content),
        Records::Routed(routed) => body.update(&routed.buffer),
        Records::Cut(records) => {
            for record in records {
                body.update((record.len() as u64).to_be_bytes());
                body.update(record);
            }
        }
    }
    let key = Sha256::new().chain_update(sender).chain_update([0]).chain_update(key);
    Tag { key: short(key.finalize()), body: short(body.finalize()) }
}
