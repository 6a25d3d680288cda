//! How events come in: bodies and lines are cut into records, records are read by their source's mapping, admitted,
//! appended, and receipted. What can't be understood is set aside with its reason.

pub mod activity;
pub mod body;
pub mod dry_run;
pub mod health;
pub mod hook_signature;
pub mod hooks;
pub mod inputs;
pub mod intake;
pub mod messages;
pub mod proposal;
pub mod registry;
pub mod replay;
pub mod replays;
pub mod routed;
pub mod selection;
pub mod syslog;
pub mod trial;

pub use hooks::{HookError, Hooks};
pub use intake::{Identity, Intake, IntakeError, Records, Sender};
pub use registry::{Registry, RegistryError};
pub use routed::{Routed, Routing};
pub use selection::Selection;
