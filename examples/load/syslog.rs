//! Messages over syslog.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::events::Generator;
use crate::server::{Process, Server};

/// Messages as sshd writes them, RFC 5424.
fn messages(events: u64) -> impl Iterator<Item = String> {
    let mut generator = Generator::new(jiff::Timestamp::now());
    (0..events).map(move |index| {
        let row = generator.row(index, events);
        format!(
            "<86>1 {} {} sshd {} - - Accepted publickey for {} from {} port {} ssh2: ED25519 SHA256:{}",
            row.time,
            row.host,
            index % 30_000,
            row.user,
            row.address,
            row.port,
            row.entity_id
        )
    })
}

/// The messages, each behind its length.
fn framed(events: u64) -> Vec<u8> {
    let mut framed = Vec::new();
    for message in messages(events) {
        framed.extend_from_slice(format!("{} {message}", message.len()).as_bytes());
    }
    framed
}

/// Writes them into a file, each behind its length.
pub fn lines(file: &str, events: u64) -> Result<Value> {
    let framed = framed(events);
    std::fs::write(file, &framed)?;
    Ok(json!({ "step": "lines", "events": events, "bytes": framed.len() }))
}

/// Syslog over TCP with octet counting, over one connection, until the trail holds all of it.
pub async fn syslog(address: &str, events: u64) -> Result<Value> {
    let framed = framed(events);
    let server = Server::of_environment()?;
    let wanted = server.size().await? + events;
    let began = Instant::now();
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&framed).await?;
    stream.shutdown().await?;
    server.holds(wanted, Duration::from_millis(5), Duration::from_secs(300)).await?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(
        json!({ "step": "syslog", "events": events, "per_s": events as f64 / seconds, "bytes_per_message": framed.len() as f64 / events as f64 }),
    )
}

/// Connections that are open and quiet: the memory of the server before, and once each has sent a message.
pub async fn idle(process: Process, address: &str, senders: usize) -> Result<Value> {
    let server = Server::of_environment()?;
    let wanted = server.size().await? + senders as u64;
    let before = process.memory_kib()?;
    let mut open = Vec::with_capacity(senders);
    for index in 0..senders {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(format!("<13>1 - - idle - - - sender {index} is here\n").as_bytes()).await?;
        open.push(stream);
    }
    let came = server.holds(wanted, Duration::from_millis(50), Duration::from_secs(60)).await;
    came.context("is ulimit -n large enough?")?;
    // What they needed while they sent is given back when they were quiet for a moment.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = process.memory_kib()?;
    let each = after.saturating_sub(before) as f64 * 1024.0 / senders as f64;
    Ok(
        json!({ "step": "idle-syslog", "senders": senders, "before_kib": before, "after_kib": after, "bytes_each": each }),
    )
}
