//! The format of a backup: a stream of files inside an age file, written and read with little memory.
//!
//! ```text
//! "belfrybk" │ version │ H head │ F file │ F file │ … │ M manifest │ end
//! ```
//!
//! Inside, integers are big-endian 32 bits. `H` and `M` are JSON behind its length. `F` is the JSON of an [`Entry`]
//! behind its length, then pieces, each behind its length, then a length of 0. The manifest comes last, because only
//! then all hashes are known; it lists every file the backup stands for, also those that lie in the backups before it.
//! age seals pieces of 64 KiB, each with its place and the last one marked: what is changed, moved or cut off is found.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use api::backup::{BackupKind, BackupReason};

pub const VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"belfrybk";
const PIECE_BYTES: usize = 256 * 1024;
const HEAD_BYTES_MAX: u32 = 64 * 1024;
const ENTRY_BYTES_MAX: u32 = 16 * 1024;
/// A million files, generously.
const MANIFEST_BYTES_MAX: u32 = 256 << 20;

/// What a backup is, known before anything is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub id: String,
    pub kind: BackupKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    pub reason: BackupReason,
    pub organization: String,
    pub origin: String,
    /// The public key of the trail, as C2SP writes it.
    pub vkey: String,
    /// The signed checkpoint that the backup vouches for; its size and root are the two that follow.
    pub checkpoint: String,
    pub tree_size: u64,
    pub root: String,
    /// RFC 3339, UTC.
    pub made_at: String,
    pub made_by: String,
    /// The program that made it.
    pub belfry: String,
}

/// A file on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Below the data folder, with slashes.
    pub path: String,
    /// Before it was packed.
    pub size_bytes: u64,
    pub codec: Codec,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// As it is: what is packed already.
    Plain,
    Zstd,
}

/// A file that the backup stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    pub path: String,
    pub size_bytes: u64,
    /// Hexadecimal.
    pub sha256: String,
    /// The backup that holds it; this one or one before.
    pub kept_in: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub files: Vec<Listed>,
}

/// Why a backup can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("it is no backup of belfry")]
    NotOurs,
    #[error("it has format version {found}, this program knows {VERSION}: use a newer one")]
    Newer { found: u32 },
    #[error("it was changed or damaged: {0}")]
    Damaged(String),
    #[error("it can't be read")]
    Io(#[source] io::Error),
    #[error("cancelled")]
    Cancelled,
}

impl From<io::Error> for ArchiveError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // What age says of a piece that does not open, and what the end of a file that was cut off looks like.
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::Damaged(error.to_string()),
            io::ErrorKind::Interrupted => Self::Cancelled,
            _ => Self::Io(error),
        }
    }
}

/// Writes a backup.
pub struct Writer<W: Write> {
    out: W,
}

impl<W: Write> Writer<W> {
    pub fn begin(mut out: W, head: &Head) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        out.write_all(&VERSION.to_be_bytes())?;
        let mut writer = Self { out };
        writer.json(b'H', head)?;
        Ok(writer)
    }

    /// Writes a file; its bytes are those of `from`, of which there must be as many as the entry says. Gives back their
    /// SHA-256. `step` is told how many bytes were read, and may stop it.
    pub fn file(
        &mut self,
        entry: &Entry,
        from: &mut dyn Read,
        step: &mut dyn FnMut(u64) -> io::Result<()>,
    ) -> io::Result<[u8; 32]> {
        self.json(b'F', entry)?;
        let pieces = Pieces { out: &mut self.out, held: Vec::with_capacity(PIECE_BYTES) };
        let (hash, pieces) = match entry.codec {
            Codec::Plain => {
                let mut pieces = pieces;
                (pump(from, &mut pieces, entry.size_bytes, step)?, pieces)
            }
            Codec::Zstd => {
                let mut packer = zstd::stream::write::Encoder::new(pieces, 1)?;
                let hash = pump(from, &mut packer, entry.size_bytes, step)?;
                (hash, packer.finish()?)
            }
        };
        pieces.finish()?;
        Ok(hash)
    }

    /// Ends it; gives back what it was written to.
    pub fn finish(mut self, manifest: &Manifest) -> io::Result<W> {
        self.json(b'M', manifest)?;
        Ok(self.out)
    }

    fn json<T: Serialize>(&mut self, tag: u8, value: &T) -> io::Result<()> {
        let text = serde_json::to_vec(value)?;
        let length = u32::try_from(text.len()).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        self.out.write_all(&[tag])?;
        self.out.write_all(&length.to_be_bytes())?;
        self.out.write_all(&text)
    }
}

