//! Reads the trail on and decides: whom to tell of what.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use event::Event;
use rules::{Effect, Memory, MemoryChange, RuleSet, Verdict, decide};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Room, message, recipients};
use crate::follow::{Follower, Step};
use crate::state;
use crate::state::channels::Channel;
use crate::state::deliveries::{NewDelivery, identity};
use crate::state::memory::Decision;
use crate::state::rules::{Counts, day_of};
use crate::state::users::User;

const NAME: &str = "rules";
/// What fits one transaction. A small step keeps a flood of deliveries from delaying the first of them.
const STEP: Step = Step { entries_max: 2_000, bytes_max: 4 << 20 };
/// A stretch that led to nothing is not worth a transaction of its own: after a crash it is decided on again,
/// and leads to nothing again.
const POSITION_STORED_EVERY: Duration = Duration::from_secs(1);
const EVICT_EVERY: Duration = Duration::from_secs(300);
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(2);
/// What may wait for one channel. Whatever comes on top is held back, and the decision says so.
const WAITING_MAX: i64 = 20_000;
/// Of what a rule holds back in one step, so many are noted one by one. In a flood the rest is only counted.
const HELD_NOTED_MAX: u32 = 500;
/// The event about a message that reached nobody. Its own failure raises no other.
pub const UNDELIVERABLE: &str = "notification.undeliverable";

/// Why the follower can't go on for the moment.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the trail can't be read")]
    Read(#[from] trail::TrailError),
    #[error("the state can't be read or written")]
    State(#[from] sqlx::Error),
    #[error(transparent)]
    Channels(#[from] state::channels::Error),
}

/// Runs until `stop`.
pub(super) async fn run(room: Arc<Room>, stop: CancellationToken) {
    let working = async {
        loop {
            let failed = match Desk::open(room.clone()).await {
                // Whatever failed, what is in memory may be ahead of what is stored: begin anew from there.
                Ok(mut desk) => desk.work().await,
                Err(error) => Err(error),
            };
            match failed {
                Ok(()) => return,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "the rules can't follow the trail")
                }
            }
            tokio::time::sleep(PAUSE_AFTER_ERROR).await;
        }
    };
    tokio::select! {
        () = working => {}
        () = stop.cancelled() => {}
    }
}

/// The follower with all it needs to decide.
struct Desk {
    room: Arc<Room>,
    follower: Follower,
    changes: watch::Receiver<u64>,
    rules: RuleSet,
    channels: HashMap<String, Channel>,
    memory: Memory,
    stored: (u64, Instant),
    evicted: Instant,
}

impl Desk {
    async fn open(room: Arc<Room>) -> Result<Self, Error> {
        let changes = room.changes.subscribe();
        let position = state::followers::position(&room.needs.state, NAME).await?;
        let door = &room.needs.door;
        let follower = Follower::new(door.trail().clone(), door.growth(), position, STEP);
        let memory = state::memory::load(&room.needs.state).await?;
        let now = Instant::now();
        let mut desk = Self {
            follower,
            changes,
            rules: RuleSet::default(),
            channels: HashMap::new(),
            memory,
            stored: (position, now),
            evicted: now,
            room,
        };
        desk.read_rules().await?;
        Ok(desk)
    }

    async fn read_rules(&mut self) -> Result<(), Error> {
        self.changes.mark_unchanged();
        let needs = &self.room.needs;
        let mut ready = Vec::new();
        for rule in state::rules::all(&needs.state).await? {
            match rule.ready() {
                Ok(rule) => ready.push(rule),
                Err(error) => {
                    tracing::error!(rule.id = %rule.id, rule.name = %rule.name, %error, "a rule can't be read and is left out");
                }
            }
        }
        self.rules = RuleSet::new(ready);
        let channels = state::channels::all(&needs.state, &needs.secrets).await?;
        self.channels = channels.into_iter().map(|channel| (channel.id.clone(), channel)).collect();
        Ok(())
    }

