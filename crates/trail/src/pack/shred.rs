//! Codec 2: the entries of a frame by field. Text that is alike in all of them (names of fields, braces)
//! is written once; the values of one field stand together; what an entry says twice is said once; runs of
//! hexadecimal digits, which no compressor makes smaller than half, are halved and left alone.
//!
//! It knows nothing of JSON but where values usually are. Whatever it makes of the bytes of an entry is made back
//! byte for byte, or the frame is packed another way.
//!
//! ```text
//! 4 bytes h │ 4 bytes t │ h bytes halved digits │ one zstd frame of the text, t bytes when unpacked
//! ```
//! The text: number of templates, their lengths and bytes; the number of the template of each entry; number of
//! columns, their lengths and bytes. A column holds the values of one gap of one template, each ended by 0. Numbers are
//! LEB128, but for those of templates of entries, which are one byte.

use std::collections::HashMap;
use std::io;
use std::ops::Range;

use super::PLAIN_BYTES_MAX;
use crate::frame::{entry_at, u32_at};

/// In a template: a value stands here. In a column: the value ends.
const END: u8 = 0;
/// In a value: what stands at the gap of the next byte minus 1, earlier in the same entry.
const AGAIN: u8 = 1;
/// In a value: as many pairs of halved digits as the next byte says.
const DIGITS: u8 = 2;
/// A whole value: the same as in the entry before that has the same template.
const SAME: u8 = 3;
/// Templates of a frame.
const TEMPLATES_MAX: usize = 256;
/// Gaps in a template; what comes after them is part of the template.
const GAPS_MAX: usize = 200;
/// A shorter run of digits is left as it is, a longer one is more than one run.
const DIGITS_MIN: usize = 8;
const DIGITS_MAX: usize = 400;

/// Buffers that one frame after the other uses.
#[derive(Default)]
pub struct Shredder {
    templates: HashMap<Vec<u8>, usize>,
    /// The columns of each template.
    columns: Vec<Vec<Column>>,
    numbers: Vec<u8>,
    template: Vec<u8>,
    gaps: Vec<Gap>,
    halved: Vec<u8>,
    text: Vec<u8>,
}

#[derive(Clone, Default)]
struct Column {
    bytes: Vec<u8>,
    /// Where the last value is in the frame.
    last: Range<usize>,
}

/// Where a value stands in its entry.
struct Gap {
    range: Range<usize>,
    /// Its first four bytes, 0 when it has fewer: no text begins with zeros.
    key: u32,
}

impl Shredder {
    /// Packs the entries of a frame, each behind its length. None when this is not the codec for them.
    pub fn pack(
        &mut self,
        plain: &[u8],
        compressor: &mut zstd::bulk::Compressor<'static>,
    ) -> io::Result<Option<Vec<u8>>> {
        if !self.shred(plain) {
            return Ok(None);
        }
        let packed = compressor.compress(&self.text)?;
        let mut stored = Vec::with_capacity(8 + self.halved.len() + packed.len());
        stored.extend_from_slice(&(self.halved.len() as u32).to_be_bytes());
        stored.extend_from_slice(&(self.text.len() as u32).to_be_bytes());
        stored.extend_from_slice(&self.halved);
        stored.extend_from_slice(&packed);
        Ok(Some(stored))
    }

