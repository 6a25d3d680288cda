//! The load behind `make bench`: realistic audit events from a fixed seed, sent to a running server, and the times of
//! what people ask of it. Prints one JSON object a step, for scripts/bench.sh to put beside PostgreSQL's.
//!
//!     load rows FILE EVENTS BATCH      the same events as SQL COPY and INSERT scripts for psql
//!     load ingest PID EVENTS           batches of 2,000 over 4 connections
//!     load single PID EVENTS           one event per request over 32 connections
//!     load hec PID EVENTS              Splunk's collector: batches of 1,000 over 4 connections
//!     load otlp PID EVENTS             OTLP in protobuf, the same
//!     load bulk PID EVENTS             Elasticsearch's _bulk, the same
//!     load syslog ADDRESS EVENTS       messages over TCP, until all are in the trail
//!     load idle-syslog PID ADDRESS N   N senders that send one message each and then keep quiet: what they cost
//!     load lines FILE EVENTS           the same messages in a file, each behind its length, for another server
//!     load search                      newest 50, of one user, words, counts, proofs
//!     load export                      100,000 events as JSON
//!     load webhook EVENTS              acknowledged event → received webhook
//!
//! BELFRY_URL and BELFRY_TOKEN say where the server is; PID is its process, whose CPU time is read from /proc.

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SEED: u64 = 20_261_121;
const BATCH: usize = 2_000;
const CONNECTIONS: usize = 4;
const USERS: u32 = 5_000;
const DEVICES: u32 = 20_000;
/// The stretch of time the events are spread over.
const DAYS: u64 = 90;
const SINGLE_CONNECTIONS: usize = 32;
const STEPS: &str = "rows, ingest, single, hec, otlp, bulk, syslog, idle-syslog, lines, search, export, webhook";

const FIRST_NAMES: &[&str] = &[
    "ada", "bola", "carin", "dimitris", "elena", "fatima", "ken", "hui", "ines", "jonas", "kwame", "lucja", "marc",
    "noa", "outi", "pedro",
];
const LAST_NAMES: &[&str] = &[
    "moreau",
    "okafor",
    "lindqvist",
    "sorokina",
    "haddad",
    "tanaka",
    "wei",
    "ferreira",
    "brandt",
    "osei",
    "nowak",
    "dubois",
    "cohen",
    "virtanen",
];
const VERBS: &[&str] =
    &["viewed", "changed", "created", "deleted", "shared", "exported", "rotated", "checked out", "approved", "denied"];
const THINGS: &[&str] = &[
    "password",
    "secret",
    "certificate",
    "session",
    "policy",
    "role",
    "key",
    "group",
    "device",
    "request",
    "recording",
    "report",
    "token",
    "backup",
    "rule",
];

struct Generator {
    random: fastrand::Rng,
    end: i64,
    actions: Vec<String>,
}

struct Row {
    time: String,
    action: String,
    outcome: &'static str,
    severity: u8,
    user: String,
    email: String,
    address: String,
    port: u16,
    host: String,
    entity: String,
    entity_id: String,
    session: String,
    id: String,
    message: String,
}

impl Generator {
    fn new(end: jiff::Timestamp) -> Self {
        let actions = THINGS
            .iter()
            .flat_map(|thing| VERBS.iter().map(move |verb| format!("{thing}.{}", verb.replace(' ', "_"))))
            .collect();
        Self { random: fastrand::Rng::with_seed(SEED), end: end.as_millisecond(), actions }
    }

    /// A small number far more often than a large one, below `limit`.
    fn skewed(&mut self, limit: u32) -> u32 {
        let unit = self.random.f64();
        ((unit * unit * unit) * f64::from(limit)) as u32
    }

    fn hex(&mut self, digits: usize) -> String {
        let random = &mut self.random;
        (0..digits).map(|_| char::from(b"0123456789abcdef"[random.usize(..16)])).collect()
    }

