//! Checking a trail, or a part of it, with nothing but the public key.

mod bundle;
mod folder;

use std::time::SystemTime;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::hash::Hash;
use crate::note::VerifyingKey;
use crate::trail::Proof;

pub use bundle::{Bundle, BundleEntry, VerifiedBundle, bundle};
pub use folder::{folder, folder_on};

pub use crate::proof::{ProofError, verify_consistency as consistency};

/// How far a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Entries checked.
    pub done: u64,
    /// Entries there are.
    pub total: u64,
}

/// What was found right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The trail.
    pub origin: String,
    /// The entries that its checkpoint covers.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
    /// The checkpoint that witnesses have cosigned, if there is one; their keys tell by [`Checkpoint::cosignatures`] who did.
    pub cosigned: Option<Checkpoint>,
    /// Whole entries after those, which no checkpoint covers yet.
    pub beyond: u64,
    /// Entries that were removed: only their hashes are left, and the root fits.
    pub removed: u64,
    /// Bytes of a torn tail, left by a crash; opening the trail cuts them.
    pub torn_bytes: u64,
}

/// What was found wrong, and where first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} from position {position} on: {what}")]
pub struct Fault {
    /// Whether something is wrong, or could not be told.
    pub kind: FaultKind,
    /// The first position that is wrong or can't be vouched for.
    pub position: u64,
    /// What is wrong.
    pub what: String,
}

/// Whether the answer is no, or there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// It is not what was signed.
    Wrong,
    /// It could not be read, or is of a newer format.
    Unreadable,
}

impl std::fmt::Display for FaultKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Wrong => "wrong",
            Self::Unreadable => "could not be read",
        })
    }
}

impl Fault {
    fn wrong(position: u64, what: impl Into<String>) -> Self {
        Self { kind: FaultKind::Wrong, position, what: what.into() }
    }

    fn unreadable(position: u64, what: impl Into<String>) -> Self {
        Self { kind: FaultKind::Unreadable, position, what: what.into() }
    }
}

/// Checks the signature of a checkpoint.
pub fn checkpoint(note: &str, key: &VerifyingKey) -> Result<Checkpoint, CheckpointError> {
    Checkpoint::open(note, key, SystemTime::now())
}

/// Checks that `entry` stands where `proof` says, in the tree of `checkpoint`.
pub fn inclusion(entry: &[u8], proof: &Proof, checkpoint: &Checkpoint) -> Result<(), ProofError> {
    let proof = Proof { leaf: Hash::leaf(entry), ..proof.clone() };
    leaf(&proof, checkpoint.size, &checkpoint.root)
}

/// Checks that the leaf of `proof` stands where it says, in the tree of this size and root.
pub fn leaf(proof: &Proof, size: u64, root: &Hash) -> Result<(), ProofError> {
    if proof.size != size {
        return Err(ProofError::OutOfRange);
    }
    crate::proof::verify_inclusion(proof.position, size, &proof.leaf, &proof.path, root)
}
