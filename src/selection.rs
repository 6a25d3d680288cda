//! `belfry selection`

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::Answer;
use crate::output::{self, Column, Format};
use crate::remote::Client;
use crate::resource::{Call, escape};

const PATH: &str = "/api/v1/selection";
const RULES: &[Column] = &[
    ("ID", "id"),
    ("SOURCE", "source"),
    ("TYPE", "action"),
    ("FILTER", "filter"),
    ("ENABLED", "enabled"),
    ("LEFT OUT TODAY", "left_out_day"),
    ("IN ALL", "left_out_total"),
    ("REASON", "reason"),
];
const COUNTS: &[Column] = &[("HOUR", "hour"), ("SOURCE", "source"), ("TYPE", "action"), ("EVENTS", "events")];
const TYPES: &[Column] = &[("TYPE", "action"), ("TITLE", "title"), ("EVENTS", "events")];

pub type Args = Call<Command>;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// All rules, with what they leave out
    List,
    /// One rule, with what it left out by hour and type
    Show { rule: String },
    /// How much of the last days a rule would have left out, by type
    Preview {
        #[command(flatten)]
        what: What,
        #[arg(long, default_value_t = 7)]
        days: u32,
    },
    /// Leave events out from now on. They are not kept, and can't be had back
    LeaveOut {
        #[command(flatten)]
        what: What,
        /// Why they are not kept; goes into the trail
        #[arg(long)]
        reason: String,
    },
    /// Keep what a rule leaves out, and keep the rule
    Disable { rule: String },
    /// Put a rule in force again
    Enable { rule: String },
    /// Remove a rule: all it left out is kept from now on
    Remove { rule: String },
}

#[derive(Debug, clap::Args)]
pub struct What {
    /// The source, or * for all; events stands for events without a source
    #[arg(long)]
    source: String,
    /// A type, or a pattern such as 'vault.*'
    #[arg(long = "type", default_value = "")]
    action: String,
    /// A filter that must hold as well
    #[arg(long, default_value = "")]
    filter: String,
}

impl What {
    fn body(&self) -> Value {
        json!({"source": self.source, "action": self.action, "filter": self.filter})
    }
}

pub async fn run(args: Args) -> Result<Answer> {
    let client = args.remote.client()?;
    match args.command {
        Command::List => output::rows(args.format, RULES, &client.items(PATH, &[], 10_000).await?)?,
        Command::Show { rule } => {
            let shown = client.get(&path(&client, &rule).await?, &[]).await?;
            if args.format == Format::Json {
                output::one(args.format, &shown)?;
            } else {
                output::one(args.format, &shown["rule"])?;
                output::line("")?;
                output::rows(args.format, COUNTS, shown["counts"].as_array().map_or(&[], Vec::as_slice))?;
            }
        }
        Command::Preview { what, days } => {
            let mut body = what.body();
            body["days"] = json!(days);
            let preview = client.post(&format!("{PATH}/preview"), &body).await?;
            if args.format == Format::Json {
                output::one(args.format, &preview)?;
            } else {
                output::rows(args.format, TYPES, preview["by_type"].as_array().map_or(&[], Vec::as_slice))?;
                let more = if preview["truncated"] == true { ", and perhaps more" } else { "" };
                output::note(format!("{} of {} events of {days} days{more}", preview["events"], preview["of"]));
            }
        }
        Command::LeaveOut { what, reason } => {
            let mut body = what.body();
            body["reason"] = json!(reason);
            output::one(args.format, &client.post(PATH, &body).await?)?;
        }
        Command::Disable { rule } => switch(&client, &rule, false, args.format).await?,
        Command::Enable { rule } => switch(&client, &rule, true, args.format).await?,
        Command::Remove { rule } => {
            client.delete(&path(&client, &rule).await?).await?;
            output::note(format!("rule {rule} removed; what it left out is kept from now on"));
        }
    }
    Ok(Answer::Yes)
}

/// Where a rule is, by its id or the end of it.
async fn path(client: &Client, rule: &str) -> Result<String> {
    Ok(format!("{PATH}/{}", escape(text(&find(client, rule).await?, "id"))))
}

async fn find(client: &Client, rule: &str) -> Result<Value> {
    let all = client.items(PATH, &[], 10_000).await?;
    let mut fitting = all.iter().filter(|known| known["id"].as_str().is_some_and(|id| id.ends_with(rule)));
    match (fitting.next(), fitting.next()) {
        (Some(found), None) => Ok(found.clone()),
        (Some(_), Some(_)) => anyhow::bail!("several rules end in {rule}"),
        (None, _) => None.with_context(|| format!("there is no selection rule {rule}; see belfry selection list")),
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

async fn switch(client: &Client, rule: &str, enabled: bool, format: Format) -> Result<()> {
    let found = find(client, rule).await?;
    let body = json!({
        "source": found["source"], "action": found["action"], "filter": found["filter"], "reason": found["reason"],
        "enabled": enabled,
    });
    output::one(format, &client.put(&format!("{PATH}/{}", escape(text(&found, "id"))), &body).await?)
}
