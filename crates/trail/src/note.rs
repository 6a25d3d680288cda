//! Keys and C2SP signed notes (Ed25519, signature type 1).

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, spki::der::pem::LineEnding};
use ed25519_dalek::{Signature, Signer as _};
use sha2::{Digest as _, Sha256};

/// The signature type byte of Ed25519 in signed notes.
pub(crate) const ED25519: u8 = 0x01;
/// More than any honest note has; a bound on the work of refusing one.
const NOTE_BYTES_MAX: usize = 1 << 20;
pub(crate) const SIGNATURES_MAX: usize = 100;

/// Why a key could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key file could not be read or written.
    #[error("can't use the key file {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The text is neither PKCS#8 PEM nor a signed-note key.
    #[error("not an Ed25519 key in PKCS#8 PEM or signed-note form")]
    Malformed,
    /// The name has white space or a plus sign, which signed notes forbid.
    #[error("not a name for a signed-note key: {0:?}")]
    Name(String),
    /// The system gave no random bytes.
    #[error("no random bytes for a new key: {0}")]
    Random(String),
}

/// The private key that signs the checkpoints of a trail.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

impl SigningKey {
    /// A new random key.
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = [0_u8; 32];
        getrandom::fill(&mut seed).map_err(|e| KeyError::Random(e.to_string()))?;
        Ok(Self::from_seed(&seed))
    }

    /// The key made from these 32 secret bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// Reads PKCS#8 PEM, or the `PRIVATE+KEY+name+hash+data` form of signed notes.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix("PRIVATE+KEY+") {
            let mut parts = rest.splitn(3, '+');
            let (Some(name), Some(id), Some(data)) = (parts.next(), parts.next(), parts.next()) else {
                return Err(KeyError::Malformed);
            };
            let data = BASE64_STANDARD.decode(data).map_err(|_| KeyError::Malformed)?;
            let Some((&ED25519, seed)) = data.split_first() else {
                return Err(KeyError::Malformed);
            };
            let key = Self::from_seed(seed.try_into().map_err(|_| KeyError::Malformed)?);
            if hex(key.verifier(name)?.id) != id {
                return Err(KeyError::Malformed);
            }
            return Ok(key);
        }
        ed25519_dalek::SigningKey::from_pkcs8_pem(text).map(Self).map_err(|_| KeyError::Malformed)
    }

    /// Reads the key from a file in one of the forms of [`SigningKey::parse`].
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let text = fs::read_to_string(path).map_err(|source| KeyError::File { path: path.into(), source })?;
        Self::parse(&text)
    }

    /// Writes the key as PKCS#8 PEM to a new file that only the owner can read.
    pub fn write_new(&self, path: &Path) -> Result<(), KeyError> {
        let file_error = |source| KeyError::File { path: path.into(), source };
        let pem = self.0.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::Malformed)?;
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(file_error)?;
        file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()).map_err(file_error)?;
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs::File::open(folder).and_then(|d| d.sync_all()).map_err(file_error)?;
        }
        Ok(())
    }

    /// The `PRIVATE+KEY+…` form under this name, as other C2SP tools read it. Secret.
    pub fn to_note_key(&self, name: &str) -> Result<String, KeyError> {
        let mut data = vec![ED25519];
        data.extend_from_slice(self.0.as_bytes());
        Ok(format!("PRIVATE+KEY+{name}+{}+{}", hex(self.verifier(name)?.id), BASE64_STANDARD.encode(data)))
    }

    /// The public key under this name.
    pub fn verifier(&self, name: &str) -> Result<VerifyingKey, KeyError> {
        VerifyingKey::new(name, self.0.verifying_key())
    }

    /// The bare public key.
    pub(crate) fn public(&self) -> ed25519_dalek::VerifyingKey {
        self.0.verifying_key()
    }

    /// The bare signature of a message.
    pub(crate) fn sign_bytes(&self, message: &[u8]) -> Signature {
        self.0.sign(message)
    }

    /// Signs `text`, which ends in a newline, under this name.
    pub fn sign(&self, name: &str, text: &str) -> Result<String, KeyError> {
        let id = self.verifier(name)?.id;
        let mut signature = id.to_vec();
        signature.extend_from_slice(&self.0.sign(text.as_bytes()).to_bytes());
        Ok(format!("{text}\n— {name} {}\n", BASE64_STANDARD.encode(signature)))
    }
}

/// The public key of a trail, with the name it signs under. Shown and parsed as a C2SP verifier
/// key: `name+hash+base64`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    id: [u8; 4],
    key: ed25519_dalek::VerifyingKey,
}

impl VerifyingKey {
    fn new(name: &str, key: ed25519_dalek::VerifyingKey) -> Result<Self, KeyError> {
        check_name(name)?;
        Ok(Self { name: name.into(), id: key_id(name, ED25519, &key), key })
    }

    /// The name of the key: the origin of the trail.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Checks the note and gives back its text, without the signatures.
    pub fn open<'a>(&self, note: &'a str) -> Result<&'a str, NoteError> {
        let (text, signatures) = split(note)?;
        let mut signed = false;
        for line in signatures {
            if line.name != self.name || line.id != self.id {
                continue; // another key's: witnesses may sign too
            }
            let signature = Signature::from_slice(&line.signature).map_err(|_| NoteError::WrongSignature)?;
            self.key.verify_strict(text.as_bytes(), &signature).map_err(|_| NoteError::WrongSignature)?;
            signed = true;
        }
        if signed { Ok(text) } else { Err(NoteError::NotSigned { name: self.name.clone() }) }
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_key(f, &self.name, self.id, ED25519, &self.key)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({self})")
    }
}

