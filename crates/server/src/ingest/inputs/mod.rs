//! Inputs: what Belfry reads by itself, each as a task of its own that is started again when it fails.
//!
//! How far an input has read is noted after the trail has the batch on disk. Before a batch is handed over it is noted
//! up to where it reads; after a crash the same stretch is read again under the same batch key, which the trail knows
//! if it has it already.

mod client_tls;
mod files;
mod follow;
mod glob;
mod journald;
mod kafka;
mod lane;
mod nats;
mod settings;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::inputs::{Input as Shown, InputDraft, InputPosition, InputState, InputTested};
use api::problem::ProblemPart;
use futures::FutureExt as _;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::access::Subject;
use crate::app::{App, panic_text};
use crate::append;
use crate::changes::Entity;
use crate::outgoing;
use crate::state::inputs::{self, Input, Position, Settings};
use crate::state::{self, time_text};
use lane::Lane;

/// Members of the settings that are never shown.
const SECRETS: &[&str] = &["token", "password"];
const INPUTS_MAX: usize = 200;
const NAME_CHARS_MAX: usize = 80;
const POSITIONS_SHOWN: usize = 100;
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// How long an input that is to end may take for the batch it is at.
const END_GRACE: Duration = Duration::from_secs(10);
const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// What can go wrong with inputs.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no input {0}")]
    NotFound(String),
    #[error("the input can't be used")]
    Invalid(Vec<ProblemPart>),
    #[error("{0}")]
    Conflict(String),
    #[error(transparent)]
    Inputs(#[from] inputs::Error),
    #[error("the state database failed")]
    State(#[from] sqlx::Error),
    #[error("the change can't be recorded")]
    Record(#[from] append::Error),
}

/// Why an input stopped reading.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Outgoing(#[from] outgoing::Error),
    #[error("{what}")]
    Failed { what: String },
    #[error("the state database failed")]
    State(#[from] sqlx::Error),
    #[error("the records could not be handed over: {0}")]
    Intake(String),
}

impl ReadError {
    fn new(what: impl Into<String>) -> Self {
        Self::Failed { what: what.into() }
    }
}

/// The inputs that run.
#[derive(Default)]
pub struct Inputs {
    running: Mutex<HashMap<String, Running>>,
    /// One change at a time: an input is ended before it is begun anew.
    changing: tokio::sync::Mutex<()>,
}

struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
    health: Arc<Health>,
}

/// What an input does at this moment.
#[derive(Debug)]
pub(crate) struct Health(Mutex<(InputState, Option<i64>)>);

impl Health {
    fn set(&self, state: InputState, retry_at: Option<i64>) {
        *self.0.lock() = (state, retry_at);
    }
}

/// What limits all inputs, from `belfry.toml`.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    /// Folders below which files may be read, without links in their names.
    pub folders: Vec<PathBuf>,
    pub journalctl: PathBuf,
}

impl Bounds {
    fn of(app: &App) -> Self {
        let folders = app.config.inputs.folders.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
        Self { folders, journalctl: app.config.inputs.journalctl.clone() }
    }
}

impl Inputs {
    /// Starts all that are switched on.
    pub async fn start(&self, app: &App) -> Result<(), Error> {
        for input in inputs::all(&app.state, &app.secrets).await? {
            if input.enabled {
                self.begin(app, input);
            }
        }
        Ok(())
    }

    /// All inputs, by name.
    pub async fn list(&self, app: &App) -> Result<Vec<Shown>, Error> {
        let mut shown = Vec::new();
        for input in inputs::all(&app.state, &app.secrets).await? {
            shown.push(self.shown(app, input).await?);
        }
        Ok(shown)
    }

    pub async fn one(&self, app: &App, id: &str) -> Result<Shown, Error> {
        self.shown(app, known(app, id).await?).await
    }

    pub async fn create(&self, app: &App, subject: &Subject, draft: InputDraft) -> Result<Shown, Error> {
        let _changing = self.changing.lock().await;
        let all = inputs::all(&app.state, &app.secrets).await?;
        if all.len() >= INPUTS_MAX {
            return Err(Error::Conflict(format!("there are {INPUTS_MAX} inputs, and no more can be made")));
        }
        let now = app.clock.now();
        let input = Input {
            id: state::new_id(now),
            settings: self.check(app, &draft, None, &all)?,
            name: draft.name.trim().to_owned(),
            source: draft.source,
            enabled: draft.enabled,
            created_at: now.as_millisecond(),
            updated_at: now.as_millisecond(),
            records: 0,
            rejected: 0,
            last_at: None,
            last_error: None,
            last_error_at: None,
        };
        let event = entity(&input).created(&audited(&input), SECRETS);
        self.write(app, subject, &input, Some(event)).await?;
        if input.enabled {
            self.begin(app, input.clone());
        }
        self.shown(app, input).await
    }

