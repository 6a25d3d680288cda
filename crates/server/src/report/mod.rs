//! Reports: what they show, runs of them, and the files that come out, each with its certificate.
//!
//! ```text
//! definition + wish ─▶ plan ─▶ gather (store, below the checkpoint) ─▶ spool ─▶ csv | json | pdf | bundle
//!                                                     ─▶ audit.exported in the trail, with the file's hash ─▶ done
//! ```

pub mod bundle;
pub mod cell;
pub mod columns;
pub mod csv;
pub mod definition;
pub mod event_facts;
pub mod file;
pub mod gather;
pub mod json;
pub mod mail;
pub mod pdf;
pub mod plan;
pub mod runs;
pub mod spool;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::report::{Column, Definition, DefinitionDraft, Format, Preview};
use event::{Catalogue, Event};
use parking_lot::Mutex;
use serde_json::json;
use sqlx::SqlitePool;
use store::Store;
use tokio::sync::Semaphore;
use trail::TrailError;

use crate::access::Subject;
use crate::append::{self, Door};
use crate::changes::Entity;
use crate::clock::Clock;
use crate::state::deliveries::Bell;
use crate::state::secrets::Secrets;
use crate::state::{self, reports};

use definition::DefinitionError;
use gather::{GatherError, Progress};
use pdf::PdfError;
use plan::{Plan, Range, Seal};

/// Custom reports of one organization.
const REPORTS_MAX: i64 = 1_000;
/// Runs at the same time; the others wait.
const RUNS_AT_ONCE: usize = 2;
/// Runs under way and waiting.
const RUNS_MAX: usize = 20;
const PREVIEW_MAX: Duration = Duration::from_secs(20);

/// What the room needs of the house.
#[derive(Clone)]
pub struct Needs {
    pub state: SqlitePool,
    pub secrets: Arc<Secrets>,
    pub door: Door,
    pub store: Arc<Store>,
    pub catalogue: Arc<Catalogue>,
    pub clock: Clock,
    /// Rung when a mail is to be sent.
    pub bell: Bell,
    pub organization: String,
    /// Without a slash at the end.
    pub public_url: String,
    /// Where finished files are kept: `data/exports`. Made when it is not there.
    pub folder: PathBuf,
}

/// The room. Cheap to clone.
#[derive(Clone)]
pub struct Reports(Arc<Room>);

pub(crate) struct Room {
    needs: Needs,
    slots: Semaphore,
    running: Mutex<HashMap<String, Progress>>,
}

