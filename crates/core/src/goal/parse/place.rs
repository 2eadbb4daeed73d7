//! Paths, hosts, JSON pointers and regular expressions: what is wrong with one, and what was meant.

use regex::RegexBuilder;

/// Memory that a compiled regular expression of a goal may take, bytes.
const REGEX_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A path of a goal, below `dir` (itself below the repository's root). `Err` says what is wrong with it.
pub(super) fn inside(path: &str, dir: &str) -> Result<(), &'static str> {
    let drive = path.as_bytes().get(1) == Some(&b':')
        && path.starts_with(|c: char| c.is_ascii_alphabetic());
    if path.starts_with('/') || path.starts_with('\\') || drive {
        return Err("is absolute");
    }
    if path == "~" || path.starts_with("~/") {
        return Err("is in a home folder");
    }
    if path.contains('\0') {
        return Err("contains a NUL");
    }
    let mut depth = 0usize;
    for part in dir.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                depth = depth
                    .checked_sub(1)
                    .ok_or("leaves the repository with `..`")?
            }
            _ => depth += 1,
        }
    }
    Ok(())
}

/// The path without `.`, `..`, doubled and trailing slashes. Only for paths that are [`inside`].
pub(in crate::goal) fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// A host of `use.network`: `host`, `host:port` or `*.host`; never the whole network. `Err` is what is wrong, and what was meant if
/// that can be told.
pub(super) fn host(text: &str) -> Result<(), (&'static str, Option<String>)> {
    let (scheme, rest) = text
        .split_once("://")
        .map_or((None, text), |(s, r)| (Some(s), r));
    let bare = rest.split(['/', '?', '#']).next().unwrap_or("");
    let meant = Some(bare.to_owned()).filter(|b| valid_host(b));
    if scheme.is_some() {
        return Err(("is an address, and a host is wanted", meant));
    }
    if bare != text {
        return Err(("has a path, and access is given by host", meant));
    }
    if valid_host(text) {
        Ok(())
    } else {
        Err(("is not a host", None))
    }
}

fn valid_host(text: &str) -> bool {
    let (name, port) = match text.strip_prefix('[') {
        Some(v6) => match v6.split_once(']') {
            Some((address, rest)) if address.parse::<std::net::Ipv6Addr>().is_ok() => {
                return rest.is_empty() || rest.strip_prefix(':').is_some_and(valid_port);
            }
            _ => return false,
        },
        None => text
            .split_once(':')
            .map_or((text, None), |(n, p)| (n, Some(p))),
    };
    let labels = name.strip_prefix("*.").unwrap_or(name);
    let name_ok = !labels.is_empty()
        && labels.split('.').all(|label| {
            !label.is_empty()
                && label
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        });
    // `localhost` is the person's own machine: one service of it, never all.
    let named = !name.eq_ignore_ascii_case("localhost") || port.is_some();
    name_ok && named && port.is_none_or(valid_port)
}

fn valid_port(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|p| p > 0)
}

/// The address of an HTTP server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Its host, in small letters; an address of IPv6 with its brackets.
    pub host: String,
    pub port: u16,
    /// Whether the port is the scheme's own.
    usual: bool,
    pub encrypted: bool,
    /// Whether it is this machine, by its spelling.
    pub here: bool,
}

