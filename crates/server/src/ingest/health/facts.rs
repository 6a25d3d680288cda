//! What is known of one source. Told events in the order of the trail, and the time; decides by that alone.

use std::collections::{BTreeMap, VecDeque};

use api::health::{HealthState, SilenceMode};
use serde::{Deserialize, Serialize};

use super::lag::{Lags, Skew};
use super::rhythm::{HOUR_MS, Rhythm};

pub const HOURS_KEPT: i64 = 14 * 24;
pub const MINUTES_KEPT: i64 = 60;
const RATE_MINUTES: i64 = 5;
const HEARD_MAX: usize = 100;
/// And so many more for a while.
const HEARD_SPARE: usize = 50;
const NAME_CHARS_MAX: usize = 200;
const LATE_MS: i64 = 300_000;
const LATE_EVENTS_MIN: usize = 5;
/// The share of what was set aside from which a source counts as rejecting.
const REJECTING: f64 = 0.05;

/// An event, as far as its source's health is concerned.
#[derive(Debug, Clone, Default)]
pub struct Glance {
    pub ingested_ms: i64,
    pub happened_ms: Option<i64>,
    pub host: Option<String>,
    pub device: Option<String>,
}

/// When a source counts as silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    pub mode: SilenceMode,
    pub after_seconds: u64,
    pub set_at_ms: i64,
}

impl Setting {
    /// Whether it says outright that a source may be silent since then.
    fn allows(self, since_ms: i64, now_ms: i64) -> bool {
        match self.mode {
            SilenceMode::Off => true,
            SilenceMode::Set => u64::try_from((now_ms - since_ms) / 1_000).unwrap_or(0) < self.after_seconds,
            SilenceMode::Learned => false,
        }
    }
}

impl Default for Setting {
    fn default() -> Self {
        Self { mode: SilenceMode::Learned, after_seconds: 0, set_at_ms: 0 }
    }
}

/// What a moment changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It has been silent for too long; last heard of then.
    Silent { last_ms: Option<i64> },
    /// It speaks again after so long.
    Recovered { after_ms: i64 },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hour {
    pub events: u64,
    pub rejected: u64,
    pub left_out: u64,
}

/// A host or device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    pub last_ms: i64,
    pub events: u64,
    pub skew: Skew,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    pub events: u64,
    pub first_ms: Option<i64>,
    pub last_ms: Option<i64>,
    pub rhythm: Rhythm,
    pub lags: Lags,
    /// Minute since 1970 and events in it; empty minutes are not there.
    pub minutes: VecDeque<(i64, u64)>,
    pub hosts: BTreeMap<String, Heard>,
    pub devices: BTreeMap<String, Heard>,
    /// Set while it is silent: since when it was not heard of.
    pub silent_ms: Option<i64>,
    /// Hour since 1970; kept in a table of their own.
    #[serde(skip)]
    pub hours: BTreeMap<i64, Hour>,
    /// Hours that changed since they were stored.
    #[serde(skip)]
    pub changed_hours: Vec<i64>,
}

impl Facts {
    /// Takes an event. `listening_ms` is since when this server listens: what was not heard before is nobody's pause.
    pub fn take(&mut self, glance: &Glance, listening_ms: i64) -> Option<Turn> {
        let at = glance.ingested_ms;
        let before = self.last_ms.map(|last| last.max(listening_ms));
        let turn = self.silent_ms.take().map(|since| Turn::Recovered { after_ms: (at - since).max(0) });
        if turn.is_some() {
            if let Some(before) = before.filter(|before| *before < at) {
                self.rhythm.forgive(before, at);
            }
            self.rhythm.skip(at);
            self.rhythm.take(at, None);
        } else {
            self.rhythm.take(at, before);
        }
        self.events += 1;
        self.first_ms = Some(self.first_ms.map_or(at, |first| first.min(at)));
        self.last_ms = Some(self.last_ms.map_or(at, |last| last.max(at)));
        let minute = at.div_euclid(60_000);
        match self.minutes.back_mut() {
            Some((last, events)) if *last >= minute => *events += 1,
            _ => self.minutes.push_back((minute, 1)),
        }
        while self.minutes.front().is_some_and(|(first, _)| *first <= minute - MINUTES_KEPT) {
            self.minutes.pop_front();
        }
        self.hour(at).events += 1;
        let lag = glance.happened_ms.map(|happened| at - happened);
        if let Some(lag) = lag {
            self.lags.take(lag, at);
        }
        for (name, known) in [(&glance.host, &mut self.hosts), (&glance.device, &mut self.devices)] {
            if let Some(name) = name {
                heard(known, name, at, lag);
            }
        }
        turn
    }

