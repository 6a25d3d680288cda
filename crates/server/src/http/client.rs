//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::{Extensions, HeaderMap, header};
use ipnet::IpNet;

use crate::access::Client;

/// In the extensions of a request: the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

const AGENT_CHARS_MAX: usize = 400;

/// The client of a request. `X-Forwarded-For` is believed from the right, as far as it was written by proxies we trust.
pub fn client(headers: &HeaderMap, extensions: &Extensions, proxies: &[IpNet]) -> Client {
    let peer = extensions.get::<Peer>().map(|peer| peer.0.ip().to_canonical());
    let address = peer.map(|peer| forwarded(peer, headers, proxies));
    let user_agent = headers
        .get(header::USER_AGENT)
        .map(|value| {
            String::from_utf8_lossy(value.as_bytes())
                .chars()
                .filter(|c| !c.is_control())
                .take(AGENT_CHARS_MAX)
                .collect()
        })
        .filter(|text: &String| !text.is_empty())
        .map(Arc::from);
    Client { address, user_agent }
}

fn forwarded(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let trusted = |address: &IpAddr| proxies.iter().any(|network| network.contains(address));
    let mut address = peer;
    let hops = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let hops: Vec<&str> = hops.collect();
    for hop in hops.iter().rev() {
        if !trusted(&address) {
            break;
        }
        let hop = hop.trim();
        let parsed = hop.parse::<IpAddr>().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()));
        match parsed {
            Some(next) => address = next.to_canonical(),
            None => break,
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(peer: &str, forwarded: &[&str], proxies: &[&str], expected: &str) {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let mut extensions = Extensions::new();
        extensions.insert(Peer(SocketAddr::new(peer.parse().unwrap(), 1)));
        let proxies: Vec<IpNet> = proxies.iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(client(&headers, &extensions, &proxies).address, Some(expected.parse().unwrap()));
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        check("1.2.3.4", &["9.9.9.9"], &[], "1.2.3.4");
        check("10.0.0.1", &["9.9.9.9"], &["10.0.0.0/8"], "9.9.9.9");
        check("10.0.0.1", &["6.6.6.6, 9.9.9.9, 10.0.0.2"], &["10.0.0.0/8"], "9.9.9.9");
        check("10.0.0.1", &["6.6.6.6", "9.9.9.9:4711"], &["10.0.0.0/8"], "9.9.9.9");
        check("10.0.0.1", &["nonsense"], &["10.0.0.0/8"], "10.0.0.1");
        check("::ffff:10.0.0.1", &["2a00::1"], &["10.0.0.0/8"], "2a00::1");
    }
}
