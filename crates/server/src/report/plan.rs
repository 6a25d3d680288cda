//! One run of a report: what exactly is asked, of which state of the trail, by whom.

use std::sync::Arc;

use api::report::{Certificate, Column, Definition, Format, Order};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use event::Filter;
use jiff::Timestamp;
use trail::Checkpoint;

/// A stretch of `@timestamp`: from the first, up to but not including the second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

/// What is asked, with every relative time fixed.
#[derive(Debug, Clone)]
pub struct Plan {
    pub definition: Definition,
    /// Definition, wish and visibility and-ed together.
    pub filter: Filter,
    pub range: Range,
    pub columns: Vec<Column>,
    pub format: Format,
    /// Full name and name of whoever asks.
    pub by: String,
    pub at: Timestamp,
}

/// The trail a run speaks of.
#[derive(Debug, Clone)]
pub struct Seal {
    pub checkpoint: Arc<Checkpoint>,
    pub vkey: String,
}

/// What was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    pub rows: u64,
    pub first_position: Option<u64>,
    pub last_position: Option<u64>,
}

impl Seal {
    /// As the API shows it.
    pub fn shown(&self) -> api::trail::Checkpoint {
        api::trail::Checkpoint {
            size: self.checkpoint.size,
            root: STANDARD.encode(self.checkpoint.root.0),
            note: self.checkpoint.note.clone(),
            at: Timestamp::try_from(self.checkpoint.at).unwrap_or_default().to_string(),
        }
    }
}

impl Plan {
    pub fn order(&self) -> store::Order {
        match self.definition.order {
            Order::Desc => store::Order::Newest,
            Order::Asc => store::Order::Oldest,
        }
    }

    /// The certificate of a run by this plan.
    pub fn certificate(&self, run: &str, organization: &str, seal: &Seal, extent: Extent) -> Certificate {
        Certificate {
            version: 1,
            organization: organization.to_owned(),
            report_id: self.definition.id.clone(),
            title: self.definition.title.clone(),
            description: self.definition.description.clone(),
            run: run.to_owned(),
            format: self.format,
            by: self.by.clone(),
            at: self.at.to_string(),
            filter: self.filter.to_string(),
            from: self.range.from.map(|at| at.to_string()),
            to: self.range.to.map(|at| at.to_string()),
            order: self.definition.order,
            columns: self.columns.clone(),
            rows: extent.rows,
            first_position: extent.first_position,
            last_position: extent.last_position,
            origin: seal.checkpoint.origin.clone(),
            checkpoint: seal.shown(),
            vkey: seal.vkey.clone(),
            verify: verify(run, self.format),
            file: None,
        }
    }
}

/// How to check a file of that format, in words for an auditor.
fn verify(run: &str, format: Format) -> String {
    let file = format!(
        "The SHA-256 of this file stands in the trail, in the audit.exported event of run {run}: a file that was changed \
         after it was made does not fit it. The checkpoint is a C2SP signed note: any client of tlog-tiles checks its \
         signature with the public key, asks for the proof that an event is in the tree, and compares with checkpoints \
         kept elsewhere."
    );
    match format {
        Format::Bundle => {
            format!(
                "{file} Every event of this bundle comes with its proof. Check all of them offline: belfry verify --bundle FILE --key VKEY"
            )
        }
        Format::Csv | Format::Json | Format::Pdf => {
            format!(
                "{file} To check the events behind the rows offline, run the report again as a bundle: belfry verify --bundle FILE --key VKEY"
            )
        }
    }
}
