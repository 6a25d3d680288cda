//! What to do about an event: whom to tell, and what to hold back. No IO and no clock: a decision
//! depends on its arguments alone, so that the past can be replayed and a preview is the live code.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod decide;
mod memory;
pub mod message;
mod preview;
mod rule;

pub use decide::{Effect, Verdict, Why, decide, explain};
pub use memory::{Evicted, Fingerprint, HELD_KEPT, Memory, MemoryChange, SLOTS_MAX, Slot};
pub use preview::{Bucket, Preview, Previewer, Sample, preview};
pub use rule::{ChannelId, GROUP_BY_MAX, HOLD_MS, HOLD_MS_MAX, Recipient, Rule, RuleError, RuleId, RuleSet};
