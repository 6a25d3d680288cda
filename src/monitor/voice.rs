//! How the monitor makes itself heard: a webhook, a command.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use server::notify::channels::webhook::{self, Secret};
use trail::Hash;

use super::facts;
use super::folder::Kept;
use crate::remote::innermost;

const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(20);
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);
/// News that nobody takes is given up after so many checks.
pub const TRIES_MAX: u32 = 10;

#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// Post each change of state there, as JSON
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// Sign what is posted as Standard Webhooks says, whsec_…
    #[arg(long, env = "BELFRY_WEBHOOK_SECRET", hide_env_values = true, requires = "webhook")]
    webhook_secret: Option<String>,
    /// Run this in a shell at each change of state; the facts are in variables, BELFRY_MONITOR_STATE and so on
    #[arg(long, value_name = "COMMAND")]
    exec: Option<String>,
}

/// All ways of telling that were asked for.
pub struct Voice {
    http: reqwest::Client,
    webhook: Option<String>,
    secrets: Vec<Secret>,
    exec: Option<String>,
}

impl Voice {
    pub fn new(settings: &Settings) -> Result<Self> {
        let secret = settings.webhook_secret.as_deref().map(Secret::read).transpose().context("--webhook-secret")?;
        if let Some(url) = &settings.webhook {
            let url = reqwest::Url::parse(url).context("--webhook is no web address")?;
            if !matches!(url.scheme(), "http" | "https") {
                bail!("--webhook must begin with http:// or https://");
            }
        }
        let http = reqwest::Client::builder()
            .timeout(WEBHOOK_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("belfry-monitor/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let secrets = secret.into_iter().collect();
        Ok(Self { http, webhook: settings.webhook.clone(), secrets, exec: settings.exec.clone() })
    }

    /// Tells everybody. When one of them does not take it, all are told again: twice is better than never.
    pub async fn tell(&self, kept: &Kept) -> Result<()> {
        let (posted, ran) = tokio::join!(self.post(kept), self.run(kept));
        posted.and(ran)
    }

    async fn post(&self, kept: &Kept) -> Result<()> {
        let Some(url) = &self.webhook else { return Ok(()) };
        let body = facts::body(kept).to_string().into_bytes();
        // The same news has the same id at every try, so that a receiver knows it again.
        let id: String = Hash::leaf(&body).0[..12].iter().map(|byte| format!("{byte:02x}")).collect();
        let mut request = self.http.post(url).header("content-type", "application/json");
        if !self.secrets.is_empty() {
            for (name, value) in webhook::headers(&format!("msg_{id}"), Timestamp::now(), &body, &self.secrets) {
                request = request.header(name, value);
            }
        }
        let response = request.body(body).send().await.map_err(|error| {
            // Its own message repeats the address, which may be a secret.
            anyhow::anyhow!("the webhook can't be reached: {}", innermost(&error))
        })?;
        if !response.status().is_success() {
            bail!("the webhook answered {}", response.status());
        }
        Ok(())
    }

    async fn run(&self, kept: &Kept) -> Result<()> {
        let Some(command) = &self.exec else { return Ok(()) };
        let mut child = tokio::process::Command::new("/bin/sh");
        child.arg("-c").arg(command).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        for (name, value) in facts::facts(kept) {
            child.env(format!("BELFRY_MONITOR_{}", name.to_uppercase()), value.replace('\0', ""));
        }
        // What the command has no use for, it is not given.
        child.env_remove("BELFRY_TOKEN").env_remove("BELFRY_WEBHOOK_SECRET");
        let status = tokio::time::timeout(COMMAND_TIMEOUT, child.status())
            .await
            .with_context(|| format!("the command did not end within {} s", COMMAND_TIMEOUT.as_secs()))?
            .context("the command can't be run")?;
        if !status.success() {
            bail!("the command failed: {status}");
        }
        Ok(())
    }
}