    /// Records of it were set aside.
    pub fn rejected(&mut self, records: u64, at_ms: i64) {
        self.hour(at_ms).rejected += records;
    }

    /// Events of it were left out by the selection.
    pub fn left_out(&mut self, events: u64, at_ms: i64) {
        self.hour(at_ms).left_out += events;
    }

    fn hour(&mut self, at_ms: i64) -> &mut Hour {
        let hour = at_ms.div_euclid(HOUR_MS);
        if self.changed_hours.last() != Some(&hour) && !self.changed_hours.contains(&hour) {
            self.changed_hours.push(hour);
        }
        if !self.hours.contains_key(&hour) {
            while self.hours.first_key_value().is_some_and(|(first, _)| *first <= hour - HOURS_KEPT) {
                self.hours.pop_first();
            }
        }
        self.hours.entry(hour).or_default()
    }

    /// Time goes on. Says once when the source falls silent; one that is off may be silent.
    pub fn tick(&mut self, setting: Setting, off: bool, now_ms: i64, listening_ms: i64) -> Option<Turn> {
        let due = if off { None } else { self.silent_at(setting, listening_ms) };
        match (due.is_some_and(|due| due <= now_ms), self.silent_ms) {
            (true, None) => {
                self.rhythm.roll(now_ms);
                self.silent_ms = Some(self.last_ms.unwrap_or(setting.set_at_ms));
                Some(Turn::Silent { last_ms: self.last_ms })
            }
            // Its silence is known; it is not to be learned as a habit.
            (true, Some(_)) => {
                self.rhythm.skip(now_ms);
                None
            }
            // It was told to be patient meanwhile. That we listen only since a moment ago is no reason.
            (false, Some(since)) if off || setting.allows(since, now_ms) => {
                self.silent_ms = None;
                None
            }
            (false, Some(_)) => {
                self.rhythm.skip(now_ms);
                None
            }
            (false, None) => {
                self.rhythm.roll(now_ms);
                None
            }
        }
    }

    /// When it is silent if nothing comes any more.
    pub fn silent_at(&self, setting: Setting, listening_ms: i64) -> Option<i64> {
        let heard = self.last_ms.map(|last| last.max(listening_ms));
        match setting.mode {
            SilenceMode::Off => None,
            SilenceMode::Set => {
                let from = heard.unwrap_or(setting.set_at_ms.max(listening_ms));
                Some(from.saturating_add(i64::try_from(setting.after_seconds).ok()?.saturating_mul(1_000)))
            }
            SilenceMode::Learned => self.rhythm.silent_at(heard?),
        }
    }

    /// After how long it is silent, from its last event.
    pub fn silent_after_seconds(&self, setting: Setting) -> Option<u64> {
        match setting.mode {
            SilenceMode::Off => None,
            SilenceMode::Set => Some(setting.after_seconds),
            SilenceMode::Learned => {
                let last = self.last_ms?;
                u64::try_from((self.rhythm.silent_at(last)? - last) / 1_000).ok()
            }
        }
    }

    /// Events per minute over the last five minutes.
    pub fn rate_per_minute(&self, now_ms: i64) -> f64 {
        let oldest = now_ms.div_euclid(60_000) - RATE_MINUTES;
        let events: u64 = self.minutes.iter().filter(|(minute, _)| *minute > oldest).map(|(_, events)| events).sum();
        events as f64 / RATE_MINUTES as f64
    }

    /// The clock that is furthest off.
    pub fn skew_ms(&self) -> Option<i64> {
        self.hosts.values().chain(self.devices.values()).filter_map(|heard| heard.skew.ms()).max_by_key(|ms| ms.abs())
    }

