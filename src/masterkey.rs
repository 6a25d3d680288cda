//! `belfry masterkey`: the key that opens backups, made and put together on this machine.

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use server::keep::masterkey::{self, Identity, KeyError};

use crate::{Answer, output};

/// The longest text with a key in it.
const TEXT_BYTES_MAX: u64 = 64 * 1024;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key and split it. The shares are printed this once and kept nowhere
    Make {
        /// People who get a share
        #[arg(long, default_value_t = 5)]
        shares: u8,
        /// Shares that open a backup
        #[arg(long, default_value_t = 3)]
        threshold: u8,
    },
    /// Put shares together and print the whole key, as the program age takes it
    Combine {
        #[command(flatten)]
        opener: Opener,
    },
}

/// What opens a backup.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Opener {
    /// A file with the master key: an age identity, or shares
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Read the shares from standard input; at a terminal they are asked for one by one
    #[arg(long, conflicts_with = "identity")]
    pub shares: bool,
}

impl Opener {
    /// Whether any key was offered.
    pub fn is_given(&self) -> bool {
        self.identity.is_some() || self.shares
    }

    /// The text with the key. It is not looked at yet: a key that is not right must be told apart from a file that is not there.
    pub fn text(&self) -> Result<String> {
        let mut text = String::new();
        match &self.identity {
            Some(path) => read_file(path, &mut text)?,
            None if self.shares && std::io::stdin().is_terminal() => return ask(),
            None if self.shares => {
                let read = std::io::stdin().lock().take(TEXT_BYTES_MAX).read_to_string(&mut text);
                read.context("can't read standard input")?;
            }
            None => bail!("say what opens the backup: --identity FILE, or --shares"),
        }
        Ok(text)
    }
}

pub fn run(args: &Args) -> Result<Answer> {
    match &args.command {
        Command::Make { shares, threshold } => {
            let made = masterkey::make(*shares, *threshold)?;
            for share in &made.shares {
                output::line(format!("{share}\n"))?;
            }
            output::line(format!("recipient  {}", made.recipient))?;
            output::note(format!(
                "{threshold} of these {shares} shares open the backups; they are shown this once. Give each to another person, on paper"
            ));
            output::note(format!("next: belfry backup settings --set recipient={}", made.recipient));
        }
        Command::Combine { opener } => {
            let identity = match masterkey::read(&opener.text()?) {
                Ok(identity) => identity,
                Err(error) => {
                    output::note(format!("belfry: {error}"));
                    return Ok(Answer::No);
                }
            };
            output::line(masterkey::identity_text(&identity))?;
            output::note(format!(
                "the whole master key {}: whoever has it reads every backup",
                masterkey::fingerprint_of(&identity)
            ));
        }
    }
    Ok(Answer::Yes)
}

/// The key in a text.
pub fn identity(text: &str) -> Result<Identity, KeyError> {
    masterkey::read(text)
}

/// The shares in a text, each for itself.
pub fn pieces(text: &str) -> Vec<String> {
    masterkey::pieces(text)
}

fn read_file(path: &Path, text: &mut String) -> Result<()> {
    let file = std::fs::File::open(path).with_context(|| format!("can't read {}", path.display()))?;
    file.take(TEXT_BYTES_MAX).read_to_string(text).with_context(|| format!("can't read {}", path.display()))?;
    Ok(())
}

/// Asks people for their shares until there are enough. A slip is told at once, and that share is asked for again.
fn ask() -> Result<String> {
    let mut given = String::new();
    let mut lines = std::io::stdin().lock().lines();
    output::note("one share after the other, an empty line after each; the line with the key's name may be left out");
    let mut needed = None;
    loop {
        let have = masterkey::counted(&given).map_or(0, |(have, _)| have);
        match needed {
            Some(needed) if have >= usize::from(needed) => return Ok(given),
            Some(needed) => output::note(format!("share {} of {needed}:", have + 1)),
            None => output::note("share 1:"),
        }
        let mut share = String::new();
        loop {
            let Some(line) = lines.next() else { return Ok(given) };
            let line = line.context("can't read what was typed")?;
            if line.trim().is_empty() && !share.trim().is_empty() {
                break;
            }
            share.push_str(&line);
            share.push('\n');
        }
        match masterkey::counted(&share) {
            Ok((_, of)) => {
                needed = Some(of);
                given.push_str(&share);
                given.push('\n');
            }
            Err(error) => output::note(format!("{error}; once more")),
        }
    }
}
