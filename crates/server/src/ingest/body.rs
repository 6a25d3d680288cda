//! From the body of a request to its records: decompression within a bound, and where each record begins and ends.

use std::io::Read;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// Reads a `Content-Encoding` header.
    pub fn named(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the {encoding} body is damaged or cut off after {read} bytes of content")]
    Damaged {
        encoding: &'static str,
        read: usize,
        #[source]
        source: std::io::Error,
    },
    #[error("the body is larger than {limit} bytes once unpacked; send smaller batches")]
    TooLarge { limit: usize },
    #[error("the batch has more than {limit} records; send smaller batches")]
    TooMany { limit: usize },
}

/// Unpacks `body`, never holding more than `limit` bytes of content.
pub fn unpack(encoding: Encoding, body: Vec<u8>, limit: usize) -> Result<Vec<u8>, BodyError> {
    match encoding {
        Encoding::Identity if body.len() > limit => Err(BodyError::TooLarge { limit }),
        Encoding::Identity => Ok(body),
        Encoding::Gzip => read_bounded(flate2::read::MultiGzDecoder::new(body.as_slice()), "gzip", limit),
        Encoding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(body.as_slice())
                .map_err(|source| BodyError::Damaged { encoding: "zstd", read: 0, source })?;
            // A frame may ask for a window of gigabytes; 8 MiB is what every encoder keeps to by default.
            decoder.window_log_max(23).map_err(|source| BodyError::Damaged { encoding: "zstd", read: 0, source })?;
            read_bounded(decoder, "zstd", limit)
        }
    }
}

fn read_bounded(mut from: impl Read, encoding: &'static str, limit: usize) -> Result<Vec<u8>, BodyError> {
    let mut content = Vec::new();
    match from.by_ref().take(limit as u64 + 1).read_to_end(&mut content) {
        Ok(_) if content.len() > limit => Err(BodyError::TooLarge { limit }),
        Ok(_) => Ok(content),
        Err(source) => Err(BodyError::Damaged { encoding, read: content.len(), source }),
    }
}

/// One record of a body, as it stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    pub bytes: &'a [u8],
    /// Set where the body itself is broken, so that what follows can't be told apart.
    pub broken: Option<&'static str>,
}

/// Cuts a JSON body into its records: one object (over any number of lines), an array, or one object a line.
pub fn split_json(body: &[u8], records_max: usize) -> Result<Vec<Piece<'_>>, BodyError> {
    let text = trim(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body));
    let pieces = match text.first() {
        None => Vec::new(),
        Some(b'[') => split_array(text, records_max)?,
        _ => match end_of_value(text) {
            Some(end) if end == text.len() => vec![Piece { bytes: text, broken: None }],
            None if !text.windows(2).any(|pair| pair == b"\n{") => vec![Piece { bytes: text, broken: None }],
            _ => split_lines(text, records_max)?,
        },
    };
    Ok(pieces)
}

/// Cuts a text body into its lines; empty ones don't count.
pub fn split_lines(body: &[u8], records_max: usize) -> Result<Vec<Piece<'_>>, BodyError> {
    let mut pieces = Vec::new();
    let mut rest = Some(body);
    while let Some(text) = rest {
        let end = memchr::memchr(b'\n', text);
        let line = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
        rest = end.map(|end| text.get(end + 1..).unwrap_or_default());
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if pieces.len() == records_max {
            return Err(BodyError::TooMany { limit: records_max });
        }
        pieces.push(Piece { bytes: line, broken: None });
    }
    Ok(pieces)
}

fn split_array(text: &[u8], records_max: usize) -> Result<Vec<Piece<'_>>, BodyError> {
    let mut pieces = Vec::new();
    let mut rest = trim(&text[1..]);
    if rest.first() == Some(&b']') {
        return Ok(pieces);
    }
    loop {
        if pieces.len() == records_max {
            return Err(BodyError::TooMany { limit: records_max });
        }
        let Some(end) = end_of_value(rest) else {
            pieces.push(Piece { bytes: rest, broken: Some("the array breaks off here") });
            return Ok(pieces);
        };
        pieces.push(Piece { bytes: trim(&rest[..end]), broken: None });
        rest = trim(&rest[end..]);
        match rest.first() {
            Some(b',') => rest = trim(&rest[1..]),
            Some(b']') if trim(&rest[1..]).is_empty() => return Ok(pieces),
            _ => {
                let reason = if rest.is_empty() {
                    "the array has no end"
                } else {
                    "a comma or the end of the array was expected here"
                };
                pieces.push(Piece { bytes: rest, broken: Some(reason) });
                return Ok(pieces);
            }
        }
    }
}

