//! The guard of every connection this server opens by itself.
//!
//! Whoever may edit a channel chooses an address that *the server* then talks to. So that this can't be turned
//! against the inside, loopback, private, link-local and similar targets are refused unless an administrator
//! allowed them by name in the settings; and the address that was checked is the address that is used, so that a
//! name that changes its mind between check and use gains nothing. Redirects are not followed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use parking_lot::RwLock;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a target isn't talked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{target} is no web address: {reason}")]
    Url { target: String, reason: String },
    #[error("{host} can't be resolved: {reason}")]
    Resolve { host: String, reason: String },
    #[error(
        "{host} is {address}, {what}, and such targets are refused; an administrator can allow it by adding \"{host}\" to outgoing_allow in the settings"
    )]
    Refused { host: String, address: IpAddr, what: &'static str },
    #[error("can't make the connection: {reason}")]
    Client { reason: String },
}

/// Checks targets against what is allowed. Cheap to clone; all clones see a change of the settings at once.
#[derive(Debug, Clone, Default)]
pub struct Outgoing(Arc<RwLock<Allowed>>);

#[derive(Debug, Default)]
struct Allowed {
    names: Vec<String>,
    networks: Vec<IpNet>,
}

impl Outgoing {
    /// Takes over the setting `outgoing_allow`: names, addresses and networks.
    pub fn allow(&self, lines: &[String]) {
        let mut allowed = Allowed::default();
        for line in lines {
            match parse_line(line) {
                Some(Line::Network(network)) => allowed.networks.push(network),
                Some(Line::Name(name)) => allowed.names.push(name),
                None => {}
            }
        }
        *self.0.write() = allowed;
    }

    /// Whether a line of `outgoing_allow` can be understood.
    pub fn is_line(line: &str) -> bool {
        parse_line(line).is_some()
    }

    /// Resolves `host` and answers only addresses that may be talked to. Connect to one of these, not to the name.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
        let bare = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        let addresses: Vec<IpAddr> = match bare.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => {
                let failed = |reason: String| Error::Resolve { host: bare.to_owned(), reason };
                let found = tokio::time::timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host((bare, port)))
                    .await
                    .map_err(|_| failed("no answer in time".to_owned()))?
                    .map_err(|error| failed(error.to_string()))?;
                found.map(|address| address.ip()).collect()
            }
        };
        if addresses.is_empty() {
            return Err(Error::Resolve { host: bare.to_owned(), reason: "it has no address".to_owned() });
        }
        // One forbidden address among good ones is a trap, not a coincidence: refuse the name as a whole.
        for address in &addresses {
            self.check(bare, *address)?;
        }
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    /// A client for this one URL, tied to the addresses that were checked.
    pub async fn client(&self, url: &str) -> Result<reqwest::Client, Error> {
        let bad = |reason: String| Error::Url { target: redact(url), reason };
        let parsed = reqwest::Url::parse(url).map_err(|error| bad(error.to_string()))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(bad("only http and https are spoken".to_owned()));
        }
        let host = parsed.host_str().ok_or_else(|| bad("it names no host".to_owned()))?;
        let port = parsed.port_or_known_default().ok_or_else(|| bad("it names no port".to_owned()))?;
        let addresses = self.resolve(host, port).await?;
        reqwest::Client::builder()
            // For an address written as such nothing is resolved; it was checked above just the same.
            .resolve_to_addrs(host, &addresses)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            // A proxy from the environment would connect somewhere else than what was checked.
            .no_proxy()
            .user_agent(concat!("Belfry/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::Client { reason: error.to_string() })
    }

    fn check(&self, host: &str, address: IpAddr) -> Result<(), Error> {
        let Some(what) = inside(address) else { return Ok(()) };
        let allowed = self.0.read();
        let plain = canonical(address);
        if allowed.names.iter().any(|name| name.eq_ignore_ascii_case(host))
            || allowed.networks.iter().any(|network| network.contains(&plain) || network.contains(&address))
        {
            return Ok(());
        }
        Err(Error::Refused { host: host.to_owned(), address, what })
    }
}

/// What kind of inside `address` is; `None` for an address of the public internet.
pub fn inside(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => inside_v4(address),
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(inner) => inside_v4(inner),
            None => inside_v6(address),
        },
    }
}

fn inside_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (0, ..) => Some("an address of this host"),
        (127, ..) => Some("a loopback address"),
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => Some("a private address"),
        (100, 64..=127, _) => Some("an address shared by a carrier"),
        (169, 254, _) => Some("a link-local address, where clouds keep their metadata"),
        (192, 0, 0) | (192, 0, 2) | (198, 51, 100) | (203, 0, 113) | (192, 88, 99) => Some("a reserved address"),
        (198, 18..=19, _) => Some("an address for benchmarks"),
        // Azure answers its virtual machines from this public-looking address.
        (168, 63, 129) if address == Ipv4Addr::new(168, 63, 129, 16) => Some("the metadata address of a cloud"),
        (224..=239, ..) => Some("a multicast address"),
        (240..=255, ..) => Some("a reserved address"),
        _ => None,
    }
}

