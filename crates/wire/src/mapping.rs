//! Mappings: small programs that turn a product's record into an event.
//!
//! A program finds the record's own fields under `.native`, a syslog header under `.syslog`, a collector envelope under
//! `.hec`, and assigns the event's fields at the root: `.user.name = .native.display_name`. The engine adds
//! `event.original` and leaves out what is null or empty. See docs/mappings.md; why the language is ours:
//! docs/decisions/0098.

mod builtin;
mod compile;
mod draft;
mod expr;
mod functions;
mod head;
mod lex;
mod parse;
pub mod samples;
mod types;

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::Timestamp;

use crate::decode::{self, Decoded, Decoder};
use crate::syslog::Syslog;
use crate::value::{Heap, Val};

pub use builtin::{Builtin, alias, builtin, find, for_app, native_fields};
pub use compile::{CompileError, PROGRAM_BYTES_MAX, version_of};
pub use functions::reference;
pub use samples::{Report, test};

/// The longest record that is mapped: the record itself must fit into an entry of the trail.
pub const RECORD_BYTES_MAX: usize = 65_535;
/// Events that one record may become.
pub const EVENTS_MAX: usize = 1_000;
/// Steps that a program may take for one record: statements and calls.
pub const STEPS_MAX: u32 = 200_000;
/// What a program may write down for one record: texts, lists and objects, those of the record included.
pub const HEAP_BYTES_MAX: usize = 16 << 20;

/// A compiled mapping. Cheap to share between threads.
#[derive(Debug)]
pub struct Mapping {
    name: String,
    version: String,
    title: String,
    head: head::Head,
    program: Program,
    warnings: Vec<CompileError>,
}

#[derive(Debug)]
struct Program {
    statements: Vec<expr::Statement>,
    variables: usize,
    fields: usize,
    tree: draft::Tree,
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
    /// The program, or the engine, failed.
    ProgramFailed,
    /// The program took more steps, or wrote down more, than it may for one record.
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

impl Outcome<'_> {
    /// The same, borrowing from nothing.
    pub fn into_owned(self) -> Outcome<'static> {
        match self {
            Self::Events(events) => Outcome::Events(events.into_iter().map(event::Value::into_owned).collect()),
            Self::Skipped(reason) => Outcome::Skipped(reason),
            Self::Failed(reason) => Outcome::Failed(reason),
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
        &self.head.decoders.order
    }

    /// The syslog application names whose messages it reads: its `# apps:` line.
    pub fn apps(&self) -> &[String] {
        &self.head.apps
    }

    /// Does it say by what its records are recognised: vendors of CEF and LEEF, marks of JSON, syslog applications,
    /// beginnings of lines?
    pub fn is_telling(&self) -> bool {
        let head::Head { vendors, marks, apps, lines, .. } = &self.head;
        !(vendors.is_empty() && marks.is_empty() && apps.is_empty() && lines.is_empty())
    }

    /// Is this record one that the mapping recognises by what it says of itself?
    pub fn recognises(&self, record: &[u8], meta: &Meta<'_>) -> bool {
        let heap = Heap::new(HEAP_BYTES_MAX);
        let decoded = self.decode(record, meta, &heap);
        decoded.is_ok_and(|decoded| Recognised::of(&decoded).fits(self).is_some())
    }

    /// What the compiler finds odd, though the mapping works.
    pub fn warnings(&self) -> &[CompileError] {
        &self.warnings
    }

    /// Turns a record into events. Depends on its arguments alone, so that a replay gives the same.
    pub fn run(&self, record: &[u8], meta: &Meta<'_>) -> Outcome<'static> {
        let one = |record: &[u8]| self.read(record, meta, |outcome: Outcome<'_>| outcome.into_owned());
        let Some(records) = self.split(record) else { return one(record) };
        let mut all = Vec::new();
        for record in records {
            match one(record) {
                Outcome::Events(mut events) => all.append(&mut events),
                Outcome::Skipped(_) => {}
                failed @ Outcome::Failed(_) => return failed,
            }
        }
        match all.is_empty() {
            true => Outcome::Skipped("the bundle holds no record".to_owned()),
            false => Outcome::Events(all),
        }
    }

    /// The records of a bundle, where the mapping says that there are such and this is one. Each is read, kept and set
    /// aside by itself.
    pub fn split<'r>(&self, record: &'r [u8]) -> Option<Vec<&'r [u8]>> {
        decode::bundle::split(record, self.head.bundle.as_deref()?)
    }

