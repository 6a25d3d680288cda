//! The server carries the typefaces of its reports. They come from npm, so say so when they are not there.

use std::path::Path;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fonts/packed");
    println!("cargo:rerun-if-changed={}", folder.display());
    println!("cargo:rerun-if-changed=migrations");
    assert!(
        folder.join("sc.gz").is_file(),
        "\n\nthe typefaces of the reports are missing: run `make fonts` (or `npm ci` in fonts/) first\n"
    );
}
