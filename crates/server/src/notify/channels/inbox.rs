//! The inbox in the console: delivered when the row is there.

use super::{Answer, Cause, Parcel, Sent};
use crate::state::inbox;

/// Whom an inbox without recipients is for.
pub const AUDIENCE_DEFAULT: &str = "role:administrator";

pub(super) async fn deliver(pool: &sqlx::SqlitePool, parcel: &Parcel<'_>) -> Sent {
    let request = format!("inbox of {}\n\n{}", parcel.recipient, parcel.message.text);
    let put = inbox::insert(pool, parcel.id, parcel.recipient, parcel.message, parcel.now).await;
    let answer = put.map(|()| Answer { status: None, text: "in the inbox".to_owned() });
    (request, answer.map_err(|error| (Cause::Inbox(error.to_string()), None)))
}
