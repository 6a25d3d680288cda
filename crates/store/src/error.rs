use std::path::{Path, PathBuf};

use crate::entries::EntriesError;
use crate::month::Month;

/// Why the store could not do what was asked. What was accepted stays in the trail; after any of
/// these the index is put right by [`Store::repair`](crate::Store::repair) and by reading on from
/// [`Store::indexed_to`](crate::Store::indexed_to).
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder of the index can't be read or written.
    #[error("the index can't use {}", path.display())]
    Disk {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The search engine failed on the index of one month.
    #[error("the index of {month} failed")]
    Index {
        month: Month,
        #[source]
        source: Box<tantivy::TantivyError>,
    },
    /// The trail could not be read.
    #[error("entries can't be read from the trail")]
    Entries(#[source] EntriesError),
    /// Entries must come one after the other, each once.
    #[error("the index wants the entry at position {wanted} next, not {got}")]
    OutOfOrder { wanted: u64, got: u64 },
    /// Values of this field are not kept apart, so that nothing can be counted by it.
    #[error("events can't be counted by {field}")]
    NotCountable { field: String },
    /// The stretch of time holds more spans than anybody could read.
    #[error("the stretch holds more than {max} spans; choose longer spans or a shorter stretch")]
    TooManySpans { max: usize },
}

impl StoreError {
    pub(crate) fn disk(path: &Path, source: std::io::Error) -> Self {
        Self::Disk { path: path.to_owned(), source }
    }

    pub(crate) fn index(month: Month, source: impl Into<tantivy::TantivyError>) -> Self {
        Self::Index { month, source: Box::new(source.into()) }
    }
}
