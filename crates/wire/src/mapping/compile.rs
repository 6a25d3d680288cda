//! From the text of a mapping to a program.

use sha2::{Digest, Sha256};

use super::draft::Tree;
use super::head::head;
use super::lex::{Fault, words};
use super::parse::parse;
use super::{Mapping, Program};

/// The longest program.
pub const PROGRAM_BYTES_MAX: usize = 256 * 1024;
/// Warnings that are reported of one program.
const WARNINGS_MAX: usize = 50;

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
        let parsed = words(program).and_then(|words| parse(&words)).map_err(|fault| vec![placed(fault, program)])?;
        Ok(Self {
            name: name.to_owned(),
            version: version.to_owned(),
            title: head.title.clone().unwrap_or_else(|| name.to_owned()),
            head,
            program: Program {
                tree: Tree::of(&parsed.fields),
                statements: parsed.statements,
                variables: parsed.variables,
                fields: parsed.fields.len(),
            },
            warnings: parsed.warnings.into_iter().take(WARNINGS_MAX).map(|fault| placed(fault, program)).collect(),
        })
    }
}

/// A fault with the line and the column of its byte.
fn placed(fault: Fault, program: &str) -> CompileError {
    let before = program.get(..fault.at.min(program.len())).unwrap_or(program);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    CompileError { line, column, message: fault.message, help: fault.help }
}
