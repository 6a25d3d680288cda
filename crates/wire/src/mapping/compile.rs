//! From the text of a mapping to a program.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use vrl::compiler::state::ExternalEnv;
use vrl::compiler::{CompileConfig, TimeZone, compile_with_external};
use vrl::diagnostic::{Diagnostic, Note};
use vrl::path::{OwnedTargetPath, parse_value_path};
use vrl::value::Kind;
use vrl::value::kind::Collection;

use super::{Mapping, functions};
use crate::decode::Decoder;

/// The longest program.
pub const PROGRAM_BYTES_MAX: usize = 256 * 1024;
/// Errors that are reported of one program.
const ERRORS_MAX: usize = 50;

/// What is wrong in a program, and where. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct CompileError {
    pub line: usize,
    pub column: usize,
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// The version of a program: the first eight hexadecimal digits of the SHA-256 of its text.
pub fn version_of(program: &str) -> String {
    Sha256::digest(program.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

impl Mapping {
    /// Compiles a mapping. `version` is what events will name; [`version_of`] makes one from the text.
    pub fn compile(name: &str, version: &str, program: &str) -> Result<Self, Vec<CompileError>> {
        if program.len() > PROGRAM_BYTES_MAX {
            let message = format!("the mapping has {} bytes, more than {PROGRAM_BYTES_MAX}", program.len());
            return Err(vec![CompileError { line: 1, column: 1, message, help: None }]);
        }
        let head = head(program)?;
        let mut config = CompileConfig::default();
        for helper in ["native", "syslog", "hec", "decoder"] {
            if let Ok(path) = parse_value_path(helper) {
                config.set_read_only_path(OwnedTargetPath::event(path), true);
            }
        }
        config.set_read_only_path(OwnedTargetPath::metadata_root(), true);
        // The root is an object for certain; what lies in it is not known before a record comes.
        let external = ExternalEnv::new_with_kind(Kind::object(Collection::any()), Kind::object(Collection::any()));
        let compiled = compile_with_external(program, &functions::all(), &external, config)
            .map_err(|list| list.into_iter().take(ERRORS_MAX).map(|d| describe(&d, program)).collect::<Vec<_>>())?;
        Ok(Self {
            name: name.to_owned(),
            version: version.to_owned(),
            title: head.title.unwrap_or_else(|| name.to_owned()),
            decoders: head.decoders,
            apps: head.apps,
            program: compiled.program,
            warnings: compiled.warnings.into_iter().take(ERRORS_MAX).map(|d| describe(&d, program)).collect(),
            // Programs reckon in UTC, wherever the server stands.
            zone: TimeZone::parse("UTC").unwrap_or_default(),
        })
    }
}

/// The comment lines a program starts with.
pub(super) struct Head {
    pub(super) decoders: Vec<Decoder>,
    pub(super) title: Option<String>,
    pub(super) apps: Vec<String>,
}

/// Reads `# decoder: json, syslog`, `# title: …` and `# apps: sshd, sshd-session`.
pub(super) fn head(program: &str) -> Result<Head, Vec<CompileError>> {
    let mut lines: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for (index, line) in program.lines().enumerate() {
        let Some(comment) = line.trim_start_matches('\u{feff}').trim_start().strip_prefix('#') else { break };
        if let Some((name, value)) = comment.split_once(':') {
            lines.entry(name.trim()).or_insert((index + 1, value.trim()));
        }
    }
    let names = Decoder::ALL.map(Decoder::name).join(", ");
    let fault = |line: usize, message: String| {
        let help = Some(format!("start the mapping with a line like `# decoder: json`; there are {names}"));
        vec![CompileError { line, column: 1, message, help }]
    };
    let Some((line, value)) = lines.get("decoder") else {
        return Err(fault(1, "the mapping does not say how its records are decoded".to_owned()));
    };
    let decoders = value
        .split([',', '|'])
        .map(str::trim)
        .filter(|n| !n.is_empty())
        .map(|name| Decoder::from_name(name).ok_or_else(|| fault(*line, format!("there is no decoder {name}"))))
        .collect::<Result<Vec<_>, _>>()?;
    if decoders.is_empty() {
        return Err(fault(*line, "the decoder line names none".to_owned()));
    }
    let apps = lines
        .get("apps")
        .map(|(_, apps)| apps.split(',').map(|a| a.trim().to_owned()).filter(|a| !a.is_empty()).collect());
    Ok(Head {
        decoders,
        title: lines.get("title").map(|(_, title)| (*title).to_owned()),
        apps: apps.unwrap_or_default(),
    })
}

fn describe(diagnostic: &Diagnostic, program: &str) -> CompileError {
    let label = diagnostic
        .labels
        .iter()
        .find(|l| l.primary && l.span.end() > 0)
        .or_else(|| diagnostic.labels.iter().find(|l| l.span.end() > 0));
    let offset = label.map_or(0, |l| l.span.start());
    let (line, column) = position(program, offset);
    let details: Vec<&str> = diagnostic.labels.iter().map(|l| l.message.trim()).filter(|m| !m.is_empty()).collect();
    let message = match details.first() {
        Some(detail) if *detail != diagnostic.message => format!("{}: {detail}", diagnostic.message),
        _ => diagnostic.message.clone(),
    };
    let mut help: Vec<String> = details.iter().skip(1).map(|d| (*d).to_owned()).collect();
    help.extend(diagnostic.notes.iter().filter_map(|note| match note {
        Note::Hint(text) | Note::Basic(text) | Note::UserErrorMessage(text) => {
            Some(text.trim().to_owned()).filter(|t| !t.is_empty())
        }
        _ => None,
    }));
    CompileError { line, column, message, help: (!help.is_empty()).then(|| help.join("; ")) }
}

/// Line and column of a byte, both from 1.
fn position(program: &str, offset: usize) -> (usize, usize) {
    let before = program.get(..offset.min(program.len())).unwrap_or(program);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    (line, column)
}
