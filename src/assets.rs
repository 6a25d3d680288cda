//! The console, inside the binary.

use rust_embed::RustEmbed;
use server::http::assets::Asset;

#[derive(RustEmbed)]
#[folder = "web/dist"]
struct Console;

/// A file of the console, by its path below `web/dist`.
pub fn find(path: &str) -> Option<Asset> {
    let file = Console::get(path)?;
    let hash: String = file.metadata.sha256_hash().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let mime = mime_guess::from_path(path).first_or_octet_stream().essence_str().to_owned();
    Some(Asset { bytes: file.data, mime, etag: hash })
}
