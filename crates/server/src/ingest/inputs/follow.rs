//! One file that is appended to: how far it is read, what is whole, and whether it is still the same.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use regex::bytes::Regex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Bytes that are read in one go.
const READ_BYTES_MAX: usize = 1 << 20;
/// A longer line is cut off: its beginning goes on and is set aside, the rest is left out and said.
pub const LINE_BYTES_MAX: usize = 512 << 10;
/// A record of several lines ends here at the latest.
const RECORD_LINES_MAX: usize = 500;
const RECORD_BYTES_MAX: usize = 60 << 10;
const RECORDS_MAX: usize = 5_000;
/// A last line without its end is taken as it is when nothing more of it came for so long.
const PARTIAL_AFTER: Duration = Duration::from_secs(5);
/// By so many of its first bytes a file is known again.
const PRINT_BYTES_MAX: usize = 1_024;

/// How far a file is read, and by what it is known. Its text is the note in the state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub offset: u64,
    /// The hash of the first `print_bytes` bytes.
    print: String,
    print_bytes: usize,
    /// The rest of a line that was too long is jumped over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    skip: bool,
}

impl Mark {
    /// A place in a file of which nothing is known yet.
    pub fn at(offset: u64) -> Self {
        Self { offset, ..Self::default() }
    }

    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// Whether `file` begins as the file of this mark did.
    pub fn fits(&self, file: &File) -> bool {
        self.print_bytes == 0 || print(file, self.print_bytes).is_some_and(|found| found == self.print)
    }

    /// Whether a file beside it that fits may be its copy.
    pub fn is_known(&self) -> bool {
        self.print_bytes >= 16
    }

    /// Whether any file that fits is surely a copy: a few equal bytes are no proof.
    pub fn is_telling(&self) -> bool {
        self.print_bytes >= 64
    }
}

fn print(file: &File, bytes: usize) -> Option<String> {
    let mut first = vec![0; bytes];
    file.read_exact_at(&mut first, 0).ok()?;
    Some(Sha256::digest(&first).iter().take(12).map(|byte| format!("{byte:02x}")).collect())
}

/// Which file it is, under whatever name.
pub fn identity(metadata: &std::fs::Metadata) -> String {
    format!("{}:{}", metadata.dev(), metadata.ino())
}

/// Records that are whole, and how far they reach.
#[derive(Debug)]
pub struct Piece {
    pub records: Vec<Vec<u8>>,
    pub to: Mark,
    pub too_long: bool,
}

/// What a look at the file found.
#[derive(Debug)]
pub enum Look {
    Nothing,
    Piece(Piece),
    /// It is shorter than it was read, or begins differently: it was emptied, and is a new file.
    Emptied,
}

/// A file that is followed.
pub struct Follow {
    pub path: PathBuf,
    pub part: String,
    pub mark: Mark,
    file: File,
    /// How far the file reached at the last look, and since when.
    reached: (u64, Instant),
}

impl Follow {
    pub fn new(path: PathBuf, part: String, file: File, mark: Mark) -> Self {
        Self { path, part, reached: (mark.offset, Instant::now()), mark, file }
    }

    pub fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// How long nothing was appended.
    pub fn quiet(&self) -> Duration {
        self.reached.1.elapsed()
    }

    /// Looks for records that are whole now. `ended`: nothing will be appended any more.
    pub fn look(&mut self, start: Option<&Regex>, ended: bool) -> io::Result<Look> {
        let length = self.len()?;
        if length < self.mark.offset || (length > 0 && !self.mark.fits(&self.file)) {
            return Ok(Look::Emptied);
        }
        if self.reached.0 != length {
            self.reached = (length, Instant::now());
        }
        if length == self.mark.offset {
            return Ok(Look::Nothing);
        }
        let is_all = length - self.mark.offset <= READ_BYTES_MAX as u64;
        let whole = is_all && (ended || self.quiet() >= PARTIAL_AFTER);
        self.read(length, start, whole)
    }

    /// Reads a stretch again that was handed over before a crash. None: it isn't there any more.
    pub fn again(&mut self, to: &Mark, start: Option<&Regex>) -> io::Result<Option<Piece>> {
        if to.offset <= self.mark.offset || self.len()? < to.offset || !to.fits(&self.file) {
            return Ok(None);
        }
        match self.read(to.offset, start, true)? {
            Look::Piece(piece) if piece.to.offset == to.offset => Ok(Some(Piece { to: to.clone(), ..piece })),
            _ => Ok(None),
        }
    }

