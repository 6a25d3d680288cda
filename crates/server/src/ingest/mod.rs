//! How events come in: bodies and lines are cut into records, records are read by their source's mapping, admitted,
//! appended, and receipted. What can't be understood is set aside with its reason.

pub mod activity;
pub mod body;
pub mod dry_run;
pub mod health;
pub mod intake;
pub mod proposal;
pub mod registry;
pub mod replay;
pub mod replays;
pub mod selection;
pub mod syslog;
pub mod trial;

pub use intake::{Identity, Intake, IntakeError, Records, Sender};
pub use registry::{Registry, RegistryError};
pub use selection::Selection;
