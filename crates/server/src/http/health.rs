//! How sources are.

use api::health::{
    Gap, GapAcknowledge, GapState, HealthHour, HealthMinute, Heard, Lag, RejectedShare, Silence, SilenceInput,
    SilenceMode, SourceHealth, SourceHealthDetail,
};
use axum::extract::State;
use serde_json::json;

use super::router::{Route, table};
use super::{Json, Path, Problem};
use crate::access::Subject;
use crate::app::App;
use crate::append::OWN_SOURCE;
use crate::changes::Entity;
use crate::ingest::RegistryError;
use crate::ingest::health::facts::{self, Facts, HOURS_KEPT, Hour, MINUTES_KEPT};
use crate::ingest::health::rhythm::HOUR_MS;
use crate::metrics::Gauges;
use crate::state;
use crate::state::health::{Gap as GapRow, SilenceSetting};

const GAPS_SHOWN_MAX: usize = 20;
const GAPS_LISTED_MAX: i64 = 200;
const AFTER_SECONDS_MAX: u64 = 90 * 86_400;
/// Sources that have series of their own in the metrics.
const METRIC_SOURCES_MAX: usize = 200;

pub fn routes() -> Vec<Route> {
    table! {
        GET  "/api/v1/sources/{name}/health"                SourcesRead  source_health;
        PUT  "/api/v1/sources/{name}/silence"               SourcesWrite source_silence;
        POST "/api/v1/sources/{name}/gaps/{id}/acknowledge" SourcesWrite gap_acknowledge;
    }
}

