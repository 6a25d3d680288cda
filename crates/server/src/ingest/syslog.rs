//! Listeners for syslog over UDP and TCP.
//!
//! Syslog has no answer, so back-pressure is not reading: a TCP sender is held up by its own socket. UDP has not even
//! that; what can't be taken is counted and said.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, mpsc};
use wire::syslog::{FrameError, Framer, MESSAGE_BYTES_MAX, parse};

use super::intake::{Intake, IntakeError, Records, Sender};
use crate::app::App;
use crate::append;
use crate::clock::Clock;
use crate::config;

/// Messages that become one batch.
const BATCH_MAX: usize = 2_000;
/// Datagrams that may wait to be taken.
const DATAGRAMS_MAX: usize = 20_000;

#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address} (syslog over {transport})")]
pub struct ListenError {
    transport: &'static str,
    address: SocketAddr,
    #[source]
    source: std::io::Error,
}

/// The sockets that are configured.
pub struct Listeners {
    udp: Option<UdpSocket>,
    tcp: Option<TcpListener>,
    config: config::Syslog,
}

impl Listeners {
    pub async fn bind(config: &config::Syslog) -> Result<Self, ListenError> {
        let failed = |transport, address| move |source| ListenError { transport, address, source };
        let udp = match config.udp {
            Some(address) => Some(UdpSocket::bind(address).await.map_err(failed("UDP", address))?),
            None => None,
        };
        let tcp = match config.tcp {
            Some(address) => Some(TcpListener::bind(address).await.map_err(failed("TCP", address))?),
            None => None,
        };
        Ok(Self { udp, tcp, config: config.clone() })
    }

    /// Takes messages until the server goes down.
    pub fn serve(self, app: &App) {
        if let Some(socket) = self.udp {
            app.spawn("syslog.udp", serve_udp(socket, app.intake.clone(), app.clock.clone()));
        }
        if let Some(listener) = self.tcp {
            app.spawn("syslog.tcp", serve_tcp(listener, app.intake.clone(), app.clock.clone(), self.config));
        }
    }
}

async fn serve_tcp(listener: TcpListener, intake: Arc<Intake>, clock: Clock, config: config::Syslog) {
    let room = Arc::new(Semaphore::new(config.connections_max));
    let idle = Duration::from_secs(config.idle_seconds.max(1));
    loop {
        // Waiting here leaves new senders in the kernel's queue, which is bounded too.
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let (intake, clock) = (intake.clone(), clock.clone());
                tokio::spawn(async move {
                    if let Err(error) = connection(stream, peer, &intake, &clock, idle).await {
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

async fn connection(
    mut stream: TcpStream,
    peer: SocketAddr,
    intake: &Arc<Intake>,
    clock: &Clock,
    idle: Duration,
) -> std::io::Result<()> {
    let mut framer = Framer::new(MESSAGE_BYTES_MAX);
    // Small, since thousands of senders are mostly idle; it grows with the first large read.
    let mut chunk = vec![0; 4 * 1024];
    loop {
        let read =
            tokio::time::timeout(idle, stream.read(&mut chunk)).await.map_err(|_| std::io::ErrorKind::TimedOut)??;
        let mut batch = Vec::new();
        if read > 0 {
            framer.push(&chunk[..read]);
            if read == chunk.len() && chunk.len() < 256 * 1024 {
                chunk.resize(chunk.len() * 4, 0);
            }
            while let Some(framed) = framer.next_message() {
                batch.push(record(framed, peer.ip()));
                if batch.len() == BATCH_MAX {
                    take(std::mem::take(&mut batch), peer.ip(), intake, clock).await?;
                }
            }
        } else if let Some(framed) = framer.finish() {
            batch.push(record(framed, peer.ip()));
        }
        take(batch, peer.ip(), intake, clock).await?;
        if read == 0 {
            return Ok(());
        }
    }
}

/// The record of what was framed. What was cut wrongly goes on all the same, and is set aside if nobody can read it.
fn record(framed: Result<&[u8], FrameError>, peer: IpAddr) -> Vec<u8> {
    match framed {
        Ok(message) => message.to_vec(),
        Err(error) => {
            tracing::debug!(%error, "a syslog message from {peer} is framed wrongly");
            error.bytes
        }
    }
}

async fn serve_udp(socket: UdpSocket, intake: Arc<Intake>, clock: Clock) {
    let (arrived, mut waiting) = mpsc::channel::<(IpAddr, Vec<u8>)>(DATAGRAMS_MAX);
    let lost = Arc::new(AtomicU64::new(0));

    let (worker_intake, worker_lost) = (intake, lost.clone());
    tokio::spawn(async move {
        let mut datagrams = Vec::with_capacity(BATCH_MAX);
        while waiting.recv_many(&mut datagrams, BATCH_MAX).await > 0 {
            let mut by_peer: HashMap<IpAddr, Vec<Vec<u8>>> = HashMap::new();
            for (peer, datagram) in datagrams.drain(..) {
                by_peer.entry(peer).or_default().push(datagram);
            }
            for (peer, batch) in by_peer {
                if let Err(error) = take(batch, peer, &worker_intake, &clock).await {
                    tracing::error!(%error, "datagrams from {peer} are lost");
                }
            }
            let lost = worker_lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                tracing::warn!(
                    lost,
                    "{lost} syslog datagrams came faster than they could be stored and are lost; use TCP"
                );
            }
        }
    });

    let mut datagram = vec![0; 65_536];
    loop {
        let (read, peer) = match socket.recv_from(&mut datagram).await {
            Ok(received) => received,
            Err(error) => {
                tracing::warn!(%error, "can't receive a syslog datagram");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if arrived.try_send((peer.ip(), datagram[..read].to_vec())).is_err() {
            lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Hands messages over, source by source; waits while the trail is busy.
async fn take(messages: Vec<Vec<u8>>, peer: IpAddr, intake: &Arc<Intake>, clock: &Clock) -> std::io::Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    let now = clock.now();
    let mut by_source: HashMap<String, Vec<Vec<u8>>> = HashMap::new();
    for message in messages {
        let source = intake.registry().of_syslog(&parse(&message, now));
        by_source.entry(source).or_default().push(message);
    }
    for (source, records) in by_source {
        let sender =
            Sender { source: Some(source), provider: "syslog".to_owned(), peer: Some(peer), ..Sender::default() };
        loop {
            match intake.take(sender.clone(), Records::Cut(records.clone()), None).await {
                Ok(_) => break,
                Err(IntakeError::Append(append::Error::Busy { retry_after }) | IntakeError::Busy { retry_after }) => {
                    tokio::time::sleep(retry_after).await;
                }
                Err(error) => return Err(std::io::Error::other(error)),
            }
        }
    }
    Ok(())
}
