//! `belfry mapping`

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::Answer;
use crate::output::{self, Column, Format};
use crate::remote::Client;
use crate::resource::{Call, Kind, escape, read};

const MAPPINGS: Kind = Kind {
    noun: "mapping",
    path: "/api/v1/mappings",
    columns: &[
        ("NAME", "name"),
        ("VERSION", "version"),
        ("BUILT IN", "builtin"),
        ("READS", "used_by"),
        ("UPDATED", "updated_at"),
        ("BY", "updated_by"),
        ("DESCRIPTION", "description"),
    ],
    editable: &["program"],
    key: "name",
};

const VERSION_COLUMNS: &[Column] = &[
    ("VERSION", "version"),
    ("HASH", "hash"),
    ("SHIPPED", "shipped"),
    ("CREATED", "created_at"),
    ("BY", "created_by"),
];

pub type Args = Call<Command>;

#[derive(Debug, Subcommand)]
pub enum Command {
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
        /// File with one record a line, to be kept beside the mapping and read whenever it is saved
        #[arg(long)]
        samples: Option<String>,
        /// Save it even though samples that could be read so far can't be read any more
        #[arg(long)]
        force: bool,
    },
    /// The versions of a mapping, the newest first
    Versions { mapping: String },
    /// Make an earlier version the newest one
    Restore {
        mapping: String,
        version: u32,
        #[arg(long)]
        force: bool,
    },
    /// The records that are kept beside a mapping, one a line
    Samples {
        mapping: String,
        /// Those that ship with Belfry
        #[arg(long)]
        shipped: bool,
    },
    /// Read the newest events of a source again with a program, and tell what would change; keeps nothing
    DryRun {
        mapping: String,
        /// Program to try instead of the one there is
        #[arg(long)]
        program: Option<String>,
        /// The source; all that the mapping reads without it
        #[arg(long)]
        source: Option<String>,
        #[arg(long, default_value_t = 1_000)]
        limit: u32,
    },
    /// Draft a program from one record; - reads standard input
    Propose {
        file: String,
        /// What the mapping will be called
        #[arg(long, default_value = "")]
        name: String,
    },
    /// Functions and fields that a program may use
    Reference,
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
        Command::Update { mapping, file, samples, force } => {
            let mut body = json!({"program": read(&file)?, "force": force});
            if let Some(file) = &samples {
                body["samples"] = json!(lines(file)?);
            }
            save(&client, &mapping, &body).await?;
        }
        Command::Versions { mapping } => {
            let path = format!("{}/{}/versions", MAPPINGS.path, escape(&mapping));
            output::rows(args.format, VERSION_COLUMNS, &client.items(&path, &[], 200).await?)?;
        }
        Command::Restore { mapping, version, force } => {
            let path = format!("{}/{}/versions/{version}", MAPPINGS.path, escape(&mapping));
            let old = client.get(&path, &[]).await?;
            save(&client, &mapping, &json!({"program": old["program"], "force": force})).await?;
        }
        Command::Samples { mapping, shipped } => {
            let found = client.get(&format!("{}/{}/samples", MAPPINGS.path, escape(&mapping)), &[]).await?;
            let kind = if shipped { "shipped" } else { "own" };
            for record in found[kind].as_array().into_iter().flatten() {
                output::line(record.as_str().unwrap_or_default())?;
            }
        }
        Command::DryRun { mapping, program, source, limit } => {
            let mut body = json!({"limit": limit, "source": source});
            if let Some(file) = &program {
                body["program"] = json!(read(file)?);
            }
            let answer = client.post(&format!("{}/{}/dry-run", MAPPINGS.path, escape(&mapping)), &body).await?;
            output::line(serde_json::to_string_pretty(&answer)?)?;
            let good = answer["compile_errors"].as_array().is_none_or(Vec::is_empty) && answer["failed"] == 0;
            return Ok(if good { Answer::Yes } else { Answer::No });
        }
        Command::Propose { file, name } => {
            let record = read(&file)?;
            let body = json!({"record": record.trim_end_matches(['\n', '\r']), "name": name});
            let proposal = client.post(&format!("{}/propose", MAPPINGS.path), &body).await?;
            match args.format {
                Format::Table => {
                    output::line(proposal["program"].as_str().context("the answer has no program")?.trim_end())?;
                }
                format => output::one(format, &proposal)?,
            }
        }
        Command::Reference => {
            let reference = client.get(&format!("{}/reference", MAPPINGS.path), &[]).await?;
            match args.format {
                Format::Table => {
                    let list = |name: &str| reference[name].as_array().cloned().unwrap_or_default();
                    output::rows(args.format, &[("FUNCTION", "signature"), ("DOES", "usage")], &list("functions"))?;
                    output::rows(
                        args.format,
                        &[("FIELD", "name"), ("KIND", "kind"), ("IS", "title")],
                        &list("fields"),
                    )?;
                }
                format => output::one(format, &reference)?,
            }
        }
        Command::Try { mapping, samples, program } => {
            let mut body = json!({"samples": lines(&samples)?});
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

async fn save(client: &Client, mapping: &str, body: &Value) -> Result<()> {
    let saved = client.put(&format!("{}/{}", MAPPINGS.path, escape(mapping)), body).await?;
    output::note(format!("{mapping} is at version {}", output::text(&saved["version"])));
    Ok(())
}

/// The records of a file, one a line.
fn lines(file: &str) -> Result<Vec<String>> {
    Ok(read(file)?.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}
