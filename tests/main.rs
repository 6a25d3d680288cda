//! Black box: the real binary, its real ports, real receivers. One file per capability.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::needless_pass_by_value,
    clippy::type_complexity,
    clippy::cloned_ref_to_slice_refs,
    clippy::zombie_processes,
    clippy::same_item_push,
    reason = "a test that can't go on says so by panicking, and may be a little wasteful"
)]

mod support;

mod access;
mod applications;
mod backup;
mod bad_input;
mod browser;
mod clients;
mod crash;
mod events;
mod hooks;
mod inputs;
mod mappings;
mod monitor;
mod notifications;
mod protocols;
mod removal;
mod reports;
mod sources;
mod syslog;
mod tamper;
mod tidy;
mod upgrade;
