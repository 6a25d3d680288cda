//! Message templates.
