//! What a restored data folder says of itself until its trail has been told.
//!
//! The trail in it ends where the backup ended. Whoever saw a later checkpoint, a witness, a monitor, a report, will
//! find that what is appended now contradicts it: the same key signs a second history. That is a fork, and it is right
//! that it is noticed. So nothing is signed in a restored folder before somebody said that the old server is gone.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::backup_archive::Head;
use super::masterkey;
use super::restore::{Wish, beside};
use crate::app::App;
use crate::append;

const FILE: &str = "restored.json";
const VERSION: u32 = 1;
const FAILURES_MAX: usize = 100;

/// How a folder was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub version: u32,
    /// Of this restoring; so that it is told once.
    pub id: String,
    pub backup: String,
    pub backup_made_at: String,
    pub origin: String,
    /// The key that opened it.
    pub fingerprint: String,
    /// What the checkpoint of the backup covers.
    pub tree_size: u64,
    pub root: String,
    /// Where the trail goes on: events after the checkpoint may have been in the backup as well.
    pub size: u64,
    /// The size that a checkpoint kept elsewhere speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_size: Option<u64>,
    pub restored_at: String,
    pub by: String,
    /// Somebody said that the trail goes on from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
    /// Tries before it that failed.
    #[serde(default)]
    pub failed: Vec<Failure>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    pub at: String,
    pub by: String,
}

