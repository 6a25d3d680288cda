//! OTLP logs: from the protobuf of an export request to one JSON record for each log record.
//!
//! The request is read where it lies: no tree of messages is built, every record is written straight into one buffer.
//! A record takes one of two forms, see [`Form`]; both hold all that the sender said, its resource and scope included.

mod protobuf;

use std::ops::Range;

pub use protobuf::Malformed;
use protobuf::{Field, Fields};

use crate::json_text;

/// How a log record is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The body is a product's own record, as when a collector reads a file: it becomes the `event` of a collector
    /// envelope, everything around it the envelope's `fields`, under the names OpenTelemetry's own exporter to Splunk
    /// uses. A mapping finds the body as if it had come by itself.
    Enveloped,
    /// The log record itself: `timeUnixNano`, `severityText`, `body`, `attributes`, `resource`, `scope`, … with plain
    /// values.
    Log,
}

/// What is known of a log record before its form is chosen.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// `service.name` of its resource; empty without one.
    pub service: &'a str,
    pub has_body: bool,
    /// The body is a text that begins as records do: JSON, a syslog header, CEF, LEEF.
    pub body_is_record: bool,
}

/// A record in the buffer, with what the caller said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<T> {
    pub range: Range<usize>,
    pub of: T,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OtlpError {
    #[error("the request is no ExportLogsServiceRequest: {0}")]
    Malformed(#[from] Malformed),
    #[error("the request has more than {limit} log records; send smaller batches")]
    TooMany { limit: usize },
    #[error("the log records are larger than {limit} bytes once each has its resource; send smaller batches")]
    TooLarge { limit: usize },
}

/// Bounds on what one request becomes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub records: usize,
    pub bytes: usize,
}

