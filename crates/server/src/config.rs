//! `belfry.toml`: what must be known before the state opens. Everything else is state, changed at run time.
//!
//! Each key has a default; a key nobody knows is refused. `BELFRY_<SECTION>_<KEY>` in the environment wins over the
//! file, a flag wins over both. `docs/configuration.md` is made from the comments below.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::keep::retention_period;

/// One key of the file, as the manual shows it.
pub struct Key {
    /// Empty for the keys above the first section.
    pub section: &'static str,
    pub name: &'static str,
    pub about: &'static [&'static str],
}

/// Declares a section: a struct, its defaults, and the list of its keys, from one place.
macro_rules! section {
    (
        $(#[doc = $title:literal])*
        pub struct $name:ident in $section:literal, keys $keys:ident {
            $( $(#[doc = $about:literal])* pub $key:ident: $type:ty = $default:expr, )*
        } $( sections { $( pub $sub:ident: $subtype:ty, )* } )?
    ) => {
        $(#[doc = $title])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $( $(#[doc = $about])* pub $key: $type, )*
            $( $( #[allow(missing_docs)] pub $sub: $subtype, )* )?
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $key: $default, )* $( $( $sub: <$subtype>::default(), )* )? }
            }
        }

        const $keys: &[Key] = &[
            $( Key { section: $section, name: stringify!($key), about: &[$($about),*] }, )*
        ];
    };
}

section! {
    /// The whole file.
    pub struct Config in "", keys ROOT_KEYS {
        /// The data folder: trail, index, state and keys. One server at a time.
        pub data: PathBuf = PathBuf::from("belfry-data"),
        /// Address and port of the console and the API.
        pub listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 7400)),
        /// Where people reach this server, without a slash at the end. Links in messages begin with it, and the
        /// session cookie is marked `Secure` when it begins with `https`. Not set: made from `listen`.
        pub public_url: Option<String> = None,
        /// Addresses or networks of reverse proxies whose `X-Forwarded-For` is believed.
        pub trusted_proxies: Vec<String> = Vec::new(),
        /// Hours between two checks of the whole trail by the server itself, over restarts; a trail that is read
        /// within seconds is also checked at each start. 0 turns them off.
        pub self_check_hours: u64 = 24,
    } sections {
        pub tls: Tls,
        pub syslog: Syslog,
        pub inputs: Inputs,
        pub elasticsearch: Elasticsearch,
        pub witness: Witness,
        pub limits: Limits,
        pub retention: Retention,
        pub backup: Backup,
        pub log: Log,
    }
}

section! {
    /// TLS of the console and the API. Both keys or none.
    pub struct Tls in "tls", keys TLS_KEYS {
        /// PEM file with the certificate and its chain.
        pub certificate: Option<PathBuf> = None,
        /// PEM file with the private key.
        pub key: Option<PathBuf> = None,
    }
}

section! {
    /// Where syslog is listened for. A transport without an address is off.
    pub struct Syslog in "syslog", keys SYSLOG_KEYS {
        /// Address and port for UDP, `0.0.0.0:5514`.
        pub udp: Option<SocketAddr> = None,
        /// Address and port for TCP; octet counting and newline framing are told apart by themselves.
        pub tcp: Option<SocketAddr> = None,
        /// Address and port for TLS (RFC 5425), `0.0.0.0:6514`. Needs `certificate` and `key`.
        pub tls: Option<SocketAddr> = None,
        /// Address and port for RELP, `0.0.0.0:2514`; a message is acknowledged when it is on disk.
        pub relp: Option<SocketAddr> = None,
        /// Address and port for RELP with TLS. Needs `certificate` and `key`.
        pub relp_tls: Option<SocketAddr> = None,
        /// PEM file with the certificate and its chain for `tls` and `relp_tls`. Read again when it changes.
        pub certificate: Option<PathBuf> = None,
        /// PEM file with the private key. Read again when it changes.
        pub key: Option<PathBuf> = None,
        /// PEM file with the authorities that sign the certificates of clients. Not set: clients need none.
        pub client_authority: Option<PathBuf> = None,
        /// `required` turns clients without a certificate of these authorities away, `optional` takes them. The subject
        /// of the certificate is kept in `tls.client.subject`.
        pub client_certificate: ClientCertificate = ClientCertificate::Required,
        /// Connections at the same time, over TCP, TLS and RELP together; more wait until one of them is closed.
        pub connections_max: usize = 12_000,
        /// A connection that sends nothing for so long is closed.
        pub idle_seconds: u64 = 3_600,
    }
}

section! {
    /// What Belfry reads by itself. Which inputs there are is changed at run time.
    pub struct Inputs in "inputs", keys INPUTS_KEYS {
        /// Folders below which inputs may read files and journals. None: inputs read no files.
        pub folders: Vec<PathBuf> = Vec::new(),
        /// The program that reads the journal.
        pub journalctl: PathBuf = PathBuf::from("journalctl"),
    }
}

