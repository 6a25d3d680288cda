//! Tags: what a batch was called by its sender, so that a retry is recognized.

use std::collections::{HashMap, VecDeque};

/// A name for a batch. The first 16 bytes tell batches apart, the last 16 what was in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// A hash of who sends and of the key they chose.
    pub key: [u8; 16],
    /// A hash of what was sent.
    pub body: [u8; 16],
}

/// What is known of a tagged batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tagged {
    /// The hash of what was sent.
    pub body: [u8; 16],
    /// The position of its first entry.
    pub first: u64,
    /// How many entries it had.
    pub count: u32,
}

/// The newest tags, oldest forgotten first.
#[derive(Debug)]
pub struct Tags {
    newest_max: usize,
    by_key: HashMap<[u8; 16], Tagged>,
    order: VecDeque<[u8; 16]>,
}

impl Tags {
    /// Remembers up to `newest_max` tags.
    pub fn new(newest_max: usize) -> Self {
        Self { newest_max, by_key: HashMap::new(), order: VecDeque::new() }
    }

    /// The batch of this key.
    pub fn get(&self, key: &[u8; 16]) -> Option<Tagged> {
        self.by_key.get(key).copied()
    }

    /// Remembers a batch; of two with one key the first counts.
    pub fn insert(&mut self, key: [u8; 16], tagged: Tagged) {
        if self.by_key.contains_key(&key) {
            return;
        }
        self.by_key.insert(key, tagged);
        self.order.push_back(key);
        if self.order.len() > self.newest_max
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_key.remove(&oldest);
        }
    }
}