/// Where the JSON value at the start of `text` ends, by its brackets and quotes alone. What is between them is for
/// the parser to judge.
fn end_of_value(text: &[u8]) -> Option<usize> {
    let mut depth = 0usize;
    let mut in_string = false;
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        if in_string {
            match byte {
                b'\\' => at += 1,
                b'"' => in_string = false,
                _ => {}
            }
        } else {
            match byte {
                b'"' => in_string = true,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    if depth == 0 {
                        return Some(at);
                    }
                    depth -= 1;
                    if depth == 0 {
                        return Some(at + 1);
                    }
                }
                b',' if depth == 0 => return Some(at),
                _ => {}
            }
        }
        at += 1;
    }
    (depth == 0 && !in_string).then_some(text.len())
}

fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(body: &str) -> Vec<(String, bool)> {
        let pieces = split_json(body.as_bytes(), 100).unwrap();
        pieces.iter().map(|p| (String::from_utf8_lossy(p.bytes).into_owned(), p.broken.is_some())).collect()
    }

    fn check(body: &str, expected: &[&str]) {
        let found = pieces(body);
        let good: Vec<&str> = found.iter().filter(|(_, broken)| !broken).map(|(text, _)| text.as_str()).collect();
        assert_eq!(good, expected, "{body:?}");
    }

    #[test]
    fn bodies_are_cut_into_records() {
        check("", &[]);
        check("  \n ", &[]);
        check("[]", &[]);
        check(r#"{"a":1}"#, &[r#"{"a":1}"#]);
        check("{\n \"a\": [1,\n2]\n}\n", &["{\n \"a\": [1,\n2]\n}"]);
        check("{\"a\":1}\n{\"a\":2}\r\n\n{\"a\":3}", &[r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#]);
        check(r#"[{"a":"],["}, {"b":"\"}"} ]"#, &[r#"{"a":"],["}"#, r#"{"b":"\"}"}"#]);
        check("{\"a\":1\n{\"a\":2}\n", &["{\"a\":1", r#"{"a":2}"#]);
        check("{\"a\":1}\n{\"a\":\"x\n{\"a\":3}\n", &[r#"{"a":1}"#, "{\"a\":\"x", r#"{"a":3}"#]);
    }

    #[test]
    fn a_broken_array_keeps_what_came_before() {
        assert_eq!(
            pieces(r#"[{"a":1},{"b":2},{"c":"#),
            [(r#"{"a":1}"#.into(), false), (r#"{"b":2}"#.into(), false), (r#"{"c":"#.into(), true)]
        );
        assert_eq!(pieces(r#"[{"a":1} {"b":2}]"#), [(r#"{"a":1}"#.into(), false), (r#"{"b":2}]"#.into(), true)]);
    }

    #[test]
    fn too_many_records_are_refused() {
        assert!(matches!(split_json(b"{}\n{}\n{}", 2), Err(BodyError::TooMany { limit: 2 })));
        assert!(matches!(split_json(b"[{},{},{}]", 2), Err(BodyError::TooMany { limit: 2 })));
    }

    #[test]
    fn unpacking_is_bounded_and_says_what_is_wrong() {
        use std::io::Write;
        let content = vec![b'x'; 100_000];
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&content).unwrap();
        let gzip = gzip.finish().unwrap();
        let packed = zstd::encode_all(content.as_slice(), 1).unwrap();
        for (encoding, body) in [(Encoding::Gzip, gzip), (Encoding::Zstd, packed)] {
            assert_eq!(unpack(encoding, body.clone(), 100_000).unwrap(), content);
            assert!(matches!(unpack(encoding, body.clone(), 99_999), Err(BodyError::TooLarge { .. })));
            let cut = body[..body.len() - 9].to_vec();
            assert!(matches!(unpack(encoding, cut, 1 << 20), Err(BodyError::Damaged { .. })), "{encoding:?}");
        }
        assert!(matches!(unpack(Encoding::Identity, content, 10), Err(BodyError::TooLarge { .. })));
    }
}
