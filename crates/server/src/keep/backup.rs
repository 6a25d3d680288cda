//! Backups: made while everybody goes on writing, one at a time, for a key that the server does not have.
//!
//! ```text
//! copy of the state ─▶ checkpoint ─▶ files of the trail, keys, configuration ─▶ age ─▶ <id>.part
//!       ─▶ read back ─▶ <id>.backup ─▶ <id>.backup.json ─▶ backup.completed in the trail ─▶ done
//! ```

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use api::backup::{Backup, BackupCheck, BackupKind, BackupPhase, BackupReason, BackupState, NewMasterKey};
use api::backup::{MasterKeyMade, MasterKeyShown};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use trail::TrailError;

use super::backup_archive::Head;
use super::backup_files::{self, CollectError};
use super::backup_make::{self, Made, MakeError, Plan, Progress};
use super::masterkey::KeyError;
use super::restore::{self, RestoreError};
use super::{backup_schedule, backup_settings, backup_sidecar as sidecar, masterkey};
use crate::access::Subject;
use crate::app::App;
use crate::append::{self, OWN_SOURCE};
use crate::causes::chain;
use crate::changes::Entity;
use crate::keys;
use crate::state::backups::{self, Row};
use crate::state::{self, time_text};

/// How the passing copies of the state are called.
pub const SNAPSHOT: &str = "backup-state-";

/// What the room remembers.
pub struct Backups {
    folder: PathBuf,
    running: Mutex<Option<Running>>,
    rescheduled: Notify,
}

#[derive(Clone)]
struct Running {
    id: String,
    progress: Progress,
}

