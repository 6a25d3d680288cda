//! One check.

use trail::{Checkpoint, VerifyingKey, verify};

use super::facts::Fault;
use crate::served::{CheckError, Checked, Extension, FetchError, Served};

/// What a check came to.
#[derive(Debug)]
pub enum Outcome {
    /// The served checkpoint goes on from the known one.
    Fine {
        /// The served checkpoint.
        checkpoint: Checkpoint,
        /// What was read of the entries, when they were asked for.
        entries: Option<Checked>,
    },
    /// It could not be told.
    Unreachable { what: String },
    /// It contradicts what is known.
    Wrong {
        fault: Fault,
        what: String,
        /// The note as it was served.
        served: Vec<u8>,
    },
}

/// Fetches the checkpoint and holds it against the known one. `entries_from`: fetch and hash the entries from there on;
/// inside it nothing means from the known checkpoint on.
pub async fn check(
    served: &Served,
    key: &VerifyingKey,
    known: Option<&Checkpoint>,
    entries_from: Option<Option<u64>>,
) -> Outcome {
    let note = match served.checkpoint().await {
        Ok(note) => note,
        Err(error) => return Outcome::Unreachable { what: error.to_string() },
    };
    let opened = std::str::from_utf8(&note).map_err(|_| "it is not text".to_owned());
    let opened = opened.and_then(|text| verify::checkpoint(text, key).map_err(|error| error.to_string()));
    let newer = match opened {
        Ok(newer) => newer,
        Err(what) => {
            let what = format!("the checkpoint is not one of {}: {what}", key.name());
            return Outcome::Wrong { fault: Fault::Unsigned, what, served: note };
        }
    };
    if let Some(known) = known
        && let Err((fault, what)) = goes_on(served, known, &newer).await
    {
        return match fault {
            Some(fault) => Outcome::Wrong { fault, what, served: note },
            None => Outcome::Unreachable { what },
        };
    }
    let mut entries = None;
    if let Some(from) = entries_from {
        let from = from.unwrap_or(known.map_or(newer.size, |known| known.size)).min(newer.size);
        match served.check_entries(from..newer.size, &newer, |_| ()).await {
            Ok(checked) => entries = Some(checked),
            Err(CheckError::Fetch(error)) => return Outcome::Unreachable { what: error.to_string() },
            Err(error @ CheckError::Wrong { .. }) => {
                return Outcome::Wrong { fault: Fault::Entries, what: error.to_string(), served: note };
            }
        }
    }
    Outcome::Fine { checkpoint: newer, entries }
}

/// No fault in the error: it could not be told.
async fn goes_on(served: &Served, known: &Checkpoint, newer: &Checkpoint) -> Result<(), (Option<Fault>, String)> {
    if newer.size < known.size {
        let what = format!(
            "it had {} entries, and now a checkpoint of {} is served: the tail is gone, or an older copy answers",
            known.size, newer.size
        );
        return Err((Some(Fault::Shrunk), what));
    }
    let extension = match served.extension(known, newer).await {
        Ok(extension) => extension,
        // The checkpoint covers these tiles. That they are missing is a fault of the server, but proves nothing.
        Err(error @ (FetchError::Status { .. } | FetchError::Unreachable { .. })) => {
            return Err((None, error.to_string()));
        }
        Err(error) => return Err((Some(Fault::Tiles), error.to_string())),
    };
    match extension {
        Extension::Proven => Ok(()),
        Extension::Forked { root_there } => {
            let there = root_there.map_or_else(|| newer.root.to_string(), |root| root.to_string());
            let what = format!(
                "two histories are signed: at {} entries the root was {}, and in the checkpoint of {} entries it is {there}",
                known.size, known.root, newer.size
            );
            Err((Some(Fault::Forked), what))
        }
        Extension::TilesWrong => {
            let what = format!("the tiles of {} entries do not lead to the root that was signed for them", newer.size);
            Err((Some(Fault::Tiles), what))
        }
    }
}
