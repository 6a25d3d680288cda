//! Messages: of events, in the words of the `rules` crate, and of tests.

use event::{Catalogue, Event};
use jiff::Timestamp;
use rules::message::compose;

use super::text::one_line;
use crate::state::deliveries::{Fact, Message};

/// What a message says beside the event itself.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    pub catalogue: &'a Catalogue,
    pub organization: &'a str,
    /// Where people reach the console, without a slash at the end; links begin with it.
    pub public_url: &'a str,
}

/// Tells `event` in the name of rule `rule`.
pub fn of_event(frame: Frame<'_>, event: &Event<'_>, position: u64, rule: Option<&str>, held_before: u64) -> Message {
    let told = compose(frame.catalogue, rule.unwrap_or_default(), position, event, held_before);
    Message {
        action: event.action().to_owned(),
        title: one_line(&frame.catalogue.title(event.action())),
        subject: told.subject,
        text: told.text,
        severity: event.severity(),
        facts: told
            .facts
            .into_iter()
            // The rule stands in the footer, the severity in front of the subject.
            .filter(|(title, _)| title != "Rule" && title != "Severity")
            .map(|(title, value)| Fact::new(title, value))
            .collect(),
        link: Some(format!("{}{}", frame.public_url, told.link)),
        organization: frame.organization.to_owned(),
        rule: rule.map(one_line),
        at: told.at,
        position: Some(position),
        held_before,
        attachments: Vec::new(),
    }
}

/// A message that only shows that a channel works.
pub fn of_test(frame: Frame<'_>, channel: &str, by: &str, now: Timestamp) -> Message {
    let (channel, by) = (one_line(channel), one_line(by));
    Message {
        action: "notification.test".to_owned(),
        title: "Test message".to_owned(),
        subject: format!("Test message: channel {channel} works"),
        text: format!("{by} asked for this test. Notifications sent to this channel arrive here."),
        severity: 10,
        facts: vec![
            Fact::new("Channel", channel),
            Fact::new("Asked for by", by),
            Fact::new("Time", now.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()),
        ],
        link: Some(format!("{}/channels", frame.public_url)),
        organization: frame.organization.to_owned(),
        rule: None,
        at: now,
        position: None,
        held_before: 0,
        attachments: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_becomes_a_message() {
        let catalogue = Catalogue::builtin();
        let frame = Frame { catalogue, organization: "acme", public_url: "https://belfry.example" };
        let entry = br#"{"@timestamp":"2026-11-21T14:01:58.112Z","event":{"action":"authentication.failed","severity":50},"user":{"name":"root"},"host":{"name":"web-1"},"source":{"ip":"203.0.113.7"}}"#;
        let message = of_event(frame, &Event::read(entry).unwrap(), 41, Some("Logins"), 2);
        assert!(
            message.subject.contains(", and 2 more held back") && message.subject.contains("root"),
            "{}",
            message.subject
        );
        assert_eq!(message.link.as_deref(), Some("https://belfry.example/events?open=41"));
        assert_eq!(message.footer(), "Belfry of acme · rule Logins · position 41 of the trail");
        assert!(message.facts.iter().any(|fact| fact.title == "Origin" && fact.value == "203.0.113.7"));
    }
}
