//! `belfry config`, and the configuration as the other commands read it.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;
use server::Config;
use server::config::{Error, Flags, manual};

use crate::{Answer, output};

/// The flags of every command that works on a data folder.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Options {
    /// Configuration file; without it, belfry.toml in the data folder or here
    #[arg(long, global = true)]
    pub config: Option<PathBuf>,
    /// Data folder
    #[arg(long, global = true)]
    pub data: Option<PathBuf>,
}

impl Options {
    pub fn load(&self) -> Result<Config, Error> {
        self.load_with(Flags::default())
    }

    pub fn load_with(&self, flags: Flags) -> Result<Config, Error> {
        let flags = Flags { data: self.data.clone(), ..flags };
        Config::load(self.config.as_deref(), |name| std::env::var(name).ok(), &flags)
    }
}

/// The flags of the running server.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Listen {
    /// Address and port of the console and the API
    #[arg(long)]
    pub listen: Option<SocketAddr>,
    /// Where people reach the server, as https://audit.example.org
    #[arg(long)]
    pub public_url: Option<String>,
    /// Listen for syslog over UDP there
    #[arg(long)]
    pub syslog_udp: Option<SocketAddr>,
    /// Listen for syslog over TCP there
    #[arg(long)]
    pub syslog_tcp: Option<SocketAddr>,
}

impl Listen {
    pub fn flags(&self) -> Flags {
        Flags {
            data: None,
            listen: self.listen,
            public_url: self.public_url.clone(),
            syslog_udp: self.syslog_udp,
            syslog_tcp: self.syslog_tcp,
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Whether the configuration can be used; prints what it comes to
    Check,
    /// The manual page of all keys, in Markdown
    Manual,
}

pub fn run(args: &Args) -> Result<Answer> {
    match args.command {
        Command::Manual => output::line(manual().trim_end())?,
        Command::Check => match args.options.load() {
            Ok(config) => output::line(toml::to_string(&config)?.trim_end())?,
            Err(error) => {
                output::note(format!("belfry: {:#}", anyhow::Error::from(error)));
                return Ok(Answer::No);
            }
        },
    }
    Ok(Answer::Yes)
}
