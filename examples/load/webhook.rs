//! From an acknowledged event to the webhook that tells of it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, Receiver};

use crate::server::Server;

/// Makes a rule with a webhook to a receiver of ours, sends events one by one, and takes the times.
pub async fn webhook(events: usize) -> Result<Value> {
    let server = Server::of_environment()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let mut arrivals = receive(listener);
    server.answer(Method::PUT, "/api/v1/settings", Some(&json!({ "outgoing_allow": ["127.0.0.1"] }))).await?;
    let channel = json!({
        "name": "bench", "kind": "webhook", "enabled": true, "settings": { "url": format!("http://127.0.0.1:{port}/") },
    });
    let channel = server.answer(Method::POST, "/api/v1/channels", Some(&channel)).await?;
    let id =
        channel["id"].as_str().or_else(|| channel["channel"]["id"].as_str()).context("the channel's id")?.to_owned();
    let rule = json!({
        "name": "bench", "enabled": true, "filter": "event.action: bench.marked", "hold_seconds": 0,
        "group_by": ["event.id"], "recipients": [{ "channel": id, "to": [] }],
    });
    server.answer(Method::POST, "/api/v1/rules", Some(&rule)).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut times = Vec::new();
    for index in 0..events {
        let event = json!({ "event": { "action": "bench.marked", "id": format!("e{index}") }, "message": format!("bench-mark-{index} seen") });
        server.answer(Method::POST, "/api/v1/events", Some(&event)).await?;
        let acknowledged = Instant::now();
        let wait = tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                match arrivals.recv().await {
                    Some((mark, at)) if mark == index.to_string() => return Some(at),
                    Some(_) => {}
                    None => return None,
                }
            }
        });
        let at = wait.await.context("the webhook did not come")?.context("the receiver ended")?;
        times.push(at.saturating_duration_since(acknowledged).as_secs_f64() * 1e3);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    times.sort_by(f64::total_cmp);
    Ok(
        json!({ "step": "webhook", "events": events, "p50_ms": times[times.len() / 2], "p99_ms": times[times.len() * 99 / 100] }),
    )
}

/// Takes what comes, and says which event it tells of and when it was there.
fn receive(listener: TcpListener) -> Receiver<(String, Instant)> {
    let (received, arrivals) = mpsc::channel(10_000);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let received = received.clone();
            tokio::spawn(async move {
                let mut buffer = Vec::new();
                let mut chunk = vec![0; 64 * 1024];
                while let Ok(read) = stream.read(&mut chunk).await {
                    if read == 0 {
                        break;
                    }
                    buffer.extend_from_slice(&chunk[..read]);
                    let text = String::from_utf8_lossy(&buffer).into_owned();
                    let Some(head) = text.find("\r\n\r\n") else { continue };
                    let length = text[..head].lines().find_map(|line| {
                        line.to_ascii_lowercase()
                            .strip_prefix("content-length:")
                            .and_then(|n| n.trim().parse::<usize>().ok())
                    });
                    if buffer.len() < head + 4 + length.unwrap_or(0) {
                        continue;
                    }
                    let at = Instant::now();
                    if let Some(mark) = text.split("bench-mark-").nth(1) {
                        let mark: String = mark.chars().take_while(char::is_ascii_digit).collect();
                        let _ = received.send((mark, at)).await;
                    }
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                    buffer.clear();
                }
            });
        }
    });
    arrivals
}