    /// Decides on all there is, and waits for more. Ends when the trail does.
    async fn work(&mut self) -> Result<(), Error> {
        loop {
            let idle = POSITION_STORED_EVERY.saturating_sub(self.stored.1.elapsed());
            let unstored = self.follower.position() > self.stored.0;
            let wait = if unstored { idle } else { Duration::from_secs(3_600) };
            match tokio::time::timeout(wait, self.follower.next()).await {
                Ok(None) => return Ok(()),
                Ok(Some(read)) => self.take(read?).await?,
                Err(_) => {}
            }
            if self.follower.position() > self.stored.0 && self.stored.1.elapsed() >= POSITION_STORED_EVERY {
                self.store(Outcome::default()).await?;
            }
            if self.evicted.elapsed() >= EVICT_EVERY {
                self.evict().await?;
            }
        }
    }

    async fn take(&mut self, entries: Vec<(u64, Bytes)>) -> Result<(), Error> {
        if self.changes.has_changed().unwrap_or(false) {
            self.read_rules().await?;
        }
        if self.rules.is_empty() {
            return Ok(());
        }
        let mut outcome = Outcome::default();
        let mut people = None;
        for (position, entry) in &entries {
            if !Event::glance(entry, "event.action").is_some_and(|action| self.rules.may_pick(&action)) {
                continue;
            }
            let Ok(event) = Event::read(entry) else { continue };
            let now = event.ingested().unwrap_or_else(|| event.timestamp());
            for effect in decide(&self.rules, &self.memory, *position, &event, now) {
                if let Some(change) = &effect.remember {
                    self.memory.apply(change);
                }
                if people.is_none() && !effect.recipients.is_empty() {
                    people = Some(People::ask(&self.room, &self.rules).await?);
                }
                self.carry_out(&effect, &event, now, people.as_mut(), &mut outcome);
                outcome.changes.extend(effect.remember);
            }
        }
        if outcome.is_empty() { Ok(()) } else { self.store(outcome).await }
    }

    /// Turns one effect into deliveries and a decision that can be read later.
    fn carry_out(
        &self,
        effect: &Effect,
        event: &Event<'_>,
        now: jiff::Timestamp,
        people: Option<&mut People>,
        outcome: &mut Outcome,
    ) {
        let Some(rule) = self.rules.get(&effect.rule) else { return };
        // Decided on before: its decision and its deliveries are there already, under the same identities.
        let counts = outcome.counts.entry((rule.id.0.clone(), day_of(now))).or_default();
        let (verdict, why) = match (&effect.verdict, people) {
            (Verdict::Send { held_before }, Some(people)) => {
                let told = message::of_event(self.room.frame(), event, effect.position, Some(&rule.name), *held_before);
                let (sent, left_out) = self.address(effect, event, people, &told, &mut outcome.deliveries);
                if sent == 0 {
                    counts.0.held += 1;
                    ("held", left_out.join("; "))
                } else {
                    counts.0.sent += 1;
                    counts.1 = Some(now);
                    let mut why =
                        vec![format!("sent to {sent} {}", if sent == 1 { "recipient" } else { "recipients" })];
                    if *held_before > 0 {
                        why.push(format!("{held_before} of the same were held back before"));
                    }
                    why.extend(left_out);
                    ("send", why.join("; "))
                }
            }
            (Verdict::Send { .. }, None) => return,
            (Verdict::Held { why }, _) => {
                counts.0.held += 1;
                let noted = outcome.held_noted.entry(rule.id.0.clone()).or_default();
                *noted += 1;
                if *noted > HELD_NOTED_MAX {
                    return;
                }
                ("held", why.to_string())
            }
        };
        outcome.decisions.push(Decision {
            position: effect.position.cast_signed(),
            rule_id: rule.id.0.clone(),
            rule_name: rule.name.clone(),
            verdict: verdict.to_owned(),
            why,
            at: now.as_millisecond(),
        });
    }

