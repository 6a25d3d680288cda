//! `belfry completions`

use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::{Answer, Cli, output};

#[derive(Debug, clap::Args)]
pub struct Args {
    shell: Shell,
}

pub fn run(args: &Args) -> Result<Answer> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "belfry", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Answer::Yes)
}
