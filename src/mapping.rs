//! `belfry mapping`

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::json;

use crate::Answer;
use crate::output::{self, Format};
use crate::remote::Remote;
use crate::resource::{Kind, escape, read};

const MAPPINGS: Kind = Kind {
    noun: "mapping",
    path: "/api/v1/mappings",
    columns: &[
        ("NAME", "name"),
        ("VERSION", "version"),
        ("BUILT IN", "builtin"),
        ("UPDATED", "updated_at"),
        ("BY", "updated_by"),
        ("DESCRIPTION", "description"),
    ],
    editable: &["program"],
    key: "name",
};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    /// How to show results
    #[arg(long, value_enum, default_value_t, global = true)]
    format: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All mappings
    List,
    /// The program of a mapping
    Show { mapping: String },
    /// Give a mapping a new program; the old versions stay known to the events they read
    #[command(alias = "create")]
    Update {
        mapping: String,
        /// File with the program; - reads standard input
        file: String,
    },
    /// Test a folder with mapping.vrl, samples and expected events; needs no server
    Test {
        folder: PathBuf,
        /// Write what comes out as what is expected
        #[arg(long)]
        update: bool,
    },
    /// Read samples with the mapping of the server, or with a program that is tried out; keeps nothing
    Try {
        mapping: String,
        /// File with one sample a line; - reads standard input
        samples: String,
        /// Program to try instead of the one there is
        #[arg(long)]
        program: Option<String>,
    },
}

pub async fn run(args: Args) -> Result<Answer> {
    // A test needs neither a server nor a token.
    if let Command::Test { folder, update } = &args.command {
        let report = wire::mapping::test(folder, *update)?;
        output::line(report.to_text().trim_end())?;
        return Ok(if report.is_good() { Answer::Yes } else { Answer::No });
    }
    let client = args.remote.client()?;
    match args.command {
        Command::List => MAPPINGS.list(&client, args.format).await?,
        Command::Show { mapping } => {
            let found = client.get(&format!("{}/{}", MAPPINGS.path, escape(&mapping)), &[]).await?;
            match args.format {
                Format::Table => {
                    output::line(found["program"].as_str().context("the mapping has no program")?.trim_end())?
                }
                format => output::one(format, &found)?,
            }
        }
        Command::Update { mapping, file } => {
            let program = read(&file)?;
            let path = format!("{}/{}", MAPPINGS.path, escape(&mapping));
            let saved = client.put(&path, &json!({"program": program})).await?;
            output::note(format!("{mapping} is at version {}", output::text(&saved["version"])));
        }
        Command::Try { mapping, samples, program } => {
            let samples: Vec<String> =
                read(&samples)?.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
            let mut body = json!({"samples": samples});
            if let Some(file) = &program {
                body["program"] = json!(read(file)?);
            }
            let path = format!("{}/{}/test", MAPPINGS.path, escape(&mapping));
            let answer = client.post(&path, &body).await?;
            output::line(serde_json::to_string_pretty(&answer)?)?;
            let good = answer["compile_errors"].as_array().is_none_or(Vec::is_empty)
                && answer["results"]
                    .as_array()
                    .is_some_and(|results| results.iter().all(|result| result["ok"] == true));
            return Ok(if good { Answer::Yes } else { Answer::No });
        }
        Command::Test { .. } => {}
    }
    Ok(Answer::Yes)
}
