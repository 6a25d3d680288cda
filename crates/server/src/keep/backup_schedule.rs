//! Backups that are made by themselves, and the tidying up at the start and after each one.

use std::path::Path;
use std::time::Duration;

use api::backup::{BackupKind, BackupReason, BackupState};
use jiff::SignedDuration;

use super::backup::{self, Error};
use super::{backup_settings, backup_sidecar as sidecar};
use crate::app::App;
use crate::changes::Entity;
use crate::selfcheck;
use crate::state::backups::{self, Row};

/// The longest sleep: a clock that was set is noticed then.
const SLEEP_MAX: Duration = Duration::from_secs(30);
/// What failed is remembered so long.
const FAILED_KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// Runs for as long as the server does.
pub async fn keep_making(app: App) {
    loop {
        let wait = match next(&app).await {
            Ok(Some(Duration::ZERO)) => {
                make(&app).await;
                continue;
            }
            Ok(wait) => wait.unwrap_or(SLEEP_MAX).min(SLEEP_MAX),
            Err(error) => {
                app.exception_task("backup", &error.to_string()).await;
                SLEEP_MAX
            }
        };
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = app.backups.wait_rescheduled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// How long until the next one is due; `None` when none is.
async fn next(app: &App) -> Result<Option<Duration>, Error> {
    let due = backup_settings::kept(app).await?.due(backup_settings::last_scheduled(app).await?);
    Ok(due.map(|at| Duration::try_from(at.duration_since(app.clock.now())).unwrap_or(Duration::ZERO)))
}

async fn make(app: &App) {
    let made = async {
        let kind = kind(app).await?;
        backup::start(app, None, kind, BackupReason::Scheduled).await
    };
    match made.await {
        Ok(started) => started.finished().await,
        // One that somebody asked for is being made: the schedule waits for its end.
        Err(Error::Busy) => tokio::time::sleep(Duration::from_secs(1)).await,
        Err(error) => {
            app.exception_task("backup", &error.to_string()).await;
            tokio::time::sleep(SLEEP_MAX).await;
        }
    }
}

/// Full when as many incremental ones follow the last full one as the settings say.
async fn kind(app: &App) -> Result<BackupKind, Error> {
    let every = backup_settings::kept(app).await?.settings.full_every as usize;
    let done = backups::in_state(&app.state, BackupState::Done.name()).await?;
    let since = done.iter().position(|row| row.kind == BackupKind::Full.name());
    Ok(match since {
        Some(since) if since + 1 < every => BackupKind::Incremental,
        _ => BackupKind::Full,
    })
}

/// What the last run of the server left: half files go, backups whose making was cut short have failed, and rows and
/// files are held against each other. Before anybody can ask for a backup: its half file would go as well.
pub async fn settle(app: &App) -> Result<(), Error> {
    let (folder, data) = (app.backups.folder().to_path_buf(), app.data.folder().to_path_buf());
    let tidied = tokio::task::spawn_blocking(move || {
        forget_snapshots(&data)?;
        look(&folder)
    });
    let found = tidied.await.map_err(|_| Error::Broken)??;
    // What another trail left here is none of ours.
    let found: Vec<_> = found.into_iter().filter(|sidecar| sidecar.origin == app.trail().origin()).collect();
    let now = app.clock.now().as_millisecond();
    for mut row in backups::in_state(&app.state, BackupState::Running.name()).await? {
        if found.iter().any(|sidecar| sidecar.id == row.id) {
            continue; // its file is whole; it is taken up below
        }
        row.state = BackupState::Failed.name().to_owned();
        row.ended_at = Some(now);
        row.error = Some("the server ended while it was made".to_owned());
        backup::end(app, None, &row, None).await?;
    }
    for sidecar in &found {
        let known = backups::find(&app.state, &sidecar.id).await?;
        if known.as_ref().is_some_and(|row| row.state == BackupState::Done.name()) {
            continue;
        }
        tracing::info!(backup.id = sidecar.id, "backup {} lies in the folder and is taken up", sidecar.id);
        let was_running = known.is_some_and(|row| row.state == BackupState::Running.name());
        let row = row_of(sidecar);
        if was_running {
            backup::end(app, None, &row, None).await?;
        } else {
            let mut connection = app.state.acquire().await?;
            backups::put(&mut connection, &row).await?;
        }
    }
    for mut row in backups::in_state(&app.state, BackupState::Done.name()).await? {
        if !found.iter().any(|sidecar| sidecar.id == row.id) {
            row.state = BackupState::Missing.name().to_owned();
            let mut connection = app.state.acquire().await?;
            backups::put(&mut connection, &row).await?;
        }
    }
    Ok(())
}

/// Removes copies of the state that a crash left.
fn forget_snapshots(data: &Path) -> Result<(), std::io::Error> {
    for entry in std::fs::read_dir(data)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(backup::SNAPSHOT) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes what is half made, and reads the sidecars. A folder of backups is that of one server, as its data folder is.
fn look(folder: &Path) -> Result<Vec<sidecar::Sidecar>, std::io::Error> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("part") => std::fs::remove_file(&path)?,
            Some("backup") => match sidecar::read(&path) {
                Ok(Some(sidecar)) if path.metadata()?.len() == sidecar.size_bytes => found.push(sidecar),
                Ok(_) => tracing::warn!("{} has no sidecar that fits: it is left alone", path.display()),
                Err(error) => tracing::warn!(%error, "the sidecar of {} can't be read", path.display()),
            },
            _ => {}
        }
    }
    Ok(found)
}

