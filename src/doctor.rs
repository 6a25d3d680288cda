//! `belfry doctor`: looks for what is wrong, and says what to do.

use std::path::Path;

use anyhow::Result;
use reqwest::Method;
use serde_json::Value;

use crate::config::Options;
use crate::remote::{Client, Remote};
use crate::{Answer, output};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    options: Options,
}

/// What was looked at: good, worth knowing, or wrong.
enum Finding {
    Good(String),
    Notice(String),
    Wrong(String),
}
use Finding::{Good, Notice, Wrong};

pub async fn run(args: Args) -> Result<Answer> {
    let mut findings = Vec::new();
    match args.options.load() {
        Ok(config) => {
            findings.push(Good("the configuration can be used".to_owned()));
            if args.options.data.is_some() || config.data.is_dir() {
                folder(&config.data, &mut findings);
            }
        }
        Err(error) => findings.push(Wrong(format!("{:#}", anyhow::Error::from(error)))),
    }
    server(&args.remote.client()?, &mut findings).await;
    let mut answer = Answer::Yes;
    for finding in findings {
        match finding {
            Good(text) => output::line(format!("ok      {text}"))?,
            Notice(text) => output::line(format!("notice  {text}"))?,
            Wrong(text) => {
                output::line(format!("WRONG   {text}"))?;
                answer = Answer::No;
            }
        }
    }
    Ok(answer)
}

fn folder(data: &Path, findings: &mut Vec<Finding>) {
    let shown = data.display();
    if !data.join("state.sqlite").is_file() {
        findings.push(Notice(format!("{shown} is no data folder yet: belfry init --data {shown}")));
        return;
    }
    for name in ["keys/trail.key", "keys/state.key"] {
        let path = data.join(name);
        match std::fs::metadata(&path) {
            Err(error) => findings.push(Wrong(format!("{}: {error}; put it back from a backup", path.display()))),
            Ok(metadata) if is_open(&metadata) => {
                findings.push(Wrong(format!("others can read {0}: chmod 600 {0}", path.display())));
            }
            Ok(_) => findings.push(Good(format!("{} is its owner's alone", path.display()))),
        }
    }
    if std::fs::metadata(data).is_ok_and(|metadata| is_open(&metadata)) {
        findings.push(Notice(format!("others can look into {shown}: chmod 700 {shown}")));
    }
}

#[cfg(unix)]
fn is_open(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open(_: &std::fs::Metadata) -> bool {
    false
}

async fn backups(client: &Client, findings: &mut Vec<Finding>) {
    let Ok(settings) = client.get("/api/v1/backups/settings", &[]).await else { return };
    if settings["recipient"].is_null() {
        findings.push(Notice("no backup can be made without a master key: belfry masterkey make".to_owned()));
        return;
    }
    let Ok(made) = client.items("/api/v1/backups", &[], 500).await else { return };
    match made.iter().find(|backup| backup["state"] == "done") {
        None => findings.push(Notice("there is no backup yet: belfry backup make".to_owned())),
        Some(newest) if made.first().is_some_and(|last| last["state"] == "failed") => findings.push(Wrong(format!(
            "the last backup failed ({}); the newest there is is of {}",
            output::text(&made[0]["error"]),
            output::text(&newest["started_at"])
        ))),
        Some(newest) => {
            findings.push(Good(format!("the newest backup is of {}", output::text(&newest["started_at"]))));
            if !made.iter().any(|backup| backup["check"]["ok"] == true) {
                findings
                    .push(Notice("nobody has proven that the shares open a backup: belfry backup drill".to_owned()));
            }
        }
    }
}

async fn server(client: &Client, findings: &mut Vec<Finding>) {
    let response = match client.request(Method::GET, "/readyz").send().await {
        Ok(response) => response,
        Err(error) => {
            findings.push(Wrong(format!("{:#}", client.unreachable(&error))));
            return;
        }
    };
    let ready: Value = response.json().await.unwrap_or_default();
    if ready["ready"] == true {
        let version = ready["version"].as_str().unwrap_or("?");
        findings.push(Good(format!("{} answers and is ready, version {version}", client.url())));
        if version != env!("CARGO_PKG_VERSION") {
            findings.push(Notice(format!("this command is of version {}", env!("CARGO_PKG_VERSION"))));
        }
    } else {
        findings.push(Wrong(format!("{} is not ready: {}", client.url(), output::text(&ready["reasons"]))));
    }
    match client.get("/api/v1/session", &[]).await {
        Ok(me) => findings.push(Good(format!("the token is that of {}", output::text(&me["user"]["name"])))),
        Err(error) => {
            findings.push(Notice(format!("{error:#}; the rest can't be looked at")));
            return;
        }
    }
    if let Ok(trail) = client.get("/api/v1/trail", &[]).await {
        let check = &trail["self_check"];
        match check["state"].as_str() {
            Some("failed") => findings.push(Wrong(format!(
                "the trail is not what it was, first at position {}: {}; keep the data folder as it is and run belfry verify",
                output::text(&check["position"]),
                output::text(&check["what"])
            ))),
            Some("ok") => findings.push(Good(format!("the trail of {} events was checked at {}", trail["size"], output::text(&check["at"])))),
            Some("running") => findings.push(Good(format!("the trail is being checked: {} of {} events", check["size"], check["total"]))),
            _ => findings.push(Notice("the trail is not checked yet".to_owned())),
        }
        let due = check["due_at"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        if due.is_some_and(|due| jiff::Timestamp::now().duration_since(due).as_hours() >= 1) {
            findings.push(Notice(format!(
                "a check of the trail was due at {}; the log says why there was none",
                output::text(&check["due_at"])
            )));
        }
        for witness in trail["witnesses"].as_array().into_iter().flatten() {
            let name = output::text(&witness["name"]);
            let error = output::text(&witness["error"]);
            if witness["contradicts"] == true {
                findings.push(Wrong(format!("the witness {name} has seen another trail: {error}")));
            } else if witness["lost"] == true {
                findings.push(Wrong(format!("the witness {name} is lost: {error}")));
            } else if !error.is_empty() {
                findings.push(Notice(format!("the witness {name} did not cosign: {error}")));
            } else {
                findings.push(Good(format!("the witness {name} cosigned {} events", witness["size"])));
            }
        }
        let behind = trail["size"].as_u64().unwrap_or(0).saturating_sub(trail["indexed_to"].as_u64().unwrap_or(0));
        if behind > 100_000 {
            findings.push(Notice(format!("the index is {behind} events behind the trail")));
        }
    }
    backups(client, findings).await;
    if let Ok(failed) = client.items("/api/v1/deliveries", &[("state", "failed".to_owned())], 1_000).await {
        if failed.is_empty() {
            findings.push(Good("no delivery has failed".to_owned()));
        } else {
            findings.push(Notice(format!("{} deliveries failed: belfry delivery list --state failed", failed.len())));
        }
    }
    if let Ok(sources) = client.items("/api/v1/sources", &[], 1_000).await {
        for source in sources {
            let aside = source["set_aside"].as_u64().unwrap_or(0);
            if aside > 0 {
                let name = output::text(&source["name"]);
                findings.push(Notice(format!(
                    "{aside} records of {name} are set aside: belfry set-aside list --source {name}"
                )));
            }
        }
    }
}