section! {
    /// What clients of Elasticsearch are told, whose `_bulk` is understood.
    pub struct Elasticsearch in "elasticsearch", keys ELASTICSEARCH_KEYS {
        /// The version that is given out: some shippers refuse one that is older than they are.
        pub version: String = "9.0.0".to_owned(),
    }
}

section! {
    /// How witnesses are asked to cosign checkpoints. Who they are is a setting, changed at run time.
    pub struct Witness in "witness", keys WITNESS_KEYS {
        /// Seconds between two rounds in which every witness is asked.
        pub interval_seconds: u64 = 60,
        /// A witness that gave no cosignature for so many seconds is lost, which is an event.
        pub lost_seconds: u64 = 3_600,
    }
}

section! {
    /// Bounds. Each is there so that no sender and no reader can take the server down.
    pub struct Limits in "limits", keys LIMITS_KEYS {
        /// Bytes of one request body of events, after decompression.
        pub body_bytes_max: usize = 64 << 20,
        /// Events that wait to be written, in bytes; beyond it senders are told to wait (429).
        pub queue_bytes_max: usize = 256 << 20,
        /// HTTP connections at the same time.
        pub connections_max: usize = 4_096,
        /// Seconds a client may take to send the head of a request.
        pub header_seconds: u64 = 15,
        /// Seconds until a request must have been answered (streams and downloads: begun).
        pub request_seconds: u64 = 120,
        /// Seconds for which open requests are waited for when the server stops.
        pub stop_seconds: u64 = 20,
        /// Minutes without a request after which a session ends.
        pub session_idle_minutes: i64 = 8 * 60,
        /// Hours after which a session ends in any case.
        pub session_hours: i64 = 7 * 24,
    }
}

section! {
    /// What no policy may undercut. The policies themselves are set in the console or with `belfry retention`.
    pub struct Retention in "retention", keys RETENTION_KEYS {
        /// No policy may keep events for less: one number and one unit (`s`, `m`, `h`, `d`, `w`, `y`).
        pub floor: String = "1d".to_owned(),
    }
}

section! {
    /// Backups. When they are made, and for which key, is set at run time.
    pub struct Backup in "backup", keys BACKUP_KEYS {
        /// Folder of the backups, of this server alone; on another disk it is of more use. Not set: `backups` in the
        /// data folder.
        pub folder: Option<PathBuf> = None,
    }
}

section! {
    /// What the server says of itself, on standard error.
    pub struct Log in "log", keys LOG_KEYS {
        /// `error`, `warn`, `info`, `debug`, or directives such as `info,server::notify=debug`.
        pub level: String = "info".to_owned(),
        /// `text` for people, `json` for machines.
        pub format: LogFormat = LogFormat::Text,
    }
}

/// Whether clients of syslog over TLS must have a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificate {
    Required,
    Optional,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// Why the configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("can't read {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path}: {reason}")]
    Parse { path: PathBuf, reason: String },
    #[error("{variable} in the environment: {reason}")]
    Environment { variable: String, reason: String },
    #[error("{key}: {reason}")]
    Invalid { key: &'static str, reason: String },
}

/// What flags say; they win over everything.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    pub data: Option<PathBuf>,
    pub listen: Option<SocketAddr>,
    pub public_url: Option<String>,
    pub syslog_udp: Option<SocketAddr>,
    pub syslog_tcp: Option<SocketAddr>,
}

