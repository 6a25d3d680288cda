//! What can go wrong with a trail.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::checkpoint::CheckpointError;
use crate::note::KeyError;
use crate::witness::WitnessError;

/// Why a trail can't be opened, read or proved.
#[derive(Debug, thiserror::Error)]
pub enum TrailError {
    /// The disk refused.
    #[error("can't {doing} {path}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no trail in the folder.
    #[error("no trail in {0}")]
    Absent(PathBuf),
    /// There is a trail in the folder already.
    #[error("there is a trail in {0} already")]
    Present(PathBuf),
    /// Another process has the trail open.
    #[error("the trail in {0} is open in another process")]
    Locked(PathBuf),
    /// A file was written by a version that this one does not know.
    #[error("{path} has format version {found}, this program knows up to {known}: use a newer one")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// The files are not what they were.
    #[error("the trail was changed or damaged, first at position {position}: {what}")]
    Tampered {
        /// The first position in doubt.
        position: u64,
        /// What is wrong.
        what: String,
    },
    /// The checkpoint on disk is not of this trail and key.
    #[error("the checkpoint on disk is refused: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// A cosignature does not belong to the checkpoint.
    #[error("a cosignature is refused: {0}")]
    Witness(#[from] WitnessError),
    /// The key can't sign for this origin.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The trail is not that long.
    #[error("position or size {asked} is beyond the trail of {size} entries")]
    OutOfRange {
        /// What was asked for.
        asked: u64,
        /// How long the trail is.
        size: u64,
    },
    /// The entry was removed; only its hash is left.
    #[error("the entry at position {position} was removed")]
    Removed {
        /// Its position.
        position: u64,
    },
    /// An entry that shall be removed is still being packed.
    #[error("the entries from position {position} on are not packed after {} s, try again later", waited.as_secs())]
    NotPacked {
        /// The first position that is not packed.
        position: u64,
        /// How long was waited for the packer.
        waited: Duration,
    },
    /// The trail stopped after a fault.
    #[error("the trail stopped: {0}")]
    Stopped(Arc<str>),
}

impl TrailError {
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}

/// Why entries were not appended. None of the batch is in the trail then, except after `Stopped`,
/// where nobody knows until the trail is opened again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// Too much is waiting to be written.
    #[error("the trail is busy, try again in {} ms", retry_after.as_millis())]
    Busy {
        /// When it makes sense to try again.
        retry_after: Duration,
    },
    /// A batch without entries, or with an empty one: that is what a removed entry reads as.
    #[error("a batch without entries, or with an empty entry")]
    Empty,
    /// An entry or a batch is larger than the format allows.
    #[error("{what} of {found} is over the limit of {max}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large.
        found: usize,
        /// How large it may be.
        max: usize,
    },
    /// The tag stands on another batch.
    #[error("the key was used for another batch, at position {first}")]
    TagTaken {
        /// The position of the first entry of that batch.
        first: u64,
        /// How many entries it has.
        count: u32,
    },
    /// The trail stopped after a fault, or was closed.
    #[error("the trail stopped: {0}")]
    Stopped(Arc<str>),
}
