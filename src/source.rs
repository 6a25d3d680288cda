//! `belfry source`

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::Answer;
use crate::duration;
use crate::output::{self, Column, Format};
use crate::resource::{Call, Edit, Kind, escape};

const SOURCES: Kind = Kind {
    noun: "source",
    path: "/api/v1/sources",
    columns: &[
        ("NAME", "name"),
        ("STATE", "health.state"),
        ("TITLE", "title"),
        ("MAPPING", "mapping"),
        ("LAST SEEN", "last_seen_at"),
        ("PER MINUTE", "rate_per_minute"),
        ("EVENTS", "events_total"),
        ("SET ASIDE", "set_aside"),
        ("GAPS", "health.gaps_open"),
    ],
    editable: &["name", "title", "mapping", "enabled"],
    key: "name",
};

const HOURS: &[Column] =
    &[("HOUR", "from"), ("EVENTS", "events"), ("SET ASIDE", "rejected"), ("LEFT OUT", "left_out"), ("", "bar")];
const HOSTS: &[Column] =
    &[("NAME", "name"), ("LAST SEEN", "last_seen_at"), ("EVENTS", "events"), ("CLOCK OFF BY MS", "clock_skew_ms")];
const GAPS: &[Column] = &[
    ("ID", "id"),
    ("STATE", "state"),
    ("STREAM", "stream"),
    ("FROM", "from"),
    ("TO", "to"),
    ("MISSING", "missing"),
    ("FOUND", "found_at"),
    ("SETTLED BY", "settled_by"),
    ("REASON", "reason"),
];

pub type Args = Call<Command>;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// All sources, with how each is
    List,
    /// One source
    Show { source: String },
    /// How a source is. Exit code 1 when it is silent, rejecting or late, or records are missing
    Health {
        source: String,
        /// Show the last hours too, at most 336
        #[arg(long, value_name = "NUMBER", num_args = 0..=1, default_missing_value = "24")]
        hours: Option<usize>,
        /// Show its hosts too
        #[arg(long)]
        hosts: bool,
    },
    /// Records that a source has skipped in its own sequence
    Gaps { source: String },
    /// Say that missing records were looked at
    Acknowledge {
        source: String,
        /// Its id, as gaps shows it
        gap: String,
        /// What became of it; goes into the trail
        #[arg(long)]
        reason: String,
    },
    /// When a source counts as silent: learned, off, or after a span such as 30m
    Silence { source: String, after: String },
    /// Name a new source
    Create {
        name: String,
        /// The mapping that reads its records
        #[arg(long)]
        mapping: String,
        #[arg(long)]
        title: Option<String>,
    },
    /// Change a source: --set enabled=false, --set mapping=cef
    Update {
        source: String,
        #[command(flatten)]
        edit: Edit,
    },
    /// Delete a source; its events stay
    Delete { source: String },
}

pub async fn run(args: Args) -> Result<Answer> {
    let client = args.remote.client()?;
    match args.command {
        Command::List => SOURCES.list(&client, args.format).await?,
        Command::Show { source } => SOURCES.show(&client, &source, args.format).await?,
        Command::Health { source, hours, hosts } => {
            let answer = client.get(&format!("{}/{}/health", SOURCES.path, escape(&source)), &[]).await?;
            show_health(&answer, hours, hosts, args.format)?;
            let bad = matches!(answer["health"]["state"].as_str(), Some("silent" | "rejecting" | "late"));
            let gaps = answer["health"]["gaps_open"].as_u64().unwrap_or(0);
            return Ok(if bad || gaps > 0 { Answer::No } else { Answer::Yes });
        }
        Command::Gaps { source } => {
            let answer = client.get(&format!("{}/{}/health", SOURCES.path, escape(&source)), &[]).await?;
            output::rows(args.format, GAPS, answer["gap_list"].as_array().map_or(&[], Vec::as_slice))?;
        }
        Command::Acknowledge { source, gap, reason } => {
            let path = format!("{}/{}/gaps/{}/acknowledge", SOURCES.path, escape(&source), escape(&gap));
            output::one(args.format, &client.post(&path, &json!({"reason": reason})).await?)?;
        }
        Command::Silence { source, after } => {
            let path = format!("{}/{}/silence", SOURCES.path, escape(&source));
            let answer = client.put(&path, &silence_of(&after)?).await?;
            output::one(args.format, &answer)?;
        }
        Command::Create { name, mapping, title } => {
            let title = title.unwrap_or_else(|| name.clone());
            SOURCES
                .create(
                    &client,
                    &json!({"name": name, "title": title, "mapping": mapping, "enabled": true}),
                    args.format,
                )
                .await?;
        }
        Command::Update { source, edit } => SOURCES.update(&client, &source, &edit, args.format).await?,
        Command::Delete { source } => SOURCES.delete(&client, &source).await?,
    }
    Ok(Answer::Yes)
}

fn silence_of(after: &str) -> Result<Value> {
    if matches!(after, "learned" | "off") {
        return Ok(json!({"mode": after}));
    }
    let span = duration::parse(after)
        .map_err(anyhow::Error::msg)
        .with_context(|| format!("{after} is none of learned, off, or a span such as 30m"))?;
    Ok(json!({"mode": "set", "after_seconds": span.as_secs()}))
}

/// As JSON all there is; for people the facts, and the parts they ask for.
fn show_health(answer: &Value, hours: Option<usize>, hosts: bool, format: Format) -> Result<()> {
    if format == Format::Json {
        return output::one(format, answer);
    }
    let mut health = answer["health"].clone();
    if let Some(facts) = health.as_object_mut() {
        facts.remove("gaps");
        facts.insert("events_total".to_owned(), answer["events_total"].clone());
        facts.insert("duplicates".to_owned(), answer["duplicates"].clone());
        facts.insert("streams".to_owned(), answer["streams"].clone());
    }
    output::one(format, &health)?;
    let list = |name: &str| answer[name].as_array().cloned().unwrap_or_default();
    if let Some(wanted) = hours {
        let all = list("hours");
        let newest = all.len().saturating_sub(wanted);
        let most = all.iter().filter_map(|hour| hour["events"].as_u64()).max().unwrap_or(0).max(1);
        let rows: Vec<Value> = all
            .into_iter()
            .skip(newest)
            .map(|mut hour| {
                let events = hour["events"].as_u64().unwrap_or(0);
                hour["bar"] = json!("▇".repeat(usize::try_from((events * 30).div_ceil(most)).unwrap_or(0)));
                hour
            })
            .collect();
        output::line("")?;
        output::rows(format, HOURS, &rows)?;
    }
    if hosts {
        output::line("")?;
        output::rows(format, HOSTS, &list("host_list"))?;
    }
    let open: Vec<Value> = list("gap_list").into_iter().filter(|gap| gap["state"] == "open").collect();
    if !open.is_empty() {
        output::line("")?;
        output::rows(format, GAPS, &open)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_a_word_or_a_span() {
        assert_eq!(silence_of("learned").unwrap(), json!({"mode": "learned"}));
        assert_eq!(silence_of("off").unwrap(), json!({"mode": "off"}));
        assert_eq!(silence_of("30m").unwrap(), json!({"mode": "set", "after_seconds": 1800}));
        assert!(format!("{:#}", silence_of("soon").unwrap_err()).contains("learned, off"));
    }
}
