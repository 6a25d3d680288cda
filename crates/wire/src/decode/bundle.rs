//! Bundles: one JSON object around many records, as cloud services deliver them.

use std::collections::HashMap;

use serde_json::value::RawValue;

/// Records of one bundle.
const RECORDS_MAX: usize = 50_000;

/// The records in the list at `path`, each as it is written. `None`: this is no such bundle.
pub(crate) fn split<'r>(record: &'r [u8], path: &[String]) -> Option<Vec<&'r [u8]>> {
    let text = std::str::from_utf8(record).ok()?;
    let first = path.first()?;
    // Most records are none: a name that does not occur costs no parser.
    if !text.trim_start().starts_with('{') || !text.contains(first.as_str()) {
        return None;
    }
    let mut at = text;
    for name in path {
        let members: HashMap<&str, &RawValue> = serde_json::from_str(at).ok()?;
        at = members.get(name.as_str())?.get();
    }
    let records: Vec<&RawValue> = serde_json::from_str(at).ok()?;
    let all_objects = records.iter().all(|record| record.get().starts_with('{'));
    (all_objects && records.len() <= RECORDS_MAX)
        .then(|| records.iter().map(|record| record.get().as_bytes()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_cut_out_as_they_are_written() {
        let path = ["data".to_owned(), "events".to_owned()];
        let cut = |text: &'static str| {
            split(text.as_bytes(), &path)
                .map(|all| all.into_iter().map(|r| std::str::from_utf8(r).unwrap()).collect::<Vec<_>>())
        };
        assert_eq!(
            cut(r#"{"a":1,"data":{"events":[ {"b": 2} ,{"c":"\u00e9"}]}}"#),
            Some(vec![r#"{"b": 2}"#, r#"{"c":"\u00e9"}"#])
        );
        assert_eq!(cut(r#"{"data":{"events":[]}}"#), Some(vec![]));
        assert_eq!(cut(r#"{"data":{"events":[1]}}"#), None);
        assert_eq!(cut(r#"{"data":{"events":{}}}"#), None);
        assert_eq!(cut(r#"{"data":1}"#), None);
        assert_eq!(cut("data"), None);
    }
}
