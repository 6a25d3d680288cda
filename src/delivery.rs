//! `belfry delivery`

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::json;

use crate::Answer;
use crate::output::{self, Column};
use crate::resource::{Call, escape};

const COLUMNS: &[Column] = &[
    ("AT", "created_at"),
    ("STATE", "state"),
    ("CHANNEL", "channel_name"),
    ("TO", "recipient"),
    ("TRIES", "attempts"),
    ("SUBJECT", "subject"),
    ("LAST ANSWER", "last_answer"),
    ("ID", "id"),
];

pub type Args = Call<Command>;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Deliveries, newest first
    List {
        /// waiting, sending, delivered or failed
        #[arg(long)]
        state: Option<String>,
        /// Of this channel (id)
        #[arg(long)]
        channel: Option<String>,
        /// Of this rule (id)
        #[arg(long)]
        rule: Option<String>,
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// One delivery with all its attempts
    Show { id: String },
    /// Send again: these, or all that failed
    Resend {
        ids: Vec<String>,
        /// All failed deliveries
        #[arg(long)]
        failed: bool,
    },
}

pub async fn run(args: Args) -> Result<Answer> {
    let client = args.remote.client()?;
    match args.command {
        Command::List { state, channel, rule, limit } => {
            let filters = [("state", state), ("channel", channel), ("rule", rule)];
            let query: Vec<_> =
                filters.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect();
            let items = client.items("/api/v1/deliveries", &query, limit).await?;
            output::rows(args.format, COLUMNS, &items)?;
        }
        Command::Show { id } => {
            let delivery = client.get(&format!("/api/v1/deliveries/{}", escape(&id)), &[]).await?;
            output::one(args.format, &delivery)?;
        }
        Command::Resend { mut ids, failed } => {
            if failed {
                let all = client.items("/api/v1/deliveries", &[("state", "failed".to_owned())], 10_000).await?;
                ids.extend(all.iter().filter_map(|delivery| delivery["id"].as_str()).map(str::to_owned));
            }
            if ids.is_empty() {
                if failed {
                    output::note("no delivery has failed");
                    return Ok(Answer::Yes);
                }
                bail!("name deliveries, or say --failed");
            }
            let mut resent = 0;
            for some in ids.chunks(500) {
                resent += client.post("/api/v1/deliveries/resend", &json!({"ids": some})).await?["resent"]
                    .as_u64()
                    .unwrap_or(0);
            }
            output::note(format!("{resent} sent again"));
        }
    }
    Ok(Answer::Yes)
}