    /// What the newest `hours` hours hold together, the one that runs included.
    pub fn sum(&self, hours: i64, now_ms: i64) -> Hour {
        let oldest = now_ms.div_euclid(HOUR_MS) - hours;
        let newest = self.hours.range(oldest + 1..);
        newest.fold(Hour::default(), |sum, (_, hour)| Hour {
            events: sum.events + hour.events,
            rejected: sum.rejected + hour.rejected,
            left_out: sum.left_out + hour.left_out,
        })
    }

    /// The word for it, and why.
    pub fn state(&self, off: bool, now_ms: i64) -> (HealthState, String) {
        if off {
            return (HealthState::Off, "it is switched off".to_owned());
        }
        if let Some(since) = self.silent_ms {
            return (HealthState::Silent, format!("nothing has come for {}", span(now_ms - since)));
        }
        let near = self.sum(2, now_ms);
        let share = share(near.rejected, near.events);
        if near.rejected > 0 && share >= REJECTING {
            let percent = (share * 100.0).round();
            let reason = format!("{} records of the last two hours, {percent} %, were set aside", near.rejected);
            return (HealthState::Rejecting, reason);
        }
        if self.events == 0 {
            return (HealthState::New, "nothing has come yet".to_owned());
        }
        if let Some((median, _)) = self.lags.percentiles()
            && self.lags.count() >= LATE_EVENTS_MIN
            && median > LATE_MS
            && (median as f64 > self.lags.usual_ms() * 3.0 || self.events < 1_000)
        {
            return (HealthState::Late, format!("half of its events come more than {} late", span(median)));
        }
        (HealthState::Ok, "it speaks as usual".to_owned())
    }
}

/// The share of what was set aside of all that came.
pub fn share(rejected: u64, events: u64) -> f64 {
    if rejected == 0 { 0.0 } else { rejected as f64 / (rejected + events) as f64 }
}

/// A span in words, to two units: 2 h 5 min.
pub fn span(ms: i64) -> String {
    let seconds = (ms / 1_000).max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let text = match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    };
    text.strip_suffix(" 0 s")
        .or_else(|| text.strip_suffix(" 0 min"))
        .or_else(|| text.strip_suffix(" 0 h"))
        .map(str::to_owned)
        .unwrap_or(text)
}

