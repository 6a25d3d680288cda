//! A report as a bundle: the events as the trail holds them, each with its proof, to be checked offline.
//!
//! The format is `belfry-bundle` of the trail (docs/trail-format.md) with the certificate beside it. It is written event
//! by event; the hashes that the proofs share come last.

use std::collections::HashMap;
use std::io::{self, Write};

use api::report::Certificate;
use serde::Serialize;
use trail::verify::BundleEntry;
use trail::{Hash, Trail, TrailError};

use super::spool::Spool;

/// Beyond so many events the whole trail is the better bundle.
pub const ROWS_MAX: u64 = 20_000;

#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error(
        "a bundle takes at most {ROWS_MAX} events, this report has {rows}; narrow it, or hand over the trail itself"
    )]
    TooManyRows { rows: u64 },
    #[error("the trail can't be read")]
    Trail(#[from] TrailError),
    #[error("the entry at position {position} is gone")]
    Gone { position: u64 },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes the bundle. Calls `each` after every event; its error ends the writing.
pub fn write<W: Write, E: From<BundleError>>(
    mut out: W,
    certificate: &Certificate,
    spool: &mut Spool,
    trail: &Trail,
    mut each: impl FnMut() -> Result<(), E>,
) -> Result<W, E> {
    if spool.rows > ROWS_MAX {
        return Err(BundleError::TooManyRows { rows: spool.rows }.into());
    }
    head(&mut out, certificate).map_err(BundleError::Io)?;
    let mut hashes = Hashes::default();
    let mut separator = "\n";
    for row in spool.rows().map_err(BundleError::Io)? {
        let position = row.map_err(BundleError::Io)?.position;
        let entry = proven(trail, position, certificate.checkpoint.size, &mut hashes)?;
        out.write_all(separator.as_bytes()).map_err(BundleError::Io)?;
        json(&mut out, &entry).map_err(BundleError::Io)?;
        separator = ",\n";
        each()?;
    }
    out.write_all(b"\n],\n\"hashes\":").map_err(BundleError::Io)?;
    json(&mut out, &hashes.all).map_err(BundleError::Io)?;
    out.write_all(b"}\n").map_err(BundleError::Io)?;
    Ok(out)
}

fn head(out: &mut impl Write, certificate: &Certificate) -> io::Result<()> {
    out.write_all(b"{\"format\":\"belfry-bundle\",\"version\":1,\"vkey\":")?;
    json(out, &certificate.vkey)?;
    out.write_all(b",\n\"checkpoint\":")?;
    json(out, &certificate.checkpoint.note)?;
    out.write_all(b",\n\"certificate\":")?;
    json(out, certificate)?;
    out.write_all(b",\n\"entries\":[")
}

fn json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    Ok(serde_json::to_writer(out, value)?)
}

/// The hashes that the paths refer to by number, each once.
#[derive(Default)]
struct Hashes {
    all: Vec<Hash>,
    numbers: HashMap<Hash, u32>,
}

impl Hashes {
    fn number(&mut self, hash: Hash) -> u32 {
        *self.numbers.entry(hash).or_insert_with(|| {
            self.all.push(hash);
            u32::try_from(self.all.len() - 1).unwrap_or(u32::MAX)
        })
    }
}

fn proven(trail: &Trail, position: u64, size: u64, hashes: &mut Hashes) -> Result<BundleEntry, BundleError> {
    let entry = trail.get(position)?.ok_or(BundleError::Gone { position })?;
    let proof = trail.inclusion(position, size)?;
    // Entries of ours are canonical JSON, and so text.
    let text = std::str::from_utf8(&entry).map_err(|_| BundleError::Gone { position })?;
    // Of an entry that was removed, the hash is all that is left to prove.
    let removed = entry.is_empty().then_some(proof.leaf);
    Ok(BundleEntry {
        position,
        entry: removed.is_none().then(|| text.to_owned()),
        entry_base64: None,
        removed,
        path: proof.path.into_iter().map(|hash| hashes.number(hash)).collect(),
    })
}
