//! `belfry send`: events from files or standard input, in batches, each of which may be repeated without harm.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::credential::Place;
use crate::output;
use crate::remote::{Client, Remote};
use crate::{Answer, duration};

const BATCH_BYTES_MAX: usize = 4 << 20;
const TOLD_MAX: usize = 20;
const TRIES_MAX: u32 = 12;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    place: Place,
    /// Files with one record a line (or one JSON array each); without any, standard input
    files: Vec<String>,
    /// The source whose mapping reads the records; without it they are events
    #[arg(long)]
    source: Option<String>,
    /// Records in one request
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    batch: u32,
    /// Give up when the server can't take a batch for so long
    #[arg(long, default_value = "15m", value_parser = duration::parse)]
    patience: Duration,
}

struct Sender {
    client: Client,
    path: String,
    patience: Duration,
    /// Made up for this run; with the number of the batch it is the key that makes a repetition harmless.
    run: String,
    batches: u64,
    accepted: u64,
    rejected: u64,
    skipped: u64,
    left_out: u64,
    told: usize,
    started: Instant,
}

/// Records on their way, and where the first of them stands.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    lines: Vec<u64>,
}

pub async fn run(args: Args) -> Result<Answer> {
    let mut random = [0; 12];
    rand::fill(&mut random);
    let source = args.source.as_deref().map(|source| format!("?source={}", crate::resource::escape(source)));
    let mut sender = Sender {
        client: args.place.client(&args.remote)?,
        path: format!("/api/v1/events{}", source.unwrap_or_default()),
        patience: args.patience,
        run: base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random),
        batches: 0,
        accepted: 0,
        rejected: 0,
        skipped: 0,
        left_out: 0,
        told: 0,
        started: Instant::now(),
    };
    let files = if args.files.is_empty() { vec!["-".to_owned()] } else { args.files };
    for file in &files {
        let input: Box<dyn Read> = if file == "-" {
            Box::new(std::io::stdin())
        } else {
            Box::new(File::open(file).with_context(|| format!("can't read {file}"))?)
        };
        sender
            .send_all(file, BufReader::with_capacity(1 << 16, input), args.batch as usize, args.source.is_none())
            .await?;
    }
    output::progress_end();
    let skipped =
        if sender.skipped > 0 { format!(", {} skipped by the mapping", sender.skipped) } else { String::new() };
    let left_out =
        if sender.left_out > 0 { format!(", {} left out by the selection", sender.left_out) } else { String::new() };
    output::note(format!(
        "{} accepted, {} rejected{skipped}{left_out} in {}",
        sender.accepted,
        sender.rejected,
        duration::show(sender.started.elapsed())
    ));
    Ok(if sender.rejected == 0 { Answer::Yes } else { Answer::No })
}

impl Sender {
    async fn send_all(&mut self, file: &str, mut input: impl BufRead, batch_max: usize, events: bool) -> Result<()> {
        if events && begins_with_array(&mut input)? {
            // An array is one JSON text over many lines; it goes as it is.
            let mut bytes = Vec::new();
            input.read_to_end(&mut bytes).with_context(|| format!("can't read {file}"))?;
            return self.deliver(file, Batch { bytes, lines: Vec::new() }).await;
        }
        let mut batch = Batch::default();
        let mut line = Vec::new();
        let mut number = 0;
        loop {
            line.clear();
            if input.read_until(b'\n', &mut line).with_context(|| format!("can't read {file}"))? == 0 {
                break;
            }
            number += 1;
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            if !line.ends_with(b"\n") {
                line.push(b'\n');
            }
            let full = batch.lines.len() >= batch_max || batch.bytes.len() + line.len() > BATCH_BYTES_MAX;
            if full && !batch.lines.is_empty() {
                self.deliver(file, std::mem::take(&mut batch)).await?;
            }
            batch.bytes.extend_from_slice(&line);
            batch.lines.push(number);
        }
        if batch.lines.is_empty() { Ok(()) } else { self.deliver(file, batch).await }
    }

