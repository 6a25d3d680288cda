//! The shipped mappings on their own samples. `UPDATE_EXPECT=1` writes the expectations anew; review the difference.

use std::path::Path;

#[test]
fn shipped_mappings_read_their_samples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../mappings");
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut problems = String::new();
    for builtin in wire::mapping::builtin() {
        match wire::mapping::test(&folder.join(builtin.name), update) {
            Ok(report) if report.is_good() => assert!(report.records > 0, "{}", builtin.name),
            Ok(report) => problems += &report.to_text(),
            Err(wire::mapping::samples::TestError::Compile { errors, .. }) => {
                problems += &format!("{}: {errors:#?}\n", builtin.name)
            }
            Err(error) => problems += &format!("{}: {error}: {:?}\n", builtin.name, std::error::Error::source(&error)),
        }
    }
    assert!(problems.is_empty(), "{problems}");
}

/// What the catalogue says is raised by the logs of products is really raised by the samples of some product.
#[test]
fn every_mapped_type_is_raised_by_a_sample() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../mappings");
    let mut raised = std::collections::BTreeSet::new();
    for builtin in wire::mapping::builtin() {
        for file in std::fs::read_dir(folder.join(builtin.name).join("samples")).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let records: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                let events = records.as_array().unwrap().iter().filter_map(|record| record["events"].as_array());
                raised.extend(events.flatten().filter_map(|e| Some(e["event"]["action"].as_str()?.to_owned())));
            }
        }
    }
    let wanted =
        event::Catalogue::builtin().types().iter().filter(|t| t.raised_by == event::catalogue::RaisedBy::Mapped);
    let missing: Vec<_> = wanted.map(|t| t.id.to_string()).filter(|id| !raised.contains(id)).collect();
    assert!(missing.is_empty(), "no sample raises {missing:?}");
}
