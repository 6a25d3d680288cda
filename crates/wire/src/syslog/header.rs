//! Reading one message, whatever it looks like.

use std::borrow::Cow;

use jiff::Timestamp;

use super::{Form, Syslog, structured, trim_end};
use crate::time;

/// Reads a message. Never fails: what has no header is [`Form::Text`]. What isn't UTF-8 is read as UTF-16 where a byte
/// order mark says so, else byte by byte as Latin-1; whoever keeps the record keeps the bytes.
pub fn parse(record: &[u8], received_at: Timestamp) -> Syslog<'_> {
    match text_of(record) {
        Cow::Borrowed(text) => parse_text(text, received_at),
        Cow::Owned(text) => parse_text(&text, received_at).into_owned(),
    }
}

/// The text of a record in whatever encoding it is.
pub(crate) fn text_of(record: &[u8]) -> Cow<'_, str> {
    let wide: Option<fn([u8; 2]) -> u16> = match record {
        [0xff, 0xfe, ..] => Some(u16::from_le_bytes),
        [0xfe, 0xff, ..] => Some(u16::from_be_bytes),
        _ => None,
    };
    if let Some(read) = wide {
        let units = record.as_chunks::<2>().0.iter().skip(1).map(|pair| read(*pair));
        let text: String = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        return Cow::Owned(text.trim_end_matches(['\n', '\r', '\0']).to_owned());
    }
    let record = trim_end(record);
    match std::str::from_utf8(record) {
        Ok(text) => Cow::Borrowed(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(_) => {
            let mut text = String::with_capacity(record.len() + 16);
            for chunk in record.utf8_chunks() {
                text.push_str(chunk.valid());
                text.extend(chunk.invalid().iter().map(|byte| char::from(*byte)));
            }
            Cow::Owned(text)
        }
    }
}

fn parse_text(text: &str, received_at: Timestamp) -> Syslog<'_> {
    let (priority, rest) = match priority(text) {
        Some((priority, rest)) => (Some(priority), rest),
        None => (None, text),
    };
    if priority.is_some()
        && let Some(message) = rfc5424(rest, priority, received_at)
    {
        return message;
    }
    rfc3164(rest, priority, received_at).unwrap_or_else(|| Syslog {
        priority,
        form: if priority.is_some() { Form::Rfc3164 } else { Form::Text },
        ..Syslog::text(Cow::Borrowed(rest))
    })
}

/// `<34>`
fn priority(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.strip_prefix('<')?.split_once('>')?;
    if digits.is_empty() || digits.len() > 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: u8 = digits.parse().ok().filter(|n| *n <= 191)?;
    Some((number, rest))
}

/// `1 TIME HOST APP PROCID MSGID SD MSG`. `None`: this is not the new protocol.
fn rfc5424(text: &str, priority: Option<u8>, received_at: Timestamp) -> Option<Syslog<'_>> {
    let (version, rest) = word(text);
    if version.is_empty() || version.len() > 2 || !version.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (written, rest) = word(rest);
    let time = match written {
        "-" => None,
        // A time that can't be read makes the message no worse: its arrival stands in.
        written => time::read(written, received_at),
    };
    if time.is_none() && written != "-" && !written.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (host, rest) = word(rest);
    // Some vaults put their record right behind the host, where the application belongs.
    if ["CEF:", "LEEF:", "{"].iter().any(|format| rest.starts_with(format)) {
        let message = Syslog::text(Cow::Borrowed(rest));
        return Some(Syslog { form: Form::Rfc5424, priority, time, host: present(host), ..message });
    }
    let behind_host = rest;
    let (app, rest) = word(rest);
    let (process_id, rest) = word(rest);
    let (message_id, rest) = word(rest);
    let data = structured::read(rest);
    // Others write a tag with its colon there, as in RFC 3164, and their words behind it.
    if let (None, Some((app, process_id, message))) = (&data, tag(behind_host)) {
        let process_id = process_id.and_then(present);
        let message = Syslog { app: present(app), process_id, ..Syslog::text(Cow::Borrowed(message)) };
        return Some(Syslog { form: Form::Rfc5424, priority, time, host: present(host), ..message });
    }
    let (data, message) = data.unwrap_or((Vec::new(), rest));
    let message = message.strip_prefix(' ').unwrap_or(message);
    Some(Syslog {
        form: Form::Rfc5424,
        priority,
        time,
        host: present(host),
        app: present(app),
        process_id: present(process_id),
        message_id: present(message_id),
        data,
        message: Cow::Borrowed(message.strip_prefix('\u{feff}').unwrap_or(message)),
    })
}

