//! What is left out before it reaches the trail, decided by rules that administrators make.
//!
//! Belfry's own events never come this way. Nothing is left out by chance: a rule fits an event or it does not. What
//! was left out is counted by rule, hour, source and type, and the counts are recorded: when the hour has ended, and
//! before a rule changes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use api::selection::SelectionInput;
use event::filter::{Matcher, Pattern, Test};
use event::{Event, Filter, Value};
use jiff::Timestamp;
use parking_lot::{Mutex, RwLock};
use serde_json::json;
use sqlx::SqlitePool;

use super::health::{Health, NO_SOURCE};
use crate::append::OWN_SOURCE;
use crate::clock::Clock;
use crate::state::selection::{self as state, Counted, Rule};
use crate::state::{begin_write, health, new_id, time_text};

pub const RULES_MAX: usize = 500;
const TYPES_PER_HOUR_MAX: usize = 2_000;
const OTHER_TYPES: &str = "(other types)";
const HOURS_KEPT: i64 = 14 * 24;
const HOUR_MS: i64 = 3_600_000;
const FLUSH_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    #[error("there is no selection rule {id}")]
    NotFound { id: String },
    #[error("{reason}")]
    Invalid { pointer: &'static str, reason: String },
    #[error("the filter can't be read")]
    Filter(#[from] event::filter::FilterError),
    #[error("there are {RULES_MAX} rules already")]
    TooMany,
    #[error("the state database failed")]
    State(#[from] sqlx::Error),
}

/// A rule ready to decide.
struct Ready {
    id: Arc<str>,
    /// None: of all sources.
    source: Option<String>,
    action: Option<Pattern>,
    matcher: Matcher,
}

/// Rule, source and type of an event that was left out.
pub type Counter = (Arc<str>, String, String);

/// The rules in force, and what they left out.
pub struct Selection {
    pool: SqlitePool,
    clock: Clock,
    health: Arc<Health>,
    rules: RwLock<Arc<Vec<Ready>>>,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    /// Not stored yet, by hour.
    new: HashMap<(Counter, i64), u64>,
    /// What was counted by itself in this hour; the rest goes under one name.
    known: HashSet<Counter>,
    hour: i64,
}

impl Selection {
    pub async fn open(pool: SqlitePool, clock: Clock, health: Arc<Health>) -> Result<Arc<Self>, SelectionError> {
        let selection = Self { pool, clock, health, rules: RwLock::default(), counts: Mutex::new(Counts::default()) };
        selection.reload().await?;
        Ok(Arc::new(selection))
    }

    /// Reads the rules again, after a change.
    pub async fn reload(&self) -> Result<(), SelectionError> {
        let mut rules = Vec::new();
        for rule in state::all(&self.pool).await?.into_iter().filter(|rule| rule.enabled) {
            match ready(&rule) {
                Ok(ready) => rules.push(ready),
                // Rather too much in the trail than too little.
                Err(error) => {
                    tracing::error!(%error, "the selection rule {} can't be read and leaves nothing out", rule.id)
                }
            }
        }
        *self.rules.write() = Arc::new(rules);
        Ok(())
    }

    /// The rule that leaves this admitted event out, if one does. Its number in its sender's sequence is then not
    /// missing.
    pub fn leaves_out(&self, entry: &[u8]) -> Option<Counter> {
        let rules = self.rules.read().clone();
        if rules.is_empty() {
            return None;
        }
        let (mut source, mut action) = (None, String::new());
        let read = Event::leaves(entry, &mut |path, value| {
            match (path, value) {
                ("event.action", Value::String(text)) => action = text.to_string(),
                ("event.module", Value::String(text)) => source = Some(text.to_string()),
                _ if path > "event.module" => return ControlFlow::Break(()),
                _ => {}
            }
            ControlFlow::Continue(())
        });
        read.ok()?;
        let source = source.unwrap_or_else(|| NO_SOURCE.to_owned());
        if source == OWN_SOURCE {
            return None;
        }
        let folded = event::words::fold(&action);
        let mut event = None;
        let rule = rules.iter().find(|rule| {
            let near = rule.source.as_ref().is_none_or(|wanted| *wanted == source)
                && rule.action.as_ref().is_none_or(|pattern| pattern.matches(&folded));
            near && event
                .get_or_insert_with(|| Event::read(entry))
                .as_ref()
                .is_ok_and(|event| rule.matcher.matches(event))
        })?;
        self.health.left_out(entry, self.clock.now());
        Some((rule.id.clone(), source, action))
    }

    /// Counts what was left out of a batch that was taken.
    pub fn count(&self, left_out: Vec<Counter>) {
        let hour = self.clock.now().as_millisecond().div_euclid(HOUR_MS);
        let mut counts = self.counts.lock();
        if counts.hour != hour {
            counts.hour = hour;
            counts.known.clear();
        }
        for mut counter in left_out {
            if !counts.known.contains(&counter) {
                if counts.known.len() >= TYPES_PER_HOUR_MAX {
                    OTHER_TYPES.clone_into(&mut counter.2);
                }
                counts.known.insert(counter.clone());
            }
            *counts.new.entry((counter, hour)).or_default() += 1;
        }
    }

    /// Stores what was counted, and has the counts of past hours told; of `rule` all. Events to tell wait with the
    /// other notices of the sources.
    pub async fn settle(&self, rule: Option<&str>) -> sqlx::Result<()> {
        let new = std::mem::take(&mut self.counts.lock().new);
        let stored = self.store(&new, rule).await;
        if stored.is_err() {
            let mut counts = self.counts.lock();
            for (counter, events) in new {
                *counts.new.entry(counter).or_default() += events;
            }
        }
        stored
    }

    async fn store(&self, new: &HashMap<(Counter, i64), u64>, rule: Option<&str>) -> sqlx::Result<()> {
        let now = self.clock.now();
        let hour = now.as_millisecond().div_euclid(HOUR_MS);
        let mut transaction = begin_write(&self.pool).await?;
        for (((rule, source, action), hour), events) in new {
            state::count(&mut transaction, (rule, source, action), *hour, *events).await?;
        }
        let untold = state::untold(&mut transaction, hour, rule).await?;
        let mut told: BTreeMap<(String, i64, String), Vec<Counted>> = BTreeMap::new();
        for counted in untold {
            state::told(&mut transaction, &counted).await?;
            told.entry((counted.rule.clone(), counted.hour, counted.source.clone())).or_default().push(counted);
        }
        for ((rule, hour, source), counted) in &told {
            let reason = state::find(&mut transaction, rule).await?.map(|rule| rule.reason);
            let event = told_event(rule, *hour, source, counted, reason.as_deref());
            health::add_notice(&mut transaction, &new_id(now), &event.to_string()).await?;
        }
        state::prune(&mut transaction, hour - HOURS_KEPT).await?;
        transaction.commit().await?;
        if !told.is_empty() {
            self.health.ring();
        }
        Ok(())
    }

    /// Stores the counts every few seconds, and a last time when the server stops. Runs until `stop`.
    pub async fn keep_counting(self: Arc<Self>, stop: tokio_util::sync::CancellationToken) {
        loop {
            let stopped = tokio::select! {
                () = tokio::time::sleep(FLUSH_EVERY) => false,
                () = stop.cancelled() => true,
            };
            let idle = self.counts.lock().new.is_empty() && self.rules.read().is_empty();
            if !idle && let Err(error) = self.settle(None).await {
                tracing::error!(%error, "can't store what was left out");
            }
            if stopped {
                return;
            }
        }
    }
}

/// The filter that a rule amounts to, for the live decision and for its preview.
pub fn filter_of(source: &str, action: &str, filter: &str, now: Timestamp) -> Result<Filter, SelectionError> {
    let invalid = |pointer, reason: &str| SelectionError::Invalid { pointer, reason: reason.to_owned() };
    if source.is_empty() || source.len() > 64 || source.chars().any(char::is_control) {
        return Err(invalid("/source", "name a source, or * for all"));
    }
    if source == OWN_SOURCE {
        return Err(invalid("/source", "Belfry's own events are always kept"));
    }
    if action.len() > 200 || action.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(invalid("/action", "a type or a pattern such as vault.*, without blanks"));
    }
    if action.is_empty() && filter.trim().is_empty() {
        return Err(invalid("/action", "name a type, a pattern or a filter; * is every type of the source"));
    }
    if source == "*" && action.chars().all(|c| c == '*') && filter.trim().is_empty() {
        return Err(invalid("/source", "this would keep nothing at all"));
    }
    let of_source = match source {
        "*" => Filter::All,
        NO_SOURCE => Filter::Not(Box::new(Filter::field("event.module", Test::Exists))),
        name => Filter::equals("event.module", name),
    };
    let of_type = match action {
        "" => Filter::All,
        pattern if pattern.contains('*') => {
            Filter::field("event.action", Test::Wildcard(Pattern::from_stars(&event::words::fold(pattern))))
        }
        name => Filter::equals("event.action", name),
    };
    let own = Filter::Not(Box::new(Filter::equals("event.module", OWN_SOURCE)));
    let more = if filter.trim().is_empty() { Filter::All } else { event::filter::parse(filter)? };
    let later = now.saturating_add(jiff::SignedDuration::from_hours(24 * 400)).unwrap_or(now);
    if more.at(now) != more.at(later) {
        return Err(invalid("/filter", "a time that moves with the clock says nothing of an event that comes now"));
    }
    Ok(own.and(of_source).and(of_type).and(more))
}

/// Checks what somebody wants left out.
pub fn check(input: &SelectionInput, now: Timestamp) -> Result<(), SelectionError> {
    filter_of(&input.source, &input.action, &input.filter, now)?;
    let reason = input.reason.trim();
    if reason.is_empty() || reason.chars().count() > 1_000 {
        let reason = "say why it is not kept, in 1 to 1,000 characters".to_owned();
        return Err(SelectionError::Invalid { pointer: "/reason", reason });
    }
    Ok(())
}

fn ready(rule: &Rule) -> Result<Ready, SelectionError> {
    let filter = filter_of(&rule.source, &rule.action, &rule.filter, Timestamp::UNIX_EPOCH)?;
    Ok(Ready {
        id: rule.id.as_str().into(),
        source: (rule.source != "*").then(|| rule.source.clone()),
        action: (!rule.action.is_empty()).then(|| Pattern::from_stars(&event::words::fold(&rule.action))),
        matcher: Matcher::new(&filter),
    })
}

fn told_event(rule: &str, hour: i64, source: &str, counted: &[Counted], why: Option<&str>) -> serde_json::Value {
    const TYPES_TOLD_MAX: usize = 50;
    let events: i64 = counted.iter().map(|one| one.events - one.told).sum();
    let from = time_text(hour * HOUR_MS);
    let types: Vec<_> = counted
        .iter()
        .take(TYPES_TOLD_MAX)
        .map(|one| json!({"action": one.action, "events": one.events - one.told}))
        .collect();
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    let plural = if events == 1 { "event" } else { "events" };
    json!({
        "event": {
            "action": "source.left_out", "outcome": "success",
            "reason": format!("{events} {plural} in the hour from {from}{why}"),
        },
        "entity": {"type": "source", "id": source, "name": source},
        "labels": {"records": events.to_string(), "selection_rule": rule},
        "left_out": {"rule": rule, "from": from, "events": events, "types": types},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(source: &str, action: &str, filter: &str) -> SelectionInput {
        SelectionInput {
            source: source.to_owned(),
            action: action.to_owned(),
            filter: filter.to_owned(),
            reason: "noise".to_owned(),
            enabled: true,
        }
    }

    fn rule(source: &str, action: &str, filter: &str) -> Rule {
        Rule {
            id: "r1".to_owned(),
            source: source.to_owned(),
            action: action.to_owned(),
            filter: filter.to_owned(),
            reason: "noise".to_owned(),
            enabled: true,
            created_at: 0,
            created_by: String::new(),
            updated_at: 0,
            updated_by: String::new(),
            left_out: 0,
        }
    }

    async fn house(rules: &[Rule], clock: &Clock) -> (tempfile::TempDir, SqlitePool, Arc<Selection>) {
        let dir = tempfile::tempdir().unwrap();
        let pool = crate::state::open(&dir.path().join("state.sqlite")).await.unwrap();
        let mut connection = pool.acquire().await.unwrap();
        for rule in rules {
            state::put(&mut connection, rule).await.unwrap();
        }
        drop(connection);
        let health = Arc::new(Health::open(&pool, clock.now()).await.unwrap());
        let selection = Selection::open(pool.clone(), clock.clone(), health).await.unwrap();
        (dir, pool, selection)
    }

    fn entry(source: Option<&str>, action: &str, user: &str) -> Vec<u8> {
        let mut event =
            json!({"@timestamp": "2026-01-05T10:00:00Z", "event": {"action": action}, "user": {"name": user}});
        if let Some(source) = source {
            event["event"]["module"] = json!(source);
        }
        serde_json::to_vec(&event).unwrap()
    }

    #[test]
    fn what_can_not_be_meant_is_refused() {
        let now = Timestamp::from_second(1_767_571_200).unwrap();
        let fails = |input: &SelectionInput, word: &str| {
            let error = check(input, now).unwrap_err().to_string();
            assert!(error.contains(word), "{input:?}: {error}");
        };
        for good in [input("vault", "vault.*", ""), input("*", "", "user.name: root"), input("events", "*", "")] {
            check(&good, now).unwrap();
        }
        fails(&input("belfry", "*", ""), "own events");
        fails(&input("", "a.b", ""), "source");
        fails(&input("*", "*", ""), "nothing at all");
        fails(&input("vault", "", " "), "type");
        fails(&input("vault", "a b", ""), "blanks");
        fails(&input("vault", "", "user.name: ("), "filter");
        fails(&input("vault", "", "@timestamp < now-1d"), "clock");
        fails(&SelectionInput { reason: "  ".into(), ..input("vault", "a.b", "") }, "why");
    }

    #[tokio::test]
    async fn rules_pick_by_source_type_and_filter_and_never_our_own() {
        let clock = Clock::set(Timestamp::from_second(1_767_571_200).unwrap());
        let check = async |of: Rule, entry: Vec<u8>, expected: bool| {
            let (_dir, _pool, selection) = house(std::slice::from_ref(&of), &clock).await;
            let found = selection.leaves_out(&entry).is_some();
            assert_eq!(found, expected, "{of:?} {}", String::from_utf8_lossy(&entry));
        };
        check(rule("vault", "vault.read", ""), entry(Some("vault"), "vault.read", "a"), true).await;
        check(rule("vault", "vault.read", ""), entry(Some("vault"), "vault.readonly", "a"), false).await;
        check(rule("vault", "Vault.*", ""), entry(Some("vault"), "vault.read", "a"), true).await;
        check(rule("vault", "*", ""), entry(Some("sshd"), "vault.read", "a"), false).await;
        check(rule("*", "", "user.name: a"), entry(Some("sshd"), "x.y", "a"), true).await;
        check(rule("*", "", "user.name: a"), entry(Some("belfry"), "x.y", "a"), false).await;
        check(rule("*", "", "user.name: b"), entry(None, "x.y", "a"), false).await;
        check(rule("events", "x.*", "not user.name: b"), entry(None, "x.y", "a"), true).await;
        check(rule("events", "x.*", ""), entry(Some("events2"), "x.y", "a"), false).await;
        check(Rule { enabled: false, ..rule("*", "x.*", "") }, entry(None, "x.y", "a"), false).await;
    }

    #[tokio::test]
    async fn counts_are_told_when_the_hour_has_ended_and_never_twice() {
        let clock = Clock::set(Timestamp::from_second(1_767_571_200).unwrap());
        let (_dir, pool, selection) = house(&[rule("vault", "*", "")], &clock).await;
        let take = |action: &str, times: usize| {
            let one = selection.leaves_out(&entry(Some("vault"), action, "a")).unwrap();
            selection.count(vec![one; times]);
        };
        take("vault.read", 3);
        take("vault.list", 1);
        selection.settle(None).await.unwrap();
        assert!(health::notices(&pool, 10).await.unwrap().is_empty());
        assert_eq!(state::sums(&pool, 0).await.unwrap(), [("r1".to_owned(), 4)]);
        // A rule that changes is settled before.
        selection.settle(Some("r1")).await.unwrap();
        take("vault.read", 2);
        clock.advance(jiff::SignedDuration::from_hours(1));
        selection.settle(None).await.unwrap();
        selection.settle(None).await.unwrap();
        let told: Vec<serde_json::Value> = health::notices(&pool, 10)
            .await
            .unwrap()
            .iter()
            .map(|(_, text)| serde_json::from_str(text).unwrap())
            .collect();
        let events: Vec<i64> = told.iter().map(|event| event["left_out"]["events"].as_i64().unwrap()).collect();
        assert_eq!(events, [4, 2], "{told:?}");
        assert_eq!(told[0]["left_out"]["types"][0], json!({"action": "vault.read", "events": 3}));
        let mut connection = pool.acquire().await.unwrap();
        assert_eq!(state::find(&mut connection, "r1").await.unwrap().unwrap().left_out, 6);
    }
}
