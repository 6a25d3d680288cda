//! `belfry index`

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Subcommand;

use crate::config::Options;
use crate::{Answer, duration, logging, output};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the search index again from the trail; the server must not run
    Rebuild,
}

pub async fn run(args: Args) -> Result<Answer> {
    let Command::Rebuild = args.command;
    let config = args.options.load()?;
    logging::begin(&config.log)?;
    let folder = config.data.display().to_string();
    let started = Instant::now();
    let mut shown = started;
    let events = server::rebuild::rebuild(config, move |done, total| {
        if shown.elapsed() >= Duration::from_millis(200) {
            shown = Instant::now();
            let share = done as f64 / total.max(1) as f64;
            let left = if share > 0.0 { started.elapsed().mul_f64((1.0 - share) / share) } else { Duration::ZERO };
            output::progress(format!(
                "{done} of {total} events ({:.0} %), {} left",
                share * 100.0,
                duration::show(left)
            ));
        }
    })
    .await
    .with_context(|| format!("can't rebuild the index of {folder}"))?;
    output::progress_end();
    output::line(format!("{events} events indexed in {}", duration::show(started.elapsed())))?;
    Ok(Answer::Yes)
}
