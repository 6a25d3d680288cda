//! Random events and filters for property tests.
