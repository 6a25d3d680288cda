//! A report as JSON: its certificate, then every row as an object.

use std::io::{self, Write};

use api::report::Certificate;
use serde::ser::{SerializeMap, Serializer};

use super::spool::{Row, Spool};

/// Writes the report. Calls `each` after every row; its error ends the writing.
pub fn write<W: Write, E: From<io::Error>>(
    mut out: W,
    certificate: &Certificate,
    spool: &mut Spool,
    mut each: impl FnMut() -> Result<(), E>,
) -> Result<W, E> {
    out.write_all(b"{\"certificate\":")?;
    serde_json::to_writer(&mut out, certificate).map_err(io::Error::from)?;
    out.write_all(b",\n\"rows\":[")?;
    let mut first = true;
    for row in spool.rows()? {
        out.write_all(if first { b"\n" } else { b",\n" })?;
        first = false;
        object(&mut out, certificate, &row?)?;
        each()?;
    }
    out.write_all(b"\n]}\n")?;
    Ok(out)
}

/// A row as an object: its place, then a value for each field that the event has. `position` and `leaf_hash` have no dot,
/// so that no field of an event can pass for them.
fn object<W: Write>(out: &mut W, certificate: &Certificate, row: &Row) -> io::Result<()> {
    let mut json = serde_json::Serializer::new(out);
    let mut map = json.serialize_map(None)?;
    map.serialize_entry("position", &row.position)?;
    map.serialize_entry("leaf_hash", &row.leaf_hash)?;
    for (index, (column, value)) in certificate.columns.iter().zip(&row.cells).enumerate() {
        let reserved = matches!(column.field.as_str(), "position" | "leaf_hash");
        let repeated = certificate.columns[..index].iter().any(|earlier| earlier.field == column.field);
        if !reserved && !repeated {
            map.serialize_entry(&column.field, value)?;
        }
    }
    SerializeMap::end(map)?;
    Ok(())
}
