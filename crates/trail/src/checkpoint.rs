//! Checkpoints: what the trail was at some size, signed (C2SP tlog-checkpoint).

use std::time::SystemTime;

use crate::hash::Hash;
use crate::note::{KeyError, NoteError, SigningKey, VerifyingKey};
use crate::witness::{self, Cosignature, WitnessError, WitnessKey};

/// The size and root of the trail at a moment, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose trail: `<host>/<organization>`.
    pub origin: String,
    /// How many entries it covers.
    pub size: u64,
    /// The root of their Merkle tree.
    pub root: Hash,
    /// The signed note, as it is served and stored.
    pub note: String,
    /// When it was signed, or read.
    pub at: SystemTime,
}

/// Why a checkpoint is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it is wrong.
    #[error("checkpoint: {0}")]
    Note(#[from] NoteError),
    /// The text is signed but no checkpoint.
    #[error("not the text of a checkpoint")]
    Malformed,
    /// It has another root than the trail had at this size.
    #[error("the checkpoint of size {size} has another root than the trail")]
    OtherTree {
        /// The size.
        size: u64,
    },
    /// It is of another trail.
    #[error("the checkpoint is of {found}, not of {wanted}")]
    OtherOrigin {
        /// The trail asked for.
        wanted: String,
        /// The trail it names.
        found: String,
    },
}

impl Checkpoint {
    /// Signs a checkpoint.
    pub fn sign(key: &SigningKey, origin: &str, size: u64, root: Hash, at: SystemTime) -> Result<Self, KeyError> {
        let note = key.sign(origin, &format!("{origin}\n{size}\n{root}\n"))?;
        Ok(Self { origin: origin.into(), size, root, note, at })
    }

    /// Checks the signature and reads the checkpoint.
    pub fn open(note: &str, key: &VerifyingKey, at: SystemTime) -> Result<Self, CheckpointError> {
        let (origin, size, root) = parse(key.open(note)?)?;
        if origin != key.name() {
            return Err(CheckpointError::OtherOrigin { wanted: key.name().into(), found: origin.into() });
        }
        Ok(Self { origin: origin.into(), size, root, note: note.into(), at })
    }

    /// The cosignatures of these witnesses on it. Those of others are passed over.
    pub fn cosignatures(&self, witnesses: &[WitnessKey]) -> Result<Vec<Cosignature>, WitnessError> {
        witness::cosignatures(&self.note, witnesses)
    }

    /// The origin that a note claims, unchecked.
    pub fn claimed_origin(note: &str) -> Option<&str> {
        note.lines().next().filter(|line| !line.is_empty())
    }
}

fn parse(text: &str) -> Result<(&str, u64, Hash), CheckpointError> {
    let malformed = || CheckpointError::Malformed;
    let mut lines = text.lines();
    let (origin, size, root) = match (lines.next(), lines.next(), lines.next()) {
        (Some(origin), Some(size), Some(root)) if !origin.is_empty() => (origin, size, root),
        _ => return Err(malformed()),
    };
    if lines.any(str::is_empty) || (size.starts_with('0') && size != "0") || size.starts_with('+') {
        return Err(malformed());
    }
    Ok((origin, size.parse().map_err(|_| malformed())?, root.parse().map_err(|_| malformed())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_signed_opens_and_nothing_else() {
        let key = SigningKey::from_seed(&[1; 32]);
        let signed = Checkpoint::sign(&key, "a.example/one", 12, Hash::leaf(b"x"), SystemTime::UNIX_EPOCH).unwrap();
        let verifier = key.verifier("a.example/one").unwrap();
        assert_eq!(Checkpoint::open(&signed.note, &verifier, SystemTime::UNIX_EPOCH), Ok(signed.clone()));
        let other = key.verifier("a.example/two").unwrap();
        assert!(matches!(
            Checkpoint::open(&signed.note, &other, SystemTime::UNIX_EPOCH),
            Err(CheckpointError::Note(NoteError::NotSigned { .. }))
        ));
        for text in ["a.example/one\n012\nx\n", "a.example/one\n1\n", "\n1\nx\n", "a.example/one\n1\nAAAA\n"] {
            let note = key.sign("a.example/one", text).unwrap();
            assert_eq!(Checkpoint::open(&note, &verifier, SystemTime::UNIX_EPOCH), Err(CheckpointError::Malformed));
        }
    }
}
