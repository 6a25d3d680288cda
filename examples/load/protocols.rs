//! Events by the protocols of others, read by a mapping of usual size.

use std::io::Write as _;
use std::ops::Range;
use std::time::Instant;

use anyhow::Result;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::bodies::Bodies;
use crate::events::Generator;
use crate::ingest::CONNECTIONS;
use crate::server::{Process, Server};

const BATCH: u64 = 1_000;

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

/// Sends events by Splunk's collector (`hec`), OTLP (`otlp`) or Elasticsearch's bulk requests (`bulk`).
pub async fn protocol(protocol: &str, process: Process, events: u64) -> Result<Value> {
    let bodies = Bodies::new(events, BATCH, |generator, indices| packed(protocol, generator, indices, events))?;
    let bytes = bodies.bytes;
    let (path, kind) = match protocol {
        "hec" => ("/services/collector/event?source=bench", "application/json"),
        "otlp" => ("/v1/logs?source=bench", "application/x-protobuf"),
        _ => ("/_bulk?source=bench", "application/x-ndjson"),
    };
    let server = Server::of_environment()?;
    server.answer(Method::PUT, "/api/v1/mappings/bench", Some(&json!({ "program": BENCH_MAPPING }))).await?;
    let source = json!({ "name": "bench", "title": "The load", "mapping": "bench" });
    // It may be there from the step before.
    server.request(Method::POST, "/api/v1/sources").json(&source).send().await?;
    let before = process.cpu_seconds()?;
    let began = Instant::now();
    let request = move || server.request(Method::POST, path).header("content-type", kind);
    let busy = bodies.send(CONNECTIONS, &[429, 503], request).await?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(json!({
        "step": protocol, "events": events, "batch": BATCH, "per_s": events as f64 / seconds,
        "bytes_per_event_sent": bytes as f64 / events as f64, "answers_busy": busy,
        "cpu_s_per_million": (process.cpu_seconds()? - before) / events as f64 * 1e6,
    }))
}

/// The events of these indices out of `events`, as a shipper of that protocol packs them.
fn packed(protocol: &str, generator: &mut Generator, indices: Range<u64>, events: u64) -> Result<Vec<u8>> {
    let mut body = Vec::with_capacity(BATCH as usize * 800);
    let mut log_records = Vec::new();
    let text = |text: &str| AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) };
    for index in indices {
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
