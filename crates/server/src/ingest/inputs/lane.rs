//! The way of an input's records into the trail, and the note of how far it has read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use api::inputs::InputState;
use tokio_util::sync::CancellationToken;

use super::{Health, ReadError};
use crate::app::App;
use crate::append;
use crate::ingest::{IntakeError, Records, Sender};
use crate::state::inputs::{self, Input, Position};

const STOPPED_PAUSE: Duration = Duration::from_secs(1);

/// What was read in one go from one part of an input.
pub struct Step {
    /// A file, a partition; empty where there is one.
    pub part: String,
    pub label: String,
    /// How far it was read before, as it is noted.
    pub from: String,
    /// How far it is read with these records.
    pub to: String,
    pub records: Vec<Vec<u8>>,
    /// Whether it repeats a batch that was begun before a crash.
    pub resumed: bool,
}

pub struct Lane {
    app: App,
    id: String,
    name: String,
    source: String,
    health: Arc<Health>,
    pub stop: CancellationToken,
    batches: AtomicU64,
}

impl Lane {
    pub fn new(app: &App, input: &Input, health: Arc<Health>, stop: CancellationToken) -> Self {
        Self {
            app: app.clone(),
            id: input.id.clone(),
            name: input.name.clone(),
            source: input.source.clone(),
            health,
            stop,
            batches: AtomicU64::new(0),
        }
    }

    /// The id of the input, for names at the other end.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Batches handed over since it began.
    pub fn batches(&self) -> u64 {
        self.batches.load(Ordering::Relaxed)
    }

    /// Says that it can read.
    pub async fn reading(&self) -> Result<(), ReadError> {
        self.health.set(InputState::Running, None);
        Ok(())
    }

    /// Notes something that a person should know, though reading goes on.
    pub async fn note(&self, what: &str) {
        tracing::warn!(input = self.name, "input {}: {what}", self.name);
        let now = self.app.clock.now().as_millisecond();
        if let Err(error) = inputs::failed(&self.app.state, &self.id, what, now).await {
            tracing::warn!(%error, "the state of input {} is not noted", self.name);
        }
    }

    pub async fn forget(&self, part: &str) -> Result<(), ReadError> {
        Ok(inputs::forget(&self.app.state, &self.id, part).await?)
    }

    /// Hands records over that nobody can be asked for again.
    pub async fn pass(&self, records: Vec<Vec<u8>>) -> Result<(), ReadError> {
        let step = Step {
            part: String::new(),
            label: self.name.clone(),
            from: String::new(),
            to: String::new(),
            records,
            resumed: true,
        };
        self.deliver_keyed(step, false).await
    }

    /// Hands records over. When it answers they are on disk or set aside, and how far it is read is noted.
    pub async fn deliver(&self, step: Step) -> Result<(), ReadError> {
        self.deliver_keyed(step, true).await
    }

    async fn deliver_keyed(&self, step: Step, keyed: bool) -> Result<(), ReadError> {
        let mut noted = Position {
            part: step.part.clone(),
            label: step.label.clone(),
            position: step.from.clone(),
            pending: Some(step.to.clone()),
            updated_at: self.app.clock.now().as_millisecond(),
        };
        // After a crash the same stretch must be read again, whatever was appended to it meanwhile.
        if !step.resumed && !step.records.is_empty() {
            inputs::begin(&self.app.state, &self.id, &noted).await?;
        }
        let key = format!("{}/{}/{}>{}", self.id, step.part, step.from, step.to);
        let (mut taken, mut rejected) = (0, 0);
        for (source, records) in self.by_source(step.records) {
            let count = records.len() as u64;
            let key = keyed.then(|| format!("{key}/{source}"));
            rejected += self.take(source, records, key).await?;
            taken += count;
        }
        noted.position = step.to;
        noted.updated_at = self.app.clock.now().as_millisecond();
        inputs::done(&self.app.state, &self.id, &noted, taken.cast_signed(), rejected.cast_signed()).await?;
        self.batches.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn by_source(&self, records: Vec<Vec<u8>>) -> BTreeMap<String, Vec<Vec<u8>>> {
        let mut by_source: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        if records.is_empty() {
            return by_source;
        }
        if !self.source.is_empty() {
            by_source.insert(self.source.clone(), records);
            return by_source;
        }
        let routes = self.app.intake.registry().routes();
        let now = self.app.clock.now();
        for record in records {
            let source = routes.of(&wire::syslog::parse(&record, now)).0.to_owned();
            by_source.entry(source).or_default().push(record);
        }
        by_source
    }

    /// Answers how many were set aside. Waits while the trail can't take them, until the input is to stop.
    async fn take(&self, source: String, records: Vec<Vec<u8>>, mut key: Option<String>) -> Result<u64, ReadError> {
        let sender = Sender { source: Some(source), provider: self.name.clone(), ..Sender::default() };
        let records = Arc::new(Records::Cut(records));
        loop {
            let pause = match self.app.intake.take_shared(sender.clone(), records.clone(), key.as_deref()).await {
                Ok(receipt) => return Ok(receipt.rejected.len() as u64 + receipt.rejected_more),
                Err(IntakeError::Append(append::Error::Busy { retry_after }) | IntakeError::Busy { retry_after }) => {
                    retry_after
                }
                // What was there under this key has changed since: at least once is all that can be had.
                Err(IntakeError::Append(append::Error::KeyReused { .. })) if key.is_some() => {
                    key = None;
                    continue;
                }
                Err(IntakeError::Append(append::Error::Stopped { .. }) | IntakeError::InFlight) => STOPPED_PAUSE,
                Err(error) => return Err(ReadError::Intake(error.to_string())),
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => return Err(ReadError::Intake("the server goes down".to_owned())),
            }
        }
    }
}
