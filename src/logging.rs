//! What the server says of itself: on standard error, as text or JSON.

use anyhow::{Context as _, Result};
use server::config::{Log, LogFormat};
use tracing_subscriber::EnvFilter;

/// Begins logging. Libraries below us speak only when something is wrong, unless they are asked by name.
pub fn begin(config: &Log) -> Result<()> {
    let level = std::env::var("BELFRY_LOG").unwrap_or_else(|_| config.level.clone());
    let plain = !level.contains(['=', ',']);
    let directives = if plain {
        format!("warn,belfry={level},server={level},trail={level},store={level},wire={level}")
    } else {
        level
    };
    let filter =
        EnvFilter::try_new(&directives).with_context(|| format!("log.level {directives:?} can't be understood"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match config.format {
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}
