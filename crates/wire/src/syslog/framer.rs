//! Cutting a TCP stream into messages.
//!
//! Octet counting (`83 <34>1 …`, RFC 6587 and 5425) and lines may alternate: each message is looked at by itself. A
//! count is taken as bytes; where the stream shows that this can't be so, it is tried as characters (some exporters
//! count those), and at last the next start of a message is looked for. Nothing is dropped silently: what was cut off
//! or jumped over comes out as a [`FrameError`] that carries the bytes.

/// A stretch of the stream that gave no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct FrameError {
    pub fault: FrameFault,
    /// What arrived, up to the longest message that is taken.
    pub bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    #[error("a message is longer than {bytes_max} bytes")]
    TooLong { bytes_max: usize },
    #[error("the connection ended {missing} bytes before the announced end of a message")]
    CutOff { missing: usize },
}

/// Takes bytes as they come, gives messages. Holds no more than one message and what was pushed last.
#[derive(Debug)]
pub struct Framer {
    buffer: Vec<u8>,
    start: usize,
    bytes_max: usize,
    skip: Skip,
    /// Bytes of a line that waits for its end, in which there is none.
    searched: usize,
}

/// What is left of a message that was too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Skip {
    Nothing,
    Bytes(usize),
    Line,
}

/// Announced lengths beyond this are no lengths.
const COUNT_MAX: usize = 4 << 20;
const COUNT_DIGITS_MAX: usize = 9;

enum Start {
    /// More bytes are needed to tell.
    Unknown,
    Line,
    Counted {
        head: usize,
        count: usize,
    },
}

enum Step {
    /// `take` bytes of the buffer are done with; `message` is the range of the message within them.
    Message {
        message: std::ops::Range<usize>,
        take: usize,
    },
    /// `rest` says what is left of the message beyond `take`.
    Fault {
        fault: FrameFault,
        bytes: std::ops::Range<usize>,
        take: usize,
        rest: Skip,
    },
    Wait,
}