/// Reads an `ExportLogsServiceRequest` in protobuf. `choose` is asked for each record.
pub fn records<T>(
    request: &[u8],
    limits: Limits,
    choose: &mut impl FnMut(Seen<'_>) -> (Form, T),
) -> Result<(Vec<u8>, Vec<Record<T>>), OtlpError> {
    let mut out = Out { json: Vec::with_capacity(request.len() * 2), records: Vec::new(), limits };
    let mut fields = Fields::of(request);
    while let Some((number, field)) = fields.next()? {
        if let (1, Field::Bytes(resource_logs)) = (number, field) {
            out.resource_logs(resource_logs, choose)?;
        }
    }
    Ok((out.json, out.records))
}

struct Out<T> {
    json: Vec<u8>,
    records: Vec<Record<T>>,
    limits: Limits,
}

/// What all records of a resource, or of a scope in it, have in common.
#[derive(Default)]
struct Around {
    /// As a member of a log: `,"resource":{…}`.
    member: Vec<u8>,
    /// As members of an envelope's `fields`: `"host.name":"web-1",…`
    fields: Vec<u8>,
    service: Vec<u8>,
    host: Vec<u8>,
}

impl<T> Out<T> {
    fn resource_logs(
        &mut self,
        message: &[u8],
        choose: &mut impl FnMut(Seen<'_>) -> (Form, T),
    ) -> Result<(), OtlpError> {
        // The resource may stand behind its records.
        let resource = resource(message)?;
        let mut fields = Fields::of(message);
        while let Some((number, field)) = fields.next()? {
            let (2, Field::Bytes(scope_logs)) = (number, field) else { continue };
            let scope = scope(scope_logs)?;
            let mut fields = Fields::of(scope_logs);
            while let Some((number, field)) = fields.next()? {
                if let (2, Field::Bytes(record)) = (number, field) {
                    self.record(record, &resource, &scope, choose)?;
                }
            }
        }
        Ok(())
    }

    fn record(
        &mut self,
        message: &[u8],
        resource: &Around,
        scope: &Around,
        choose: &mut impl FnMut(Seen<'_>) -> (Form, T),
    ) -> Result<(), OtlpError> {
        if self.records.len() == self.limits.records {
            return Err(OtlpError::TooMany { limit: self.limits.records });
        }
        let log = Log::read(message)?;
        let text = log.body.map(protobuf::text).transpose()?.flatten();
        let seen = Seen {
            service: std::str::from_utf8(&resource.service).unwrap_or_default(),
            has_body: log.body.is_some(),
            body_is_record: text.is_some_and(is_record),
        };
        let (form, of) = choose(seen);
        let start = self.json.len();
        match form {
            Form::Enveloped => log.envelope(&mut self.json, resource, scope)?,
            Form::Log => log.log(&mut self.json, resource, scope)?,
        }
        if self.json.len() > self.limits.bytes {
            return Err(OtlpError::TooLarge { limit: self.limits.bytes });
        }
        self.records.push(Record { range: start..self.json.len(), of });
        Ok(())
    }
}

/// Whether a text begins as a product's record does.
fn is_record(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    match text {
        [b'{', ..] => true,
        [b'<', rest @ ..] => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            (1..=3).contains(&digits) && rest.get(digits) == Some(&b'>')
        }
        _ => text.starts_with(b"CEF:") || text.starts_with(b"LEEF:"),
    }
}

/// The fields of a log record, as they lie in the request.
#[derive(Default)]
struct Log<'a> {
    time: u64,
    observed: u64,
    severity_number: u64,
    severity_text: &'a [u8],
    event_name: &'a [u8],
    body: Option<&'a [u8]>,
    dropped: u64,
    flags: u32,
    trace_id: &'a [u8],
    span_id: &'a [u8],
    message: &'a [u8],
}

impl<'a> Log<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut log = Self { message, ..Self::default() };
        let mut fields = Fields::of(message);
        while let Some((number, field)) = fields.next()? {
            match (number, field) {
                (1, Field::Fixed64(time)) => log.time = time,
                (11, Field::Fixed64(time)) => log.observed = time,
                (2, Field::Varint(number)) => log.severity_number = number,
                (3, Field::Bytes(text)) => log.severity_text = text,
                (5, Field::Bytes(value)) => log.body = Some(value),
                (7, Field::Varint(count)) => log.dropped = count,
                (8, Field::Fixed32(flags)) => log.flags = flags,
                (9, Field::Bytes(id)) => log.trace_id = id,
                (10, Field::Bytes(id)) => log.span_id = id,
                (12, Field::Bytes(name)) => log.event_name = name,
                _ => {}
            }
        }
        Ok(log)
    }

    fn log(&self, out: &mut Vec<u8>, resource: &Around, scope: &Around) -> Result<(), Malformed> {
        out.push(b'{');
        for (name, time) in [("timeUnixNano", self.time), ("observedTimeUnixNano", self.observed)] {
            if time != 0 {
                member(out, name);
                // As OTLP writes it in JSON: a text, since it has more digits than a double.
                json_text::string(out, time.to_string().as_bytes());
            }
        }
        self.common(
            out,
            &["severityNumber", "severityText", "eventName", "traceId", "spanId", "flags", "droppedAttributesCount"],
        );
        if let Some(body) = self.body {
            member(out, "body");
            protobuf::value(out, body, 0)?;
        }
        member(out, "attributes");
        out.push(b'{');
        self.attributes(out)?;
        close(out, b'}');
        out.extend_from_slice(&resource.member);
        out.extend_from_slice(&scope.member);
        out.push(b'}');
        Ok(())
    }

    fn envelope(&self, out: &mut Vec<u8>, resource: &Around, scope: &Around) -> Result<(), Malformed> {
        out.push(b'{');
        let time = if self.time == 0 { self.observed } else { self.time };
        if time != 0 {
            member(out, "time");
            let seconds = format!("{}.{:09}", time / 1_000_000_000, time % 1_000_000_000);
            out.extend_from_slice(seconds.as_bytes());
        }
        for (name, value) in [("host", &resource.host), ("source", &resource.service)] {
            if !value.is_empty() {
                member(out, name);
                json_text::string(out, value);
            }
        }
        member(out, "sourcetype");
        json_text::string(out, if resource.service.is_empty() { &b"otlp"[..] } else { resource.service.as_slice() });
        member(out, "fields");
        out.push(b'{');
        if self.observed != 0 && self.time != 0 {
            member(out, "otel.log.observed_time");
            json_text::string(out, self.observed.to_string().as_bytes());
        }
        self.common(
            out,
            &[
                "otel.log.severity.number",
                "otel.log.severity.text",
                "otel.event.name",
                "trace_id",
                "span_id",
                "trace_flags",
                "otel.log.dropped_attributes",
            ],
        );
        separate(out);
        out.extend_from_slice(&resource.fields);
        out.extend_from_slice(&scope.fields);
        self.attributes(out)?;
        close(out, b'}');
        member(out, "event");
        match self.body {
            Some(body) => protobuf::value(out, body, 0)?,
            None => out.extend_from_slice(b"\"\""),
        }
        out.push(b'}');
        Ok(())
    }

    /// The members that both forms have, under the names of each.
    fn common(&self, out: &mut Vec<u8>, [number, text, event, trace, span, flags, dropped]: &[&str; 7]) {
        if self.severity_number != 0 {
            member(out, number);
            out.extend_from_slice(self.severity_number.to_string().as_bytes());
        }
        for (name, value) in [(text, self.severity_text), (event, self.event_name)] {
            if !value.is_empty() {
                member(out, name);
                json_text::string(out, value);
            }
        }
        for (name, id) in [(trace, self.trace_id), (span, self.span_id)] {
            if id.iter().any(|byte| *byte != 0) {
                member(out, name);
                json_text::hex(out, id);
            }
        }
        for (name, count) in [(flags, u64::from(self.flags)), (dropped, self.dropped)] {
            if count != 0 {
                member(out, name);
                out.extend_from_slice(count.to_string().as_bytes());
            }
        }
    }

    fn attributes(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let mut fields = Fields::of(self.message);
        while let Some((number, field)) = fields.next()? {
            if let (6, Field::Bytes(pair)) = (number, field) {
                separate(out);
                protobuf::pair(out, pair, 0)?;
            }
        }
        Ok(())
    }
}

