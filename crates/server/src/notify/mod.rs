//! Telling people and programs: the rules follower decides, deliveries wait in the outbox, channels send.
//!
//! ```text
//! trail ⇢ follower (rules::decide) ⇢ deliveries, memory, decisions, position: one transaction
//!                                      ⇢ outbox: one lane per channel ⇢ channel ⇢ attempt
//! ```

pub mod channels;
pub mod directory;
pub mod follower;
pub mod inbox;
pub mod log;
pub mod message;
pub mod outbox;
pub mod pace;
pub mod plan;
pub mod preview;
pub mod recipients;
pub mod redact;
pub mod rulebook;
pub mod text;

use std::sync::Arc;
use std::time::Duration;

use api::problem::ProblemPart;
use event::Catalogue;
use futures::future::BoxFuture;
use serde_json::Value;
use sqlx::SqlitePool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::append::{self, Door};
use crate::clock::Clock;
use crate::outgoing::Outgoing;
use crate::state;
use crate::state::deliveries::Bell;
use crate::state::secrets::Secrets;

/// What the room needs of the house.
#[derive(Clone)]
pub struct Needs {
    pub state: SqlitePool,
    pub secrets: Arc<Secrets>,
    pub door: Door,
    pub outgoing: Outgoing,
    pub catalogue: Arc<Catalogue>,
    pub clock: Clock,
    pub bell: Bell,
    pub organization: String,
    /// Without a slash at the end.
    pub public_url: String,
}

/// The room. Cheap to clone.
#[derive(Clone)]
pub struct Notify(Arc<Room>);

pub(crate) struct Room {
    pub(crate) needs: Needs,
    pub(crate) sender: channels::Sender,
    /// Counts changes of rules and channels; the follower reads them anew when it moved.
    changes: watch::Sender<u64>,
    pub(crate) pauses: Vec<Duration>,
}

impl Notify {
    pub fn new(needs: Needs) -> Self {
        Self::with_pauses(needs, plan::PAUSES.to_vec())
    }

    /// With another retry plan: tests don't have three days.
    pub fn with_pauses(needs: Needs, pauses: Vec<Duration>) -> Self {
        let sender = channels::Sender::new(needs.state.clone(), needs.outgoing.clone());
        Self(Arc::new(Room { needs, sender, changes: watch::Sender::new(0), pauses }))
    }

    /// Follows the trail and decides, until `stop`.
    pub async fn follow(self, stop: CancellationToken) {
        follower::run(self.0, stop).await;
    }

    /// Sends what is due, until `stop`; what is under way then is finished, within limits.
    pub async fn send(self, stop: CancellationToken) {
        outbox::run(self.0, stop).await;
    }

    pub(crate) fn room(&self) -> &Room {
        &self.0
    }

    /// A rule, a channel or its settings changed. Call it when the change is committed, before it is answered:
    /// the next event is then decided on with it.
    pub(crate) fn changed(&self) {
        self.0.changes.send_modify(|count| *count += 1);
        self.0.needs.bell.ring();
    }
}

impl Room {
    pub(crate) fn frame(&self) -> message::Frame<'_> {
        message::Frame {
            catalogue: &self.needs.catalogue,
            organization: &self.needs.organization,
            public_url: &self.needs.public_url,
        }
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.needs.clock.now().as_millisecond()
    }
}

/// Writes the event of a change into the trail, with who made it. A change is made only when that succeeded.
pub type Recorder<'a> = Box<dyn FnOnce(Value) -> BoxFuture<'a, Result<(), append::Error>> + Send + 'a>;

/// Why something about rules, channels or deliveries can't be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no {what} {id}")]
    NotFound { what: &'static str, id: String },
    #[error("{}", words(.parts))]
    Invalid { parts: Vec<ProblemPart> },
    #[error("{reason}")]
    Conflict { reason: String },
    #[error("channel {name} is used by {}", .rules.join(", "))]
    InUse { name: String, rules: Vec<String> },
    #[error("the change can't be recorded in the trail, so it was not made")]
    Record(#[from] append::Error),
    #[error("the state can't be read or written")]
    State(#[from] sqlx::Error),
    #[error(transparent)]
    Channel(#[from] state::channels::Error),
    #[error("the past events can't be read")]
    Store(#[source] store::StoreError),
    #[error("the preview was given up: {0}")]
    GivenUp(String),
}

impl Error {
    pub(crate) fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid {
            parts: vec![ProblemPart { pointer: pointer.into(), detail: detail.into(), offset: None, length: None }],
        }
    }
}

fn words(parts: &[ProblemPart]) -> String {
    parts.iter().map(|part| format!("{}: {}", part.pointer, part.detail)).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
