//! Keeping it: what is kept for how long, what is held, what is erased.

pub mod erasure;
pub mod hold;
pub mod removal;
pub mod removal_choice;
pub mod removal_count;
pub mod removal_picks;
pub mod removal_run;
pub mod retention;
pub mod retention_period;
