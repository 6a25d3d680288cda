//! Posting JSON to an address that somebody wrote into a channel.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::Mutex;

use super::{Answer, Cause};
use crate::notify::text::answer;
use crate::outgoing::Outgoing;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// What is read of an answer at most; whoever sends more is cut off.
const ANSWER_BYTES_MAX: usize = 4_096;
const ANSWER_CHARS_MAX: usize = 500;
/// How long an address that was checked is used again. A connection that is already open makes the
/// difference between one and dozens of milliseconds.
const CHECKED_FOR: Duration = Duration::from_secs(60);
const CLIENTS_MAX: usize = 256;
/// Whoever asks for more patience than this is tried after this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Clients that are tied to addresses which were checked, kept for a moment.
#[derive(Clone)]
pub(super) struct Clients {
    outgoing: Outgoing,
    kept: Arc<Mutex<HashMap<String, (Instant, reqwest::Client)>>>,
}

impl Clients {
    pub(super) fn new(outgoing: Outgoing) -> Self {
        Self { outgoing, kept: Arc::default() }
    }

    async fn client(&self, url: &str) -> Result<reqwest::Client, Cause> {
        let now = Instant::now();
        if let Some((checked, client)) = self.kept.lock().get(url)
            && now.duration_since(*checked) < CHECKED_FOR
        {
            return Ok(client.clone());
        }
        let client = self.outgoing.client(url).await?;
        let mut kept = self.kept.lock();
        kept.retain(|_, (checked, _)| now.duration_since(*checked) < CHECKED_FOR);
        if kept.len() < CLIENTS_MAX {
            kept.insert(url.to_owned(), (now, client.clone()));
        }
        Ok(client)
    }

    /// Posts `body`; on a "no" says how long to wait, where the other side said it.
    pub(super) async fn post(
        &self,
        url: &str,
        body: Vec<u8>,
        headers: &[(&'static str, String)],
    ) -> Result<Answer, (Cause, Option<Duration>)> {
        let client = self.client(url).await.map_err(|cause| (cause, None))?;
        let mut request = client.post(url).timeout(ANSWER_TIMEOUT).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = request.body(body).send().await.map_err(|error| (cause(&error), None))?;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok())
            .and_then(|text| read_retry_after(text, Timestamp::now()));
        let redirect = response.headers().get("location").is_some() && (300..400).contains(&status);
        let mut text = answer(&read_bounded(response).await, ANSWER_CHARS_MAX);
        if redirect {
            // Where to is not repeated: the address may hold a secret.
            text = "redirects are not followed".to_owned();
        }
        if (200..300).contains(&status) {
            Ok(Answer { status: Some(status), text: format!("{status} {text}").trim_end().to_owned() })
        } else {
            Err((Cause::Http { status, answer: text }, retry_after))
        }
    }
}

/// The beginning of an answer. One that breaks off or drips is an answer all the same: its status is known.
async fn read_bounded(mut response: reqwest::Response) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < ANSWER_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => read.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    read.truncate(ANSWER_BYTES_MAX);
    read
}

fn cause(error: &reqwest::Error) -> Cause {
    if error.is_timeout() && !error.is_connect() {
        return Cause::Timeout(ANSWER_TIMEOUT);
    }
    // The message of the error itself begins with the address, its sources don't.
    let mut words = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        words.push(inner.to_string());
        source = inner.source();
    }
    words.dedup();
    Cause::Connection(answer(words.join(": ").as_bytes(), ANSWER_CHARS_MAX))
}

/// Seconds, or a moment in the form of HTTP.
fn read_retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_moment() {
        let now: Timestamp = "2026-11-21T22:00:00Z".parse().unwrap();
        for (text, wanted) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sat, 21 Nov 2026 22:01:00 GMT", Some(60)),
            ("Sat, 21 Nov 2026 21:01:00 GMT", Some(0)),
            ("99999999", Some(24 * 3_600)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(read_retry_after(text, now), wanted.map(Duration::from_secs), "{text}");
        }
    }
}