impl Config {
    /// Reads `file` (or `belfry.toml` in the data folder or here, where there is one), then the environment, then the flags.
    pub fn load(
        file: Option<&Path>,
        environment: impl Fn(&str) -> Option<String>,
        flags: &Flags,
    ) -> Result<Self, Error> {
        // A folder that was named brings its own file; else the one here counts.
        let beside = flags.data.clone().or_else(|| environment("BELFRY_DATA").map(PathBuf::from));
        let usual = [beside.map(|data| data.join("belfry.toml")), Some(PathBuf::from("belfry.toml"))];
        let path = match file {
            Some(path) => Some(path.to_path_buf()),
            None => usual.into_iter().flatten().find(|path| path.is_file()),
        };
        let table = match &path {
            Some(path) => {
                let text =
                    std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.clone(), source })?;
                read_table(&text).map_err(|reason| Error::Parse { path: path.clone(), reason })?
            }
            None => toml::Table::new(),
        };
        let mut config = with_environment(table, environment)?;
        if let Some(data) = &flags.data {
            config.data.clone_from(data);
        }
        if let Some(listen) = flags.listen {
            config.listen = listen;
        }
        if flags.public_url.is_some() {
            config.public_url.clone_from(&flags.public_url);
        }
        config.syslog.udp = flags.syslog_udp.or(config.syslog.udp);
        config.syslog.tcp = flags.syslog_tcp.or(config.syslog.tcp);
        config.check()?;
        Ok(config)
    }

    /// Where people reach this server, without a slash at the end.
    pub fn public_url(&self) -> String {
        match &self.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => {
                let scheme = if self.tls.certificate.is_some() { "https" } else { "http" };
                let host = match self.listen.ip() {
                    ip if ip.is_unspecified() => "localhost".to_owned(),
                    IpAddr::V6(ip) => format!("[{ip}]"),
                    IpAddr::V4(ip) => ip.to_string(),
                };
                format!("{scheme}://{host}:{}", self.listen.port())
            }
        }
    }

    /// Whether browsers reach us encrypted, so that the cookie may say `Secure`.
    pub fn is_https(&self) -> bool {
        self.public_url().starts_with("https://")
    }

    /// The networks of `trusted_proxies`.
    pub fn proxies(&self) -> Vec<IpNet> {
        self.trusted_proxies.iter().filter_map(|text| network(text)).collect()
    }

    fn check(&self) -> Result<(), Error> {
        let invalid = |key, reason: &str| Err(Error::Invalid { key, reason: reason.to_owned() });
        if let Some(url) = &self.public_url {
            let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
            if !rest.is_some_and(|rest| !rest.trim_end_matches('/').is_empty() && !rest.contains(char::is_whitespace)) {
                return invalid("public_url", "must begin with http:// or https:// and name a host");
            }
        }
        if let Some(text) = self.trusted_proxies.iter().find(|text| network(text).is_none()) {
            return invalid("trusted_proxies", &format!("{text} is neither an address nor a network"));
        }
        if self.tls.certificate.is_some() != self.tls.key.is_some() {
            return invalid("tls", "certificate and key go together, one of them is missing");
        }
        let syslog = &self.syslog;
        if syslog.certificate.is_some() != syslog.key.is_some() {
            return invalid("syslog", "certificate and key go together, one of them is missing");
        }
        if (syslog.tls.is_some() || syslog.relp_tls.is_some()) && syslog.certificate.is_none() {
            return invalid("syslog", "tls and relp_tls need certificate and key");
        }
        if let Some(folder) = self.inputs.folders.iter().find(|folder| !folder.is_absolute()) {
            return invalid("inputs.folders", &format!("{} must begin with /", folder.display()));
        }
        let limits = &self.limits;
        for (key, value) in [
            ("limits.header_seconds", limits.header_seconds),
            ("limits.request_seconds", limits.request_seconds),
            ("witness.interval_seconds", self.witness.interval_seconds),
            ("witness.lost_seconds", self.witness.lost_seconds),
            ("limits.session_idle_minutes", u64::try_from(limits.session_idle_minutes).unwrap_or(0)),
            ("limits.session_hours", u64::try_from(limits.session_hours).unwrap_or(0)),
            ("limits.connections_max", limits.connections_max as u64),
            ("syslog.connections_max", self.syslog.connections_max as u64),
        ] {
            if value == 0 {
                return invalid(key, "must be more than 0");
            }
        }
        if let Err(reason) = retention_period::seconds(&self.retention.floor) {
            return invalid("retention.floor", &reason);
        }
        let version = &self.elasticsearch.version;
        let parts: Vec<&str> = version.split('.').collect();
        if parts.len() != 3 || parts.iter().any(|part| part.parse::<u16>().is_err()) {
            return invalid("elasticsearch.version", &format!("{version:?} is no version such as 9.0.0"));
        }
        if limits.body_bytes_max < 65_536 {
            return invalid(
                "limits.body_bytes_max",
                "one event may have 65535 bytes, so less than 65536 makes no sense",
            );
        }
        if limits.queue_bytes_max < limits.body_bytes_max {
            return invalid(
                "limits.queue_bytes_max",
                "must be at least limits.body_bytes_max, or a full body never fits",
            );
        }
        Ok(())
    }
}

/// All keys in the order of the manual.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    [
        ROOT_KEYS,
        TLS_KEYS,
        SYSLOG_KEYS,
        ELASTICSEARCH_KEYS,
        INPUTS_KEYS,
        WITNESS_KEYS,
        LIMITS_KEYS,
        RETENTION_KEYS,
        BACKUP_KEYS,
        LOG_KEYS,
    ]
    .into_iter()
    .flatten()
}

