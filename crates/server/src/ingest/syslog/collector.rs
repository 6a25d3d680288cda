//! Brings messages of all connections together: one batch to read, one batch to append.
//!
//! While one batch is on its way to the disk the next is read. They are appended in the order in which they came, so
//! the messages of one connection stay in order.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::ingest::intake::Intake;
use crate::ingest::messages::Messages;

/// Reads of sockets that may wait; each is at most as large as the buffer it was read with.
const WAITING_MAX: usize = 256;
/// A batch is closed when it holds so much.
const BATCH_MESSAGES_MAX: usize = 16_000;
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Below this a batch is read on one thread.
const PART_MESSAGES_MIN: usize = 500;

/// Where connections hand over what they read. Waits when there is more than can be stored.
#[derive(Clone)]
pub struct Collector(mpsc::Sender<Waiting>);

struct Waiting {
    messages: Messages,
    kept: Option<oneshot::Sender<()>>,
}

/// The collector, and the work that must run for it. The work ends when the last collector is dropped and all is kept.
pub fn open(intake: Arc<Intake>) -> (Collector, impl Future<Output = ()> + Send) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    (Collector(sender), work(receiver, intake))
}

impl Collector {
    /// Hands messages over. They are kept when the answer comes; nobody needs to wait for it.
    pub async fn take(&self, messages: Messages) {
        if !messages.is_empty() && self.0.send(Waiting { messages, kept: None }).await.is_err() {
            tracing::error!("messages came after the collector had ended and are lost");
        }
    }

    /// Hands messages over; the receiver is answered when they are on disk or set aside.
    pub async fn take_and_tell(&self, messages: Messages) -> oneshot::Receiver<()> {
        let (kept, told) = oneshot::channel();
        // Where nobody takes it any more the other end is dropped, and whoever waits learns of it.
        let _ = self.0.send(Waiting { messages, kept: Some(kept) }).await;
        told
    }

    /// Hands messages over if there is room for them now; else they come back.
    pub fn try_take(&self, messages: Messages) -> Result<(), Messages> {
        self.0.try_send(Waiting { messages, kept: None }).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(waiting) | mpsc::error::TrySendError::Closed(waiting) => waiting.messages,
        })
    }
}

async fn work(mut receiver: mpsc::Receiver<Waiting>, intake: Arc<Intake>) {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get().min(8));
    let mut before: Option<tokio::task::JoinHandle<()>> = None;
    while let Some(first) = receiver.recv().await {
        let mut batch = vec![first];
        let size = |batch: &[Waiting]| {
            batch.iter().fold((0, 0), |(count, bytes), waiting| {
                (count + waiting.messages.len(), bytes + waiting.messages.bytes())
            })
        };
        let (mut count, mut bytes) = size(&batch);
        while count < BATCH_MESSAGES_MAX
            && bytes < BATCH_BYTES_MAX
            && let Ok(waiting) = receiver.try_recv()
        {
            count += waiting.messages.len();
            bytes += waiting.messages.bytes();
            batch.push(waiting);
        }
        let (messages, told): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|waiting| (waiting.messages, waiting.kept)).unzip();
        let read = intake.read_messages(parts(messages, count, threads)).await;
        if let Some(before) = before.take() {
            // It ends well or the process does; either way the next may follow.
            let _ = before.await;
        }
        let intake = intake.clone();
        before = Some(tokio::spawn(async move {
            intake.keep_messages(read).await;
            for kept in told.into_iter().flatten() {
                let _ = kept.send(());
            }
        }));
    }
    if let Some(before) = before {
        let _ = before.await;
    }
}

/// Cuts a batch into parts of about the same number of messages, in their order.
fn parts(messages: Vec<Messages>, count: usize, threads: usize) -> Vec<Vec<Messages>> {
    let wanted = (count / PART_MESSAGES_MIN).clamp(1, threads.max(1));
    let share = count.div_ceil(wanted).max(1);
    let mut parts = vec![Vec::new()];
    let mut held = 0;
    for messages in messages {
        if held >= share && parts.len() < wanted {
            parts.push(Vec::new());
            held = 0;
        }
        held += messages.len();
        if let Some(last) = parts.last_mut() {
            last.push(messages);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn parts_keep_the_order_and_share_the_work() {
        let all: Vec<Messages> = (0..10_u8)
            .map(|n| {
                let mut messages = Messages::new(IpAddr::from([192, 0, 2, n]), Arc::from("syslog"));
                (0..200).for_each(|_| messages.push(b"x"));
                messages
            })
            .collect();
        let parts = parts(all, 2_000, 2);
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [5, 5]);
        let order: Vec<IpAddr> = parts.iter().flatten().map(|messages| messages.peer).collect();
        assert!(order.is_sorted());
    }
}
