//! Structured data of RFC 5424, also from exporters that don't escape `"` and `]` in values.

use std::borrow::Cow;

use super::Element;

/// Elements per message, and parameters per element, that are looked at; the rest stays in the raw record.
const ELEMENTS_MAX: usize = 64;
const PARAMETERS_MAX: usize = 512;
const NAME_BYTES_MAX: usize = 64;

/// Reads `-` or `[id name="value"]…` at the start of `text`, and gives what follows. `None`: it is neither.
pub(super) fn read(text: &str) -> Option<(Vec<Element<'_>>, &str)> {
    if let Some(rest) = text.strip_prefix('-')
        && (rest.is_empty() || rest.starts_with(' '))
    {
        return Some((Vec::new(), rest));
    }
    let mut elements = Vec::new();
    let mut rest = text;
    while let Some(inner) = rest.strip_prefix('[') {
        if elements.len() == ELEMENTS_MAX {
            break;
        }
        let Some((element, after)) = element(inner) else { break };
        elements.push(element);
        rest = after;
    }
    (!elements.is_empty()).then_some((elements, rest))
}

fn element(text: &str) -> Option<(Element<'_>, &str)> {
    let end = text.find([' ', ']', '"', '='])?;
    let (id, mut rest) = text.split_at_checked(end)?;
    if id.is_empty() {
        return None;
    }
    let mut parameters = Vec::new();
    loop {
        rest = rest.trim_start_matches(' ');
        if let Some(after) = rest.strip_prefix(']') {
            return Some((Element { id: Cow::Borrowed(id), parameters }, after));
        }
        let (name, after) = rest.split_once('=')?;
        if !is_name(name) || parameters.len() == PARAMETERS_MAX {
            return None;
        }
        let (value, after) = value(after)?;
        parameters.push((Cow::Borrowed(name), value));
        rest = after;
    }
}

/// A quoted value. A `"` ends it when what follows is what may follow a value: `]`, or a space and `name="`, or a space
/// and `]`. Otherwise the sender did not escape its quotes, and this one belongs to the value.
fn value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(text) = text.strip_prefix('"') else {
        // name=value, without quotes.
        let end = text.find([' ', ']'])?;
        let (bare, rest) = text.split_at_checked(end)?;
        return Some((Cow::Borrowed(bare), rest));
    };
    let mut unescaped: Option<String> = None;
    let mut kept = 0;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => {
                // Only these three are escapes; a backslash before anything else stands for itself.
                if let Some(b'"' | b'\\' | b']') = text.as_bytes().get(at + 1).copied() {
                    unescaped.get_or_insert_default().push_str(text.get(kept..at)?);
                    kept = at + 1;
                    bytes.next();
                }
            }
            b'"' => {
                let rest = text.get(at + 1..)?;
                if ends_value(rest) {
                    let tail = text.get(kept..at)?;
                    let value = match unescaped {
                        None => Cow::Borrowed(tail),
                        Some(head) => Cow::Owned(head + tail),
                    };
                    return Some((value, rest));
                }
            }
            _ => {}
        }
    }
    None
}

fn ends_value(rest: &str) -> bool {
    if let Some(after) = rest.strip_prefix(']') {
        // The end of the element, unless the text goes on without the space or the bracket that must follow.
        return after.is_empty() || after.starts_with([' ', '[']);
    }
    let Some(rest) = rest.strip_prefix(' ') else { return false };
    let rest = rest.trim_start_matches(' ');
    if rest.starts_with(']') {
        return true;
    }
    let Some(length) = rest.bytes().take(NAME_BYTES_MAX + 1).position(|b| b == b'=') else { return false };
    rest.get(..length).is_some_and(is_name) && rest.get(length..).is_some_and(|r| r.starts_with("=\""))
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'=' | b'"' | b']'))
}
