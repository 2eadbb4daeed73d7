//! Which hosts may be reached: the list of the goal's `use.network`, and what is never meant by it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A longer list is a mistake; every rule is looked at for every connection.
const RULES_MAX: usize = 1000;
/// Two sockets are made for each.
const FORWARDS_MAX: usize = 64;

/// The parsed list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    hosts: Vec<Rule>,
    /// Ports of the host's own loopback that are seen in the cell.
    forwards: Vec<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    host: Pattern,
    /// None is any.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Exactly(String),
    /// Any name below this one, and not itself.
    Below(String),
    Address(IpAddr),
}

/// What an allowed connection may lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permit {
    /// This address, which the list names.
    Address(IpAddr),
    /// What the name resolves to, private networks included: the list names exactly this host.
    Named,
    /// What the name resolves to, if it is public: the list names it by a pattern.
    Matched,
}

impl Rules {
    /// Reads a list of `host`, `host:port`, `*.host`, `*.host:port`, addresses, and `localhost:port`.
    pub fn parse(list: &[String]) -> Result<Rules, String> {
        if list.len() > RULES_MAX {
            return Err(format!("use.network names more than {RULES_MAX} hosts"));
        }
        let mut rules = Rules::default();
        for entry in list {
            let (host, port) = split(entry).map_err(|()| not_a_host(entry))?;
            if is_localhost(&host) {
                let port = port.ok_or_else(|| {
                    format!("use.network: {entry}: name the port, as in localhost:5432")
                })?;
                if !rules.forwards.contains(&port) {
                    rules.forwards.push(port);
                }
                continue;
            }
            let host = if let Ok(address) = host.parse() {
                Pattern::Address(address)
            } else if let Some(parent) = host.strip_prefix("*.") {
                Pattern::Below(name(parent, entry)?)
            } else {
                Pattern::Exactly(name(&host, entry)?)
            };
            rules.hosts.push(Rule { host, port });
        }
        if rules.forwards.len() > FORWARDS_MAX {
            return Err(format!(
                "use.network names more than {FORWARDS_MAX} ports of localhost"
            ));
        }
        Ok(rules)
    }

    /// Ports of the host's loopback that are forwarded.
    pub fn forwards(&self) -> &[u16] {
        &self.forwards
    }

    /// Whether any host is named, so that a proxy is needed.
    pub fn needs_proxy(&self) -> bool {
        !self.hosts.is_empty()
    }

    /// Whether the list lets a connection to this name or address through, as far as can be said before the name
    /// is resolved.
    pub fn allows(&self, host: &str, port: u16) -> bool {
        self.permit(host, port).is_some()
    }

    pub(crate) fn permit(&self, host: &str, port: u16) -> Option<Permit> {
        let host = normal(host);
        let address: Option<IpAddr> = host.parse().ok();
        let fits = self
            .hosts
            .iter()
            .filter(|rule| rule.port.is_none_or(|allowed| allowed == port));
        let permits = fits.filter_map(|rule| match (&rule.host, address) {
            (Pattern::Address(named), Some(asked)) if *named == asked => {
                Some(Permit::Address(asked))
            }
            (Pattern::Exactly(named), None) if *named == host => Some(Permit::Named),
            (Pattern::Below(parent), None)
                if host
                    .strip_suffix(parent.as_str())
                    .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')) =>
            {
                Some(Permit::Matched)
            }
            _ => None,
        });
        // The most that any rule gives.
        permits.min_by_key(|permit| match permit {
            Permit::Address(_) => 0,
            Permit::Named => 1,
            Permit::Matched => 2,
        })
    }

