//! Accepting connections out of a cell and passing them on, or not.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::http::{self, Asked};
use super::{DeniedLog, Rules};

/// How many connections a listener serves at once; others wait.
const CONNECTIONS_MAX: usize = 256;
/// How long a request's head may be, bytes, and how long it may take.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long resolving a name and connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long to wait when no connection can be accepted (no descriptors left, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the proxy until it is aborted.
pub(crate) async fn serve(listener: TcpListener, rules: Arc<Rules>, denied: Arc<DeniedLog>) {
    accept(listener, move |client| {
        let (rules, denied) = (Arc::clone(&rules), Arc::clone(&denied));
        async move { proxy(client, &rules, &denied).await }
    })
    .await;
}

/// Passes connections on to the same port of the host's loopback until it is aborted.
pub(crate) async fn forward(listener: TcpListener, port: u16) {
    accept(listener, move |mut client| async move {
        let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
        let mut service = timeout(CONNECT_TIMEOUT, TcpStream::connect(&[v4, v6][..])).await??;
        copy_bidirectional(&mut client, &mut service)
            .await
            .map(drop)
    })
    .await;
}

async fn accept<F>(listener: TcpListener, handle: impl Fn(TcpStream) -> F)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // Dropped, and with it every connection, when this is aborted.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((client, _)) => {
                let handled = handle(client);
                connections.spawn(async move {
                    // A connection that breaks has told both of its ends so.
                    let _ = handled.await;
                    drop(slot);
                });
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn proxy(mut client: TcpStream, rules: &Rules, denied: &DeniedLog) -> io::Result<()> {
    let Some((head, early)) = timeout(HEAD_TIMEOUT, read_head(&mut client)).await?? else {
        return refuse(
            &mut client,
            "431 Request Header Fields Too Large",
            "the request's head is too long",
        )
        .await;
    };
    let asked = match http::parse(&head) {
        Ok(asked) => asked,
        Err((status, why)) => return refuse(&mut client, status, why).await,
    };
    let (Asked::Tunnel { host, port } | Asked::Plain { host, port, .. }) = &asked;
    let addresses = match timeout(CONNECT_TIMEOUT, resolve(rules, host, *port)).await? {
        Ok(addresses) => addresses,
        Err(No::Denied(why)) => {
            denied.add(host, *port);
            return refuse(&mut client, "403 Forbidden", &why).await;
        }
        Err(No::Unknown(error)) => {
            return refuse(
                &mut client,
                "502 Bad Gateway",
                &format!("{host} cannot be resolved: {error}"),
            )
            .await;
        }
    };
    let mut origin = match timeout(CONNECT_TIMEOUT, TcpStream::connect(&addresses[..])).await {
        Ok(Ok(origin)) => origin,
        Ok(Err(error)) => {
            return refuse(
                &mut client,
                "502 Bad Gateway",
                &format!("{host}:{port} cannot be reached: {error}"),
            )
            .await;
        }
        Err(_) => {
            return refuse(
                &mut client,
                "504 Gateway Timeout",
                &format!("{host}:{port} does not answer"),
            )
            .await;
        }
    };
    match asked {
        Asked::Tunnel { .. } => {
            client
                .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                .await?;
            origin.write_all(&early).await?;
            copy_bidirectional(&mut client, &mut origin).await.map(drop)
        }
        Asked::Plain { head, body, .. } => exchange(client, origin, &head, &early, body).await,
    }
}

/// One request and its answer. No more of the client's bytes than the request's are passed on: a second request on
/// the same connection would not have been checked.
async fn exchange(
    client: TcpStream,
    origin: TcpStream,
    head: &[u8],
    early: &[u8],
    body: u64,
) -> io::Result<()> {
    let (client_read, mut client_write) = client.into_split();
    let (mut origin_read, mut origin_write) = origin.into_split();
    let now = early.len().min(usize::try_from(body).unwrap_or(usize::MAX));
    origin_write.write_all(head).await?;
    origin_write.write_all(&early[..now]).await?;
    let mut rest = client_read.take(body - now as u64);
    let upload = async {
        copy(&mut rest, &mut origin_write).await?;
        Ok::<_, io::Error>(())
    };
    let download = async {
        copy(&mut origin_read, &mut client_write).await?;
        client_write.shutdown().await
    };
    tokio::pin!(upload);
    tokio::pin!(download);
    // An origin may answer, and be done, before it has read the whole request.
    tokio::select! {
        done = &mut download => done,
        sent = &mut upload => { sent?; download.await }
    }
}

enum No {
    Denied(String),
    Unknown(io::Error),
}

/// The addresses that an allowed host may be reached at. They are connected to as they are: the name is not
/// resolved a second time, when it might lead elsewhere.
async fn resolve(rules: &Rules, host: &str, port: u16) -> Result<Vec<SocketAddr>, No> {
    let list = rules.describe();
    let Some(permit) = rules.permit(host, port) else {
        return Err(No::Denied(format!(
            "{host}:{port} is not among the hosts that may be reached (use.network: {list})"
        )));
    };
    let found: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => lookup_host((host, port))
            .await
            .map_err(No::Unknown)?
            .collect(),
    };
    let allowed: Vec<SocketAddr> = found
        .into_iter()
        .filter(|address| permit.reaches(address.ip()))
        .collect();
    if allowed.is_empty() {
        return Err(No::Denied(format!(
            "{host} leads to this machine or a private network, which is not meant by its name (use.network: {list})"
        )));
    }
    Ok(allowed)
}

/// Reads up to the empty line: the head, and what came after it already. `None` if it is too long.
async fn read_head(client: &mut TcpStream) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
    const END: &[u8] = b"\r\n\r\n";
    let mut bytes = Vec::new();
    let mut searched = 0;
    loop {
        if let Some(at) = bytes[searched..]
            .windows(END.len())
            .position(|window| window == END)
        {
            let early = bytes.split_off(searched + at + END.len());
            return Ok(Some((bytes, early)));
        }
        searched = bytes.len().saturating_sub(END.len() - 1);
        if bytes.len() >= HEAD_BYTES_MAX {
            return Ok(None);
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn refuse(client: &mut TcpStream, status: &str, why: &str) -> io::Result<()> {
    let body = format!("overnight: {why}\n");
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await
}