    /// [`Mapping::run`] without copies: the events live as long as `then` looks at them.
    pub fn read<R>(&self, record: &[u8], meta: &Meta<'_>, then: impl FnOnce(Outcome<'_>) -> R) -> R {
        self.read_as(record, meta, |_: &Recognised<'_>| None, |_: &Self, outcome: Outcome<'_>| then(outcome))
    }

    /// [`Mapping::read`] for a record of which nothing is known but that this mapping can take it apart: when `known`
    /// recognises it, the mapping it names reads it in place of this one. `then` learns which one did.
    pub fn read_as<'m, R>(
        &'m self,
        record: &[u8],
        meta: &Meta<'_>,
        known: impl FnOnce(&Recognised<'_>) -> Option<&'m Self>,
        then: impl FnOnce(&Self, Outcome<'_>) -> R,
    ) -> R {
        let heap = Heap::new(HEAP_BYTES_MAX);
        // The programs of people and the libraries below take what strangers send: whatever is wrong there costs this
        // one record.
        let mut reader = self;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut decoded = match self.decode(record, meta, &heap) {
                Ok(decoded) => decoded,
                Err(reason) => return Outcome::Failed(reason),
            };
            if let Some(better) = known(&Recognised::of(&decoded)) {
                let order = &better.head.decoders.order;
                if order.first() == Some(&decoded.decoder) {
                    reader = better;
                } else if let Ok(again) = better.decode(record, meta, &heap) {
                    (reader, decoded) = (better, again);
                }
            }
            reader.events(&decoded, meta, record, &heap).unwrap_or_else(Outcome::Failed)
        }));
        let outcome = outcome.unwrap_or_else(|_| {
            let text = "the engine failed at this record, which is a defect of Belfry".to_owned();
            Outcome::Failed(Reason { code: Code::ProgramFailed, text })
        });
        then(reader, outcome)
    }

    /// The record's own fields, as they are found under `native.*`.
    pub fn native(&self, record: &[u8], meta: &Meta<'_>) -> Result<event::Value<'static>, Reason> {
        let heap = Heap::new(HEAP_BYTES_MAX);
        let decoded = self.decode(record, meta, &heap)?;
        Ok(decoded.native.to_event().unwrap_or_default().into_owned())
    }

    fn decode<'e>(&self, record: &'e [u8], meta: &Meta<'e>, heap: &'e Heap) -> Result<Decoded<'e>, Reason> {
        if record.len() > RECORD_BYTES_MAX {
            let text = format!("the record has {} bytes, more than {RECORD_BYTES_MAX}", record.len());
            return Err(Reason { code: Code::TooLong, text });
        }
        decode::decode(record, &self.head.decoders, meta.syslog, meta.received_at, heap)
            .map_err(|error| Reason { code: Code::NotDecoded, text: error.to_string() })
    }

    /// All events of a record: one, or one for each element of a bundle.
    fn events<'e>(
        &'e self,
        decoded: &Decoded<'e>,
        meta: &Meta<'e>,
        record: &'e [u8],
        heap: &'e Heap,
    ) -> Result<Outcome<'e>, Reason> {
        let bundle = self.head.each.as_ref().map(|path| path.iter().fold(decoded.native, |of, name| of.get(name)));
        let mut inputs = Inputs::of(decoded);
        let Some(Val::List(elements)) = bundle else { return self.event(&inputs, decoded, meta, record, heap) };
        if elements.len() > EVENTS_MAX {
            let text = format!("the record holds {} records, at most {EVENTS_MAX} are possible", elements.len());
            return Err(Reason { code: Code::NoAction, text });
        }
        let (mut events, mut skipped) = (Vec::with_capacity(elements.len()), None);
        inputs.0[OUTER] = decoded.native;
        for element in elements {
            inputs.0[NATIVE] = *element;
            match self.event(&inputs, decoded, meta, record, heap)? {
                Outcome::Events(mut more) => events.append(&mut more),
                Outcome::Skipped(reason) => skipped = Some(reason),
                Outcome::Failed(reason) => return Err(reason),
            }
        }
        if events.len() > EVENTS_MAX {
            return Err(too_many(events.len()));
        }
        match skipped {
            _ if !events.is_empty() => Ok(Outcome::Events(events)),
            Some(reason) => Ok(Outcome::Skipped(reason)),
            None => Ok(Outcome::Skipped("the record is a bundle without a record in it".to_owned())),
        }
    }

    /// Runs the program once.
    fn event<'e>(
        &'e self,
        inputs: &Inputs<'e>,
        decoded: &Decoded<'e>,
        meta: &Meta<'e>,
        record: &'e [u8],
        heap: &'e Heap,
    ) -> Result<Outcome<'e>, Reason> {
        let Program { statements, variables, fields, tree } = &self.program;
        let env = expr::Env { heap, inputs: inputs.0, peer: meta.peer, received_at: meta.received_at };
        let mut frame =
            expr::Frame { variables: heap.slots(*variables), fields: heap.slots(*fields), steps: 0, stop: None };
        expr::run(statements, &env, &mut frame);
        match frame.stop {
            None => {}
            Some(expr::Stop::Abort(reason)) => {
                let text = reason.unwrap_or("the mapping refused this record").to_owned();
                return Err(Reason { code: Code::Refused, text });
            }
            Some(expr::Stop::TooLong) => {
                let text = format!("the mapping took more than {STEPS_MAX} steps for this record");
                return Err(Reason { code: Code::TookTooLong, text });
            }
            Some(expr::Stop::TooLarge) => return Err(too_large()),
        }
        if heap.is_full() {
            return Err(too_large());
        }
        let value = |slot: Option<usize>| slot.and_then(|slot| frame.fields.get(slot)).copied().unwrap_or_default();
        if let Some(reason) = value(tree.skip).says(heap) {
            return Ok(Outcome::Skipped(reason.to_owned()));
        }
        // The sender's own number for the message, unless the program knows better.
        if let (Some(number), true) = (decoded.sequence, value(tree.sequence).is_null())
            && let Some(field) = tree.sequence.and_then(|slot| frame.fields.get_mut(slot))
        {
            *field = Val::Number(f64::from(number));
        }
        let root = tree.event(frame.fields, heap);
        let several = tree.events.and_then(|slot| frame.fields.get(slot)).copied().unwrap_or_default();
        let mut events = match several {
            Val::List(each) if each.len() > EVENTS_MAX => return Err(too_many(each.len())),
            Val::List(each) => each
                .iter()
                .filter_map(|own| match own.to_event() {
                    Some(event::Value::Object(own)) => {
                        let mut merged = root.clone();
                        draft::merge(&mut merged, own);
                        Some(merged)
                    }
                    _ => None,
                })
                .collect(),
            _ => vec![root],
        };
        if events.is_empty() {
            return Err(too_many(0));
        }
        for event in &mut events {
            draft::complete(event, decoded.time, record);
            if event.at("event.action").is_none() {
                let text = "the mapping assigned no event.action for this record".to_owned();
                return Err(Reason { code: Code::NoAction, text });
            }
            if let (Some(number), None, Some(event::Value::Object(own))) =
                (decoded.sequence, tree.sequence, event.get_mut("event"))
            {
                own.insert("sequence", f64::from(number));
            }
        }
        Ok(Outcome::Events(events.into_iter().map(event::Value::Object).collect()))
    }
}