fn resource(resource_logs: &[u8]) -> Result<Around, Malformed> {
    let (mut message, mut schema): (&[u8], &[u8]) = (&[], &[]);
    let mut fields = Fields::of(resource_logs);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(resource)) => message = resource,
            (3, Field::Bytes(url)) => schema = url,
            _ => {}
        }
    }
    let mut around = Around::default();
    if message.is_empty() && schema.is_empty() {
        return Ok(around);
    }
    let mut fields = Fields::of(message);
    while let Some((number, field)) = fields.next()? {
        let (1, Field::Bytes(pair)) = (number, field) else { continue };
        protobuf::pair(&mut around.fields, pair, 0)?;
        around.fields.push(b',');
        let (key, value) = protobuf::split(pair)?;
        let slot = match key {
            b"service.name" => &mut around.service,
            b"host.name" => &mut around.host,
            _ => continue,
        };
        *slot = value.map(protobuf::text).transpose()?.flatten().unwrap_or_default().to_vec();
    }
    around.member.extend_from_slice(b",\"resource\":{\"attributes\":{");
    around.member.extend_from_slice(around.fields.strip_suffix(b",").unwrap_or_default());
    around.member.push(b'}');
    if !schema.is_empty() {
        around.member.extend_from_slice(b",\"schemaUrl\":");
        json_text::string(&mut around.member, schema);
    }
    around.member.push(b'}');
    Ok(around)
}

fn scope(scope_logs: &[u8]) -> Result<Around, Malformed> {
    let (mut message, mut schema): (&[u8], &[u8]) = (&[], &[]);
    let mut fields = Fields::of(scope_logs);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(scope)) => message = scope,
            (3, Field::Bytes(url)) => schema = url,
            _ => {}
        }
    }
    let mut around = Around::default();
    if message.is_empty() && schema.is_empty() {
        return Ok(around);
    }
    let mut attributes = Vec::new();
    let mut texts: [(&[u8], &str, &str); 3] = [
        (&[], "name", "otel.scope.name"),
        (&[], "version", "otel.scope.version"),
        (schema, "schemaUrl", "otel.scope.schema_url"),
    ];
    let mut fields = Fields::of(message);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(text)) => texts[0].0 = text,
            (2, Field::Bytes(text)) => texts[1].0 = text,
            (3, Field::Bytes(pair)) => {
                protobuf::pair(&mut attributes, pair, 0)?;
                attributes.push(b',');
            }
            _ => {}
        }
    }
    around.member.extend_from_slice(b",\"scope\":{");
    for (text, name, flat) in texts {
        if !text.is_empty() {
            member(&mut around.member, name);
            json_text::string(&mut around.member, text);
            json_text::string(&mut around.fields, flat.as_bytes());
            around.fields.push(b':');
            json_text::string(&mut around.fields, text);
            around.fields.push(b',');
        }
    }
    if !attributes.is_empty() {
        member(&mut around.member, "attributes");
        around.member.push(b'{');
        around.member.extend_from_slice(attributes.strip_suffix(b",").unwrap_or_default());
        around.member.push(b'}');
        around.fields.extend_from_slice(&attributes);
    }
    around.member.push(b'}');
    Ok(around)
}

fn member(out: &mut Vec<u8>, name: &str) {
    separate(out);
    json_text::string(out, name.as_bytes());
    out.push(b':');
}

/// A comma, unless nothing stands before.
fn separate(out: &mut Vec<u8>) {
    if !matches!(out.last(), Some(b'{' | b'[' | b',') | None) {
        out.push(b',');
    }
}

/// Ends an object, without the comma that may have been left.
fn close(out: &mut Vec<u8>, bracket: u8) {
    if out.last() == Some(&b',') {
        out.pop();
    }
    out.push(bracket);
}

#[cfg(test)]
mod tests;
