//! Settings that are sealed as one, those of a channel or an input: addresses and names are as much of a secret
//! there as passwords.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::secrets::{self, Secrets};

/// Whose settings they are.
#[derive(Clone, Copy)]
pub struct Owner<'a> {
    /// `channel` or `input`.
    pub noun: &'static str,
    pub id: &'a str,
    pub name: &'a str,
}

/// Why a thing and its settings can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("can't reach the channels and inputs")]
    State(#[from] sqlx::Error),
    #[error("the settings of {noun} {name} can't be opened")]
    Sealed {
        noun: &'static str,
        name: String,
        #[source]
        source: secrets::Error,
    },
    #[error("the settings of {noun} {name} can't be read: {reason}")]
    Unreadable { noun: &'static str, name: String, reason: String },
}

impl Owner<'_> {
    pub fn open<S: DeserializeOwned>(self, secrets: &Secrets, sealed: &[u8]) -> Result<S, Error> {
        let opened = secrets.open_sealed(&self.context(), sealed);
        let bytes = opened.map_err(|source| Error::Sealed { noun: self.noun, name: self.name.to_owned(), source })?;
        serde_json::from_slice(&bytes).map_err(|error| self.unreadable(&error))
    }

    pub fn seal(self, secrets: &Secrets, settings: &impl Serialize) -> Result<Vec<u8>, Error> {
        let bytes = serde_json::to_vec(settings).map_err(|error| self.unreadable(&error))?;
        Ok(secrets.seal(&self.context(), &bytes))
    }

    fn context(self) -> String {
        format!("{}/{}", self.noun, self.id)
    }

    fn unreadable(self, error: &serde_json::Error) -> Error {
        Error::Unreadable { noun: self.noun, name: self.name.to_owned(), reason: error.to_string() }
    }
}
