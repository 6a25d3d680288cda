//! Syslog over UDP: a datagram is a message.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use wire::syslog::trim_end;

use super::PROVIDER;
use super::collector::Collector;
use crate::ingest::messages::Messages;

/// Datagrams that are taken from the socket before they are handed over.
const BURST_MAX: usize = 1_000;
const SAY_LOST_EVERY: Duration = Duration::from_secs(10);

pub async fn serve(socket: UdpSocket, collector: Collector) {
    let provider: Arc<str> = Arc::from(PROVIDER);
    let mut datagram = vec![0; 65_536];
    let mut by_peer: HashMap<IpAddr, Messages> = HashMap::new();
    let mut lost = Lost::default();
    loop {
        let mut received = socket.recv_from(&mut datagram).await;
        for _ in 0..BURST_MAX {
            match received {
                Ok((read, peer)) => by_peer
                    .entry(peer.ip())
                    .or_insert_with_key(|peer| Messages::new(*peer, provider.clone()))
                    .push(trim_end(datagram.get(..read).unwrap_or_default())),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    tracing::warn!(%error, "can't receive a syslog datagram");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    break;
                }
            }
            received = socket.try_recv_from(&mut datagram);
        }
        for (_, messages) in by_peer.drain() {
            // Waiting here would lose datagrams in the kernel, uncounted.
            if let Err(refused) = collector.try_take(messages) {
                lost.count += refused.len();
            }
        }
        lost.say();
    }
}

#[derive(Default)]
struct Lost {
    count: usize,
    said: Option<Instant>,
}

impl Lost {
    fn say(&mut self) {
        if self.count > 0 && self.said.is_none_or(|said| said.elapsed() >= SAY_LOST_EVERY) {
            let lost = std::mem::take(&mut self.count);
            self.said = Some(Instant::now());
            tracing::warn!(lost, "{lost} syslog datagrams came faster than they could be stored and are lost; use TCP");
        }
    }
}
