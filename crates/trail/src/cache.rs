//! A cache that forgets what was not used for longest, bounded in weight.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// A least-recently-used cache.
pub struct Lru<K, V> {
    weight_max: usize,
    weight: usize,
    clock: u64,
    held: HashMap<K, Held<V>>,
    by_use: BTreeMap<u64, K>,
}

struct Held<V> {
    value: V,
    weight: usize,
    used: u64,
}

impl<K: Copy + Eq + Hash, V: Clone> Lru<K, V> {
    /// A cache that holds up to `weight_max`.
    pub fn new(weight_max: usize) -> Self {
        Self { weight_max, weight: 0, clock: 0, held: HashMap::new(), by_use: BTreeMap::new() }
    }

    /// What is held under this key.
    pub fn get(&mut self, key: &K) -> Option<V> {
        let held = self.held.get_mut(key)?;
        self.clock += 1;
        self.by_use.remove(&held.used);
        held.used = self.clock;
        self.by_use.insert(self.clock, *key);
        Some(held.value.clone())
    }

    /// Holds a value, and forgets others to make room.
    pub fn put(&mut self, key: K, value: V, weight: usize) {
        self.remove(&key);
        self.clock += 1;
        self.weight += weight;
        self.by_use.insert(self.clock, key);
        self.held.insert(key, Held { value, weight, used: self.clock });
        while self.weight > self.weight_max {
            let Some((_, oldest)) = self.by_use.first_key_value() else { break };
            let oldest = *oldest;
            self.remove(&oldest);
        }
    }

    /// Forgets all whose key is not kept.
    pub fn retain(&mut self, mut keep: impl FnMut(&K) -> bool) {
        let gone: Vec<K> = self.held.keys().filter(|key| !keep(key)).copied().collect();
        gone.iter().for_each(|key| self.remove(key));
    }

    fn remove(&mut self, key: &K) {
        if let Some(old) = self.held.remove(key) {
            self.by_use.remove(&old.used);
            self.weight -= old.weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_stays() {
        let mut cache = Lru::new(10);
        for key in 0..5 {
            cache.put(key, key * 10, 2);
        }
        assert_eq!(cache.get(&0), Some(0));
        cache.put(5, 50, 2);
        assert_eq!((cache.get(&0), cache.get(&1), cache.get(&5)), (Some(0), None, Some(50)));
        cache.put(6, 60, 11);
        assert_eq!((cache.get(&6), cache.get(&5), cache.weight), (None, None, 0));
    }
}