fn inside_v6(address: Ipv6Addr) -> Option<&'static str> {
    let [first, second, ..] = address.segments();
    if address.is_unspecified() {
        return Some("an address of this host");
    }
    if address.is_loopback() {
        return Some("a loopback address");
    }
    match first {
        0xfc00..=0xfdff => Some("a unique-local address"),
        0xfe80..=0xfebf => Some("a link-local address"),
        0xfec0..=0xfeff => Some("a site-local address"),
        0xff00..=0xffff => Some("a multicast address"),
        0x2001 if second == 0xdb8 => Some("a reserved address"),
        0x2001 if second == 0 => Some("a tunnel address (Teredo)"),
        0x3fff if second < 0x1000 => Some("a reserved address"),
        0x0100 if second == 0 => Some("a discard address"),
        0x5f00 => Some("a reserved address"),
        // What is left of ::/8 after the embedded forms has no public use.
        0x0000..=0x00ff => Some("a reserved address"),
        _ => None,
    }
}

/// The IPv4 address inside an IPv6 one: mapped, compatible, translated, NAT64 (well-known and local), 6to4, ISATAP.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let join = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => Some(join(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 1, _, _, _, high, low] => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => Some(join(high, low)),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 || low > 1 => Some(join(high, low)),
        _ => None,
    }
}

fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(inner) => embedded_v4(inner).map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

enum Line {
    Network(IpNet),
    Name(String),
}

fn parse_line(line: &str) -> Option<Line> {
    let text = line.trim();
    if let Ok(network) = text.parse::<IpNet>() {
        return Some(Line::Network(network));
    }
    if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Some(Line::Network(IpNet::from(address)));
    }
    let name = text.trim_end_matches('.');
    let named = !name.is_empty()
        && name.len() <= 253
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
        && name.chars().any(|c| c.is_ascii_alphabetic());
    named.then(|| Line::Name(name.to_ascii_lowercase()))
}

/// A URL without what may be secret in it: user, path and query.
fn redact(url: &str) -> String {
    match reqwest::Url::parse(url) {
        Ok(parsed) => format!("{}://{}/…", parsed.scheme(), parsed.host_str().unwrap_or("?")),
        Err(_) => "the address".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_inside_is_known() {
        for text in [
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "168.63.129.16",
            "192.0.0.192",
            "198.18.0.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::",
            "::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "100::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "::10.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::10.0.0.1",
            "2002:7f00:1::",
            "2002:0a00:0001::1",
            "2a00::5efe:10.0.0.1",
            "5f00::1",
        ] {
            assert!(inside(text.parse().unwrap()).is_some(), "{text} must be refused");
        }
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "169.253.0.1",
            "192.167.1.1",
            "168.63.129.17",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert_eq!(inside(text.parse().unwrap()), None, "{text} is public");
        }
    }

    #[tokio::test]
    async fn what_is_refused_says_how_to_allow_it_and_then_is_allowed() {
        let outgoing = Outgoing::default();
        let error = outgoing.client("http://127.0.0.1:9/hook").await.unwrap_err();
        assert!(error.to_string().contains("outgoing_allow"), "{error}");
        for url in [
            "http://localhost:9/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://169.254.169.254/latest",
            "http://user@10.0.0.1/",
            "http://127.0.0.1./",
        ] {
            assert!(matches!(outgoing.client(url).await, Err(Error::Refused { .. })), "{url}");
        }
        assert!(matches!(outgoing.client("ftp://example.org/").await, Err(Error::Url { .. })));
        assert!(matches!(outgoing.client("nonsense").await, Err(Error::Url { .. })));

        outgoing.allow(&["127.0.0.0/8".to_owned(), "LOCALHOST".to_owned(), "::1".to_owned()]);
        for url in ["http://127.0.0.1:9/hook", "http://localhost:9/", "http://[::1]/", "http://[::ffff:127.0.0.1]/"] {
            assert!(outgoing.client(url).await.is_ok(), "{url}");
        }
        assert!(outgoing.client("http://10.0.0.1/").await.is_err());
        assert_eq!(outgoing.resolve("127.0.0.1", 25).await.unwrap(), ["127.0.0.1:25".parse().unwrap()]);
    }

    #[test]
    fn an_error_tells_no_secret() {
        let text = Error::Url { target: redact("https://hooks.example/T000/SECRET?sig=abc"), reason: String::new() }
            .to_string();
        assert!(!text.contains("SECRET") && !text.contains("abc"), "{text}");
    }

    #[test]
    fn lines_of_the_setting() {
        for line in ["10.0.0.5", "10.0.0.0/8", "mail.internal", "fd00::/8", "[::1]", "localhost"] {
            assert!(Outgoing::is_line(line), "{line}");
        }
        for line in ["", "10.0.0.5:25", "http://x", "*", "10.0.0.0/99", "300.1.1.1"] {
            assert!(!Outgoing::is_line(line), "{line}");
        }
    }
}
