//! `belfry application`

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::Answer;
use crate::duration;
use crate::output::{self, Column, Format};
use crate::remote::Client;
use crate::resource::{Call, Edit, Kind, escape};

const APPLICATIONS: Kind = Kind {
    noun: "application",
    path: "/api/v1/applications",
    columns: &[
        ("NAME", "name"),
        ("TITLE", "title"),
        ("OWNER", "owner"),
        ("ENABLED", "enabled"),
        ("DEVICES", "devices"),
        ("LAST SEEN", "last_seen_at"),
    ],
    editable: &["name", "title", "description", "owner", "enabled"],
    key: "name",
};

const DEVICES: &[Column] = &[
    ("NAME", "name"),
    ("SUSPENDED", "suspended"),
    ("LAST SEEN", "last_seen_at"),
    ("FROM", "last_address"),
    ("LOCKED TO", "networks"),
    ("EVENTS", "events_total"),
    ("VERSION", "version"),
    ("ID", "id"),
];
const ENROLMENTS: &[Column] = &[
    ("DEVICE", "device"),
    ("EXPIRES", "expires_at"),
    ("MADE BY", "created_by"),
    ("LOCKED TO", "networks"),
    ("TO FIRST ADDRESS", "lock_to_first_address"),
    ("ID", "id"),
];

pub type Args = Call<Command>;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// All applications
    List,
    /// One application, with what is shared with it
    Show { application: String },
    /// Register an application
    #[command(visible_alias = "create")]
    Add {
        name: String,
        #[arg(long)]
        title: Option<String>,
        #[arg(long)]
        description: Option<String>,
        /// Who answers for it
        #[arg(long)]
        owner: Option<String>,
        /// A source it may send to; events stands for events that need no source. Several times for several
        #[arg(long)]
        source: Vec<String>,
    },
    /// Change an application: --set enabled=false, --set owner=…
    Update {
        application: String,
        #[command(flatten)]
        edit: Edit,
    },
    /// Remove an application with its devices; what it sent stays
    #[command(visible_alias = "delete")]
    Remove { application: String },
    /// Share a source or mapping with an application
    Share {
        application: String,
        #[command(flatten)]
        what: What,
        /// Of a source: send, read. Of a mapping: read, change. Separated by commas
        #[arg(long, required = true, value_delimiter = ',')]
        rights: Vec<String>,
    },
    /// Take a source or mapping from an application
    Unshare {
        application: String,
        #[command(flatten)]
        what: What,
    },
    /// Make a one-time token for a device. It is printed alone on standard output, once
    Enroll {
        application: String,
        /// What the device will be called
        #[arg(long)]
        device: Option<String>,
        /// How long the token can be redeemed
        #[arg(long, default_value = "1d", value_parser = duration::parse)]
        valid: std::time::Duration,
        /// Lock the device to the address it enrols from
        #[arg(long)]
        lock: bool,
        /// Address or network the device may come from; several times for several
        #[arg(long)]
        network: Vec<String>,
    },
    /// One-time tokens that wait to be redeemed
    Enrolments { application: String },
    /// Take a one-time token back
    Cancel { application: String, enrolment: String },
    /// The devices of an application
    Devices { application: String },
    /// Keep a device out until it is resumed
    Suspend { application: String, device: String },
    /// Let a suspended device in again
    Resume { application: String, device: String },
    /// Say where a device may come from; without a network: from anywhere
    Lock { application: String, device: String, networks: Vec<String> },
    /// Remove a device: its credential is worth nothing from then on
    RemoveDevice { application: String, device: String },
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct What {
    #[arg(long)]
    source: Option<String>,
    #[arg(long)]
    mapping: Option<String>,
}

impl What {
    fn kind_and_name(&self) -> Result<(&'static str, &str)> {
        match (&self.source, &self.mapping) {
            (Some(name), _) => Ok(("source", name)),
            (None, Some(name)) => Ok(("mapping", name)),
            (None, None) => bail!("name --source or --mapping"),
        }
    }
}

