//! `belfry token`

use anyhow::{Result, anyhow};
use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;

use crate::Answer;
use crate::duration;
use crate::output::{self, Format};
use crate::resource::{Call, Kind};

const TOKENS: Kind = Kind {
    noun: "token",
    path: "/api/v1/tokens",
    columns: &[
        ("NAME", "name"),
        ("USER", "user"),
        ("SCOPES", "scopes"),
        ("EXPIRES", "expires_at"),
        ("LAST USED", "last_used_at"),
        ("ID", "id"),
    ],
    editable: &[],
    key: "id",
};

pub type Args = Call<Command>;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// My tokens; for whoever may manage tokens: all
    List,
    /// One token (never its value)
    Show { token: String },
    /// Make a token. Its value is printed alone on standard output, once
    Create {
        name: String,
        /// What it may do, as events:write; several separated by commas
        #[arg(long, required = true, value_delimiter = ',')]
        scope: Vec<String>,
        /// When it ends: a span from now (90d) or an RFC 3339 time; without it, it does not
        #[arg(long)]
        expires: Option<String>,
    },
    /// Delete a token
    Delete { token: String },
}

pub async fn run(args: Args) -> Result<Answer> {
    let client = args.remote.client()?;
    match args.command {
        Command::List => TOKENS.list(&client, args.format).await?,
        Command::Show { token } => TOKENS.show(&client, &token, args.format).await?,
        Command::Create { name, scope, expires } => {
            let expires_at = expires.as_deref().map(until).transpose()?;
            let made =
                client.post(TOKENS.path, &json!({"name": name, "scopes": scope, "expires_at": expires_at})).await?;
            match args.format {
                Format::Table => output::line(made["token"].as_str().unwrap_or_default())?,
                format => output::one(format, &made)?,
            }
        }
        Command::Delete { token } => TOKENS.delete(&client, &token).await?,
    }
    Ok(Answer::Yes)
}

fn until(text: &str) -> Result<String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.to_string());
    }
    let span = duration::parse(text).map_err(|error| anyhow!("--expires: {error}, or an RFC 3339 time"))?;
    Ok(Timestamp::now().checked_add(span).map_err(|_| anyhow!("--expires {text} is too far away"))?.to_string())
}
