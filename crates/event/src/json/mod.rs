//! JSON in and out: a reader that refuses what a trail must not keep, and the canonical form of
//! RFC 8785.

mod number;
mod plain;
mod read;
mod write;

pub use read::{parse, walk};
pub use write::write_canonical;

pub(crate) use number::exact;

use std::fmt;

use crate::Value;

/// What a JSON text may not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Length in bytes.
    pub bytes_max: usize,
    /// Arrays and objects within each other.
    pub depth_max: usize,
    /// Members of all objects together.
    pub fields_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes_max: 65_535, depth_max: 32, fields_max: 1_000 }
    }
}

impl Limits {
    /// For an entry of the trail, which was held to the limits when it came in.
    pub(crate) const fn entry() -> Self {
        Self { bytes_max: usize::MAX, depth_max: 256, fields_max: usize::MAX }
    }
}

/// Why a text is refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct JsonError {
    pub problem: Problem,
    /// The byte at which it shows, from 0.
    pub position: usize,
    /// The dotted name of the member it is in, with `[n]` for the elements of arrays; empty when it
    /// is in none.
    pub path: String,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { problem, position, path } = self;
        match problem {
            Problem::DuplicateKey => write!(f, "the key {path} is there twice, the second time at byte {position}"),
            _ if path.is_empty() => write!(f, "{problem} at byte {position}"),
            _ => write!(f, "{problem} at byte {position}, in {path}"),
        }
    }
}

/// What is wrong with a JSON text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    #[error("{bytes} bytes are more than the {max} allowed")]
    TooLong { bytes: usize, max: usize },
    #[error("more than {max} arrays and objects within each other")]
    TooDeep { max: usize },
    #[error("more than {max} fields")]
    TooManyFields { max: usize },
    #[error("invalid UTF-8")]
    NotUtf8,
    #[error("a NUL character")]
    Nul,
    #[error("a key that is there twice")]
    DuplicateKey,
    #[error("the number {number} can't be kept exactly, send it as a string")]
    InexactNumber { number: String },
    #[error("half of a surrogate pair")]
    LoneSurrogate,
    #[error("a control character that is not escaped")]
    ControlCharacter,
    #[error("expected {expected}, found {found}")]
    Unexpected { expected: &'static str, found: String },
}

impl JsonError {
    pub(crate) const fn new(problem: Problem, position: usize) -> Self {
        Self { problem, position, path: String::new() }
    }

    pub(crate) fn not_an_object(found: &Value<'_>) -> Self {
        Self::new(Problem::Unexpected { expected: "an object", found: found.kind().to_owned() }, 0)
    }

    /// The same error, seen from the object that holds it under `key`.
    fn below_key(mut self, key: &str) -> Self {
        let separator = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{key}{separator}{}", self.path);
        self
    }

    /// The same error, seen from the array that holds it as its element `nth`.
    fn below_element(mut self, nth: usize) -> Self {
        let separator = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("[{nth}]{separator}{}", self.path);
        self
    }
}

#[cfg(test)]
mod tests;
