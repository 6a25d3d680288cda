//! `belfry hook`

use anyhow::{Context as _, Result, anyhow};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::Answer;
use crate::duration;
use crate::output::{self, Format};
use crate::resource::{Call, Edit, Kind};

const HOOKS: Kind = Kind {
    noun: "hook",
    path: "/api/v1/hooks",
    columns: &[
        ("NAME", "name"),
        ("SOURCE", "source"),
        ("SCHEME", "settings.scheme"),
        ("ENABLED", "enabled"),
        ("ACCEPTED", "accepted"),
        ("REFUSED", "refused"),
        ("LAST REFUSAL", "last_refusal"),
        ("URL", "url"),
    ],
    editable: &["name", "title", "source", "settings", "enabled"],
    key: "name",
};

pub type Args = Call<Command>;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// All hooks, with what came by them
    List,
    /// One hook (never its secret)
    Show { hook: String },
    /// Make a hook. Its secret is printed alone on standard output, once
    Create {
        name: String,
        /// The source whose mapping reads what comes
        #[arg(long)]
        source: String,
        /// standard, github, slack, okta, gitlab, hmac, basic or bearer
        #[arg(long)]
        scheme: String,
        #[arg(long)]
        title: Option<String>,
        /// hmac: the header with the signature
        #[arg(long)]
        header: Option<String>,
        /// hmac: what stands before the signature, as sha256=
        #[arg(long)]
        prefix: Option<String>,
        /// hmac: hex or base64
        #[arg(long)]
        encoding: Option<String>,
        /// basic: the user
        #[arg(long)]
        user: Option<String>,
        /// A header that belongs to the record
        #[arg(long)]
        keep_header: Vec<String>,
        #[command(flatten)]
        secret: Secret,
    },
    /// Change a hook: --set enabled=false, --set settings.tolerance_seconds=60
    Update {
        hook: String,
        #[command(flatten)]
        edit: Edit,
    },
    /// Give a hook a new secret, printed once; the one before is good for a while
    Rotate {
        hook: String,
        /// For how long the one before is good: 1h, 7d; 0s for not at all. A day when not said
        #[arg(long)]
        keep_previous: Option<String>,
        #[command(flatten)]
        secret: Secret,
    },
    /// Delete a hook; its events stay
    Delete { hook: String },
}

#[derive(Debug, clap::Args)]
pub struct Secret {
    /// A file with the secret, where the sender made it, as Slack does; - reads standard input
    #[arg(long, value_name = "FILE")]
    secret_file: Option<String>,
}

impl Secret {
    fn read(&self) -> Result<Option<String>> {
        let Some(file) = &self.secret_file else { return Ok(None) };
        let text = if file == "-" {
            std::io::read_to_string(std::io::stdin()).context("can't read standard input")?
        } else {
            std::fs::read_to_string(file).with_context(|| format!("can't read {file}"))?
        };
        Ok(Some(text.trim().to_owned()))
    }
}

pub async fn run(args: Args) -> Result<Answer> {
    let client = args.remote.client()?;
    match args.command {
        Command::List => HOOKS.list(&client, args.format).await?,
        Command::Show { hook } => HOOKS.show(&client, &hook, args.format).await?,
        Command::Create { name, source, scheme, title, header, prefix, encoding, user, keep_header, secret } => {
            let mut settings = json!({ "scheme": scheme, "keep_headers": keep_header });
            for (member, value) in [("header", header), ("prefix", prefix), ("encoding", encoding), ("user", user)] {
                if let Some(value) = value {
                    settings[member] = json!(value);
                }
            }
            let title = title.unwrap_or_else(|| name.clone());
            let body = json!({
                "name": name, "title": title, "source": source, "settings": settings, "secret": secret.read()?,
            });
            made(args.format, &client.post(HOOKS.path, &body).await?)?;
        }
        Command::Update { hook, edit } => HOOKS.update(&client, &hook, &edit, args.format).await?,
        Command::Rotate { hook, keep_previous, secret } => {
            let seconds = keep_previous.as_deref().map(seconds).transpose()?;
            let body = json!({ "secret": secret.read()?, "keep_previous_seconds": seconds });
            let path = format!("{}/rotate", HOOKS.path_of(&client, &hook).await?);
            made(args.format, &client.post(&path, &body).await?)?;
        }
        Command::Delete { hook } => HOOKS.delete(&client, &hook).await?,
    }
    Ok(Answer::Yes)
}

/// The secret alone, where it was made; where to post to goes beside it.
fn made(format: Format, made: &Value) -> Result<()> {
    if format != Format::Table {
        return output::one(format, made);
    }
    output::note(format!("post to {}", made["hook"]["url"].as_str().unwrap_or_default()));
    match made["secret"].as_str() {
        Some(secret) => output::line(secret),
        None => Ok(()),
    }
}

fn seconds(text: &str) -> Result<u64> {
    let span = duration::parse(text).map_err(|error| anyhow!("--keep-previous: {error}"))?;
    Ok(span.as_secs())
}