    /// Event `index` of `total`: times go up, with a little disorder.
    fn row(&mut self, index: u64, total: u64) -> Row {
        let span = DAYS * 86_400_000;
        let back = span - span * index / total.max(1);
        let at = self.end - back as i64 - self.random.i64(0..2_000);
        let time = jiff::Timestamp::from_millisecond(at)
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
            .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
            .to_string();
        let count = u32::try_from(self.actions.len()).unwrap_or(1);
        let action = self.skewed(count) as usize;
        let action = self.actions[action].clone();
        let user = self.skewed(USERS) as usize;
        let (first, last) = (FIRST_NAMES[user % FIRST_NAMES.len()], LAST_NAMES[user / 7 % LAST_NAMES.len()]);
        let name = format!("{first}.{last}{user}");
        let device = self.skewed(DEVICES);
        let thing = THINGS[self.random.usize(..THINGS.len())];
        let outcome = if self.random.u32(..20) == 0 { "failure" } else { "success" };
        let entity = format!("{thing} {first} {}", self.random.u32(..40_000));
        Row {
            message: format!(
                "{name} {} {entity} on host-{device} after review of request {}",
                action.replace(['.', '_'], " "),
                self.random.u32(..100_000)
            ),
            time,
            outcome,
            severity: [10, 10, 10, 30, 30, 50, 73][self.random.usize(..7)],
            email: format!("{name}@example.com"),
            user: name,
            address: format!("10.{}.{}.{}", self.random.u8(..), self.random.u8(..), self.random.u8(1..255)),
            port: self.random.u16(1024..65_000),
            host: format!("host-{device}"),
            entity,
            entity_id: self.hex(16),
            session: format!("{}-{}", self.hex(8), self.hex(12)),
            id: self.hex(32),
            action,
        }
    }
}

impl Row {
    fn json(&self, line: &mut Vec<u8>) -> Result<()> {
        write!(
            line,
            concat!(
                r#"{{"@timestamp":"{}","event":{{"action":"{}","id":"{}","module":"bench","outcome":"{}","severity":{}}},"#,
                r#""user":{{"name":"{}","email":"{}","id":"u-{}"}},"source":{{"ip":"{}","port":{}}},"host":{{"name":"{}"}},"#,
                r#""entity":{{"type":"record","id":"{}","name":"{}"}},"session":{{"id":"{}","protocol":"ssh"}},"#,
                r#""product":{{"name":"payments"}},"user_agent":{{"original":"belfry-bench/1.0 (linux; x86_64)"}},"message":"{}"}}"#,
                "\n"
            ),
            self.time,
            self.action,
            self.id,
            self.outcome,
            self.severity,
            self.user,
            self.email,
            self.user,
            self.address,
            self.port,
            self.host,
            self.entity_id,
            self.entity,
            self.session,
            self.message
        )?;
        Ok(())
    }

    fn columns(&self) -> [String; 14] {
        [
            self.time.clone(),
            self.action.clone(),
            self.id.clone(),
            self.outcome.to_owned(),
            self.severity.to_string(),
            self.user.clone(),
            self.email.clone(),
            self.address.clone(),
            self.port.to_string(),
            self.host.clone(),
            self.entity_id.clone(),
            self.entity.clone(),
            self.session.clone(),
            self.message.clone(),
        ]
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["rows", prefix, events, kind] => rows(prefix, events.parse()?, kind)?,
        ["ingest", process, events] => ingest(process.parse()?, events.parse()?).await?,
        ["single", process, events] => single(process.parse()?, events.parse()?).await?,
        [protocol @ ("hec" | "otlp" | "bulk"), process, events] => {
            protocol_step(protocol, process.parse()?, events.parse()?).await?
        }
        ["syslog", address, events] => syslog(address, events.parse()?).await?,
        ["idle-syslog", process, address, senders] => idle_syslog(process.parse()?, address, senders.parse()?).await?,
        ["lines", file, events] => lines(file, events.parse()?)?,
        ["search"] => search().await?,
        ["export"] => export().await?,
        ["webhook", events] => webhook(events.parse()?).await?,
        _ => bail!("say a step: {STEPS}"),
    };
    let mut out = std::io::stdout();
    writeln!(out, "{result}")?;
    Ok(())
}

