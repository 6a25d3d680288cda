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
