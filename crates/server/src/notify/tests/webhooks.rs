//! Webhooks, received and checked by the `standardwebhooks` library.

use std::time::{Duration, Instant};

use api::notify::{AttemptOutcome, Channel, ChannelKind, DeliveryState};
use serde_json::json;

use super::house::{House, Receiver};

struct Hook {
    receiver: Receiver,
    channel: Channel,
    secret_file: std::path::PathBuf,
}

async fn hook(house: &House, arguments: &[&str]) -> Hook {
    let secret_file = house.folder.path().join(format!("secret-{}", rand::random::<u32>()));
    let mut all = vec!["--secret-file", secret_file.to_str().unwrap()];
    all.extend(arguments);
    let receiver = Receiver::start("webhook_receiver.py", &all);
    let channel =
        house.channel(ChannelKind::Webhook, json!({"url": format!("http://127.0.0.1:{}/hook", receiver.port)})).await;
    std::fs::write(&secret_file, channel.settings["secret"].as_str().unwrap()).unwrap();
    Hook { receiver, channel, secret_file }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_signed_and_there_in_milliseconds() {
    let house = House::open().await;
    let hook = hook(&house, &[]).await;
    house.rule("event.action: authentication.failed", 0, &hook.channel, &[]).await;
    house.login_failed("warm").await;
    hook.receiver.wants(1).await;
    let mut waits = Vec::new();
    for n in 0..20 {
        let position = house.login_failed(&format!("u{n}")).await;
        let committed = Instant::now();
        let got = hook.receiver.wants(n + 2).await;
        waits.push(committed.elapsed());
        let last = &got[n + 1];
        assert_eq!(last["verified"], true, "{last:#}");
        assert_eq!(last["body"]["type"], "authentication.failed");
        assert_eq!(last["body"]["data"]["position"], position);
        assert_eq!(last["body"]["data"]["event"]["user"]["name"], format!("u{n}"));
    }
    waits.sort();
    println!("from commit to receipt: median {:?}, worst {:?}", waits[10], waits[19]);
    assert!(waits[10] < Duration::from_millis(250), "{waits:?}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_for_the_moment_is_tried_again_under_the_same_id() {
    let house = House::open().await;
    let hook = hook(&house, &["--answers", "500,302,200"]).await;
    house.rule("event.action: authentication.failed", 0, &hook.channel, &[]).await;
    house.login_failed("root").await;
    let got = hook.receiver.wants(3).await;
    assert!(got.iter().all(|one| one["verified"] == true && one["id"] == got[0]["id"]), "{got:#?}");
    assert!(got.iter().all(|one| one["body"] == got[0]["body"]));
    let delivery = &house.all(1, DeliveryState::Delivered).await[0];
    let detail = house.notify.delivery(&delivery.head.id).await.unwrap();
    let outcomes: Vec<_> = detail.attempts.iter().map(|attempt| (attempt.outcome, attempt.status)).collect();
    assert_eq!(
        outcomes,
        [
            (AttemptOutcome::Temporary, Some(500)),
            (AttemptOutcome::Temporary, Some(302)),
            (AttemptOutcome::Ok, Some(200))
        ]
    );
    assert_eq!(detail.attempts[1].answer, "302 redirects are not followed");
    let all = format!("{detail:?}");
    assert!(!all.contains("whsec_") && !all.contains("v1,") && !all.contains("s3cret"), "{all}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cant_be_delivered_is_kept_told_and_sent_again_on_demand_and_goes_round_in_no_circle() {
    let house = House::open().await;
    let hook = hook(&house, &["--answers", "500,500,500,500,500,500,200"]).await;
    // Everything, the events about failures included, goes through the channel that fails.
    house.rule("event.action: (authentication.failed or notification.undeliverable)", 0, &hook.channel, &[]).await;
    let other = house.channel(ChannelKind::Inbox, json!({})).await;
    house.rule("event.action: notification.undeliverable", 0, &other, &[]).await;
    house.login_failed("root").await;
    hook.receiver.wants(3).await;
    let until = Instant::now() + super::house::PATIENCE;
    while house.deliveries().await.len() < 2 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let deliveries = house.deliveries().await;
    assert_eq!(deliveries.len(), 2, "{deliveries:#?}");
    assert_eq!((deliveries[1].head.state, deliveries[1].attempts), (DeliveryState::Failed, 3));
    assert_eq!((deliveries[0].head.state, deliveries[0].head.kind), (DeliveryState::Delivered, ChannelKind::Inbox));
    let raised = house.events("notification.undeliverable");
    assert_eq!(raised.len(), 1);
    assert_eq!(raised[0]["entity"]["name"], hook.channel.name);
    let why = house.notify.of_event(deliveries[0].head.position.unwrap()).await.unwrap().decisions;
    assert!(why.iter().any(|decision| decision.why.contains("is the one that failed")), "{why:#?}");

    let id = deliveries[1].head.id.clone();
    assert_eq!(house.notify.resend(&[id.clone()], house.recorder()).await.unwrap(), 1);
    // The plan begins anew: three more tries, then failed and told again.
    hook.receiver.wants(6).await;
    let until = Instant::now() + super::house::PATIENCE;
    while house.events("notification.undeliverable").len() < 2 {
        assert!(Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    house.notify.resend(&[id.clone()], house.recorder()).await.unwrap();
    let got = hook.receiver.wants(7).await;
    assert!(got.iter().all(|one| one["id"] == got[0]["id"]));
    let until = Instant::now() + super::house::PATIENCE;
    while house.notify.delivery(&id).await.unwrap().head.state != DeliveryState::Delivered {
        assert!(Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn patience_is_given_when_asked_for() {
    let house = House::open().await;
    let hook = hook(&house, &["--answers", "429,429,429,429,200", "--retry-after", "1"]).await;
    house.rule("event.action: authentication.failed", 0, &hook.channel, &[]).await;
    house.login_failed("root").await;
    // More tries than the plan of this house has: waiting for the other side's patience does not count.
    let got = hook.receiver.wants(5).await;
    let gap = got[1]["at"].as_f64().unwrap() - got[0]["at"].as_f64().unwrap();
    assert!((0.95..3.0).contains(&gap), "{gap}");
    house.all(1, DeliveryState::Delivered).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_switches_its_channel_off() {
    let house = House::open().await;
    let hook = hook(&house, &["--answers", "410"]).await;
    house.rule("event.action: authentication.failed", 0, &hook.channel, &[]).await;
    house.login_failed("root").await;
    house.all(1, DeliveryState::Failed).await;
    let until = Instant::now() + super::house::PATIENCE;
    while house.notify.channel(&hook.channel.id).await.unwrap().enabled {
        assert!(Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(house.events("entity.updated")[0]["event"]["reason"].as_str().unwrap().contains("410"));
    let position = house.login_failed("root").await;
    let until = Instant::now() + super::house::PATIENCE;
    let why = loop {
        let decisions = house.notify.of_event(position).await.unwrap().decisions;
        if let Some(decision) = decisions.into_iter().next() {
            break decision;
        }
        assert!(Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(why.verdict, "held");
    assert!(why.why.contains("is switched off"), "{}", why.why);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_hangs_holds_no_other_and_one_without_an_end_is_cut() {
    let house = House::open().await;
    let hanging = hook(&house, &["--answers", "1"]).await;
    let endless = hook(&house, &["--answers", "2"]).await;
    let good = hook(&house, &[]).await;
    for hook in [&hanging, &endless, &good] {
        house.rule("event.action: authentication.failed", 0, &hook.channel, &[]).await;
    }
    for n in 0..30 {
        house.login_failed(&format!("u{n}")).await;
    }
    let started = Instant::now();
    good.receiver.wants(30).await;
    endless.receiver.wants(30).await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert!(hanging.receiver.got().len() <= 8, "a few at a time, not all");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_secret_is_replaced_the_receiver_may_check_with_either() {
    let house = House::open().await;
    let hook = hook(&house, &[]).await;
    house.rule("event.action: authentication.failed", 0, &hook.channel, &[]).await;
    let rotated = house.notify.channel_rotate(&hook.channel.id, house.recorder()).await.unwrap();
    house.login_failed("old").await;
    assert_eq!(hook.receiver.wants(1).await[0]["verified"], true, "with the old one");
    std::fs::write(&hook.secret_file, rotated.settings["secret"].as_str().unwrap()).unwrap();
    house.login_failed("new").await;
    assert_eq!(hook.receiver.wants(2).await[1]["verified"], true, "with the new one");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_and_nothing_but_what_was_in_flight_is_sent_twice() {
    let mut house = House::open().await;
    let hook = hook(&house, &["--delay", "0.01"]).await;
    house.rule("event.action: authentication.failed", 0, &hook.channel, &[]).await;
    const ROUNDS: u64 = 12;
    const EVENTS: u64 = 25;
    for round in 0..ROUNDS {
        for n in 0..EVENTS {
            house.login_failed(&format!("u{round}-{n}")).await;
        }
        // At another moment each time: while it decides, while it sends, while it writes down.
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..40))).await;
        house = house.crash().await;
    }
    let count = usize::try_from(ROUNDS * EVENTS).unwrap();
    house.all(count, DeliveryState::Delivered).await;
    let got = hook.receiver.got();
    let ids: std::collections::HashSet<_> = got.iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), count, "each is there");
    let twice = got.len() - count;
    println!("{ROUNDS} crashes, {count} messages, {twice} sent twice");
    assert!(twice <= usize::try_from(ROUNDS).unwrap() * 8, "{twice} twice, and at most 8 are in flight at once");
    house.close().await;
}
