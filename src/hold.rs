//! `belfry hold`

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::json;

use crate::Answer;
use crate::output;
use crate::resource::{Call, Kind};
use crate::retention::Span;

const HOLDS: Kind = Kind {
    noun: "hold",
    path: "/api/v1/holds",
    columns: &[
        ("NAME", "name"),
        ("FILTER", "filter"),
        ("FROM", "from"),
        ("TO", "to"),
        ("PLACED BY", "placed_by"),
        ("RELEASED BY", "released_by"),
        ("REASON", "reason"),
        ("ID", "id"),
    ],
    editable: &[],
    key: "id",
};

pub type Args = Call<Command>;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Holds that stand, then those that were released
    List,
    /// Place a hold: what its filter picks is not removed, by retention or by erasure, until it is released
    Place {
        name: String,
        /// Which events, in KQL; '' for every event
        #[arg(long)]
        filter: String,
        #[command(flatten)]
        span: Span,
        /// Goes into the trail
        #[arg(long)]
        reason: String,
    },
    /// Release a hold; its filter is forgotten
    Release {
        hold: String,
        /// Goes into the trail
        #[arg(long)]
        reason: String,
    },
}

pub async fn run(args: Args) -> Result<Answer> {
    let client = args.remote.client()?;
    match args.command {
        Command::List => HOLDS.list(&client, args.format).await?,
        Command::Place { name, filter, span, reason } => {
            let body = json!({"name": name, "filter": filter, "from": span.from, "to": span.to, "reason": reason});
            HOLDS.create(&client, &body, args.format).await?;
        }
        Command::Release { hold, reason } => {
            let path = HOLDS.path_of(&client, &hold).await?;
            let released = client.post(&format!("{path}/release"), &json!({"reason": reason})).await?;
            let name = released["name"].as_str().context("the answer has no name")?;
            output::note(format!("hold {name} released"));
        }
    }
    Ok(Answer::Yes)
}