impl Framer {
    pub fn new(bytes_max: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, bytes_max: bytes_max.max(1), skip: Skip::Nothing, searched: 0 }
    }

    /// Adds bytes that were read. Take all messages with [`Framer::next_message`] before pushing more.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start.min(self.buffer.len()));
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message that is complete. `None`: push more, or [`Framer::finish`].
    pub fn next_message(&mut self) -> Option<Result<&[u8], FrameError>> {
        if !self.skip_ahead() {
            return None;
        }
        let step = self.step();
        self.carry_out(step)
    }

    /// The stream has ended: what is left is the last message. Call until `None`.
    pub fn finish(&mut self) -> Option<Result<&[u8], FrameError>> {
        if !self.skip_ahead() {
            return None;
        }
        let step = match self.step() {
            Step::Wait => {
                let rest = self.rest();
                let length = rest.len();
                if length == 0 {
                    return None;
                }
                match start_of(rest) {
                    Start::Counted { head, count } => Step::Fault {
                        fault: FrameFault::CutOff { missing: (head + count).saturating_sub(length) },
                        bytes: head.min(length)..length,
                        take: length,
                        rest: Skip::Nothing,
                    },
                    Start::Line | Start::Unknown => Step::Message { message: 0..length, take: length },
                }
            }
            step => step,
        };
        self.carry_out(step)
    }

    /// Gives back memory that is not needed while nothing comes.
    pub fn rest_buffer(&mut self) {
        self.buffer.drain(..self.start.min(self.buffer.len()));
        self.start = 0;
        self.buffer.shrink_to_fit();
    }

    /// Bytes that wait for the rest of their message.
    pub fn pending(&self) -> usize {
        self.rest().len()
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Jumps over what is left of a message that was too long, and over line ends between messages.
    fn skip_ahead(&mut self) -> bool {
        match self.skip {
            Skip::Nothing => {}
            Skip::Bytes(left) => {
                let here = left.min(self.rest().len());
                self.start += here;
                if here < left {
                    self.skip = Skip::Bytes(left - here);
                    return false;
                }
                self.skip = Skip::Nothing;
            }
            Skip::Line => match self.rest().iter().position(|b| is_line_end(*b)) {
                Some(end) => {
                    self.start += end + 1;
                    self.skip = Skip::Nothing;
                }
                None => {
                    self.start = self.buffer.len();
                    return false;
                }
            },
        }
        let between = self.rest().iter().take_while(|b| is_line_end(**b) || **b == b'\r').count();
        self.start += between;
        !self.rest().is_empty()
    }

    fn step(&self) -> Step {
        let rest = self.rest();
        match start_of(rest) {
            Start::Unknown => Step::Wait,
            Start::Line => self.line(rest),
            Start::Counted { head, count } => self.counted(rest, head, count),
        }
    }

    fn line(&self, rest: &[u8]) -> Step {
        // A sender that gives a byte at a time must not make us look at all of them each time.
        let fresh = rest.get(self.searched..).unwrap_or_default();
        match fresh.iter().position(|b| is_line_end(*b)).map(|at| at + self.searched) {
            Some(end) if end <= self.bytes_max => Step::Message { message: 0..end, take: end + 1 },
            Some(end) => self.too_long(0, end + 1, Skip::Nothing),
            None if rest.len() > self.bytes_max => self.too_long(0, rest.len(), Skip::Line),
            None => Step::Wait,
        }
    }

    fn too_long(&self, head: usize, take: usize, rest: Skip) -> Step {
        let fault = FrameFault::TooLong { bytes_max: self.bytes_max };
        Step::Fault { fault, bytes: head..take.min(head + self.bytes_max), take, rest }
    }

    fn counted(&self, rest: &[u8], head: usize, count: usize) -> Step {
        let end = head + count;
        let body = rest.get(head..).unwrap_or_default();
        if count > self.bytes_max {
            // A message that starts within shows that the count is wrong; else it is believed.
            return match next_start(body, self.bytes_max.min(count)) {
                Some(next) => Step::Message { message: head..head + next, take: head + next },
                None => {
                    let here = end.min(rest.len());
                    self.too_long(head, here, Skip::Bytes(end - here))
                }
            };
        }
        let Some(tail) = body.get(count..) else { return Step::Wait };
        // A priority right behind it is one, unless the count of that message was swallowed: `…abc6 ` `<13>…`.
        let swallowed = tail.first() == Some(&b'<')
            && matches!(body.get(..count), Some([.., digit, b' ']) if digit.is_ascii_digit());
        if is_boundary(tail) && !swallowed {
            return Step::Message { message: head..end, take: end };
        }
        // A message starts within this one: the count was too large.
        if let Some(next) = next_start(body, count) {
            return Step::Message { message: head..head + next, take: head + next };
        }
        // Counted in characters: the message is longer than that many bytes.
        if let Some(length) = end_of_characters(body, count)
            && is_boundary(body.get(length..).unwrap_or_default())
        {
            return Step::Message { message: head..head + length, take: head + length };
        }
        // Wrong in some other way: the message goes on to the next start of one, or to the end of its line.
        let line = tail.iter().position(|b| is_line_end(*b));
        match (line, next_start(tail, tail.len())) {
            (Some(line), next) if next.is_none_or(|n| line < n) => {
                Step::Message { message: head..end + line, take: end + line + 1 }
            }
            (_, Some(next)) => Step::Message { message: head..end + next, take: end + next },
            _ if body.len() > self.bytes_max => self.too_long(head, rest.len(), Skip::Line),
            _ => Step::Wait,
        }
    }

    fn carry_out(&mut self, step: Step) -> Option<Result<&[u8], FrameError>> {
        let start = self.start;
        self.searched = match step {
            Step::Wait if matches!(start_of(self.rest()), Start::Line) => self.rest().len(),
            _ => 0,
        };
        match step {
            Step::Wait => None,
            Step::Message { message, take } => {
                self.start = (start + take).min(self.buffer.len());
                let message = self.buffer.get(start + message.start..start + message.end).unwrap_or_default();
                Some(Ok(super::trim_end(message)))
            }
            Step::Fault { fault, bytes, take, rest } => {
                let end = (start + bytes.end).min(self.buffer.len());
                let bytes = self.buffer.get(start + bytes.start..end).unwrap_or_default().to_vec();
                self.start = (start + take).min(self.buffer.len());
                self.skip = rest;
                Some(Err(FrameError { fault, bytes }))
            }
        }
    }
}

fn is_line_end(byte: u8) -> bool {
    byte == b'\n' || byte == 0
}

