//! An append-only log whose every change would be noticed: entries on disk before the answer, an
//! RFC 6962 Merkle tree over them, checkpoints signed as C2SP notes, proofs that outsiders check
//! with their own tools. It knows bytes and hashes, never what they mean.
//!
//! [`Trail`] writes and reads, [`verify`] checks without trusting anything but a public key.
//! The files are described in `docs/trail-format.md`.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that can't go on fails"))]

mod cache;
mod checkpoint;
mod copy;
pub mod disk;
mod engine;
mod error;
mod files;
mod frame;
mod hash;
mod log;
mod note;
mod open;
mod options;
mod pack;
mod packer;
mod proof;
mod queue;
mod removal;
mod remover;
mod signal;
mod tags;
pub mod tile;
mod trail;
pub mod tree;
pub mod verify;
mod wal;
pub mod witness;
mod writer;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use copy::TrailFile;
pub use error::{AppendError, TrailError};
pub use frame::ENTRY_BYTES_MAX;
pub use hash::{Hash, HashError};
pub use note::{KeyError, NoteError, SigningKey, VerifyingKey};
pub use options::Options;
pub use proof::ProofError;
pub use removal::{Removal, RemoveProgress, Removed};
pub use tags::{Tag, Tagged};
pub use trail::{Appended, Batch, Done, Opened, Position, Proof, Trail};
