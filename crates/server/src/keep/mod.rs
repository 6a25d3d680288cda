//! Keeping it: how long, what is held, what is erased; backups and what comes back of them.

pub mod backup;
pub mod backup_archive;
pub mod backup_files;
pub mod backup_make;
pub mod backup_schedule;
pub mod backup_settings;
pub mod backup_sidecar;
pub mod erasure;
pub mod hold;
pub mod masterkey;
pub mod removal;
pub mod removal_choice;
pub mod removal_count;
pub mod removal_picks;
pub mod removal_run;
pub mod restore;
pub mod restore_mark;
pub mod retention;
pub mod retention_period;
