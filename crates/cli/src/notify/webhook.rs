//! A webhook: the notification is posted as JSON, once, to exactly the address that the person named.

use std::time::Duration;

use overnight_ports::notifier::Message;
use reqwest::header::{CONTENT_TYPE, HeaderName};
use reqwest::{Client, Url};

/// How long it may take, the connection included.
pub const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(15);
/// Receivers that know it take a message with the same key once.
const KEY_HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// Posts it. Any status of 200 to 299 is success; a redirect is none, since nobody wrote that address down.
pub async fn send(address: &str, message: &Message) -> Result<(), String> {
    let url = Url::parse(address).map_err(|_| "it is no address".to_owned())?;
    // The check of the goal reads the text; this one reads what will be connected to.
    let own = match url.host() {
        Some(host) => match host.to_string().as_str() {
            "localhost" => true,
            text => text
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback()),
        },
        None => return Err("it names no host".to_owned()),
    };
    if url.scheme() != "https" && !(own && url.scheme() == "http") {
        return Err("it is neither https nor on this machine".to_owned());
    }
    let response = client(own)?
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .header(KEY_HEADER, &message.key)
        .body(message.json.to_string())
        .send()
        .await
        // An address may be a secret.
        .map_err(|e| causes(&e.without_url()))?;
    let status = response.status();
    match status.is_success() {
        true => Ok(()),
        false => Err(format!("it answered {status}")),
    }
}

fn client(own: bool) -> Result<Client, String> {
    overnight_models::install_tls();
    let mut builder = Client::builder()
        .user_agent(concat!("overnight/", env!("CARGO_PKG_VERSION")))
        .timeout(WEBHOOK_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none());
    if own {
        builder = builder.no_proxy().tls_certs_only([]);
    }
    builder
        .build()
        .map_err(|e| format!("a connection cannot be set up: {}", causes(&e)))
}

/// An error with everything below it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        text.push_str(&format!(": {cause}"));
        below = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;

    use super::*;

    fn message() -> Message {
        Message {
            key: "run-2".into(),
            title: "t".into(),
            text: "x".into(),
            json: serde_json::json!({"occasion": "blocked"}),
        }
    }

    /// Answers one request with these bytes; gives what it was sent.
    fn server(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/hook", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = n.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            head + &String::from_utf8(body).unwrap()
        });
        (address, thread)
    }

    #[tokio::test]
    async fn it_is_posted_once_with_its_key() {
        let (address, thread) = server("HTTP/1.1 204 No Content\r\n\r\n");
        send(&address, &message()).await.unwrap();
        let got = thread.join().unwrap();
        assert!(got.starts_with("POST /hook HTTP/1.1"), "{got}");
        assert!(got.contains("idempotency-key: run-2"), "{got}");
        assert!(got.ends_with("{\"occasion\":\"blocked\"}"), "{got}");
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed_and_a_refusal_is_told() {
        let (address, thread) = server(
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n",
        );
        let why = send(&address, &message()).await.unwrap_err();
        assert!(why.contains("307"), "{why}");
        thread.join().unwrap();
        let why = send("http://127.0.0.1:1/hook-secret", &message())
            .await
            .unwrap_err();
        assert!(!why.contains("hook-secret"), "{why}");
        for other in ["http://192.0.2.1/x", "ftp://localhost/x", "https:///", "x"] {
            assert!(send(other, &message()).await.is_err(), "{other}");
        }
    }
}
