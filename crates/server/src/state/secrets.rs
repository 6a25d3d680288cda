//! Secrets that the server must be able to read again (a password of a mail server, the address of a chat hook),
//! sealed with a key that lies beside the state file, not in it: a copy of the database alone gives none away.

use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::keys;

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;

/// Seals and opens secrets. Cheap to share, never printed.
pub struct Secrets(XChaCha20Poly1305);

/// Why a secret can't be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("can't read the state key {path}")]
    Key {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the state key {path} is not 32 bytes long")]
    KeyLength { path: PathBuf },
    #[error("the secret of {context} can't be opened: it was sealed with another key, or altered")]
    Sealed { context: String },
}

impl Secrets {
    /// Reads the key file, or makes it (mode 0600) where there is none.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let bytes = keys::read_or_make(path, || {
            let mut key = vec![0; 32];
            rand::fill(key.as_mut_slice());
            key
        })
        .map_err(|source| Error::Key { path: path.to_path_buf(), source })?;
        XChaCha20Poly1305::new_from_slice(&bytes).map(Self).map_err(|_| Error::KeyLength { path: path.to_path_buf() })
    }

    /// Seals `secret`. `context` says whose it is (`channel/01j…`): opened under another it is refused, so that
    /// nobody who can write to the database moves a secret to a place where it is shown.
    pub fn seal(&self, context: &str, secret: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        rand::fill(&mut nonce);
        let sealed = self
            .0
            .encrypt(&XNonce::from(nonce), Payload { msg: secret, aad: context.as_bytes() })
            .expect("a secret is shorter than the 256 GiB this cipher can take");
        let mut out = Vec::with_capacity(1 + NONCE_BYTES + sealed.len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        out
    }

    /// Opens what [`Secrets::seal`] made under the same context.
    pub fn open_sealed(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let refused = || Error::Sealed { context: context.to_owned() };
        let (&version, rest) = sealed.split_first().ok_or_else(refused)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(refused)?;
        if version != VERSION {
            return Err(refused());
        }
        self.0.decrypt(&XNonce::from(*nonce), Payload { msg: body, aad: context.as_bytes() }).map_err(|_| refused())
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(••••)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_again_only_in_its_place_and_unaltered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/state.key");
        let secrets = Secrets::open(&path).unwrap();
        let sealed = secrets.seal("channel/1", b"hunter42");
        assert!(!sealed.windows(8).any(|w| w == b"hunter42"));
        assert_ne!(sealed, secrets.seal("channel/1", b"hunter42"));
        assert_eq!(Secrets::open(&path).unwrap().open_sealed("channel/1", &sealed).unwrap(), b"hunter42");
        assert!(secrets.open_sealed("channel/2", &sealed).is_err());
        for index in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            assert!(secrets.open_sealed("channel/1", &altered).is_err(), "byte {index}");
        }
        assert!(secrets.open_sealed("channel/1", b"").is_err());
        let other = Secrets::open(&dir.path().join("keys/other.key")).unwrap();
        assert!(other.open_sealed("channel/1", &sealed).is_err());
    }
}
