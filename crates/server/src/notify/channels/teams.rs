//! Microsoft Teams: an Adaptive Card posted to a Power Automate workflow
//! ("when a Teams webhook request is received").
//!
//! Teams refuses messages above about 28 KB, so facts are left out from the end, and counted.
//! A workflow answers 202 when it was started: that the card was shown is not confirmed by it.

use serde_json::{Value, json};

use crate::notify::text::cut;
use crate::state::deliveries::{Fact, Message};

/// Where Teams refuses the whole message is about 28 KB, and some flows do so earlier.
const BODY_BYTES_MAX: usize = 26_000;
const SUBJECT_CHARS_MAX: usize = 300;
const TEXT_CHARS_MAX: usize = 3_000;
const VALUE_CHARS_MAX: usize = 2_000;

/// The body to post, below [`BODY_BYTES_MAX`] bytes whatever the message holds.
pub fn body(message: &Message) -> Value {
    let mut shown = message.facts.len();
    loop {
        let body = card(message, shown);
        if shown == 0 || body.to_string().len() <= BODY_BYTES_MAX {
            return body;
        }
        // A quarter at a time: few rounds, and little is lost that would have fitted.
        shown -= (shown / 4).max(1);
    }
}

fn card(message: &Message, facts_shown: usize) -> Value {
    let mut body = vec![
        json!({
            "type": "TextBlock", "size": "Medium", "weight": "Bolder", "wrap": true,
            "color": color(message.severity),
            "text": escaped(&cut(&format!("{}: {}", message.severity_title(), message.subject), SUBJECT_CHARS_MAX)),
        }),
        json!({"type": "TextBlock", "wrap": true, "text": escaped(&cut(&message.text, TEXT_CHARS_MAX))}),
    ];
    let facts: Vec<Value> = message.facts.iter().take(facts_shown).map(fact).collect();
    if !facts.is_empty() {
        body.push(json!({"type": "FactSet", "facts": facts}));
    }
    let mut small = escaped(&message.footer());
    let left_out = message.facts.len() - facts_shown;
    if left_out > 0 {
        small = format!("{left_out} more facts are in the event. {small}");
    }
    body.push(json!({"type": "TextBlock", "size": "Small", "isSubtle": true, "wrap": true, "text": small}));

    let mut content = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    });
    if let Some(link) = &message.link {
        content["actions"] = json!([{"type": "Action.OpenUrl", "title": message.link_title(), "url": link}]);
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": content,
        }],
    })
}

fn fact(fact: &Fact) -> Value {
    json!({"title": cut(&fact.title, 100), "value": escaped(&cut(&fact.value, VALUE_CHARS_MAX))})
}

/// Teams reads a part of Markdown. Brackets would make a link of what an event says, stars and
/// underscores at the edge of a word would vanish.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let inside_word = before.is_alphanumeric() && rest.peek().is_some_and(|next| next.is_alphanumeric());
        if matches!(c, '[' | ']' | '*' | '`') || (c == '_' && !inside_word) {
            out.push('\\');
        }
        out.push(c);
        before = c;
    }
    out
}

fn color(severity: u8) -> &'static str {
    match severity {
        0..=20 => "Default",
        21..=40 => "Accent",
        41..=80 => "Warning",
        _ => "Attention",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::deliveries::example;

    fn content(body: &Value) -> &Value {
        &body["attachments"][0]["content"]
    }

    #[test]
    fn an_event_is_a_card_with_facts_and_a_link() {
        let body = body(&example());
        assert_eq!(body["type"], "message");
        assert_eq!(body["attachments"][0]["contentType"], "application/vnd.microsoft.card.adaptive");
        let card = content(&body);
        assert_eq!(card["body"][0]["text"], "High: Password viewed, and 2 more held back: ada.m, root, db-prod-3");
        assert_eq!(card["body"][2]["facts"][0], json!({"title": "Who", "value": "ada.m"}));
        assert_eq!(card["actions"][0]["url"], "https://belfry.example/events?open=41");
    }

    #[test]
    fn a_large_message_is_trimmed_from_the_end_and_says_so() {
        let mut message = example();
        message.facts = (0..100).map(|n| Fact::new(format!("Fact {n}"), "ж".repeat(1_000))).collect();
        let body = body(&message);
        assert!(body.to_string().len() <= BODY_BYTES_MAX);
        let facts = content(&body)["body"][2]["facts"].as_array().unwrap().len();
        assert!(facts > 5, "only {facts} facts were kept");
        let small = content(&body)["body"][3]["text"].as_str().unwrap();
        assert!(small.starts_with(&format!("{} more facts are in the event", 100 - facts)), "{small}");
    }

    #[test]
    fn the_largest_subject_and_text_still_fit() {
        let mut message = example();
        message.subject = "\u{1}".repeat(60_000);
        message.text = "漢".repeat(60_000);
        message.facts = vec![Fact::new("Who".to_owned(), "\"".repeat(60_000))];
        assert!(body(&message).to_string().len() <= 28_000);
    }

    #[test]
    fn what_an_event_says_is_not_read_as_markdown() {
        assert_eq!(escaped("[pay here](https://evil.example)"), "\\[pay here\\](https://evil.example)");
        assert_eq!(escaped("svc_backup_1 ran *"), "svc_backup_1 ran \\*");
        assert_eq!(escaped("_x_"), "\\_x\\_");
    }
}
