//! Listeners for syslog: UDP, TCP, TLS (RFC 5425) and RELP.
//!
//! Syslog over UDP, TCP and TLS has no answer, so back-pressure is not reading: a sender is held up by its own socket.
//! UDP has not even that; what can't be taken is counted and said. RELP has an answer, and it is given when the message
//! is on disk.

mod collector;
mod relp;
mod tcp;
mod tls;
mod udp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::Semaphore;

use crate::app::App;
use crate::config;

pub use tls::TlsError;

/// What becomes `event.provider` of senders that have no name of their own.
const PROVIDER: &str = "syslog";
/// How soon the kernel asks whether a silent sender is still there, how often, and how many times before it is not.
const KEEP_ALIVE: (Duration, Duration, u32) = (Duration::from_secs(60), Duration::from_secs(15), 4);

#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("can't listen on {address} (syslog over {transport})")]
    Bind {
        transport: &'static str,
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("syslog over TLS can't be offered")]
    Tls(#[from] TlsError),
}

/// The sockets that are configured.
pub struct Listeners {
    udp: Option<UdpSocket>,
    streams: Vec<(Protocol, TcpListener)>,
    tls: Option<Arc<tls::Acceptor>>,
    config: config::Syslog,
}

/// What is spoken on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Tcp,
    Tls,
    Relp,
    RelpTls,
}

impl Protocol {
    fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Relp => "RELP",
            Self::RelpTls => "RELP with TLS",
        }
    }

    fn task(self) -> &'static str {
        match self {
            Self::Tcp => "syslog.tcp",
            Self::Tls => "syslog.tls",
            Self::Relp => "syslog.relp",
            Self::RelpTls => "syslog.relp_tls",
        }
    }

    fn is_encrypted(self) -> bool {
        matches!(self, Self::Tls | Self::RelpTls)
    }
}

impl Listeners {
    pub async fn bind(config: &config::Syslog) -> Result<Self, ListenError> {
        let failed = |transport, address| move |source| ListenError::Bind { transport, address, source };
        let udp = match config.udp {
            Some(address) => Some(UdpSocket::bind(address).await.map_err(failed("UDP", address))?),
            None => None,
        };
        let tls = (config.tls.is_some() || config.relp_tls.is_some())
            .then(|| tls::Acceptor::open(config).map(Arc::new))
            .transpose()?;
        let wanted = [
            (Protocol::Tcp, config.tcp),
            (Protocol::Tls, config.tls),
            (Protocol::Relp, config.relp),
            (Protocol::RelpTls, config.relp_tls),
        ];
        let mut streams = Vec::new();
        for (protocol, address) in wanted {
            let Some(address) = address else { continue };
            let listener = TcpListener::bind(address).await.map_err(failed(protocol.name(), address))?;
            keep_alive(&listener);
            streams.push((protocol, listener));
        }
        Ok(Self { udp, streams, tls, config: config.clone() })
    }

    /// Takes messages until the server goes down.
    pub fn serve(self, app: &App) {
        if self.udp.is_none() && self.streams.is_empty() {
            return;
        }
        say_if_handles_are_few(self.config.connections_max);
        let (collector, work) = collector::open(app.intake.clone());
        // What was taken from a sender's socket is to be on disk before the trail closes.
        app.spawn_gently("syslog.collector", work);
        if let Some(socket) = self.udp {
            app.spawn("syslog.udp", udp::serve(socket, collector.clone()));
        }
        let room = Arc::new(Semaphore::new(self.config.connections_max.min(Semaphore::MAX_PERMITS)));
        for (protocol, listener) in self.streams {
            let door = tcp::Door {
                protocol,
                tls: if protocol.is_encrypted() { self.tls.clone() } else { None },
                room: room.clone(),
                collector: collector.clone(),
                idle: Duration::from_secs(self.config.idle_seconds.max(1)),
                stop: app.stop.clone(),
            };
            app.spawn(protocol.task(), tcp::serve(listener, door));
        }
    }
}

/// Connections inherit this from their listener: a sender that vanished without a word is noticed within minutes.
fn keep_alive(listener: &TcpListener) {
    let (time, interval, retries) = KEEP_ALIVE;
    let how = TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(retries);
    if let Err(error) = SockRef::from(listener).set_tcp_keepalive(&how) {
        tracing::warn!(%error, "half-open syslog connections are noticed only after syslog.idle_seconds");
    }
}

/// Each connection is a file handle, and most systems give a process no more than 1,024 unless told otherwise.
fn say_if_handles_are_few(connections_max: usize) {
    let Ok(limits) = std::fs::read_to_string("/proc/self/limits") else { return };
    let soft = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|soft| soft.parse::<usize>().ok());
    let wanted = connections_max + 1_024;
    if let Some(soft) = soft.filter(|soft| *soft < wanted) {
        tracing::warn!(
            soft,
            wanted,
            "this process may open {soft} files, syslog.connections_max asks for {wanted}: raise LimitNOFILE= or ulimit -n, or lower syslog.connections_max"
        );
    }
}
