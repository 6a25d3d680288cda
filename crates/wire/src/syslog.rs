//! Syslog: cutting a TCP stream into messages, and reading a message.
//!
//! Both standards (RFC 5424, RFC 3164) are read leniently: whatever arrives gives a message, at worst one whose text is
//! the whole line.

mod framer;
mod header;
mod relp;
mod structured;

use std::borrow::Cow;

use jiff::Timestamp;

pub use framer::{FrameError, FrameFault, Framer};
pub use header::parse;
pub(crate) use header::text_of;
pub use relp::{RelpError, RelpFrame, RelpReader};

/// The longest message that is taken by default; RFC 5424 asks receivers for at least 2,048 bytes.
pub const MESSAGE_BYTES_MAX: usize = 65_535;

/// The port-less forms a message can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `<PRI>1 TIME HOST APP PROCID MSGID SD MSG`
    Rfc5424,
    /// `<PRI>Mmm dd hh:mm:ss HOST TAG: MSG`, and all that resembles it.
    Rfc3164,
    /// No header that could be recognised: the text is all there is.
    Text,
}

/// One syslog message.
#[derive(Debug, Clone, PartialEq)]
pub struct Syslog<'a> {
    pub form: Form,
    /// Facility × 8 + severity, 0 to 191.
    pub priority: Option<u8>,
    pub time: Option<Timestamp>,
    pub host: Option<Cow<'a, str>>,
    pub app: Option<Cow<'a, str>>,
    pub process_id: Option<Cow<'a, str>>,
    pub message_id: Option<Cow<'a, str>>,
    pub data: Vec<Element<'a>>,
    pub message: Cow<'a, str>,
}

/// An element of structured data: `[id name="value" …]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Element<'a> {
    pub id: Cow<'a, str>,
    pub parameters: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Syslog<'a> {
    /// A message that is nothing but text.
    pub fn text(message: Cow<'a, str>) -> Self {
        Self {
            form: Form::Text,
            priority: None,
            time: None,
            host: None,
            app: None,
            process_id: None,
            message_id: None,
            data: Vec::new(),
            message,
        }
    }

    pub fn facility(&self) -> Option<&'static str> {
        const NAMES: [&str; 24] = [
            "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
            "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
            "local7",
        ];
        NAMES.get(usize::from(self.priority? / 8)).copied()
    }

    pub fn severity(&self) -> Option<&'static str> {
        const NAMES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
        NAMES.get(usize::from(self.priority? % 8)).copied()
    }

    /// A parameter of the structured data, by the id of its element and its name.
    pub fn parameter(&self, id: &str, name: &str) -> Option<&str> {
        let element = self.data.iter().find(|e| e.id == id)?;
        element.parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_ref())
    }

    pub fn into_owned(self) -> Syslog<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned::<'static, str>(text.into_owned());
        Syslog {
            form: self.form,
            priority: self.priority,
            time: self.time,
            host: self.host.map(own),
            app: self.app.map(own),
            process_id: self.process_id.map(own),
            message_id: self.message_id.map(own),
            data: self
                .data
                .into_iter()
                .map(|e| Element {
                    id: own(e.id),
                    parameters: e.parameters.into_iter().map(|(n, v)| (own(n), own(v))).collect(),
                })
                .collect(),
            message: own(self.message),
        }
    }
}

/// Takes line ends and NUL bytes off the end of a datagram or a line.
pub fn trim_end(mut record: &[u8]) -> &[u8] {
    while let Some((b'\n' | b'\r' | 0, rest)) = record.split_last() {
        record = rest;
    }
    record
}