    /// One delivery for each address. Answers how many, and why others are left out.
    fn address(
        &self,
        effect: &Effect,
        event: &Event<'_>,
        people: &mut People,
        told: &state::deliveries::Message,
        deliveries: &mut Vec<NewDelivery>,
    ) -> (usize, Vec<String>) {
        let before = deliveries.len();
        let mut left_out = Vec::new();
        for recipient in &effect.recipients {
            let Some(channel) = self.channels.get(&recipient.channel.0) else {
                left_out.push(format!("channel {} is gone", recipient.channel.0));
                continue;
            };
            if !channel.enabled {
                left_out.push(format!("channel {} is switched off", channel.name));
                continue;
            }
            // What a channel failed to deliver is not told through that channel: it would fail again, and
            // raise the next event, and so on.
            if event.action() == UNDELIVERABLE && event.text("entity.id") == Some(channel.id.as_str()) {
                left_out.push(format!("channel {} is the one that failed", channel.name));
                continue;
            }
            for to in recipients::resolve(channel, &recipient.to, &people.users) {
                let waiting = people.waiting.entry(channel.id.clone()).or_default();
                if *waiting >= WAITING_MAX {
                    left_out.push(format!("{WAITING_MAX} messages wait for channel {} already", channel.name));
                    break;
                }
                *waiting += 1;
                deliveries.push(NewDelivery {
                    id: identity(&effect.rule.0, &channel.id, &to, effect.position),
                    rule_id: Some(effect.rule.0.clone()),
                    channel_id: channel.id.clone(),
                    channel_name: channel.name.clone(),
                    kind: channel.kind(),
                    recipient: to,
                    message: told.clone(),
                });
            }
        }
        (deliveries.len() - before, left_out)
    }

    async fn store(&mut self, outcome: Outcome) -> Result<(), Error> {
        let position = self.follower.position();
        let mut transaction = state::begin_write(&self.room.needs.state).await?;
        // The position is stored in the same transaction as the deliveries. Apart, a crash in between
        // would send twice (position lost) or never (deliveries lost).
        let new = state::deliveries::insert(&mut transaction, &outcome.deliveries, self.room.now_ms()).await?;
        state::memory::remember(&mut transaction, outcome.changes.iter()).await?;
        state::memory::decided(&mut transaction, &outcome.decisions).await?;
        for ((rule, day), (counts, fired)) in &outcome.counts {
            state::rules::count(&mut transaction, rule, *day, *counts, *fired).await?;
        }
        state::followers::advance(&mut transaction, NAME, position).await?;
        transaction.commit().await?;
        self.stored = (position, Instant::now());
        if new > 0 {
            self.room.needs.bell.ring_for(outcome.deliveries.into_iter().map(|delivery| delivery.channel_id));
        }
        Ok(())
    }

    async fn evict(&mut self) -> Result<(), Error> {
        self.evicted = Instant::now();
        let gone = self.memory.evict(&self.rules, self.room.needs.clock.now());
        if gone.is_empty() {
            return Ok(());
        }
        let lost: u64 = gone.iter().map(|slot| slot.held).sum();
        if lost > 0 {
            tracing::warn!(
                held = lost,
                "{lost} messages that were held back are no longer counted: nothing of the same came for long"
            );
        }
        let mut transaction = state::begin_write(&self.room.needs.state).await?;
        state::memory::forget(&mut transaction, &gone).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Who there is and what waits, asked once for each step that tells anybody.
struct People {
    users: Vec<User>,
    waiting: HashMap<String, i64>,
}

impl People {
    async fn ask(room: &Room, rules: &RuleSet) -> Result<Self, Error> {
        // Most rules name addresses and channels, and need no look at the users.
        let names = |to: &String| to.starts_with("user:") || to.starts_with("role:");
        let named = rules.rules().any(|rule| rule.recipients.iter().any(|recipient| recipient.to.iter().any(names)));
        let users = if named { state::users::all(&room.needs.state).await? } else { Vec::new() };
        let mut connection = room.needs.state.acquire().await?;
        let waiting = state::deliveries::waiting(&mut connection).await?;
        Ok(Self { users, waiting })
    }
}

/// What one step concluded.
#[derive(Default)]
struct Outcome {
    deliveries: Vec<NewDelivery>,
    changes: Vec<MemoryChange>,
    decisions: Vec<Decision>,
    counts: BTreeMap<(String, i64), (Counts, Option<jiff::Timestamp>)>,
    held_noted: HashMap<String, u32>,
}

impl Outcome {
    fn is_empty(&self) -> bool {
        self.decisions.is_empty() && self.changes.is_empty()
    }
}
