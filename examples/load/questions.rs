//! What people ask of the server.

use std::time::Instant;

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};

use crate::server::Server;

/// 100,000 events as lines of JSON: when the first byte came, and the last.
pub async fn export() -> Result<Value> {
    let server = Server::of_environment()?;
    let mut times = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        let request = server.request(Method::GET, "/api/v1/export/events?limit=100000");
        let mut answer = request.send().await?.error_for_status()?;
        let (mut first, mut bytes, mut rows) = (None, 0, 0);
        while let Some(piece) = answer.chunk().await? {
            first.get_or_insert_with(|| began.elapsed().as_secs_f64() * 1e3);
            bytes += piece.len();
            rows += piece.iter().filter(|byte| **byte == b'\n').count();
        }
        times.push((began.elapsed().as_secs_f64() * 1e3, first.unwrap_or(f64::NAN), rows, bytes));
    }
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (all, first, rows, bytes) = times[times.len() / 2];
    Ok(json!({ "step": "export", "rows": rows, "bytes": bytes, "first_byte_ms": first, "all_ms": all }))
}

/// The times of `tries` runs of a request, in milliseconds: median, and the largest but one in twenty.
async fn timed(path: &str, tries: usize) -> Result<Value> {
    let server = Server::of_environment()?;
    let mut times = Vec::new();
    let mut inside = Vec::new();
    for _ in 0..tries + 3 {
        let began = Instant::now();
        let answer = server.request(Method::GET, path).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        times.push(began.elapsed().as_secs_f64() * 1e3);
        anyhow::ensure!(status.is_success(), "{path}: {status} {text}");
        let answer: Value = serde_json::from_str(&text)?;
        inside.extend(answer["took_ms"].as_f64());
    }
    // The first three warm the caches.
    let summary = |mut times: Vec<f64>| {
        if times.len() <= 3 {
            return Value::Null;
        }
        times.drain(..3);
        times.sort_by(f64::total_cmp);
        json!({ "p50_ms": times[times.len() / 2], "p95_ms": times[times.len() * 19 / 20] })
    };
    Ok(json!({ "client": summary(times), "server": summary(inside) }))
}

/// What people ask of a trail, each question many times.
pub async fn search() -> Result<Value> {
    let user = Server::of_environment()?.get("/api/v1/fields/values?field=user.name&limit=30").await?;
    let user = user["items"]
        .as_array()
        .and_then(|items| items.last())
        .and_then(|item| item["value"].as_str())
        .context("a user")?
        .to_owned();
    let wanted = [
        ("newest_50", "/api/v1/events?limit=50".to_owned()),
        ("newest_50_of_a_user_30_days", format!("/api/v1/events?limit=50&from=now-30d&filter=user.name:%22{user}%22")),
        ("counts_by_type_and_day", "/api/v1/events/summary?by=event.action&span=day".to_owned()),
        (
            "top_users_of_a_type",
            "/api/v1/events/summary?by=user.name&top=20&filter=event.action:password.viewed".to_owned(),
        ),
        ("common_word", "/api/v1/events?limit=100&filter=review".to_owned()),
        ("rare_word", "/api/v1/events?limit=100&filter=40001".to_owned()),
        ("part_of_a_word", "/api/v1/events?limit=100&filter=*evie*".to_owned()),
        ("part_of_a_rare_word", "/api/v1/events?limit=100&filter=*oreau4999*".to_owned()),
        ("inclusion_proof", "/api/v1/events/4711/proof".to_owned()),
    ];
    let mut result = json!({ "step": "search" });
    for (name, path) in wanted {
        // What looks at everything is asked a few times only.
        let tries = if name == "part_of_a_rare_word" { 3 } else { 40 };
        result[name] = timed(&path, tries).await?;
    }
    Ok(result)
}