/// Why something about backups can't be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no backup {0}")]
    NotFound(String),
    #[error("{reason}")]
    Invalid { pointer: &'static str, reason: String },
    #[error("there is no master key yet: make one, and give its recipient to the settings")]
    NoMasterKey,
    #[error("a backup is being made or checked already; one at a time")]
    Busy,
    #[error("backup {id} is {state}")]
    State { id: String, state: &'static str },
    #[error("backup {id} is needed by {by}: delete that one first")]
    Needed { id: String, by: String },
    #[error("the master key was not proven: {0}")]
    Key(#[source] RestoreError),
    #[error(transparent)]
    Split(KeyError),
    #[error("can't use the folder of backups")]
    Folder(#[from] std::io::Error),
    #[error("the state can't be read or written")]
    Database(#[from] sqlx::Error),
    #[error("the state can't be copied")]
    Snapshot(#[source] sqlx::Error),
    #[error(transparent)]
    Trail(#[from] TrailError),
    #[error(transparent)]
    Collect(#[from] CollectError),
    #[error(transparent)]
    Make(#[from] MakeError),
    #[error(transparent)]
    Record(#[from] append::Error),
    #[error("the work broke off")]
    Broken,
}

impl Backups {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, running: Mutex::new(None), rescheduled: Notify::new() }
    }

    /// Where the files lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Has the schedule looked at again.
    pub fn rescheduled(&self) {
        self.rescheduled.notify_one();
    }

    pub async fn wait_rescheduled(&self) {
        self.rescheduled.notified().await;
    }

    fn begin(&self, id: &str) -> Result<Progress, Error> {
        let mut running = self.running.lock();
        if running.is_some() {
            return Err(Error::Busy);
        }
        let progress = Progress::default();
        *running = Some(Running { id: id.to_owned(), progress: progress.clone() });
        Ok(progress)
    }

    /// What is being worked on. Asked before the table is: the other way round, work that ends in between would look
    /// as if it had ended without an outcome.
    fn now(&self) -> Option<Running> {
        self.running.lock().clone()
    }

    fn progress_of(&self, id: &str) -> Option<Progress> {
        self.running.lock().as_ref().filter(|running| running.id == id).map(|running| running.progress.clone())
    }
}

/// The turn of the one who works; given back however the work ends.
struct Turn {
    app: App,
    ended: watch::Sender<bool>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.app.backups.running.lock() = None;
        self.ended.send_replace(true);
        self.app.backups.rescheduled();
    }
}

/// A backup that is being made.
pub struct Started {
    pub backup: Backup,
    ended: watch::Receiver<bool>,
}

impl Started {
    /// Waits for its end, whatever that is.
    pub async fn finished(mut self) {
        // An error means that the sender is gone, which is an end as well.
        let _ = self.ended.wait_for(|ended| *ended).await;
    }
}

/// Starts a backup in the background; its end is an event.
pub async fn start(
    app: &App,
    subject: Option<&Subject>,
    kind: BackupKind,
    reason: BackupReason,
) -> Result<Started, Error> {
    let recipient = backup_settings::kept(app).await?.settings.recipient.ok_or(Error::NoMasterKey)?;
    let key = masterkey::recipient(&recipient).map_err(Error::Split)?;
    let now = app.clock.now();
    let id = state::new_id(now);
    let progress = app.backups.begin(&id)?;
    let (ended, end) = watch::channel(false);
    let turn = Turn { app: app.clone(), ended };
    let parent = match kind {
        BackupKind::Full => None,
        BackupKind::Incremental => parent(app, &recipient).await?,
    };
    let kind = if parent.is_some() { BackupKind::Incremental } else { BackupKind::Full };
    let row = Row {
        id,
        kind: kind.name().to_owned(),
        reason: reason.name().to_owned(),
        state: BackupState::Running.name().to_owned(),
        parent: parent.as_ref().map(|(id, _)| id.clone()),
        made_by: subject.map_or(OWN_SOURCE, Subject::user_name).to_owned(),
        started_at: now.as_millisecond(),
        ended_at: None,
        recipient,
        tree_size: None,
        root: None,
        checkpoint: None,
        size_bytes: None,
        sha256: None,
        files: None,
        files_new: None,
        error: None,
        checked: None,
    };
    let mut transaction = state::begin_write(&app.state).await?;
    backups::put(&mut transaction, &row).await?;
    app.record(subject, event(&row, "backup.started")).await?;
    transaction.commit().await?;
    let backup = shown(&row, &[], app.backups.now().as_ref());
    let (inner, subject) = (app.clone(), subject.cloned());
    app.spawn_gently("backup", async move {
        let known = parent.map(|(_, files)| files).unwrap_or_default();
        carry_out(&inner, subject.as_ref(), row, key, known, progress).await;
        drop(turn);
    });
    Ok(Started { backup, ended: end })
}

/// The newest backup and what it stands for, when another can build on it.
async fn parent(app: &App, recipient: &str) -> Result<Option<(String, HashMap<String, backups::Known>)>, Error> {
    let done = backups::in_state(&app.state, BackupState::Done.name()).await?;
    // A chain is opened by one key; what a drill found broken is not built upon.
    let fits = |row: &&Row| row.recipient == recipient && check(row).is_none_or(|check| check.ok);
    let Some(newest) = done.first().filter(fits) else { return Ok(None) };
    let files = backups::files(&app.state, &newest.id).await?;
    // Its own bytes and those of all that it builds on must still be there.
    let have = |id: &String| done.iter().any(|row| row.id == *id) && file_of(app, id).is_file();
    let whole = !files.is_empty() && files.values().map(|known| &known.kept_in).all(have) && have(&newest.id);
    Ok(whole.then(|| (newest.id.clone(), files)))
}

async fn carry_out(
    app: &App,
    subject: Option<&Subject>,
    mut row: Row,
    key: age::x25519::Recipient,
    known: HashMap<String, backups::Known>,
    progress: Progress,
) {
    // In the data folder, where the state lies anyhow: the folder of backups may be on a disk that others read.
    let snapshot = app.data.folder().join(format!("{SNAPSHOT}{}", row.id));
    let made = {
        let making = make(app, &mut row, key, known, &snapshot, &progress);
        let stopped = async {
            app.stop.cancelled().await;
            progress.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            made = making => made,
            () = stopped => Err(Error::Broken),
        }
    };
    // Where this fails the next start does it.
    let _ = std::fs::remove_file(&snapshot);
    row.ended_at = Some(app.clock.now().as_millisecond());
    let mut files = None;
    match made {
        Ok(made) => {
            row.state = BackupState::Done.name().to_owned();
            row.size_bytes = Some(made.size_bytes.cast_signed());
            row.sha256 = Some(made.sha256);
            row.files = Some(made.files.len() as i64);
            row.files_new = Some(made.files_new.cast_signed());
            files = Some(made.files);
        }
        Err(_) if app.stop.is_cancelled() => {
            row.state = BackupState::Failed.name().to_owned();
            row.error = Some("the server was stopped while it was made".to_owned());
        }
        Err(_) if progress.is_cancelled() => row.state = BackupState::Cancelled.name().to_owned(),
        Err(error) => {
            let what = chain(&error);
            tracing::error!(backup.id = row.id, error = %what, "backup {} failed: {what}", row.id);
            row.state = BackupState::Failed.name().to_owned();
            row.error = Some(what);
        }
    }
    if let Err(error) = end(app, subject, &row, files.as_deref()).await {
        tracing::error!(backup.id = row.id, %error, "can't write down how backup {} ended", row.id);
    }
    if row.state == BackupState::Done.name()
        && let Err(error) = backup_schedule::prune(app).await
    {
        app.exception_task("backup.prune", &chain(&error)).await;
    }
}

async fn make(
    app: &App,
    row: &mut Row,
    recipient: age::x25519::Recipient,
    known: HashMap<String, backups::Known>,
    snapshot: &Path,
    progress: &Progress,
) -> Result<Made, Error> {
    progress.phase(BackupPhase::State, 0);
    let folder = app.backups.folder().to_path_buf();
    keys::make_private_folder(&folder)?;
    // The state before the checkpoint: nothing that it concluded may lie beyond the trail that comes with it.
    backups::snapshot(&app.state, &snapshot.to_string_lossy()).await.map_err(Error::Snapshot)?;
    let trail = app.trail().clone();
    let checkpoint = blocking(move || trail.seal().map_err(Error::from)).await?;
    let root = STANDARD.encode(checkpoint.root.0);
    row.tree_size = Some(checkpoint.size.cast_signed());
    row.root = Some(root.clone());
    row.checkpoint = Some(checkpoint.note.clone());
    let head = Head {
        id: row.id.clone(),
        kind: BackupKind::from_name(&row.kind).unwrap_or(BackupKind::Full),
        parent: row.parent.clone(),
        reason: BackupReason::from_name(&row.reason).unwrap_or(BackupReason::Asked),
        organization: app.organization.clone(),
        origin: app.trail().origin().to_owned(),
        vkey: app.trail().public_key().to_string(),
        checkpoint: checkpoint.note.clone(),
        tree_size: checkpoint.size,
        root,
        made_at: app.clock.now().to_string(),
        made_by: row.made_by.clone(),
        belfry: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let (inner, snapshot, progress) = (app.clone(), snapshot.to_path_buf(), progress.clone());
    let started_at = time_text(row.started_at);
    blocking(move || {
        let sources =
            backup_files::collect(inner.data.folder(), &snapshot, inner.trail(), &inner.organization, &checkpoint)?;
        let plan = Plan { head, recipient, started_at, sources, known, folder };
        Ok(backup_make::make(&plan, &progress)?)
    })
    .await
}

/// Writes down how a backup ended, and tells the trail.
pub async fn end(
    app: &App,
    subject: Option<&Subject>,
    row: &Row,
    files: Option<&[(String, backups::Known)]>,
) -> Result<(), Error> {
    let mut transaction = state::begin_write(&app.state).await?;
    backups::put(&mut transaction, row).await?;
    if let Some(files) = files {
        backups::set_files(&mut transaction, &row.id, files).await?;
    }
    let action = match BackupState::from_name(&row.state) {
        Some(BackupState::Done) => "backup.completed",
        Some(BackupState::Cancelled) => "backup.cancelled",
        _ => "backup.failed",
    };
    app.record(subject, event(row, action)).await?;
    transaction.commit().await?;
    Ok(())
}

/// The newest backups, before `before`, and where the next page begins.
pub async fn list(app: &App, before: Option<&str>, limit: u32) -> Result<(Vec<Backup>, Option<String>), Error> {
    let running = app.backups.now();
    let mut rows = backups::newest(&app.state, before, limit.saturating_add(1)).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|row| row.id.clone());
    let done = backups::in_state(&app.state, BackupState::Done.name()).await?;
    Ok((rows.iter().map(|row| shown(row, &done, running.as_ref())).collect(), next))
}

pub async fn get(app: &App, id: &str) -> Result<Backup, Error> {
    let running = app.backups.now();
    let row = find(app, id).await?;
    let done = backups::in_state(&app.state, BackupState::Done.name()).await?;
    Ok(shown(&row, &done, running.as_ref()))
}

/// Calls off a backup or a drill that is running.
pub async fn cancel(app: &App, id: &str) -> Result<Backup, Error> {
    let row = find(app, id).await?;
    match app.backups.progress_of(id) {
        Some(progress) => progress.cancel(),
        None => {
            let state = BackupState::from_name(&row.state).unwrap_or(BackupState::Failed).name();
            return Err(Error::State { id: row.id, state });
        }
    }
    get(app, id).await
}

/// Deletes a backup and its file.
pub async fn remove(app: &App, subject: &Subject, id: &str) -> Result<(), Error> {
    let row = find(app, id).await?;
    if app.backups.running.lock().is_some() {
        // What is being made may build on it.
        return Err(Error::Busy);
    }
    let done = backups::in_state(&app.state, BackupState::Done.name()).await?;
    if let Some(child) = done.iter().find(|other| other.parent.as_deref() == Some(id)) {
        return Err(Error::Needed { id: row.id, by: child.id.clone() });
    }
    app.record(Some(subject), event(&row, "backup.deleted")).await?;
    forget(app, &row).await
}

/// Removes the files of a backup, then its row. The sidecar goes first: without it, it is no backup any more.
pub async fn forget(app: &App, row: &Row) -> Result<(), Error> {
    let path = file_of(app, &row.id);
    for path in [sidecar::path_of(&path), path] {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    let mut connection = app.state.acquire().await?;
    Ok(backups::remove(&mut connection, &row.id).await?)
}

/// The file of a backup and what it is called; that it was taken is an event.
pub async fn download(app: &App, subject: &Subject, id: &str) -> Result<(PathBuf, String, Backup), Error> {
    let row = find(app, id).await?;
    let backup = shown(&row, &[], None);
    if backup.state != BackupState::Done {
        return Err(Error::State { id: row.id, state: backup.state.name() });
    }
    app.record(Some(subject), event(&row, "backup.downloaded")).await?;
    let name = sidecar::download_name(&app.organization, &backup.started_at, backup.kind, &backup.id);
    Ok((file_of(app, id), name, backup))
}

/// Makes a master key. It is in the answer and nowhere else.
pub async fn make_key(app: &App, subject: &Subject, wish: NewMasterKey) -> Result<MasterKeyMade, Error> {
    let made = blocking(move || masterkey::make(wish.shares, wish.threshold).map_err(Error::Split)).await?;
    let name = format!("master key {}", made.fingerprint);
    let mut event =
        Entity { kind: "master_key", id: &made.fingerprint, name: &name }.event("masterkey.created", vec![]);
    event["master_key"] = json!({
        "fingerprint": made.fingerprint, "recipient": made.recipient, "shares": wish.shares, "threshold": wish.threshold,
    });
    app.record(Some(subject), event).await?;
    Ok(MasterKeyMade {
        recipient: made.recipient,
        fingerprint: made.fingerprint,
        threshold: wish.threshold,
        shares: made.shares,
    })
}

/// The drill: whether these shares open the backup and all it builds on, and every byte in them is right. That the key
/// fits is told at once, the reading goes on in the background. Both ends are events.
pub async fn drill(app: &App, subject: &Subject, id: &str, shown_key: MasterKeyShown) -> Result<Backup, Error> {
    let row = find(app, id).await?;
    let state = BackupState::from_name(&row.state).unwrap_or(BackupState::Failed);
    if state != BackupState::Done {
        return Err(Error::State { id: row.id, state: state.name() });
    }
    let progress = app.backups.begin(id)?;
    let turn = Turn { app: app.clone(), ended: watch::channel(false).0 };
    let path = file_of(app, id);
    let opened = {
        let path = path.clone();
        blocking(move || {
            // Apart, and each as it was pasted: several in one text are fine.
            let identity = masterkey::read(&shown_key.shares.join("\n\n")).map_err(|error| Error::Key(error.into()))?;
            restore::open(&path, &identity, &Progress::default()).map_err(Error::Key)?;
            Ok(identity)
        })
        .await
    };
    let identity = match opened {
        Ok(identity) => identity,
        Err(error) => {
            // Shares that do not fit say nothing about the file.
            let judged = !matches!(&error, Error::Key(refused) if refused.is_of_the_key());
            settle_drill(app, subject, row, Some(chain(&error)), judged).await?;
            return Err(error);
        }
    };
    let (inner, subject) = (app.clone(), subject.clone());
    app.spawn_gently("backup.drill", async move {
        let reading = {
            let progress = progress.clone();
            blocking(move || restore::check(&path, &identity, &progress).map_err(Error::Key))
        };
        let stopped = async {
            inner.stop.cancelled().await;
            progress.cancel();
        };
        let outcome = tokio::select! {
            outcome = reading => outcome,
            () = stopped => return,
        };
        // That the key was shown is told even when the reading was called off.
        let cancelled = progress.is_cancelled().then(|| "the drill was called off".to_owned());
        let judged = cancelled.is_none();
        let what = cancelled.or_else(|| outcome.err().map(|error| chain(&error)));
        if let Err(error) = settle_drill(&inner, &subject, row, what, judged).await {
            tracing::error!(%error, "can't write down how a drill ended");
        }
        drop(turn);
    });
    get(app, id).await
}

/// Tells the trail how a drill ended, and notes it with the backup when it says something about its file.
async fn settle_drill(
    app: &App,
    subject: &Subject,
    mut row: Row,
    what: Option<String>,
    judged: bool,
) -> Result<(), Error> {
    let ok = what.is_none();
    if judged {
        let by = subject.user_name().to_owned();
        let checked = BackupCheck { ok, at: app.clock.now().to_string(), by, what: what.clone() };
        row.checked = serde_json::to_string(&checked).ok();
    }
    let action = if ok { "masterkey.recovery.succeeded" } else { "masterkey.recovery.failed" };
    let mut event = event(&row, action);
    event["event"]["reason"] = what.map_or(Value::Null, Value::from);
    event["event"]["outcome"] = json!(if ok { "success" } else { "failure" });
    event["labels"] = json!({"drill": "true"});
    if ok && let Some(inner) = event["event"].as_object_mut() {
        inner.remove("reason");
    }
    let mut transaction = state::begin_write(&app.state).await?;
    backups::put(&mut transaction, &row).await?;
    app.record(Some(subject), event).await?;
    transaction.commit().await?;
    Ok(())
}

async fn find(app: &App, id: &str) -> Result<Row, Error> {
    backups::find(&app.state, id).await?.ok_or_else(|| Error::NotFound(id.to_owned()))
}

/// The file of a backup. An id comes from the table, never from a request.
fn file_of(app: &App, id: &str) -> PathBuf {
    app.backups.folder().join(sidecar::file_name(id))
}

fn check(row: &Row) -> Option<BackupCheck> {
    row.checked.as_deref().and_then(|text| serde_json::from_str(text).ok())
}

fn shown(row: &Row, done: &[Row], running: Option<&Running>) -> Backup {
    let state = BackupState::from_name(&row.state).unwrap_or(BackupState::Failed);
    let number = |value: Option<i64>| value.map(i64::cast_unsigned);
    Backup {
        id: row.id.clone(),
        kind: BackupKind::from_name(&row.kind).unwrap_or(BackupKind::Full),
        reason: BackupReason::from_name(&row.reason).unwrap_or(BackupReason::Asked),
        state,
        parent: row.parent.clone(),
        by: row.made_by.clone(),
        started_at: time_text(row.started_at),
        ended_at: row.ended_at.map(time_text),
        fingerprint: masterkey::fingerprint(&row.recipient),
        tree_size: number(row.tree_size),
        root: row.root.clone(),
        checkpoint: row.checkpoint.clone(),
        size_bytes: number(row.size_bytes),
        sha256: row.sha256.clone(),
        files: number(row.files),
        files_new: number(row.files_new),
        error: row.error.clone(),
        progress: running.filter(|running| running.id == row.id).map(|running| running.progress.shown()),
        check: check(row),
        download: (state == BackupState::Done).then(|| format!("/api/v1/backups/{}/download", row.id)),
        needed_by: done
            .iter()
            .filter(|other| other.parent.as_deref() == Some(&row.id))
            .map(|other| other.id.clone())
            .collect(),
    }
}

fn event(row: &Row, action: &str) -> Value {
    let name = format!("{} ({})", row.id, row.kind);
    let mut event = Entity { kind: "backup", id: &row.id, name: &name }.event(action, Vec::new());
    event["operation"] = json!({"id": row.id, "name": "backup", "requester": row.made_by});
    let mut facts = json!({
        "kind": row.kind, "reason": row.reason, "key": masterkey::fingerprint(&row.recipient),
        "started_at": time_text(row.started_at),
    });
    let more = [
        ("parent", row.parent.clone().map(Value::from)),
        ("ended_at", row.ended_at.map(|at| time_text(at).into())),
        ("tree_size", row.tree_size.map(Value::from)),
        ("root", row.root.clone().map(Value::from)),
        ("size_bytes", row.size_bytes.map(Value::from)),
        ("sha256", row.sha256.clone().map(Value::from)),
        ("files", row.files.map(Value::from)),
        ("files_new", row.files_new.map(Value::from)),
    ];
    for (name, value) in more {
        if let Some(value) = value {
            facts[name] = value;
        }
    }
    event["backup"] = facts;
    if action == "backup.failed" {
        event["event"]["outcome"] = json!("failure");
        event["event"]["reason"] = json!(row.error.as_deref().unwrap_or("it was cut short"));
    }
    event
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Broken))
}
