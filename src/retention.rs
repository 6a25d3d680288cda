//! `belfry retention`

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::Answer;
use crate::output::{self, Column, Format};
use crate::remote::Client;
use crate::resource::{Call, escape};

const POLICIES: &[Column] =
    &[("CATEGORY", "category"), ("KEEP", "keep"), ("NOTE", "note"), ("CHANGED", "updated_at"), ("BY", "updated_by")];
const REMOVALS: &[Column] = &[
    ("AT", "at"),
    ("STATE", "state"),
    ("EVENTS", "events"),
    ("REMOVED", "removed"),
    ("BY", "by"),
    ("REASON", "reason"),
    ("ID", "id"),
];

pub type Args = Call<Command>;

/// Of which time the events are that a hold keeps or an erasure removes.
#[derive(Debug, clap::Args)]
pub struct Span {
    /// The earliest @timestamp: RFC 3339, YYYY-MM-DD, or now-7d
    #[arg(long)]
    pub from: Option<String>,
    /// The latest @timestamp, exclusive
    #[arg(long)]
    pub to: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// How long each category is kept; categories without a policy are kept for ever
    List,
    /// Set how long a category is kept: belfry retention set session 90d
    Set {
        /// event.category, or '*' for all categories that have no policy of their own
        category: String,
        /// 12h, 30d, 26w or 7y, counted from when an event came in
        keep: String,
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Take a policy away
    Remove { category: String },
    /// When the policies are applied by themselves: a time of day in UTC (03:30), or off
    Schedule { at: String },
    /// Count what the policies would remove now; nothing is removed
    Preview,
    /// Remove what a preview counted
    Apply {
        /// The id that preview printed
        removal: String,
        /// How many events are to be removed, as the preview said
        #[arg(long)]
        events: Option<u64>,
        /// Goes into the trail
        #[arg(long)]
        reason: String,
    },
    /// What was removed, and what is counted or under way
    Runs,
    /// Call a removal off; what was removed until then stays removed
    Cancel { removal: String },
    /// Take up a removal that failed, where it stood
    Resume { removal: String },
}

pub async fn run(args: Args) -> Result<Answer> {
    let client = args.remote.client()?;
    let format = args.format;
    match args.command {
        Command::List => {
            let retention = client.get("/api/v1/retention", &[]).await?;
            let policies = retention["policies"].as_array().cloned().unwrap_or_default();
            output::rows(format, POLICIES, &policies)?;
            let applied = match retention["daily_at"].as_str() {
                Some(at) => format!("applied every day at {at} UTC"),
                None => "applied only when asked".to_owned(),
            };
            output::note(format!("everything else is kept for ever; {applied}"));
        }
        Command::Set { category, keep, note } => {
            let path = format!("/api/v1/retention/policies/{}", escape(&category));
            output::one(format, &client.put(&path, &json!({"keep": keep, "note": note})).await?)?;
        }
        Command::Remove { category } => {
            client.delete(&format!("/api/v1/retention/policies/{}", escape(&category))).await?;
            output::note(format!("policy of {category} taken away"));
        }
        Command::Schedule { at } => {
            let daily_at = if at == "off" { Value::Null } else { json!(at) };
            let retention = client.put("/api/v1/retention/schedule", &json!({"daily_at": daily_at})).await?;
            let next = retention["next_at"].as_str().map(|next| format!("; next at {next}")).unwrap_or_default();
            output::note(format!("the policies are applied at {at}{next}"));
        }
        Command::Preview => {
            let begun = client.post("/api/v1/retention/preview", &json!({})).await?;
            let counted = follow(&client, &id(&begun)?).await?;
            preview(format, &counted)?;
        }
        Command::Apply { removal, events, reason } => {
            let path = format!("/api/v1/removals/{}", escape(&removal));
            let counted = client.get(&path, &[]).await?["events"].as_u64().unwrap_or(0);
            let Some(events) = events else {
                bail!("this removes {counted} events for good; say --events {counted} to confirm");
            };
            client.post(&format!("{path}/apply"), &json!({"events": events, "reason": reason})).await?;
            return ended(format, &follow(&client, &removal).await?);
        }
        Command::Runs => output::rows(format, REMOVALS, &client.items("/api/v1/removals", &[], 200).await?)?,
        Command::Cancel { removal } => {
            client.post(&format!("/api/v1/removals/{}/cancel", escape(&removal)), &json!({})).await?;
            output::note(format!("removal {removal} is called off"));
        }
        Command::Resume { removal } => {
            client.post(&format!("/api/v1/removals/{}/resume", escape(&removal)), &json!({})).await?;
            return ended(format, &follow(&client, &removal).await?);
        }
    }
    Ok(Answer::Yes)
}

fn id(thing: &Value) -> Result<String> {
    thing["id"].as_str().map(str::to_owned).context("the answer has no id")
}

/// Waits until a removal is counted or over, and shows how far it is; an interrupt calls it off.
pub async fn follow(client: &Client, removal: &str) -> Result<Value> {
    let path = format!("/api/v1/removals/{}", escape(removal));
    let mut pause = Duration::from_millis(50);
    loop {
        let state = client.get(&path, &[]).await?;
        let number = |name: &str| state[name].as_u64().unwrap_or(0);
        match state["state"].as_str() {
            Some("counting") => output::progress(format!("{} of {} events looked at", number("done"), number("size"))),
            Some("running") => output::progress(format!("{} of {} events removed", number("done"), number("events"))),
            _ => {
                output::progress_end();
                return Ok(state);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                client.post(&format!("{path}/cancel"), &json!({})).await?;
                bail!("called off; what was removed until now stays removed");
            }
        }
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// Shows what would be removed, and what would not.
fn preview(format: Format, counted: &Value) -> Result<()> {
    if format == Format::Json {
        return output::one(format, counted);
    }
    let number = |name: &str| counted[name].as_u64().unwrap_or(0);
    let categories = counted["categories"].as_array().cloned().unwrap_or_default();
    output::rows(format, &[("CATEGORY", "category"), ("EVENTS", "events")], &categories)?;
    for held in counted["held"].as_array().into_iter().flatten() {
        output::note(format!("{} events are kept by the hold {}", held["events"], output::text(&held["name"])));
    }
    if number("protected") > 0 {
        output::note(format!("{} records of the trail's own keeping stay", number("protected")));
    }
    match (counted["first_position"].as_u64(), counted["last_position"].as_u64()) {
        (Some(first), Some(last)) => output::note(format!(
            "{} events of {} bytes, from position {first} to {last}; to remove them:\nbelfry retention apply {} --events {} --reason …",
            number("events"),
            number("bytes"),
            output::text(&counted["id"]),
            number("events")
        )),
        _ => output::note("there is nothing to remove"),
    }
    Ok(())
}

/// Says how a removal ended.
pub fn ended(format: Format, removal: &Value) -> Result<Answer> {
    if format == Format::Json {
        output::one(format, removal)?;
    }
    let number = |name: &str| removal[name].as_u64().unwrap_or(0);
    match removal["state"].as_str() {
        Some("done") => {
            let told = removal["event_position"].as_u64().map(|at| format!("; the event at position {at} tells of it"));
            output::note(format!("{} events removed{}", number("removed"), told.unwrap_or_default()));
            Ok(Answer::Yes)
        }
        state => bail!(
            "the removal is {} after {} of {} events: {}",
            state.unwrap_or("lost"),
            number("removed"),
            number("events"),
            removal["error"].as_str().or(removal["ended_by"].as_str()).unwrap_or("no reason is known")
        ),
    }
}
