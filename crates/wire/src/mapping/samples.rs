//! Trying a mapping on its samples: `samples/*.log`, one record a line, and beside each `*.expected.json` what comes of
//! it. `belfry mapping test` and our own tests run this.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use event::admit::Defaults;
use event::{Catalogue, Value};
use jiff::Timestamp;
use serde_json::json;

use super::{CompileError, Mapping, Meta, Outcome, version_of};

/// What a folder of samples showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub mapping: String,
    pub records: usize,
    pub events: usize,
    pub skipped: usize,
    pub failed: usize,
    /// Files whose expectation was written anew.
    pub rewritten: Vec<PathBuf>,
    pub problems: Vec<Problem>,
}

/// A record that did not become what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}, line {line}: {what}", file.display())]
pub struct Problem {
    pub file: PathBuf,
    pub line: usize,
    pub what: String,
}

/// Why a folder could not be tried at all.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    #[error("{} can't be read", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} can't be written", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} does not compile{}", path.display(), listed(errors))]
    Compile { path: PathBuf, errors: Vec<CompileError> },
    #[error("{} has no samples", path.display())]
    NoSamples { path: PathBuf },
}

/// The first few errors, each with its place and what to do about it.
fn listed(errors: &[CompileError]) -> String {
    let help = |error: &CompileError| error.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    errors.iter().take(5).map(|error| format!("\n  {error}{}", help(error))).collect()
}

/// The moment at which samples are taken to have come in: years are inferred from it.
pub fn received_at() -> Timestamp {
    Timestamp::constant(1_782_820_800, 0) // 2026-06-30T12:00:00Z
}

/// Runs `folder/mapping.vrl` over `folder/samples/*.log`. With `update` the expectations are written anew and only what
/// could not be admitted is a problem.
pub fn test(folder: &Path, update: bool) -> Result<Report, TestError> {
    let path = folder.join("mapping.vrl");
    let program = read(&path)?;
    let name = folder.file_name().map_or_else(|| "mapping".into(), |n| n.to_string_lossy().into_owned());
    let mapping = Mapping::compile(&name, &version_of(&program), &program)
        .map_err(|errors| TestError::Compile { path: path.clone(), errors })?;
    let samples = folder.join("samples");
    let entries = fs::read_dir(&samples).map_err(|source| TestError::Read { path: samples.clone(), source })?;
    let mut files: Vec<PathBuf> =
        entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.extension().is_some_and(|e| e == "log")).collect();
    files.sort();
    if files.is_empty() {
        return Err(TestError::NoSamples { path: samples });
    }
    let mut report = Report { mapping: mapping.id(), ..Report::default() };
    for file in files {
        try_file(&mapping, &file, update, &mut report)?;
    }
    Ok(report)
}

fn try_file(mapping: &Mapping, file: &Path, update: bool, report: &mut Report) -> Result<(), TestError> {
    let records = fs::read(file).map_err(|source| TestError::Read { path: file.to_owned(), source })?;
    let expected_path = file.with_extension("expected.json");
    let expected = match update {
        true => Vec::new(),
        false if !expected_path.exists() => {
            let what =
                "there is nothing to compare with yet; write what comes out with --update, and read it".to_owned();
            report.problems.push(Problem { file: expected_path, line: 0, what });
            return Ok(());
        }
        false => serde_json::from_str::<Vec<serde_json::Value>>(&read(&expected_path)?).unwrap_or_default(),
    };
    let mut results = Vec::new();
    let lines = records.split(|b| *b == b'\n').enumerate().filter(|(_, l)| !l.trim_ascii().is_empty());
    for (index, line) in lines {
        let problem = |what: String| Problem { file: file.to_owned(), line: index + 1, what };
        report.records += 1;
        let outcome = mapping.run(line, &Meta::at(received_at()));
        match &outcome {
            Outcome::Events(drafts) => {
                report.events += drafts.len();
                report.problems.extend(drafts.iter().filter_map(|d| not_admitted(mapping, d)).map(problem));
            }
            Outcome::Skipped(_) => report.skipped += 1,
            Outcome::Failed(_) => report.failed += 1,
        }
        let result = describe(index + 1, &outcome);
        if !update {
            let wanted = expected.iter().find(|e| e["line"] == index + 1);
            if wanted != Some(&result) {
                let wanted = wanted.map_or_else(|| "nothing".to_owned(), pretty);
                report.problems.push(problem(format!("expected {wanted}\ngot {}", pretty(&result))));
            }
        }
        results.push(result);
    }
    if update {
        let text = pretty(&serde_json::Value::Array(results)) + "\n";
        if fs::read_to_string(&expected_path).ok().as_ref() != Some(&text) {
            fs::write(&expected_path, text)
                .map_err(|source| TestError::Write { path: expected_path.clone(), source })?;
            report.rewritten.push(expected_path);
        }
    }
    Ok(())
}

/// What became of a record, as the expectations have it: without the record itself, which is in the file beside.
pub fn describe(line: usize, outcome: &Outcome<'_>) -> serde_json::Value {
    match outcome {
        Outcome::Events(drafts) => {
            let events: Vec<_> = drafts
                .iter()
                .map(|draft| {
                    let mut json = draft.to_json();
                    if let Some(own) = json.get_mut("event").and_then(|e| e.as_object_mut()) {
                        own.remove("original");
                    }
                    json
                })
                .collect();
            json!({ "line": line, "events": events })
        }
        Outcome::Skipped(reason) => json!({ "line": line, "skipped": reason }),
        Outcome::Failed(reason) => {
            json!({ "line": line, "failed": { "code": reason.code.name(), "text": reason.text } })
        }
    }
}

fn not_admitted(mapping: &Mapping, draft: &Value<'_>) -> Option<String> {
    let catalogue = Catalogue::builtin();
    let id = mapping.id();
    let defaults =
        Defaults { now: received_at(), source: Some(mapping.name()), provider: None, catalogue, mapping: Some(&id) };
    let error = event::admit::admit(draft.clone(), &defaults).err()?;
    Some(format!("the event would not be admitted: {error}"))
}

fn read(path: &Path) -> Result<String, TestError> {
    fs::read_to_string(path).map_err(|source| TestError::Read { path: path.to_owned(), source })
}

fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

impl Report {
    /// Did everything become what was expected?
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }

    /// The report in words, for a terminal.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{}: {} records, {} events, {} skipped, {} failed, {} problems\n",
            self.mapping,
            self.records,
            self.events,
            self.skipped,
            self.failed,
            self.problems.len()
        );
        for file in &self.rewritten {
            let _ = writeln!(text, "wrote {}", file.display());
        }
        for problem in &self.problems {
            let _ = writeln!(text, "{problem}");
        }
        text
    }
}