    fn read(&mut self, until: u64, start: Option<&Regex>, whole: bool) -> io::Result<Look> {
        let wanted = usize::try_from(until - self.mark.offset).unwrap_or(usize::MAX).min(READ_BYTES_MAX);
        let mut bytes = vec![0; wanted];
        let mut filled = 0;
        while filled < wanted {
            let place = bytes.get_mut(filled..).unwrap_or_default();
            match self.file.read_at(place, self.mark.offset + filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        let cut = cut(&bytes, self.mark.skip, start, whole);
        if cut.taken == 0 {
            return Ok(Look::Nothing);
        }
        let offset = self.mark.offset + cut.taken as u64;
        let print_bytes = usize::try_from(offset).unwrap_or(usize::MAX).min(PRINT_BYTES_MAX);
        let (print, print_bytes) = if print_bytes > self.mark.print_bytes {
            (print(&self.file, print_bytes).ok_or(io::ErrorKind::UnexpectedEof)?, print_bytes)
        } else {
            (self.mark.print.clone(), self.mark.print_bytes)
        };
        let to = Mark { offset, print, print_bytes, skip: cut.skip };
        Ok(Look::Piece(Piece { records: cut.records, to, too_long: cut.too_long }))
    }
}

struct Cut {
    records: Vec<Vec<u8>>,
    taken: usize,
    skip: bool,
    too_long: bool,
}

/// Cuts bytes into records. `skip`: they begin within a line that is left out. `whole`: what is at the end is a record,
/// though its end has not come.
fn cut(bytes: &[u8], mut skip: bool, start: Option<&Regex>, whole: bool) -> Cut {
    let mut cut = Cut { records: Vec::new(), taken: 0, skip: false, too_long: false };
    let mut at = 0;
    // The record that is being put together: where it begins, how many lines it has.
    let mut open: Option<(usize, usize)> = None;
    while cut.records.len() < RECORDS_MAX {
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.is_empty() {
            break;
        }
        let end = memchr::memchr(b'\n', rest);
        if skip {
            at += end.map_or(rest.len(), |end| end + 1);
            cut.taken = at;
            skip = end.is_none() && !whole;
            continue;
        }
        let (line, next) = match end {
            Some(end) => (rest.get(..end).unwrap_or_default(), at + end + 1),
            None if rest.len() > LINE_BYTES_MAX || whole => (rest, bytes.len()),
            None => break,
        };
        if line.len() > LINE_BYTES_MAX {
            close(&mut cut, bytes, &mut open, at);
            cut.records.push(line.get(..LINE_BYTES_MAX).unwrap_or_default().to_vec());
            cut.too_long = true;
            // Whatever follows of it is left out, also what looks like a line of its own.
            skip = end.is_none() && !whole;
            at = next;
            cut.taken = at;
            continue;
        }
        match start {
            None => {
                push(&mut cut.records, line);
                cut.taken = next;
            }
            Some(start) => {
                let full =
                    open.is_some_and(|(begin, lines)| lines >= RECORD_LINES_MAX || next - begin > RECORD_BYTES_MAX);
                if full || start.is_match(line) {
                    close(&mut cut, bytes, &mut open, at);
                }
                open = Some(open.map_or((at, 1), |(begin, lines)| (begin, lines + 1)));
            }
        }
        at = next;
    }
    // Only what reaches to the end of all there is can be the last record.
    if whole && at >= bytes.len() {
        close(&mut cut, bytes, &mut open, at);
    }
    cut.skip = skip;
    cut
}

fn close(cut: &mut Cut, bytes: &[u8], open: &mut Option<(usize, usize)>, at: usize) {
    if let Some((begin, _)) = open.take() {
        push(&mut cut.records, bytes.get(begin..at).unwrap_or_default());
        cut.taken = at;
    }
}

/// Line ends don't belong to a record; lines of nothing are none.
fn push(records: &mut Vec<Vec<u8>>, mut record: &[u8]) {
    while let Some((b'\n' | b'\r', rest)) = record.split_last() {
        record = rest;
    }
    if !record.is_empty() {
        records.push(record.to_vec());
    }
}

/// Opens a file that may be read: a plain one, that lies below `folders` wherever links lead.
pub fn open(path: &Path, folders: &[PathBuf]) -> Result<(File, std::fs::Metadata), String> {
    let failed = |error: io::Error| format!("can't open {}: {error}", path.display());
    // Opening a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(format!("{} is no plain file", path.display()));
    }
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    // Asked of what is open, not of the name: a link that is changed meanwhile gains nothing.
    let real = handle_path(&file).or_else(|| path.canonicalize().ok()).unwrap_or_default();
    let inside = folders.iter().any(|folder| real.starts_with(folder));
    if !inside || !metadata.is_file() {
        return Err(format!("{} leads to {}, which is not below inputs.folders", path.display(), real.display()));
    }
    Ok((file, metadata))
}

fn handle_path(file: &File) -> Option<PathBuf> {
    use std::os::fd::AsRawFd as _;
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn records(bytes: &str, start: Option<&str>, whole: bool) -> (Vec<String>, usize) {
        let start = start.map(|pattern| Regex::new(pattern).unwrap());
        let cut = cut(bytes.as_bytes(), false, start.as_ref(), whole);
        (cut.records.iter().map(|record| String::from_utf8_lossy(record).into_owned()).collect(), cut.taken)
    }

    #[test]
    fn lines_are_cut_and_the_last_waits_for_its_end() {
        assert_eq!(records("a\nb\r\n\nc", None, false), (vec!["a".into(), "b".into()], 6));
        assert_eq!(records("a\nb\r\n\nc", None, true), (vec!["a".into(), "b".into(), "c".into()], 7));
        assert_eq!(records("", None, true), (vec![], 0));
    }

    #[test]
    fn lines_belong_to_the_record_that_began() {
        let text = "tail of before\n1 one\n  more\n2 two\n3 thr";
        let (cut, taken) = records(text, Some("^[0-9] "), false);
        assert_eq!(cut, ["tail of before", "1 one\n  more"]);
        assert_eq!(&text[taken..], "2 two\n3 thr");
        let (cut, taken) = records(text, Some("^[0-9] "), true);
        assert_eq!((cut.len(), cut[3].as_str(), taken), (4, "3 thr", text.len()));
    }

    #[test]
    fn a_line_too_long_is_cut_off_and_its_rest_left_out() {
        let long = "x".repeat(LINE_BYTES_MAX + 10);
        let (cut, taken) = records(&format!("a\n{long}\nb\n"), None, false);
        assert_eq!((cut.len(), cut[1].len(), cut[2].as_str()), (3, LINE_BYTES_MAX, "b"));
        assert_eq!(taken, LINE_BYTES_MAX + 10 + 5);
        // Its end has not come yet: what follows until then is no line of its own.
        let begun = super::cut(long.as_bytes(), false, None, false);
        assert!(begun.skip && begun.too_long && begun.taken == long.len());
        let rest = super::cut(b"imitated line\nreal\n", true, None, false);
        assert_eq!(rest.records, [b"real".to_vec()]);
        assert!(!rest.skip);
    }

    #[test]
    fn a_file_that_was_emptied_is_noticed_and_a_stretch_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let mut file = File::options().create(true).append(true).open(&path).unwrap();
        file.write_all(b"one\ntwo\nthr").unwrap();
        let folders = [dir.path().canonicalize().unwrap()];
        let (handle, _) = open(&path, &folders).unwrap();
        let mut follow = Follow::new(path.clone(), "p".into(), handle, Mark::default());
        let Look::Piece(piece) = follow.look(None, false).unwrap() else { panic!("two lines are whole") };
        assert_eq!(piece.records, [b"one".to_vec(), b"two".to_vec()]);
        file.write_all(b"ee\nfour\n").unwrap();
        let again = follow.again(&piece.to, None).unwrap().unwrap();
        assert_eq!((again.records, again.to), (piece.records, piece.to.clone()));
        assert_eq!(Mark::read(&piece.to.text()), piece.to);
        follow.mark = piece.to;
        let Look::Piece(piece) = follow.look(None, false).unwrap() else { panic!("more lines are whole") };
        assert_eq!(piece.records, [b"three".to_vec(), b"four".to_vec()]);
        follow.mark = piece.to;
        assert!(matches!(follow.look(None, false).unwrap(), Look::Nothing));
        file.set_len(0).unwrap();
        assert!(matches!(follow.look(None, false).unwrap(), Look::Emptied));
        // Emptied, and longer than before when it is looked at again.
        file.write_all(b"something else that is longer than it was\n").unwrap();
        assert!(matches!(follow.look(None, false).unwrap(), Look::Emptied));
    }

    #[test]
    fn links_lead_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("in"), dir.path().join("out"));
        std::fs::create_dir_all(&inside).unwrap();
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::write(outside.join("secret"), "x").unwrap();
        std::fs::write(inside.join("good"), "x").unwrap();
        std::os::unix::fs::symlink(outside.join("secret"), inside.join("link")).unwrap();
        std::os::unix::fs::symlink(&outside, inside.join("folder")).unwrap();
        let folders = [inside.canonicalize().unwrap()];
        assert!(open(&inside.join("good"), &folders).is_ok());
        for name in ["link", "folder/secret", "missing", "."] {
            let error = open(&inside.join(name), &folders).unwrap_err();
            assert!(error.contains(name) || error.contains("plain"), "{error}");
        }
    }
}
