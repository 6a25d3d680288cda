//! The server, as a client command sees it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use api::ProblemBody;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

/// Which server, and as whom.
#[derive(Debug, Clone, clap::Args)]
pub struct Remote {
    /// Address of the server
    #[arg(long, env = "BELFRY_URL", default_value = "http://127.0.0.1:7400", global = true)]
    pub url: String,
    /// API token, blf_…
    #[arg(long, env = "BELFRY_TOKEN", hide_env_values = true, global = true)]
    pub token: Option<String>,
    /// PEM file with the authority that signed the server's certificate
    #[arg(long, env = "BELFRY_CA", global = true)]
    pub ca: Option<PathBuf>,
}

/// A client of one server.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

/// The server said no, in words.
#[derive(Debug, thiserror::Error)]
#[error("{}", told(.0))]
pub struct Refused(pub ProblemBody);

impl Remote {
    pub fn client(&self) -> Result<Client> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("belfry-cli/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &self.ca {
            let pem = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
            let authority = reqwest::Certificate::from_pem(&pem)
                .with_context(|| format!("no certificate in {}", path.display()))?;
            builder = builder.add_root_certificate(authority);
        }
        let url = self.url.trim_end_matches('/').to_owned();
        if !url.starts_with("http://") && !url.starts_with("https://") {
            bail!("--url {url} must begin with http:// or https://");
        }
        Ok(Client { http: builder.build()?, url, token: self.token.clone() })
    }
}

impl Client {
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A request to a path of the API, with the token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends it; an answer that is no success is an error in words.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refused(response).await)
    }

    /// The same for an answer that is here already.
    pub async fn refused(&self, response: Response) -> anyhow::Error {
        let status = response.status();
        let text = response.text().await.unwrap_or_default();
        if status == StatusCode::UNAUTHORIZED && self.token.is_none() {
            return anyhow!("the server wants to know who you are: pass --token or set BELFRY_TOKEN");
        }
        match serde_json::from_str::<ProblemBody>(&text) {
            Ok(problem) => Refused(problem).into(),
            Err(_) => anyhow!("{} answered {status}: {}", self.url, text.chars().take(300).collect::<String>()),
        }
    }

    pub fn unreachable(&self, error: &reqwest::Error) -> anyhow::Error {
        let why = if error.is_timeout() { "no answer in time".to_owned() } else { innermost(error) };
        anyhow!("can't reach {}: {why} (is the server running there? see --url and BELFRY_URL)", self.url)
    }

    pub async fn json(&self, request: RequestBuilder) -> Result<Value> {
        let response = self.send(request.timeout(Duration::from_secs(130))).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        response.json().await.context("the answer is not JSON; is this a belfry server?")
    }

    pub async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value> {
        self.json(self.request(Method::GET, path).query(query)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.json(self.request(Method::POST, path).json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        self.json(self.request(Method::PUT, path).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Value> {
        self.json(self.request(Method::DELETE, path)).await
    }

    /// The items of a list, page after page, at most `max`.
    pub async fn items(&self, path: &str, query: &[(&str, String)], max: usize) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = query.to_vec();
            if let Some(cursor) = &cursor {
                query.push(("cursor", cursor.clone()));
            }
            let answer = self.get(path, &query).await?;
            // A few lists are bare arrays.
            let (page, next) = match answer {
                Value::Array(page) => (page, None),
                Value::Object(mut members) => {
                    let next = members.get("next").and_then(Value::as_str).map(str::to_owned);
                    match members.remove("items") {
                        Some(Value::Array(page)) => (page, next),
                        _ => bail!("the answer of {path} is no list"),
                    }
                }
                _ => bail!("the answer of {path} is no list"),
            };
            items.extend(page);
            if items.len() >= max || next.is_none() || next == cursor {
                items.truncate(max);
                return Ok(items);
            }
            cursor = next;
        }
    }
}

/// The innermost cause; the message of the error itself would repeat the address, which may hold a password.
pub fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn told(problem: &ProblemBody) -> String {
    let mut text = problem.detail.clone().unwrap_or_else(|| problem.title.clone());
    for part in &problem.errors {
        if !text.contains(&part.detail) {
            text.push_str(&format!("; {}: {}", part.pointer.trim_start_matches('/'), part.detail));
        }
    }
    if problem.status >= 500
        && let Some(id) = &problem.request_id
        && !text.contains(id)
    {
        text.push_str(&format!(" (request {id})"));
    }
    text
}
