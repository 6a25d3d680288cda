//! The room as a whole, against real receivers: a webhook library, a mail server, chats with their limits.

mod house;
mod mail;
mod past;
mod webhooks;

use api::notify::{ChannelKind, DeliveryState};
use serde_json::json;

use crate::state::inbox::Viewer;
use house::{House, Receiver};

fn administrator() -> Viewer {
    Viewer { user_id: "1".to_owned(), user_name: "ada".to_owned(), role: "administrator".to_owned(), sees_all: true }
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_are_held_back_and_counted_and_the_reason_is_kept() {
    let house = House::open().await;
    let inbox = house.channel(ChannelKind::Inbox, json!({})).await;
    let rule = house.rule("event.action: authentication.failed", 1, &inbox, &[]).await;
    let mut positions = Vec::new();
    for _ in 0..3 {
        positions.push(house.login_failed("root").await);
    }
    house.all(1, DeliveryState::Delivered).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    house.login_failed("root").await;
    let deliveries = house.all(2, DeliveryState::Delivered).await;
    assert_eq!(deliveries[0].head.held_before, 2);
    assert!(deliveries[0].head.subject.contains(", and 2 more held back"), "{}", deliveries[0].head.subject);

    let held = house.notify.of_event(positions[1]).await.unwrap();
    assert!(held.deliveries.is_empty());
    assert_eq!(held.decisions[0].verdict, "held");
    assert!(
        held.decisions[0].why.contains(&format!("the same was sent with event {}", positions[0])),
        "{}",
        held.decisions[0].why
    );
    let rule = house.notify.rule(&rule.id).await.unwrap();
    assert_eq!((rule.sent_30d, rule.held_30d), (2, 2));
    assert!(rule.last_fired_at.is_some());
    let seen = house.notify.inbox(&administrator(), true, None, 10).await.unwrap();
    assert_eq!((seen.items.len(), seen.unread), (2, 2));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_is_in_force_for_the_next_event_and_out_of_force_after_it_is_removed() {
    let house = House::open().await;
    let inbox = house.channel(ChannelKind::Inbox, json!({})).await;
    for round in 0..20 {
        let rule = house.rule("event.action: authentication.failed", 0, &inbox, &[]).await;
        house.login_failed("root").await;
        house.all(round * 2 + 1, DeliveryState::Delivered).await;
        house.notify.rule_remove(&rule.id, house.recorder()).await.unwrap();
        house.login_failed("root").await;
        // Whatever comes later has been decided on when an event behind it has been told.
        let last = house.rule("event.action: pump.started", 0, &inbox, &[]).await;
        house.send(json!({"event": {"action": "pump.started"}})).await;
        house.all((round + 1) * 2, DeliveryState::Delivered).await;
        house.notify.rule_remove(&last.id, house.recorder()).await.unwrap();
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_get_what_their_limits_allow_at_the_pace_they_ask() {
    let house = House::open().await;
    for (kind, count, name) in [(ChannelKind::Slack, 3, "slack"), (ChannelKind::Teams, 6, "teams")] {
        let chat = Receiver::start("chat_receiver.py", &["--kind", name]);
        let channel =
            house.channel(kind, json!({"url": format!("http://127.0.0.1:{}/services/s3cret", chat.port)})).await;
        let rule = house.rule(&format!("event.action: pump.{name}"), 0, &channel, &[]).await;
        let long = "ж<&>\"\\\u{7f}".repeat(1_200);
        for _ in 0..count {
            house.send(json!({"event": {"action": format!("pump.{name}"), "reason": long}, "message": long, "user": {"name": "<!channel>"}})).await;
        }
        let got = chat.wants(count).await;
        assert!(got.iter().all(|one| one["status"].as_u64().unwrap() < 300), "{got:#?}");
        house.notify.rule_remove(&rule.id, house.recorder()).await.unwrap();
    }
    let deliveries = house.all(9, DeliveryState::Delivered).await;
    assert!(deliveries.iter().all(|delivery| delivery.attempts == 1 && !delivery.head.recipient.contains("s3cret")));
    let detail = house.notify.delivery(&deliveries[0].head.id).await.unwrap();
    assert!(detail.attempts[0].request.starts_with("POST http://127.0.0.1:"), "{}", detail.attempts[0].request);
    assert!(!detail.attempts[0].request.contains("s3cret"));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_message_says_how_it_fared() {
    let house = House::open().await;
    let chat = Receiver::start("chat_receiver.py", &["--kind", "teams"]);
    let good =
        house.channel(ChannelKind::Teams, json!({"url": format!("http://127.0.0.1:{}/w?sig=s3cret", chat.port)})).await;
    let tested = house.notify.channel_test(&good.id, "ada").await.unwrap();
    assert_eq!((tested.state, tested.attempt.status), (DeliveryState::Delivered, Some(202)));
    assert!(tested.note.unwrap().contains("not that the message was shown"));
    assert!(house.notify.channel(&good.id).await.unwrap().last_ok_at.is_some());

    let bad = house.channel(ChannelKind::Slack, json!({"url": "http://127.0.0.1:9/services/s3cret"})).await;
    let tested = house.notify.channel_test(&bad.id, "ada").await.unwrap();
    assert_eq!(tested.state, DeliveryState::Failed);
    assert!(
        tested.attempt.answer.starts_with("no connection") && !tested.attempt.answer.contains("s3cret"),
        "{}",
        tested.attempt.answer
    );
    assert_eq!(house.notify.channel(&bad.id).await.unwrap().last_error, Some(tested.attempt.answer));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_in_use_is_not_deleted_and_changes_are_events_without_secrets() {
    let house = House::open().await;
    let hook = house.channel(ChannelKind::Webhook, json!({"url": "http://127.0.0.1:9/in?key=s3cret"})).await;
    let shown_once = hook.settings["secret"].as_str().unwrap().to_owned();
    assert!(shown_once.starts_with("whsec_"));
    let rule = house.rule("user.name: root", 0, &hook, &[]).await;
    let refused = house.notify.channel_remove(&hook.id, house.recorder()).await.unwrap_err().to_string();
    assert!(refused.contains(&rule.name), "{refused}");
    assert_eq!(house.notify.channel(&hook.id).await.unwrap().used_by, [rule.name.clone()]);
    let rotated = house.notify.channel_rotate(&hook.id, house.recorder()).await.unwrap();
    assert_ne!(rotated.settings["secret"], shown_once);
    house.notify.rule_remove(&rule.id, house.recorder()).await.unwrap();
    house.notify.channel_remove(&hook.id, house.recorder()).await.unwrap();

    assert_eq!(house.events("entity.created").len(), 2);
    let updated = house.events("entity.updated");
    assert_eq!(updated[0]["changes"][0], json!({"field": "settings.secret", "old": "••••", "new": "••••"}));
    assert_eq!(house.events("entity.deactivated").len(), 2);
    let trail = house.door.trail().read(0, 1_000, 1 << 20).unwrap();
    for (_, entry) in trail {
        let text = String::from_utf8_lossy(&entry);
        assert!(!text.contains("s3cret") && !text.contains("whsec_"), "{text}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_inside_are_refused_with_the_field_and_the_way_out() {
    let house = House::open().await;
    for url in ["http://169.254.169.254/latest/meta-data", "http://10.0.0.1/hook", "http://[::1]:9/"] {
        let draft = api::notify::ChannelDraft {
            name: "inside".to_owned(),
            kind: ChannelKind::Webhook,
            settings: json!({"url": url}),
            enabled: true,
        };
        let error = house.notify.channel_create(draft, house.recorder()).await.unwrap_err();
        let crate::notify::Error::Invalid { parts } = &error else { panic!("{error}") };
        assert_eq!(parts[0].pointer, "/settings/url");
        assert!(parts[0].detail.contains("outgoing_allow"), "{}", parts[0].detail);
    }
    house.close().await;
}
