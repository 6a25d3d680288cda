//! Reads the body of a request within its bounds: bytes on the wire, bytes unpacked, silence between two pieces, and
//! room in memory for all bodies together. Room is taken as bytes come, so that who announces much and sends little
//! keeps nobody else out.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use futures::StreamExt as _;
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::ingest::IntakeError;
use crate::ingest::body::{BodyError, Encoding, unpack};

/// Bytes of a body as it comes over the wire.
pub const WIRE_BYTES_MAX: usize = 32 << 20;
/// How long a sender may say nothing in the middle of a body.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// Room is taken in steps of at least so much.
const ROOM_STEP: usize = 16 << 10;
/// The largest content that a packed byte usually becomes.
const USUAL_RATIO: usize = 12;

/// The unpacked body, and the room in memory that it takes.
pub struct Content {
    pub bytes: Vec<u8>,
    _room: Option<OwnedSemaphorePermit>,
}

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum BodyFault {
    #[error("the body is packed in a way not understood here; use gzip, zstd, or no Content-Encoding")]
    Encoding,
    #[error("the body is larger than {limit} bytes; send smaller batches")]
    TooLarge { limit: usize },
    #[error("nothing came for {} s in the middle of the body", SILENCE_MAX.as_secs())]
    Silent,
    #[error("the body broke off: {0}")]
    BrokenOff(String),
    #[error("the server works on as many bodies as it has room for")]
    Busy { retry_after: Duration },
    #[error(transparent)]
    Damaged(#[from] BodyError),
    #[error("the body could not be unpacked")]
    Unpacking(#[source] tokio::task::JoinError),
}

/// How the body of a request is packed, by its `Content-Encoding`.
pub fn encoding_of(headers: &HeaderMap) -> Result<Encoding, BodyFault> {
    let name = headers.get(header::CONTENT_ENCODING).map_or("", |value| value.to_str().unwrap_or("?"));
    Encoding::named(name).ok_or(BodyFault::Encoding)
}

/// Reads a body of events.
pub async fn read(app: &App, headers: &HeaderMap, body: Body) -> Result<Content, BodyFault> {
    let encoding = encoding_of(headers)?;
    let packed = read_packed(app, headers, body, WIRE_BYTES_MAX).await?;
    unpacked(app, encoding, packed).await
}

/// Reads a body as it comes, at most `limit` bytes of it.
pub async fn read_packed(app: &App, headers: &HeaderMap, body: Body, limit: usize) -> Result<Content, BodyFault> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > limit) {
        return Err(BodyFault::TooLarge { limit });
    }
    let mut bytes = Vec::new();
    let mut room: Option<OwnedSemaphorePermit> = None;
    let mut room_bytes = 0;
    let mut stream = body.into_data_stream();
    loop {
        let Ok(piece) = tokio::time::timeout(SILENCE_MAX, stream.next()).await else { return Err(BodyFault::Silent) };
        let piece = match piece {
            None => break,
            Some(Ok(piece)) => piece,
            Some(Err(error)) => return Err(BodyFault::BrokenOff(error.into_inner().to_string())),
        };
        let wanted = bytes.len() + piece.len();
        if wanted > limit {
            return Err(BodyFault::TooLarge { limit });
        }
        if wanted > room_bytes {
            // Twice as much each time, but no more than was announced.
            let step = (wanted - room_bytes).max(room_bytes).max(ROOM_STEP);
            let step = announced.map_or(step, |all| step.min(all.max(wanted) - room_bytes));
            let more = take_room(app, step)?;
            room_bytes += step;
            bytes.reserve_exact(room_bytes - bytes.len());
            match &mut room {
                Some(room) => room.merge(more),
                None => room = Some(more),
            }
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Content { bytes, _room: room })
}

/// Unpacks what was read, within the limit of the configuration.
pub async fn unpacked(app: &App, encoding: Encoding, packed: Content) -> Result<Content, BodyFault> {
    let limit = app.config.limits.body_bytes_max;
    if encoding == Encoding::Identity {
        return if packed.bytes.len() > limit { Err(BodyFault::TooLarge { limit }) } else { Ok(packed) };
    }
    let likely = packed.bytes.len().saturating_mul(USUAL_RATIO).clamp(1024, limit);
    let room = take_room(app, likely)?;
    let Content { bytes, _room: packed_room } = packed;
    let bytes =
        tokio::task::spawn_blocking(move || unpack(encoding, bytes, limit)).await.map_err(BodyFault::Unpacking)??;
    drop(packed_room);
    Ok(Content { bytes, _room: Some(room) })
}

fn take_room(app: &App, bytes: usize) -> Result<OwnedSemaphorePermit, BodyFault> {
    app.intake.room_for(bytes).map_err(|error| match error {
        IntakeError::Busy { retry_after } => BodyFault::Busy { retry_after },
        _ => BodyFault::Busy { retry_after: Duration::from_secs(1) },
    })
}
