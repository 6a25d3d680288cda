//! A trail as it is served: checkpoint, tiles and entry bundles over HTTP (C2SP tlog-tiles), from a Belfry server or
//! from anywhere else. Nothing that comes from there is believed before it leads to a signed root.

mod entries;
mod proof;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use flate2::read::GzDecoder;
use reqwest::{Response, StatusCode, Url, header};
use serde_json::Value;
use std::io::Read as _;
use trail::tile::TileRef;
use trail::{ENTRY_BYTES_MAX, Hash};

use crate::remote::innermost;

pub use entries::{CheckError, Checked};
pub use proof::Extension;

/// No note of a checkpoint is larger.
const NOTE_BYTES_MAX: usize = 1 << 20;
const TILE_BYTES: usize = 32 * 256;
/// 256 entries, each behind its length.
const BUNDLE_BYTES_MAX: usize = 256 * (ENTRY_BYTES_MAX + 2);
/// What a Belfry server says of its trail.
const STATE_BYTES_MAX: usize = 4 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// A resource that could not be had is asked for so often.
const TRIES: u32 = 3;

/// Where a trail is served, and who asks.
#[derive(Debug, Clone, clap::Args)]
pub struct Where {
    /// Address of a Belfry server; its trail is found by itself
    #[arg(long, env = "BELFRY_URL")]
    pub url: Option<String>,
    /// Where a trail is served as C2SP tlog-tiles, by whatever server: the address that /checkpoint and /tile follow
    #[arg(long, value_name = "URL")]
    pub prefix: Option<String>,
    /// API token, blf_…; trail:read is enough, to read the entries as well events:read
    #[arg(long, env = "BELFRY_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// PEM file with the authority that signed the server's certificate
    #[arg(long, env = "BELFRY_CA")]
    pub ca: Option<PathBuf>,
}

/// Why something could not be had from the server. None of it says anything about the trail.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection, no answer in time, or one that broke off.
    #[error("can't reach {what}: {reason}")]
    Unreachable { what: String, reason: String },
    /// An answer that is no success.
    #[error("{what} is answered with {status}{}", told(.detail))]
    Status { what: String, status: StatusCode, detail: String },
    /// More than there can be.
    #[error("{what} is larger than {max} bytes")]
    TooLarge { what: String, max: usize },
    /// Entries are there no more, only their hashes.
    #[error("{what} was removed")]
    Removed { what: String },
}

fn told(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(": {detail}") }
}

impl FetchError {
    /// Whether a second try may help.
    fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Status { status, .. } => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge { .. } | Self::Removed { .. } => false,
        }
    }

    fn is_absent(&self) -> bool {
        matches!(self, Self::Status { status, .. } if *status == StatusCode::NOT_FOUND)
    }
}

/// A client of one served trail.
#[derive(Clone)]
pub struct Served {
    http: reqwest::Client,
    prefix: String,
    token: Option<String>,
}

/// A served trail, and the key that the server itself names, where it names one.
pub struct Found {
    pub served: Served,
    pub claimed_key: Option<String>,
}

impl Where {
    /// Whether somebody said where.
    pub fn is_given(&self) -> bool {
        self.url.is_some() || self.prefix.is_some()
    }

    /// Finds the trail. A Belfry server is asked which one is its own; a prefix is taken as it is.
    pub async fn find(&self) -> Result<Found> {
        let http = self.http()?;
        if let Some(prefix) = &self.prefix {
            let prefix = web_address(prefix).context("--prefix")?;
            // A token that the environment holds for one server is not shown to another.
            let own =
                self.url.as_deref().is_none_or(|url| prefix.starts_with(&format!("{}/", url.trim_end_matches('/'))));
            let token = self.token.clone().filter(|_| own);
            return Ok(Found { served: Served { http, prefix, token }, claimed_key: None });
        }
        let url = web_address(self.url.as_deref().context("say where: --url of a server, or --prefix of its tiles")?)
            .context("--url")?;
        let mut served = Served { http, prefix: url.clone(), token: self.token.clone() };
        let state = served.get("api/v1/trail", STATE_BYTES_MAX).await.map_err(|error| match error {
            FetchError::Status { status: StatusCode::UNAUTHORIZED, .. } if self.token.is_none() => {
                anyhow::anyhow!("the server wants to know who asks: pass --token or set BELFRY_TOKEN")
            }
            error => error.into(),
        })?;
        let state: Value =
            serde_json::from_slice(&state).context("this is no Belfry server; of another one pass --prefix")?;
        let organization = state["organization"].as_str().context("the server names no organization")?;
        if organization.contains(['/', '?', '#']) {
            bail!("the server names an organization that can't be one: {organization:?}");
        }
        served.prefix = format!("{url}/trail/{organization}");
        Ok(Found { served, claimed_key: state["vkey"].as_str().map(str::to_owned) })
    }

    fn http(&self) -> Result<reqwest::Client> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("belfry-monitor/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &self.ca {
            let pem = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
            let authority = reqwest::Certificate::from_pem(&pem)
                .with_context(|| format!("no certificate in {}", path.display()))?;
            builder = builder.add_root_certificate(authority);
        }
        Ok(builder.build()?)
    }
}