/// Writes CONNECTIONS scripts for psql: batches of COPY, or INSERTs of 1,000 rows.
fn rows(prefix: &str, events: u64, kind: &str) -> Result<Value> {
    let mut generator = Generator::new("2026-11-21T00:00:00Z".parse()?);
    let mut files: Vec<_> = (0..CONNECTIONS)
        .map(|index| fs::File::create(format!("{prefix}.{index}.sql")).map(std::io::BufWriter::new))
        .collect::<std::io::Result<_>>()?;
    let batch = if kind == "insert" { 1_000 } else { BATCH as u64 };
    let mut index = 0;
    while index < events {
        let file = &mut files[(index / batch) as usize % CONNECTIONS];
        let until = (index + batch).min(events);
        if kind == "insert" {
            writeln!(file, "INSERT INTO audit VALUES")?;
        } else {
            writeln!(file, "COPY audit FROM STDIN;")?;
        }
        while index < until {
            let columns = generator.row(index, events).columns();
            index += 1;
            if kind == "insert" {
                writeln!(file, "('{}'){}", columns.join("','"), if index == until { ";" } else { "," })?;
            } else {
                writeln!(file, "{}", columns.join("\t"))?;
            }
        }
        if kind != "insert" {
            writeln!(file, "\\.")?;
        }
    }
    Ok(json!({ "step": "rows", "kind": kind, "events": events }))
}

fn client() -> Result<(reqwest::Client, String, String)> {
    let url = std::env::var("BELFRY_URL").context("BELFRY_URL is not set")?;
    let token = std::env::var("BELFRY_TOKEN").context("BELFRY_TOKEN is not set")?;
    Ok((reqwest::Client::builder().timeout(Duration::from_secs(120)).build()?, url, token))
}

async fn get(path: &str) -> Result<Value> {
    let (client, url, token) = client()?;
    let answer = client.get(format!("{url}{path}")).bearer_auth(token).send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    anyhow::ensure!(status.is_success(), "{path}: {status} {text}");
    Ok(serde_json::from_str(&text)?)
}

/// User and system CPU seconds of a process.
fn cpu_seconds(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks: f64 =
        fields.get(11).context("utime")?.parse::<f64>()? + fields.get(12).context("stime")?.parse::<f64>()?;
    Ok(ticks / 100.0)
}

fn peak_memory_mb(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmHWM")).context("VmHWM")?;
    let kib: f64 = line.split_whitespace().nth(1).context("VmHWM")?.parse()?;
    Ok(kib / 1024.0)
}

