//! Events as Belfry takes them: in batches, and one by one.

use std::time::{Duration, Instant};

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

use crate::bodies::Bodies;
use crate::server::{Process, Server};

pub const BATCH: u64 = 2_000;
pub const CONNECTIONS: usize = 4;
const SINGLE_CONNECTIONS: usize = 32;

/// So many events as lines of JSON, `batch` in each body.
fn lines_of_json(events: u64, batch: u64) -> Result<Bodies> {
    Bodies::new(events, batch, |generator, indices| {
        let mut body = Vec::with_capacity(batch as usize * 800);
        for index in indices {
            generator.row(index, events).json(&mut body)?;
        }
        Ok(body)
    })
}

pub async fn ingest(process: Process, events: u64) -> Result<Value> {
    let bodies = lines_of_json(events, BATCH)?;
    let bytes = bodies.bytes;
    let server = Server::of_environment()?;
    let before = process.cpu_seconds()?;
    let wanted = server.size().await? + events;
    let began = Instant::now();
    let sender = server.clone();
    let request = move || sender.request(Method::POST, "/api/v1/events").header("content-type", "application/x-ndjson");
    let busy = bodies.send(CONNECTIONS, &[429], request).await?;
    let acknowledged = began.elapsed().as_secs_f64();
    let cpu_acknowledged = process.cpu_seconds()? - before;
    loop {
        let trail = server.get("/api/v1/trail").await?;
        anyhow::ensure!(trail["size"].as_u64().unwrap_or(0) >= wanted, "acknowledged events are missing: {trail}");
        if trail["indexed_to"].as_u64().unwrap_or(0) >= wanted {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let caught_up = began.elapsed().as_secs_f64();
    // The merges and the packing that were started go on for a while; they belong to the bill.
    let mut settled = process.cpu_seconds()?;
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = process.cpu_seconds()?;
        if now - settled < 0.05 {
            break;
        }
        settled = now;
    }
    let cpu = process.cpu_seconds()? - before;
    let millions = events as f64 / 1e6;
    Ok(json!({
        "step": "ingest", "events": events, "bytes_per_event_sent": bytes as f64 / events as f64,
        "acknowledged_per_s": events as f64 / acknowledged, "acknowledged_s": acknowledged, "caught_up_s": caught_up, "answers_429": busy,
        "cpu_s_per_million_until_acknowledged": cpu_acknowledged / millions, "cpu_s_per_million_all": cpu / millions,
        "peak_memory_mb": process.memory_peak_mb()?,
    }))
}

/// One event per request; answered when it is on disk.
pub async fn single(process: Process, events: u64) -> Result<Value> {
    let bodies = lines_of_json(events, 1)?;
    let server = Server::of_environment()?;
    let before = process.cpu_seconds()?;
    let began = Instant::now();
    let request = move || server.request(Method::POST, "/api/v1/events").header("content-type", "application/json");
    bodies.send(SINGLE_CONNECTIONS, &[], request).await?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(json!({ "step": "single", "events": events, "connections": SINGLE_CONNECTIONS, "per_s": events as f64 / seconds,
        "cpu_s_per_million": (process.cpu_seconds()? - before) / events as f64 * 1e6 }))
}