/// What is known of a source, with its time line, its hosts and its gaps.
#[utoipa::path(get, path = "/api/v1/sources/{name}/health", tag = "sources", params(("name" = String, Path)), responses((status = 200, body = SourceHealthDetail)))]
pub async fn source_health(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<SourceHealthDetail>, Problem> {
    let facts = known(&app, &name)?;
    let gaps = state::health::gaps_of(&app.state, &name, GAPS_LISTED_MAX).await?;
    let open = state::health::open_gap_counts(&app.state).await?;
    let open = open.into_iter().find(|(source, _)| *source == name).map_or(0, |(_, gaps)| gaps.cast_unsigned());
    let now_ms = app.clock.now().as_millisecond();
    let (streams, irregular_streams, duplicates) = app.health.streams(&name);
    let (hour, minute) = (now_ms.div_euclid(HOUR_MS), now_ms.div_euclid(60_000));
    let hours = (hour - HOURS_KEPT + 1..=hour).map(|hour| {
        let Hour { events, rejected, left_out } = facts.hours.get(&hour).copied().unwrap_or_default();
        HealthHour { from: state::time_text(hour * HOUR_MS), events, rejected, left_out }
    });
    let minutes = (minute - MINUTES_KEPT + 1..=minute).map(|minute| {
        let events = facts.minutes.iter().find(|(known, _)| *known == minute).map_or(0, |(_, events)| *events);
        HealthMinute { from: state::time_text(minute * 60_000), events }
    });
    Ok(Json(SourceHealthDetail {
        events_total: facts.events,
        health: health(&app, &name, &facts, &gaps, open),
        hours: hours.collect(),
        minutes: minutes.collect(),
        usual_hours: facts.rhythm.week().map(<[f64]>::to_vec),
        host_list: heard(&facts.hosts),
        device_list: heard(&facts.devices),
        gap_list: gaps.into_iter().map(gap).collect(),
        streams,
        duplicates,
        irregular_streams,
        name,
    }))
}

/// Say when a source counts as silent: by its own rhythm, after a set time, or never.
#[utoipa::path(put, path = "/api/v1/sources/{name}/silence", tag = "sources", params(("name" = String, Path)), request_body = SilenceInput, responses((status = 200, body = Silence)))]
pub async fn source_silence(
    State(app): State<App>,
    subject: Subject,
    Path(name): Path<String>,
    Json(input): Json<SilenceInput>,
) -> Result<Json<Silence>, Problem> {
    known(&app, &name)?;
    if name == OWN_SOURCE {
        return Err(Problem::conflict("Belfry itself is watched by belfry monitor, not by itself"));
    }
    let after = match (input.mode, input.after_seconds) {
        (SilenceMode::Set, Some(after)) if (1..=AFTER_SECONDS_MAX).contains(&after) => Some(after),
        (SilenceMode::Set, _) => return Err(Problem::invalid("/after_seconds", "from 1 second to 90 days")),
        (SilenceMode::Learned | SilenceMode::Off, _) => None,
    };
    let old = app.health.setting(&name);
    let old_after = (old.mode == SilenceMode::Set).then_some(old.after_seconds);
    let setting = SilenceSetting {
        source: name.clone(),
        mode: mode_name(input.mode).to_owned(),
        after_seconds: after.map(u64::cast_signed),
        set_at: app.clock.now().as_millisecond(),
    };
    let entity = Entity { kind: "source", id: &name, name: &name };
    let written = |mode, after: Option<u64>| json!({"silence": {"mode": mode_name(mode), "after_seconds": after}});
    if let Some(event) = entity.updated(&written(old.mode, old_after), &written(input.mode, after), &[]) {
        let mut transaction = state::begin_write(&app.state).await?;
        state::health::set_silence(&mut transaction, &setting).await?;
        app.record(Some(&subject), event).await?;
        transaction.commit().await?;
        app.health.set_silence(&setting);
    }
    let facts = app.health.facts(&name).unwrap_or_default();
    Ok(Json(silence(&app, &name, &facts)))
}

/// Say that somebody has looked at missing records, and what became of it.
#[utoipa::path(post, path = "/api/v1/sources/{name}/gaps/{id}/acknowledge", tag = "sources", params(("name" = String, Path), ("id" = String, Path)), responses((status = 200, body = Gap)))]
pub async fn gap_acknowledge(
    State(app): State<App>,
    subject: Subject,
    Path((name, id)): Path<(String, String)>,
    Json(input): Json<GapAcknowledge>,
) -> Result<Json<Gap>, Problem> {
    let reason = input.reason.trim();
    if reason.is_empty() || reason.chars().count() > 1_000 {
        return Err(Problem::invalid("/reason", "say what became of it, in 1 to 1,000 characters"));
    }
    let now = app.clock.now().as_millisecond();
    let mut transaction = state::begin_write(&app.state).await?;
    let absent = || Problem::not_found(format!("there is no gap {id} of source {name}"));
    let found = state::health::gap(&mut transaction, &name, &id).await?.ok_or_else(absent)?;
    let by = subject.user_name();
    if !state::health::acknowledge_gap(&mut transaction, &id, now, by, reason).await? {
        return Err(Problem::conflict(format!("the gap is {} already", found.state)));
    }
    let event = json!({
        "event": {"action": "source.gap_acknowledged", "outcome": "success", "reason": reason},
        "entity": {"type": "source", "id": name, "name": name},
        "labels": {"gap_id": id},
        "gap": {"from": found.first, "to": found.last, "missing": found.missing, "stream": found.stream},
    });
    app.record(Some(&subject), event).await?;
    let settled = state::health::gap(&mut transaction, &name, &id).await?.ok_or_else(absent)?;
    transaction.commit().await?;
    Ok(Json(gap(settled)))
}

/// The health of a source; `gaps` may hold those of others.
pub fn health(app: &App, name: &str, facts: &Facts, gaps: &[GapRow], gaps_open: u64) -> SourceHealth {
    let now_ms = app.clock.now().as_millisecond();
    let off = app.intake.registry().source(name).is_some_and(|source| !source.enabled);
    let (state, reason) = facts.state(off, now_ms);
    let day = facts.sum(24, now_ms);
    let own = gaps.iter().filter(|gap| gap.source == name && gap.state == "open");
    SourceHealth {
        state,
        reason,
        first_seen_at: facts.first_ms.map(state::time_text),
        last_seen_at: facts.last_ms.map(state::time_text),
        rate_per_minute: facts.rate_per_minute(now_ms),
        usual_rate_per_minute: facts.rhythm.usual(now_ms).map(|rate| rate / 60.0),
        lag_ms: facts.lags.percentiles().map(|(p50, p95)| Lag { p50, p95 }),
        clock_skew_ms: facts.skew_ms(),
        rejected: RejectedShare { records: day.rejected, share: facts::share(day.rejected, day.events) },
        silence: silence(app, name, facts),
        gaps: own.take(GAPS_SHOWN_MAX).cloned().map(gap).collect(),
        gaps_open,
        hosts: facts.hosts.len() as u64,
        devices: facts.devices.len() as u64,
    }
}

/// Adds what is measured of each source.
pub fn gauges(app: &App, gauges: &mut Gauges) {
    let now_ms = app.clock.now().as_millisecond();
    for name in app.health.names().into_iter().take(METRIC_SOURCES_MAX) {
        let Some(facts) = app.health.facts(&name) else { continue };
        let mut add = |metric, help, value| gauges.add(metric, help, &[("source", &name)], value);
        add("belfry_source_events", "Events in the trail, by source.", facts.events as f64);
        if let Some(last) = facts.last_ms {
            add("belfry_source_last_seen_seconds", "When the newest event of a source came in.", last as f64 / 1_000.0);
        }
        add("belfry_source_silent", "1 while a source is silent.", f64::from(u8::from(facts.silent_ms.is_some())));
        if let Some((median, late)) = facts.lags.percentiles() {
            add("belfry_source_lag_seconds", "Median of how late events of a source come.", median as f64 / 1_000.0);
            let help = "95th percentile of how late events of a source come.";
            add("belfry_source_lag_p95_seconds", help, late as f64 / 1_000.0);
        }
        let day = facts.sum(24, now_ms);
        add("belfry_source_rejected_day", "Records of a source set aside in 24 hours.", day.rejected as f64);
        add("belfry_source_left_out_day", "Events of a source left out in 24 hours.", day.left_out as f64);
    }
}

/// What is known of it; a source that nothing came from is known all the same.
fn known(app: &App, name: &str) -> Result<Facts, Problem> {
    match app.health.facts(name) {
        Some(facts) => Ok(facts),
        None if app.intake.registry().source(name).is_some() => Ok(Facts::default()),
        None => Err(RegistryError::UnknownSource { name: name.to_owned() }.into()),
    }
}

fn silence(app: &App, name: &str, facts: &Facts) -> Silence {
    let setting = app.health.setting(name);
    Silence {
        mode: setting.mode,
        after_seconds: facts.silent_after_seconds(setting).filter(|_| name != OWN_SOURCE),
        silent_since: facts.silent_ms.map(state::time_text),
    }
}

fn mode_name(mode: SilenceMode) -> &'static str {
    match mode {
        SilenceMode::Learned => "learned",
        SilenceMode::Set => "set",
        SilenceMode::Off => "off",
    }
}

fn heard(known: &std::collections::BTreeMap<String, facts::Heard>) -> Vec<Heard> {
    let mut newest: Vec<_> = known.iter().collect();
    newest.sort_by_key(|(_, heard)| std::cmp::Reverse(heard.last_ms));
    let shown = newest.into_iter().map(|(name, heard)| Heard {
        name: name.clone(),
        last_seen_at: state::time_text(heard.last_ms),
        events: heard.events,
        clock_skew_ms: heard.skew.ms(),
    });
    shown.collect()
}

fn gap(row: GapRow) -> Gap {
    Gap {
        state: match row.state.as_str() {
            "filled" => GapState::Filled,
            "acknowledged" => GapState::Acknowledged,
            _ => GapState::Open,
        },
        id: row.id,
        source: row.source,
        stream: row.stream,
        from: row.first.cast_unsigned(),
        to: row.last.cast_unsigned(),
        missing: row.missing.cast_unsigned(),
        found_at: state::time_text(row.found_at),
        settled_at: row.settled_at.map(state::time_text),
        settled_by: row.settled_by,
        reason: row.reason,
    }
}
