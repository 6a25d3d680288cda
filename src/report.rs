//! `belfry report`

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::{Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use crate::Answer;
use crate::output::{self, Format};
use crate::remote::{Client, Remote};
use crate::resource::{Edit, Kind, escape};

const REPORTS: Kind = Kind {
    noun: "report",
    path: "/api/v1/reports",
    columns: &[("ID", "id"), ("TITLE", "title"), ("GROUP", "group"), ("BUILT IN", "builtin"), ("FILTER", "filter")],
    editable: &["title", "group", "description", "filter", "columns", "order", "range"],
    key: "id",
};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All reports
    List(Shown),
    /// One report, with its columns
    Show {
        report: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Run a report into a file
    Run(Run),
    /// Reports that ran
    Runs(Shown),
    /// Make a custom report from a JSON file
    Create {
        title: String,
        #[command(flatten)]
        edit: Edit,
        #[command(flatten)]
        shown: Shown,
    },
    /// Change a custom report
    Update {
        report: String,
        #[command(flatten)]
        edit: Edit,
        #[command(flatten)]
        shown: Shown,
    },
    /// Delete a custom report
    Delete { report: String },
}

#[derive(Debug, clap::Args)]
struct Shown {
    /// How to show results
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FileFormat {
    Csv,
    Json,
    Pdf,
    /// The events with their proofs, for belfry verify
    Bundle,
}

#[derive(Debug, clap::Args)]
struct Run {
    /// Id or title of the report
    report: String,
    /// Not before: an RFC 3339 time or a date
    #[arg(long)]
    from: Option<String>,
    /// Not after
    #[arg(long)]
    to: Option<String>,
    /// More conditions, in KQL
    #[arg(long)]
    filter: Option<String>,
    /// Which columns, in which order: fields separated by commas
    #[arg(long, value_delimiter = ',')]
    columns: Vec<String>,
    #[arg(long, value_enum, default_value = "csv")]
    format: FileFormat,
    /// Where to write it; - is standard output
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// Also send it to these addresses
    #[arg(long, value_delimiter = ',')]
    email: Vec<String>,
}

pub async fn run(args: Args) -> Result<Answer> {
    let client = args.remote.client()?;
    match args.command {
        Command::List(shown) => REPORTS.list(&client, shown.format).await?,
        Command::Show { report, shown } => output::one(shown.format, &find(&client, &report).await?)?,
        Command::Run(run) => return run_one(&client, run).await,
        Command::Runs(shown) => {
            let columns = &[
                ("AT", "at"),
                ("TITLE", "title"),
                ("FORMAT", "format"),
                ("STATE", "state"),
                ("ROWS", "rows"),
                ("BY", "by"),
                ("ID", "id"),
            ];
            output::rows(shown.format, columns, &client.items("/api/v1/report-runs", &[], 200).await?)?;
        }
        Command::Create { title, edit, shown } => {
            let mut body = json!({"title": title});
            edit.apply(&mut body)?;
            REPORTS.create(&client, &body, shown.format).await?;
        }
        Command::Update { report, edit, shown } => REPORTS.update(&client, &report, &edit, shown.format).await?,
        Command::Delete { report } => REPORTS.delete(&client, &report).await?,
    }
    Ok(Answer::Yes)
}

/// The report of that id or title.
async fn find(client: &Client, report: &str) -> Result<Value> {
    let all = client.items(REPORTS.path, &[], 10_000).await?;
    let found = all.iter().find(|one| one["id"] == report).or_else(|| {
        all.iter().find(|one| one["title"].as_str().is_some_and(|title| title.eq_ignore_ascii_case(report)))
    });
    let ids = || all.iter().filter_map(|one| one["id"].as_str()).collect::<Vec<_>>().join(", ");
    found.cloned().with_context(|| format!("there is no report {report}; there are {}", ids()))
}

async fn run_one(client: &Client, wanted: Run) -> Result<Answer> {
    let report = find(client, &wanted.report).await?;
    let id = report["id"].as_str().context("the report has no id")?;
    let format = match wanted.format {
        FileFormat::Csv => "csv",
        FileFormat::Json => "json",
        FileFormat::Pdf => "pdf",
        FileFormat::Bundle => "bundle",
    };
    let to_stdout = match &wanted.output {
        Some(path) => path.as_os_str() == "-",
        None => wanted.format != FileFormat::Pdf || !std::io::stdout().is_terminal(),
    };
    if wanted.output.is_none() && !to_stdout {
        bail!("a PDF does not fit a terminal: name a file with --output");
    }
    let mut body = json!({"format": format});
    for (name, value) in [("from", &wanted.from), ("to", &wanted.to), ("filter", &wanted.filter)] {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    if !wanted.columns.is_empty() {
        body["columns"] = columns(&report, &wanted.columns);
    }
    if !wanted.email.is_empty() {
        body["email"] = json!({"to": wanted.email});
    }
    let started = client.post(&format!("{}/{}/runs", REPORTS.path, escape(id)), &body).await?;
    let run = started["id"].as_str().context("the run has no id")?.to_owned();
    let done = wait(client, &run).await?;
    match done["state"].as_str() {
        Some("done") => {}
        state => {
            bail!("the run is {}: {}", state.unwrap_or("lost"), done["error"].as_str().unwrap_or("no reason is known"))
        }
    }
    let path = format!("/api/v1/report-runs/{}/download", escape(&run));
    let mut response = client.send(client.request(Method::GET, &path)).await?;
    if to_stdout {
        let mut out = std::io::stdout().lock();
        while let Some(chunk) = response.chunk().await.context("the download broke off")? {
            out.write_all(&chunk)?;
        }
        out.flush()?;
    } else if let Some(file) = &wanted.output {
        // Written beside and renamed: a download that breaks off leaves no half report under the good name.
        let mut part = file.clone().into_os_string();
        part.push(".part");
        let mut out = std::fs::File::create(&part).with_context(|| format!("can't write {}", file.display()))?;
        while let Some(chunk) = response.chunk().await.context("the download broke off")? {
            out.write_all(&chunk)?;
        }
        out.sync_all()?;
        std::fs::rename(&part, file).with_context(|| format!("can't write {}", file.display()))?;
    }
    let size = done["checkpoint"]["size"].as_u64().map(|size| format!(", sealed by the checkpoint of {size} events"));
    output::note(format!("{} rows{}", done["rows"].as_u64().unwrap_or(0), size.unwrap_or_default()));
    if let Some(error) = done["email_error"].as_str() {
        bail!("the report is made, but could not be sent: {error}");
    }
    Ok(Answer::Yes)
}

/// Waits for the end of a run; an interrupt cancels it.
async fn wait(client: &Client, run: &str) -> Result<Value> {
    let path = format!("/api/v1/report-runs/{}", escape(run));
    let mut pause = Duration::from_millis(50);
    loop {
        let state = client.get(&path, &[]).await?;
        if state["state"] != "running" {
            output::progress_end();
            return Ok(state);
        }
        let rows = state["rows"].as_u64().unwrap_or(0);
        let total = state["rows_total"].as_u64().map(|total| format!(" of {total}")).unwrap_or_default();
        output::progress(format!("{rows}{total} rows"));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                client.delete(&path).await?;
                bail!("cancelled");
            }
        }
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// The columns with the titles that the report knows.
fn columns(report: &Value, fields: &[String]) -> Value {
    let known = ["available_columns", "columns"]
        .iter()
        .filter_map(|name| report[name].as_array())
        .flatten()
        .collect::<Vec<_>>();
    fields
        .iter()
        .map(|field| {
            let found = known.iter().find(|column| column["field"] == field.as_str());
            json!({"field": field, "title": found.map_or(field.as_str(), |column| column["title"].as_str().unwrap_or(field))})
        })
        .collect()
}
