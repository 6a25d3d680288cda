//! `belfry search`

use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};

use crate::output::{self, Column, Format};
use crate::remote::{Client, Remote};
use crate::{Answer, duration};

const COLUMNS: &[Column] = &[
    ("TIME", "event.@timestamp"),
    ("SEVERITY", "severity"),
    ("ACTION", "event.event.action"),
    ("OUTCOME", "event.event.outcome"),
    ("USER", "event.user.name"),
    ("SOURCE IP", "event.source.ip"),
    ("ON", "on"),
    ("MESSAGE", "event.message"),
    ("POSITION", "position"),
];
const PAGE_MAX: usize = 500;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    /// Which events, in KQL: 'event.action: credential.* and user.name: ada'; all when absent
    #[arg(default_value = "")]
    filter: String,
    /// Not before: an RFC 3339 time, a date, or a span back from now (24h, 7d)
    #[arg(long)]
    from: Option<String>,
    /// Not after: likewise
    #[arg(long)]
    to: Option<String>,
    /// At most so many events
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Oldest first
    #[arg(long)]
    ascending: bool,
    /// Go on with new events as they come in
    #[arg(long)]
    follow: bool,
    /// How to show them; json: one a line
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(args: Args) -> Result<Answer> {
    let client = args.remote.client()?;
    let mut query = vec![("filter", args.filter.clone())];
    query.extend(args.from.as_deref().map(moment).transpose()?.map(|from| ("from", from)));
    query.extend(args.to.as_deref().map(moment).transpose()?.map(|to| ("to", to)));
    query.push(("limit", args.limit.clamp(1, PAGE_MAX).to_string()));
    if args.ascending {
        query.push(("order", "asc".to_owned()));
    }
    let mut found =
        if args.limit == 0 { Vec::new() } else { client.items("/api/v1/events", &query, args.limit).await? };
    if args.follow {
        // What follows comes below, so the newest of what is there must be last.
        if !args.ascending {
            found.reverse();
        }
        found.iter().try_for_each(|item| show_line(args.format, item))?;
        return follow(&client, &args, found.iter().filter_map(|item| item["position"].as_u64()).max()).await;
    }
    match args.format {
        Format::Json => found.iter().try_for_each(|item| output::line(item.to_string()))?,
        format => {
            let rows: Vec<Value> = found.iter().map(row).collect();
            output::rows(format, COLUMNS, &rows)?;
        }
    }
    Ok(Answer::Yes)
}

async fn follow(client: &Client, args: &Args, mut last: Option<u64>) -> Result<Answer> {
    loop {
        let request = client.request(Method::GET, "/api/v1/events/stream").query(&[("filter", &args.filter)]);
        let mut response = client.send(request).await?;
        let mut lines = Lines::default();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    for data in lines.push(&chunk) {
                        let item: Value = serde_json::from_str(&data).context("the stream is not understood")?;
                        let position = item["position"].as_u64();
                        if position.is_some() && position > last {
                            last = position;
                            show_line(args.format, &item)?;
                        }
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    output::note(format!("the connection was lost ({error}); trying again"));
                    break;
                }
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The data of server-sent events, put together from chunks.
#[derive(Default)]
struct Lines {
    rest: Vec<u8>,
    event: String,
}

impl Lines {
    fn push(&mut self, chunk: &[u8]) -> Vec<String> {
        self.rest.extend_from_slice(chunk);
        let mut found = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if let Some(name) = line.strip_prefix("event:") {
                name.trim().clone_into(&mut self.event);
            } else if let Some(data) = line.strip_prefix("data:")
                && (self.event == "event" || self.event.is_empty())
            {
                found.push(data.trim().to_owned());
            } else if line.is_empty() {
                self.event.clear();
            }
        }
        found
    }
}

fn show_line(format: Format, item: &Value) -> Result<()> {
    match format {
        Format::Json => output::line(item.to_string()),
        Format::Csv => output::csv_row(COLUMNS, &row(item)),
        Format::Table => {
            let row = row(item);
            let cells: Vec<String> = COLUMNS
                .iter()
                .map(|(_, path)| output::clean(&output::text(output::at(&row, path))))
                .filter(|text| !text.is_empty())
                .collect();
            output::line(cells.join("  "))
        }
    }
}

/// The event with two columns that are made from several fields.
fn row(item: &Value) -> Value {
    let mut row = item.clone();
    let event = &item["event"];
    let severity = event["event"]["severity"].as_u64().and_then(|number| u8::try_from(number).ok());
    row["severity"] = json!(severity.map(|number| event::Severity::from_number(number).name()).unwrap_or_default());
    let on = ["credential.username", "user.target.name", "entity.name", "host.name"];
    let on = on.iter().map(|path| output::text(output::at(event, path))).find(|text| !text.is_empty());
    row["on"] = json!(on.unwrap_or_default());
    row
}

/// A moment as people write it. Spans count back from now; what else there is, the server reads.
fn moment(text: &str) -> Result<String> {
    match duration::parse(text) {
        Ok(span) => {
            Ok(jiff::Timestamp::now().checked_sub(span).with_context(|| format!("{text} is too far back"))?.to_string())
        }
        Err(_) => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_a_stream_are_put_together_from_any_pieces() {
        let text = b": hello\n\nevent: lag\ndata: {}\n\nevent: event\nid: 7\ndata: {\"position\":7}\n\n";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let found: Vec<String> = text.chunks(size).flat_map(|chunk| lines.push(chunk)).collect();
            assert_eq!(found, ["{\"position\":7}"], "{size}");
        }
    }
}