    fn shred(&mut self, plain: &[u8]) -> bool {
        self.templates.clear();
        self.columns.clear();
        self.numbers.clear();
        self.halved.clear();
        self.text.clear();
        let mut at = 0;
        while at < plain.len() {
            let Some(range) = entry_at(plain, at) else { return false };
            at = range.end;
            let begin = range.start;
            let entry = &plain[range];
            // Bytes that mean something here are not in any text.
            if entry.iter().fold(false, |found, b| found | (*b <= SAME)) {
                return false;
            }
            find_gaps(entry, &mut self.template, &mut self.gaps);
            let number = match self.templates.get(&self.template) {
                Some(number) => *number,
                None => {
                    let number = self.templates.len();
                    if number == TEMPLATES_MAX {
                        return false;
                    }
                    self.templates.insert(self.template.clone(), number);
                    self.columns.push(vec![Column::default(); self.gaps.len()]);
                    number
                }
            };
            self.numbers.push(number as u8);
            for (gap, column) in self.columns[number].iter_mut().enumerate() {
                let value = &self.gaps[gap].range;
                let own = begin + value.start..begin + value.end;
                if plain[column.last.clone()] == plain[own.clone()] {
                    column.bytes.push(SAME);
                } else {
                    write_value(entry, &self.gaps[..gap], &entry[value.clone()], &mut column.bytes, &mut self.halved);
                }
                column.last = own;
            }
        }
        let mut templates: Vec<(&Vec<u8>, usize)> = self.templates.iter().map(|(t, number)| (t, *number)).collect();
        templates.sort_unstable_by_key(|(_, number)| *number);
        write_number(&mut self.text, templates.len());
        for (template, _) in &templates {
            write_number(&mut self.text, template.len());
        }
        for (template, _) in &templates {
            self.text.extend_from_slice(template);
        }
        self.text.extend_from_slice(&self.numbers);
        for column in self.columns.iter().flatten() {
            write_number(&mut self.text, column.bytes.len());
        }
        for column in self.columns.iter().flatten() {
            self.text.extend_from_slice(&column.bytes);
        }
        // Otherwise there was nothing alike in the entries.
        self.text.len() + self.halved.len() < plain.len() / 4 * 3
    }
}

/// Cuts an entry into what others have too, with a mark at each gap, and where its values begin and end.
fn find_gaps(entry: &[u8], template: &mut Vec<u8>, gaps: &mut Vec<Gap>) {
    template.clear();
    gaps.clear();
    let mut at = 0;
    while let Some(colon) = entry[at..].iter().position(|b| *b == b':').filter(|_| gaps.len() < GAPS_MAX) {
        let mut begin = at + colon + 1;
        let text = entry.get(begin) == Some(&b'"');
        begin += usize::from(text);
        let ends = |b: &u8| if text { *b == b'"' } else { !b.is_ascii_digit() && !b"+-.eE".contains(b) };
        let end = entry[begin..].iter().position(ends).map_or(entry.len(), |n| begin + n);
        template.extend_from_slice(&entry[at..begin]);
        if end > begin {
            template.push(END);
            gaps.push(Gap { range: begin..end, key: u32_at(&entry[..end], begin).unwrap_or(0) });
        }
        at = end;
    }
    template.extend_from_slice(&entry[at..]);
}

fn write_value(entry: &[u8], earlier: &[Gap], value: &[u8], column: &mut Vec<u8>, halved: &mut Vec<u8>) {
    let mut at = 0;
    while at < value.len() {
        // Here a word begins.
        let rest = &value[at..];
        let again = u32_at(rest, 0).and_then(|key| earlier.iter().position(|gap| gap.key == key));
        if let Some(number) = again.filter(|number| rest.starts_with(&entry[earlier[*number].range.clone()])) {
            column.extend_from_slice(&[AGAIN, number as u8 + 1]);
            at += earlier[number].range.len();
            continue;
        }
        let may = rest.get(DIGITS_MIN - 1).is_some_and(|b| nibble(*b).is_some());
        let digits = rest.iter().take(DIGITS_MAX).take_while(|b| may && nibble(**b).is_some()).count() / 2 * 2;
        if digits >= DIGITS_MIN {
            column.extend_from_slice(&[DIGITS, (digits / 2) as u8]);
            let pair = |two: &[u8]| nibble(two[0]).unwrap_or(0) << 4 | nibble(two[1]).unwrap_or(0);
            halved.extend(rest[..digits].chunks_exact(2).map(pair));
            at += digits;
            continue;
        }
        let word = rest.iter().position(|b| !b.is_ascii_alphanumeric()).map_or(rest.len(), |n| n + 1);
        column.extend_from_slice(&rest[..word]);
        at += word;
    }
    column.push(END);
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn write_number(to: &mut Vec<u8>, mut number: usize) {
    while number >= 128 {
        to.push(number as u8 | 128);
        number >>= 7;
    }
    to.push(number as u8);
}

/// Takes bytes from the front, and none where there are not so many.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn number(&mut self) -> Option<usize> {
        let mut number = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            number |= usize::from(byte & 127) << shift;
            if byte < 128 {
                return Some(number);
            }
        }
        None
    }
}