impl FromStr for VerifyingKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let written = WrittenKey::read(text)?;
        if written.kind != ED25519 {
            return Err(KeyError::Malformed);
        }
        let verifier = Self::new(written.name, written.key)?;
        if hex(verifier.id) == written.id { Ok(verifier) } else { Err(KeyError::Malformed) }
    }
}

/// A public key as C2SP writes it: name, id and base64 of type and key, with a `+` between them.
pub(crate) struct WrittenKey<'a> {
    pub name: &'a str,
    /// As it is written; it may be wrong.
    pub id: &'a str,
    pub kind: u8,
    pub key: ed25519_dalek::VerifyingKey,
}

impl<'a> WrittenKey<'a> {
    pub fn read(text: &'a str) -> Result<Self, KeyError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(data)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Malformed);
        };
        let data = BASE64_STANDARD.decode(data).map_err(|_| KeyError::Malformed)?;
        let (&kind, key) = data.split_first().ok_or(KeyError::Malformed)?;
        let key = key.try_into().map_err(|_| KeyError::Malformed)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(key).map_err(|_| KeyError::Malformed)?;
        Ok(Self { name, id, kind, key })
    }
}

/// Writes what [`WrittenKey::read`] reads.
pub(crate) fn write_key(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    id: [u8; 4],
    kind: u8,
    key: &ed25519_dalek::VerifyingKey,
) -> fmt::Result {
    let mut data = vec![kind];
    data.extend_from_slice(key.as_bytes());
    write!(f, "{name}+{}+{}", hex(id), BASE64_STANDARD.encode(data))
}

/// A signature of a note, by whatever key.
pub(crate) struct SignatureLine<'a> {
    /// The name of the key.
    pub name: &'a str,
    /// The first bytes of a hash of the key.
    pub id: [u8; 4],
    /// What the key's type makes of it.
    pub signature: Vec<u8>,
}

impl<'a> SignatureLine<'a> {
    /// Reads a line, without its end.
    pub fn parse(line: &'a str) -> Result<Self, NoteError> {
        let (name, signature) =
            line.strip_prefix("— ").and_then(|rest| rest.split_once(' ')).ok_or(NoteError::Malformed)?;
        let bytes = BASE64_STANDARD.decode(signature).map_err(|_| NoteError::Malformed)?;
        let (id, signature) = bytes.split_first_chunk::<4>().ok_or(NoteError::Malformed)?;
        Ok(Self { name, id: *id, signature: signature.to_vec() })
    }
}

/// The text of a note, and its signatures.
pub(crate) fn split(note: &str) -> Result<(&str, Vec<SignatureLine<'_>>), NoteError> {
    if note.len() > NOTE_BYTES_MAX || note.chars().any(|c| c < ' ' && c != '\n') {
        return Err(NoteError::Malformed);
    }
    let split = note.rfind("\n\n").ok_or(NoteError::Malformed)?;
    let (text, signatures) = (&note[..=split], &note[split + 2..]);
    if !signatures.ends_with('\n') || signatures.lines().count() > SIGNATURES_MAX {
        return Err(NoteError::Malformed);
    }
    Ok((text, signatures.lines().map(SignatureLine::parse).collect::<Result<_, _>>()?))
}

/// The id of a key in signed notes: what a signature line carries so that it need not be tried with every key.
pub(crate) fn key_id(name: &str, kind: u8, key: &ed25519_dalek::VerifyingKey) -> [u8; 4] {
    let digest = Sha256::new()
        .chain_update(name)
        .chain_update(b"\n")
        .chain_update([kind])
        .chain_update(key.as_bytes())
        .finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

/// Fails when `name` can't be that of a key in a signed note.
pub(crate) fn check_name(name: &str) -> Result<(), KeyError> {
    if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+') {
        return Err(KeyError::Name(name.into()));
    }
    Ok(())
}

/// Why a note is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not a signed note at all.
    #[error("not a signed note")]
    Malformed,
    /// The signature is there but does not fit the text.
    #[error("the signature does not fit the text")]
    WrongSignature,
    /// No signature is by the key in question.
    #[error("not signed by the key of {name}")]
    NotSigned {
        /// The name of the key looked for.
        name: String,
    },
}

pub(crate) fn hex(id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The pair of the documentation of golang.org/x/mod/sumdb/note.
    const SKEY: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn signs_as_go_does() {
        let key = SigningKey::parse(SKEY).unwrap();
        assert_eq!(key.to_note_key("PeterNeumann").unwrap(), SKEY);
        let verifier = key.verifier("PeterNeumann").unwrap();
        assert_eq!(verifier.to_string(), VKEY);
        assert_eq!(VKEY.parse::<VerifyingKey>().unwrap(), verifier);
        let text = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
        let note = key.sign("PeterNeumann", text).unwrap();
        assert!(note.ends_with(
            "\n\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
        ));
        assert_eq!(verifier.open(&note), Ok(text));
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let key = SigningKey::from_seed(&[7; 32]);
        let verifier = key.verifier("example.com/a").unwrap();
        let note = key.sign("example.com/a", "hello\n").unwrap();
        for i in 0..note.len() * 8 {
            let mut bytes = note.clone().into_bytes();
            bytes[i / 8] ^= 1 << (i % 8);
            if let Ok(text) = String::from_utf8(bytes) {
                assert!(verifier.open(&text).is_err(), "bit {i}");
            }
        }
    }

    #[test]
    fn keys_go_through_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trail.pem");
        let key = SigningKey::generate().unwrap();
        key.write_new(&path).unwrap();
        assert!(key.write_new(&path).is_err(), "an existing key is never overwritten");
        assert_eq!(SigningKey::read(&path).unwrap().0, key.0);
        assert!(matches!(key.verifier("a b"), Err(KeyError::Name(_))));
    }
}
