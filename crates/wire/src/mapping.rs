//! Mappings: small programs that turn a product's record into an event.
//!
//! A program finds the record's own fields under `.native`, a syslog header under `.syslog`, a collector envelope under
//! `.hec`, and assigns the event's fields at the root: `.user.name = .native.display_name`. The engine adds
//! `event.original`, takes the helpers away and leaves out what is null or empty. See docs/mappings.md.

mod builtin;
mod compile;
mod draft;
pub mod functions;
pub mod samples;

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use vrl::compiler::runtime::{Runtime, Terminate};
use vrl::compiler::state::RuntimeState;
use vrl::compiler::{ExpressionError, Program, TargetValueRef, TimeZone};
use vrl::value::{KeyString, ObjectMap, Secrets, Value};

use crate::decode::{self, Decoded, Decoder};
use crate::syslog::Syslog;

pub use builtin::{Builtin, builtin, find, for_app};
pub use compile::{CompileError, PROGRAM_BYTES_MAX, version_of};
pub use samples::{Report, test};

/// The longest record that is mapped: the record itself must fit into an entry of the trail.
pub const RECORD_BYTES_MAX: usize = 65_535;
/// Events that one record may become.
pub const EVENTS_MAX: usize = 1_000;
/// Steps that a program may take for one record, some 20 ms of work. Steps and not time, so that a busy machine does not
/// set records aside that an idle one maps.
pub const STEPS_MAX: u32 = 200_000;
/// How long a program may work on one record, whatever its steps cost.
pub const DEADLINE: Duration = Duration::from_secs(1);

/// A compiled mapping. Cheap to share between threads.
#[derive(Debug)]
pub struct Mapping {
    name: String,
    version: String,
    title: String,
    decoders: Vec<Decoder>,
    apps: Vec<String>,
    program: Program,
    warnings: Vec<CompileError>,
    zone: TimeZone,
}

/// What is known of a record besides its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Meta<'a> {
    pub received_at: Timestamp,
    /// The address it came from; a program reads it as `%peer`.
    pub peer: Option<IpAddr>,
    /// Its syslog header, where the listener has read it. The record is the whole message then, header included;
    /// without this the engine reads the header itself.
    pub syslog: Option<&'a Syslog<'a>>,
}

impl Meta<'_> {
    pub fn at(received_at: Timestamp) -> Self {
        Self { received_at, peer: None, syslog: None }
    }
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome<'r> {
    /// Ready to be admitted; `event.original` is the record.
    Events(Vec<event::Value<'r>>),
    /// Left out on purpose, with the reason that the mapping gives.
    Skipped(String),
    /// To be set aside.
    Failed(Reason),
}

/// Why a record could not be mapped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Reason {
    pub code: Code,
    pub text: String,
}

/// The reasons, for grouping what was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// Longer than [`RECORD_BYTES_MAX`].
    TooLong,
    /// No decoder of the mapping can read it.
    NotDecoded,
    /// The mapping refused it (`abort`).
    Refused,
    /// The program failed.
    ProgramFailed,
    /// The program took longer than its deadline.
    TookTooLong,
    /// The program gave nothing that an event could be: it must assign `.event.action`.
    NoAction,
}

impl Code {
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::NotDecoded => "not_decoded",
            Self::Refused => "refused",
            Self::ProgramFailed => "program_failed",
            Self::TookTooLong => "took_too_long",
            Self::NoAction => "no_action",
        }
    }
}

impl Mapping {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn version(&self) -> &str {
        &self.version
    }

    /// `name@version`: what events carry as `event.mapping`.
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// What it reads, in words: its `# title:` line.
    pub fn title(&self) -> &str {
        &self.title
    }

    pub fn decoders(&self) -> &[Decoder] {
        &self.decoders
    }

    /// The syslog application names whose messages it reads: its `# apps:` line.
    pub fn apps(&self) -> &[String] {
        &self.apps
    }

    /// What the compiler finds odd, though the mapping works.
    pub fn warnings(&self) -> &[CompileError] {
        &self.warnings
    }

    /// Turns a record into events. Depends on its arguments alone, so that a replay gives the same.
    pub fn run<'r>(&self, record: &'r [u8], meta: &Meta<'_>) -> Outcome<'r> {
        match self.drafts(record, meta) {
            Ok(outcome) => outcome,
            Err(reason) => Outcome::Failed(reason),
        }
    }

