//! `belfry init`

use std::io::IsTerminal as _;

use anyhow::{Context as _, Result};
use server::Init;
use server::config::Flags;

use crate::config::Options;
use crate::user::{made_up, password};
use crate::{Answer, output};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    options: Options,
    /// Name of the first administrator
    #[arg(long, default_value = "admin")]
    admin: String,
    /// Short name of the organization, part of addresses and folders: small letters, digits, dashes
    #[arg(long, default_value = "main")]
    organization: String,
    /// The name that checkpoints are signed under, as audit.example.org/acme; can't be changed later
    #[arg(long)]
    origin: Option<String>,
}

/// Makes a data folder. The password of the administrator is the first line of standard input when that is no terminal
/// and not empty; else it is made up and printed.
pub async fn run(args: Args) -> Result<Answer> {
    let config = args.options.load_with(Flags::default())?;
    let given = if std::io::stdin().is_terminal() { None } else { password().ok() };
    let chosen = given.is_some();
    let secret = given.unwrap_or_else(made_up);
    let origin = args.origin.unwrap_or_else(|| {
        let url = config.public_url();
        let host = url.split_once("://").map_or(url.as_str(), |(_, host)| host);
        let host = host.split([':', '/']).next().unwrap_or("localhost");
        let host = if host.is_empty() || host.starts_with(['[', '1']) { "belfry.local" } else { host };
        format!("{host}/{}", args.organization)
    });
    let folder = config.data.display().to_string();
    let new =
        Init { organization: args.organization, origin: origin.clone(), admin: args.admin, password: secret.clone() };
    let (user, token) = server::init(config, new).await.with_context(|| format!("can't make {folder}"))?;
    output::line(format!("data folder    {folder}"))?;
    output::line(format!("signs as       {origin}"))?;
    output::line(format!("administrator  {}", user.name))?;
    if !chosen {
        output::line(format!("password       {secret}"))?;
    }
    output::line(format!("token          {}", token.token))?;
    output::note("the token and a made-up password are shown this once; keep them safe");
    output::note(format!("next: belfry serve --data {folder}"));
    Ok(Answer::Yes)
}
