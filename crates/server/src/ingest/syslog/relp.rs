//! RELP, the one syslog with an acknowledgement: `TXNR SP COMMAND SP LENGTH [SP DATA] LF`.
//!
//! A message is answered when it is on disk, so a sender that keeps what was not answered loses nothing. A sender that
//! was not answered sends again: a message may come twice, never not at all.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;
use wire::syslog::{RelpError, RelpFrame, RelpReader};

use super::tcp::{Door, Sender};

/// Messages of one connection that may wait for their place on disk; librelp sends no more than 128 by default.
const WINDOW_MAX: usize = 1_024;
/// A longer frame ends the connection. What can be set aside is no longer than this.
const FRAME_BYTES_MAX: usize = 1 << 20;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// What is offered to a client that opens a session.
const OFFER: &str = "relp_version=0\nrelp_software=belfry\ncommands=syslog";

/// The transactions of one hand-over, answered together.
struct Answers {
    transactions: Vec<u32>,
    kept: oneshot::Receiver<()>,
}

pub async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    sender: Sender,
    door: &Door,
) -> std::io::Result<()> {
    let mut reader = RelpReader::new(FRAME_BYTES_MAX);
    let mut buffer = vec![0; 16 * 1024];
    let mut waiting: VecDeque<Answers> = VecDeque::new();
    let mut is_open = false;
    loop {
        let open: usize = waiting.iter().map(|answers| answers.transactions.len()).sum();
        let read = tokio::select! {
            biased;
            kept = first(&mut waiting), if !waiting.is_empty() => {
                // Not kept, and nobody says why: the sender sends it again when it comes back.
                let transactions = kept.ok_or(std::io::ErrorKind::BrokenPipe)?;
                let mut out = Vec::new();
                for transaction in transactions {
                    answer(&mut out, transaction, "200 OK");
                }
                write(&mut stream, &out).await?;
                continue;
            }
            read = stream.read(&mut buffer), if open < WINDOW_MAX => read?,
            () = tokio::time::sleep(door.idle), if waiting.is_empty() => return Ok(()),
            () = door.stop.cancelled(), if waiting.is_empty() => {
                return write(&mut stream, b"0 serverclose 0\n").await;
            }
        };
        if read == 0 {
            return Ok(());
        }
        reader.push(buffer.get(..read).unwrap_or_default());
        let mut messages = sender.messages();
        let mut transactions = Vec::new();
        let mut out = Vec::new();
        let mut ends: Option<u32> = None;
        let broken = loop {
            match reader.next_frame() {
                Ok(None) => break None,
                Err(error) => break Some(error),
                Ok(Some(RelpFrame { transaction, command, data })) => match command {
                    "open" => {
                        is_open = true;
                        answer(&mut out, transaction, &format!("200 OK\n{OFFER}"));
                    }
                    "syslog" if is_open => {
                        messages.push(wire::syslog::trim_end(data));
                        transactions.push(transaction);
                    }
                    "close" => ends = Some(transaction),
                    _ => answer(&mut out, transaction, "500 this command is not understood here"),
                },
            }
        };
        if !transactions.is_empty() {
            let kept = door.collector.take_and_tell(messages).await;
            waiting.push_back(Answers { transactions, kept });
        }
        write(&mut stream, &out).await?;
        if let Some(last) = ends {
            // The close is answered last, so all before it is.
            while let Some(transactions) = first(&mut waiting).await {
                let mut before = Vec::new();
                for transaction in transactions {
                    answer(&mut before, transaction, "200 OK");
                }
                write(&mut stream, &before).await?;
            }
            let mut out = Vec::new();
            answer(&mut out, last, "");
            out.extend_from_slice(b"0 serverclose 0\n");
            return write(&mut stream, &out).await;
        }
        if let Some(error) = broken {
            return Err(refused(&error));
        }
    }
}

/// The transactions that wait longest, once they are kept; none when they won't be, or nothing waits.
async fn first(waiting: &mut VecDeque<Answers>) -> Option<Vec<u32>> {
    let kept = (&mut waiting.front_mut()?.kept).await;
    let answers = waiting.pop_front()?;
    kept.ok().map(|()| answers.transactions)
}

fn answer(out: &mut Vec<u8>, transaction: u32, text: &str) {
    let head =
        if text.is_empty() { format!("{transaction} rsp 0") } else { format!("{transaction} rsp {} ", text.len()) };
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(text.as_bytes());
    out.push(b'\n');
}

/// A sender that never reads its answers must not be waited for.
async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let written = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    tokio::time::timeout(ANSWER_TIMEOUT, written).await.map_err(|_| std::io::ErrorKind::TimedOut)?
}

fn refused(error: &RelpError) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, error.to_string())
}
