//! Slows down guessing. Failures are counted per name, per address and per both; each has its own patience, so that
//! a stranger can neither try many passwords for one name, nor one password for many names, nor lock a person out
//! from where that person usually comes.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

const ENTRIES_MAX: usize = 20_000;
const FORGET_AFTER: SignedDuration = SignedDuration::from_mins(60);
const PAUSE_MAX: SignedDuration = SignedDuration::from_mins(5);

/// Failures without a pause, for each kind of key.
const FREE_PER_PAIR: u32 = 4;
const FREE_PER_ADDRESS: u32 = 20;
const FREE_PER_NAME: u32 = 50;

/// Counts failures in bounded memory.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<HashMap<Key, Failures>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Pair(String, IpAddr),
    Address(IpAddr),
    Name(String),
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
}

impl Throttle {
    /// How long this name from this address must wait before its next try; `None`: not at all.
    pub fn wait(&self, name: &str, address: Option<IpAddr>, now: Timestamp) -> Option<Duration> {
        let failures = self.0.lock();
        let until = keys(name, address).into_iter().filter_map(|(key, free)| {
            let failures = failures.get(&key)?;
            failures.last.checked_add(pause(failures.count, free)?).ok()
        });
        let wait = until.max()?.duration_since(now);
        wait.is_positive().then(|| wait.unsigned_abs())
    }

    /// A try failed.
    pub fn failed(&self, name: &str, address: Option<IpAddr>, now: Timestamp) {
        let mut failures = self.0.lock();
        if failures.len() + 3 > ENTRIES_MAX {
            make_room(&mut failures, now);
        }
        for (key, _) in keys(name, address) {
            let entry = failures.entry(key).or_insert(Failures { count: 0, last: now });
            if now.duration_since(entry.last) > FORGET_AFTER {
                entry.count = 0;
            }
            entry.count = entry.count.saturating_add(1);
            entry.last = now;
        }
    }

    /// A try succeeded, which was counted as failed before it was looked at: this person, from here, is trusted
    /// again. For the address and the name only this one try is taken back: others who guess there are not.
    pub fn succeeded(&self, name: &str, address: Option<IpAddr>) {
        let mut failures = self.0.lock();
        for (key, _) in keys(name, address) {
            if matches!(key, Key::Pair(..)) {
                failures.remove(&key);
            } else if let Some(entry) = failures.get_mut(&key) {
                entry.count = entry.count.saturating_sub(1);
                if entry.count == 0 {
                    failures.remove(&key);
                }
            }
        }
    }
}

fn keys(name: &str, address: Option<IpAddr>) -> Vec<(Key, u32)> {
    // A long name would cost memory; nobody has one.
    let name: String = name.to_lowercase().chars().take(128).collect();
    let mut keys = vec![(Key::Name(name.clone()), FREE_PER_NAME)];
    if let Some(address) = address.map(network) {
        keys.push((Key::Pair(name, address), FREE_PER_PAIR));
        keys.push((Key::Address(address), FREE_PER_ADDRESS));
    }
    keys
}

/// Who has one IPv6 address has 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

fn pause(count: u32, free: u32) -> Option<SignedDuration> {
    let over = count.checked_sub(free)?;
    Some(SignedDuration::from_secs(1_i64 << over.min(20)).min(PAUSE_MAX))
}

fn make_room(failures: &mut HashMap<Key, Failures>, now: Timestamp) {
    failures.retain(|_, entry| now.duration_since(entry.last) <= FORGET_AFTER);
    if failures.len() + 3 > ENTRIES_MAX {
        // A flood of made-up names: drop the half that failed least, they have the least to lose.
        let mut counts: Vec<u32> = failures.values().map(|entry| entry.count).collect();
        let middle = counts.len() / 2;
        let median = *counts.select_nth_unstable(middle).1;
        let mut to_drop = middle;
        failures.retain(|_, entry| {
            let drop = to_drop > 0 && entry.count <= median;
            to_drop -= usize::from(drop);
            !drop
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn pauses_grow_for_one_name_from_one_address() {
        let throttle = Throttle::default();
        for _ in 0..3 {
            throttle.failed("ada", address("10.0.0.1"), at(0));
            assert_eq!(throttle.wait("ada", address("10.0.0.1"), at(0)), None);
        }
        throttle.failed("ADA", address("10.0.0.1"), at(0));
        assert_eq!(throttle.wait("ada", address("10.0.0.1"), at(0)), Some(Duration::from_secs(1)));
        for _ in 0..30 {
            throttle.failed("ada", address("10.0.0.1"), at(0));
        }
        assert_eq!(throttle.wait("ada", address("10.0.0.1"), at(0)), Some(Duration::from_secs(300)));
        assert_eq!(throttle.wait("ada", address("10.0.0.1"), at(301)), None);
        // The person at her own desk is not locked out by it.
        assert_eq!(throttle.wait("ada", address("10.0.0.2"), at(0)), None);
        throttle.succeeded("ada", address("10.0.0.1"));
        assert_eq!(throttle.wait("bob", address("10.0.0.1"), at(0)), Some(Duration::from_secs(300)));
    }

    #[test]
    fn one_address_with_many_names_and_one_name_from_many_addresses() {
        let throttle = Throttle::default();
        for index in 0..20 {
            throttle.failed(&format!("user{index}"), address("10.0.0.1"), at(0));
        }
        assert!(throttle.wait("somebody else", address("10.0.0.1"), at(0)).is_some());
        for index in 0..50 {
            throttle.failed("root", address(&format!("10.1.0.{index}")), at(0));
        }
        assert!(throttle.wait("root", address("10.2.0.1"), at(0)).is_some());
        // One IPv6 network is one sender.
        for index in 0..20 {
            throttle.failed(&format!("user{index}"), address(&format!("2a00:1::{index:x}")), at(0));
        }
        assert!(throttle.wait("x", address("2a00:1::ffff"), at(0)).is_some());
    }

    #[test]
    fn an_office_behind_one_address_signs_in_all_day() {
        let throttle = Throttle::default();
        for index in 0..200 {
            let name = format!("user{}", index % 3);
            assert_eq!(throttle.wait(&name, address("10.0.0.1"), at(index)), None);
            throttle.failed(&name, address("10.0.0.1"), at(index));
            throttle.succeeded(&name, address("10.0.0.1"));
        }
        assert!(throttle.0.lock().is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::default();
        for index in 0..60_000_u32 {
            throttle.failed(&format!("user{index}"), Some(IpAddr::V4(index.into())), at(0));
        }
        for _ in 0..10 {
            throttle.failed("root", address("10.0.0.1"), at(1));
        }
        assert!(throttle.0.lock().len() <= ENTRIES_MAX);
        assert!(throttle.wait("root", address("10.0.0.1"), at(1)).is_some());
    }
}