async fn ingest(process: u32, events: u64) -> Result<Value> {
    let mut generator = Generator::new(jiff::Timestamp::now());
    let mut batches = std::collections::VecDeque::new();
    let mut bytes = 0;
    let mut index = 0;
    while index < events {
        let mut body = Vec::with_capacity(BATCH * 700);
        for _ in 0..BATCH.min((events - index) as usize) {
            generator.row(index, events).json(&mut body)?;
            index += 1;
        }
        bytes += body.len();
        batches.push_back(bytes::Bytes::from(body));
    }
    let (client, url, token) = client()?;
    let before = cpu_seconds(process)?;
    let size_before = get("/api/v1/trail").await?["size"].as_u64().unwrap_or(0);
    let began = Instant::now();
    let queue = std::sync::Arc::new(std::sync::Mutex::new(batches));
    let mut senders = Vec::new();
    for _ in 0..CONNECTIONS {
        let (client, url, token, queue) = (client.clone(), url.clone(), token.clone(), queue.clone());
        senders.push(tokio::spawn(async move {
            let mut busy = 0u64;
            loop {
                let Some(body) = queue.lock().ok().and_then(|mut queue| queue.pop_front()) else {
                    return anyhow::Ok(busy);
                };
                loop {
                    let answer = client
                        .post(format!("{url}/api/v1/events"))
                        .bearer_auth(&token)
                        .header("content-type", "application/x-ndjson")
                        .body(body.clone())
                        .send()
                        .await?;
                    if answer.status().as_u16() == 429 {
                        busy += 1;
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        continue;
                    }
                    let (status, text) = (answer.status(), answer.text().await?);
                    anyhow::ensure!(status.is_success(), "{status} {text}");
                    break;
                }
            }
        }));
    }
    let mut busy = 0;
    for sender in senders {
        busy += sender.await??;
    }
    let acknowledged = began.elapsed().as_secs_f64();
    let cpu_acknowledged = cpu_seconds(process)? - before;
    let wanted = size_before + events;
    loop {
        let trail = get("/api/v1/trail").await?;
        anyhow::ensure!(trail["size"].as_u64().unwrap_or(0) >= wanted, "acknowledged events are missing: {trail}");
        if trail["indexed_to"].as_u64().unwrap_or(0) >= wanted {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let caught_up = began.elapsed().as_secs_f64();
    // The merges and the packing that were started go on for a while; they belong to the bill.
    let mut settled = cpu_seconds(process)?;
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = cpu_seconds(process)?;
        if now - settled < 0.05 {
            break;
        }
        settled = now;
    }
    let cpu = cpu_seconds(process)? - before;
    let millions = events as f64 / 1e6;
    Ok(json!({
        "step": "ingest", "events": events, "bytes_per_event_sent": bytes as f64 / events as f64,
        "acknowledged_per_s": events as f64 / acknowledged, "acknowledged_s": acknowledged, "caught_up_s": caught_up, "answers_429": busy,
        "cpu_s_per_million_until_acknowledged": cpu_acknowledged / millions, "cpu_s_per_million_all": cpu / millions,
        "peak_memory_mb": peak_memory_mb(process)?,
    }))
}

/// One event per request; answered when it is on disk.
async fn single(process: u32, events: u64) -> Result<Value> {
    let mut generator = Generator::new(jiff::Timestamp::now());
    let mut bodies = std::collections::VecDeque::new();
    for index in 0..events {
        let mut body = Vec::with_capacity(800);
        generator.row(index, events).json(&mut body)?;
        bodies.push_back(bytes::Bytes::from(body));
    }
    let (client, url, token) = client()?;
    let before = cpu_seconds(process)?;
    let began = Instant::now();
    let queue = std::sync::Arc::new(std::sync::Mutex::new(bodies));
    let mut senders = Vec::new();
    for _ in 0..SINGLE_CONNECTIONS {
        let (client, url, token, queue) = (client.clone(), url.clone(), token.clone(), queue.clone());
        senders.push(tokio::spawn(async move {
            loop {
                let Some(body) = queue.lock().ok().and_then(|mut queue| queue.pop_front()) else {
                    return anyhow::Ok(());
                };
                let request = client.post(format!("{url}/api/v1/events")).bearer_auth(&token);
                let answer = request.header("content-type", "application/json").body(body).send().await?;
                let (status, text) = (answer.status(), answer.text().await?);
                anyhow::ensure!(status.is_success(), "{status} {text}");
            }
        }));
    }
    for sender in senders {
        sender.await??;
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(json!({ "step": "single", "events": events, "connections": SINGLE_CONNECTIONS, "per_s": events as f64 / seconds,
        "cpu_s_per_million": (cpu_seconds(process)? - before) / events as f64 * 1e6 }))
}

/// A batch of `count` events from `index` on, as a shipper of that protocol packs them.
fn protocol_batch(protocol: &str, generator: &mut Generator, index: u64, count: u64, events: u64) -> Result<Vec<u8>> {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    use prost::Message as _;

    let mut body = Vec::with_capacity(count as usize * 800);
    let mut log_records = Vec::new();
    let text = |text: &str| AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) };
    for index in index..index + count {
        let row = generator.row(index, events);
        match protocol {
            "hec" => {
                write!(
                    body,
                    r#"{{"time":{},"host":"{}","sourcetype":"bench","event":"#,
                    1_767_323_045 + index,
                    row.host
                )?;
                row.json(&mut body)?;
                body.pop();
                body.extend_from_slice(b"}\n");
            }
            "bulk" => {
                body.extend_from_slice(b"{\"create\":{\"_index\":\"bench\"}}\n");
                row.json(&mut body)?;
            }
            _ => {
                let mut json = Vec::new();
                row.json(&mut json)?;
                json.pop();
                log_records.push(LogRecord {
                    time_unix_nano: (1_767_323_045 + index) * 1_000_000_000,
                    severity_number: 9,
                    severity_text: "INFO".to_owned(),
                    body: Some(text(&String::from_utf8(json)?)),
                    attributes: [("log.file.name", "audit.log"), ("host.name", &row.host)]
                        .map(|(key, value)| KeyValue {
                            key: key.to_owned(),
                            value: Some(text(value)),
                            ..KeyValue::default()
                        })
                        .to_vec(),
                    ..LogRecord::default()
                });
            }
        }
    }
    if protocol == "otlp" {
        let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
        let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
        return Ok(ExportLogsServiceRequest { resource_logs }.encode_to_vec());
    }
    Ok(body)
}