/// Why something about reports can't be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no {what} {id}")]
    NotFound { what: &'static str, id: String },
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    #[error("{title} comes with the server and can't be changed; save a copy")]
    Builtin { title: String },
    #[error("there are {REPORTS_MAX} reports already")]
    TooManyReports,
    #[error("{RUNS_MAX} reports are running or waiting already; try again when one is done")]
    TooManyRuns,
    #[error("the run is {state}, so there is no file")]
    NoFile { state: &'static str },
    #[error("the file was kept until {until}; run the report again")]
    Expired { until: String },
    #[error("{reason}")]
    Email { pointer: &'static str, reason: String },
    #[error(transparent)]
    Pdf(#[from] PdfError),
    #[error(transparent)]
    Gather(#[from] GatherError),
    #[error("the preview took too long; narrow the time range")]
    PreviewTooLong,
    #[error("the change can't be recorded in the trail, so it was not made")]
    Record(#[from] append::Error),
    #[error("the state can't be read or written")]
    State(#[from] sqlx::Error),
    #[error("the channels can't be read")]
    Channels(#[from] state::channels::Error),
    #[error("the trail can't be read")]
    Trail(#[from] TrailError),
    #[error("the folder of exports can't be used")]
    Disk(#[from] std::io::Error),
    #[error("the work was given up: {0}")]
    GivenUp(String),
}

/// What is wished of a report this time.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// In addition to the definition's filter.
    pub filter: String,
    pub range: Range,
    /// The definition's, when absent.
    pub columns: Option<Vec<Column>>,
}

impl Reports {
    pub fn new(needs: Needs) -> Self {
        let slots = Semaphore::new(RUNS_AT_ONCE);
        Self(Arc::new(Room { needs, slots, running: Mutex::new(HashMap::new()) }))
    }

    /// All reports: the built-in ones, then those people made.
    pub async fn definitions(&self) -> Result<Vec<Definition>, Error> {
        let mut all = definition::builtin().to_vec();
        for mut custom in reports::all(&self.0.needs.state).await? {
            custom.available_columns = definition::available(&custom.columns);
            all.push(custom);
        }
        Ok(all)
    }

    pub async fn definition(&self, id: &str) -> Result<Definition, Error> {
        if let Some(builtin) = definition::builtin().iter().find(|definition| definition.id == id) {
            return Ok(builtin.clone());
        }
        let mut connection = self.0.needs.state.acquire().await?;
        let found = reports::find(&mut connection, id).await?;
        let mut custom = found.ok_or_else(|| Error::NotFound { what: "report", id: id.to_owned() })?;
        custom.available_columns = definition::available(&custom.columns);
        Ok(custom)
    }

    /// Adds a report of one's own.
    pub async fn create(&self, subject: &Subject, draft: DefinitionDraft) -> Result<Definition, Error> {
        definition::check(&draft)?;
        let now = self.0.needs.clock.now();
        let report = from_draft(state::new_id(now), draft);
        let mut transaction = state::begin_write(&self.0.needs.state).await?;
        if reports::count(&mut transaction).await? >= REPORTS_MAX {
            return Err(Error::TooManyReports);
        }
        reports::put(&mut transaction, &report, subject.user_name(), now.as_millisecond()).await?;
        self.record(subject, entity(&report).created(&shown(&report), &[])).await?;
        transaction.commit().await?;
        self.definition(&report.id).await
    }

    /// Changes a report of one's own.
    pub async fn update(&self, subject: &Subject, id: &str, draft: DefinitionDraft) -> Result<Definition, Error> {
        definition::check(&draft)?;
        let old = self.own(id).await?;
        let now = self.0.needs.clock.now();
        let report = from_draft(id.to_owned(), draft);
        if let Some(event) = entity(&report).updated(&shown(&old), &shown(&report), &[]) {
            let mut transaction = state::begin_write(&self.0.needs.state).await?;
            reports::put(&mut transaction, &report, subject.user_name(), now.as_millisecond()).await?;
            self.record(subject, event).await?;
            transaction.commit().await?;
        }
        self.definition(id).await
    }

    /// Removes a report of one's own. Its runs stay.
    pub async fn remove(&self, subject: &Subject, id: &str) -> Result<(), Error> {
        let old = self.own(id).await?;
        let mut transaction = state::begin_write(&self.0.needs.state).await?;
        reports::remove(&mut transaction, id).await?;
        self.record(subject, entity(&old).removed(&shown(&old), &[])).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn own(&self, id: &str) -> Result<Definition, Error> {
        let definition = self.definition(id).await?;
        if definition.builtin { Err(Error::Builtin { title: definition.title }) } else { Ok(definition) }
    }

    /// What exactly is asked, with every relative time fixed and what the subject may not see left out.
    pub fn plan(&self, definition: Definition, wish: Wish, format: Format, subject: &Subject) -> Result<Plan, Error> {
        let columns = wish.columns.unwrap_or_else(|| definition.columns.clone());
        definition::check_columns(&columns)?;
        if format == Format::Pdf && columns.len() > pdf::COLUMNS_MAX {
            return Err(PdfError::TooManyColumns { columns: columns.len() }.into());
        }
        let at = self.0.needs.clock.now();
        let filter = definition::both(&definition.filter, &wish.filter)?.and(subject.visibility());
        let person = &subject.person;
        let by = if person.full_name.is_empty() {
            person.name.clone()
        } else {
            format!("{} ({})", person.full_name, person.name)
        };
        Ok(Plan { filter: filter.at(at).into_owned(), definition, range: wish.range, columns, format, by, at })
    }

    /// The first rows, and how many there are.
    pub async fn preview(&self, plan: Plan, limit: usize) -> Result<Preview, Error> {
        let needs = self.0.needs.clone();
        blocking(move || {
            let deadline = Instant::now() + PREVIEW_MAX;
            let size = needs.door.trail().size();
            let late = |error| match error {
                GatherError::Cancelled => Error::PreviewTooLong,
                other => Error::Gather(other),
            };
            let (rows, positions) =
                gather::preview(&needs.store, &needs.catalogue, &plan, size, limit, deadline).map_err(late)?;
            let total = gather::count(&needs.store, &plan, size, deadline).map_err(late)?;
            Ok(Preview { columns: plan.columns, total: total.max(rows.len() as u64), rows, positions })
        })
        .await
    }

    /// The audit summary of an event as PDF. That it was taken is an event itself.
    pub async fn summary(&self, subject: &Subject, position: u64, entry: Bytes) -> Result<Vec<u8>, Error> {
        let (bytes, facts) = self.summarize(subject, position, entry).await?;
        let event = json!({
            "event": {"action": "audit.exported", "outcome": "success"},
            "entity": {"type": "event", "id": position.to_string(), "name": facts.title},
            "report": {"format": "pdf", "rows": 1, "first_position": position, "last_position": position, "destination": ["download"]},
            "file": {"size": bytes.len(), "hash": {"sha256": file::sha256(&bytes)}},
        });
        self.record(subject, event).await?;
        Ok(bytes)
    }

    async fn summarize(
        &self,
        subject: &Subject,
        position: u64,
        entry: Bytes,
    ) -> Result<(Vec<u8>, pdf::EventFacts), Error> {
        let (needs, by) = (self.0.needs.clone(), subject.user_name().to_owned());
        blocking(move || {
            let trail = needs.door.trail();
            let mut checkpoint = trail.checkpoint();
            if checkpoint.size <= position {
                checkpoint = trail.seal()?;
            }
            let proof = trail.inclusion(position, checkpoint.size)?;
            let seal = Seal { checkpoint, vkey: trail.public_key().to_string() };
            let event = Event::read(&entry).map_err(|error| Error::GivenUp(error.to_string()))?;
            let frame = event_facts::Frame { organization: &needs.organization, by: &by, at: needs.clock.now() };
            let facts = event_facts::facts(&event, position, &needs.catalogue, &proof, &seal, &frame);
            let bytes = pdf::summary(&facts, &|| false)?;
            Ok((bytes, facts))
        })
        .await
    }

    /// Records something that the subject did here.
    async fn record(&self, subject: &Subject, mut event: serde_json::Value) -> Result<(), append::Error> {
        subject.stamp(&mut event);
        self.0.needs.door.record(event).await.map(drop)
    }
}

fn from_draft(id: String, draft: DefinitionDraft) -> Definition {
    Definition {
        id,
        title: draft.title.trim().to_owned(),
        group: if draft.group.trim().is_empty() { "Mine".to_owned() } else { draft.group.trim().to_owned() },
        description: draft.description,
        builtin: false,
        filter: draft.filter,
        columns: draft.columns,
        available_columns: Vec::new(),
        order: draft.order,
        range: draft.range,
        created_at: None,
        updated_at: None,
        updated_by: None,
    }
}

fn entity(report: &Definition) -> Entity<'_> {
    Entity { kind: "report", id: &report.id, name: &report.title }
}

/// A report as a change of it is recorded.
fn shown(report: &Definition) -> serde_json::Value {
    let columns: Vec<String> =
        report.columns.iter().map(|column| format!("{} = {}", column.title, column.field)).collect();
    json!({
        "title": report.title, "group": report.group, "description": report.description, "filter": report.filter,
        "columns": columns, "order": report.order, "range": report.range,
    })
}

/// Runs what would hold up the others on a thread of its own.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::GivenUp(error.to_string())),
    }
}