/// Passes on exactly `size` bytes, and hashes them.
fn pump(
    from: &mut dyn Read,
    to: &mut dyn Write,
    size: u64,
    step: &mut dyn FnMut(u64) -> io::Result<()>,
) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; PIECE_BYTES];
    let mut left = size;
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        left = left.checked_sub(count as u64).ok_or_else(|| invalid("a file is longer than it says"))?;
        hash.update(bytes);
        to.write_all(bytes)?;
        step(count as u64)?;
    }
    if left > 0 {
        return Err(invalid("a file is shorter than it says"));
    }
    Ok(hash.finalize().into())
}

struct Pieces<'a, W: Write> {
    out: &'a mut W,
    held: Vec<u8>,
}

impl<W: Write> Pieces<'_, W> {
    fn pass(&mut self) -> io::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        self.out.write_all(&(self.held.len() as u32).to_be_bytes())?;
        self.out.write_all(&self.held)?;
        self.held.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        self.pass()?;
        self.out.write_all(&[0; 4])
    }
}

impl<W: Write> Write for Pieces<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(PIECE_BYTES - self.held.len());
        self.held.extend_from_slice(bytes.get(..count).unwrap_or_default());
        if self.held.len() == PIECE_BYTES {
            self.pass()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a backup from its first to its last byte.
pub struct Reader<R: Read> {
    from: R,
    pub head: Head,
}

/// What comes next in a backup.
pub enum Next {
    /// A file; [`Reader::file`] must be called for it.
    File(Entry),
    /// The end, and nothing after it.
    End(Manifest),
}

impl<R: Read> Reader<R> {
    pub fn begin(mut from: R) -> Result<Self, ArchiveError> {
        let mut magic = [0; 12];
        from.read_exact(&mut magic)?;
        let (name, version) = magic.split_at(8);
        if name != MAGIC {
            return Err(ArchiveError::NotOurs);
        }
        let found = version.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        if found != VERSION {
            return Err(ArchiveError::Newer { found });
        }
        let tag = tag(&mut from)?;
        if tag != b'H' {
            return Err(ArchiveError::Damaged("it does not begin with its head".to_owned()));
        }
        let head = json(&mut from, HEAD_BYTES_MAX)?;
        Ok(Self { from, head })
    }

    pub fn step(&mut self) -> Result<Next, ArchiveError> {
        match tag(&mut self.from)? {
            b'F' => Ok(Next::File(json(&mut self.from, ENTRY_BYTES_MAX)?)),
            b'M' => {
                let manifest = json(&mut self.from, MANIFEST_BYTES_MAX)?;
                // Reading the end is what makes age look whether it is the end.
                match self.from.read(&mut [0])? {
                    0 => Ok(Next::End(manifest)),
                    _ => Err(ArchiveError::Damaged("something follows its end".to_owned())),
                }
            }
            other => Err(ArchiveError::Damaged(format!("a record of unknown kind {other}"))),
        }
    }

    /// Reads the file that [`Reader::step`] has announced into `to`; gives back its SHA-256.
    pub fn file(
        &mut self,
        entry: &Entry,
        to: &mut dyn Write,
        step: &mut dyn FnMut(u64) -> io::Result<()>,
    ) -> Result<[u8; 32], ArchiveError> {
        let mut parts = Parts { from: &mut self.from, left: 0, ended: false };
        let hash = match entry.codec {
            Codec::Plain => pump(&mut parts, to, entry.size_bytes, step)?,
            Codec::Zstd => {
                let mut unpacker = zstd::stream::read::Decoder::new(&mut parts)?.single_frame();
                pump(&mut unpacker, to, entry.size_bytes, step)?
            }
        };
        if parts.read(&mut [0])? != 0 {
            return Err(ArchiveError::Damaged(format!("something follows {} inside it", entry.path)));
        }
        Ok(hash)
    }
}

struct Parts<'a, R: Read> {
    from: &'a mut R,
    left: u32,
    ended: bool,
}

