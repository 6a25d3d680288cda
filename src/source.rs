//! `belfry source`

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use crate::Answer;
use crate::output::Format;
use crate::remote::Remote;
use crate::resource::{Edit, Kind};

const SOURCES: Kind = Kind {
    noun: "source",
    path: "/api/v1/sources",
    columns: &[
        ("NAME", "name"),
        ("TITLE", "title"),
        ("MAPPING", "mapping"),
        ("ENABLED", "enabled"),
        ("LAST SEEN", "last_seen_at"),
        ("EVENTS", "events_total"),
        ("SET ASIDE", "set_aside"),
    ],
    editable: &["name", "title", "mapping", "enabled"],
    key: "name",
};

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
    /// All sources, with when each was last heard of
    List,
    /// One source
    Show { source: String },
    /// Name a new source
    Create {
        name: String,
        /// The mapping that reads its records
        #[arg(long)]
        mapping: String,
        #[arg(long)]
        title: Option<String>,
    },
    /// Change a source: --set enabled=false, --set mapping=cef
    Update {
        source: String,
        #[command(flatten)]
        edit: Edit,
    },
    /// Delete a source; its events stay
    Delete { source: String },
}

pub async fn run(args: Args) -> Result<Answer> {
    let client = args.remote.client()?;
    match args.command {
        Command::List => SOURCES.list(&client, args.format).await?,
        Command::Show { source } => SOURCES.show(&client, &source, args.format).await?,
        Command::Create { name, mapping, title } => {
            let title = title.unwrap_or_else(|| name.clone());
            SOURCES
                .create(
                    &client,
                    &json!({"name": name, "title": title, "mapping": mapping, "enabled": true}),
                    args.format,
                )
                .await?;
        }
        Command::Update { source, edit } => SOURCES.update(&client, &source, &edit, args.format).await?,
        Command::Delete { source } => SOURCES.delete(&client, &source).await?,
    }
    Ok(Answer::Yes)
}
