//! Requests made before the clock runs, and sent as fast as they are answered.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use reqwest::RequestBuilder;

use crate::events::Generator;

/// The bodies of all requests of a step.
pub struct Bodies {
    waiting: VecDeque<Bytes>,
    pub bytes: usize,
}

impl Bodies {
    /// `events` up to now, `batch` of them in each body, as `pack` writes them.
    pub fn new(events: u64, batch: u64, pack: impl Fn(&mut Generator, Range<u64>) -> Result<Vec<u8>>) -> Result<Self> {
        let mut generator = Generator::new(jiff::Timestamp::now());
        let mut bodies = Self { waiting: VecDeque::new(), bytes: 0 };
        let mut index = 0;
        while index < events {
            let end = (index + batch).min(events);
            let body = pack(&mut generator, index..end)?;
            bodies.bytes += body.len();
            bodies.waiting.push_back(Bytes::from(body));
            index = end;
        }
        Ok(bodies)
    }

    /// Sends them all over so many connections, each in what `request` makes. An answer whose status is one of `busy` is
    /// asked for again after a moment; says how often that was.
    pub async fn send(
        self,
        connections: usize,
        busy: &'static [u16],
        request: impl Fn() -> RequestBuilder + Clone + Send + 'static,
    ) -> Result<u64> {
        let queue = Arc::new(Mutex::new(self.waiting));
        let mut senders = Vec::new();
        for _ in 0..connections {
            let (queue, request) = (queue.clone(), request.clone());
            senders.push(tokio::spawn(async move {
                let mut again = 0;
                loop {
                    let Some(body) = queue.lock().ok().and_then(|mut queue| queue.pop_front()) else {
                        return anyhow::Ok(again);
                    };
                    loop {
                        let answer = request().body(body.clone()).send().await?;
                        if busy.contains(&answer.status().as_u16()) {
                            again += 1;
                            tokio::time::sleep(Duration::from_millis(20)).await;
                            continue;
                        }
                        let (status, text) = (answer.status(), answer.bytes().await?);
                        let head = String::from_utf8_lossy(&text[..text.len().min(300)]).into_owned();
                        anyhow::ensure!(status.is_success() && !head.contains("\"errors\":true"), "{status} {head}");
                        break;
                    }
                }
            }));
        }
        let mut again = 0;
        for sender in senders {
            again += sender.await??;
        }
        Ok(again)
    }
}
