//! Key files: made once, readable by their owner alone, never overwritten.

use std::io::{self, Read, Write};
use std::path::Path;

use trail::{KeyError, SigningKey};

/// The bytes of the key file at `path`; where there is none, those of `make`, written there first.
pub fn read_or_make(path: &Path, make: impl FnOnce() -> Vec<u8>) -> io::Result<Vec<u8>> {
    match std::fs::File::open(path) {
        Ok(mut file) => {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let bytes = make();
            write_new(path, &bytes)?;
            Ok(bytes)
        }
        Err(error) => Err(error),
    }
}

/// The key that signs the checkpoints.
pub fn trail_key(path: &Path) -> Result<SigningKey, KeyError> {
    SigningKey::read(path)
}

/// The same, made where there is none. Only for a new data folder: a trail whose key is gone must not get another.
pub fn make_trail_key(path: &Path) -> Result<SigningKey, KeyError> {
    if !path.exists() {
        SigningKey::generate()?.write_new(path)?;
    }
    trail_key(path)
}

/// Writes a file that must not exist yet; on disk, name and all, when this returns.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_private_folder(folder)?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::File::open(folder)?.sync_all()
}

/// Makes a folder only its owner may enter.
pub fn make_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        make_private_folder(&dir.path().join("keys")).unwrap();
        let path = dir.path().join("keys/trail.key");
        let key = |path| make_trail_key(path).unwrap().to_note_key("belfry/test").unwrap();
        assert_eq!(key(&path), key(&path));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(&path, "nonsense").unwrap();
        assert!(trail_key(&path).is_err());
    }
}
