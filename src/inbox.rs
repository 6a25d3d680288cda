//! `belfry inbox`

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::json;

use crate::Answer;
use crate::output::{self, Column};
use crate::resource::Call;

const COLUMNS: &[Column] = &[
    ("AT", "at"),
    ("SEVERITY", "severity_name"),
    ("SUBJECT", "subject"),
    ("READ", "read_at"),
    ("ACKNOWLEDGED BY", "acknowledged_by"),
    ("ID", "id"),
];

pub type Args = Call<Command>;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Notifications, newest first
    List {
        /// Only what is not read
        #[arg(long)]
        unread: bool,
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Mark as read
    Read(Which),
    /// Acknowledge: somebody looks after it
    Acknowledge(Which),
    /// Delete, for everybody
    Delete(Which),
}

#[derive(Debug, clap::Args)]
pub struct Which {
    ids: Vec<String>,
    /// All that are in the inbox
    #[arg(long)]
    all: bool,
}

pub async fn run(args: Args) -> Result<Answer> {
    let client = args.remote.client()?;
    let (verb, which) = match args.command {
        Command::List { unread, limit } => {
            let query = if unread { vec![("unread", "true".to_owned())] } else { Vec::new() };
            let items = client.items("/api/v1/inbox", &query, limit).await?;
            output::rows(args.format, COLUMNS, &items)?;
            return Ok(Answer::Yes);
        }
        Command::Read(which) => ("read", which),
        Command::Acknowledge(which) => ("acknowledge", which),
        Command::Delete(which) => ("delete", which),
    };
    if which.ids.is_empty() && !which.all {
        bail!("name notifications, or say --all");
    }
    let body = if which.all { json!({"all": true}) } else { json!({"ids": which.ids}) };
    let changed = client.post(&format!("/api/v1/inbox/{verb}"), &body).await?;
    output::note(format!("{} changed", changed["changed"].as_u64().unwrap_or(0)));
    Ok(Answer::Yes)
}