    /// Changes an input: it becomes what is given. How far it has read stays.
    pub async fn update(&self, app: &App, subject: &Subject, id: &str, draft: InputDraft) -> Result<Shown, Error> {
        let _changing = self.changing.lock().await;
        let old = known(app, id).await?;
        let all = inputs::all(&app.state, &app.secrets).await?;
        let new = Input {
            settings: self.check(app, &draft, Some(&old), &all)?,
            name: draft.name.trim().to_owned(),
            source: draft.source,
            enabled: draft.enabled,
            updated_at: app.clock.now().as_millisecond(),
            last_error: None,
            last_error_at: None,
            ..old.clone()
        };
        let mut event = entity(&new).updated(&audited(&old), &audited(&new), SECRETS);
        if event.is_none() && old.settings != new.settings {
            event = Some(entity(&new).event("entity.updated", Vec::new()));
        }
        self.end(id).await;
        self.write(app, subject, &new, event).await?;
        if new.enabled {
            self.begin(app, new.clone());
        }
        self.shown(app, new).await
    }

    pub async fn remove(&self, app: &App, subject: &Subject, id: &str) -> Result<(), Error> {
        let _changing = self.changing.lock().await;
        let old = known(app, id).await?;
        self.end(id).await;
        let mut transaction = state::begin_write(&app.state).await?;
        inputs::remove(&mut transaction, id).await?;
        app.record(Some(subject), entity(&old).removed(&audited(&old), SECRETS)).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Whether the input could read now. Takes nothing, and stores nothing.
    pub async fn test(&self, app: &App, id: &str) -> Result<InputTested, Error> {
        let input = known(app, id).await?;
        let bounds = Bounds::of(app);
        let tried = async {
            match &input.settings {
                Settings::Files(settings) => files::test(settings, &bounds).await,
                Settings::Journald(settings) => journald::test(settings, &bounds).await,
                Settings::Nats(settings) => nats::test(settings, &app.outgoing).await,
                Settings::Kafka(settings) => kafka::test(settings, &app.outgoing).await,
            }
        };
        let tried = tokio::time::timeout(TEST_TIMEOUT, tried).await;
        Ok(match tried {
            Ok(Ok(detail)) => InputTested { ok: true, detail },
            Ok(Err(error)) => InputTested { ok: false, detail: error.to_string() },
            Err(_) => InputTested { ok: false, detail: format!("no answer within {} s", TEST_TIMEOUT.as_secs()) },
        })
    }

    fn check(&self, app: &App, draft: &InputDraft, old: Option<&Input>, all: &[Input]) -> Result<Settings, Error> {
        let name = draft.name.trim();
        let mut wrong = Vec::new();
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            wrong.push(settings::part("/name", format!("a name of 1 to {NAME_CHARS_MAX} characters is needed")));
        }
        if !draft.source.is_empty() && app.intake.registry().source(&draft.source).is_none() {
            wrong.push(settings::part("/source", format!("there is no source {}", draft.source)));
        }
        if old.is_some_and(|old| old.settings.kind() != draft.kind) {
            wrong.push(settings::part("/kind", "the kind of an input can't change; make another one".to_owned()));
        }
        let before = old.map(|old| &old.settings);
        let read = settings::read(draft.kind, &draft.settings, before, &app.config.inputs.folders);
        let settings = read.map_err(|mut parts| {
            parts.append(&mut wrong);
            Error::Invalid(parts)
        })?;
        if !wrong.is_empty() {
            return Err(Error::Invalid(wrong));
        }
        let same = |other: &&Input| other.name.eq_ignore_ascii_case(name) && old.is_none_or(|old| old.id != other.id);
        if all.iter().any(|other| same(&other)) {
            return Err(Error::Conflict(format!("there is an input {name} already")));
        }
        Ok(settings)
    }