    /// The list as a person would write it.
    pub(crate) fn describe(&self) -> String {
        let hosts = self.hosts.iter().map(|rule| {
            let host = match &rule.host {
                Pattern::Exactly(name) => name.clone(),
                Pattern::Below(parent) => format!("*.{parent}"),
                Pattern::Address(IpAddr::V6(address)) => format!("[{address}]"),
                Pattern::Address(address) => address.to_string(),
            };
            rule.port
                .map_or(host.clone(), |port| format!("{host}:{port}"))
        });
        hosts
            .chain(self.forwards.iter().map(|port| format!("localhost:{port}")))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

impl Permit {
    /// Whether an allowed name may lead to this address. A name that somebody else controls could lead into the
    /// person's own network, or to a cloud machine's metadata.
    pub(crate) fn reaches(self, address: IpAddr) -> bool {
        match (self, reach(address)) {
            (Permit::Address(named), _) => named == address,
            (_, Reach::Public) | (Permit::Named, Reach::Private) => true,
            (Permit::Matched, Reach::Private) | (_, Reach::Never) => false,
        }
    }
}

enum Reach {
    Public,
    /// Networks that a person might mean by naming a host in one.
    Private,
    /// This machine, its link, and what is no host at all.
    Never,
}

fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let [a, b, c, _] = address.octets();
    let is_never = address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a, b, c) == (192, 0, 0);
    if is_never {
        Reach::Never
    } else if address.is_private() || (a == 100 && b & 0xc0 == 64) || (a == 198 && b & 0xfe == 18) {
        Reach::Private
    } else {
        Reach::Public
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let segments = address.segments();
    if let Some(embedded) = address.to_ipv4_mapped() {
        return reach_v4(embedded);
    }
    match segments[0] {
        _ if address.is_loopback() || address.is_unspecified() || address.is_multicast() => {
            Reach::Never
        }
        // Link-local, site-local, 6to4 and Teredo, which hide an IPv4 address.
        first if first & 0xffc0 == 0xfe80 || first & 0xffc0 == 0xfec0 || first == 0x2002 => {
            Reach::Never
        }
        0x2001 if segments[1] == 0 => Reach::Never,
        // NAT64.
        0x0064 if segments[1] == 0xff9b => {
            let [.., high, low] = segments;
            reach_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
        }
        0x0000 => Reach::Never,
        first if first & 0xfe00 == 0xfc00 => Reach::Private,
        _ => Reach::Public,
    }
}

fn is_localhost(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn normal(host: &str) -> String {
    host.trim_end_matches('.')
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_ascii_lowercase()
}

fn name(host: &str, entry: &str) -> Result<String, String> {
    let is_name = !host.is_empty()
        && host.len() <= 253
        && host.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        });
    if is_name {
        Ok(host.to_owned())
    } else {
        Err(not_a_host(entry))
    }
}

fn not_a_host(entry: &str) -> String {
    format!(
        "use.network: {entry:?} is not a host: write example.org, example.org:443 or *.example.org"
    )
}

/// `host`, `host:port`, `[v6]:port`, or a bare IPv6 address.
pub(super) fn split(entry: &str) -> Result<(String, Option<u16>), ()> {
    let (host, port) = match entry.rsplit_once(':') {
        Some((host, port))
            if !host.contains(':') || (host.starts_with('[') && host.ends_with(']')) =>
        {
            (host, Some(port.parse().map_err(|_| ())?))
        }
        _ => (entry, None),
    };
    if port == Some(0) {
        return Err(());
    }
    Ok((normal(host), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(list: &[&str]) -> Rules {
        Rules::parse(&list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn names_match_exactly_and_patterns_below() {
        let rules = rules(&["example.org", "*.example.net", "api.example.com:8443"]);
        for (host, port, allowed) in [
            ("example.org", 443, true),
            ("EXAMPLE.org.", 80, true),
            ("www.example.org", 443, false),
            ("evil-example.org", 443, false),
            ("example.org.evil.com", 443, false),
            ("a.b.example.net", 443, true),
            ("example.net", 443, false),
            (".example.net", 443, false),
            ("notexample.net", 443, false),
            ("api.example.com", 8443, true),
            ("api.example.com", 443, false),
            ("localhost", 80, false),
            ("127.0.0.1", 80, false),
        ] {
            assert_eq!(rules.allows(host, port), allowed, "{host}:{port}");
        }
    }

    #[test]
    fn addresses_must_be_named() {
        let rules = rules(&["10.1.2.3:80", "[2001:db8::1]:443"]);
        assert!(rules.allows("10.1.2.3", 80) && rules.allows("[2001:db8::1]", 443));
        assert!(!rules.allows("10.1.2.4", 80) && !rules.allows("10.1.2.3", 81));
    }

    #[test]
    fn names_do_not_lead_to_this_machine() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for address in [
            "127.0.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "::1",
            "::ffff:127.0.0.1",
            "fe80::1",
            "64:ff9b::7f00:1",
        ] {
            assert!(!Permit::Named.reaches(ip(address)), "{address}");
        }
        for address in [
            "10.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "100.64.0.1",
            "fd00::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(
                Permit::Named.reaches(ip(address)) && !Permit::Matched.reaches(ip(address)),
                "{address}"
            );
        }
        assert!(
            Permit::Matched.reaches(ip("93.184.216.34"))
                && Permit::Matched.reaches(ip("2606:4700::1111"))
        );
    }

    #[test]
    fn localhost_is_forwarded_and_needs_a_port() {
        let rules = rules(&["localhost:5432", "127.0.0.1:5432", "[::1]:6379"]);
        assert_eq!(rules.forwards(), [5432, 6379]);
        assert!(!rules.needs_proxy());
        assert!(
            Rules::parse(&["localhost".to_owned()])
                .unwrap_err()
                .contains("name the port")
        );
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for entry in [
            "",
            "*",
            "*.*",
            "a b",
            "https://example.org",
            "example.org:http",
            "example.org:0",
            "a..b",
        ] {
            assert!(Rules::parse(&[entry.to_owned()]).is_err(), "{entry:?}");
        }
    }
}