fn row_of(sidecar: &sidecar::Sidecar) -> Row {
    let millis = |text: &str| text.parse::<jiff::Timestamp>().map_or(0, |at| at.as_millisecond());
    Row {
        id: sidecar.id.clone(),
        kind: sidecar.kind.name().to_owned(),
        reason: sidecar.reason.name().to_owned(),
        state: BackupState::Done.name().to_owned(),
        parent: sidecar.parent.clone(),
        made_by: sidecar.made_by.clone(),
        started_at: millis(&sidecar.started_at),
        ended_at: Some(millis(&sidecar.made_at)),
        recipient: sidecar.recipient.clone(),
        tree_size: Some(sidecar.tree_size.cast_signed()),
        root: Some(sidecar.root.clone()),
        checkpoint: Some(sidecar.checkpoint.clone()),
        size_bytes: Some(sidecar.size_bytes.cast_signed()),
        sha256: Some(sidecar.sha256.clone()),
        files: None,
        files_new: None,
        error: None,
        checked: None,
    }
}

/// Removes backups beyond those that are kept. Never while the trail is not what it was: the old ones are the good ones
/// then.
pub async fn prune(app: &App) -> Result<(), Error> {
    let keep = backup_settings::kept(app).await?.settings.keep as usize;
    if keep == 0 || selfcheck::has_failed(app) {
        return Ok(());
    }
    let done = backups::in_state(&app.state, BackupState::Done.name()).await?;
    for row in surplus(&done, keep) {
        let entity = Entity { kind: "backup", id: &row.id, name: &row.id };
        let mut event = entity.event("backup.deleted", Vec::new());
        event["event"]["reason"] = format!("only the newest {keep} are kept, and those they build on").into();
        app.record(None, event).await?;
        backup::forget(app, row).await?;
    }
    let before = app.clock.now().saturating_sub(FAILED_KEPT).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    backups::forget_failed(&app.state, before.as_millisecond()).await?;
    Ok(())
}

/// What may go of backups, newest first: never one that a kept one builds on. Children come before their parents.
fn surplus(done: &[Row], keep: usize) -> Vec<&Row> {
    let mut needed: std::collections::HashSet<&str> = std::collections::HashSet::new();
    let mut going = Vec::new();
    for (index, row) in done.iter().enumerate() {
        if index < keep || needed.contains(row.id.as_str()) {
            needed.extend(row.parent.as_deref());
        } else {
            going.push(row);
        }
    }
    going
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, parent: Option<&str>) -> Row {
        let sidecar = sidecar::Sidecar {
            format: String::new(),
            version: 1,
            id: id.to_owned(),
            kind: BackupKind::Full,
            parent: parent.map(str::to_owned),
            reason: BackupReason::Asked,
            organization: String::new(),
            origin: String::new(),
            recipient: String::new(),
            fingerprint: String::new(),
            started_at: String::new(),
            made_at: String::new(),
            made_by: String::new(),
            tree_size: 0,
            root: String::new(),
            checkpoint: String::new(),
            size_bytes: 0,
            sha256: String::new(),
        };
        row_of(&sidecar)
    }

    #[test]
    fn what_a_kept_backup_builds_on_stays() {
        let rows = [
            row("7", Some("6")),
            row("6", None),
            row("5", Some("4")),
            row("4", Some("3")),
            row("3", None),
            row("2", None),
        ];
        let going = |keep| surplus(&rows, keep).iter().map(|row| row.id.clone()).collect::<String>();
        assert_eq!(going(1), "5432");
        assert_eq!(going(2), "5432");
        assert_eq!(going(3), "2");
        assert_eq!(going(6), "");
    }
}