    /// The change and its event: recorded before it commits, as all changes are.
    async fn write(&self, app: &App, subject: &Subject, input: &Input, event: Option<Value>) -> Result<(), Error> {
        let mut transaction = state::begin_write(&app.state).await?;
        inputs::put(&mut transaction, &app.secrets, input).await?;
        if let Some(event) = event {
            app.record(Some(subject), event).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn shown(&self, app: &App, input: Input) -> Result<Shown, Error> {
        let positions = inputs::positions(&app.state, &input.id).await?;
        let (state, retry_at) = match self.running.lock().get(&input.id) {
            Some(running) => *running.health.0.lock(),
            None => (InputState::Off, None),
        };
        Ok(Shown {
            kind: input.settings.kind(),
            settings: settings::shown(&input.settings),
            state,
            retry_at: retry_at.map(time_text),
            positions: positions
                .into_iter()
                .take(POSITIONS_SHOWN)
                .map(|position| InputPosition {
                    label: position.label,
                    position: settings::position_shown(&position.position),
                    updated_at: time_text(position.updated_at),
                })
                .collect(),
            records: input.records.cast_unsigned(),
            rejected: input.rejected.cast_unsigned(),
            last_at: input.last_at.map(time_text),
            last_error: input.last_error,
            last_error_at: input.last_error_at.map(time_text),
            created_at: time_text(input.created_at),
            updated_at: time_text(input.updated_at),
            id: input.id,
            name: input.name,
            source: input.source,
            enabled: input.enabled,
        })
    }

    fn begin(&self, app: &App, input: Input) {
        let stop = app.stop.child_token();
        let health = Arc::new(Health(Mutex::new((InputState::Starting, None))));
        let task = tokio::spawn(supervise(app.clone(), input.clone(), stop.clone(), health.clone()));
        self.running.lock().insert(input.id, Running { stop, task, health });
    }

    /// Ends an input, and waits until it has.
    async fn end(&self, id: &str) {
        let running = self.running.lock().remove(id);
        if let Some(Running { stop, mut task, .. }) = running {
            stop.cancel();
            if tokio::time::timeout(END_GRACE, &mut task).await.is_err() {
                task.abort();
            }
        }
    }

    /// Waits until all inputs have ended; they were told by the app's stop.
    pub async fn ended(&self) {
        let running: Vec<Running> = self.running.lock().drain().map(|(_, running)| running).collect();
        for Running { mut task, .. } in running {
            if tokio::time::timeout(END_GRACE, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

async fn known(app: &App, id: &str) -> Result<Input, Error> {
    inputs::get(&app.state, &app.secrets, id).await?.ok_or_else(|| Error::NotFound(id.to_owned()))
}

fn entity(input: &Input) -> Entity<'_> {
    Entity { kind: "input", id: &input.id, name: &input.name }
}

fn audited(input: &Input) -> Value {
    json!({
        "name": input.name,
        "kind": input.settings.kind().name(),
        "source": input.source,
        "enabled": input.enabled,
        "settings": settings::audited(&input.settings),
    })
}

/// Runs an input until it is told to stop; begins anew after growing pauses when it fails.
async fn supervise(app: App, input: Input, stop: CancellationToken, health: Arc<Health>) {
    let mut pause = PAUSE_MIN;
    let lane = Lane::new(&app, &input, health.clone(), stop.clone());
    loop {
        health.set(InputState::Starting, None);
        let before = lane.batches();
        // Not dropped in the middle of a batch: whoever reads looks at `stop` between batches.
        let ended = AssertUnwindSafe(run(&app, &input, &lane)).catch_unwind().await;
        if stop.is_cancelled() {
            return;
        }
        let error = match ended {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error.to_string(),
            Err(panic) => {
                let what = panic_text(panic.as_ref());
                app.exception_task("input", &format!("{}: {what}", input.name)).await;
                what
            }
        };
        if lane.batches() > before {
            pause = PAUSE_MIN;
        }
        tracing::warn!(input = input.name, "input {} can't read: {error}", input.name);
        let now = app.clock.now().as_millisecond();
        let wait = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
        // The reason first: whoever sees that it fails wants to know why.
        if let Err(error) = inputs::failed(&app.state, &input.id, &error, now).await {
            tracing::warn!(%error, "the state of input {} is not noted", input.name);
        }
        health.set(InputState::Failing, Some(now.saturating_add(wait)));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

async fn run(app: &App, input: &Input, lane: &Lane) -> Result<(), ReadError> {
    let positions: Vec<Position> = inputs::positions(&app.state, &input.id).await?;
    let bounds = Bounds::of(app);
    match &input.settings {
        Settings::Files(settings) => files::run(settings, &bounds, positions, lane).await,
        Settings::Journald(settings) => journald::run(settings, &bounds, positions, lane).await,
        Settings::Nats(settings) => nats::run(settings, &app.outgoing, positions, lane).await,
        Settings::Kafka(settings) => kafka::run(settings, &app.outgoing, positions, lane).await,
    }
}
