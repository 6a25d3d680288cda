//! Months in seconds: a simulated clock, events from a seed, crashes at any moment. The seed is
//! printed; `BELFRY_SEED=<number>` runs it again.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};

use event::{Event, Object};
use jiff::{SignedDuration, Timestamp};
use rules::{
    ChannelId, Effect, Fingerprint, Memory, MemoryChange, Recipient, Rule, RuleId, RuleSet, Verdict, Why, decide,
};

const DAY: i64 = 24 * 3600;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn from_seed(nth: u64) -> Self {
        let random = || std::collections::hash_map::RandomState::new().build_hasher().finish();
        let seed =
            std::env::var("BELFRY_SEED").map_or_else(|_| random().wrapping_add(nth), |seed| seed.parse().unwrap());
        println!("BELFRY_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

fn rule(id: &str, filter: &str, hold: SignedDuration) -> Rule {
    let mut rule = Rule::new(id, id, filter.parse().unwrap());
    rule.hold_ms = u64::try_from(hold.as_millis()).unwrap();
    rule.recipients.push(Recipient { channel: ChannelId("mail".to_owned()), to: vec!["a@example.com".to_owned()] });
    rule
}

fn event(action: &str, user: &str) -> Event<'static> {
    let one = |key: &'static str, value: &str| -> Object<'static> { [(key, value.to_owned())].into_iter().collect() };
    Event::of([("event", one("action", action)), ("user", one("name", user))].into_iter().collect())
}

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// A year or so of events: quiet hours, bursts, long silences.
fn history(dice: &mut Dice, days: i64) -> Vec<(Timestamp, Event<'static>)> {
    let mut now = start();
    let end = now + SignedDuration::from_secs(days * DAY);
    let mut events = Vec::new();
    while now < end {
        let gap_ms = match dice.below(10) {
            0..=5 => dice.below(60_000),
            6..=8 => dice.below(4 * 3_600_000),
            _ => dice.below(30 * 3_600_000),
        };
        now += SignedDuration::from_millis(i64::try_from(gap_ms).unwrap());
        let action = ["authentication.failed", "credential.password.viewed", "session.started"][dice.below(3) as usize];
        events.push((now, event(action, &format!("user{}", dice.below(4)))));
    }
    events
}

fn rules() -> RuleSet {
    RuleSet::new([
        rule("hourly", "event.action: authentication.failed", SignedDuration::from_hours(1)),
        rule(
            "daily",
            "event.action: (authentication.failed or credential.password.viewed)",
            SignedDuration::from_hours(24),
        ),
        rule("always", "event.action: session.* and user.name: user1", SignedDuration::ZERO),
        Rule { group_by: Vec::new(), ..rule("all together", "", SignedDuration::from_mins(90)) },
    ])
}

fn run(
    rules: &RuleSet,
    events: &[(Timestamp, Event<'static>)],
    memory: &mut Memory,
    from: usize,
    to: usize,
) -> Vec<Effect> {
    let mut effects = Vec::new();
    for (position, (now, event)) in events.iter().enumerate().take(to).skip(from) {
        for effect in decide(rules, memory, position as u64, event, *now) {
            if let Some(change) = &effect.remember {
                memory.apply(change);
            }
            effects.push(effect);
        }
    }
    effects
}

#[test]
fn nothing_is_lost_from_the_count_in_a_year() {
    let mut dice = Dice::from_seed(1);
    let (rules, events) = (rules(), history(&mut dice, 365));
    let mut memory = Memory::default();
    let effects = run(&rules, &events, &mut memory, 0, events.len());
    println!("{} events, {} effects, {} slots", events.len(), effects.len(), memory.len());
    assert!(effects.len() > events.len());

    let mut things: BTreeMap<(RuleId, Fingerprint), Vec<&Effect>> = BTreeMap::new();
    for effect in &effects {
        things.entry((effect.rule.clone(), effect.fingerprint)).or_default().push(effect);
    }
    for ((id, fingerprint), effects) in &things {
        let hold = rules.get(id).unwrap().hold();
        let mut since = 0;
        let mut sent_at: Option<Timestamp> = None;
        for effect in effects {
            let now = events[effect.position as usize].0;
            match &effect.verdict {
                Verdict::Send { held_before } => {
                    assert_eq!(*held_before, since, "{id:?} at {now}");
                    assert!(sent_at.is_none_or(|at| now.duration_since(at) >= hold), "{id:?} too early at {now}");
                    assert_eq!(effect.recipients.len(), 1);
                    (since, sent_at) = (0, Some(now));
                }
                Verdict::Held { why: Why::SentLately { next, .. } } => {
                    assert!(now < *next && *next == sent_at.unwrap() + hold, "{id:?} held at {now} until {next}");
                    assert!(effect.recipients.is_empty());
                    since += 1;
                }
                Verdict::Held { why } => panic!("{why}"),
            }
        }
        assert_eq!(memory.get(id, fingerprint).unwrap().held, since);
    }
    assert_eq!(things.len(), memory.len());
}

/// What a follower keeps on disk: memory, position and effects, written together.
#[derive(Default)]
struct Disk {
    rows: BTreeMap<(RuleId, Fingerprint), MemoryChange>,
    position: usize,
    effects: Vec<Effect>,
}

#[test]
fn a_crash_at_any_moment_changes_nothing() {
    let mut dice = Dice::from_seed(2);
    let (rules, events) = (rules(), history(&mut dice, 120));
    let expected = run(&rules, &events, &mut Memory::default(), 0, events.len());
    let mut disk = Disk::default();
    let mut crashes = 0;
    while disk.position < events.len() {
        // Starting up.
        let mut memory: Memory = disk.rows.values().cloned().collect();
        loop {
            let to = (disk.position + 1 + dice.below(8) as usize).min(events.len());
            let effects = run(&rules, &events, &mut memory, disk.position, to);
            if dice.below(4) == 0 {
                crashes += 1;
                break;
            }
            for change in effects.iter().filter_map(|effect| effect.remember.clone()) {
                disk.rows.insert((change.rule.clone(), change.fingerprint), change);
            }
            disk.effects.extend(effects);
            disk.position = to;
            if to == events.len() {
                break;
            }
        }
    }
    println!("{crashes} crashes");
    assert!(crashes > 20);
    assert!(disk.effects == expected, "the effects differ");
}

#[test]
fn an_event_that_was_decided_on_gets_the_same_verdict_and_is_not_counted_again() {
    let mut dice = Dice::from_seed(3);
    let (rules, events) = (rules(), history(&mut dice, 60));
    let mut memory = Memory::default();
    for (position, (now, event)) in events.iter().enumerate() {
        let effects = decide(&rules, &memory, position as u64, event, *now);
        effects.iter().filter_map(|effect| effect.remember.as_ref()).for_each(|change| memory.apply(change));
        let before = memory.clone();
        let again = decide(&rules, &memory, position as u64, event, *now);
        assert!(again.iter().all(|effect| effect.remember.is_none()));
        let verdicts = |effects: &[Effect]| {
            effects
                .iter()
                .map(|effect| (effect.rule.clone(), effect.verdict.clone(), effect.recipients.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(verdicts(&again), verdicts(&effects));
        // Those just before it at least are not counted again.
        let earlier = position.saturating_sub(dice.below(20) as usize);
        let past = decide(&rules, &memory, earlier as u64, &events[earlier].1, events[earlier].0);
        assert!(past.iter().all(|effect| effect.remember.is_none()));
        assert_eq!(memory, before);
    }
}

#[test]
fn forgetting_what_is_over_changes_no_decision() {
    let mut dice = Dice::from_seed(4);
    let (rules, events) = (rules(), history(&mut dice, 200));
    let expected = run(&rules, &events, &mut Memory::default(), 0, events.len());
    let mut memory = Memory::default();
    let (mut effects, mut position, mut evicted) = (Vec::new(), 0, 0);
    while position < events.len() {
        let to = (position + 1 + dice.below(30) as usize).min(events.len());
        effects.extend(run(&rules, &events, &mut memory, position, to));
        position = to;
        let gone = memory.evict(&rules, events[to - 1].0);
        assert!(gone.iter().all(|slot| slot.held == 0));
        evicted += gone.len();
    }
    println!("{evicted} evicted");
    assert!(evicted > 100);
    assert!(effects == expected, "the effects differ");
}

#[test]
fn a_repeat_after_a_day_and_five_minutes_is_sent_again() {
    let rules = RuleSet::new([rule("r", "event.action: exception.request", SignedDuration::from_hours(1))]);
    let mut memory = Memory::default();
    let failure = event("exception.request", "ada");
    let mut at = |position: u64, seconds: i64| {
        let effects = decide(&rules, &memory, position, &failure, start() + SignedDuration::from_secs(seconds));
        let effect = effects.into_iter().next().unwrap();
        memory.apply(effect.remember.as_ref().unwrap());
        effect.verdict
    };
    assert_eq!(at(0, 0), Verdict::Send { held_before: 0 });
    assert!(matches!(at(1, 5 * 60), Verdict::Held { .. }));
    assert_eq!(at(2, DAY + 5 * 60), Verdict::Send { held_before: 1 });
    assert!(matches!(at(3, DAY + 5 * 60 + 3599), Verdict::Held { .. }));
    assert_eq!(at(4, DAY + 5 * 60 + 3600), Verdict::Send { held_before: 1 });
    assert_eq!(at(5, 366 * DAY), Verdict::Send { held_before: 0 });
}

#[test]
fn a_clock_that_went_back_does_not_silence_a_rule() {
    let rules = RuleSet::new([rule("r", "", SignedDuration::from_hours(1))]);
    let mut memory = Memory::default();
    let mut at = |position: u64, seconds: i64| {
        let effects = decide(&rules, &memory, position, &event("a", "b"), start() + SignedDuration::from_secs(seconds));
        let effect = effects.into_iter().next().unwrap();
        memory.apply(effect.remember.as_ref().unwrap());
        matches!(effect.verdict, Verdict::Send { .. })
    };
    assert!(at(0, 0));
    assert!(!at(1, -60));
    assert!(at(2, -30 * DAY));
}

#[test]
fn many_rules_cost_little() {
    let mut many: Vec<_> = (0..1_000)
        .map(|n| {
            rule(
                &format!("r{n}"),
                &format!("event.action: type.n{n} and user.name: *x*"),
                SignedDuration::from_hours(1),
            )
        })
        .collect();
    many.push(rule("any", "user.name: ada", SignedDuration::from_hours(1)));
    let rules = RuleSet::new(many);
    let (event, memory) = (event("type.n7", "ada"), Memory::default());
    let begun = std::time::Instant::now();
    const CALLS: u32 = 10_000;
    for position in 0..CALLS {
        assert_eq!(decide(&rules, &memory, position.into(), &event, start()).len(), 1);
    }
    let each = begun.elapsed() / CALLS;
    println!("{each:?} an event with {} rules", rules.len());
    assert!(each < std::time::Duration::from_micros(200), "{each:?}");
}
