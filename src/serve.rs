//! `belfry serve`

use anyhow::Result;

use crate::config::{Listen, Options};
use crate::{Answer, assets, logging, output};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    listen: Listen,
}

pub async fn run(args: Args) -> Result<Answer> {
    let config = args.options.load_with(args.listen.flags())?;
    logging::begin(&config.log)?;
    server::run(config, assets::find, |app, address| {
        // One line for people and for whoever started us: from now on it answers, and where. The address that was asked
        // for may have left the port to the system.
        let scheme = if app.config.tls.certificate.is_some() { "https" } else { "http" };
        let url = app.config.public_url.clone().unwrap_or_else(|| format!("{scheme}://{address}"));
        let _ = output::line(format!("belfry is at {url}"));
    })
    .await?;
    Ok(Answer::Yes)
}
