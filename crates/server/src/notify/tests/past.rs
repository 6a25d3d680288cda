//! The preview: the live code over the past.

use api::notify::{ChannelKind, PreviewRequest, RuleDraft};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::house::House;

fn draft(filter: &str) -> RuleDraft {
    RuleDraft {
        name: "Logins".to_owned(),
        description: String::new(),
        enabled: false,
        filter: filter.to_owned(),
        recipients: Vec::new(),
        hold_seconds: 3_600,
        group_by: None,
    }
}

async fn failed_at(house: &House, at: Timestamp, user: &str) {
    house
        .send(json!({
            "@timestamp": at.to_string(), "event": {"action": "authentication.failed"}, "user": {"name": user}, "host": {"name": "web-1"},
        }))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_counts_and_shows_what_would_have_gone_out() {
    let house = House::open().await;
    let noon: Timestamp = Timestamp::now() - SignedDuration::from_hours(24 * 5);
    // Sent in later, and not in the order in which they happened.
    for minutes in [90, 0, 10, 20] {
        failed_at(&house, noon + SignedDuration::from_mins(minutes), "root").await;
    }
    failed_at(&house, noon - SignedDuration::from_hours(24 * 60), "root").await;
    house.send(json!({"event": {"action": "authentication.succeeded"}, "user": {"name": "root"}})).await;
    let request = PreviewRequest { rule: draft("event.action: authentication.failed"), days: 30 };
    let preview = house.notify.preview(house.store(), request).await.unwrap();
    assert_eq!((preview.matched, preview.sent, preview.held, preview.truncated), (4, 2, 2, false));
    assert_eq!(preview.timeline.iter().map(|span| span.sent + span.held).sum::<u64>(), 4);
    assert_eq!(preview.first.len(), 2);
    assert_eq!((preview.first[0].held_before, preview.first[1].held_before), (0, 2));
    assert!(preview.first[1].subject.contains("and 2 more held back"), "{}", preview.first[1].subject);
    assert!(preview.first[0].email_html.contains("<!doctype html>") && preview.first[0].slack["blocks"].is_array());
    assert_eq!(preview.first[0].webhook["data"]["rule"], "Logins");
    assert!(house.deliveries().await.is_empty(), "nothing is sent");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_of_a_rule_are_pointed_to() {
    let house = House::open().await;
    let parts = |error: crate::notify::Error| match error {
        crate::notify::Error::Invalid { parts } => parts,
        other => panic!("{other}"),
    };
    let wrong = PreviewRequest { rule: draft("event.action: (a or"), days: 30 };
    let found = parts(house.notify.preview(house.store(), wrong).await.unwrap_err());
    assert_eq!(found[0].pointer, "/rule/filter");
    assert!(found[0].offset.is_some());
    let found =
        parts(house.notify.preview(house.store(), PreviewRequest { rule: draft(""), days: 0 }).await.unwrap_err());
    assert_eq!(found[0].pointer, "/days");

    let mail = json!({"host": "127.0.0.1", "from": "b@example.org"});
    let channel = house.channel(ChannelKind::Email, mail).await;
    let recipient = |channel: &str, to: &[&str]| api::notify::Recipient {
        channel: channel.to_owned(),
        to: to.iter().map(|to| (*to).to_owned()).collect(),
    };
    for (change, wanted) in [
        (
            RuleDraft {
                name: " ".to_owned(),
                recipients: vec![recipient(&channel.id, &["a@example.org"])],
                ..draft("")
            },
            "/name",
        ),
        (draft(""), "/recipients"),
        (RuleDraft { recipients: vec![recipient("none", &[])], ..draft("") }, "/recipients/0/channel"),
        (
            RuleDraft { recipients: vec![recipient(&channel.id, &["a@example.org", "nobody"])], ..draft("") },
            "/recipients/0/to/1",
        ),
        (RuleDraft { recipients: vec![recipient(&channel.id, &[])], ..draft("") }, "/recipients/0/to"),
        (
            RuleDraft {
                hold_seconds: u64::MAX,
                recipients: vec![recipient(&channel.id, &["a@example.org"])],
                ..draft("")
            },
            "/hold_seconds",
        ),
        (
            RuleDraft {
                group_by: Some(vec!["user.name".to_owned(), "us*".to_owned()]),
                recipients: vec![recipient(&channel.id, &["a@example.org"])],
                ..draft("")
            },
            "/group_by/1",
        ),
    ] {
        let found = parts(house.notify.rule_create(change, "ada", house.recorder()).await.unwrap_err());
        assert!(found.iter().any(|part| part.pointer == wanted), "{wanted}: {found:?}");
    }
    assert!(house.notify.rules().await.unwrap().is_empty());
    house.close().await;
}
