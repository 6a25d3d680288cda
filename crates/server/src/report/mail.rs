//! Reports and summaries by email: handed to the outbox, which sends them, tries again, and keeps every attempt.

use api::notify::ChannelKind;
use api::report::{Certificate, EmailTo, Format};
use bytes::Bytes;
use jiff::Timestamp;

use super::{Error, Reports, blocking, file};
use crate::access::Subject;
use crate::state::channels;
use crate::state::deliveries::{self, Attachment, Fact, Message, NewDelivery};
use crate::state::runs::Kept;

const RECIPIENTS_MAX: usize = 50;
/// Above it the mail carries a link instead of the file.
const ATTACHED_BYTES_MAX: u64 = 10 << 20;
/// How the files of mailed summaries begin.
pub const SUMMARY_PREFIX: &str = "summary-";

/// Through which channel, and to whom.
#[derive(Debug, Clone)]
pub struct Envelope {
    pub channel_id: String,
    pub channel_name: String,
    pub to: Vec<String>,
}

impl Reports {
    /// Checks to whom something is to be mailed, and finds the channel.
    pub async fn envelope(&self, wish: &EmailTo) -> Result<Envelope, Error> {
        let bad = |pointer, reason: String| Error::Email { pointer, reason };
        if wish.to.is_empty() {
            return Err(bad("/email/to", "name at least one address".to_owned()));
        }
        if wish.to.len() > RECIPIENTS_MAX {
            return Err(bad("/email/to", format!("at most {RECIPIENTS_MAX} addresses, these are {}", wish.to.len())));
        }
        if let Some(wrong) = wish.to.iter().find(|address| address.parse::<lettre::Address>().is_err()) {
            return Err(bad("/email/to", format!("{wrong:?} is no email address")));
        }
        let needs = &self.0.needs;
        let all = channels::all(&needs.state, &needs.secrets).await?;
        let mut usable =
            all.into_iter().filter(|channel| channel.settings.kind() == ChannelKind::Email && channel.enabled);
        let channel = match &wish.channel {
            Some(wanted) => {
                usable.find(|channel| channel.id == *wanted || channel.name == *wanted).ok_or_else(|| {
                    bad("/email/channel", format!("there is no email channel {wanted:?} that is switched on"))
                })?
            }
            None => usable.next().ok_or_else(|| {
                bad("/email", "there is no email channel that is switched on; make one under Channels".to_owned())
            })?,
        };
        Ok(Envelope { channel_id: channel.id, channel_name: channel.name, to: wish.to.clone() })
    }

    /// Hands a finished run to the outbox.
    pub(super) async fn mail_run(&self, kept: &Kept, envelope: &Envelope) -> Result<(), Error> {
        let (Some(certificate), Some(file)) = (&kept.certificate, &kept.file) else { return Ok(()) };
        let needs = &self.0.needs;
        let size = certificate.file.as_ref().map_or(0, |file| file.size_bytes);
        let mut attachments = Vec::new();
        if size <= ATTACHED_BYTES_MAX {
            attachments.push(Attachment {
                name: file::download_name(certificate),
                media_type: file::media_type(certificate.format).to_owned(),
                path: needs.folder.join(file),
            });
        }
        if certificate.format == Format::Csv {
            attachments.push(Attachment {
                name: format!("{}.certificate.json", file::download_name(certificate)),
                media_type: "application/json".to_owned(),
                path: needs.folder.join(format!("{}.certificate.json", certificate.run)),
            });
        }
        let message = self.about_run(certificate, size, attachments);
        self.post(envelope, message).await
    }

    fn about_run(&self, certificate: &Certificate, size: u64, attachments: Vec<Attachment>) -> Message {
        let rows = match certificate.rows {
            1 => "1 row".to_owned(),
            rows => format!("{rows} rows"),
        };
        let how = if size <= ATTACHED_BYTES_MAX {
            "The file is attached.".to_owned()
        } else {
            format!("With {} MB it is too large for mail; the link leads to it.", size.div_ceil(1 << 20))
        };
        let or = |text: &Option<String>, other: &str| text.clone().unwrap_or_else(|| other.to_owned());
        let filter = if certificate.filter.is_empty() { "everything".to_owned() } else { certificate.filter.clone() };
        let mut facts = vec![
            Fact::new("Run by", &certificate.by),
            Fact::new("Run at", utc(&certificate.at)),
            Fact::new("Filter", filter),
            Fact::new("From", utc(&or(&certificate.from, "the beginning"))),
            Fact::new("To", utc(&or(&certificate.to, "the end of the trail"))),
            Fact::new("Rows", certificate.rows.to_string()),
            Fact::new(
                "Checkpoint",
                format!("{} events, root {}", certificate.checkpoint.size, certificate.checkpoint.root),
            ),
        ];
        if let Some(file) = &certificate.file {
            facts.push(Fact::new("SHA-256 of the file", &file.sha256));
        }
        Message {
            action: "audit.exported".to_owned(),
            title: certificate.title.clone(),
            subject: format!("Report: {}, {rows}", certificate.title),
            text: format!("{} ran the report {}. {how}", certificate.by, certificate.title),
            severity: 10,
            facts,
            link: Some(format!("{}/runs/{}", self.0.needs.public_url, certificate.run)),
            organization: self.0.needs.organization.clone(),
            rule: None,
            at: certificate.at.parse().unwrap_or_default(),
            position: None,
            held_before: 0,
            attachments,
        }
    }

    /// The audit summary of an event as a file that goes with a mail. Whoever sends the mail records it.
    pub async fn summary_attached(&self, subject: &Subject, position: u64, entry: Bytes) -> Result<Attachment, Error> {
        let (pdf, _) = self.summarize(subject, position, entry).await?;
        let needs = &self.0.needs;
        let path = needs.folder.join(format!("{SUMMARY_PREFIX}{}.pdf", crate::state::new_id(needs.clock.now())));
        let target = path.clone();
        blocking(move || {
            std::fs::create_dir_all(target.parent().unwrap_or(&target))?;
            std::fs::write(&target, pdf)?;
            Ok(())
        })
        .await?;
        Ok(Attachment { name: format!("event-{position}.pdf"), media_type: "application/pdf".to_owned(), path })
    }

    async fn post(&self, envelope: &Envelope, message: Message) -> Result<(), Error> {
        let needs = &self.0.needs;
        let deliveries: Vec<NewDelivery> = envelope
            .to
            .iter()
            .map(|recipient| NewDelivery {
                id: deliveries::identity_at_random(),
                rule_id: None,
                channel_id: envelope.channel_id.clone(),
                channel_name: envelope.channel_name.clone(),
                kind: ChannelKind::Email,
                recipient: recipient.clone(),
                message: message.clone(),
            })
            .collect();
        let mut transaction = crate::state::begin_write(&needs.state).await?;
        deliveries::insert(&mut transaction, &deliveries, needs.clock.now().as_millisecond()).await?;
        transaction.commit().await?;
        needs.bell.ring();
        Ok(())
    }
}

fn utc(time: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => time.to_owned(),
    }
}
