//! A trail, a state and the notify room around them, and receivers that are real programs.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use api::notify::{Channel, ChannelDraft, ChannelKind, Delivery, DeliveryState, Recipient, Rule, RuleDraft};
use event::{Catalogue, Value};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use trail::Trail;

use crate::append::{Door, Origin};
use crate::clock::Clock;
use crate::keys;
use crate::notify::{Needs, Notify, Recorder};
use crate::outgoing::Outgoing;
use crate::state;
use crate::state::deliveries::{Bell, Wanted};
use crate::state::secrets::Secrets;

pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct House {
    pub notify: Notify,
    pub door: Door,
    pub folder: Arc<tempfile::TempDir>,
    stop: CancellationToken,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    pauses: Vec<Duration>,
}

impl House {
    /// With retries after 100 and 200 ms.
    pub async fn open() -> Self {
        Self::open_in(
            Arc::new(tempfile::tempdir().unwrap()),
            vec![Duration::from_millis(100), Duration::from_millis(200)],
        )
        .await
    }

    pub async fn open_in(folder: Arc<tempfile::TempDir>, pauses: Vec<Duration>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (trail_dir, key_file) = (folder.path().join("trail"), folder.path().join("trail.key"));
        if !key_file.exists() {
            let key = keys::make_trail_key(&key_file).unwrap();
            Trail::create(&trail_dir, "belfry.test/acme", &key).unwrap();
        }
        let (trail, _) =
            Trail::open(&trail_dir, keys::trail_key(&key_file).unwrap(), trail::Options::default()).unwrap();
        let catalogue = Arc::new(Catalogue::builtin().clone());
        let door = Door::new(trail, catalogue.clone(), Clock::System);
        let outgoing = Outgoing::default();
        outgoing.allow(&["127.0.0.1".to_owned(), "localhost".to_owned()]);
        let needs = Needs {
            state: state::open(&folder.path().join("state.sqlite")).await.unwrap(),
            secrets: Arc::new(Secrets::open(&folder.path().join("state.key")).unwrap()),
            door: door.clone(),
            outgoing,
            catalogue,
            clock: Clock::System,
            bell: Bell::default(),
            organization: "acme".to_owned(),
            public_url: "https://belfry.test".to_owned(),
        };
        let notify = Notify::with_pauses(needs, pauses.clone());
        let stop = CancellationToken::new();
        let tasks =
            vec![tokio::spawn(notify.clone().follow(stop.clone())), tokio::spawn(notify.clone().send(stop.clone()))];
        Self { notify, door, folder, stop, tasks, pauses }
    }

    /// As after kill -9: nothing is finished, nothing is said goodbye to.
    pub async fn crash(self) -> Self {
        for task in &self.tasks {
            task.abort();
        }
        for task in self.tasks {
            let _ = task.await;
        }
        self.notify.room().needs.state.close().await;
        self.door.trail().close();
        let (folder, pauses) = (self.folder.clone(), self.pauses.clone());
        drop((self.notify, self.door));
        Self::open_in(folder, pauses).await
    }

    pub async fn close(self) {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
    }

    pub fn recorder(&self) -> Recorder<'_> {
        Box::new(move |event| Box::pin(async move { self.door.record(event).await.map(drop) }))
    }

    pub async fn channel(&self, kind: ChannelKind, settings: serde_json::Value) -> Channel {
        let draft =
            ChannelDraft { name: format!("{} {}", kind.name(), rand::random::<u16>()), kind, settings, enabled: true };
        self.notify.channel_create(draft, self.recorder()).await.unwrap()
    }

    pub async fn rule(&self, filter: &str, hold_seconds: u64, channel: &Channel, to: &[&str]) -> Rule {
        let draft = RuleDraft {
            name: format!("Rule {}", rand::random::<u16>()),
            description: String::new(),
            enabled: true,
            filter: filter.to_owned(),
            recipients: vec![Recipient {
                channel: channel.id.clone(),
                to: to.iter().map(|to| (*to).to_owned()).collect(),
            }],
            hold_seconds,
            group_by: None,
        };
        self.notify.rule_create(draft, "ada", self.recorder()).await.unwrap()
    }

    /// A failed login of `user`; answers its position.
    pub async fn login_failed(&self, user: &str) -> u64 {
        self.send(json!({
            "event": {"action": "authentication.failed", "outcome": "failure"},
            "user": {"name": user}, "host": {"name": "web-1"}, "source": {"ip": "203.0.113.7"},
        }))
        .await
    }

    pub async fn send(&self, event: serde_json::Value) -> u64 {
        let admitted = self.door.admit(Value::from(event), Origin::default()).unwrap();
        self.door.append(vec![admitted], None).await.unwrap().first
    }

    pub async fn deliveries(&self) -> Vec<Delivery> {
        self.notify.deliveries(&Wanted { limit: 500, ..Wanted::default() }).await.unwrap().0
    }

    /// Waits until there are `count` deliveries and all have ended as `state`.
    pub async fn all(&self, count: usize, state: DeliveryState) -> Vec<Delivery> {
        let until = Instant::now() + PATIENCE;
        loop {
            let deliveries = self.deliveries().await;
            if deliveries.len() == count && deliveries.iter().all(|delivery| delivery.head.state == state) {
                return deliveries;
            }
            assert!(Instant::now() < until, "wanted {count} {state:?}, got {deliveries:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The search over this trail.
    pub fn store(&self) -> Arc<store::Store> {
        let entries = Arc::new(crate::index::TrailEntries(self.door.trail().clone()));
        Arc::new(store::Store::open(&self.folder.path().join("index"), store::Options::default(), entries).unwrap())
    }

    /// The events of that type in the trail.
    pub fn events(&self, action: &str) -> Vec<serde_json::Value> {
        let trail = self.door.trail();
        let all = trail.read(0, 100_000, 100 << 20).unwrap();
        let events = all.iter().map(|(_, entry)| serde_json::from_slice::<serde_json::Value>(entry).unwrap());
        events.filter(|event| event["event"]["action"] == action).collect()
    }
}

/// A receiver from tests/channels, ended when dropped.
pub struct Receiver {
    child: Child,
    pub port: u16,
    got: Arc<Mutex<Vec<serde_json::Value>>>,
}

impl Receiver {
    pub fn start(script: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(python())
            .arg(root().join("tests/channels").join(script))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        let first: serde_json::Value = serde_json::from_str(&first).unwrap();
        let got = Arc::new(Mutex::new(Vec::new()));
        let written = got.clone();
        std::thread::spawn(move || {
            for line in lines.lines() {
                let Ok(line) = line else { return };
                written.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, port: u16::try_from(first["port"].as_u64().unwrap()).unwrap(), got }
    }

    pub fn got(&self) -> Vec<serde_json::Value> {
        self.got.lock().unwrap().clone()
    }

    pub async fn wants(&self, count: usize) -> Vec<serde_json::Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let got = self.got();
            if got.len() >= count {
                return got;
            }
            assert!(Instant::now() < until, "wanted {count}, got {got:#?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The Python of the test environment, made when it is not there.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let mut made = Command::new(root().join("scripts/test-env.sh")).stderr(Stdio::piped()).spawn().unwrap();
        if !made.wait().unwrap().success() {
            let mut why = String::new();
            made.stderr.take().unwrap().read_to_string(&mut why).unwrap();
            panic!("scripts/test-env.sh: {why}");
        }
        root().join("target/test-venv/bin/python")
    })
}