/// The manual page, from the comments of this file.
pub fn manual() -> String {
    let defaults = toml::Table::try_from(Config::default()).unwrap_or_default();
    let mut page = String::from(
        "# Configuration\n\n\
         `belfry.toml` is read from the data folder that `--data` names, else from the working folder, or from the file `--config` names. \
         Every key has a default. A key nobody knows is an error. `belfry config check` says whether a file can be used \
         and prints what it comes to.\n\n\
         An environment variable wins over the file, a flag wins over both. Everything that is not on this page is \
         changed at run time, in the console or with the command line, and is audited.\n\n\
         <!-- Made from crates/server/src/config.rs: UPDATE_EXPECT=1 cargo test --release -p server config -->\n",
    );
    let mut section = None;
    for key in keys() {
        if section != Some(key.section) {
            section = Some(key.section);
            if key.section.is_empty() {
                page.push_str("\n## Above the first section\n");
            } else {
                page.push_str(&format!("\n## [{}]\n", key.section));
            }
        }
        let place = if key.section.is_empty() {
            Some(&defaults)
        } else {
            defaults.get(key.section).and_then(toml::Value::as_table)
        };
        let default = match place.and_then(|table| table.get(key.name)) {
            Some(value) => format!("`{value}`"),
            None => "not set".to_owned(),
        };
        let about: Vec<&str> = key.about.iter().map(|line| line.trim()).collect();
        page.push_str(&format!(
            "\n### `{}`\n\n{}\n\nDefault: {default}. Environment: `{}`.\n",
            key.name,
            about.join(" "),
            variable(key)
        ));
    }
    page
}

fn variable(key: &Key) -> String {
    let section = if key.section.is_empty() { String::new() } else { format!("{}_", key.section) };
    format!("BELFRY_{section}{}", key.name).to_uppercase()
}

fn read_table(text: &str) -> Result<toml::Table, String> {
    // Read into the struct first: only this way an error names its line.
    toml::from_str::<Config>(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    text.parse().map_err(|error: toml::de::Error| error.to_string())
}

fn with_environment(mut table: toml::Table, environment: impl Fn(&str) -> Option<String>) -> Result<Config, Error> {
    for key in keys() {
        let variable = variable(key);
        let Some(text) = environment(&variable) else { continue };
        // `7`, `true` and `["a"]` mean what they mean in the file; everything else is a text without its quotes.
        let value = format!("v = {text}")
            .parse::<toml::Table>()
            .ok()
            .and_then(|mut table| table.remove("v"))
            .unwrap_or_else(|| toml::Value::String(text.clone()));
        let place = if key.section.is_empty() {
            &mut table
        } else {
            let section = table.entry(key.section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            section.as_table_mut().ok_or_else(|| Error::Environment {
                variable: variable.clone(),
                reason: format!("{} is not a section in the file", key.section),
            })?
        };
        let before = place.insert(key.name.to_owned(), value);
        if let Err(error) = table.clone().try_into::<Config>() {
            drop(before);
            return Err(Error::Environment { variable, reason: error.message().to_owned() });
        }
    }
    table.try_into().map_err(|error: toml::de::Error| Error::Invalid { key: "belfry.toml", reason: error.to_string() })
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)], flags: &Flags) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("belfry.toml");
        std::fs::write(&path, text).unwrap();
        let variables = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Config::load(Some(&path), variables, flags).map_err(|error| error.to_string())
    }

    #[test]
    fn file_then_environment_then_flags() {
        let config = load(
            "listen = '127.0.0.1:1'\n[syslog]\nudp = '127.0.0.1:2'\n[limits]\nrequest_seconds = 9",
            &[
                ("BELFRY_LISTEN", "127.0.0.1:3"),
                ("BELFRY_LIMITS_REQUEST_SECONDS", "10"),
                ("BELFRY_PUBLIC_URL", "https://a.example"),
            ],
            &Flags { listen: Some("127.0.0.1:4".parse().unwrap()), ..Flags::default() },
        )
        .unwrap();
        assert_eq!(config.listen.port(), 4);
        assert_eq!(config.limits.request_seconds, 10);
        assert_eq!(config.syslog.udp.unwrap().port(), 2);
        assert_eq!(config.public_url(), "https://a.example");
        assert!(config.is_https());
    }

    #[test]
    fn what_cant_be_used_is_named() {
        for (text, wanted) in [
            ("lisen = 'x'", "lisen"),
            ("[limits]\nbody = 1", "body"),
            ("listen = 7", "listen"),
            ("public_url = 'belfry.example'", "public_url"),
            ("[tls]\ncertificate = 'a.pem'", "key"),
            ("trusted_proxies = ['ten']", "ten"),
            ("[limits]\nrequest_seconds = 0", "request_seconds"),
            ("listen = ", "line 1"),
        ] {
            let error = load(text, &[], &Flags::default()).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
        let error = load("", &[("BELFRY_LISTEN", "nowhere")], &Flags::default()).unwrap_err();
        assert!(error.contains("BELFRY_LISTEN"), "{error}");
    }

    #[test]
    fn the_manual_says_what_the_code_says() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, manual()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == manual(),
            "docs/configuration.md is stale: UPDATE_EXPECT=1 cargo test --release -p server config"
        );
    }
}
