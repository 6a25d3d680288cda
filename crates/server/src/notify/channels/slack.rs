//! Slack: an incoming webhook that takes blocks.
//!
//! The limits are Slack's own: 50 blocks, 150 characters of header, 3,000 of a section, ten fields of
//! 2,000 in a section; somewhat above 13,000 characters in sum the message is refused as a whole.

use serde_json::{Value, json};

use crate::notify::text::cut_by;
use crate::state::deliveries::{Fact, Message};

const HEADER_CHARS_MAX: usize = 150;
const SECTION_CHARS_MAX: usize = 3_000;
const FIELD_CHARS_MAX: usize = 2_000;
const FIELDS_PER_SECTION_MAX: usize = 10;
const URL_CHARS_MAX: usize = 3_000;
/// Below the sum at which Slack refuses the message (`msg_blocks_too_long`), with room for the rest.
const FACTS_CHARS_MAX: usize = 8_000;

/// The body to post.
pub fn body(message: &Message) -> Value {
    let mut blocks = vec![json!({
        "type": "header",
        "text": {"type": "plain_text", "text": cut_by(&message.subject, HEADER_CHARS_MAX, |_| 1), "emoji": false},
    })];
    blocks.push(json!({
        "type": "section",
        "text": mrkdwn(&format!("{} {}", mark(message.severity), escaped(&message.text, SECTION_CHARS_MAX - 200))),
    }));
    let (fields, cut) = fields(&message.facts);
    for row in fields.chunks(FIELDS_PER_SECTION_MAX) {
        blocks.push(json!({"type": "section", "fields": row}));
    }
    let mut context = vec![mrkdwn(&escaped(&message.footer(), 500))];
    if cut > 0 {
        context.push(mrkdwn(&format!("{cut} more facts are in the event")));
    }
    blocks.push(json!({"type": "context", "elements": context}));
    if let Some(link) = message.link.as_deref().filter(|link| link.len() <= URL_CHARS_MAX) {
        blocks.push(json!({
            "type": "actions",
            "elements": [{"type": "button", "text": {"type": "plain_text", "text": message.link_title()}, "url": link}],
        }));
    }
    json!({
        "text": format!("{}: {}", message.severity_title(), escaped(&message.subject, SECTION_CHARS_MAX)),
        "blocks": blocks,
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

/// As many facts as fit, and how many did not.
fn fields(facts: &[Fact]) -> (Vec<Value>, usize) {
    let mut fields = Vec::new();
    let mut used = 0;
    for fact in facts {
        let title = escaped(&fact.title, 100);
        let value = escaped(&fact.value, FIELD_CHARS_MAX - 110);
        let text = format!("*{title}*\n{value}");
        used += text.chars().count();
        if used > FACTS_CHARS_MAX {
            break;
        }
        fields.push(mrkdwn(&text));
    }
    let cut = facts.len() - fields.len();
    (fields, cut)
}

/// `verbatim` keeps Slack from making links, channels and mentions out of what an event says.
fn mrkdwn(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

/// Escapes the three characters that can start a mention or a link; no others, Slack would print them.
fn escaped(text: &str, chars_max: usize) -> String {
    let kept = cut_by(text, chars_max, |c| match c {
        '&' => 5,
        '<' | '>' => 4,
        _ => 1,
    });
    let mut out = String::with_capacity(kept.len());
    for c in kept.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            other => out.push(other),
        }
    }
    out
}

/// Shape and word, never colour alone.
fn mark(severity: u8) -> &'static str {
    match severity {
        0..=20 => "⚪ *Info.*",
        21..=40 => "🔵 *Low.*",
        41..=60 => "🟡 *Medium.*",
        61..=80 => "🟠 *High.*",
        _ => "🔴 *Critical.*",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::deliveries::example;

    /// Checks every limit that Slack documents, on any body.
    fn check_limits(body: &Value) {
        let blocks = body["blocks"].as_array().unwrap();
        assert!(blocks.len() <= 50);
        for block in blocks {
            match block["type"].as_str().unwrap() {
                "header" => assert!(chars(&block["text"]["text"]) <= HEADER_CHARS_MAX),
                "section" => {
                    if let Some(fields) = block.get("fields") {
                        assert!(fields.as_array().unwrap().len() <= 10);
                        assert!(fields.as_array().unwrap().iter().all(|f| chars(&f["text"]) <= FIELD_CHARS_MAX));
                    } else {
                        assert!(chars(&block["text"]["text"]) <= SECTION_CHARS_MAX);
                    }
                }
                "context" => assert!(block["elements"].as_array().unwrap().len() <= 10),
                "actions" => assert!(block["elements"][0]["url"].as_str().unwrap().starts_with("http")),
                other => panic!("unknown block {other}"),
            }
        }
        assert!(body.to_string().chars().count() < 13_200 + 3_000);
    }

    fn chars(value: &Value) -> usize {
        value.as_str().unwrap().chars().count()
    }

    #[test]
    fn an_event_reads_well() {
        let body = body(&example());
        check_limits(&body);
        assert_eq!(body["text"], "High: Password viewed, and 2 more held back: ada.m, root, db-prod-3");
        assert_eq!(body["blocks"][2]["fields"][0]["text"], "*Who*\nada.m");
        assert_eq!(body["blocks"][4]["elements"][0]["url"], "https://belfry.example/events?open=41");
    }

    #[test]
    fn nothing_said_by_an_event_becomes_a_mention_or_a_link() {
        let mut message = example();
        message.subject = "<!channel> & <https://evil.example|click>".to_owned();
        message.text = message.subject.clone();
        message.facts[0].value = "<@U123>".to_owned();
        let body = body(&message);
        check_limits(&body);
        assert_eq!(body["text"], "High: &lt;!channel&gt; &amp; &lt;https://evil.example|click&gt;");
        assert_eq!(body["blocks"][2]["fields"][0]["text"], "*Who*\n&lt;@U123&gt;");
        // A header is plain text: Slack prints it as it stands.
        assert_eq!(body["blocks"][0]["text"]["text"], "<!channel> & <https://evil.example|click>");
    }

    #[test]
    fn whatever_the_event_holds_the_limits_hold() {
        let mut message = example();
        message.subject = "&".repeat(5_000);
        message.text = "<".repeat(70_000);
        message.facts = (0..200).map(|n| Fact::new(format!("Fact {n}"), "&".repeat(3_000))).collect();
        let body = body(&message);
        check_limits(&body);
        assert!(body.to_string().contains("more facts are in the event"));
    }
}
