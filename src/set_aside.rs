//! `belfry set-aside`

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use futures::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::Answer;
use crate::output::{self, Column};
use crate::remote::Client;
use crate::resource::{Call, escape};

const COLUMNS: &[Column] = &[
    ("RECEIVED", "received_at"),
    ("SOURCE", "source"),
    ("REASON", "reason"),
    ("RECORD", "record"),
    ("STATE", "state"),
    ("ID", "id"),
];
const GROUP_COLUMNS: &[Column] = &[
    ("RECORDS", "records"),
    ("SOURCE", "source"),
    ("KIND OF REASON", "kind"),
    ("FIRST", "first_at"),
    ("LAST", "last_at"),
    ("SENDERS", "peers"),
    ("GROUP", "id"),
];
const PATH: &str = "/api/v1/set-aside";

pub type Args = Call<Command>;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Groups of one kind of reason, the largest first
    Groups {
        #[arg(long)]
        source: Option<String>,
        #[arg(long, default_value_t = 200)]
        limit: usize,
    },
    /// Records that could not be understood, newest first
    List {
        #[arg(long)]
        source: Option<String>,
        /// A group, as `groups` names it
        #[arg(long)]
        group: Option<String>,
        /// open, replayed or discarded
        #[arg(long, default_value = "open")]
        state: String,
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Write records to standard output, one JSON object a line
    Export {
        #[arg(long)]
        source: Option<String>,
        #[arg(long)]
        group: Option<String>,
        /// open, replayed or discarded
        #[arg(long, default_value = "open")]
        state: String,
    },
    /// Read them again, after the mapping was mended
    Replay {
        ids: Vec<String>,
        /// All open ones of this source
        #[arg(long, conflicts_with = "ids")]
        source: Option<String>,
        /// All open ones of this group
        #[arg(long, conflicts_with_all = ["ids", "source"])]
        group: Option<String>,
    },
    /// Give them up, with a reason that goes into the trail
    Discard {
        ids: Vec<String>,
        /// All open ones of this group
        #[arg(long, conflicts_with = "ids")]
        group: Option<String>,
        #[arg(long)]
        reason: String,
    },
}

pub async fn run(args: Args) -> Result<Answer> {
    let client = args.remote.client()?;
    match args.command {
        Command::Groups { source, limit } => {
            let query: Vec<_> = source.map(|source| ("source", source)).into_iter().collect();
            let items = client.items(&format!("{PATH}/groups"), &query, limit).await?;
            output::rows(args.format, GROUP_COLUMNS, &items)?;
        }
        Command::List { source, group, state, limit } => {
            let items = client.items(PATH, &query(source, group, state), limit).await?;
            output::rows(args.format, COLUMNS, &items)?;
        }
        Command::Export { source, group, state } => export(&client, &query(source, group, state)).await?,
        Command::Replay { ids, source, group } => {
            let body = match (&source, &group) {
                (Some(source), _) => json!({"source": source}),
                (None, Some(group)) => json!({"group": group}),
                (None, None) if ids.is_empty() => {
                    bail!("name records, a source with --source, or a group with --group")
                }
                (None, None) => json!({"ids": ids}),
            };
            return replay(&client, &body).await;
        }
        Command::Discard { ids, group, reason } => {
            let body = match &group {
                Some(group) => json!({"group": group, "reason": reason}),
                None if ids.is_empty() => bail!("name records, or a group with --group"),
                None => json!({"ids": ids, "reason": reason}),
            };
            let answer = client.post(&format!("{PATH}/discard"), &body).await?;
            output::note(format!("{} discarded", answer["discarded"].as_u64().unwrap_or(0)));
        }
    }
    Ok(Answer::Yes)
}

fn query(source: Option<String>, group: Option<String>, state: String) -> Vec<(&'static str, String)> {
    let mut query = vec![("state", state)];
    query.extend(source.map(|source| ("source", source)));
    query.extend(group.map(|group| ("group", group)));
    query
}

async fn export(client: &Client, query: &[(&str, String)]) -> Result<()> {
    let request = client.request(Method::GET, &format!("{PATH}/export")).query(query);
    let mut pieces = client.send(request).await?.bytes_stream();
    let mut out = std::io::stdout();
    while let Some(piece) = pieces.next().await {
        out.write_all(&piece.context("the export was broken off")?)?;
    }
    out.flush()?;
    Ok(())
}

/// Starts a replay and follows it. Ctrl C stops it; what was replayed until then stays.
async fn replay(client: &Client, body: &Value) -> Result<Answer> {
    let started = client.post(&format!("{PATH}/replays"), body).await?;
    let path = format!("{PATH}/replays/{}", escape(started["id"].as_str().context("the answer names no replay")?));
    let mut job = started;
    let number = |job: &Value, name: &str| job[name].as_u64().unwrap_or(0);
    while job["state"] == "running" {
        output::progress(format!("{} of {} records", number(&job, "done"), number(&job, "total")));
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(300)) => job = client.get(&path, &[]).await?,
            _ = tokio::signal::ctrl_c() => job = client.delete(&path).await?,
        }
    }
    output::progress_end();
    let (replayed, left_out, still) =
        (number(&job, "replayed"), number(&job, "left_out"), number(&job, "still_set_aside"));
    let mut told = format!("{replayed} replayed, {still} still set aside");
    if left_out > 0 {
        told.push_str(&format!(", {left_out} left out by the mapping"));
    }
    output::note(told);
    for reason in job["reasons"].as_array().into_iter().flatten() {
        output::note(format!("  {} × {}", output::text(&reason["records"]), output::text(&reason["reason"])));
    }
    match job["state"].as_str() {
        Some("cancelled") => bail!("stopped before all were reached; the rest is still set aside"),
        Some("failed") => bail!("the replay could not go on: {}", output::text(&job["error"])),
        _ => Ok(if still == 0 { Answer::Yes } else { Answer::No }),
    }
}
