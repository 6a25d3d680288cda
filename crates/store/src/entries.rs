//! Where the events themselves are.

use std::error::Error;

use bytes::Bytes;

/// Why entries could not be read.
pub type EntriesError = Box<dyn Error + Send + Sync>;

/// The trail, as the store sees it: entries by position. The store keeps no copy of an event; it
/// reads here what it shows, what it must check, and what it has not indexed yet.
pub trait Entries: Send + Sync {
    /// The entries at these positions, in the same order; none where an entry is no longer (or not
    /// yet) there. Positions come sorted, each once.
    fn get_many(&self, positions: &[u64]) -> Result<Vec<Option<Bytes>>, EntriesError>;

    /// The entries from `position` on, at most `max`, without a gap. Fewer than `max` are no sign
    /// of an end; none at all is.
    fn read_from(&self, position: u64, max: usize) -> Result<Vec<Bytes>, EntriesError>;
}
