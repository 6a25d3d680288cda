//! JSON in and out: a reader that refuses what a trail must not keep, and the canonical form of
//! RFC 8785.

mod read;
mod write;

pub use read::parse;
pub use write::write_canonical;

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
        Self { bytes_max: usize::MAX, depth_max: 128, fields_max: usize::MAX }
    }
}

/// Why a text is refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at byte {position}")]
pub struct JsonError {
    pub problem: Problem,
    /// The byte at which it shows, from 0.
    pub position: usize,
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
    #[error("the key {path} is there twice")]
    DuplicateKey { path: String },
    #[error("the number {number} can't be kept exactly, send it as a string")]
    InexactNumber { number: String },
    #[error("expected {expected}, found {found}")]
    Unexpected { expected: &'static str, found: String },
    #[error("half of a surrogate pair")]
    LoneSurrogate,
}

impl JsonError {
    pub(crate) fn not_an_object(found: &Value<'_>) -> Self {
        Self { problem: Problem::Unexpected { expected: "an object", found: found.kind().to_owned() }, position: 0 }
    }
}