pub async fn run(args: Args) -> Result<Answer> {
    let client = args.remote.client()?;
    match args.command {
        Command::List => APPLICATIONS.list(&client, args.format).await?,
        Command::Show { application } => APPLICATIONS.show(&client, &application, args.format).await?,
        Command::Add { name, title, description, owner, source } => {
            let grants: Vec<Value> =
                source.iter().map(|name| json!({"kind": "source", "name": name, "rights": ["send"]})).collect();
            let body = json!({
                "name": name,
                "title": title.unwrap_or_default(),
                "description": description.unwrap_or_default(),
                "owner": owner.unwrap_or_default(),
                "grants": grants,
            });
            APPLICATIONS.create(&client, &body, args.format).await?;
        }
        Command::Update { application, edit } => APPLICATIONS.update(&client, &application, &edit, args.format).await?,
        Command::Remove { application } => APPLICATIONS.delete(&client, &application).await?,
        Command::Share { application, what, rights } => {
            let (kind, name) = what.kind_and_name()?;
            let body = json!({"kind": kind, "name": name, "rights": rights});
            output::one(args.format, &client.put(&path(&application, "grants"), &body).await?)?;
        }
        Command::Unshare { application, what } => {
            let (kind, name) = what.kind_and_name()?;
            client.delete(&path(&application, &format!("grants/{kind}/{}", escape(name)))).await?;
            output::note(format!("the {kind} {name} is no longer shared with {application}"));
        }
        Command::Enroll { application, device, valid, lock, network } => {
            let body = json!({
                "device": device,
                "valid_seconds": valid.as_secs(),
                "lock_to_first_address": lock,
                "networks": network,
            });
            let made = client.post(&path(&application, "enrolments"), &body).await?;
            match args.format {
                Format::Table => {
                    output::line(made["token"].as_str().unwrap_or_default())?;
                    let until = made["expires_at"].as_str().unwrap_or_default();
                    output::note(format!(
                        "good for one device until {until}: belfry enroll --url {} --token …",
                        client.url()
                    ));
                }
                format => output::one(format, &made)?,
            }
        }
        Command::Enrolments { application } => {
            output::rows(
                args.format,
                ENROLMENTS,
                &client.items(&path(&application, "enrolments"), &[], 10_000).await?,
            )?;
        }
        Command::Cancel { application, enrolment } => {
            client.delete(&path(&application, &format!("enrolments/{}", escape(&enrolment)))).await?;
            output::note(format!("enrolment {enrolment} taken back"));
        }
        Command::Devices { application } => {
            output::rows(args.format, DEVICES, &devices(&client, &application).await?)?;
        }
        Command::Suspend { application, device } => {
            change(&client, &application, &device, &json!({"suspended": true}), args.format).await?;
        }
        Command::Resume { application, device } => {
            change(&client, &application, &device, &json!({"suspended": false}), args.format).await?;
        }
        Command::Lock { application, device, networks } => {
            change(&client, &application, &device, &json!({"networks": networks}), args.format).await?;
        }
        Command::RemoveDevice { application, device } => {
            client.delete(&device_path(&client, &application, &device).await?).await?;
            output::note(format!("device {device} removed"));
        }
    }
    Ok(Answer::Yes)
}

fn path(application: &str, rest: &str) -> String {
    format!("{}/{}/{rest}", APPLICATIONS.path, escape(application))
}

async fn devices(client: &Client, application: &str) -> Result<Vec<Value>> {
    client.items(&path(application, "devices"), &[], 10_000).await
}

/// Where a device is, by its id or name.
async fn device_path(client: &Client, application: &str, device: &str) -> Result<String> {
    let all = devices(client, application).await?;
    let found = all.iter().find(|known| known["id"] == device || known["name"] == device);
    let id = found.and_then(|known| known["id"].as_str());
    let id = id.with_context(|| format!("{application} has no device {device}"))?;
    Ok(path(application, &format!("devices/{}", escape(id))))
}

async fn change(client: &Client, application: &str, device: &str, body: &Value, format: Format) -> Result<()> {
    let path = device_path(client, application, device).await?;
    output::one(format, &client.put(&path, body).await?)
}
