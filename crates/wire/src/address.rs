//! Network addresses as products write them: with ports, brackets, zones, or mapped into IPv6.

use std::net::{IpAddr, SocketAddr};

/// An address, and the port where one was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    pub ip: IpAddr,
    pub port: Option<u16>,
}

/// Reads `10.0.0.1`, `10.0.0.1:22`, `[::1]:22`, `[::1]`, `fe80::1%eth0`, `::ffff:10.0.0.1`, `10.0.0.1/32`, `1.2.3.4(5432)`.
pub fn read(text: &str) -> Option<Address> {
    let text = text.trim().trim_matches(|c| matches!(c, '"' | '\'' | ',' | ';'));
    if text.len() > 80 || !text.bytes().next()?.is_ascii_hexdigit() && !text.starts_with(['[', ':']) {
        return None;
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(Address { ip: unmapped(ip), port: None });
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Some(Address { ip: unmapped(socket.ip()), port: Some(socket.port()) });
    }
    if let Some(inner) = text.strip_prefix('[') {
        let (inner, rest) = inner.split_once(']')?;
        let ip = without_zone(inner).parse().ok()?;
        let port = match rest {
            "" => None,
            rest => Some(rest.strip_prefix(':')?.parse().ok()?),
        };
        return Some(Address { ip: unmapped(ip), port });
    }
    if let Some((ip, port)) = text.strip_suffix(')').and_then(|t| t.split_once('(')) {
        return Some(Address { ip: unmapped(ip.parse().ok()?), port: Some(port.parse().ok()?) });
    }
    if let Some((ip, "32" | "128")) = text.split_once('/') {
        return Some(Address { ip: unmapped(ip.parse().ok()?), port: None });
    }
    let ip = without_zone(text).parse().ok()?;
    Some(Address { ip: unmapped(ip), port: None })
}

fn without_zone(text: &str) -> &str {
    text.split_once('%').map_or(text, |(ip, _)| ip)
}

/// An IPv4 address that was written as IPv6 is the IPv4 address: people search for that one.
fn unmapped(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_with_and_without_ports() {
        for (text, ip, port) in [
            ("10.0.0.1", "10.0.0.1", None),
            ("172.19.0.2:34204", "172.19.0.2", Some(34204)),
            ("[2001:db8::1]:65123", "2001:db8::1", Some(65123)),
            ("[2001:db8:feed:face:c0ff:eeb0:baf00:00d]:65123", "", None),
            ("[::1]", "::1", None),
            ("::ffff:192.168.1.1", "192.168.1.1", None),
            ("[::ffff:192.168.1.1]:22", "192.168.1.1", Some(22)),
            ("fe80::1%eth0", "fe80::1", None),
            ("1.2.3.4(5432)", "1.2.3.4", Some(5432)),
            ("10.1.2.3/32", "10.1.2.3", None),
            ("1.1.1.1.1", "", None),
            ("example.com", "", None),
            ("", "", None),
            ("12", "", None),
        ] {
            let expected = ip.parse().ok().map(|ip| Address { ip, port });
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
