//! Protobuf as it lies on the wire, and OpenTelemetry's `AnyValue` and `KeyValue` as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::json_text;

/// Values inside values.
const DEPTH_MAX: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("it breaks off at byte {0} of a message")]
    Short(usize),
    #[error("there is no field number or kind like that at byte {0} of a message")]
    Tag(usize),
    #[error("values nest deeper than {DEPTH_MAX}")]
    Deep,
}

/// One field; groups are refused, nobody writes them any more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// The fields of a message, in its order.
pub struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next field with its number.
    pub fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, Malformed> {
        if self.at >= self.bytes.len() {
            return Ok(None);
        }
        let tag_at = self.at;
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 {
            return Err(Malformed::Tag(tag_at));
        }
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed::Short(self.at))?;
                let end = self.at.checked_add(length).ok_or(Malformed::Short(self.at))?;
                let bytes = self.bytes.get(self.at..end).ok_or(Malformed::Short(self.at))?;
                self.at = end;
                Field::Bytes(bytes)
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(Malformed::Tag(tag_at)),
        };
        Ok(Some((number, field)))
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or(Malformed::Short(self.at))?;
            self.at += 1;
            if shift < 64 {
                value |= u64::from(byte & 0x7f) << shift;
            }
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed::Tag(self.at))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let bytes = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>());
        let bytes = *bytes.ok_or(Malformed::Short(self.at))?;
        self.at += N;
        Ok(bytes)
    }
}

/// Key and value of a `KeyValue`.
pub fn split(pair: &[u8]) -> Result<(&[u8], Option<&[u8]>), Malformed> {
    let (mut key, mut value): (&[u8], Option<&[u8]>) = (&[], None);
    let mut fields = Fields::of(pair);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(text)) => key = text,
            (2, Field::Bytes(any)) => value = Some(any),
            _ => {}
        }
    }
    Ok((key, value))
}

/// The text of an `AnyValue` that is one.
pub fn text(any: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let mut text = None;
    let mut fields = Fields::of(any);
    while let Some((number, field)) = fields.next()? {
        text = match (number, field) {
            (1, Field::Bytes(bytes)) => Some(bytes),
            _ => None,
        };
    }
    Ok(text)
}

/// Writes a `KeyValue` as a member of an object.
pub fn pair(out: &mut Vec<u8>, pair: &[u8], depth: usize) -> Result<(), Malformed> {
    let (key, any) = split(pair)?;
    json_text::string(out, key);
    out.push(b':');
    match any {
        Some(any) => value(out, any, depth),
        None => {
            out.extend_from_slice(b"null");
            Ok(())
        }
    }
}

/// Writes an `AnyValue`. Bytes become Base64, as in OTLP's own JSON; whole numbers are numbers.
pub fn value(out: &mut Vec<u8>, any: &[u8], depth: usize) -> Result<(), Malformed> {
    if depth > DEPTH_MAX {
        return Err(Malformed::Deep);
    }
    // Of a oneof that was written twice the last one counts.
    let mut last = None;
    let mut fields = Fields::of(any);
    while let Some(field) = fields.next()? {
        last = Some(field);
    }
    match last {
        Some((1, Field::Bytes(text))) => json_text::string(out, text),
        Some((2, Field::Varint(truth))) => out.extend_from_slice(if truth == 0 { b"false" } else { b"true" }),
        Some((3, Field::Varint(number))) => out.extend_from_slice(number.cast_signed().to_string().as_bytes()),
        Some((4, Field::Fixed64(bits))) => json_text::double(out, f64::from_bits(bits)),
        Some((5, Field::Bytes(array))) => list(out, array, b"[]", |out, item| value(out, item, depth + 1))?,
        Some((6, Field::Bytes(pairs))) => list(out, pairs, b"{}", |out, item| pair(out, item, depth + 1))?,
        Some((7, Field::Bytes(bytes))) => {
            out.push(b'"');
            out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
            out.push(b'"');
        }
        _ => out.extend_from_slice(b"null"),
    }
    Ok(())
}

fn list(
    out: &mut Vec<u8>,
    message: &[u8],
    [open, close]: &[u8; 2],
    mut write: impl FnMut(&mut Vec<u8>, &[u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    out.push(*open);
    let mut first = true;
    let mut fields = Fields::of(message);
    while let Some((number, field)) = fields.next()? {
        if let (1, Field::Bytes(item)) = (number, field) {
            if !first {
                out.push(b',');
            }
            first = false;
            write(out, item)?;
        }
    }
    out.push(*close);
    Ok(())
}
