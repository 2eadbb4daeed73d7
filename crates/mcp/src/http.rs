//! Streamable HTTP: the harness itself talks to the server, and to nobody else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use overnight_ports::mcp::NoConnection;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url};
use rmcp::RoleClient;
use rmcp::transport::Transport;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClientTransport, StreamableHttpClientTransportConfig,
};
use secrecy::{ExposeSecret, SecretString};

use crate::limits::ANSWER_BYTES_MAX;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Nothing is sent yet.
pub(crate) fn transport(
    url: &str,
    token: Option<&SecretString>,
) -> Result<impl Transport<RoleClient> + 'static, NoConnection> {
    let no = |message: String| NoConnection {
        message,
        refused: false,
    };
    let parsed = Url::parse(url).map_err(|error| no(format!("its address is none: {error}")))?;
    // Somebody may have installed a provider already; then theirs is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let here = is_here(&parsed);
    let mut builder = Client::builder()
        .user_agent(concat!("overnight/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        // A redirect would carry token and arguments to an address that nobody wrote down.
        .redirect(reqwest::redirect::Policy::none());
    if parsed.scheme() == "http" {
        // No certificate will be looked at, so none is loaded.
        builder = builder.tls_certs_only([]);
    }
    builder = if here {
        builder.no_proxy()
    } else {
        builder.dns_resolver(Arc::new(Elsewhere {
            host: parsed.host_str().unwrap_or_default().to_owned(),
        }))
    };
    let client = builder
        .build()
        .map_err(|error| no(format!("the connection cannot be set up: {error}")))?;
    let mut config =
        StreamableHttpClientTransportConfig::with_uri(url).max_sse_event_size(ANSWER_BYTES_MAX);
    if let Some(token) = token {
        config = config.auth_header(token.expose_secret());
    }
    Ok(StreamableHttpClientTransport::with_client(client, config))
}

/// Whether the address is this machine by its spelling, which is what the goal has named then.
fn is_here(url: &Url) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The server's name never leads to this machine or its link: whoever owns the name could else reach what listens here.
/// Other names are those of proxies, which are the person's own.
#[derive(Debug)]
struct Elsewhere {
    host: String,
}

impl Resolve for Elsewhere {
    fn resolve(&self, name: Name) -> Resolving {
        let ours_too = !name.as_str().eq_ignore_ascii_case(&self.host);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let elsewhere: Vec<SocketAddr> = found
                .filter(|address| ours_too || !is_ours(address.ip()))
                .collect();
            if elsewhere.is_empty() {
                return Err("the name leads to this machine or its link".into());
            }
            Ok(Box::new(elsewhere.into_iter()) as Addrs)
        })
    }
}

fn is_ours(ip: IpAddr) -> bool {
    let v4 = |ip: Ipv4Addr| {
        ip.is_loopback() || ip.is_unspecified() || ip.is_link_local() || ip.is_broadcast()
    };
    let v6 = |ip: Ipv6Addr| {
        ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local() || ip.is_multicast()
    };
    match ip {
        IpAddr::V4(ip) => v4(ip),
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or_else(|| v6(ip), v4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_told_from_others() {
        for url in [
            "http://localhost:1/x",
            "http://127.0.0.9/",
            "http://[::1]:5/",
        ] {
            assert!(is_here(&Url::parse(url).expect("an address")), "{url}");
        }
        assert!(!is_here(
            &Url::parse("https://localhost.example/").expect("an address")
        ));
        for ip in [
            "127.0.0.1",
            "169.254.1.1",
            "0.0.0.0",
            "::1",
            "fe80::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(is_ours(ip.parse().expect("an address")), "{ip}");
        }
        for ip in ["10.1.2.3", "93.184.216.34", "2606:2800::1"] {
            assert!(!is_ours(ip.parse().expect("an address")), "{ip}");
        }
    }
}
