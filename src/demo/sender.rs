//! The demo's own client of the API.

use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;

#[derive(Clone)]
pub struct Sender {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Sender {
    pub fn new(url: &str, token: &str) -> Result<Self> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
        Ok(Self { client, url: url.to_owned(), token: token.to_owned() })
    }

    pub async fn get(&self, path: &str) -> Result<Value> {
        answer(path, self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        answer(path, self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.token).json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        answer(path, self.client.put(format!("{}{path}", self.url)).bearer_auth(&self.token).json(body)).await
    }

    /// Sends records; `source` is empty for events as they are.
    pub async fn send(&self, source: &str, body: String) -> Result<Value> {
        let path =
            if source.is_empty() { "/api/v1/events".to_owned() } else { format!("/api/v1/events?source={source}") };
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.token);
        answer(&path, request.header("content-type", "application/x-ndjson").body(body)).await
    }
}

async fn answer(path: &str, request: reqwest::RequestBuilder) -> Result<Value> {
    let answer = request.send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    if !status.is_success() && status.as_u16() != 422 {
        bail!("{path}: {status} {text}");
    }
    Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
}
