//! `belfry set-aside`

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::json;

use crate::Answer;
use crate::output::{self, Column, Format};
use crate::remote::Remote;

const COLUMNS: &[Column] = &[
    ("RECEIVED", "received_at"),
    ("SOURCE", "source"),
    ("REASON", "reason"),
    ("RECORD", "record"),
    ("STATE", "state"),
    ("ID", "id"),
];

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    /// How to show results
    #[arg(long, value_enum, default_value_t, global = true)]
    format: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Records that could not be understood, newest first
    List {
        #[arg(long)]
        source: Option<String>,
        /// open, replayed or discarded
        #[arg(long, default_value = "open")]
        state: String,
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Read them again, after the mapping was mended
    Replay {
        ids: Vec<String>,
        /// All open ones of this source
        #[arg(long)]
        source: Option<String>,
    },
    /// Give them up, with a reason that goes into the trail
    Discard {
        #[arg(required = true)]
        ids: Vec<String>,
        #[arg(long)]
        reason: String,
    },
}

pub async fn run(args: Args) -> Result<Answer> {
    let client = args.remote.client()?;
    match args.command {
        Command::List { source, state, limit } => {
            let mut query = vec![("state", state)];
            query.extend(source.map(|source| ("source", source)));
            let items = client.items("/api/v1/set-aside", &query, limit).await?;
            output::rows(args.format, COLUMNS, &items)?;
        }
        Command::Replay { ids, source } => {
            if ids.is_empty() && source.is_none() {
                bail!("name records, or a source with --source");
            }
            let body = match &source {
                Some(source) => json!({"source": source}),
                None => json!({"ids": ids}),
            };
            let (mut replayed, mut still) = (0, 0);
            loop {
                let answer = client.post("/api/v1/set-aside/replay", &body).await?;
                let now = answer["replayed"].as_u64().unwrap_or(0);
                replayed += now;
                still = answer["still_set_aside"].as_u64().unwrap_or(still);
                // One call takes a bounded number; go on as long as that gets anywhere.
                if answer["more"] != true || now == 0 {
                    break;
                }
            }
            output::note(format!("{replayed} replayed, {still} still set aside"));
            return Ok(if still == 0 { Answer::Yes } else { Answer::No });
        }
        Command::Discard { ids, reason } => {
            let answer = client.post("/api/v1/set-aside/discard", &json!({"ids": ids, "reason": reason})).await?;
            output::note(format!("{} discarded", answer["discarded"].as_u64().unwrap_or(0)));
        }
    }
    Ok(Answer::Yes)
}
