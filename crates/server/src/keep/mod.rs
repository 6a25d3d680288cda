//! Keeping it: backups and what comes back of them.

pub mod backup;
pub mod backup_archive;
pub mod backup_files;
pub mod backup_make;
pub mod backup_schedule;
pub mod backup_settings;
pub mod backup_sidecar;
pub mod masterkey;
pub mod restore;
pub mod restore_mark;