/// `TIME HOST TAG: MSG`, where host, tag and even the time may be missing. `None` when neither a priority nor a time
/// says that this is syslog at all.
fn rfc3164(text: &str, priority: Option<u8>, received_at: Timestamp) -> Option<Syslog<'_>> {
    // Cisco marks a clock that is not synchronised with `*` or `.`, and may put a sequence number before it.
    let start = text.trim_start_matches(['*', '.', ' ']);
    let scanned = time::scan(start)
        .filter(|(_, rest)| rest.is_empty() || rest.starts_with([' ', ':']))
        .and_then(|(partial, rest)| Some((partial.near(received_at)?, rest)));
    let (time, rest) = match scanned {
        Some((time, rest)) => (Some(time), rest.trim_start_matches(':').trim_start_matches(' ')),
        None if priority.is_some() => (None, text),
        None => return None,
    };
    let mut message = Syslog { form: Form::Rfc3164, priority, time, ..Syslog::text(Cow::Borrowed(rest)) };
    if let Some((tag, pid, body)) = tag(rest) {
        // `logger` on the same machine leaves the host out.
        message.app = Some(Cow::Borrowed(tag));
        message.process_id = pid.map(Cow::Borrowed);
        message.message = Cow::Borrowed(body);
        return Some(message);
    }
    let (host, after) = word(rest);
    // Without a time there is no telling a host from the first word of a sentence; a colon or an address tells.
    let is_host = time.is_some() && is_host_name(host) && !after.is_empty();
    if !is_host {
        return priority.map(|_| message);
    }
    // Anybody may write a file of lines that start with a time; only a tag after the host shows that this is syslog.
    match tag(after) {
        Some((tag, pid, body)) => {
            message.app = Some(Cow::Borrowed(tag));
            message.process_id = pid.map(Cow::Borrowed);
            message.message = Cow::Borrowed(body);
        }
        None if priority.is_some() || carries_format(after) => message.message = Cow::Borrowed(after),
        None => return None,
    }
    message.host = Some(Cow::Borrowed(host));
    Some(message)
}

/// `sshd[123]: …` or `sudo: …`.
fn tag(text: &str) -> Option<(&str, Option<&str>, &str)> {
    if carries_format(text) {
        return None;
    }
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '@' | '%')))?;
    let (name, rest) = text.split_at_checked(end)?;
    if name.is_empty() || name.len() > 64 {
        return None;
    }
    let (pid, rest) = match rest.strip_prefix('[') {
        Some(inner) => {
            let (pid, rest) = inner.split_once(']')?;
            let fits = !pid.is_empty() && pid.len() <= 64 && pid.bytes().all(|b| b.is_ascii_graphic());
            (Some(fits.then_some(pid)?), rest)
        }
        None => (None, rest),
    };
    let body = match rest.strip_prefix(':') {
        Some(body) => body,
        // `app[1] message`: the brackets are proof enough.
        None if pid.is_some() && (rest.is_empty() || rest.starts_with(' ')) => rest,
        None => return None,
    };
    // `10:20:30` and `C:\…` are no tags.
    if pid.is_none() && !(body.is_empty() || body.starts_with(' ')) || name.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((name, pid, body.strip_prefix(' ').unwrap_or(body)))
}

/// Formats that travel inside syslog and start with something like a tag.
fn carries_format(text: &str) -> bool {
    text.starts_with("CEF:") || text.starts_with("LEEF:") || text.starts_with('{')
}

fn is_host_name(word: &str) -> bool {
    !word.is_empty()
        && word.len() <= 255
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'%') || b >= 0x80)
        && !word.ends_with(':')
}

fn word(text: &str) -> (&str, &str) {
    text.split_once(' ').unwrap_or((text, ""))
}

