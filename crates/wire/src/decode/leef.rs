//! QRadar's Log Event Extended Format: `LEEF:2.0|Vendor|Product|Version|EventId|delimiter|key=value…`.

use crate::value::{Heap, Val};

/// One LEEF record.
#[derive(Debug, Clone, PartialEq)]
pub struct Leef<'a> {
    /// leefVersion, vendor, product, version, eventId.
    pub header: [&'a str; 5],
    pub attributes: Vec<(&'a str, &'a str)>,
}

const HEADER_NAMES: [&str; 5] = ["leefVersion", "vendor", "product", "version", "eventId"];
const START_MAX: usize = 256;

/// Finds a record in a line. `None`: there is none.
pub fn find(text: &str) -> Option<Leef<'_>> {
    let start = text.find("LEEF:").filter(|at| *at <= START_MAX)?;
    let mut rest = text.get(start + 5..)?;
    let mut header = [""; 5];
    for (index, slot) in header.iter_mut().enumerate() {
        let (field, after) = match rest.split_once('|') {
            Some(parts) => parts,
            None if index == 4 => (rest, ""),
            None => return None,
        };
        *slot = field.trim();
        rest = after;
    }
    let version = header.first()?;
    version.bytes().next().filter(u8::is_ascii_digit)?;
    let mut delimiter = '\t';
    if version.starts_with('2')
        && let Some((field, after)) = rest.split_once('|')
        && let Some(named) = delimiter_named(field)
    {
        delimiter = named;
        rest = after;
    }
    let attributes = rest
        .split(delimiter)
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim()))
        .filter(|(key, _)| !key.is_empty() && key.len() <= 128)
        .collect();
    Some(Leef { header, attributes })
}

/// One character, or `x09` and `0x09`; nothing means the tab.
fn delimiter_named(field: &str) -> Option<char> {
    let field = field.trim_matches(' ');
    let mut chars = field.chars();
    match (chars.next(), chars.next()) {
        (None, _) => Some('\t'),
        (Some(c), None) => Some(c),
        _ => {
            let digits = field.strip_prefix("0x").or_else(|| field.strip_prefix('x'))?;
            u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)
        }
    }
}

impl<'a> Leef<'a> {
    /// The fields under their own names; an attribute can't overwrite one of the header.
    pub(crate) fn into_value(self, heap: &'a Heap) -> Val<'a> {
        let attributes = self.attributes.into_iter();
        let header = HEADER_NAMES.into_iter().zip(self.header);
        heap.object(attributes.chain(header).map(|(name, value)| (name, Val::Text(value))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, attributes: &[(&str, &str)]) {
        let leef = find(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!((leef.header[4], leef.attributes.as_slice()), ("77", attributes), "{text}");
    }

    #[test]
    fn reads_both_versions() {
        let expected = [("usrName", "ana"), ("src", "10.0.0.1")];
        check("LEEF:1.0|V|P|1|77|usrName=ana\tsrc=10.0.0.1", &expected);
        check("LEEF:2.0|V|P|1|77|^|usrName=ana^src=10.0.0.1", &expected);
        check("LEEF:2.0|V|P|1|77|x5E|usrName=ana^src=10.0.0.1", &expected);
        check("LEEF:2.0|V|P|1|77|0x09|usrName=ana\tsrc=10.0.0.1", &expected);
        check("LEEF:2.0|V|P|1|77||usrName=ana\tsrc=10.0.0.1", &expected);
        check("LEEF:2.0|V|P|1|77|usrName=ana\tsrc=10.0.0.1", &expected);
        check("LEEF:1.0|V|P|1|77", &[]);
        assert_eq!(find("LEEF:x"), None);
    }
}
