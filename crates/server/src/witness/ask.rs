//! One question to one witness: `add-checkpoint`.

use std::sync::Arc;
use std::time::Duration;

use api::access::WitnessSetting;
use trail::witness::{parse_conflict, parse_cosignatures, request_body};
use trail::{Checkpoint, Trail};

use crate::app::App;

const TIMEOUT: Duration = Duration::from_secs(20);
const ANSWER_BYTES_MAX: usize = 64 << 10;
const WORDS_MAX: usize = 200;

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It cosigned, at that time of its clock; the cosignature is stored.
    Cosigned { at: u64 },
    /// It has seen another trail than ours.
    Contradicted { what: String },
    /// It did not, for another reason.
    Failed { what: String },
}

/// What was answered, unread.
enum Said {
    Cosignatures(String),
    /// It cosigned another size last.
    OtherSize(u64),
    /// The proof from there does not hold for it.
    OtherTree,
}

/// Asks a witness that cosigned `old` entries last. It knows better: when it names another size, that one is taken.
pub async fn ask(app: &App, witness: &WitnessSetting, checkpoint: &Arc<Checkpoint>, old: u64) -> Answer {
    match try_ask(app, witness, checkpoint, old).await {
        Ok(answer) => answer,
        Err(what) => Answer::Failed { what },
    }
}

async fn try_ask(
    app: &App,
    witness: &WitnessSetting,
    checkpoint: &Arc<Checkpoint>,
    old: u64,
) -> Result<Answer, String> {
    let key = super::check(witness)?;
    // A size beyond the checkpoint is one of a trail that this one is not, or not any more; the witness will say so.
    let mut old = if old > checkpoint.size { 0 } else { old };
    for _ in 0..2 {
        let body = body(app.trail(), checkpoint, old).await?;
        match post(app, &witness.url, body).await? {
            Said::Cosignatures(text) => {
                let found = parse_cosignatures(&text, checkpoint, &[key]).map_err(|error| error.to_string())?;
                let at = found.iter().map(|cosignature| cosignature.cosigned_at()).max().unwrap_or(0);
                let (trail, checkpoint) = (app.trail().clone(), checkpoint.clone());
                let stored = tokio::task::spawn_blocking(move || trail.add_cosignatures(&checkpoint, &found)).await;
                stored.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
                return Ok(Answer::Cosigned { at });
            }
            Said::OtherSize(size) if size > checkpoint.size => {
                let what = format!(
                    "it cosigned this trail with {size} entries, and now there are only {}: was it cut off, or restored from a backup?",
                    checkpoint.size
                );
                return Ok(Answer::Contradicted { what });
            }
            // By an older version of the protocol this, too, means another root at the same size.
            Said::OtherSize(size) if size == old => return Ok(contradicted(old)),
            Said::OtherSize(size) => old = size,
            Said::OtherTree => return Ok(contradicted(old)),
        }
    }
    Err("it names another size each time".to_owned())
}

fn contradicted(old: u64) -> Answer {
    let what = format!("it cosigned this trail with {old} entries, and says that this one does not go on from there");
    Answer::Contradicted { what }
}

async fn body(trail: &Trail, checkpoint: &Arc<Checkpoint>, old: u64) -> Result<String, String> {
    let (trail, checkpoint) = (trail.clone(), checkpoint.clone());
    let made = tokio::task::spawn_blocking(move || {
        trail.consistency(old, checkpoint.size).map(|proof| request_body(old, &proof, &checkpoint))
    });
    made.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

async fn post(app: &App, url: &str, body: String) -> Result<Said, String> {
    let url = format!("{}/add-checkpoint", url.trim_end_matches('/'));
    let client = app.outgoing.client(&url).await.map_err(|error| error.to_string())?;
    let request = client.post(&url).timeout(TIMEOUT).header("content-type", "text/plain; charset=utf-8").body(body);
    let mut response = request.send().await.map_err(|error| {
        if error.is_timeout() {
            return format!("no answer within {} s", TIMEOUT.as_secs());
        }
        let mut cause: &dyn std::error::Error = &error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        format!("it can't be reached: {cause}")
    })?;
    let status = response.status().as_u16();
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| "its answer broke off".to_owned())? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err("its answer is too long".to_owned());
        }
        bytes.extend_from_slice(&chunk);
    }
    let text = String::from_utf8(bytes).map_err(|_| "its answer is not text".to_owned())?;
    match status {
        200 => Ok(Said::Cosignatures(text)),
        409 => parse_conflict(&text).map(Said::OtherSize).map_err(|error| error.to_string()),
        422 => Ok(Said::OtherTree),
        404 => Err("it does not know this trail (404): give its operator the origin and the public key".to_owned()),
        403 => Err("it does not know the key of this trail (403): give its operator the public key".to_owned()),
        _ => {
            let words: String = text.chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect();
            Err(format!("it answered {status} {words}").trim_end().to_owned())
        }
    }
}