/// A record that was taken apart, for telling whose it is.
pub struct Recognised<'e> {
    decoded: &'e Decoded<'e>,
    /// The application of its syslog header, or of a message that begins like one.
    app: Option<&'e str>,
}

impl<'e> Recognised<'e> {
    /// Reads once what every mapping is asked about.
    fn of(decoded: &'e Decoded<'e>) -> Self {
        let app = decoded.syslog.get("app").as_text().or_else(|| builtin::app_within(decoded.text));
        Self { decoded, app }
    }

    /// How surely the record is one of this mapping, by what the mapping says of its records; `None`: it is not. Where
    /// several fit, the surest counts.
    pub fn fits(&self, mapping: &Mapping) -> Option<Sureness> {
        let Decoded { decoder, text, native, .. } = *self.decoded;
        let head = &mapping.head;
        let app = || builtin::is_of(self.app?, &head.apps).then_some(Sureness::Named);
        match decoder {
            Decoder::Cef | Decoder::Leef => {
                let said = ["deviceVendor", "deviceProduct", "vendor", "product"].map(|name| native.get(name));
                let said =
                    |vendor: &String| said.iter().filter_map(|v| v.as_text()).any(|v| v.eq_ignore_ascii_case(vendor));
                head.vendors.iter().any(said).then_some(Sureness::Named)
            }
            Decoder::Json => self.marks(mapping).map(Sureness::Marks).or_else(app),
            _ => app().or_else(|| {
                let begins = head.lines.iter().any(|line| line.is_match(beginning(text)));
                begins.then_some(Sureness::Line)
            }),
        }
    }