fn heard(known: &mut BTreeMap<String, Heard>, name: &str, at_ms: i64, lag_ms: Option<i64>) {
    let end = name.char_indices().nth(NAME_CHARS_MAX).map_or(name.len(), |(end, _)| end);
    let name = name.get(..end).unwrap_or_default();
    let heard = match known.get_mut(name) {
        Some(heard) => heard,
        None => {
            // Several at once: where there are very many, nearly every one is new.
            if known.len() >= HEARD_MAX + HEARD_SPARE {
                let mut times: Vec<i64> = known.values().map(|heard| heard.last_ms).collect();
                times.sort_unstable();
                let oldest_kept = times.get(HEARD_SPARE).copied().unwrap_or(i64::MIN);
                let mut spare = HEARD_SPARE;
                known.retain(|_, heard| {
                    let goes = spare > 0 && heard.last_ms <= oldest_kept;
                    spare -= usize::from(goes);
                    !goes
                });
            }
            known.entry(name.to_owned()).or_default()
        }
    };
    heard.last_ms = heard.last_ms.max(at_ms);
    heard.events += 1;
    if let Some(lag) = lag_ms {
        heard.skew.take(lag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_767_571_200_000;

    fn at(ms: i64) -> Glance {
        Glance { ingested_ms: START + ms, happened_ms: Some(START + ms), host: Some("db-1".to_owned()), device: None }
    }

    fn set(after_seconds: u64) -> Setting {
        Setting { mode: SilenceMode::Set, after_seconds, set_at_ms: START }
    }

    #[test]
    fn silence_is_told_once_and_its_end_too() {
        let mut facts = Facts::default();
        assert_eq!(facts.take(&at(0), START), None);
        assert_eq!(facts.tick(set(60), false, START + 59_999, START), None);
        let silent = Some(Turn::Silent { last_ms: Some(START) });
        assert_eq!(facts.tick(set(60), false, START + 60_000, START), silent);
        assert_eq!(facts.tick(set(60), false, START + 90_000, START), None);
        assert_eq!(facts.state(false, START + 90_000).0, HealthState::Silent);
        assert_eq!(facts.take(&at(120_000), START), Some(Turn::Recovered { after_ms: 120_000 }));
        assert_eq!(facts.take(&at(120_001), START), None);
        assert_eq!(facts.state(false, START + 120_001).0, HealthState::Ok);
    }

    #[test]
    fn silence_counts_from_when_we_listen_and_from_the_setting() {
        let mut facts = Facts::default();
        facts.take(&at(0), START);
        // Down for an hour, then up: the sender gets its minute.
        let up = START + 3_600_000;
        assert_eq!(facts.tick(set(60), false, up + 59_000, up), None);
        assert!(facts.tick(set(60), false, up + 60_000, up).is_some());
        // Down and up again while it is silent: that is known, and not told again.
        assert_eq!(facts.tick(set(60), false, up + 90_000, up + 80_000), None);
        assert_eq!(facts.tick(set(60), false, up + 900_000, up + 80_000), None);
        assert!(facts.silent_ms.is_some());
        assert_eq!(facts.tick(set(7_200), false, up + 900_000, up + 80_000), None);
        assert!(facts.silent_ms.is_none());
        // Expected, and never came.
        let mut never = Facts::default();
        assert_eq!(never.tick(set(60), false, START + 10_000, START), None);
        assert_eq!(never.tick(set(60), false, START + 60_000, START), Some(Turn::Silent { last_ms: None }));
        // Nobody expects it any more.
        let off = Setting { mode: SilenceMode::Off, ..Setting::default() };
        assert_eq!(never.tick(off, false, START + 61_000, START), None);
        assert_eq!(never.state(false, START + 61_000).0, HealthState::New);
        assert_eq!(facts.tick(set(60), true, up + 70_000, up), None);
        assert_eq!(facts.state(true, up + 70_000).0, HealthState::Off);
    }

    #[test]
    fn words_follow_from_what_came() {
        let mut facts = Facts::default();
        assert_eq!(facts.state(false, START).0, HealthState::New);
        (0..95).for_each(|n| assert_eq!(facts.take(&at(n), START), None));
        facts.rejected(4, START);
        assert_eq!(facts.state(false, START).0, HealthState::Ok);
        facts.rejected(1, START);
        assert_eq!(facts.state(false, START).0, HealthState::Rejecting);
        assert_eq!(facts.state(false, START + 3 * HOUR_MS).0, HealthState::Ok);
        assert_eq!(facts.rate_per_minute(START), 19.0);
        assert_eq!(facts.rate_per_minute(START + 6 * 60_000), 0.0);
        let mut late = Facts::default();
        for n in 0..10 {
            late.take(&Glance { happened_ms: Some(START - 400_000), ..at(n) }, START);
        }
        assert_eq!(late.state(false, START).0, HealthState::Late);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut facts = Facts::default();
        for n in 0..2_000 {
            let host = Some(format!("host-{n}"));
            facts.take(&Glance { host, ..at(n * 600_000) }, START);
        }
        assert!((HEARD_MAX..=HEARD_MAX + HEARD_SPARE).contains(&facts.hosts.len()));
        assert!(facts.hours.len() <= 337 && facts.minutes.len() <= 60);
        assert!(facts.hosts.contains_key("host-1999"));
        let text = serde_json::to_string(&facts).unwrap();
        assert!(text.len() < 40_000, "{}", text.len());
        let read: Facts = serde_json::from_str(&text).unwrap();
        assert_eq!((read.events, read.rhythm), (facts.events, facts.rhythm.clone()));
        assert_eq!(span(125_000), "2 min 5 s");
        assert_eq!((span(7_200_000).as_str(), span(90_000_000).as_str(), span(10).as_str()), ("2 h", "1 d 1 h", "0 s"));
    }
}
