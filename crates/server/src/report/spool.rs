//! The rows of a run on their way to a file.
//!
//! A certificate says how many rows follow, and a page says of how many it is one: both must be known before the first
//! byte is written. So the rows wait on disk, not in memory, and are read as often as the format needs.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One event of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub position: u64,
    /// The event's leaf in the Merkle tree, in hexadecimal.
    pub leaf_hash: String,
    /// One for each column; `Null` when the event has no such field.
    pub cells: Vec<Value>,
}

/// Rows being gathered.
pub struct SpoolWriter {
    file: BufWriter<File>,
    rows: u64,
    bytes: u64,
    first: Option<u64>,
    last: Option<u64>,
}

/// Rows that can be read again and again.
#[derive(Debug)]
pub struct Spool {
    file: File,
    pub rows: u64,
    pub first_position: Option<u64>,
    pub last_position: Option<u64>,
}

impl SpoolWriter {
    /// Rows go to a nameless file in `folder`, which is gone with the process.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let path = folder.join(format!(".spool-{:016x}", rand::random::<u64>()));
        let file = File::options().create_new(true).read(true).write(true).open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(Self { file: BufWriter::with_capacity(256 * 1024, file), rows: 0, bytes: 0, first: None, last: None })
    }

    pub fn push(&mut self, row: &Row) -> io::Result<()> {
        let mut line = serde_json::to_vec(row)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.bytes += line.len() as u64;
        self.rows += 1;
        let position = row.position;
        self.first = Some(self.first.map_or(position, |first| first.min(position)));
        self.last = Some(self.last.map_or(position, |last| last.max(position)));
        Ok(())
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn finish(self) -> io::Result<Spool> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Spool { file, rows: self.rows, first_position: self.first, last_position: self.last })
    }
}

impl Spool {
    /// The rows from the first. Only one reading at a time.
    pub fn rows(&mut self) -> io::Result<impl Iterator<Item = io::Result<Row>> + '_> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::with_capacity(256 * 1024, &self.file);
        let mut line = Vec::new();
        Ok(std::iter::from_fn(move || {
            line.clear();
            match reader.read_until(b'\n', &mut line) {
                Ok(0) => None,
                Ok(_) => Some(serde_json::from_slice(&line).map_err(io::Error::from)),
                Err(error) => Some(Err(error)),
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_often_as_asked() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = SpoolWriter::new(folder.path()).unwrap();
        let row = |position| Row { position, leaf_hash: "ab".into(), cells: vec![Value::Null, "line\nbreak".into()] };
        for position in [9, 7, 3] {
            writer.push(&row(position)).unwrap();
        }
        let mut spool = writer.finish().unwrap();
        assert_eq!((spool.rows, spool.first_position, spool.last_position), (3, Some(3), Some(9)));
        for _ in 0..2 {
            let rows: Vec<Row> = spool.rows().unwrap().map(Result::unwrap).collect();
            assert_eq!(rows, [row(9), row(7), row(3)]);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no file is left behind");
    }
}
