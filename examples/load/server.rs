//! The server under load, and what its process costs.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

/// The server that BELFRY_URL and BELFRY_TOKEN name.
#[derive(Clone)]
pub struct Server {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Server {
    pub fn of_environment() -> Result<Self> {
        let url = std::env::var("BELFRY_URL").context("BELFRY_URL is not set")?;
        let token = std::env::var("BELFRY_TOKEN").context("BELFRY_TOKEN is not set")?;
        Ok(Self { client: reqwest::Client::builder().timeout(Duration::from_secs(120)).build()?, url, token })
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    /// The answer to a request; one that is no success is an error.
    pub async fn answer(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        anyhow::ensure!(status.is_success(), "{path}: {status} {text}");
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    pub async fn get(&self, path: &str) -> Result<Value> {
        self.answer(Method::GET, path, None).await
    }

    /// How many events the trail holds.
    pub async fn size(&self) -> Result<u64> {
        Ok(self.get("/api/v1/trail").await?["size"].as_u64().unwrap_or(0))
    }

    /// Waits until the trail holds `size` events, looking every `pause`; gives up after `longest`.
    pub async fn holds(&self, size: u64, pause: Duration, longest: Duration) -> Result<()> {
        let began = Instant::now();
        while self.size().await? < size {
            anyhow::ensure!(began.elapsed() < longest, "not all messages came in");
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }
}

/// The process of the server, as /proc shows it.
#[derive(Clone, Copy)]
pub struct Process(pub u32);

impl Process {
    /// User and system CPU seconds.
    pub fn cpu_seconds(self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks: f64 =
            fields.get(11).context("utime")?.parse::<f64>()? + fields.get(12).context("stime")?.parse::<f64>()?;
        Ok(ticks / 100.0)
    }

    /// Its memory at the most, until now.
    pub fn memory_peak_mb(self) -> Result<f64> {
        Ok(self.kib_of("VmHWM:")? as f64 / 1024.0)
    }

    pub fn memory_kib(self) -> Result<u64> {
        self.kib_of("VmRSS:")
    }

    fn kib_of(self, name: &'static str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context(name)?;
        Ok(line.split_whitespace().next().context(name)?.parse()?)
    }
}