    /// The one of these mappings that fits most surely; of several the first.
    pub fn surest<'m>(&self, mappings: impl DoubleEndedIterator<Item = &'m Mapping>) -> Option<&'m Mapping> {
        let fitting = mappings.rev().filter_map(|mapping| Some((self.fits(mapping)?, mapping)));
        fitting.max_by_key(|(sure, _)| *sure).map(|(_, mapping)| mapping)
    }

    /// How many marks the record bears, of the largest set of which it bears all.
    fn marks(&self, mapping: &Mapping) -> Option<usize> {
        let native = self.decoded.native;
        // A bundle is recognised by its first record.
        let inner = mapping.head.each.as_ref().map(|path| path.iter().fold(native, |of, name| of.get(name)).at(0));
        let borne = mapping.head.marks.iter().filter(|set| !set.is_empty()).filter(|set| {
            let all = |record: Val<'_>| set.iter().all(|mark| mark.is_in(record));
            all(native) || inner.is_some_and(all)
        });
        borne.map(Vec::len).max()
    }
}

/// By what a record was recognised, the surest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sureness {
    /// By how its line begins.
    Line,
    /// By so many marks.
    Marks(usize),
    /// By the application of its syslog header, or the vendor or product of its CEF or LEEF header.
    Named,
}

/// As much of a line as patterns for its beginning look at.
fn beginning(text: &str) -> &str {
    const BYTES_MAX: usize = 512;
    text.get(..text.floor_char_boundary(BYTES_MAX)).unwrap_or(text)
}

const NATIVE: usize = 0;
const OUTER: usize = 1;

/// What a program can read of the record, in the order of [`expr::INPUT_NAMES`].
struct Inputs<'e>([Val<'e>; expr::SELDOM]);

impl<'e> Inputs<'e> {
    fn of(decoded: &Decoded<'e>) -> Self {
        let decoder = Val::Text(decoded.decoder.name());
        Self([decoded.native, decoded.outer, decoded.syslog, decoded.hec, decoder])
    }
}

fn too_large() -> Reason {
    let text = format!("the mapping wrote down more than {HEAP_BYTES_MAX} bytes for this record");
    Reason { code: Code::TookTooLong, text }
}

fn too_many(events: usize) -> Reason {
    let text = format!("the mapping gave {events} events for one record, 1 to {EVENTS_MAX} are possible");
    Reason { code: Code::NoAction, text }
}
