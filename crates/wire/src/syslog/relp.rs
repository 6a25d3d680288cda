//! RELP frames: `TXNR SP COMMAND SP LENGTH [SP DATA] LF`.

const TRANSACTION_DIGITS_MAX: usize = 9;
const COMMAND_BYTES_MAX: usize = 32;
const LENGTH_DIGITS_MAX: usize = 9;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RelpError {
    #[error("this is no RELP frame: {0}")]
    Malformed(&'static str),
    #[error("a RELP frame of {bytes} bytes is longer than {bytes_max}")]
    TooLong { bytes: usize, bytes_max: usize },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelpFrame<'a> {
    pub transaction: u32,
    pub command: &'a str,
    pub data: &'a [u8],
}

/// Takes bytes as they come, gives frames. After an error the stream can't be read on.
#[derive(Debug)]
pub struct RelpReader {
    buffer: Vec<u8>,
    start: usize,
    bytes_max: usize,
}

impl RelpReader {
    pub fn new(bytes_max: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, bytes_max }
    }

    /// Adds bytes that were read. Take all frames before pushing more.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start.min(self.buffer.len()));
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame that is complete.
    pub fn next_frame(&mut self) -> Result<Option<RelpFrame<'_>>, RelpError> {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let Some(shape) = shape(rest, self.bytes_max)? else { return Ok(None) };
        let (start, Shape { transaction, command, data, take }) = (self.start, shape);
        self.start += take;
        let command = self.buffer.get(start + command.start..start + command.end).unwrap_or_default();
        let command = std::str::from_utf8(command).map_err(|_| RelpError::Malformed("the command is no text"))?;
        let data = self.buffer.get(start + data.start..start + data.end).unwrap_or_default();
        Ok(Some(RelpFrame { transaction, command, data }))
    }
}

struct Shape {
    transaction: u32,
    command: std::ops::Range<usize>,
    data: std::ops::Range<usize>,
    take: usize,
}

fn shape(rest: &[u8], bytes_max: usize) -> Result<Option<Shape>, RelpError> {
    let Some((transaction, command_at)) = number(rest, 0, TRANSACTION_DIGITS_MAX, "a transaction number is missing")?
    else {
        return Ok(None);
    };
    if rest.get(command_at) != Some(&b' ') {
        return rest.get(command_at).map_or(Ok(None), |_| Err(RelpError::Malformed("a space is missing")));
    }
    let command_at = command_at + 1;
    let after = rest.get(command_at..).unwrap_or_default();
    let Some(command) = after.iter().take(COMMAND_BYTES_MAX + 1).position(|byte| *byte == b' ') else {
        return if after.len() > COMMAND_BYTES_MAX || after.iter().any(|byte| !byte.is_ascii_alphanumeric()) {
            Err(RelpError::Malformed("a command is missing"))
        } else {
            Ok(None)
        };
    };
    let command = command_at..command_at + command;
    let Some((length, at)) = number(rest, command.end + 1, LENGTH_DIGITS_MAX, "a length is missing")? else {
        return Ok(None);
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > bytes_max {
        return Err(RelpError::TooLong { bytes: length, bytes_max });
    }
    // Without data some leave the space away, and some don't.
    let data_at = match rest.get(at) {
        None => return Ok(None),
        Some(b' ') => at + 1,
        Some(_) if length == 0 => at,
        Some(_) => return Err(RelpError::Malformed("a space is missing")),
    };
    match rest.get(data_at + length) {
        None => Ok(None),
        Some(b'\n') => {
            let transaction = u32::try_from(transaction).unwrap_or(u32::MAX);
            Ok(Some(Shape { transaction, command, data: data_at..data_at + length, take: data_at + length + 1 }))
        }
        Some(_) => Err(RelpError::Malformed("it does not end where it should")),
    }
}

/// Digits at `at`, and where they end; none while more may come.
fn number(rest: &[u8], at: usize, digits_max: usize, missing: &'static str) -> Result<Option<(u64, usize)>, RelpError> {
    let text = rest.get(at..).unwrap_or_default();
    let digits = text.iter().take(digits_max + 1).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == text.len() && digits <= digits_max {
        return Ok(None);
    }
    if digits == 0 || digits > digits_max {
        return Err(RelpError::Malformed(missing));
    }
    let value = text.iter().take(digits).fold(0_u64, |value, digit| value * 10 + u64::from(digit.wrapping_sub(b'0')));
    Ok(Some((value, at + digits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(stream: &[u8], step: usize) -> Vec<String> {
        let mut reader = RelpReader::new(100);
        let mut out = Vec::new();
        for piece in stream.chunks(step) {
            reader.push(piece);
            loop {
                match reader.next_frame() {
                    Ok(Some(frame)) => out.push(format!(
                        "{} {} {}",
                        frame.transaction,
                        frame.command,
                        String::from_utf8_lossy(frame.data)
                    )),
                    Ok(None) => break,
                    Err(error) => {
                        out.push(format!("!{error}"));
                        return out;
                    }
                }
            }
        }
        out
    }

    #[test]
    fn frames_are_cut_however_they_come() {
        let stream = b"1 open 5 a=b\nc\n2 syslog 9 <13>a: 1\n\n3 close 0\n4 close 0 \n";
        for step in [1, 2, 7, 100] {
            let expected = ["1 open a=b\nc", "2 syslog <13>a: 1\n", "3 close ", "4 close "];
            assert_eq!(frames(stream, step), expected, "in pieces of {step}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for stream in
            ["x open 0\n", "1 op\nen 0\n", "1 open x\n", "1 syslog 3 abcd\n", "1 syslog 101 ", "1234567890 a 0\n"]
        {
            let said = frames(stream.as_bytes(), 1);
            assert!(said.len() == 1 && said[0].starts_with('!'), "{stream:?}: {said:?}");
        }
    }
}
