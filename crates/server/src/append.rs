//! The one door into the trail, for senders and for ourselves.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use event::admit::{Defaults, FieldError, Invalid};
use event::{Catalogue, Event, Value};
use memchr::memmem::Finder;
use tokio::sync::{oneshot, watch};
use trail::{AppendError, Appended, Batch, Tag, Trail};

use crate::clock::Clock;

/// The `event.module` of what Belfry itself raises. No sender may use it.
pub const OWN_SOURCE: &str = "belfry";
/// Holds the id of the enrolled device that sent an event. Nobody else may write it.
pub const SENT_BY: &str = "event.enrolled_device";

/// An event that may enter the trail: checked, completed and written down in its canonical form. Made here alone.
#[derive(Debug, Clone)]
pub struct Admitted(Bytes);

impl Admitted {
    /// The entry as the trail will keep it.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Where a batch went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Positions {
    pub first: u64,
    pub count: u64,
    /// The batch was there already, under the same tag.
    pub repeated: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the trail has more to write than it may hold")]
    Busy { retry_after: Duration },
    #[error("the trail takes nothing any more: {reason}")]
    Stopped { reason: String },
    #[error("the batch does not fit: {reason}")]
    TooLarge { reason: String },
    #[error("this key was used before, for another batch at position {first}")]
    KeyReused { first: u64 },
    #[error("an event of our own is not valid: {0}")]
    Own(#[source] Invalid),
}

/// Who hands an event over.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin<'a> {
    /// Becomes `event.module` where the event names none.
    pub source: Option<&'a str>,
    /// Becomes `event.provider` where the event names none.
    pub provider: Option<&'a str>,
    /// The mapping that read it, `name@version`.
    pub mapping: Option<&'a str>,
    /// The enrolled device that sent it; becomes `event.enrolled_device`.
    pub device: Option<&'a str>,
}

/// The door: admits events and appends them, and tells the followers that there is more to read.
#[derive(Clone)]
pub struct Door {
    trail: Trail,
    catalogue: Arc<Catalogue>,
    clock: Clock,
    growth: watch::Receiver<u64>,
}

impl Door {
    pub fn new(trail: Trail, catalogue: Arc<Catalogue>, clock: Clock) -> Self {
        let (grown, growth) = watch::channel(0);
        let grow = grown.clone();
        // Positions only grow; the newest is all a follower needs.
        trail.on_commit(move |size| raise(&grow, size));
        raise(&grown, trail.size());
        Self { trail, catalogue, clock, growth }
    }

    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// Changes whenever events became durable; holds the size of the trail.
    pub fn growth(&self) -> watch::Receiver<u64> {
        self.growth.clone()
    }

    /// Checks and completes an event that somebody sent.
    pub fn admit(&self, value: Value<'_>, origin: Origin<'_>) -> Result<Admitted, Invalid> {
        let value = match origin.device {
            Some(device) => sent_by(value, device),
            None => value,
        };
        let entry = self.complete(value, origin)?;
        if claims_to_be_ours(&entry) {
            let reason = format!("{OWN_SOURCE} is the name of what this server itself raises");
            return Err(Invalid { errors: vec![FieldError { field: "event.module".to_owned(), reason }] });
        }
        if origin.device.is_none() && names_a_device(&entry) {
            let reason = "only what an enrolled device sends has this field".to_owned();
            return Err(Invalid { errors: vec![FieldError { field: SENT_BY.to_owned(), reason }] });
        }
        Ok(Admitted(Bytes::from(entry)))
    }

    fn complete(&self, value: Value<'_>, origin: Origin<'_>) -> Result<Vec<u8>, Invalid> {
        let defaults = Defaults {
            now: self.clock.now(),
            source: origin.source,
            provider: origin.provider,
            catalogue: &self.catalogue,
            mapping: origin.mapping,
        };
        event::admit::admit(value, &defaults)
    }

    /// Appends a batch; returns when it is on disk. `tag` makes a repetition recognizable.
    pub async fn append(&self, batch: Vec<Admitted>, tag: Option<Tag>) -> Result<Positions, Error> {
        let (answer, answered) = oneshot::channel();
        let entries = batch.into_iter().map(|admitted| admitted.0).collect();
        self.trail
            .append(
                Batch { entries, tag },
                Box::new(move |result| {
                    // Nobody listens when the sender hung up; the entries are kept all the same.
                    let _ = answer.send(result);
                }),
            )
            .map_err(Error::from)?;
        match answered.await {
            Ok(Ok(Appended { first, count, repeated })) => Ok(Positions { first, count: u64::from(count), repeated }),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Error::Stopped { reason: "the writer ended".to_owned() }),
        }
    }

    /// Records something that Belfry itself did or noticed.
    pub async fn record(&self, event: serde_json::Value) -> Result<Positions, Error> {
        let origin = Origin { source: Some(OWN_SOURCE), provider: Some(OWN_SOURCE), ..Origin::default() };
        let entry = self.complete(Value::from(event), origin).map_err(Error::Own)?;
        self.append(vec![Admitted(Bytes::from(entry))], None).await
    }

    /// The same once for each `name`: said again, after a crash, it is not appended again, and its position answered.
    pub async fn record_once(&self, event: serde_json::Value, name: &str) -> Result<Positions, Error> {
        use sha2::{Digest, Sha256};
        let origin = Origin { source: Some(OWN_SOURCE), provider: Some(OWN_SOURCE), ..Origin::default() };
        let entry = self.complete(Value::from(event), origin).map_err(Error::Own)?;
        let mut tag = Tag { key: [0; 16], body: [0; 16] };
        // What it says may differ in its time; the name alone is what must not be said twice.
        tag.key.copy_from_slice(&Sha256::digest(format!("own\0{name}").as_bytes())[..16]);
        self.append(vec![Admitted(Bytes::from(entry))], Some(tag)).await
    }
}

/// Writes down which device sent it. A dotted name would stand beside the nested one, so it goes.
fn sent_by<'a>(value: Value<'a>, device: &str) -> Value<'a> {
    let Value::Object(mut fields) = value else { return value };
    fields.remove(SENT_BY);
    if let Some(Value::Object(event)) = fields.get_mut("event") {
        event.insert("enrolled_device", device.to_owned());
    } else {
        // Dotted names are taken apart later on, and this one with them.
        fields.insert(SENT_BY, device.to_owned());
    }
    Value::Object(fields)
}

/// Whether an entry says that a device sent it.
fn names_a_device(entry: &[u8]) -> bool {
    static NAMED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""enrolled_device":"#));
    NAMED.find(entry).is_some() && Event::read(entry).is_ok_and(|event| event.exists(SENT_BY))
}

fn raise(grown: &watch::Sender<u64>, size: u64) {
    grown.send_if_modified(|known| {
        let more = size > *known;
        *known = size.max(*known);
        more
    });
}

/// Whether an entry says that Belfry raised it. The search over the bytes spares nearly all entries a second reading.
fn claims_to_be_ours(entry: &[u8]) -> bool {
    static CLAIMED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""module":"belfry""#));
    CLAIMED.find(entry).is_some()
        && Event::read(entry).is_ok_and(|event| event.text("event.module") == Some(OWN_SOURCE))
}

impl From<AppendError> for Error {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Busy { retry_after } => Self::Busy { retry_after },
            AppendError::TagTaken { first, .. } => Self::KeyReused { first },
            too_large @ (AppendError::TooLarge { .. } | AppendError::Empty) => {
                Self::TooLarge { reason: too_large.to_string() }
            }
            AppendError::Stopped(reason) => Self::Stopped { reason: reason.to_string() },
        }
    }
}
