//! From gathered rows to a file in the folder of exports, hashed while it is written.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use api::report::{Certificate, CertifiedFile, Format};
use sha2::{Digest as _, Sha256};
use trail::Trail;

use super::bundle::{self, BundleError};
use super::gather::Progress;
use super::pdf::{self, PdfError};
use super::spool::Spool;
use super::{csv, json};
use crate::hash::{Hashed, Hashing, hex};

#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error(transparent)]
    Pdf(#[from] PdfError),
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error("cancelled")]
    Cancelled,
    #[error("the file can't be written")]
    Disk(#[from] io::Error),
}

pub const fn extension(format: Format) -> &'static str {
    match format {
        Format::Csv => "csv",
        Format::Json => "json",
        Format::Pdf => "pdf",
        Format::Bundle => "bundle.json",
    }
}

pub const fn media_type(format: Format) -> &'static str {
    match format {
        Format::Csv => "text/csv; charset=utf-8",
        Format::Json | Format::Bundle => "application/json",
        Format::Pdf => "application/pdf",
    }
}

/// How a downloaded file is called: `audit-tracking-2026-11-21T140211Z.csv`.
pub fn download_name(certificate: &Certificate) -> String {
    let slug: String =
        certificate.title.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let slug = slug.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-");
    let slug = if slug.is_empty() { certificate.report_id.as_str() } else { slug.as_str() };
    let at = certificate.at.split('.').next().unwrap_or_default().replace(':', "");
    let at = at.trim_end_matches('Z');
    let slug: String = slug.chars().take(80).collect();
    format!("{slug}-{at}Z.{}", extension(certificate.format))
}

/// Writes the file. It appears under `path` whole, or not at all.
pub fn write(
    path: &Path,
    certificate: &Certificate,
    spool: &mut Spool,
    trail: &Trail,
    bom: bool,
    progress: &Progress,
) -> Result<CertifiedFile, FileError> {
    let part = path.with_extension("part");
    let written = encode(&part, certificate, spool, trail, bom, progress);
    match written {
        Ok((size_bytes, sha256)) => {
            std::fs::rename(&part, path)?;
            Ok(CertifiedFile { name: download_name(certificate), size_bytes, sha256 })
        }
        Err(error) => {
            // The next start removes it where this fails.
            let _ = std::fs::remove_file(&part);
            Err(error)
        }
    }
}

fn encode(
    part: &Path,
    certificate: &Certificate,
    spool: &mut Spool,
    trail: &Trail,
    bom: bool,
    progress: &Progress,
) -> Result<(u64, String), FileError> {
    let out = Hashing::new(BufWriter::with_capacity(256 * 1024, File::create(part)?));
    let go_on = || if progress.is_cancelled() { Err(FileError::Cancelled) } else { Ok(()) };
    let mut out = match certificate.format {
        Format::Csv => csv::write(out, &certificate.columns, spool, bom, go_on)?,
        Format::Json => json::write(out, certificate, spool, go_on)?,
        Format::Bundle => bundle::write(out, certificate, spool, trail, go_on)?,
        Format::Pdf => {
            let bytes = pdf::sheet(certificate, spool, &|| progress.is_cancelled())?;
            let mut out = out;
            out.write_all(&bytes)?;
            out
        }
    };
    out.flush()?;
    let Hashed { inner, sha256, bytes } = out.finish();
    let file = inner.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok((bytes, sha256))
}

/// In hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
