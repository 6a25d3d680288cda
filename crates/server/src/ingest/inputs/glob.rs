//! Paths with `*` and `?`, resolved below the folders that may be read.

use std::path::{Component, Path, PathBuf};

/// Folders that are looked into for one pattern, and files that are found.
const FOLDERS_MAX: usize = 10_000;
pub const FOUND_MAX: usize = 10_000;

/// Whether a pattern can only lead below one of `folders`, going by its text alone.
pub fn is_below(pattern: &str, folders: &[PathBuf]) -> bool {
    let path = Path::new(pattern);
    let plain: PathBuf =
        path.components().take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?'])).collect();
    path.is_absolute()
        && !path.components().any(|part| matches!(part, Component::ParentDir | Component::CurDir))
        && folders.iter().any(|folder| plain.starts_with(folder))
}

/// The files that match, whatever they are; links are followed later, when a file is opened.
pub fn expand(pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("/")];
    let mut looked = 0;
    for part in Path::new(pattern).components() {
        let Component::Normal(name) = part else { continue };
        let name = name.to_string_lossy();
        if !name.contains(['*', '?']) {
            for path in &mut found {
                path.push(&*name);
            }
            continue;
        }
        let mut next = Vec::new();
        for folder in &found {
            looked += 1;
            if looked > FOLDERS_MAX {
                break;
            }
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            for entry in entries.filter_map(Result::ok) {
                let entry_name = entry.file_name();
                let text = entry_name.to_string_lossy();
                // As a shell does it: a star does not stand for the dot at the start of a hidden name.
                if (!text.starts_with('.') || name.starts_with('.')) && matches(&name, &text) && next.len() < FOUND_MAX
                {
                    next.push(folder.join(&entry_name));
                }
            }
        }
        found = next;
    }
    found.sort();
    found
}

/// `*` stands for any number of characters, `?` for one.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                // The star takes one character more, and the rest is tried again.
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_patterns() {
        for (pattern, text, expected) in [
            ("*.log", "a.log", true),
            ("*.log", "a.log.1", false),
            ("a?c*", "abcdef", true),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxbxx", false),
            ("", "", true),
            ("*", "", true),
            ("****************b", &"a".repeat(10_000), false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {}", text.len());
        }
    }

    #[test]
    fn patterns_stay_below_the_folders() {
        let folders = [PathBuf::from("/var/log")];
        for (pattern, expected) in [
            ("/var/log/a.log", true),
            ("/var/log/*/a.log", true),
            ("/var/log*/a.log", false),
            ("/var/logs/a.log", false),
            ("/var/log/../../etc/shadow", false),
            ("/*/log/a", false),
            ("var/log/a", false),
            ("/etc/shadow", false),
        ] {
            assert_eq!(is_below(pattern, &folders), expected, "{pattern}");
        }
        assert!(!is_below("/var/log/a", &[]));
    }

    #[test]
    fn files_are_found_through_folders() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a/x.log", "a/x.log.1", "b/y.log", "b/.z.log"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let found = expand(&format!("{}/?/*.log", dir.path().display()));
        let names: Vec<_> = found.iter().map(|path| path.strip_prefix(dir.path()).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a/x.log", "b/y.log"]);
    }
}
