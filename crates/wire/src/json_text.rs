//! Writing JSON text piece by piece, where a tree would only be thrown away.

/// A string in quotes. Bytes that are not UTF-8 stay as they are: nobody's text is changed here.
pub fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let mut plain = 0;
    for (at, byte) in text.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1f => b"",
            _ => continue,
        };
        out.extend_from_slice(text.get(plain..at).unwrap_or_default());
        if escape.is_empty() {
            out.extend_from_slice(b"\\u00");
            out.push(HEX.get(usize::from(byte >> 4)).copied().unwrap_or(b'0'));
            out.push(HEX.get(usize::from(byte & 15)).copied().unwrap_or(b'0'));
        } else {
            out.extend_from_slice(escape);
        }
        plain = at + 1;
    }
    out.extend_from_slice(text.get(plain..).unwrap_or_default());
    out.push(b'"');
}

/// A number; what JSON has no number for becomes a string.
pub fn double(out: &mut Vec<u8>, value: f64) {
    if !value.is_finite() {
        let name: &[u8] = if value.is_nan() {
            b"\"NaN\""
        } else if value > 0.0 {
            b"\"Infinity\""
        } else {
            b"\"-Infinity\""
        };
        out.extend_from_slice(name);
    } else if serde_json::to_writer(&mut *out, &value).is_err() {
        out.extend_from_slice(b"null");
    }
}

/// Bytes as hexadecimal digits in quotes.
pub fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for byte in bytes {
        out.push(HEX.get(usize::from(byte >> 4)).copied().unwrap_or(b'0'));
        out.push(HEX.get(usize::from(byte & 15)).copied().unwrap_or(b'0'));
    }
    out.push(b'"');
}

const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_read_back_as_they_were() {
        for text in ["", "plain", "a \"b\" \\ c\n\r\t\u{0}\u{1f}\u{7f} é 日本"] {
            let mut out = Vec::new();
            string(&mut out, text.as_bytes());
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
        let mut out = Vec::new();
        double(&mut out, 1.5);
        double(&mut out, f64::NEG_INFINITY);
        hex(&mut out, &[0, 0xab]);
        assert_eq!(String::from_utf8(out).unwrap(), "1.5\"-Infinity\"\"00ab\"");
    }
}