/// How the message at the start of `rest` is framed: `digits SP <` is a count, everything else is a line.
fn start_of(rest: &[u8]) -> Start {
    let digits = rest.iter().take(COUNT_DIGITS_MAX).take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 || rest.first() == Some(&b'0') {
        return Start::Line;
    }
    match (rest.get(digits), rest.get(digits + 1)) {
        (None, _) | (Some(b' '), None) => Start::Unknown,
        (Some(b' '), Some(b'<')) => {
            let count = number(rest.get(..digits).unwrap_or_default());
            if count > COUNT_MAX { Start::Line } else { Start::Counted { head: digits + 1, count } }
        }
        _ => Start::Line,
    }
}

/// May a message end here? At the end of what has arrived, before a line end, before a count, before a priority.
fn is_boundary(rest: &[u8]) -> bool {
    match rest.first() {
        None | Some(b'\n' | b'\r' | 0) => true,
        Some(b'<') => priority_length(rest).is_some(),
        Some(_) => counted_start(rest),
    }
}

/// `digits SP <PRI>`, or as much of it as has arrived.
fn counted_start(rest: &[u8]) -> bool {
    let digits = rest.iter().take(COUNT_DIGITS_MAX).take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 || rest.first() == Some(&b'0') {
        return false;
    }
    match (rest.get(digits), rest.get(digits + 1..)) {
        (None, _) => true,
        (Some(b' '), Some(after)) => after.is_empty() || priority_length(after).is_some(),
        _ => false,
    }
}

/// The first place before `limit` in `bytes`, but not at its start, where a counted message starts for certain.
fn next_start(bytes: &[u8], limit: usize) -> Option<usize> {
    let mut from = 1;
    while let Some(found) = bytes.get(from..)?.windows(2).position(|w| w == b" <") {
        let space = from + found;
        if space > limit + COUNT_DIGITS_MAX {
            return None;
        }
        let body = bytes.get(space + 1..)?;
        let whole = priority_length(body).is_some_and(|length| length <= body.len());
        let digits =
            bytes.get(1..space)?.iter().rev().take(COUNT_DIGITS_MAX).take_while(|b| b.is_ascii_digit()).count();
        if whole && digits > 0 {
            let start = space - count_digits(bytes.get(space - digits..space)?, body);
            return (start < limit).then_some(start);
        }
        from = space + 1;
    }
    None
}

/// How many of the digits before a message are its count: the text in front may end in digits, too. A count that leads
/// to a boundary is the right one.
fn count_digits(digits: &[u8], body: &[u8]) -> usize {
    let fits = |from: &usize| {
        let Some(candidate) = digits.get(*from..) else { return false };
        if candidate.first() == Some(&b'0') {
            return false;
        }
        let count = number(candidate);
        let lengths = [Some(count).filter(|c| *c <= body.len()), end_of_characters(body, count)];
        lengths.into_iter().flatten().any(|length| is_boundary(body.get(length..).unwrap_or_default()))
    };
    let from = (0..digits.len()).find(fits);
    digits.len() - from.unwrap_or_else(|| digits.iter().take_while(|d| **d == b'0').count().min(digits.len() - 1))
}

fn number(digits: &[u8]) -> usize {
    digits
        .iter()
        .fold(0, |number: usize, digit| number.saturating_mul(10).saturating_add(usize::from(digit.wrapping_sub(b'0'))))
}

/// The length of `<PRI>` at the start; a prefix that may still become one counts, too.
fn priority_length(bytes: &[u8]) -> Option<usize> {
    if bytes.first() != Some(&b'<') {
        return None;
    }
    let digits = bytes.iter().skip(1).take(4).take_while(|b| b.is_ascii_digit()).count();
    match bytes.get(1 + digits) {
        Some(b'>') if (1..=3).contains(&digits) => Some(digits + 2),
        None if digits <= 3 => Some(digits + 2),
        _ => None,
    }
}

