//! Exported proof: some entries, their inclusion proofs and the checkpoint they lead to, in one JSON
//! file (`belfry-bundle`, version 1; see `docs/trail-format.md`).

use std::collections::HashMap;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};

use super::Fault;
use crate::hash::Hash;
use crate::note::VerifyingKey;
use crate::trail::Proof;

const FORMAT: &str = "belfry-bundle";
const VERSION: u32 = 1;

/// Entries with all that is needed to check them, anywhere and any time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// Always `belfry-bundle`.
    pub format: String,
    /// The version of the format.
    pub version: u32,
    /// The public key that the maker names. Compare it with one you have from elsewhere.
    pub vkey: String,
    /// The signed checkpoint.
    pub checkpoint: String,
    /// Hashes that the paths refer to.
    pub hashes: Vec<Hash>,
    /// The entries.
    pub entries: Vec<BundleEntry>,
}

/// An entry in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleEntry {
    /// Its position in the trail.
    pub position: u64,
    /// The entry itself, when it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// The entry in base64, when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_base64: Option<String>,
    /// The leaf hash of an entry that was removed from the trail. Nothing else is left of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Hash>,
    /// Its inclusion proof, lowest first: numbers into `hashes`.
    pub path: Vec<u32>,
}

/// What a bundle was found to prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedBundle {
    /// The trail.
    pub origin: String,
    /// The size of the trail in the checkpoint.
    pub size: u64,
    /// The root in the checkpoint.
    pub root: Hash,
    /// How many entries were checked.
    pub entries: usize,
    /// How many of them were removed from the trail: their hashes are proved, what they said is gone.
    pub removed: usize,
    /// The lowest and the highest position of them.
    pub range: Option<(u64, u64)>,
    /// The key that signed. It is the maker's word when none was given from elsewhere.
    pub key: VerifyingKey,
}

impl Bundle {
    /// An empty bundle under this checkpoint.
    pub(crate) fn begin(vkey: &VerifyingKey, checkpoint: &str) -> BundleBuilder {
        let bundle = Self {
            format: FORMAT.into(),
            version: VERSION,
            vkey: vkey.to_string(),
            checkpoint: checkpoint.into(),
            hashes: Vec::new(),
            entries: Vec::new(),
        };
        BundleBuilder { bundle, numbers: HashMap::new() }
    }

    /// The bundle as it is written to a file.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default() // strings and numbers: this can't fail
    }
}

/// A bundle being made.
pub(crate) struct BundleBuilder {
    bundle: Bundle,
    numbers: HashMap<Hash, u32>,
}

impl BundleBuilder {
    /// Adds an entry, or none when it was removed, with its proof. Hashes that several paths share are stored once.
    pub fn add(&mut self, entry: Option<&[u8]>, proof: &Proof) {
        let path = proof
            .path
            .iter()
            .map(|hash| {
                *self.numbers.entry(*hash).or_insert_with(|| {
                    self.bundle.hashes.push(*hash);
                    self.bundle.hashes.len() as u32 - 1
                })
            })
            .collect();
        let position = proof.position;
        let (entry, entry_base64, removed) = match entry.map(|e| (e, std::str::from_utf8(e))) {
            Some((_, Ok(text))) => (Some(text.to_owned()), None, None),
            Some((bytes, Err(_))) => (None, Some(BASE64_STANDARD.encode(bytes)), None),
            None => (None, None, Some(proof.leaf)),
        };
        self.bundle.entries.push(BundleEntry { position, entry, entry_base64, removed, path });
    }

    /// The bundle.
    pub fn finish(self) -> Bundle {
        self.bundle
    }
}

/// Checks an exported bundle against `key`, or against the key it names itself when none is known
/// from elsewhere; the caller says so then.
pub fn bundle(json: &[u8], key: Option<&VerifyingKey>) -> Result<VerifiedBundle, Fault> {
    let bundle: Bundle =
        serde_json::from_slice(json).map_err(|e| Fault::unreadable(0, format!("not a bundle: {e}")))?;
    if bundle.format != FORMAT || bundle.version != VERSION {
        let what = format!("format {:?} version {} is not known to this program", bundle.format, bundle.version);
        return Err(Fault::unreadable(0, what));
    }
    let named: VerifyingKey =
        bundle.vkey.parse().map_err(|e| Fault::wrong(0, format!("the key in the bundle: {e}")))?;
    let key = key.unwrap_or(&named).clone();
    if key != named {
        return Err(Fault::wrong(0, format!("the bundle is of the key {named}, not of {key}")));
    }
    let signed = super::checkpoint(&bundle.checkpoint, &key).map_err(|e| Fault::wrong(0, e.to_string()))?;
    for one in &bundle.entries {
        let wrong = |what: String| Fault::wrong(one.position, what);
        let leaf = match (&one.entry, &one.entry_base64, one.removed) {
            (Some(text), None, None) => Hash::leaf(text.as_bytes()),
            (None, Some(text), None) => {
                Hash::leaf(&BASE64_STANDARD.decode(text).map_err(|_| wrong("the entry is not base64".into()))?)
            }
            (None, None, Some(leaf)) => leaf,
            _ => return Err(wrong("there is no entry".into())),
        };
        let path = one.path.iter().map(|&n| bundle.hashes.get(n as usize).copied()).collect::<Option<Vec<_>>>();
        let path = path.ok_or_else(|| wrong("the path names a hash that is not there".into()))?;
        crate::proof::verify_inclusion(one.position, signed.size, &leaf, &path, &signed.root)
            .map_err(|e| wrong(e.to_string()))?;
    }
    let positions = || bundle.entries.iter().map(|e| e.position);
    Ok(VerifiedBundle {
        origin: signed.origin,
        size: signed.size,
        root: signed.root,
        entries: bundle.entries.len(),
        removed: bundle.entries.iter().filter(|e| e.removed.is_some()).count(),
        range: positions().min().zip(positions().max()),
        key,
    })
}