impl Served {
    /// Where it is served, without a name or password in it.
    pub fn shown(&self) -> String {
        match Url::parse(&self.prefix) {
            Ok(mut url) => {
                let _ = url.set_password(None);
                let _ = url.set_username("");
                url.to_string()
            }
            Err(_) => self.prefix.clone(),
        }
    }

    /// The note of the newest checkpoint, as it came.
    pub async fn checkpoint(&self) -> Result<Vec<u8>, FetchError> {
        self.get_again("checkpoint", NOTE_BYTES_MAX).await
    }

    /// The hashes of a tile. Of a partial one that is there no more, the full one is asked for and cut.
    pub async fn tile(&self, level: u8, tile: TileRef) -> Result<Vec<Hash>, FetchError> {
        let path = |tile: TileRef| format!("tile/{level}/{}", tile.to_path());
        let bytes = match self.get_again(&path(tile), TILE_BYTES).await {
            Err(error) if error.is_absent() && tile.width < 256 => {
                self.get_again(&path(TileRef { width: 256, ..tile }), TILE_BYTES).await.map_err(|_| error)?
            }
            other => other?,
        };
        Ok(bytes.chunks_exact(32).filter_map(Hash::from_slice).take(usize::from(tile.width)).collect())
    }

    /// The bytes of an entry bundle; [`FetchError::Removed`] when one of its entries is there no more.
    pub async fn bundle(&self, tile: TileRef) -> Result<Vec<u8>, FetchError> {
        let path = |tile: TileRef| format!("tile/entries/{}", tile.to_path());
        match self.get_again(&path(tile), BUNDLE_BYTES_MAX).await {
            Err(error) if error.is_absent() && tile.width < 256 => {
                self.get_again(&path(TileRef { width: 256, ..tile }), BUNDLE_BYTES_MAX).await.map_err(|_| error)
            }
            other => other,
        }
    }

    async fn get_again(&self, path: &str, max: usize) -> Result<Vec<u8>, FetchError> {
        let mut tries = 1;
        loop {
            match self.get(path, max).await {
                Err(error) if error.is_passing() && tries < TRIES => {
                    tokio::time::sleep(Duration::from_millis(300 << tries)).await;
                    tries += 1;
                }
                other => return other,
            }
        }
    }

    async fn get(&self, path: &str, max: usize) -> Result<Vec<u8>, FetchError> {
        let unreachable =
            |error: &reqwest::Error| FetchError::Unreachable { what: path.to_owned(), reason: reason(error) };
        // Whatever serves static files may have them compressed, asked or not.
        let mut request =
            self.http.get(format!("{}/{path}", self.prefix)).header(header::ACCEPT_ENCODING, "gzip, identity");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        if status == StatusCode::GONE {
            return Err(FetchError::Removed { what: path.to_owned() });
        }
        let packed = response.headers().get(header::CONTENT_ENCODING).is_some_and(|kind| kind == "gzip");
        let limit = if status.is_success() { max } else { NOTE_BYTES_MAX };
        // What can't be compressed, as hashes, becomes a little larger by it.
        let bytes = read(response, path, if packed { limit + limit / 8 + 1_024 } else { limit }).await?;
        let bytes = if packed { unpack(&bytes, path, limit)? } else { bytes };
        if status.is_success() {
            return Ok(bytes);
        }
        let problem: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let detail: String = problem["detail"].as_str().unwrap_or("").chars().take(300).collect();
        Err(FetchError::Status { what: path.to_owned(), status, detail })
    }
}

async fn read(mut response: Response, path: &str, max: usize) -> Result<Vec<u8>, FetchError> {
    let mut bytes = Vec::new();
    loop {
        let chunk = response.chunk().await;
        let chunk = chunk.map_err(|error| FetchError::Unreachable { what: path.to_owned(), reason: reason(&error) })?;
        let Some(chunk) = chunk else { return Ok(bytes) };
        if bytes.len() + chunk.len() > max {
            return Err(FetchError::TooLarge { what: path.to_owned(), max });
        }
        bytes.extend_from_slice(&chunk);
    }
}

fn unpack(bytes: &[u8], path: &str, max: usize) -> Result<Vec<u8>, FetchError> {
    let mut unpacked = Vec::new();
    let read = GzDecoder::new(bytes).take(max as u64 + 1).read_to_end(&mut unpacked);
    match read {
        Ok(_) if unpacked.len() > max => Err(FetchError::TooLarge { what: path.to_owned(), max }),
        Ok(_) => Ok(unpacked),
        Err(error) => Err(FetchError::Unreachable { what: path.to_owned(), reason: error.to_string() }),
    }
}

fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() { "no answer in time".to_owned() } else { innermost(error) }
}

fn web_address(text: &str) -> Result<String> {
    let url = Url::parse(text).with_context(|| format!("{text} is no web address"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        bail!("{text} must begin with http:// or https:// and name a host");
    }
    Ok(text.trim_end_matches('/').to_owned())
}
