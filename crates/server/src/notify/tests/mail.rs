//! Email, to a real mail server.

use api::notify::{ChannelKind, DeliveryState};
use serde_json::{Value, json};

use super::house::{House, Receiver};

fn settings(receiver: &Receiver, extra: Value) -> Value {
    let mut settings = json!({
        "host": "127.0.0.1", "port": receiver.port, "security": "none",
        "from": "Belfry <belfry@example.org>", "to": ["ops@example.org"],
    });
    settings.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_is_sent_with_tls_starttls_and_none_and_with_a_password() {
    let house = House::open().await;
    let ca_file = house.folder.path().join("ca.pem");
    for security in ["none", "starttls", "tls"] {
        let mut arguments =
            vec!["--security", security, "--ca-out", ca_file.to_str().unwrap(), "--auth", "belfry:p4ss wörd"];
        if security == "none" {
            arguments.truncate(4);
        }
        let server = Receiver::start("smtp_receiver.py", &arguments);
        let extra = if security == "none" {
            json!({})
        } else {
            let pem = std::fs::read_to_string(&ca_file).unwrap();
            json!({"security": security, "host": "localhost", "username": "belfry", "password": "p4ss wörd", "certificate_authority": pem})
        };
        let channel = house.channel(ChannelKind::Email, settings(&server, extra)).await;
        let tested = house.notify.channel_test(&channel.id, "ada").await.unwrap();
        assert_eq!(tested.state, DeliveryState::Delivered, "{security}: {tested:#?}");
        assert!(!tested.attempt.request.contains("p4ss"));
        let mail = &server.wants(1).await[0];
        assert_eq!(mail["to"], json!(["ops@example.org"]));
        assert_eq!(mail["tls"], security != "none", "{mail:#}");
        assert_eq!(mail["user"], if security == "none" { Value::Null } else { json!("belfry") });
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_one_delivery_and_the_mail_says_it_all() {
    let house = House::open().await;
    let server = Receiver::start("smtp_receiver.py", &[]);
    let channel = house.channel(ChannelKind::Email, settings(&server, json!({}))).await;
    house
        .rule(
            "event.action: authentication.failed",
            0,
            &channel,
            &["a@example.org", "Bea <b@example.org>", "a@example.org"],
        )
        .await;
    house.login_failed("Ада <b>\r\nBcc: eve@example.org").await;
    house.all(2, DeliveryState::Delivered).await;
    let got = server.wants(2).await;
    let mut to: Vec<_> = got.iter().map(|mail| mail["to"][0].as_str().unwrap()).collect();
    to.sort_unstable();
    assert_eq!(to, ["a@example.org", "b@example.org"]);
    let mail = &got[0];
    assert!(mail["subject"].as_str().unwrap().contains("Ада <b> Bcc: eve@example.org, web-1"), "{}", mail["subject"]);
    assert!(mail["html"].as_str().unwrap().contains("Ада &lt;b&gt;"), "{}", mail["html"]);
    assert!(mail["text"].as_str().unwrap().contains("203.0.113.7"));
    assert!(mail["text"].as_str().unwrap().contains("https://belfry.test/events?open="));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_recipient_fails_alone_and_a_busy_server_is_tried_again() {
    let house = House::open().await;
    let server = Receiver::start("smtp_receiver.py", &["--refuse", "gone@example.org", "--greylist", "1"]);
    let channel = house.channel(ChannelKind::Email, settings(&server, json!({}))).await;
    house.rule("event.action: authentication.failed", 0, &channel, &["gone@example.org", "ops@example.org"]).await;
    house.login_failed("root").await;
    server.wants(1).await;
    let until = std::time::Instant::now() + super::house::PATIENCE;
    let deliveries = loop {
        let deliveries = house.deliveries().await;
        if deliveries
            .iter()
            .all(|delivery| matches!(delivery.head.state, DeliveryState::Delivered | DeliveryState::Failed))
        {
            break deliveries;
        }
        assert!(std::time::Instant::now() < until, "{deliveries:#?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    for delivery in deliveries {
        if delivery.head.recipient == "gone@example.org" {
            assert_eq!((delivery.head.state, delivery.attempts), (DeliveryState::Failed, 1));
            assert!(delivery.head.last_answer.unwrap().contains("no such user here"));
        } else {
            assert_eq!((delivery.head.state, delivery.attempts), (DeliveryState::Delivered, 2));
        }
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_after_the_data_gets_the_same_message_again() {
    let house = House::open().await;
    let server = Receiver::start("smtp_receiver.py", &["--die-after-data", "1"]);
    let channel = house.channel(ChannelKind::Email, settings(&server, json!({}))).await;
    house.rule("event.action: authentication.failed", 0, &channel, &[]).await;
    house.login_failed("root").await;
    let delivery = &house.all(1, DeliveryState::Delivered).await[0];
    assert_eq!(delivery.attempts, 2);
    let got = server.wants(2).await;
    assert_eq!(got[0]["message_id"], got[1]["message_id"], "a mailbox that took it shows it once");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tls_no_mail_and_a_wrong_password_waits_for_a_person() {
    let house = House::open().await;
    let plain = Receiver::start("smtp_receiver.py", &[]);
    let stripped = house.channel(ChannelKind::Email, settings(&plain, json!({"security": "starttls"}))).await;
    let tested = house.notify.channel_test(&stripped.id, "ada").await.unwrap();
    assert_eq!(tested.state, DeliveryState::Failed);
    assert!(plain.got().is_empty(), "nothing goes in the clear");

    let ca_file = house.folder.path().join("ca.pem");
    let server = Receiver::start(
        "smtp_receiver.py",
        &["--security", "starttls", "--ca-out", ca_file.to_str().unwrap(), "--auth", "belfry:right"],
    );
    let pem = std::fs::read_to_string(&ca_file).unwrap();
    let secure = |password: &str, pem: Option<&str>| {
        let extra = json!({"security": "starttls", "host": "localhost", "username": "belfry", "password": password, "certificate_authority": pem});
        settings(&server, extra)
    };
    let wrong = house.channel(ChannelKind::Email, secure("wr0ng", Some(&pem))).await;
    let tested = house.notify.channel_test(&wrong.id, "ada").await.unwrap();
    assert_eq!((tested.attempt.status, tested.attempt.outcome), (Some(535), api::notify::AttemptOutcome::Temporary));
    assert!(!format!("{tested:?}").contains("wr0ng"));
    // A certificate of nobody we know.
    let unknown = house.channel(ChannelKind::Email, secure("right", None)).await;
    let tested = house.notify.channel_test(&unknown.id, "ada").await.unwrap();
    assert_eq!(tested.state, DeliveryState::Failed);
    assert!(
        tested.attempt.answer.contains("certificate") || tested.attempt.answer.contains("UnknownIssuer"),
        "{}",
        tested.attempt.answer
    );
    assert!(server.got().is_empty());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_mailed_by_hand() {
    let house = House::open().await;
    let server = Receiver::start("smtp_receiver.py", &[]);
    house.channel(ChannelKind::Email, settings(&server, json!({}))).await;
    let position = house.login_failed("root").await;
    let request = api::notify::MailEvent { to: vec!["auditor@example.org".to_owned()], channel: None };
    assert_eq!(house.notify.mail_event(position, &request, Vec::new(), house.recorder()).await.unwrap(), 1);
    assert_eq!(server.wants(1).await[0]["to"], json!(["auditor@example.org"]));
    let exported = house.events("audit.exported");
    assert!(exported[0]["event"]["reason"].as_str().unwrap().contains("auditor@example.org"));
    let request = api::notify::MailEvent { to: vec!["nobody".to_owned()], channel: None };
    assert!(house.notify.mail_event(position, &request, Vec::new(), house.recorder()).await.is_err());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_an_end_is_cut_off() {
    let house = House::open().await;
    let server = Receiver::start("smtp_receiver.py", &["--endless"]);
    let channel = house.channel(ChannelKind::Email, settings(&server, json!({}))).await;
    let started = std::time::Instant::now();
    let tested = house.notify.channel_test(&channel.id, "ada").await.unwrap();
    assert_eq!(tested.state, DeliveryState::Failed);
    assert!(tested.attempt.answer.contains("without an end"), "{}", tested.attempt.answer);
    assert!(started.elapsed() < std::time::Duration::from_secs(20));
    house.close().await;
}
