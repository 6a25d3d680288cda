//! Black box: the real binary, its real ports, real receivers. One file per capability.

mod support;

mod access;
mod bad_input;
mod browser;
mod clients;
mod crash;
mod events;
mod mappings;
mod notifications;
mod reports;
mod tamper;
mod tidy;