    /// The record's own fields, as they are found under `native.*`.
    pub fn native(&self, record: &[u8], meta: &Meta<'_>) -> Result<event::Value<'static>, Reason> {
        let decoded = self.decode(record, meta)?;
        Ok(draft::value(decoded.native).unwrap_or_default())
    }

    fn decode(&self, record: &[u8], meta: &Meta<'_>) -> Result<Decoded, Reason> {
        if record.len() > RECORD_BYTES_MAX {
            let text = format!("the record has {} bytes, more than {RECORD_BYTES_MAX}", record.len());
            return Err(Reason { code: Code::TooLong, text });
        }
        decode::decode(record, &self.decoders, meta.syslog, meta.received_at)
            .map_err(|error| Reason { code: Code::NotDecoded, text: error.to_string() })
    }

    fn drafts<'r>(&self, record: &'r [u8], meta: &Meta<'_>) -> Result<Outcome<'r>, Reason> {
        let decoded = self.decode(record, meta)?;
        let time = decoded.time;
        let mut root = self.execute(decoded, meta)?;
        if let Some(reason) = root.remove("skip").filter(|s| !s.is_null()) {
            return Ok(Outcome::Skipped(reason.to_string_lossy().into_owned()));
        }
        for helper in ["native", "syslog", "hec", "decoder"] {
            root.remove(helper);
        }
        let several = root.remove("events");
        let drafts = draft::events(root, several, time, record);
        if drafts.is_empty() || drafts.len() > EVENTS_MAX {
            let text =
                format!("the mapping gave {} events for one record, 1 to {EVENTS_MAX} are possible", drafts.len());
            return Err(Reason { code: Code::NoAction, text });
        }
        let action = |draft: &event::Value<'_>| draft.as_object().and_then(|o| o.at("event.action")).is_some();
        if !drafts.iter().all(action) {
            return Err(Reason {
                code: Code::NoAction,
                text: "the mapping assigned no event.action for this record".to_owned(),
            });
        }
        Ok(Outcome::Events(drafts))
    }

    /// Runs the program on the decoded record and gives the root object it leaves behind.
    fn execute(&self, decoded: Decoded, meta: &Meta<'_>) -> Result<ObjectMap, Reason> {
        let mut root = ObjectMap::new();
        root.insert(KeyString::from("native"), decoded.native);
        root.insert(KeyString::from("decoder"), Value::from(decoded.decoder.name()));
        if let Some(syslog) = decoded.syslog {
            root.insert(KeyString::from("syslog"), syslog);
        }
        if let Some(hec) = decoded.hec {
            root.insert(KeyString::from("hec"), hec);
        }
        let mut known = ObjectMap::new();
        known.insert(KeyString::from("received_at"), Value::from(meta.received_at.to_string()));
        if let Some(peer) = meta.peer {
            known.insert(KeyString::from("peer"), Value::from(peer.to_string()));
        }
        let mut value = Value::Object(root);
        let mut metadata = Value::Object(known);
        let mut secrets = Secrets::new();
        let mut target = TargetValueRef { value: &mut value, metadata: &mut metadata, secrets: &mut secrets };

        let started = Instant::now();
        let mut steps = 0_u32;
        let mut control = move || {
            steps += 1;
            // Reading the clock costs as much as a small assignment.
            let late = steps.is_multiple_of(64) && started.elapsed() > DEADLINE;
            if late || steps > STEPS_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let done = Runtime::new(RuntimeState::default()).resolve_with_control(
            &mut target,
            &self.program,
            &self.zone,
            &mut control,
        );
        match done {
            Ok(_) => {}
            Err(Terminate::Interrupted) => {
                let text =
                    format!("the mapping took more than {STEPS_MAX} steps or {} s for this record", DEADLINE.as_secs());
                return Err(Reason { code: Code::TookTooLong, text });
            }
            Err(Terminate::Abort(ExpressionError::Abort { message, .. })) => {
                let text = message.unwrap_or_else(|| "the mapping refused this record".to_owned());
                return Err(Reason { code: Code::Refused, text });
            }
            Err(Terminate::Abort(error) | Terminate::Error(error)) => {
                return Err(Reason { code: Code::ProgramFailed, text: format!("the mapping failed: {error}") });
            }
        }
        match value {
            Value::Object(root) => Ok(root),
            _ => Err(Reason { code: Code::NoAction, text: "the mapping left no object behind".to_owned() }),
        }
    }
}
