//! The HTTP contract: what is asked, what is answered, and the problems in between.
//!
//! One file per room. Every type is plain data with `serde` and an OpenAPI schema; nothing here decides anything.

pub mod access;
pub mod applications;
pub mod backup;
pub mod events;
pub mod health;
pub mod hooks;
pub mod inputs;
pub mod mappings;
pub mod notify;
pub mod page;
pub mod problem;
pub mod report;
pub mod retention;
pub mod selection;
pub mod set_aside;
pub mod sources;
pub mod system;
pub mod trail;

pub use page::Page;
pub use problem::ProblemBody;