    /// Sends until the server has taken it, or patience ends.
    async fn deliver(&mut self, file: &str, batch: Batch) -> Result<()> {
        self.batches += 1;
        let key = format!("send-{}-{}", self.run, self.batches);
        let packed = zstd::encode_all(batch.bytes.as_slice(), 3).context("can't compress")?;
        let until = Instant::now() + self.patience;
        let mut tries = 0;
        let receipt = loop {
            tries += 1;
            let request = self
                .client
                .request(Method::POST, &self.path)
                .header("content-type", "application/x-ndjson")
                .header("content-encoding", "zstd")
                .header("idempotency-key", &key)
                .timeout(Duration::from_secs(120))
                .body(packed.clone());
            let mut error_is_connect = false;
            let (error, wait) = match request.send().await {
                Err(error) => {
                    error_is_connect = error.is_connect();
                    (self.client.unreachable(&error), None)
                }
                Ok(response) => match response.status() {
                    StatusCode::OK => break response.json::<Value>().await.context("the receipt is not JSON")?,
                    // None of it was accepted, and there is a receipt all the same.
                    StatusCode::UNPROCESSABLE_ENTITY if is_json(&response) => break response.json::<Value>().await?,
                    status => {
                        let wait = retry_after(&response);
                        let error = self.client.refused(response).await;
                        if status.is_client_error()
                            && status != StatusCode::TOO_MANY_REQUESTS
                            && status != StatusCode::REQUEST_TIMEOUT
                        {
                            return Err(error);
                        }
                        (error, wait)
                    }
                },
            };
            // Nobody there from the start: a wrong address, mostly. Later on it is worth waiting for.
            if self.batches == 1 && tries >= 3 && error_is_connect {
                return Err(error);
            }
            let pause = wait.unwrap_or_else(|| Duration::from_millis(200 << tries.min(8)));
            if Instant::now() + pause > until || (tries >= TRIES_MAX && wait.is_none()) {
                let sent = self.accepted;
                return Err(error.context(format!("gave up after {tries} tries; {sent} events were accepted before")));
            }
            output::progress(format!("{error}; trying again in {}", duration::show(pause)));
            tokio::time::sleep(pause).await;
        };
        self.count(file, &batch, &receipt)
    }

    fn count(&mut self, file: &str, batch: &Batch, receipt: &Value) -> Result<()> {
        let number = |name: &str| receipt[name].as_u64().unwrap_or(0);
        let rejected = receipt["rejected"].as_array().cloned().unwrap_or_default();
        if receipt["accepted"].is_null() {
            bail!("the answer is no receipt: {receipt}");
        }
        self.accepted += number("accepted");
        self.skipped += number("skipped");
        self.left_out += number("left_out");
        self.rejected += rejected.len() as u64 + number("rejected_more");
        for one in &rejected {
            if self.told == TOLD_MAX {
                output::progress_end();
                output::note("more were rejected; see belfry set-aside list");
            }
            self.told += 1;
            if self.told > TOLD_MAX {
                break;
            }
            let index = one["index"].as_u64().unwrap_or(0);
            let place = usize::try_from(index).ok().and_then(|index| batch.lines.get(index));
            let place = place.map_or_else(|| format!("record {index}"), |line| format!("line {line}"));
            let error = output::clean(one["error"].as_str().unwrap_or("rejected"));
            output::progress_end();
            output::note(format!("{file}: {place}: {error}"));
        }
        let seconds = self.started.elapsed().as_secs_f64().max(0.001);
        let rate = self.accepted as f64 / seconds;
        output::progress(format!("{} accepted, {} rejected, {rate:.0} a second", self.accepted, self.rejected));
        Ok(())
    }
}

fn begins_with_array(input: &mut impl BufRead) -> Result<bool> {
    let start = input.fill_buf().context("can't read")?;
    Ok(start.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'['))
}

fn is_json(response: &reqwest::Response) -> bool {
    response.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let seconds = response.headers().get("retry-after")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).max(Duration::from_millis(100)))
}
