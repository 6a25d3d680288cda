//! The console is compiled in. Without it the binary is whole all the same, and says what is missing.

fn main() {
    println!("cargo:rerun-if-changed=web/dist");
    if let Err(error) = std::fs::create_dir_all("web/dist") {
        println!("cargo:warning=can't make web/dist: {error}");
    }
}
