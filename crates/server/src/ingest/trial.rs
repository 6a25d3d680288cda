//! Trying a mapping: what it makes of a record, and of the samples that stand beside it. Nothing is stored.

use api::mappings::MappingTestResult;
use jiff::Timestamp;
use wire::mapping::{Mapping, Meta, Outcome};

use crate::append::{Door, Origin};

/// Samples that the editor is given of a shipped mapping.
const SHIPPED_MAX: usize = 100;

include!(concat!(env!("OUT_DIR"), "/samples.rs"));

/// The records that ship beside a mapping.
pub fn shipped(name: &str) -> Vec<String> {
    SHIPPED
        .iter()
        .filter(|(known, _)| *known == name)
        .flat_map(|(_, files)| files.iter())
        .flat_map(|file| file.split(|byte| *byte == b'\n'))
        .filter(|line| !line.trim_ascii().is_empty())
        .take(SHIPPED_MAX)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect()
}

/// What `mapping` makes of `record`, as it would be admitted.
pub fn of(
    mapping: &Mapping,
    door: &Door,
    origin: Origin<'_>,
    record: &[u8],
    received_at: Timestamp,
) -> MappingTestResult {
    let mut result = MappingTestResult { ok: false, events: Vec::new(), skipped: None, error: None };
    match mapping.run(record, &Meta::at(received_at)) {
        Outcome::Skipped(why) => result.skipped = Some(why),
        Outcome::Failed(reason) => result.error = Some(reason.to_string()),
        Outcome::Events(values) => {
            for value in values {
                match door.admit(value, origin) {
                    Ok(admitted) => result.events.extend(serde_json::from_slice(admitted.bytes()).ok()),
                    Err(invalid) => result.error = Some(invalid.to_string()),
                }
            }
        }
    }
    result.ok = result.error.is_none();
    result
}

/// The samples that `old` reads and `new` can't, with the reason; without an old one all that the new one can't read.
pub fn broken(old: Option<&Mapping>, new: &Mapping, door: &Door, samples: &[String]) -> Vec<(usize, String)> {
    let now = wire::mapping::samples::received_at();
    let read = |mapping: &Mapping, sample: &str| {
        let origin = Origin { source: Some(mapping.name()), ..Origin::default() };
        of(mapping, door, origin, sample.as_bytes(), now)
    };
    samples
        .iter()
        .enumerate()
        .filter_map(|(nth, sample)| read(new, sample).error.map(|error| (nth, sample, error)))
        .filter(|(_, sample, _)| old.is_none_or(|old| read(old, sample).ok))
        .map(|(nth, _, error)| (nth, error))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_mappings_bring_their_samples() {
        for mapping in wire::mapping::builtin() {
            let samples = shipped(mapping.name);
            assert!(!samples.is_empty() && samples.len() <= SHIPPED_MAX, "{}", mapping.name);
        }
        assert!(shipped("nothing of the sort").is_empty());
    }
}
