//! How the threads of a trail wake each other.

use std::time::Instant;

use parking_lot::{Condvar, Mutex};

/// Wakes the checkpointer and the packer.
#[derive(Default)]
pub struct Signal {
    state: Mutex<SignalState>,
    grown: Condvar,
    sealed: Condvar,
    packed: Condvar,
    closing: Condvar,
}

#[derive(Default)]
struct SignalState {
    size: u64,
    sealed: u64,
    closing: bool,
}

impl Signal {
    /// Says how long the trail is now.
    pub fn grown(&self, size: u64) {
        self.state.lock().size = size;
        self.grown.notify_all();
    }

    /// Says that one more segment is sealed.
    pub fn sealed(&self) {
        self.state.lock().sealed += 1;
        self.sealed.notify_all();
    }

    /// Says that one more segment is packed.
    pub fn packed(&self) {
        let _state = self.state.lock();
        self.packed.notify_all();
    }

    /// Waits until a segment is packed, or until `until`.
    pub fn wait_packed(&self, until: Instant) {
        let mut state = self.state.lock();
        if !state.closing {
            self.packed.wait_until(&mut state, until);
        }
    }

    /// Says that the threads shall end.
    pub fn close(&self) {
        self.state.lock().closing = true;
        for waiting in [&self.grown, &self.sealed, &self.packed, &self.closing] {
            waiting.notify_all();
        }
    }

    /// Whether the threads shall end.
    pub fn is_closing(&self) -> bool {
        self.state.lock().closing
    }

    /// Waits until the trail is longer than `known`; false when the threads shall end.
    pub fn wait_beyond(&self, known: u64) -> bool {
        let mut state = self.state.lock();
        while state.size <= known && !state.closing {
            self.grown.wait(&mut state);
        }
        !state.closing
    }

    /// Waits until more segments were sealed than `seen`; false when the threads shall end.
    pub fn wait_sealed(&self, seen: &mut u64) -> bool {
        let mut state = self.state.lock();
        while state.sealed == *seen && !state.closing {
            self.sealed.wait(&mut state);
        }
        *seen = state.sealed;
        !state.closing
    }

    /// Waits until `until`; false when the threads shall end.
    pub fn sleep_until(&self, until: Instant) -> bool {
        let mut state = self.state.lock();
        while !state.closing {
            if self.closing.wait_until(&mut state, until).timed_out() {
                return !state.closing;
            }
        }
        false
    }
}