impl Address {
    /// As an entry of `use.network`.
    pub fn as_entry(&self) -> String {
        if self.usual && !self.here {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Reads `http://HOST…` or `https://HOST…`. Stricter than a browser, so that no reader of the same text can find another
/// host in it: no user, no backslash, no blank, no fragment.
pub(super) fn address(url: &str) -> Option<Address> {
    let (scheme, rest) = url.split_once("://")?;
    let encrypted = match scheme {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let strange = |c: char| !c.is_ascii_graphic() || matches!(c, '\\' | '#' | '@');
    if rest.contains(strange) {
        return None;
    }
    let authority = rest
        .split(['/', '?'])
        .next()
        .unwrap_or("")
        .to_ascii_lowercase();
    let usual: u16 = if encrypted { 443 } else { 80 };
    let (host, port) = match authority.rfind(':') {
        Some(at) if !authority[at..].contains(']') => {
            let port = &authority[at + 1..];
            if !valid_port(port) {
                return None;
            }
            (&authority[..at], port.parse().ok()?)
        }
        _ => (authority.as_str(), usual),
    };
    // With a port every host is spelled rightly, `localhost` too; a pattern is no host.
    if host.contains('*') || !valid_host(&format!("{host}:{port}")) {
        return None;
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let here = host == "localhost"
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    Some(Address {
        host: host.to_owned(),
        port,
        usual: port == usual,
        encrypted,
        here,
    })
}

/// Whether an entry of `use.network` names the address.
pub(super) fn named(address: &Address, network: &[String]) -> bool {
    network.iter().any(|entry| {
        let entry = entry.to_ascii_lowercase();
        let (name, port) = match entry.rfind(':') {
            Some(at) if !entry[at..].contains(']') => (&entry[..at], Some(&entry[at + 1..])),
            _ => (entry.as_str(), None),
        };
        let fits = match name.strip_prefix("*.") {
            Some(above) => address
                .host
                .strip_suffix(above)
                .is_some_and(|below| below.len() > 1 && below.ends_with('.')),
            None => name == address.host,
        };
        fits && port.is_none_or(|port| port.parse() == Ok(address.port))
    })
}

/// What is wrong with a JSON pointer (RFC 6901), if anything.
pub(super) fn pointer(text: &str) -> Result<(), &'static str> {
    if !text.is_empty() && !text.starts_with('/') {
        return Err("starts with `/`");
    }
    let escapes = text
        .split('~')
        .skip(1)
        .all(|rest| rest.starts_with(['0', '1']));
    if escapes {
        Ok(())
    } else {
        Err("escapes `~` as `~0` and `/` as `~1`")
    }
}

/// The JSON pointer that was probably meant by `total.lines`, `$.total.lines` or `/a~b`.
pub(super) fn as_pointer(text: &str) -> String {
    if text.starts_with('/') {
        return text.replace("~0", "~").replace('~', "~0");
    }
    format!("/{}", text.trim_start_matches(['$', '.']).replace('.', "/"))
}

/// How many groups the expression has beside the whole match, or what is wrong with it, in one line.
pub(super) fn regex_groups(text: &str) -> Result<usize, String> {
    match RegexBuilder::new(text)
        .multi_line(true)
        .size_limit(REGEX_BYTES_MAX)
        .build()
    {
        Ok(regex) => Ok(regex.captures_len() - 1),
        // The last line of the crate's message is the reason; those before it draw a picture.
        Err(e) => {
            let text = e.to_string();
            let reason = text.lines().last().unwrap_or("").trim();
            Err(reason.strip_prefix("error: ").unwrap_or(reason).to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_inside() {
        for (path, dir) in [
            ("a/b", ""),
            ("../b", "packages/a"),
            ("./x", ""),
            ("a/../b", ""),
            ("..x", ""),
        ] {
            assert_eq!(inside(path, dir), Ok(()), "{path}");
        }
        for (path, dir) in [
            ("/etc", ""),
            ("../x", ""),
            ("../../x", "a"),
            ("~/x", ""),
            ("C:\\x", ""),
            ("a/../../x", ""),
            ("\\x", ""),
        ] {
            assert!(inside(path, dir).is_err(), "{path}");
        }
        assert_eq!(normal("./packages//a/../b/"), "packages/b");
    }

    #[test]
    fn hosts() {
        for text in [
            "registry.npmjs.org",
            "localhost:5432",
            "*.example.org",
            "[::1]:80",
            "10.0.0.1:8080",
        ] {
            assert_eq!(host(text), Ok(()), "{text}");
        }
        assert_eq!(
            host("https://pypi.org/simple"),
            Err((
                "is an address, and a host is wanted",
                Some("pypi.org".into())
            ))
        );
        for text in [
            "",
            "a b",
            "host:0",
            "host:99999",
            "host:+1",
            "a..b",
            "::1",
            "[::1",
            "ex*mple.org",
            "*",
            "*:80",
            "localhost",
            "münchen.example",
        ] {
            assert!(host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_and_the_hosts_that_name_them() {
        let at = |url: &str| address(url).map(|a| (a.host.clone(), a.port, a.as_entry()));
        let is = |host: &str, port, entry: &str| Some((host.to_owned(), port, entry.to_owned()));
        assert_eq!(
            at("https://Docs.example/mcp?a=b"),
            is("docs.example", 443, "docs.example")
        );
        assert_eq!(
            at("http://localhost/mcp"),
            is("localhost", 80, "localhost:80")
        );
        assert_eq!(at("http://[::1]:99/"), is("[::1]", 99, "[::1]:99"));
        assert_eq!(
            at("https://a.example:8443"),
            is("a.example", 8443, "a.example:8443")
        );
        for bad in [
            "",
            "https://",
            "https:///x",
            "ftp://a",
            "https://a b/",
            "https://u@a/",
            "https://a\\b/",
            "https://a/#x",
            "https://*.a/",
            "https://a:0/",
            "https://a:x/",
            "https://[::1/",
            "https://ä.example/",
        ] {
            assert_eq!(at(bad), None, "{bad}");
        }
        let fits =
            |url: &str, entry: &str| named(&address(url).expect("an address"), &[entry.to_owned()]);
        for (url, entry) in [
            ("https://a.example/x", "a.example"),
            ("https://a.example/x", "A.example:443"),
            ("https://b.a.example/x", "*.a.example"),
            ("http://[::1]:80/x", "[::1]:80"),
            ("http://10.0.0.1/x", "10.0.0.1"),
        ] {
            assert!(fits(url, entry), "{url} {entry}");
        }
        for (url, entry) in [
            ("https://a.example/x", "b.example"),
            ("https://a.example/x", "a.example:80"),
            ("https://a.example/x", "*.a.example"),
            ("https://ba.example/x", "*.a.example"),
            ("https://evil-a.example/x", "a.example"),
        ] {
            assert!(!fits(url, entry), "{url} {entry}");
        }
    }

    #[test]
    fn pointers_and_expressions() {
        for text in ["", "/a/0", "/a~1b/~0"] {
            assert_eq!(pointer(text), Ok(()), "{text}");
        }
        for text in ["a", "/a~2", "/a~"] {
            assert!(pointer(text).is_err(), "{text}");
        }
        assert_eq!(regex_groups(r"(\d+)%"), Ok(1));
        assert_eq!(regex_groups("(a"), Err("unclosed group".to_owned()));
        assert!(regex_groups(r"(?:\w{1000}){1000}").is_err());
    }
}