/// Unpacks what [`Shredder::pack`] made: `entries` entries, together `plain_bytes` with their lengths.
pub fn unpack(
    stored: &[u8],
    entries: u32,
    plain_bytes: usize,
    unpacker: &mut zstd::bulk::Decompressor<'static>,
) -> Option<Vec<u8>> {
    let (halved_bytes, text_bytes) = (u32_at(stored, 0)? as usize, u32_at(stored, 4)?);
    let (halved, packed) = stored.get(8..)?.split_at_checked(halved_bytes)?;
    if text_bytes > PLAIN_BYTES_MAX {
        return None;
    }
    let text = unpacker.decompress(packed, text_bytes as usize).ok().filter(|t| t.len() == text_bytes as usize)?;
    let mut text = Reader(&text);
    let count = text.number().filter(|count| *count <= TEMPLATES_MAX)?;
    let lengths: Vec<usize> = (0..count).map(|_| text.number()).collect::<Option<_>>()?;
    let templates: Vec<Vec<&[u8]>> = lengths
        .into_iter()
        .map(|length| Some(text.take(length)?.split(|b| *b == END).collect()))
        .collect::<Option<_>>()?;
    let numbers = text.take(entries as usize)?;
    let gaps: usize = templates.iter().map(|parts| parts.len() - 1).sum();
    let lengths: Vec<usize> = (0..gaps).map(|_| text.number()).collect::<Option<_>>()?;
    let mut columns: Vec<Reader<'_>> =
        lengths.into_iter().map(|length| text.take(length).map(Reader)).collect::<Option<_>>()?;
    let first_columns: Vec<usize> = templates
        .iter()
        .scan(0, |next, parts| {
            let first = *next;
            *next += parts.len() - 1;
            Some(first)
        })
        .collect();

    let mut halved = Reader(halved);
    let mut plain = Vec::with_capacity(plain_bytes);
    let mut spans: Vec<Range<usize>> = Vec::new();
    let mut last = vec![0..0; columns.len()];
    for number in numbers {
        let parts = templates.get(usize::from(*number))?;
        let begin = plain.len();
        plain.extend_from_slice(&[0; 2]);
        spans.clear();
        for (gap, part) in parts.iter().enumerate() {
            if gap > 0 {
                let number = first_columns[usize::from(*number)] + gap - 1;
                let column = columns.get_mut(number)?;
                let from = plain.len();
                if column.0.first() == Some(&SAME) {
                    column.byte()?;
                    plain.extend_from_within(last[number].clone());
                } else {
                    read_value(column, &mut halved, &spans, &mut plain, plain_bytes)?;
                }
                last[number] = from..plain.len();
                spans.push(from..plain.len());
            }
            plain.extend_from_slice(part);
        }
        let length = u16::try_from(plain.len() - begin - 2).ok()?;
        plain[begin..begin + 2].copy_from_slice(&length.to_be_bytes());
        if plain.len() > plain_bytes {
            return None;
        }
    }
    let whole = plain.len() == plain_bytes && text.0.is_empty() && halved.0.is_empty();
    (whole && columns.iter().all(|column| column.0.is_empty())).then_some(plain)
}

fn read_value(
    column: &mut Reader<'_>,
    halved: &mut Reader<'_>,
    spans: &[Range<usize>],
    plain: &mut Vec<u8>,
    plain_bytes: usize,
) -> Option<()> {
    loop {
        let word = column.0.iter().position(|b| *b <= SAME)?;
        plain.extend_from_slice(column.take(word)?);
        match column.byte()? {
            END => return Some(()),
            AGAIN => {
                let earlier = spans.get(usize::from(column.byte()?).checked_sub(1)?)?;
                plain.extend_from_within(earlier.clone());
            }
            SAME => return None, // it stands for a whole value
            _ => {
                let pairs = column.byte()?;
                for pair in halved.take(usize::from(pairs))? {
                    plain.extend_from_slice(&[digit(pair >> 4), digit(pair & 15)]);
                }
            }
        }
        if plain.len() > plain_bytes {
            return None;
        }
    }
}

