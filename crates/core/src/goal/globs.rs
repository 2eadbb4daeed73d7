//! Path patterns in gitignore syntax, as `keep.paths` and `use.paths` use them.

use globset::{Candidate, GlobBuilder, GlobMatcher};

use crate::paths::unquote;

/// Length of one pattern, bytes.
const PATTERN_BYTES_MAX: usize = 4096;
/// How many groups of alternatives one pattern has.
const ALTERNATIVES_MAX: usize = 32;

/// An ordered list of gitignore patterns; the last one that matches a path decides.
#[derive(Debug, Clone, Default)]
pub struct Globs {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    except: bool,
    dir_only: bool,
    matcher: GlobMatcher,
}

/// A pattern that means nothing.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{pattern}` is not a path pattern: {detail}")]
pub struct BadGlob {
    /// As written.
    pub pattern: String,
    /// What is wrong.
    pub detail: String,
}

impl Globs {
    /// Compiles patterns. As in gitignore: a pattern with a `/` before its end is anchored at the root, another
    /// matches at any depth; a trailing `/` matches directories only; `!` excepts.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, BadGlob> {
        let rules = patterns
            .iter()
            .map(|p| Rule::new(p.as_ref()))
            .collect::<Result<_, _>>()?;
        Ok(Globs { rules })
    }

    /// Whether there is no pattern at all.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether the file at `path` (relative, `/`-separated, as [`paths`](crate::paths) writes it) is matched, itself
    /// or through one of its directories. Names that are not UTF-8 are matched as the bytes that they are.
    pub fn matches(&self, path: &str) -> bool {
        let bytes = unquote(path).unwrap_or_else(|| path.as_bytes().to_vec());
        let mut kept = false;
        for (at, _) in bytes.iter().enumerate().filter(|(_, b)| **b == b'/') {
            kept = self.decide(&bytes[..at], true).unwrap_or(kept);
        }
        self.decide(&bytes, false).unwrap_or(kept)
    }

    /// Whether the directory at `path` is matched with everything that is or could be in it, so that it can be made
    /// read-only as a whole. Conservative: any exception pattern makes this `false`.
    pub fn covers_dir(&self, path: &str) -> bool {
        if self.rules.iter().any(|r| r.except) {
            return false;
        }
        let probe = format!("{path}/\u{1}/\u{1}");
        let child = format!("{path}/\u{1}");
        self.matches(&probe) && self.matches(&child)
    }

    fn decide(&self, path: &[u8], is_dir: bool) -> Option<bool> {
        let candidate = Candidate::from_bytes(path);
        self.rules
            .iter()
            .rev()
            .find(|r| (is_dir || !r.dir_only) && r.matcher.is_match_candidate(&candidate))
            .map(|r| !r.except)
    }
}

impl Rule {
    fn new(pattern: &str) -> Result<Self, BadGlob> {
        let bad = |detail: String| BadGlob {
            pattern: pattern.to_owned(),
            detail,
        };
        let (except, body) = match pattern.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, pattern),
        };
        let body = body.strip_prefix("./").unwrap_or(body);
        let dir_only = body.ends_with('/');
        let body = body.strip_suffix('/').unwrap_or(body);
        if body.is_empty() {
            return Err(bad("it is empty".into()));
        }
        // Alternatives in alternatives multiply; nobody writes more by hand.
        if pattern.len() > PATTERN_BYTES_MAX || body.matches('{').count() > ALTERNATIVES_MAX {
            return Err(bad(format!(
                "it is longer than {PATTERN_BYTES_MAX} bytes or has more than {ALTERNATIVES_MAX} `{{`"
            )));
        }
        if body.split('/').any(|part| part == "..") {
            return Err(bad("`..` leaves the repository".into()));
        }
        let anchored = body.contains('/');
        let body = body.strip_prefix('/').unwrap_or(body);
        let glob = if anchored {
            body.to_owned()
        } else {
            format!("**/{body}")
        };
        let matcher = GlobBuilder::new(&glob)
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|e| bad(e.kind().to_string()))?
            .compile_matcher();
        Ok(Rule {
            except,
            dir_only,
            matcher,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(patterns: &[&str]) -> Globs {
        Globs::new(patterns).unwrap()
    }

    #[test]
    fn the_last_matching_pattern_decides() {
        let g = globs(&["src/**", "!src/**/*.test.ts"]);
        assert!(g.matches("src/cart.ts"));
        assert!(g.matches("src/flows/a.ts"));
        assert!(!g.matches("src/flows/a.test.ts"));
        assert!(!g.matches("docs/a.ts"));
    }

    #[test]
    fn a_bare_name_matches_at_any_depth_and_with_all_it_holds() {
        let g = globs(&["migrations"]);
        assert!(g.matches("migrations/001.sql"));
        assert!(g.matches("app/db/migrations/001.sql"));
        assert!(!g.matches("app/migrations.py"));
    }

    #[test]
    fn a_trailing_slash_means_directories_only() {
        let g = globs(&["build/"]);
        assert!(g.matches("build/x"));
        assert!(!g.matches("build"));
    }

    #[test]
    fn an_anchored_pattern_stays_at_the_root() {
        let g = globs(&["/README.md"]);
        assert!(g.matches("README.md"));
        assert!(!g.matches("docs/README.md"));
    }

    #[test]
    fn a_whole_directory_is_recognised() {
        assert!(globs(&["src/**"]).covers_dir("src"));
        assert!(globs(&["src/"]).covers_dir("src"));
        assert!(globs(&["migrations"]).covers_dir("db/migrations"));
        assert!(!globs(&["src/*.ts"]).covers_dir("src"));
        assert!(!globs(&["src/**", "!src/**/*.test.ts"]).covers_dir("src"));
    }

    #[test]
    fn names_that_are_not_utf8_are_matched_as_their_bytes() {
        let g = globs(&["tests/*.txt"]);
        assert!(g.matches(&crate::paths::quote(b"tests/caf\xe9.txt")));
        assert!(g.matches(&crate::paths::quote(b"tests/\xff.txt")));
        assert!(!g.matches(&crate::paths::quote(b"src/\xff.txt")));
    }

    #[test]
    fn what_leaves_the_repository_is_refused() {
        assert!(Globs::new(&["../x"]).is_err());
        assert!(Globs::new(&["a["]).is_err());
        assert!(Globs::new(&["!"]).is_err());
        assert!(Globs::new(&["{a,".repeat(250) + "b" + &"}".repeat(250)]).is_err());
    }
}
