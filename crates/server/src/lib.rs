//! Everything that touches the world: wiring, and nothing else.

#![cfg_attr(
    test,
    allow(clippy::needless_pass_by_value, clippy::cloned_ref_to_slice_refs, reason = "tests read better so")
)]

pub mod access;
pub mod app;
pub mod append;
pub mod causes;
pub mod changes;
pub mod clock;
pub mod config;
pub mod data;
pub mod follow;
pub mod hash;
pub mod http;
pub mod index;
pub mod ingest;
pub mod keep;
pub mod keys;
pub mod metrics;
pub mod notify;
pub mod outgoing;
pub mod rebuild;
pub mod report;
pub mod run;
pub mod search;
pub mod selfcheck;
pub mod setup;
pub mod state;
pub mod witness;

pub use app::App;
pub use config::Config;
pub use run::run;
pub use setup::{Init, init};