fn present(word: &str) -> Option<Cow<'_, str>> {
    (!word.is_empty() && word != "-").then_some(Cow::Borrowed(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Syslog<'_> {
        parse(text.as_bytes(), "2026-06-30T12:00:00Z".parse().unwrap())
    }

    /// form, time, host, app, pid, message
    fn check(text: &str, expected: (Form, &str, &str, &str, &str, &str)) {
        let m = parsed(text);
        let time = m.time.map(|t| t.to_string()).unwrap_or_default();
        let or_empty = |t: &Option<Cow<'_, str>>| t.as_deref().unwrap_or("").to_owned();
        let got = (m.form, time, or_empty(&m.host), or_empty(&m.app), or_empty(&m.process_id), m.message.as_ref());
        assert_eq!((got.0, got.1.as_str(), got.2.as_str(), got.3.as_str(), got.4.as_str(), got.5), expected, "{text}");
    }

    #[test]
    fn reads_rfc5424() {
        use Form::Rfc5424 as New;
        check(
            "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root' failed",
            (New, "2003-10-11T22:14:15.003Z", "mymachine.example.com", "su", "", "'su root' failed"),
        );
        check(
            "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time",
            (New, "2003-08-24T12:14:15.000003Z", "192.0.2.1", "myproc", "8710", "%% It's time"),
        );
        check("<0>1 - - - - - -", (New, "", "", "", "", ""));
        check("<14>1 - h a", (New, "", "h", "a", "", ""));
        check("<14>1 2026-99-01T00:00:00Z h a - - - m", (New, "", "h", "a", "", "m"));
        check(
            "<5>1 2026-01-02T03:04:05Z vault1 %CYBERARK: MessageID=\"295\";Issuer=\"ana\"",
            (New, "2026-01-02T03:04:05Z", "vault1", "%CYBERARK", "", "MessageID=\"295\";Issuer=\"ana\""),
        );
        check("<5>1 - h app[7]: two words", (New, "", "h", "app", "7", "two words"));
        check("<13>1 apple a day", (Form::Rfc3164, "", "", "", "", "1 apple a day"));
    }

    #[test]
    fn reads_structured_data() {
        let m = parsed(
            r#"<165>1 2003-10-11T22:14:15Z h evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="App\"li\\c\]ation"][x@1] msg"#,
        );
        assert_eq!(m.message_id.as_deref(), Some("ID47"));
        assert_eq!(m.parameter("exampleSDID@32473", "eventSource"), Some(r#"App"li\c]ation"#));
        assert_eq!((m.data.len(), m.message.as_ref()), (2, "msg"));
    }

    #[test]
    fn reads_structured_data_that_is_not_escaped() {
        let m = parsed(
            r#"<110>1 2026-01-02T03:04:05Z 10.0.0.1 Keeper - 77 [Keeper@Commander title="Bob's "best" [old] key" path="C:\temp" n="1"] said "hi" ] there"#,
        );
        assert_eq!(m.parameter("Keeper@Commander", "title"), Some(r#"Bob's "best" [old] key"#));
        assert_eq!(m.parameter("Keeper@Commander", "path"), Some(r"C:\temp"));
        assert_eq!(m.parameter("Keeper@Commander", "n"), Some("1"));
        assert_eq!(m.message, r#"said "hi" ] there"#);
        // Structured data that never ends stays in the message.
        let m = parsed(r#"<110>1 - - Keeper - 77 [Keeper@Commander title="never"#);
        assert_eq!(m.message, r#"[Keeper@Commander title="never"#);
    }

    #[test]
    fn reads_rfc3164() {
        use Form::Rfc3164 as Old;
        check(
            "<34>Oct 11 22:14:15 mymachine su: 'su root' failed",
            (Old, "2025-10-11T22:14:15Z", "mymachine", "su", "", "'su root' failed"),
        );
        check(
            "Feb 12 14:10:21 sd-126005 sshd[16378]: Invalid user x",
            (Old, "2026-02-12T14:10:21Z", "sd-126005", "sshd", "16378", "Invalid user x"),
        );
        check("Feb 8 17:15:01 h sshd-session[1]: m", (Old, "2026-02-08T17:15:01Z", "h", "sshd-session", "1", "m"));
        check(
            "2023-11-14T00:20:42.738197+01:00 myserver sshd[1112652]: User root",
            (Old, "2023-11-13T23:20:42.738197Z", "myserver", "sshd", "1112652", "User root"),
        );
        check("<13>Jun 30 11:59:59 root: hello", (Old, "2026-06-30T11:59:59Z", "", "root", "", "hello"));
        check("<13>Jun 30 11:59:59 web1 hello world", (Old, "2026-06-30T11:59:59Z", "web1", "", "", "hello world"));
        check("<13>su: hello", (Old, "", "", "su", "", "hello"));
        check("<13>hello world", (Old, "", "", "", "", "hello world"));
        check(
            "<13>Jun 30 11:59:59 fw CEF:0|V|P|1|2|n|3|src=1.2.3.4",
            (Old, "2026-06-30T11:59:59Z", "fw", "", "", "CEF:0|V|P|1|2|n|3|src=1.2.3.4"),
        );
        check(
            "<190>Jan  2 2026 03:04:05: %ASA-6-113004: AAA ok",
            (Old, "2026-01-02T03:04:05Z", "", "%ASA-6-113004", "", "AAA ok"),
        );
    }

    #[test]
    fn what_is_no_syslog_is_text() {
        check("", (Form::Text, "", "", "", "", ""));
        check("hello: world", (Form::Text, "", "", "", "", "hello: world"));
        check("<999>hello", (Form::Text, "", "", "", "", "<999>hello"));
        check("{\"a\":1}\r\n", (Form::Text, "", "", "", "", "{\"a\":1}"));
        check(
            "2023-05-25 22:24:19,357 WARN  [org.key] (x) type=LOGIN_ERROR",
            (Form::Text, "", "", "", "", "2023-05-25 22:24:19,357 WARN  [org.key] (x) type=LOGIN_ERROR"),
        );
    }

    #[test]
    fn other_encodings_are_read() {
        let message = |record: &[u8]| parse(record, Timestamp::UNIX_EPOCH).message.into_owned();
        assert_eq!(message(b"<13>caf\xe9 cr\xe8me \xc3\xa9"), "café crème é");
        let text = "<13>su: жур\r\n";
        let wide = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
            std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(order).collect()
        };
        assert_eq!(message(&wide(u16::to_le_bytes)), "жур");
        assert_eq!(message(&wide(u16::to_be_bytes)), "жур");
        assert_eq!(message(b"\xff\xfe"), "");
        assert_eq!(message(b"\xff\xfe\x00"), "");
    }
}
