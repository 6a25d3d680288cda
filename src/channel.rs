//! `belfry channel`

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use crate::Answer;
use crate::resource::{Call, Edit, Kind, put_settings};

pub const CHANNELS: Kind = Kind {
    noun: "channel",
    path: "/api/v1/channels",
    columns: &[
        ("NAME", "name"),
        ("KIND", "kind"),
        ("ENABLED", "enabled"),
        ("LAST OK", "last_ok_at"),
        ("LAST ERROR", "last_error"),
        ("ID", "id"),
    ],
    editable: &["name", "kind", "settings", "enabled"],
    key: "id",
};

pub type Args = Call<Command>;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// All channels
    List,
    /// One channel; its secrets are hidden
    Show { channel: String },
    /// Make a channel
    ///
    /// email: host, port, security (starttls|tls|none), username, password, from, to. slack, teams: url. webhook: url.
    /// inbox: nothing.
    Create {
        name: String,
        /// email, slack, teams, webhook or inbox
        #[arg(long)]
        kind: String,
        /// One setting: url=https://…; a value that is JSON is taken as JSON; @FILE reads it from a file
        #[arg(long = "setting", value_name = "NAME=VALUE")]
        settings: Vec<String>,
        #[command(flatten)]
        edit: Edit,
    },
    /// Change a channel: --set enabled=false, --set settings.url=https://…
    Update {
        channel: String,
        #[command(flatten)]
        edit: Edit,
    },
    /// Send a test message
    Test { channel: String },
    /// Delete a channel
    Delete { channel: String },
}

pub async fn run(args: Args) -> Result<Answer> {
    let client = args.remote.client()?;
    match args.command {
        Command::List => CHANNELS.list(&client, args.format).await?,
        Command::Show { channel } => CHANNELS.show(&client, &channel, args.format).await?,
        Command::Create { name, kind, settings, edit } => {
            let mut body = json!({"name": name, "kind": kind, "enabled": true, "settings": {}});
            put_settings(&mut body, &settings)?;
            edit.apply(&mut body)?;
            CHANNELS.create(&client, &body, args.format).await?;
        }
        Command::Update { channel, edit } => CHANNELS.update(&client, &channel, &edit, args.format).await?,
        Command::Test { channel } => {
            if CHANNELS.test(&client, &channel, args.format).await?["state"] != "delivered" {
                return Ok(Answer::No);
            }
        }
        Command::Delete { channel } => CHANNELS.delete(&client, &channel).await?,
    }
    Ok(Answer::Yes)
}
