//! kill −9 at seeded moments under load: every acknowledged event is there once, the trail verifies, and every
//! notification that is due arrives.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::hook::Hook;
use crate::support::{Belfry, eventually};

const KILLS: u64 = 200;
/// Webhooks that one channel sends at the same time.
const IN_FLIGHT: u64 = 8;

#[test]
fn nothing_acknowledged_is_lost_over_two_hundred_kills() {
    let kills = std::env::var("BELFRY_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let seed =
        std::env::var("BELFRY_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("BELFRY_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);

    let mut belfry = Belfry::start();
    let hook = Hook::open();
    belfry.allow_loopback();
    let channel = belfry.channel("webhook", &json!({ "url": hook.url() }));
    let rule = json!({ "name": "marks", "enabled": true, "filter": "event.action: crash.marked", "hold_seconds": 0, "group_by": ["event.id"],
        "recipients": [{ "channel": channel, "to": [] }] });
    belfry.post("/api/v1/rules", &rule).good();

    let acknowledged: Arc<Mutex<HashMap<String, u64>>> = Arc::default();
    let marks: Arc<Mutex<Vec<String>>> = Arc::default();
    let number = Arc::new(AtomicU64::new(0));

    for kill in 0..kills {
        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..3)
            .map(|lane| sender(&belfry, lane, stop.clone(), number.clone(), acknowledged.clone(), marks.clone()))
            .collect();
        std::thread::sleep(Duration::from_millis(random.u64(5..350)));
        belfry.kill();
        stop.store(true, Ordering::Relaxed);
        for sender in senders {
            sender.join().expect("a sender ends");
        }
        // Now and then the trail is checked as the crash left it, before anything mends it.
        if kill % 20 == 0 {
            let (code, said) = belfry.verify();
            assert_eq!(code, 0, "kill {kill}: {said}");
        }
        belfry.up();
    }

    let acknowledged = acknowledged.lock().unwrap().clone();
    assert!(acknowledged.len() as u64 > kills, "the load was real: {} events", acknowledged.len());
    for (id, position) in acknowledged.iter().take(2_000) {
        let found = belfry.get(&format!("/api/v1/events/{position}")).good();
        assert_eq!(found["event"]["event"]["id"].as_str(), Some(id.as_str()), "position {position}");
    }
    // Each once: counted through the index, which was thrown about by every kill.
    eventually(60, "the index catches up", || {
        let trail = belfry.get("/api/v1/trail").good();
        (trail["indexed_to"] == trail["size"]).then_some(())
    });
    let mut seen: HashMap<String, u64> = HashMap::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut query = vec![("filter", "event.action: crash.*".to_owned()), ("limit", "1000".to_owned())];
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let page = belfry.answer(belfry.request("GET", "/api/v1/events").query(&query)).good();
        for item in page["items"].as_array().unwrap() {
            *seen.entry(item["event"]["event"]["id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    let lost: Vec<&String> = acknowledged.keys().filter(|id| !seen.contains_key(*id)).collect();
    assert!(
        lost.is_empty(),
        "{} of {} acknowledged events are not found: {:?}",
        lost.len(),
        acknowledged.len(),
        lost.iter().take(5).collect::<Vec<_>>()
    );
    let twice: Vec<_> = seen.iter().filter(|(_, count)| **count > 1).collect();
    assert!(
        twice.is_empty(),
        "{} events are there more than once: {:?}",
        twice.len(),
        twice.iter().take(5).collect::<Vec<_>>()
    );

    // Every notification that is due arrives; at the most those that were under way at a kill arrive twice, and a channel
    // has no more than IN_FLIGHT of them.
    let marks = marks.lock().unwrap().clone();
    let arrived = eventually(120, "every due notification", || {
        let arrived = arrivals(&hook);
        marks.iter().all(|mark| arrived.contains_key(mark)).then_some(arrived)
    });
    let repeated: u64 = arrived.values().map(|count| count - 1).sum();
    assert!(
        repeated <= kills * IN_FLIGHT,
        "{repeated} repetitions over {kills} kills: at the most those in flight at each"
    );

    belfry.stop();
    let (code, said) = belfry.verify();
    assert_eq!(code, 0, "{said}");
    println!(
        "{kills} kills, {} events acknowledged, {} notifications due, {repeated} arrived again",
        acknowledged.len(),
        marks.len()
    );
}

/// How often each mark arrived.
fn arrivals(hook: &Hook) -> HashMap<String, u64> {
    let mut arrived: HashMap<String, u64> = HashMap::new();
    for got in hook.got() {
        let text = String::from_utf8_lossy(&got.body).into_owned();
        if let Some(mark) = text.split("mark-").nth(1) {
            let digits: String = mark.chars().take_while(char::is_ascii_digit).collect();
            *arrived.entry(format!("mark-{digits}")).or_default() += 1;
        }
    }
    arrived
}

/// Sends batches until told to stop or the server is gone. One event in forty is one that a rule tells about.
fn sender(
    belfry: &Belfry,
    lane: u64,
    stop: Arc<AtomicBool>,
    number: Arc<AtomicU64>,
    acknowledged: Arc<Mutex<HashMap<String, u64>>>,
    marks: Arc<Mutex<Vec<String>>>,
) -> std::thread::JoinHandle<()> {
    let (url, token, client) = (belfry.url.clone(), belfry.token.clone(), belfry.client().clone());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            while !stop.load(Ordering::Relaxed) {
                let size = if lane == 0 { 1 } else { 25 };
                let mut ids = Vec::new();
                let events: Vec<Value> = (0..size)
                    .map(|_| {
                        let n = number.fetch_add(1, Ordering::Relaxed);
                        let marked = n.is_multiple_of(40);
                        let id = if marked { format!("mark-{n}") } else { format!("plain-{n}") };
                        ids.push(id.clone());
                        json!({ "event": { "action": if marked { "crash.marked" } else { "crash.sent" }, "id": id }, "message": format!("event {id} end"), "user": { "name": "load" } })
                    })
                    .collect();
                let sent = client.post(format!("{url}/api/v1/events")).bearer_auth(&token).json(&events).timeout(Duration::from_secs(5)).send().await;
                let Ok(answer) = sent else { return };
                if !answer.status().is_success() {
                    continue;
                }
                let Ok(receipt) = answer.json::<Value>().await else { return };
                let Some(first) = receipt["first"].as_u64() else { continue };
                let mut acknowledged = acknowledged.lock().expect("a lock");
                let mut marks = marks.lock().expect("a lock");
                for (index, id) in ids.into_iter().enumerate() {
                    if id.starts_with("mark-") {
                        marks.push(id.clone());
                    }
                    acknowledged.insert(id, first + index as u64);
                }
            }
        });
    })
}
