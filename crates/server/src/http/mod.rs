//! The HTTP side: routes, requests, answers. What is decided is decided in the rooms.
//!
//! # How a room plugs in
//! - `http/<room>.rs` holds its handlers, each with `#[utoipa::path(…)]`, and `pub fn routes() -> Vec<Route>`: one line
//!   per route with method, path, privilege and handler (see [`router::table`]). [`router::routes`] lists the rooms.
//! - `http/problem/<room>.rs` holds its `impl From<room::Error> for Problem`, without a `_ =>` arm.
//! - Handlers take [`Json`], [`Query`] and [`Path`] from here, not from axum: theirs answer problems.
//! - A handler of a guarded route takes [`Subject`](crate::access::Subject) as an argument; the router has checked its
//!   privilege before. On a public route it takes `Option<Subject>`.

pub mod access;
mod applications;
pub mod assets;
pub mod backups;
pub mod body;
pub mod bulk;
pub mod client;
pub mod cloud_events;
pub mod collector;
pub mod dialect;
pub mod elastic;
pub mod envelope;
pub mod events;
mod export;
pub mod extract;
pub mod grpc;
pub mod guard;
mod health;
pub mod hooks;
pub mod ingest;
pub mod inputs;
pub mod mappings;
pub mod notify;
pub mod openapi;
pub mod otlp;
pub mod problem;
pub mod range;
pub mod report;
pub mod retention;
pub mod router;
mod selection;
pub mod serve;
pub mod set_aside;
pub mod sources;
pub mod subject;
pub mod system;
pub mod trail;

#[cfg(test)]
mod tests;

pub use extract::{Json, Path, Query};
pub use problem::Problem;
pub use router::{Needs, Route};