fn digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain_of(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut plain = Vec::new();
        for entry in entries {
            plain.extend_from_slice(&(entry.len() as u16).to_be_bytes());
            plain.extend_from_slice(entry);
        }
        plain
    }

    fn round(entries: &[Vec<u8>]) -> Option<usize> {
        let plain = plain_of(entries);
        let mut compressor = zstd::bulk::Compressor::new(1).unwrap();
        let stored = Shredder::default().pack(&plain, &mut compressor).unwrap()?;
        let mut unpacker = zstd::bulk::Decompressor::new().unwrap();
        let back = unpack(&stored, entries.len() as u32, plain.len(), &mut unpacker);
        assert_eq!(back.as_ref(), Some(&plain));
        Some(stored.len())
    }

    #[test]
    fn what_was_shredded_is_made_back() {
        let entry = |i: u64| {
            format!(
                "{{\"@timestamp\":\"2026-11-21T00:00:{:02}Z\",\"event\":{{\"id\":\"{:032x}\",\"severity\":{}}},\"message\":\"ada.moreau{i} left host-{i}\",\"tags\":[\"a\",\"b:{i}\"],\"user\":{{\"email\":\"ada.moreau{i}@x.example\",\"name\":\"ada.moreau{i}\"}}}}",
                i % 60, u128::from(i).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835), i % 100
            )
            .into_bytes()
        };
        let entries: Vec<Vec<u8>> = (0..256).map(entry).collect();
        let size = round(&entries).unwrap();
        assert!(size < 60 * 256, "{size} bytes for 256 entries");
        let odd = [&b""[..], b"{}", b":", b":\"", b"a:1", b"a:\"", b"a:1,b:1,c:11112222,d:11112222,e:11112222f"];
        let mut mixed = entries.clone();
        mixed.extend(odd.iter().map(|e| e.to_vec()));
        mixed.extend(entries.iter().take(20).cloned());
        assert!(round(&mixed).is_some());
        mixed.push(vec![SAME]);
        assert_eq!(round(&mixed), None, "what has marks in it is packed another way");
        let different: Vec<Vec<u8>> =
            (0..300).map(|i| format!("{}:{}", "!".repeat(i), "7".repeat(200)).into_bytes()).collect();
        assert_eq!(round(&different), None, "more templates than one byte can number");
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

        #[test]
        fn whatever_it_takes_is_made_back(entries in proptest::collection::vec("[a-f0-9:\",{}x. é-]{0,60}", 0..40)) {
            let filler = (0..60).map(|i| format!("{{\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\":{i}}}"));
            let entries: Vec<Vec<u8>> = entries.into_iter().chain(filler).map(String::into_bytes).collect();
            proptest::prop_assert!(round(&entries).is_some());
        }

        #[test]
        fn any_bytes_are_made_back_or_not_taken(entries in proptest::collection::vec(proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60), 0..20)) {
            round(&entries);
        }

        /// Whoever makes a frame up gets an answer, and no panic.
        #[test]
        fn made_up_frames_are_refused(text in proptest::collection::vec(0_u8..20, 0..60), halved in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..9), entries in 0_u32..9) {
            let mut compressor = zstd::bulk::Compressor::new(1).unwrap();
            let mut stored = (halved.len() as u32).to_be_bytes().to_vec();
            stored.extend_from_slice(&(text.len() as u32).to_be_bytes());
            stored.extend_from_slice(&halved);
            stored.extend_from_slice(&compressor.compress(&text).unwrap());
            let mut unpacker = zstd::bulk::Decompressor::new().unwrap();
            for plain_bytes in [0, 2, 10, 100] {
                let plain = unpack(&stored, entries, plain_bytes, &mut unpacker);
                assert!(plain.is_none_or(|plain| plain.len() == plain_bytes));
            }
            let _ = unpack(&text, entries, 10, &mut unpacker);
        }
    }
}
