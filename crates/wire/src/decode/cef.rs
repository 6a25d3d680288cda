//! ArcSight's Common Event Format: `CEF:0|Vendor|Product|Version|EventClassId|Name|Severity|key=value key=value`.

use std::borrow::Cow;

use crate::value::{Heap, Val};

/// One CEF record.
#[derive(Debug, Clone, PartialEq)]
pub struct Cef<'a> {
    /// cefVersion, deviceVendor, deviceProduct, deviceVersion, deviceEventClassId, name, severity.
    pub header: [Cow<'a, str>; 7],
    /// In the order they were written.
    pub extension: Vec<(&'a str, Cow<'a, str>)>,
}

const HEADER_NAMES: [&str; 7] =
    ["cefVersion", "deviceVendor", "deviceProduct", "deviceVersion", "deviceEventClassId", "name", "severity"];
const KEY_BYTES_MAX: usize = 128;
/// How far into a line a record may start, behind what relays put in front.
const START_MAX: usize = 256;

/// Finds a record in a line. `None`: there is none.
pub fn find(text: &str) -> Option<Cef<'_>> {
    let start = text.find("CEF:").filter(|at| *at <= START_MAX)?;
    let mut rest = text.get(start + 4..)?;
    let mut header: [Cow<'_, str>; 7] = Default::default();
    for (index, slot) in header.iter_mut().enumerate() {
        match header_field(rest) {
            Some((field, after)) => {
                *slot = field;
                rest = after;
            }
            // The last bar is missing when there is no extension.
            None if index == 6 => {
                *slot = Cow::Borrowed(rest);
                rest = "";
            }
            None => return None,
        }
    }
    header[0].bytes().next().filter(u8::is_ascii_digit)?;
    Some(Cef { header, extension: extension(rest.trim()) })
}

impl<'a> Cef<'a> {
    /// The fields under their own names.
    pub(crate) fn into_value(self, heap: &'a Heap) -> Val<'a> {
        let mut object = heap.members();
        // A header field can't be overwritten by an extension of the same name.
        for (name, value) in self.extension {
            let name = if HEADER_NAMES.contains(&name) { heap.text(&format!("extension_{name}")) } else { name };
            heap.push(&mut object, name, Val::Text(heap.keep(value)));
        }
        for (name, value) in HEADER_NAMES.into_iter().zip(self.header) {
            heap.push(&mut object, name, Val::Text(heap.keep(value).trim()));
        }
        Val::Object(object.into_bump_slice())
    }
}

/// Up to the next bar that is not escaped; `\|` and `\\` are the only escapes here.
fn header_field(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'|' => {
                let field = text.get(..at)?;
                let field = match field.contains('\\') {
                    true => Cow::Owned(field.replace(r"\|", "|").replace(r"\\", r"\")),
                    false => Cow::Borrowed(field),
                };
                return Some((field, text.get(at + 1..)?));
            }
            _ => {}
        }
    }
    None
}

/// `key=value key=value`; a value goes on until the next ` key=`, and may hold anything else, spaces included.
fn extension(text: &str) -> Vec<(&str, Cow<'_, str>)> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((key, after)) = rest.split_once('=') {
        let key = key.trim();
        if !is_key(key) {
            // Text that belongs to nothing; go on behind it.
            rest = after;
            continue;
        }
        let end = end_of_value(after);
        let (value, next) = after.split_at_checked(end).unwrap_or((after, ""));
        out.push((key, unescape(value.trim_end())));
        rest = next.trim_start();
    }
    out
}

/// Where the value ends: before the space in front of the next key, or at the end of the text.
fn end_of_value(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|t| t.find('=')) {
        let equals = from + found;
        let escapes = bytes.iter().take(equals).rev().take_while(|b| **b == b'\\').count();
        // A key is short: looking back further would make a long line cost its square.
        let length = bytes.iter().take(equals).rev().take(KEY_BYTES_MAX + 1).position(|b| matches!(b, b' ' | b'\t'));
        if escapes % 2 == 0
            && let Some(length) = length
            && text.get(equals - length..equals).is_some_and(is_key)
        {
            return equals - length - 1;
        }
        from = equals + 1;
    }
    text.len()
}

fn is_key(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= KEY_BYTES_MAX
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'[' | b']' | b':'))
}

fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some(c @ ('\\' | '=' | '|')) => out.push(c),
            // Not an escape: senders forget them in Windows paths.
            Some(c) => {
                out.push('\\');
                out.push(c);
            }
            None => out.push('\\'),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_header_and_extension() {
        let cef = find(r"CEF:0|Acme \| Co|Safe\\Box|1.0|42|Password viewed|7|suser=ana@example.com src=10.0.0.1 msg=she said a\=b and left cs1=line one\nline two cs1Label=Note path=C:\temp").unwrap();
        let header: Vec<&str> = cef.header.iter().map(AsRef::as_ref).collect();
        assert_eq!(header, ["0", "Acme | Co", r"Safe\Box", "1.0", "42", "Password viewed", "7"]);
        let extension: Vec<(&str, &str)> = cef.extension.iter().map(|(k, v)| (*k, v.as_ref())).collect();
        assert_eq!(
            extension,
            [
                ("suser", "ana@example.com"),
                ("src", "10.0.0.1"),
                ("msg", "she said a=b and left"),
                ("cs1", "line one\nline two"),
                ("cs1Label", "Note"),
                ("path", r"C:\temp"),
            ]
        );
    }

    #[test]
    fn is_lenient() {
        assert_eq!(find("CEF:0|V|P|1|7|n|3").unwrap().extension, []);
        assert_eq!(find("CEF: 0|V|P|1|7|n|3|").map(|c| c.header[1].to_string()), None);
        assert_eq!(find("relay: CEF:1|V|P|1|7|n|3|a=b").unwrap().extension, [("a", Cow::Borrowed("b"))]);
        assert_eq!(find("CEF:0|V|P|1"), None);
        assert_eq!(find("CEF:nothing"), None);
        let url = find("CEF:0|V|P|1|7|n|3|request=https://x/?a=1&b=2 src=1.2.3.4").unwrap();
        assert_eq!(
            url.extension,
            [("request", Cow::Borrowed("https://x/?a=1&b=2")), ("src", Cow::Borrowed("1.2.3.4"))]
        );
    }
}
