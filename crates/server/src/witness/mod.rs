//! Asks witnesses to cosign the checkpoints of the trail (C2SP tlog-witness), and remembers how they stand to it.
//!
//! A witness signs only what goes on from what it signed before. A trail that was cut off, exchanged or forked gets no
//! more cosignatures, whoever holds its key; and whoever demands cosignatures can't be shown another trail.

mod ask;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::access::{Settings, WitnessSetting};
use api::trail::WitnessState;
use futures::future::join_all;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;
use trail::witness::WitnessKey;

use self::ask::{Answer, ask};
use crate::app::App;
use crate::{access, append, state};

const NAME: &str = "trail.witnesses";
/// More would not make it any more certain, and each is asked at every round.
pub const WITNESSES_MAX: usize = 16;
/// A cosignature of a trail that does not grow is renewed after this part of the time after which its witness is lost.
const RENEWALS: u32 = 4;

/// How all witnesses stand to the trail.
#[derive(Debug, Clone, Default)]
pub struct Witnesses {
    standings: Arc<Mutex<BTreeMap<String, Standing>>>,
    changed: Arc<Notify>,
}

/// How one witness stands to the trail; remembered over restarts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Standing {
    /// The size that it cosigned last; from there the next proof goes on.
    size: Option<u64>,
    /// When it did so by its own clock, in seconds of Unix time.
    cosigned_at: Option<i64>,
    /// When we heard of it last, or began to ask, in milliseconds of Unix time.
    heard_ms: i64,
    /// Why there is no newer cosignature.
    error: Option<String>,
    /// It was silent for so long that an event said so.
    lost: bool,
    /// It has seen another trail than this one.
    contradicts: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the state can't be read or written")]
    State(#[from] sqlx::Error),
    #[error("the settings can't be read")]
    Settings(#[from] access::Error),
    #[error("what became of a witness can't be recorded")]
    Record(#[from] append::Error),
}

/// Whether a witness can be asked: its key and its address can be read.
pub fn check(setting: &WitnessSetting) -> Result<WitnessKey, String> {
    let key = setting.vkey.parse::<WitnessKey>();
    let key = key.map_err(|_| format!("{} is no verifier key of a witness, name+hash+base64", setting.vkey))?;
    let url = reqwest::Url::parse(&setting.url).map_err(|_| format!("{} is no web address", setting.url))?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() || !plain {
        return Err(format!("{} must be http:// or https://, a host and a path alone", setting.url));
    }
    Ok(key)
}

impl Witnesses {
    /// Has the witnesses asked now: who they are was changed.
    pub fn ask_now(&self) {
        self.changed.notify_one();
    }

    /// How those that are settled stand to a trail of `size` entries.
    pub fn states(&self, settled: &[WitnessSetting], size: u64) -> Vec<WitnessState> {
        let standings = self.standings.lock();
        settled
            .iter()
            .map(|witness| {
                let standing = standings.get(&witness.vkey).cloned().unwrap_or_default();
                WitnessState {
                    name: witness.vkey.split('+').next().unwrap_or("").to_owned(),
                    vkey: witness.vkey.clone(),
                    url: witness.url.clone(),
                    size: standing.size,
                    lag: standing.size.map(|cosigned| size.saturating_sub(cosigned)),
                    cosigned_at: standing.cosigned_at.map(|at| state::time_text(at.saturating_mul(1_000))),
                    error: standing.error,
                    lost: standing.lost,
                    contradicts: standing.contradicts,
                }
            })
            .collect()
    }

    /// How many of them are lost or contradict the trail.
    pub fn missing(&self) -> usize {
        self.standings.lock().values().filter(|standing| standing.lost || standing.contradicts).count()
    }
}

/// Asks all witnesses again and again, until the server goes down.
pub async fn follow(app: App) {
    match remembered(&app).await {
        Ok(standings) => *app.witnesses.standings.lock() = standings,
        Err(error) => tracing::warn!(%error, "how the witnesses stood is not known; they are asked anew"),
    }
    let interval = Duration::from_secs(app.config.witness.interval_seconds);
    loop {
        if let Err(error) = round(&app).await {
            tracing::error!(%error, "a round of asking the witnesses failed");
        }
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
            () = app.witnesses.changed.notified() => {}
        }
    }
}

async fn remembered(app: &App) -> Result<BTreeMap<String, Standing>, Error> {
    let mut connection = app.state.acquire().await?;
    Ok(state::settings::get(&mut connection, NAME).await?.unwrap_or_default())
}

/// Asks each witness for a cosignature of the same checkpoint, all at a time, each once.
async fn round(app: &App) -> Result<(), Error> {
    let Settings { witnesses, .. } = access::settings::get(app).await?;
    let before = app.witnesses.standings.lock().clone();
    if witnesses.is_empty() && before.is_empty() {
        return Ok(());
    }
    let checkpoint = app.trail().checkpoint();
    let now_ms = app.clock.now().as_millisecond();
    let asked = witnesses.iter().map(|witness| {
        let new = Standing { heard_ms: now_ms, ..Standing::default() };
        let mut standing = before.get(&witness.vkey).cloned().unwrap_or(new);
        let checkpoint = checkpoint.clone();
        async move {
            if checkpoint.size > 0 && is_due(&standing, checkpoint.size, now_ms, app.config.witness.lost_seconds) {
                let answer = ask(app, witness, &checkpoint, standing.size.unwrap_or(0)).await;
                take(&mut standing, answer, checkpoint.size, app.clock.now().as_millisecond());
            }
            (witness, standing)
        }
    });
    let mut after = BTreeMap::new();
    for (witness, mut standing) in join_all(asked).await {
        let was = before.get(&witness.vkey).cloned().unwrap_or_default();
        let silent_ms = now_ms.saturating_sub(standing.heard_ms);
        standing.lost = silent_ms > i64::try_from(app.config.witness.lost_seconds * 1_000).unwrap_or(i64::MAX);
        for event in news(witness, &was, &standing) {
            app.record(None, event).await?;
        }
        after.insert(witness.vkey.clone(), standing);
    }
    if before == after {
        return Ok(());
    }
    app.witnesses.standings.lock().clone_from(&after);
    let mut connection = app.state.acquire().await?;
    state::settings::set(&mut connection, NAME, &after).await?;
    Ok(())
}

/// Whether there is something new to cosign, or it is time to hear from the witness again.
fn is_due(standing: &Standing, size: u64, now_ms: i64, lost_seconds: u64) -> bool {
    let renewal = i64::try_from(lost_seconds.saturating_mul(1_000)).unwrap_or(i64::MAX) / i64::from(RENEWALS);
    standing.size != Some(size) || standing.error.is_some() || now_ms.saturating_sub(standing.heard_ms) >= renewal
}

fn take(standing: &mut Standing, answer: Answer, size: u64, now_ms: i64) {
    match answer {
        Answer::Cosigned { at } => {
            let at = i64::try_from(at).ok();
            *standing = Standing { size: Some(size), cosigned_at: at, heard_ms: now_ms, ..Standing::default() };
        }
        Answer::Contradicted { what } => {
            standing.contradicts = true;
            standing.error = Some(what);
        }
        Answer::Failed { what } => standing.error = Some(what),
    }
}

/// The events about what changed.
fn news(witness: &WitnessSetting, was: &Standing, is: &Standing) -> Vec<Value> {
    let name = witness.vkey.split('+').next().unwrap_or("");
    let event = |action: &str, outcome: &str| {
        let mut event = json!({
            "event": {"action": action, "outcome": outcome},
            "entity": {"type": "witness", "id": witness.vkey, "name": name},
            "trail": {"size": is.size},
        });
        if let Some(reason) = is.error.as_ref().filter(|_| outcome == "failure") {
            event["event"]["reason"] = json!(reason);
        }
        event
    };
    let mut events = Vec::new();
    if is.contradicts && !was.contradicts {
        events.push(event("trail.witness_contradicted", "failure"));
    }
    if is.lost && !was.lost {
        events.push(event("trail.witness_lost", "failure"));
    }
    if was.lost && !is.lost {
        events.push(event("trail.witness_restored", "success"));
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(vkey: &str, url: &str) -> WitnessSetting {
        WitnessSetting { vkey: vkey.into(), url: url.into() }
    }

    const KEY: &str = "witness.example/w1+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";

    #[test]
    fn a_witness_is_a_key_and_an_address() {
        assert!(check(&setting(KEY, "https://witness.example/w1")).is_ok());
        for (vkey, url) in [
            ("witness.example/w1", "https://witness.example"),
            (KEY, "witness.example"),
            (KEY, "ftp://witness.example"),
            (KEY, "https://a:b@witness.example"),
            (KEY, "https://witness.example/?to=x"),
        ] {
            assert!(check(&setting(vkey, url)).is_err(), "{vkey} {url}");
        }
    }

    #[test]
    fn silence_and_contradiction_are_told_once_and_a_cosignature_mends_them() {
        let witness = setting(KEY, "https://witness.example");
        let actions = |was: &Standing, is: &Standing| -> Vec<String> {
            news(&witness, was, is).iter().map(|event| event["event"]["action"].as_str().unwrap().to_owned()).collect()
        };
        let fine = Standing { size: Some(5), heard_ms: 0, ..Standing::default() };
        let mut silent = fine.clone();
        take(&mut silent, Answer::Failed { what: "no answer".into() }, 9, 1);
        assert_eq!((silent.size, silent.error.as_deref()), (Some(5), Some("no answer")));
        assert!(actions(&fine, &silent).is_empty(), "not at once");
        let lost = Standing { lost: true, ..silent };
        assert_eq!(actions(&fine, &lost), ["trail.witness_lost"]);
        assert!(actions(&lost, &lost).is_empty());
        let mut back = lost.clone();
        take(&mut back, Answer::Cosigned { at: 7 }, 9, 70);
        assert_eq!(actions(&lost, &back), ["trail.witness_restored"]);
        assert_eq!((back.size, back.error.as_deref(), back.heard_ms), (Some(9), None, 70));
        take(&mut back, Answer::Contradicted { what: "another tree".into() }, 10, 80);
        assert_eq!(actions(&fine, &back), ["trail.witness_contradicted"]);
    }

    #[test]
    fn a_cosignature_is_renewed_before_its_witness_counts_as_lost() {
        let standing = Standing { size: Some(5), heard_ms: 0, ..Standing::default() };
        assert!(is_due(&standing, 6, 1, 3_600));
        assert!(!is_due(&standing, 5, 899_000, 3_600));
        assert!(is_due(&standing, 5, 900_000, 3_600));
    }
}
