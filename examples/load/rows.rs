//! The same events for PostgreSQL.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};

use anyhow::Result;
use serde_json::{Value, json};

use crate::events::Generator;
use crate::ingest::{BATCH, CONNECTIONS};

/// Writes CONNECTIONS scripts for psql: batches of COPY, or INSERTs of 1,000 rows.
pub fn rows(prefix: &str, events: u64, kind: &str) -> Result<Value> {
    let mut generator = Generator::new("2026-11-21T00:00:00Z".parse()?);
    let mut files: Vec<_> = (0..CONNECTIONS)
        .map(|index| File::create(format!("{prefix}.{index}.sql")).map(BufWriter::new))
        .collect::<io::Result<_>>()?;
    let batch = if kind == "insert" { 1_000 } else { BATCH };
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
