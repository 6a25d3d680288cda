//! The binary: picks a subcommand. One file each.

mod application;
mod assets;
mod backup;
mod channel;
mod completions;
mod config;
mod credential;
mod delivery;
mod demo;
mod doctor;
mod duration;
mod erasure;
mod hold;
mod hook;
mod inbox;
mod index;
mod init;
mod input;
mod logging;
mod mapping;
mod masterkey;
mod monitor;
mod output;
mod remote;
mod report;
mod resource;
mod restore;
mod retention;
mod rule;
mod search;
mod selection;
mod send;
mod serve;
mod served;
mod set_aside;
mod setting;
mod source;
mod token;
mod user;
mod verify;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The audit trail, the reports and the notifications of privileged access.
///
/// Client commands find the server by --url and --token, or BELFRY_URL and BELFRY_TOKEN. Results go to standard output,
/// the rest to standard error. Exit codes: 0 yes, 1 no, 2 could not tell.
#[derive(Parser)]
#[command(name = "belfry", version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a data folder with its keys, its first administrator and a token
    Init(init::Args),
    /// Run the server
    Serve(serve::Args),
    /// Run a server with sixty days of a made-up company, and a live trickle
    Demo(demo::Arguments),
    /// Send events from files or standard input
    Send(send::Args),
    /// Search events, newest first
    Search(search::Args),
    /// List and run reports
    Report(report::Args),
    /// Check a trail, a proof or an exported bundle, offline, or a trail that is served
    Verify(verify::Args),
    /// Follow a trail from outside, and raise the voice when it forks, shrinks or stalls
    Monitor(monitor::Args),
    /// Users
    User(user::Args),
    /// API tokens
    Token(token::Args),
    /// Sources: where events come from
    Source(source::Args),
    /// Applications and their devices: who sends
    Application(application::Args),
    /// Make this host a device of an application, with a one-time token
    Enroll(credential::Enroll),
    /// The credential of this device
    Credential(credential::Args),
    /// What is left out before it reaches the trail
    Selection(selection::Args),
    /// Inputs: what Belfry reads by itself: files, the journal, NATS, Kafka
    Input(input::Args),
    /// Hooks: endpoints that products post their events to, signed
    Hook(hook::Args),
    /// Mappings: how a product's records become events
    Mapping(mapping::Args),
    /// Rules: which events to tell whom
    Rule(rule::Args),
    /// Channels: how to tell
    Channel(channel::Args),
    /// Deliveries: what was told
    Delivery(delivery::Args),
    /// The own inbox
    Inbox(inbox::Args),
    /// Records that could not be understood
    SetAside(set_aside::Args),
    /// How long events are kept, and what was removed
    Retention(retention::Args),
    /// Legal holds: what is not removed while they stand
    Hold(hold::Args),
    /// Erasure of a person's data, with a second person's approval
    Erasure(erasure::Args),
    /// Backups: made, listed, fetched, checked, proven
    Backup(backup::Args),
    /// Make a data folder again from backups, without a server
    Restore(restore::Args),
    /// The key that opens backups: made, split, put together
    Masterkey(masterkey::Args),
    /// Settings of the organization
    Setting(setting::Args),
    /// Look for what is wrong with a server or a data folder
    Doctor(doctor::Args),
    /// The search index
    Index(index::Args),
    /// The configuration file
    Config(config::Args),
    /// Completions for a shell
    Completions(completions::Args),
}

/// What a command comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Yes,
    No,
}

fn main() -> ExitCode {
    // Chosen explicitly: the default provider of rustls is a large C library.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was chosen already");
    }
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "belfry: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> anyhow::Result<Answer> {
    match command {
        // These need no runtime, or one of their own kind.
        Command::Verify(args) => return verify::run(&args),
        Command::Config(args) => return config::run(&args),
        Command::Completions(args) => return completions::run(&args),
        Command::Restore(args) => return restore::run(&args),
        Command::Masterkey(args) => return masterkey::run(&args),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let answer = runtime.block_on(async {
        match command {
            Command::Init(args) => init::run(args).await,
            Command::Serve(args) => serve::run(args).await,
            Command::Demo(args) => demo::run(args).await,
            Command::Send(args) => send::run(args).await,
            Command::Search(args) => search::run(args).await,
            Command::Monitor(args) => monitor::run(args).await,
            Command::Report(args) => report::run(args).await,
            Command::User(args) => user::run(args).await,
            Command::Token(args) => token::run(args).await,
            Command::Source(args) => source::run(args).await,
            Command::Application(args) => application::run(args).await,
            Command::Enroll(args) => credential::enroll(args).await,
            Command::Credential(args) => credential::run(args).await,
            Command::Selection(args) => selection::run(args).await,
            Command::Input(args) => input::run(args).await,
            Command::Hook(args) => hook::run(args).await,
            Command::Mapping(args) => mapping::run(args).await,
            Command::Rule(args) => rule::run(args).await,
            Command::Channel(args) => channel::run(args).await,
            Command::Delivery(args) => delivery::run(args).await,
            Command::Inbox(args) => inbox::run(args).await,
            Command::SetAside(args) => set_aside::run(args).await,
            Command::Retention(args) => retention::run(args).await,
            Command::Hold(args) => hold::run(args).await,
            Command::Erasure(args) => erasure::run(args).await,
            Command::Backup(args) => backup::run(args).await,
            Command::Setting(args) => setting::run(args).await,
            Command::Doctor(args) => doctor::run(args).await,
            Command::Index(args) => index::run(args).await,
            Command::Verify(_)
            | Command::Config(_)
            | Command::Completions(_)
            | Command::Restore(_)
            | Command::Masterkey(_) => Ok(Answer::Yes),
        }
    });
    // A check of the whole trail, say, must not keep a server that was told to stop.
    runtime.shutdown_background();
    answer
}
