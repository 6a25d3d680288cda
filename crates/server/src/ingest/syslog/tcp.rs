//! Syslog over a stream: TCP and TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use wire::syslog::{FrameError, Framer, MESSAGE_BYTES_MAX};

use super::collector::Collector;
use super::{PROVIDER, Protocol, relp, tls};
use crate::ingest::messages::{ClientName, Messages};

/// What a connection reads with while it is quiet; thousands of them are. It grows with full reads.
const BUFFER_BYTES_MIN: usize = 2 * 1024;
const BUFFER_BYTES_MAX: usize = 256 * 1024;
/// A connection that was quiet for so long gives its buffers back.
const REST_AFTER: Duration = Duration::from_secs(2);
/// A message that was begun is taken as it is when nothing more of it comes for so long.
const UNFINISHED_AFTER: Duration = Duration::from_secs(30);
/// When the server goes down, a sender that is in the middle of sending has this long.
const STOP_GRACE: Duration = Duration::from_millis(100);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// All that a listener needs to know about its connections.
#[derive(Clone)]
pub struct Door {
    pub protocol: Protocol,
    pub tls: Option<Arc<tls::Acceptor>>,
    pub room: Arc<Semaphore>,
    pub collector: Collector,
    pub idle: Duration,
    pub stop: CancellationToken,
}

/// Who sends.
#[derive(Debug, Clone)]
pub struct Sender {
    pub peer: SocketAddr,
    pub provider: Arc<str>,
    pub client: Option<Arc<ClientName>>,
}

impl Sender {
    pub fn messages(&self) -> Messages {
        Messages::of_client(self.peer.ip(), self.provider.clone(), self.client.clone())
    }
}

pub async fn serve(listener: TcpListener, door: Door) {
    let provider: Arc<str> = Arc::from(PROVIDER);
    loop {
        // Waiting here leaves new senders in the kernel's queue, which is bounded too.
        let Ok(permit) = door.room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let (door, provider) = (door.clone(), provider.clone());
                tokio::spawn(async move {
                    let sender = Sender { peer, provider, client: None };
                    let ended = match door.tls.clone() {
                        None => speak(stream, sender, &door).await,
                        // Boxed, so that the connections without TLS, which are the most, stay small.
                        Some(acceptor) => Box::pin(encrypted(stream, sender, &door, &acceptor)).await,
                    };
                    if let Err(error) = ended {
                        tracing::debug!(%error, "syslog connection from {} ended", peer.ip());
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of file handles: those that are open will close some day.
                tracing::warn!(%error, "can't take a syslog connection");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn encrypted(
    stream: tokio::net::TcpStream,
    mut sender: Sender,
    door: &Door,
    acceptor: &tls::Acceptor,
) -> std::io::Result<()> {
    let handshake = tokio_rustls::TlsAcceptor::from(acceptor.config()).accept(stream);
    let stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            // Said aloud: a client whose certificate is refused has no other way to make itself heard.
            tracing::warn!(%error, source.ip = %sender.peer.ip(), "a syslog client failed to agree on TLS");
            return Err(error);
        }
        Err(_) => return Err(std::io::ErrorKind::TimedOut.into()),
    };
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    if let Some(client) = certificate.map(tls::client) {
        tracing::info!(
            source.ip = %sender.peer.ip(), tls.client.subject = client.subject, tls.client.hash.sha256 = client.fingerprint,
            "syslog client {} connected", client.name
        );
        sender.provider = Arc::from(format!("{PROVIDER}/{}", client.name));
        sender.client = Some(Arc::new(client));
    }
    speak(stream, sender, door).await
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin, sender: Sender, door: &Door) -> std::io::Result<()> {
    match door.protocol {
        Protocol::Tcp | Protocol::Tls => lines(stream, sender, door).await,
        Protocol::Relp | Protocol::RelpTls => Box::pin(relp::serve(stream, sender, door)).await,
    }
}

async fn lines(mut stream: impl AsyncRead + Unpin, sender: Sender, door: &Door) -> std::io::Result<()> {
    let mut framer = Framer::new(MESSAGE_BYTES_MAX);
    let mut buffer = vec![0; BUFFER_BYTES_MIN];
    let mut heard = Instant::now();
    loop {
        let wait = if buffer.len() > BUFFER_BYTES_MIN {
            REST_AFTER
        } else if framer.pending() > 0 {
            UNFINISHED_AFTER
        } else {
            door.idle
        };
        let read = tokio::select! {
            biased;
            read = tokio::time::timeout(wait.min(door.idle), stream.read(&mut buffer)) => read,
            () = door.stop.cancelled() => tokio::time::timeout(STOP_GRACE, stream.read(&mut buffer)).await,
        };
        let mut messages = sender.messages();
        let read = match read {
            Ok(read) => read?,
            Err(_) if door.stop.is_cancelled() => 0,
            Err(_) => {
                if heard.elapsed() >= door.idle {
                    0
                } else {
                    if heard.elapsed() >= UNFINISHED_AFTER {
                        while let Some(framed) = framer.finish() {
                            push(&mut messages, framed, sender.peer);
                        }
                        door.collector.take(messages).await;
                    }
                    buffer = vec![0; BUFFER_BYTES_MIN];
                    framer.rest_buffer();
                    continue;
                }
            }
        };
        heard = Instant::now();
        framer.push(buffer.get(..read).unwrap_or_default());
        while let Some(framed) = framer.next_message() {
            push(&mut messages, framed, sender.peer);
        }
        if read == 0 {
            while let Some(framed) = framer.finish() {
                push(&mut messages, framed, sender.peer);
            }
        } else if read == buffer.len() && buffer.len() < BUFFER_BYTES_MAX {
            buffer.resize(buffer.len() * 4, 0);
        }
        door.collector.take(messages).await;
        if read == 0 {
            return Ok(());
        }
    }
}

/// What was cut wrongly goes on all the same, and is set aside if nobody can read it.
fn push(messages: &mut Messages, framed: Result<&[u8], FrameError>, peer: SocketAddr) {
    match framed {
        Ok(message) => messages.push(message),
        Err(error) => {
            tracing::debug!(%error, "a syslog message from {} is framed wrongly", peer.ip());
            messages.push(&error.bytes);
        }
    }
}
