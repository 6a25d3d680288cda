//! Email: one message to one address, as HTML and plain text, over SMTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment as Attached, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use minijinja::{Environment, context};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::bounded::Bounded;
use super::{Cause, Parcel};
use crate::notify::text::{cut, one_line};
use crate::state::channels::{Email, Security};
use crate::state::deliveries::Message;

const SUBJECT_CHARS_MAX: usize = 200;
/// The whole conversation. A server that lets a byte drip every second does not hold a worker longer.
const CONVERSATION_MAX: Duration = Duration::from_secs(60);
const CONNECT_MAX: Duration = Duration::from_secs(10);
const ANSWER_CHARS_MAX: usize = 300;

/// What one message looks like: subject, HTML and plain text.
pub struct Letter {
    /// The severity, what happened, to whom, and how many more were held back.
    pub subject: String,
    /// For a reader of HTML.
    pub html: String,
    /// For every other reader.
    pub plain: String,
}

/// Writes the letter. The templates are ours and tested, so that rendering can't fail; should it, the
/// plain sentence is sent rather than nothing.
pub fn letter(message: &Message) -> Letter {
    let width = message.facts.iter().map(|fact| fact.title.chars().count()).max().unwrap_or(0);
    let facts: Vec<_> = message
        .facts
        .iter()
        .map(|fact| context! { title => fact.title.as_str(), value => fact.value.as_str(), label => format!("{:<width$}", fact.title) })
        .collect();
    let values = context! {
        subject => message.subject.as_str(), title => message.title.as_str(), text => message.text.as_str(), facts => facts,
        severity_title => message.severity_title(), color => color(message.severity),
        link => message.link.clone(), link_title => message.link_title(), footer => message.footer(),
    };
    let render = |name: &str| TEMPLATES.get_template(name).and_then(|template| template.render(&values));
    let plain = render("message.txt").unwrap_or_else(|_| message.text.clone());
    Letter {
        subject: cut(&one_line(&format!("[{}] {}", message.severity_name(), message.subject)), SUBJECT_CHARS_MAX),
        html: render("message.html").unwrap_or_else(|_| plain.clone()),
        plain,
    }
}

static TEMPLATES: std::sync::LazyLock<Environment<'static>> = std::sync::LazyLock::new(|| {
    let mut templates = Environment::new();
    // Values in a template whose name ends in .html are escaped by its suffix.
    for (name, source) in [
        ("message.html", include_str!("../templates/message.html")),
        ("message.txt", include_str!("../templates/message.txt")),
    ] {
        templates.add_template(name, source).expect("a template of ours parses: a test reads it");
    }
    templates
});

fn color(severity: u8) -> &'static str {
    match severity {
        0..=20 => "#6b645c",
        21..=40 => "#2b6cb0",
        41..=60 => "#9a6700",
        61..=80 => "#c2500c",
        _ => "#b42318",
    }
}

