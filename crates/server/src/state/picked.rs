//! What a legal hold keeps, and what an erasure removes.

use sqlx::FromRow;

/// A filter that is forgotten in the end, since it may name a person, and its salted hash, which stays.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Picked {
    /// None once it is forgotten, as is the salt.
    pub filter: Option<String>,
    pub salt: Option<String>,
    pub filter_hash: String,
    pub from_at: Option<i64>,
    pub to_at: Option<i64>,
}
