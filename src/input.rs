//! `belfry input`

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use crate::Answer;
use crate::resource::{Call, Edit, Kind, put_settings};

const INPUTS: Kind = Kind {
    noun: "input",
    path: "/api/v1/inputs",
    columns: &[
        ("NAME", "name"),
        ("KIND", "kind"),
        ("SOURCE", "source"),
        ("STATE", "state"),
        ("RECORDS", "records"),
        ("SET ASIDE", "rejected"),
        ("LAST", "last_at"),
        ("LAST ERROR", "last_error"),
    ],
    editable: &["name", "kind", "source", "settings", "enabled"],
    key: "id",
};

pub type Args = Call<Command>;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// All inputs, and what they do now
    List,
    /// One input, with how far it has read; its secrets are hidden
    Show { input: String },
    /// Make an input
    ///
    /// files: paths, from (begin|end), record_start. journald: units, directory, from. nats: servers, subjects, queue,
    /// stream, durable, tls, certificate_authority, token, username, password. kafka: brokers, topics, from, tls,
    /// certificate_authority, username, password.
    Add {
        name: String,
        /// files, journald, nats or kafka
        #[arg(long)]
        kind: String,
        /// The source whose mapping reads the records; without it each finds its own, as a syslog message does
        #[arg(long, default_value = "")]
        source: String,
        /// One setting: paths=["/var/log/app/*.log"]; a value that is JSON is taken as JSON; @FILE reads it from a file
        #[arg(long = "setting", value_name = "NAME=VALUE")]
        settings: Vec<String>,
        #[command(flatten)]
        edit: Edit,
    },
    /// Change an input: --set enabled=false, --set settings.paths=[…]
    Update {
        input: String,
        #[command(flatten)]
        edit: Edit,
    },
    /// Try whether it could read
    Test { input: String },
    /// Remove an input; its events stay
    Remove { input: String },
}

pub async fn run(args: Args) -> Result<Answer> {
    let client = args.remote.client()?;
    match args.command {
        Command::List => INPUTS.list(&client, args.format).await?,
        Command::Show { input } => INPUTS.show(&client, &input, args.format).await?,
        Command::Add { name, kind, source, settings, edit } => {
            let mut body = json!({"name": name, "kind": kind, "source": source, "enabled": true, "settings": {}});
            put_settings(&mut body, &settings)?;
            edit.apply(&mut body)?;
            INPUTS.create(&client, &body, args.format).await?;
        }
        Command::Update { input, edit } => INPUTS.update(&client, &input, &edit, args.format).await?,
        Command::Test { input } => {
            if INPUTS.test(&client, &input, args.format).await?["ok"] != true {
                return Ok(Answer::No);
            }
        }
        Command::Remove { input } => INPUTS.delete(&client, &input).await?,
    }
    Ok(Answer::Yes)
}