/// The bytes that go over the wire after DATA. The id of the parcel becomes the Message-ID: the same over all retries,
/// so that a mailbox that took the message before its server died shows it once.
pub fn compose(
    email: &Email,
    parcel: &Parcel<'_>,
    letter: Letter,
    attached: Vec<(String, String, Vec<u8>)>,
) -> Result<(Envelope, Vec<u8>), Cause> {
    let Parcel { recipient: to, id, message, .. } = parcel;
    let from: Mailbox =
        email.from.parse().map_err(|_| Cause::Compose(format!("{} is no sender address", email.from)))?;
    let to: Mailbox = to.parse().map_err(|_| Cause::Compose(format!("{to} is no email address")))?;
    let domain = from.email.domain().to_owned();
    let alternative = MultiPart::alternative_plain_html(letter.plain, letter.html);
    let mut content = MultiPart::mixed().multipart(alternative.clone());
    let plain_only = attached.is_empty();
    for (name, media_type, bytes) in attached {
        let kind = ContentType::parse(&media_type).unwrap_or(ContentType::TEXT_PLAIN);
        let part: SinglePart = Attached::new(name).body(bytes, kind);
        content = content.singlepart(part);
    }
    let mail = lettre::Message::builder()
        .from(from)
        .to(to)
        .subject(letter.subject)
        .message_id(Some(format!("<{id}@{domain}>")))
        .user_agent("Belfry".to_owned())
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Belfry-Rule", &one_line(message.rule.as_deref().unwrap_or("none"))))
        .raw_header(header("Importance", if message.severity > 60 { "high" } else { "normal" }))
        .multipart(if plain_only { alternative } else { content })
        .map_err(|error| Cause::Compose(error.to_string()))?;
    let bytes = mail.formatted();
    Ok((mail.envelope().clone(), bytes))
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// Sends to `address`, which the caller has resolved and found allowed; `email.host` is who the
/// certificate must name.
pub async fn send(email: &Email, address: SocketAddr, envelope: &Envelope, mail: &[u8]) -> Result<String, Cause> {
    match tokio::time::timeout(CONVERSATION_MAX, converse(email, address, envelope, mail)).await {
        Ok(answered) => answered,
        Err(_) => Err(Cause::Timeout(CONVERSATION_MAX)),
    }
}

async fn converse(email: &Email, address: SocketAddr, envelope: &Envelope, mail: &[u8]) -> Result<String, Cause> {
    let hello = ClientId::default();
    let opened = tokio::time::timeout(CONNECT_MAX, TcpStream::connect(address)).await;
    let stream =
        opened.map_err(|_| Cause::Timeout(CONNECT_MAX))?.map_err(|error| Cause::Connection(error.to_string()))?;
    let stream: Box<dyn AsyncTokioStream> = match email.security {
        Security::Tls => Box::new(Bounded::new(encrypt(email, stream).await?, address)),
        Security::Starttls | Security::None => Box::new(Bounded::new(stream, address)),
    };
    let mut connection = AsyncSmtpConnection::connect_with_transport(stream, &hello)
        .await
        .map_err(|error| cause(Stage::Connect, &error))?;
    let done = talk(&mut connection, email, &hello, envelope, mail).await;
    // A polite end costs one round trip and keeps the log of the mail server clean; what it answers
    // changes nothing, the message is already taken or refused.
    let _ = tokio::time::timeout(Duration::from_secs(2), connection.abort()).await;
    done
}

async fn talk(
    connection: &mut AsyncSmtpConnection,
    email: &Email,
    hello: &ClientId,
    envelope: &Envelope,
    mail: &[u8],
) -> Result<String, Cause> {
    if email.security == Security::Starttls {
        // Refuses to go on when the server does not offer it: a silent fall back would send the
        // password and the message in the clear to whoever stripped the offer.
        connection.starttls(starttls_of(email)?, hello).await.map_err(|error| cause(Stage::Secure, &error))?;
    }
    if let Some(username) = email.username.as_deref().filter(|name| !name.is_empty()) {
        let credentials = Credentials::new(username.to_owned(), email.password.clone().unwrap_or_default());
        connection
            .auth(&[Mechanism::Plain, Mechanism::Login], &credentials)
            .await
            .map_err(|error| cause(Stage::Login, &error))?;
    }
    let response = connection.send(envelope, mail).await.map_err(|error| cause(Stage::Message, &error))?;
    Ok(words(&response))
}

fn starttls_of(email: &Email) -> Result<TlsParameters, Cause> {
    let mut tls = TlsParameters::builder(email.host.clone());
    if let Some(pem) = authority(email) {
        let authority = Certificate::from_pem(pem.as_bytes()).map_err(|error| Cause::Compose(chain(&error)))?;
        tls = tls.add_root_certificate(authority);
    }
    tls.build().map_err(|error| Cause::Compose(chain(&error)))
}

/// TLS from the first byte. The certificate must be for the name in the settings, not for the address.
async fn encrypt(email: &Email, stream: TcpStream) -> Result<TlsStream<TcpStream>, Cause> {
    let unusable = |error: &dyn std::error::Error| Cause::Compose(chain(error));
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(pem) = authority(email) {
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|error| unusable(&error))?;
            roots.add(certificate).map_err(|error| unusable(&error))?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(email.host.clone()).map_err(|error| unusable(&error))?;
    let encrypted = tokio::time::timeout(CONNECT_MAX, TlsConnector::from(Arc::new(config)).connect(name, stream)).await;
    encrypted.map_err(|_| Cause::Timeout(CONNECT_MAX))?.map_err(|error| Cause::Connection(chain(&error)))
}

fn authority(email: &Email) -> Option<&str> {
    email.certificate_authority.as_deref().filter(|pem| !pem.trim().is_empty())
}

/// How far the conversation had come. A "no" before the message was spoken of is about us and our
/// settings, which a person can mend while the message waits; a "no" to the message is final.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connect,
    Secure,
    Login,
    Message,
}

