//! How events come in: bodies and lines are cut into records, records are read by their source's mapping, admitted,
//! appended, and receipted. What can't be understood is set aside with its reason.

pub mod activity;
pub mod body;
pub mod health;
pub mod inputs;
pub mod intake;
pub mod messages;
pub mod registry;
pub mod replay;
pub mod selection;
pub mod syslog;

pub use intake::{Identity, Intake, IntakeError, Records, Sender};
pub use registry::{Registry, RegistryError};
pub use selection::Selection;
