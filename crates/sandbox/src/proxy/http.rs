//! As much of HTTP/1.1 as a proxy needs: the head of a request, read strictly, and written again for the origin.

use super::rules::split;

/// A parsed request to the proxy.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A tunnel.
    Tunnel { host: String, port: u16 },
    /// A plain request: what goes to the origin, and how long its body is.
    Plain {
        host: String,
        port: u16,
        head: Vec<u8>,
        body: u64,
    },
}

/// Why a request is not passed on: the status line's end, and a sentence.
pub(super) type Refusal = (&'static str, &'static str);

const MALFORMED: Refusal = ("400 Bad Request", "this is not a request to a proxy");

/// Reads a request's head, the empty line included.
pub(super) fn parse(head: &[u8]) -> Result<Asked, Refusal> {
    let text = std::str::from_utf8(head).map_err(|_| MALFORMED)?;
    let mut lines = text.split("\r\n");
    let mut request = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version @ ("HTTP/1.1" | "HTTP/1.0")), None) = (
        request.next(),
        request.next(),
        request.next(),
        request.next(),
    ) else {
        return Err(MALFORMED);
    };
    if method == "CONNECT" {
        let (host, port) = split(target).map_err(|()| MALFORMED)?;
        return Ok(Asked::Tunnel {
            host,
            port: port.ok_or(MALFORMED)?,
        });
    }
    let rest = target.strip_prefix("http://").ok_or((
        "400 Bad Request",
        "only http:// requests and CONNECT are passed on",
    ))?;
    let (authority, path) = rest
        .find(['/', '?'])
        .map_or((rest, ""), |at| rest.split_at(at));
    if authority.contains('@') {
        return Err(MALFORMED);
    }
    let (host, port) = split(authority).map_err(|()| MALFORMED)?;
    let slash = if path.starts_with('/') { "" } else { "/" };
    // The origin sees the host of the request's own target: a `Host` that says something else could reach another
    // site behind the same address.
    let mut out =
        format!("{method} {slash}{path} {version}\r\nHost: {authority}\r\nConnection: close\r\n");
    let mut body: Option<u64> = None;
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or(MALFORMED)?;
        if name.is_empty() || name.bytes().any(|byte| byte.is_ascii_whitespace()) {
            return Err(MALFORMED);
        }
        match name.to_ascii_lowercase().as_str() {
            "host" | "connection" | "keep-alive" | "upgrade" | "te" | "expect" => continue,
            name if name.starts_with("proxy-") => continue,
            "transfer-encoding" => {
                return Err(("411 Length Required", "send the body with a Content-Length"));
            }
            "content-length" => {
                let length = value.trim().parse().map_err(|_| MALFORMED)?;
                if body.replace(length).is_some() {
                    return Err(MALFORMED);
                }
            }
            _ => {}
        }
        out.push_str(line);
        out.push_str("\r\n");
    }
    out.push_str("\r\n");
    Ok(Asked::Plain {
        host,
        port: port.unwrap_or(80),
        head: out.into_bytes(),
        body: body.unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tunnel_needs_a_port() {
        let asked =
            parse(b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n").unwrap();
        assert_eq!(
            asked,
            Asked::Tunnel {
                host: "example.org".to_owned(),
                port: 443
            }
        );
        assert!(parse(b"CONNECT example.org HTTP/1.1\r\n\r\n").is_err());
    }

    #[test]
    fn the_origin_sees_the_host_that_was_checked() {
        let asked = parse(
            b"POST http://a.example:8080/x?y HTTP/1.1\r\nHost: b.example\r\nProxy-Authorization: k\r\nContent-Length: 3\r\nX: 1\r\n\r\n",
        )
        .unwrap();
        let Asked::Plain {
            host,
            port,
            head,
            body,
        } = asked
        else {
            panic!("a plain request")
        };
        assert_eq!((host.as_str(), port, body), ("a.example", 8080, 3));
        assert_eq!(
            String::from_utf8(head).unwrap(),
            "POST /x?y HTTP/1.1\r\nHost: a.example:8080\r\nConnection: close\r\nContent-Length: 3\r\nX: 1\r\n\r\n"
        );
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for head in [
            "GET /relative HTTP/1.1\r\n\r\n",
            "GET http://u@a/ HTTP/1.1\r\n\r\n",
            "GET  http://a/ HTTP/1.1\r\n\r\n",
            "GET http://a/ HTTP/2\r\n\r\n",
            "POST http://a/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "POST http://a/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nContent-Length : 1\r\n\r\n",
            "\r\n\r\n",
            "",
        ] {
            assert!(parse(head.as_bytes()).is_err(), "{head:?}");
        }
    }
}