fn cause(stage: Stage, error: &lettre::transport::smtp::Error) -> Cause {
    let answer = cut(&one_line(&chain(error)), ANSWER_CHARS_MAX);
    match (stage, error.status()) {
        (Stage::Message, Some(code)) => Cause::Smtp { code: code.into(), answer, about_us: false },
        (_, Some(code)) => Cause::Smtp { code: code.into(), answer, about_us: true },
        (_, None) if error.is_timeout() => Cause::Timeout(CONNECT_MAX),
        (Stage::Message, None) if error.is_client() => Cause::Compose(answer),
        (_, None) => Cause::Connection(answer),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    words
}

fn words(response: &Response) -> String {
    let said: Vec<&str> = response.message().collect();
    cut(&one_line(&format!("{} {}", response.code(), said.join(" "))), ANSWER_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::deliveries::{Fact, example};

    fn settings() -> Email {
        Email {
            host: "mail.example".to_owned(),
            port: 587,
            security: Security::Starttls,
            username: None,
            password: None,
            from: "Belfry <belfry@example.org>".to_owned(),
            to: Vec::new(),
            certificate_authority: None,
        }
    }

    fn composed(
        to: &str,
        message: &Message,
        attached: Vec<(String, String, Vec<u8>)>,
    ) -> Result<(Envelope, Vec<u8>), Cause> {
        let parcel = Parcel { id: "dlv-1", recipient: to, message, event: None, now: message.at };
        compose(&settings(), &parcel, letter(message), attached)
    }

    #[test]
    fn the_letter_says_it_all_twice() {
        let letter = letter(&example());
        assert_eq!(letter.subject, "[high] Password viewed, and 2 more held back: ada.m, root, db-prod-3");
        // A slash in a value is escaped in HTML, which readers undo.
        for part in [letter.html.replace("&#x2f;", "/"), letter.plain.clone()] {
            for words in [
                "Password viewed",
                "ada.m viewed the password of root",
                "db-prod-3",
                "and 2 more held back",
                "https://belfry.example/events?open=41",
                "Database passwords",
            ] {
                assert!(part.contains(words), "{words} is missing in\n{part}");
            }
        }
        assert!(letter.plain.contains("\nWho  ada.m\nOn   db-prod-3\n"), "{}", letter.plain);
    }

    #[test]
    fn html_of_an_event_is_text() {
        let mut message = example();
        message.text = "<script>alert(1)</script>".to_owned();
        message.facts = vec![Fact::new("Who".to_owned(), "<b onclick=x>\"'".to_owned())];
        message.link = Some("https://belfry.example/\"><script>".to_owned());
        let html = letter(&message).html;
        assert!(!html.contains("<script>") && !html.contains("<b "), "{html}");
    }

    #[test]
    fn no_event_can_add_a_header() {
        let mut message = example();
        message.subject = "x\r\nBcc: eve@example.org\r\n\r\nbody".to_owned();
        message.rule = Some("r\r\nBcc: eve@example.org".to_owned());
        let (envelope, bytes) = composed("ops@example.org", &message, Vec::new()).unwrap();
        assert_eq!(envelope.to().len(), 1);
        let text = String::from_utf8(bytes).unwrap();
        let head = text.split("\r\n\r\n").next().unwrap();
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(head.contains("Message-ID: <dlv-1@example.org>"), "{head}");
        assert!(head.contains("Auto-Submitted: auto-generated"), "{head}");
    }

    #[test]
    fn names_in_any_script_survive() {
        let mut message = example();
        message.subject = "Вход: Ада 漢字 أدا".to_owned();
        let (_, bytes) = composed("ops@example.org", &message, Vec::new()).unwrap();
        assert!(bytes.is_ascii(), "old mail servers take ASCII only");
    }

    #[test]
    fn a_wrong_address_is_said_by_name() {
        let error = composed("no address", &example(), Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "no address is no email address");
    }

    #[test]
    fn an_attachment_travels_with_its_name() {
        let attached = vec![("report.csv".to_owned(), "text/csv".to_owned(), b"a,b\n".to_vec())];
        let (_, bytes) = composed("ops@example.org", &example(), attached).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains("multipart/mixed") && text.contains("filename=\"report.csv\""), "{text}");
    }
}
