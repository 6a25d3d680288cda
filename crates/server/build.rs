//! The server carries the typefaces of its reports. They come from npm, so say so when they are not there. And it carries
//! the samples of the shipped mappings, which stand beside their programs in the editor.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fonts/packed");
    println!("cargo:rerun-if-changed={}", folder.display());
    println!("cargo:rerun-if-changed=migrations");
    assert!(
        folder.join("sc.gz").is_file(),
        "\n\nthe typefaces of the reports are missing: run `make fonts` (or `npm ci` in fonts/) first\n"
    );
    samples();
}

/// Writes `samples.rs`: the name of each shipped mapping, and its files of samples.
fn samples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../mappings");
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut text = String::from("pub static SHIPPED: &[(&str, &[&[u8]])] = &[\n");
    for product in list(&folder) {
        let logs =
            list(&product.join("samples")).into_iter().filter(|file| file.extension().is_some_and(|e| e == "log"));
        let logs: Vec<String> = logs.map(|file| format!("include_bytes!({:?})", file.display().to_string())).collect();
        let name = product.file_name().unwrap_or_default().to_string_lossy().into_owned();
        writeln!(text, "    ({name:?}, &[{}]),", logs.join(", ")).expect("a string takes what is written");
    }
    text.push_str("];\n");
    let out = std::env::var_os("OUT_DIR").expect("cargo says where");
    fs::write(Path::new(&out).join("samples.rs"), text).expect("the folder of the build can be written");
}

/// What lies in a folder, by name; nothing where there is none.
fn list(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.sort();
    found
}