/// A try to restore that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub at: String,
    pub by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    pub reason: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "{folder} was restored from backup {backup}, whose trail ends with {size} events ({made_at}). Events that were signed after it are not in it: going on from here makes a second history under the same key, which witnesses, monitors and kept checkpoints will call a fork. If the server it comes from is gone, say so: belfry restore --accept-fork --data {folder}"
    )]
    NotAccepted { folder: String, backup: String, size: u64, made_at: String },
    #[error("can't read or write {path}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{0} was not restored, or its trail was told already: there is nothing to accept")]
    Nothing(PathBuf),
    #[error("the trail can't be told that it was restored")]
    Record(#[from] append::Error),
    #[error("the restored trail can't be read")]
    Trail(#[from] trail::TrailError),
}

impl Mark {
    pub(super) fn of(head: &Head, wish: &Wish<'_>, size: u64, known_size: Option<u64>) -> Self {
        let now = Timestamp::now();
        Self {
            version: VERSION,
            id: crate::state::new_id(now),
            backup: head.id.clone(),
            backup_made_at: head.made_at.clone(),
            origin: head.origin.clone(),
            fingerprint: masterkey::fingerprint_of(wish.identity),
            tree_size: head.tree_size,
            root: head.root.clone(),
            size,
            known_size,
            restored_at: now.to_string(),
            by: wish.by.clone(),
            accepted: wish.accept_fork.then(|| Accepted { at: now.to_string(), by: wish.by.clone() }),
            failed: failures(wish.data),
        }
    }

    /// The events that tell the trail: the tries that failed, then that it was restored.
    fn events(&self) -> Vec<Value> {
        let entity = json!({"type": "backup", "id": self.backup, "name": format!("backup {}", self.backup)});
        let mut events: Vec<Value> = self
            .failed
            .iter()
            .map(|failure| {
                json!({
                    "event": {"action": "masterkey.recovery.failed", "outcome": "failure", "reason": failure.reason},
                    "user": {"name": failure.by},
                    "entity": entity,
                    "restore": {"id": self.id, "at": failure.at, "key": failure.fingerprint},
                })
            })
            .collect();
        let lost = self.known_size.map(|known| known.saturating_sub(self.size));
        let mut last = json!({
            "event": {"action": "masterkey.recovery.succeeded", "outcome": "success"},
            "user": {"name": self.by},
            "entity": entity,
            "restore": {
                "id": self.id, "at": self.restored_at, "key": self.fingerprint, "backup_made_at": self.backup_made_at,
                "tree_size": self.tree_size, "root": self.root, "goes_on_at": self.size,
                "fork_accepted_by": self.accepted.as_ref().map(|accepted| &accepted.by),
                "fork_accepted_at": self.accepted.as_ref().map(|accepted| &accepted.at),
            },
        });
        if let Some(lost) = lost {
            last["restore"]["events_lost"] = json!(lost);
        }
        events.push(last);
        events
    }
}

/// The mark of a data folder, when it has one.
pub fn read(data: &Path) -> Result<Option<Mark>, Error> {
    let path = data.join(FILE);
    let failed = |source| Error::Io { path: path.clone(), source };
    match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| failed(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Writes the mark, whole or not at all.
pub fn write(data: &Path, mark: &Mark) -> io::Result<()> {
    let part = data.join("restored.part");
    let mut file = File::create(&part)?;
    file.write_all(&serde_json::to_vec_pretty(mark)?)?;
    file.sync_all()?;
    std::fs::rename(&part, data.join(FILE))?;
    File::open(data)?.sync_all()
}

/// Says that the trail goes on from here, whatever was signed after the backup.
pub fn accept(data: &Path, by: &str) -> Result<Mark, Error> {
    let mut mark = read(data)?.ok_or_else(|| Error::Nothing(data.to_path_buf()))?;
    mark.accepted.get_or_insert_with(|| Accepted { at: Timestamp::now().to_string(), by: by.to_owned() });
    write(data, &mark).map_err(|source| Error::Io { path: data.join(FILE), source })?;
    Ok(mark)
}

/// Refuses a restored folder that nobody has accepted. Asked before the trail is opened, for an open trail signs.
pub fn refuse_unaccepted(data: &Path) -> Result<(), Error> {
    match read(data)? {
        Some(mark) if mark.accepted.is_none() => Err(Error::NotAccepted {
            folder: data.display().to_string(),
            backup: mark.backup,
            size: mark.size,
            made_at: mark.backup_made_at,
        }),
        _ => Ok(()),
    }
}

/// Tells the trail that it was restored, before anything else is appended, and takes the mark away.
pub async fn tell(app: &App) -> Result<(), Error> {
    let data = app.data.folder();
    let Some(mark) = read(data)? else { return Ok(()) };
    // After a crash between the last event and the end of the mark it must not be told twice.
    let begun = app.trail().read(mark.size, FAILURES_MAX + 1, usize::MAX)?;
    let told = begun.iter().filter(|(_, entry)| holds(entry, mark.id.as_bytes())).count();
    for event in mark.events().into_iter().skip(told) {
        app.record(None, event).await?;
    }
    let path = data.join(FILE);
    std::fs::remove_file(&path).map_err(|source| Error::Io { path, source })
}

fn holds(entry: &[u8], id: &[u8]) -> bool {
    entry.windows(id.len()).any(|window| window == id)
}

/// Writes down, beside the folder that was to be, that a try failed.
pub fn note_failure(data: &Path, by: &str, fingerprint: Option<&str>, reason: &str) {
    let mut all = failures(data);
    if all.len() >= FAILURES_MAX {
        return;
    }
    all.push(Failure {
        at: Timestamp::now().to_string(),
        by: by.to_owned(),
        fingerprint: fingerprint.map(str::to_owned),
        reason: reason.chars().take(1_000).collect(),
    });
    // Nothing may be kept from failing by not being able to write down that it did.
    let written = serde_json::to_vec_pretty(&all).map(|text| std::fs::write(failures_file(data), text));
    if !matches!(written, Ok(Ok(()))) {
        tracing::warn!("can't write down that a recovery failed");
    }
}

fn failures(data: &Path) -> Vec<Failure> {
    let text = std::fs::read(failures_file(data)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

pub(super) fn forget_failures(data: &Path) {
    // They are in the mark now.
    let _ = std::fs::remove_file(failures_file(data));
}

fn failures_file(data: &Path) -> PathBuf {
    beside(data, ".failed-recoveries.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> Mark {
        Mark {
            version: VERSION,
            id: "r1".into(),
            backup: "b1".into(),
            backup_made_at: "2026-11-21T00:00:00Z".into(),
            origin: "belfry.example/acme".into(),
            fingerprint: "9f3c22a1".into(),
            tree_size: 40,
            root: String::new(),
            size: 41,
            known_size: Some(50),
            restored_at: "2026-11-22T00:00:00Z".into(),
            by: "ada".into(),
            accepted: None,
            failed: Vec::new(),
        }
    }

    #[test]
    fn nothing_is_signed_before_somebody_accepts() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        assert!(refuse_unaccepted(data).is_ok());
        assert!(matches!(accept(data, "ada"), Err(Error::Nothing(_))));
        write(data, &mark()).unwrap();
        let error = refuse_unaccepted(data).unwrap_err().to_string();
        assert!(error.contains("fork") && error.contains("41 events") && error.contains("--accept-fork"), "{error}");
        accept(data, "ada").unwrap();
        assert!(refuse_unaccepted(data).is_ok());
        assert_eq!(read(data).unwrap().unwrap().accepted.unwrap().by, "ada");
    }

    #[test]
    fn tries_that_failed_are_told_first() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("new");
        note_failure(&data, "eve", Some("00000000"), "the wrong key");
        note_failure(&data, "eve", None, "again");
        let told = Mark { failed: failures(&data), ..mark() }.events();
        let actions: Vec<&str> = told.iter().map(|event| event["event"]["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["masterkey.recovery.failed", "masterkey.recovery.failed", "masterkey.recovery.succeeded"]);
        assert_eq!(told[0]["user"]["name"], "eve");
        assert_eq!(told[2]["restore"]["events_lost"], 9);
        forget_failures(&data);
        assert!(failures(&data).is_empty());
    }
}
