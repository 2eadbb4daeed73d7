//! Path names: the text form of names that are not UTF-8, and names that git must never be given.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub(crate) use overnight_core::paths::{quote, quote_always, unquote};

/// Bytes as a path of the operating system.
pub(crate) fn os(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}

/// Code points that HFS+ leaves out when it compares names.
const HFS_IGNORED: [char; 17] = [
    '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}',
    '\u{202e}', '\u{206a}', '\u{206b}', '\u{206c}', '\u{206d}', '\u{206e}', '\u{206f}', '\u{feff}',
    '\u{2060}',
];

/// Whether a path must not be delivered because some file system would take one of its components for git's own
/// directory, or because git would read a link of that name as its own configuration.
pub(crate) fn never_delivered(path: &[u8], is_link: bool) -> bool {
    let mut components = path.split(|b| *b == b'/' || *b == b'\\').peekable();
    while let Some(component) = components.next() {
        let last = components.peek().is_none();
        let folded = fold(component);
        if folded == ".git" || folded == "git~1" {
            return true;
        }
        let configures = folded.starts_with(".gitmodules")
            || folded.starts_with(".gitattributes")
            || folded.starts_with(".gitignore")
            || folded.starts_with(".mailmap")
            || (folded.starts_with("gi") && folded.contains('~'));
        if last && is_link && configures {
            return true;
        }
    }
    false
}

/// A component as the most lenient file system would compare it.
fn fold(component: &[u8]) -> String {
    let text = String::from_utf8_lossy(component);
    let text: String = text.chars().filter(|c| !HFS_IGNORED.contains(c)).collect();
    let text = text.split(':').next().unwrap_or_default();
    text.trim_end_matches([' ', '.']).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_survives_the_text_form() {
        let names: [&[u8]; 7] = [
            b"plain",
            "ümläut\n".as_bytes(),
            b"\xff\xfe",
            b"\"quoted\"",
            b"\"\\377\"",
            b"a\\b",
            b"-n\x01\x80",
        ];
        for name in names {
            assert_eq!(
                unquote(&quote(name)).as_deref(),
                Some(name),
                "{}",
                quote(name)
            );
        }
        assert_eq!(quote("ümläut\n".as_bytes()), "ümläut\n");
        assert_eq!(quote(b"a\xff"), "\"a\\377\"");
    }

    #[test]
    fn malformed_quotes_are_no_path() {
        for text in ["\"", "\"a", "\"\\", "\"\\9\"", "\"\\37\"", "\"\\x\""] {
            assert_eq!(unquote(text), None, "{text}");
        }
    }

    #[test]
    fn what_could_be_the_git_directory_is_never_delivered() {
        let tricks = [
            ".git/config",
            "a/.git/x",
            ".GIT/config",
            "git~1/x",
            "x/GIT~1",
            ".git /x",
            ".git./x",
            ".g\u{200c}it/x",
            ".git::$INDEX_ALLOCATION/x",
            "a\\.git\\x",
        ];
        for path in tricks {
            assert!(never_delivered(path.as_bytes(), false), "{path}");
        }
        for path in [
            ".gitignore",
            ".gitmodules",
            ".github/x",
            "git",
            "a.git/x",
            ".gitx",
        ] {
            assert!(!never_delivered(path.as_bytes(), false), "{path}");
        }
        assert!(never_delivered(b".gitmodules", true));
        assert!(!never_delivered(b"link", true));
    }
}