impl<R: Read> Read for Parts<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.ended {
            self.left = number(self.from)?;
            self.ended = self.left == 0;
        }
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        let wanted = buffer.len().min(self.left as usize);
        let count = self.from.read(buffer.get_mut(..wanted).unwrap_or_default())?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u32;
        Ok(count)
    }
}

fn tag(from: &mut dyn Read) -> io::Result<u8> {
    let mut tag = [0];
    from.read_exact(&mut tag)?;
    Ok(tag[0])
}

fn number(from: &mut dyn Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}

fn json<T: for<'de> Deserialize<'de>>(from: &mut dyn Read, bytes_max: u32) -> Result<T, ArchiveError> {
    let length = number(from)?;
    if length > bytes_max {
        return Err(ArchiveError::Damaged(format!("a record of {length} bytes, where {bytes_max} are the most")));
    }
    let mut text = Vec::new();
    from.take(u64::from(length)).read_to_end(&mut text)?;
    serde_json::from_slice(&text).map_err(|error| ArchiveError::Damaged(error.to_string()))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::hex;

    fn head() -> Head {
        Head {
            id: "01".into(),
            kind: BackupKind::Full,
            parent: None,
            reason: BackupReason::Asked,
            organization: "acme".into(),
            origin: "belfry.example/acme".into(),
            vkey: String::new(),
            checkpoint: String::new(),
            tree_size: 3,
            root: String::new(),
            made_at: String::new(),
            made_by: "ada".into(),
            belfry: "0".into(),
        }
    }

    fn written(files: &[(&str, &[u8], Codec)]) -> Vec<u8> {
        let mut writer = Writer::begin(Vec::new(), &head()).unwrap();
        let mut listed = Vec::new();
        for (path, bytes, codec) in files {
            let entry = Entry { path: (*path).into(), size_bytes: bytes.len() as u64, codec: *codec };
            let hash = writer.file(&entry, &mut &**bytes, &mut |_| Ok(())).unwrap();
            assert_eq!(hash, <[u8; 32]>::from(Sha256::digest(bytes)));
            listed.push(Listed {
                path: entry.path,
                size_bytes: entry.size_bytes,
                sha256: hex(&hash),
                kept_in: "01".into(),
            });
        }
        writer.finish(&Manifest { files: listed }).unwrap()
    }

    fn all(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, ArchiveError> {
        let mut reader = Reader::begin(bytes)?;
        assert_eq!(reader.head, head());
        let mut files = Vec::new();
        loop {
            match reader.step()? {
                Next::File(entry) => {
                    let mut content = Vec::new();
                    reader.file(&entry, &mut content, &mut |_| Ok(()))?;
                    files.push((entry.path, content));
                }
                Next::End(manifest) => {
                    assert_eq!(manifest.files.len(), files.len());
                    return Ok(files);
                }
            }
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let large: Vec<u8> = (0..700_000_u32).map(|n| ((n * n) >> 7) as u8).collect();
        let files: Vec<(&str, &[u8], Codec)> = vec![
            ("a", b"", Codec::Plain),
            ("b", b"", Codec::Zstd),
            ("c", b"hello", Codec::Plain),
            ("d", &large, Codec::Zstd),
            ("e", &large, Codec::Plain),
        ];
        let bytes = written(&files);
        let read = all(&bytes).unwrap();
        for ((path, content, _), (found, bytes)) in files.iter().zip(&read) {
            assert_eq!((*path, *content), (found.as_str(), bytes.as_slice()));
        }
        for cut in [0, 5, 11, 40, bytes.len() / 2, bytes.len() - 1] {
            assert!(all(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(all(&longer).is_err());
        let mut newer = bytes;
        newer[11] = 9;
        assert!(matches!(all(&newer), Err(ArchiveError::Newer { found: 9 })));
    }

    #[test]
    fn a_file_that_is_not_as_long_as_it_says_is_refused() {
        for size_bytes in [4, 6] {
            let mut writer = Writer::begin(Vec::new(), &head()).unwrap();
            let entry = Entry { path: "a".into(), size_bytes, codec: Codec::Plain };
            assert!(writer.file(&entry, &mut &b"hello"[..], &mut |_| Ok(())).is_err());
        }
    }
}
