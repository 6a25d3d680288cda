//! `belfry erasure`

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::Answer;
use crate::output::{self, Column, Format};
use crate::remote::Client;
use crate::resource::{Call, escape};
use crate::retention::{Span, ended, follow};

const PATH: &str = "/api/v1/erasures";
const COLUMNS: &[Column] = &[
    ("REQUESTED", "requested_at"),
    ("STATE", "state"),
    ("FILTER", "filter"),
    ("EVENTS", "removal.events"),
    ("BY", "requested_by"),
    ("DECIDED BY", "decided_by"),
    ("REASON", "reason"),
    ("ID", "id"),
];

pub type Args = Call<Command>;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Requests, newest first
    List,
    /// One request, with some of its events
    Show { erasure: String },
    /// Ask for the erasure of what events say of a person; a second person has to approve it
    Request {
        /// Which events, in KQL; try it with belfry search first
        filter: String,
        #[command(flatten)]
        span: Span,
        /// Goes into the trail; don't name the person
        #[arg(long)]
        reason: String,
    },
    /// Approve what somebody else asked for, and erase
    Approve {
        erasure: String,
        /// How many events are to be erased, as the request says
        #[arg(long)]
        events: Option<u64>,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Refuse a request, or withdraw one's own
    Refuse {
        erasure: String,
        /// Goes into the trail
        #[arg(long)]
        reason: String,
    },
}

pub async fn run(args: Args) -> Result<Answer> {
    let client = args.remote.client()?;
    let format = args.format;
    match args.command {
        Command::List => output::rows(format, COLUMNS, &client.items(PATH, &[], 200).await?)?,
        Command::Show { erasure } => output::one(format, &get(&client, &erasure).await?)?,
        Command::Request { filter, span, reason } => {
            let body = json!({"filter": filter, "from": span.from, "to": span.to, "reason": reason});
            let asked = client.post(PATH, &body).await?;
            let id = asked["id"].as_str().context("the answer has no id")?;
            follow(&client, id).await?;
            let counted = get(&client, id).await?;
            if format == Format::Json {
                return output::one(format, &counted).map(|()| Answer::Yes);
            }
            let events = counted["removal"]["events"].as_u64().unwrap_or(0);
            output::line(id)?;
            output::note(format!(
                "{events} events; a second person approves with:\nbelfry erasure approve {id} --events {events}\n\
                 keep filter and salt, if you may have to show what was asked for:\n{}\n{}",
                output::text(&asked["filter"]),
                output::text(&asked["salt"])
            ));
        }
        Command::Approve { erasure, events, reason } => {
            let Some(events) = events else {
                let counted = get(&client, &erasure).await?["removal"]["events"].as_u64().unwrap_or(0);
                bail!("this erases {counted} events for good; say --events {counted} to confirm");
            };
            let path = format!("{PATH}/{}/approve", escape(&erasure));
            client.post(&path, &json!({"events": events, "reason": reason})).await?;
            return ended(format, &follow(&client, &erasure).await?);
        }
        Command::Refuse { erasure, reason } => {
            client.post(&format!("{PATH}/{}/refuse", escape(&erasure)), &json!({"reason": reason})).await?;
            output::note(format!("erasure {erasure} refused"));
        }
    }
    Ok(Answer::Yes)
}

async fn get(client: &Client, erasure: &str) -> Result<Value> {
    client.get(&format!("{PATH}/{}", escape(erasure)), &[]).await
}