/// A mapping of the size that products need, for the records of the load.
const BENCH_MAPPING: &str = r#"# decoder: json
# title: Events of the load

e = .native
.@timestamp = time(e."@timestamp")
.event.action = text(e.event.action)
.event.id = text(e.event.id)
.event.outcome = outcome(e.event.outcome)
.user.name = text(e.user.name)
.user.email = text(e.user.email)
.source.ip = ip(e.source.ip)
.source.port = port(e.source.port)
.host.name = text(e.host.name)
.entity.type = text(e.entity.type)
.entity.id = text(e.entity.id)
.entity.name = text(e.entity.name)
.session.id = text(e.session.id)
.user_agent.original = text(e.user_agent.original)
.message = text(e.message)
"#;

/// Events by a protocol of others, read by a mapping of usual size.
async fn protocol_step(protocol: &str, process: u32, events: u64) -> Result<Value> {
    const PROTOCOL_BATCH: u64 = 1_000;
    let mut generator = Generator::new(jiff::Timestamp::now());
    let mut bodies = std::collections::VecDeque::new();
    let mut index = 0;
    let mut bytes = 0;
    while index < events {
        let count = PROTOCOL_BATCH.min(events - index);
        let body = protocol_batch(protocol, &mut generator, index, count, events)?;
        bytes += body.len();
        bodies.push_back(bytes::Bytes::from(body));
        index += count;
    }
    let (path, kind) = match protocol {
        "hec" => ("/services/collector/event", "application/json"),
        "otlp" => ("/v1/logs", "application/x-protobuf"),
        _ => ("/_bulk", "application/x-ndjson"),
    };
    let (client, url, token) = client()?;
    let mapping = client.put(format!("{url}/api/v1/mappings/bench")).bearer_auth(&token);
    mapping.json(&json!({ "program": BENCH_MAPPING })).send().await?.error_for_status()?;
    let source = client.post(format!("{url}/api/v1/sources")).bearer_auth(&token);
    // It may be there from the step before.
    source.json(&json!({ "name": "bench", "title": "The load", "mapping": "bench" })).send().await?;
    let url = format!("{url}{path}?source=bench");
    let before = cpu_seconds(process)?;
    let began = Instant::now();
    let queue = std::sync::Arc::new(std::sync::Mutex::new(bodies));
    let mut senders = Vec::new();
    for _ in 0..CONNECTIONS {
        let (client, url, token, queue) = (client.clone(), url.clone(), token.clone(), queue.clone());
        senders.push(tokio::spawn(async move {
            let mut busy = 0u64;
            loop {
                let Some(body) = queue.lock().ok().and_then(|mut queue| queue.pop_front()) else {
                    return anyhow::Ok(busy);
                };
                loop {
                    let request = client.post(&url).bearer_auth(&token).header("content-type", kind);
                    let answer = request.body(body.clone()).send().await?;
                    if matches!(answer.status().as_u16(), 429 | 503) {
                        busy += 1;
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        continue;
                    }
                    let (status, text) = (answer.status(), answer.bytes().await?);
                    let head = String::from_utf8_lossy(&text[..text.len().min(300)]).into_owned();
                    anyhow::ensure!(status.is_success() && !head.contains("\"errors\":true"), "{status} {head}");
                    break;
                }
            }
        }));
    }
    let mut busy = 0;
    for sender in senders {
        busy += sender.await??;
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(json!({
        "step": protocol, "events": events, "batch": PROTOCOL_BATCH, "per_s": events as f64 / seconds,
        "bytes_per_event_sent": bytes as f64 / events as f64, "answers_busy": busy,
        "cpu_s_per_million": (cpu_seconds(process)? - before) / events as f64 * 1e6,
    }))
}

/// Messages as sshd writes them, RFC 5424.
fn messages(events: u64) -> impl Iterator<Item = String> {
    let mut generator = Generator::new(jiff::Timestamp::now());
    (0..events).map(move |index| {
        let row = generator.row(index, events);
        format!(
            "<86>1 {} {} sshd {} - - Accepted publickey for {} from {} port {} ssh2: ED25519 SHA256:{}",
            row.time,
            row.host,
            index % 30_000,
            row.user,
            row.address,
            row.port,
            row.entity_id
        )
    })
}

fn framed(events: u64) -> Vec<u8> {
    let mut framed = Vec::new();
    for message in messages(events) {
        framed.extend_from_slice(format!("{} {message}", message.len()).as_bytes());
    }
    framed
}

fn lines(file: &str, events: u64) -> Result<Value> {
    let framed = framed(events);
    fs::write(file, &framed)?;
    Ok(json!({ "step": "lines", "events": events, "bytes": framed.len() }))
}

/// Syslog over TCP with octet counting, over one connection, until the trail holds all of it.
async fn syslog(address: &str, events: u64) -> Result<Value> {
    let framed = framed(events);
    let wanted = get("/api/v1/trail").await?["size"].as_u64().unwrap_or(0) + events;
    let began = Instant::now();
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(&framed).await?;
    stream.shutdown().await?;
    while get("/api/v1/trail").await?["size"].as_u64().unwrap_or(0) < wanted {
        anyhow::ensure!(began.elapsed() < Duration::from_secs(300), "not all messages came in");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(
        json!({ "step": "syslog", "events": events, "per_s": events as f64 / seconds, "bytes_per_message": framed.len() as f64 / events as f64 }),
    )
}

/// Connections that are open and quiet: the memory of the server before, and once each has sent a message.
async fn idle_syslog(process: u32, address: &str, senders: usize) -> Result<Value> {
    let memory = || -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        Ok(line.split_whitespace().next().context("a number")?.parse()?)
    };
    let wanted = get("/api/v1/trail").await?["size"].as_u64().unwrap_or(0) + senders as u64;
    let before = memory()?;
    let mut open = Vec::with_capacity(senders);
    for index in 0..senders {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        stream.write_all(format!("<13>1 - - idle - - - sender {index} is here\n").as_bytes()).await?;
        open.push(stream);
    }
    let began = Instant::now();
    while get("/api/v1/trail").await?["size"].as_u64().unwrap_or(0) < wanted {
        anyhow::ensure!(
            began.elapsed() < Duration::from_secs(60),
            "not all messages came in: is ulimit -n large enough?"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // What they needed while they sent is given back when they were quiet for a moment.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = memory()?;
    let each = after.saturating_sub(before) as f64 * 1024.0 / senders as f64;
    Ok(
        json!({ "step": "idle-syslog", "senders": senders, "before_kib": before, "after_kib": after, "bytes_each": each }),
    )
}

/// 100,000 events as lines of JSON: when the first byte came, and the last.
async fn export() -> Result<Value> {
    let (client, url, token) = client()?;
    let mut times = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        let request = client.get(format!("{url}/api/v1/export/events?limit=100000")).bearer_auth(&token);
        let mut answer = request.send().await?.error_for_status()?;
        let (mut first, mut bytes, mut rows) = (None, 0, 0);
        while let Some(piece) = answer.chunk().await? {
            first.get_or_insert_with(|| began.elapsed().as_secs_f64() * 1e3);
            bytes += piece.len();
            rows += piece.iter().filter(|byte| **byte == b'\n').count();
        }
        times.push((began.elapsed().as_secs_f64() * 1e3, first.unwrap_or(f64::NAN), rows, bytes));
    }
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (all, first, rows, bytes) = times[times.len() / 2];
    Ok(json!({ "step": "export", "rows": rows, "bytes": bytes, "first_byte_ms": first, "all_ms": all }))
}

/// The times of `tries` runs of a request, in milliseconds: median, and the largest but one in twenty.
async fn timed(path: &str, tries: usize) -> Result<Value> {
    let (client, url, token) = client()?;
    let mut times = Vec::new();
    let mut inside = Vec::new();
    for _ in 0..tries + 3 {
        let began = Instant::now();
        let answer = client.get(format!("{url}{path}")).bearer_auth(&token).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        times.push(began.elapsed().as_secs_f64() * 1e3);
        anyhow::ensure!(status.is_success(), "{path}: {status} {text}");
        let answer: Value = serde_json::from_str(&text)?;
        inside.extend(answer["took_ms"].as_f64());
    }
    // The first three warm the caches.
    let summary = |mut times: Vec<f64>| {
        if times.len() <= 3 {
            return Value::Null;
        }
        times.drain(..3);
        times.sort_by(f64::total_cmp);
        json!({ "p50_ms": times[times.len() / 2], "p95_ms": times[times.len() * 19 / 20] })
    };
    Ok(json!({ "client": summary(times), "server": summary(inside) }))
}

async fn search() -> Result<Value> {
    let user = get("/api/v1/fields/values?field=user.name&limit=30").await?;
    let user = user["items"]
        .as_array()
        .and_then(|items| items.last())
        .and_then(|item| item["value"].as_str())
        .context("a user")?
        .to_owned();
    let wanted = [
        ("newest_50", "/api/v1/events?limit=50".to_owned()),
        ("newest_50_of_a_user_30_days", format!("/api/v1/events?limit=50&from=now-30d&filter=user.name:%22{user}%22")),
        ("counts_by_type_and_day", "/api/v1/events/summary?by=event.action&span=day".to_owned()),
        (
            "top_users_of_a_type",
            "/api/v1/events/summary?by=user.name&top=20&filter=event.action:password.viewed".to_owned(),
        ),
        ("common_word", "/api/v1/events?limit=100&filter=review".to_owned()),
        ("rare_word", "/api/v1/events?limit=100&filter=40001".to_owned()),
        ("part_of_a_word", "/api/v1/events?limit=100&filter=*evie*".to_owned()),
        ("part_of_a_rare_word", "/api/v1/events?limit=100&filter=*oreau4999*".to_owned()),
        ("inclusion_proof", "/api/v1/events/4711/proof".to_owned()),
    ];
    let mut result = json!({ "step": "search" });
    for (name, path) in wanted {
        // What looks at everything is asked a few times only.
        let tries = if name == "part_of_a_rare_word" { 3 } else { 40 };
        result[name] = timed(&path, tries).await?;
    }
    Ok(result)
}

/// Makes a rule with a webhook to a receiver of ours, sends events one by one, and takes the times.
async fn webhook(events: usize) -> Result<Value> {
    let (client, url, token) = client()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let (received, mut arrivals) = tokio::sync::mpsc::channel::<(String, Instant)>(10_000);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let received = received.clone();
            tokio::spawn(async move {
                let mut buffer = Vec::new();
                let mut chunk = vec![0; 64 * 1024];
                while let Ok(read) = stream.read(&mut chunk).await {
                    if read == 0 {
                        break;
                    }
                    buffer.extend_from_slice(&chunk[..read]);
                    let text = String::from_utf8_lossy(&buffer).into_owned();
                    let Some(head) = text.find("\r\n\r\n") else { continue };
                    let length = text[..head].lines().find_map(|line| {
                        line.to_ascii_lowercase()
                            .strip_prefix("content-length:")
                            .and_then(|n| n.trim().parse::<usize>().ok())
                    });
                    if buffer.len() < head + 4 + length.unwrap_or(0) {
                        continue;
                    }
                    let at = Instant::now();
                    if let Some(mark) = text.split("bench-mark-").nth(1) {
                        let mark: String = mark.chars().take_while(char::is_ascii_digit).collect();
                        let _ = received.send((mark, at)).await;
                    }
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                    buffer.clear();
                }
            });
        }
    });
    let post = |path: String, body: Value, put: bool| {
        let (client, url, token) = (client.clone(), url.clone(), token.clone());
        async move {
            let request = if put { client.put(format!("{url}{path}")) } else { client.post(format!("{url}{path}")) };
            let answer = request.bearer_auth(token).json(&body).send().await?;
            let (status, text) = (answer.status(), answer.text().await?);
            anyhow::ensure!(status.is_success(), "{path}: {status} {text}");
            anyhow::Ok(serde_json::from_str::<Value>(&text).unwrap_or(Value::Null))
        }
    };
    post("/api/v1/settings".into(), json!({ "outgoing_allow": ["127.0.0.1"] }), true).await?;
    let channel = post("/api/v1/channels".into(), json!({ "name": "bench", "kind": "webhook", "enabled": true, "settings": { "url": format!("http://127.0.0.1:{port}/") } }), false).await?;
    let id =
        channel["id"].as_str().or_else(|| channel["channel"]["id"].as_str()).context("the channel's id")?.to_owned();
    post("/api/v1/rules".into(), json!({ "name": "bench", "enabled": true, "filter": "event.action: bench.marked", "hold_seconds": 0, "group_by": ["event.id"], "recipients": [{ "channel": id, "to": [] }] }), false).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut times = Vec::new();
    for index in 0..events {
        let event = json!({ "event": { "action": "bench.marked", "id": format!("e{index}") }, "message": format!("bench-mark-{index} seen") });
        post("/api/v1/events".into(), event, false).await?;
        let acknowledged = Instant::now();
        let wait = tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                match arrivals.recv().await {
                    Some((mark, at)) if mark == index.to_string() => return Some(at),
                    Some(_) => {}
                    None => return None,
                }
            }
        });
        let at = wait.await.context("the webhook did not come")?.context("the receiver ended")?;
        times.push(at.saturating_duration_since(acknowledged).as_secs_f64() * 1e3);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    times.sort_by(f64::total_cmp);
    Ok(
        json!({ "step": "webhook", "events": events, "p50_ms": times[times.len() / 2], "p99_ms": times[times.len() * 99 / 100] }),
    )
}
