//! SHA-256 of what is written, and hashes as texts.

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};

/// In hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 of all that comes, and how many bytes it was. `step` is told of each piece, and may stop it.
pub fn digest(from: &mut dyn Read, step: &mut dyn FnMut(u64) -> io::Result<()>) -> io::Result<([u8; 32], u64)> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0;
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok((hash.finalize().into(), size));
        }
        hash.update(buffer.get(..count).unwrap_or_default());
        size += count as u64;
        step(count as u64)?;
    }
}

/// Passes everything on, and hashes it on the way.
pub struct Hashing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

/// What went through a [`Hashing`].
pub struct Hashed<W> {
    pub inner: W,
    /// In hexadecimal.
    pub sha256: String,
    pub bytes: u64,
}

impl<W: Write> Hashing<W> {
    pub fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    /// What it wrote to, and what that was. Flushes nothing.
    pub fn finish(self) -> Hashed<W> {
        Hashed { inner: self.inner, sha256: hex(&self.hash.finalize()), bytes: self.bytes }
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