/// Where the first `count` characters end. `None`: they haven't all arrived.
fn end_of_characters(bytes: &[u8], count: usize) -> Option<usize> {
    let is_start = |b: &u8| b & 0xC0 != 0x80;
    let starts = bytes.iter().filter(|b| is_start(b)).count();
    match starts {
        n if n < count => None,
        n if n == count => Some(bytes.len()),
        _ => bytes.iter().enumerate().filter(|(_, b)| is_start(b)).nth(count).map(|(at, _)| at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `stream` in pieces of `step` bytes; messages as text, faults as `!`.
    fn cut(stream: &[u8], bytes_max: usize, step: usize) -> Vec<String> {
        let mut framer = Framer::new(bytes_max);
        let mut out = Vec::new();
        let show = |r: Result<&[u8], FrameError>| match r {
            Ok(message) => String::from_utf8_lossy(message).into_owned(),
            Err(error) => format!("!{}", String::from_utf8_lossy(&error.bytes)),
        };
        for piece in stream.chunks(step) {
            framer.push(piece);
            while let Some(message) = framer.next_message() {
                out.push(show(message));
            }
        }
        while let Some(message) = framer.finish() {
            out.push(show(message));
        }
        out
    }

    fn check(stream: &str, expected: &[&str]) {
        for step in [1, 2, 3, 7, stream.len().max(1)] {
            assert_eq!(cut(stream.as_bytes(), 100, step), expected, "{stream:?} in pieces of {step}");
        }
    }

    /// Recovery looks at what follows, so it needs the following bytes to be there.
    fn check_whole(stream: &str, expected: &[&str]) {
        assert_eq!(cut(stream.as_bytes(), 100, stream.len()), expected, "{stream:?}");
    }

    #[test]
    fn cuts_lines() {
        check("<13>a\n<13>b\r\n\n\0<13>c\0<13>d", &["<13>a", "<13>b", "<13>c", "<13>d"]);
        check("", &[]);
        check("12 monkeys\n123\n", &["12 monkeys", "123"]);
        check("2026-01-02 x\n", &["2026-01-02 x"]);
    }

    #[test]
    fn cuts_counted_messages() {
        check("5 <13>a7 <13>b\nc5 <13>d", &["<13>a", "<13>b\nc", "<13>d"]);
        check("5 <13>a\n6 <13>bb\r\n<13>line\n5 <13>c", &["<13>a", "<13>bb", "<13>line", "<13>c"]);
        check("7 <13>é!5 <13>b", &["<13>é!", "<13>b"]);
    }

    #[test]
    fn a_count_of_characters_is_recovered_from() {
        check_whole("6 <13>éé6 <13>ab", &["<13>éé", "<13>ab"]);
        check_whole("6 <13>日本\n6 <13>ab", &["<13>日本", "<13>ab"]);
    }

    #[test]
    fn a_wrong_count_is_recovered_from() {
        check_whole("5 <13>abcdef5 <13>b", &["<13>abcdef", "<13>b"]);
        check_whole("5 <13>abcdef\n5 <13>b", &["<13>abcdef", "<13>b"]);
        check_whole("9 <13>abc6 <13>de5 <13>f", &["<13>abc", "<13>de", "<13>f"]);
        check_whole("12 <13>port 226 <13>de5 <13>f", &["<13>port 22", "<13>de", "<13>f"]);
        check_whole("99999 <13>abc6 <13>de5 <13>f", &["<13>abc", "<13>de", "<13>f"]);
    }

    #[test]
    fn too_long_is_said_and_left_behind() {
        let long = "x".repeat(300);
        let cut_off = format!("!{}", "x".repeat(100));
        for step in [1, 50, 1000] {
            assert_eq!(cut(format!("{long}\n<13>a\n").as_bytes(), 100, step)[1..], ["<13>a"]);
        }
        check_whole(&format!("{long}\n<13>a\n"), &[&cut_off, "<13>a"]);
        let counted = format!("304 <13>{long}5 <13>a");
        for step in [10, 1000] {
            let out = cut(counted.as_bytes(), 100, step);
            assert_eq!((out.len(), out[1].as_str()), (2, "<13>a"));
        }
    }

    #[test]
    fn a_message_cut_off_by_the_end_is_said() {
        check("50 <13>abc", &["!<13>abc"]);
        check("<13>no line end", &["<13>no line end"]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut framer = Framer::new(1000);
        for _ in 0..1000 {
            framer.push(&[b'x'; 1000]);
            while framer.next_message().is_some() {}
            assert!(framer.pending() <= 2000);
        }
    }
}
