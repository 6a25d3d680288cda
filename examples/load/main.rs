//! The load behind `make bench`: realistic audit events from a fixed seed, sent to a running server, and the times of
//! what people ask of it. Prints one JSON object a step, for scripts/bench.sh to put beside PostgreSQL's.
//!
//!     load rows FILE EVENTS BATCH      the same events as SQL COPY and INSERT scripts for psql
//!     load ingest PID EVENTS           batches of 2,000 over 4 connections
//!     load single PID EVENTS           one event per request over 32 connections
//!     load hec PID EVENTS              Splunk's collector: batches of 1,000 over 4 connections
//!     load otlp PID EVENTS             OTLP in protobuf, the same
//!     load bulk PID EVENTS             Elasticsearch's _bulk, the same
//!     load syslog ADDRESS EVENTS       messages over TCP, until all are in the trail
//!     load idle-syslog PID ADDRESS N   N senders that send one message each and then keep quiet: what they cost
//!     load lines FILE EVENTS           the same messages in a file, each behind its length, for another server
//!     load search                      newest 50, of one user, words, counts, proofs
//!     load export                      100,000 events as JSON
//!     load webhook EVENTS              acknowledged event → received webhook
//!
//! BELFRY_URL and BELFRY_TOKEN say where the server is; PID is its process, whose CPU time is read from /proc.

mod bodies;
mod events;
mod ingest;
mod protocols;
mod questions;
mod rows;
mod server;
mod syslog;
mod webhook;

use std::io::Write as _;

use anyhow::{Result, bail};

use crate::server::Process;

const STEPS: &str = "rows, ingest, single, hec, otlp, bulk, syslog, idle-syslog, lines, search, export, webhook";

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let process = |id: &str| anyhow::Ok(Process(id.parse()?));
    let result = match words.as_slice() {
        ["rows", prefix, events, kind] => rows::rows(prefix, events.parse()?, kind)?,
        ["ingest", id, events] => ingest::ingest(process(id)?, events.parse()?).await?,
        ["single", id, events] => ingest::single(process(id)?, events.parse()?).await?,
        [protocol @ ("hec" | "otlp" | "bulk"), id, events] => {
            protocols::protocol(protocol, process(id)?, events.parse()?).await?
        }
        ["syslog", address, events] => syslog::syslog(address, events.parse()?).await?,
        ["idle-syslog", id, address, senders] => syslog::idle(process(id)?, address, senders.parse()?).await?,
        ["lines", file, events] => syslog::lines(file, events.parse()?)?,
        ["search"] => questions::search().await?,
        ["export"] => questions::export().await?,
        ["webhook", events] => webhook::webhook(events.parse()?).await?,
        _ => bail!("say a step: {STEPS}"),
    };
    let mut out = std::io::stdout();
    writeln!(out, "{result}")?;
    Ok(())
}
