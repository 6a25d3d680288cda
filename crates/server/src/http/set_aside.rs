//! What was set aside: its groups and records, reading it again, giving it up, taking it out.

use std::io;

use api::Page;
use api::set_aside::{
    Discard, Discarded, Replay, ReplayJob, Replayed, SetAside, SetAsideGroup, SetAsideGroupDetail, SetAsideGroupParams,
    SetAsidePage, SetAsideParams, SetAsidePeer,
};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use event::json::Limits;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::router::{Route, table};
use super::{Json, Path, Problem, Query};
use crate::access::Subject;
use crate::app::App;
use crate::ingest::replay::Replayer;
use crate::state::set_aside::{self, Narrow, Pick};
use crate::state::{set_aside_groups, time_text};

const IDS_MAX: usize = 1_000;
const PAGE_MAX: u32 = 500;
const GROUPS_MAX: u32 = 200;
const STEP: u32 = 500;
const PIECES_MAX: usize = 4;

pub fn routes() -> Vec<Route> {
    table! {
        GET    "/api/v1/set-aside"              SourcesRead   set_aside_list;
        GET    "/api/v1/set-aside/groups"       SourcesRead   set_aside_groups_list;
        GET    "/api/v1/set-aside/groups/{id}"  SourcesRead   set_aside_groups_get;
        GET    "/api/v1/set-aside/export"       SourcesRead   set_aside_export;
        GET    "/api/v1/set-aside/records/{id}" SourcesRead   set_aside_get;
        POST   "/api/v1/set-aside/replay"       SourcesWrite  set_aside_replay;
        GET    "/api/v1/set-aside/replays"      SourcesRead   set_aside_replays_list;
        POST   "/api/v1/set-aside/replays"      SourcesWrite  set_aside_replays_start;
        GET    "/api/v1/set-aside/replays/{id}" SourcesRead   set_aside_replays_get;
        DELETE "/api/v1/set-aside/replays/{id}" SourcesWrite  set_aside_replays_cancel;
        POST   "/api/v1/set-aside/discard"      SourcesWrite  set_aside_discard;
    }
}

/// Records that could not be understood, the newest first. A page of large records is shorter than asked for.
#[utoipa::path(get, path = "/api/v1/set-aside", tag = "set aside", params(SetAsideParams), responses((status = 200, body = SetAsidePage)))]
pub async fn set_aside_list(
    State(app): State<App>,
    Query(params): Query<SetAsideParams>,
) -> Result<Json<SetAsidePage>, Problem> {
    let narrow = narrow(&params)?;
    let before = params.cursor.as_deref().map(|cursor| id_of("/cursor", cursor)).transpose()?;
    let limit = params.limit.unwrap_or(50).clamp(1, PAGE_MAX);
    let (records, more) = set_aside::page(&app.state, &narrow, before, limit).await?;
    let next = records.last().filter(|_| more).map(|record| record.id.to_string());
    let groups = set_aside_groups::page(&app.state, narrow.source, narrow.group, 0, GROUPS_MAX).await?;
    Ok(Json(SetAsidePage {
        items: records.into_iter().map(shown).collect(),
        next,
        groups: groups.into_iter().map(group).collect(),
    }))
}

/// One record.
#[utoipa::path(get, path = "/api/v1/set-aside/records/{id}", tag = "set aside", responses((status = 200, body = SetAside)))]
pub async fn set_aside_get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<SetAside>, Problem> {
    let found = set_aside::one(&app.state, id_of("/id", &id)?).await?;
    found
        .map(|record| Json(shown(record)))
        .ok_or_else(|| Problem::not_found(format!("there is no record {id} set aside")))
}

/// Open records in groups of one kind of reason, the largest first.
#[utoipa::path(get, path = "/api/v1/set-aside/groups", tag = "set aside", params(SetAsideGroupParams), responses((status = 200, body = Page<SetAsideGroup>)))]
pub async fn set_aside_groups_list(
    State(app): State<App>,
    Query(params): Query<SetAsideGroupParams>,
) -> Result<Json<Page<SetAsideGroup>>, Problem> {
    let limit = params.limit.unwrap_or(GROUPS_MAX).clamp(1, GROUPS_MAX);
    let offset = match params.cursor.as_deref() {
        None => 0,
        Some(cursor) => cursor.parse::<u32>().map_err(|_| {
            Problem::invalid("/cursor", "this is no cursor; hand back what the page before answered as next")
        })?,
    };
    let groups = set_aside_groups::page(&app.state, params.source.as_deref(), None, offset, limit).await?;
    let next = (groups.len() == limit as usize).then(|| (offset + limit).to_string());
    Ok(Json(Page { items: groups.into_iter().map(group).collect(), next }))
}

/// One group, with the addresses its records came from.
#[utoipa::path(get, path = "/api/v1/set-aside/groups/{id}", tag = "set aside", responses((status = 200, body = SetAsideGroupDetail)))]
pub async fn set_aside_groups_get(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<SetAsideGroupDetail>, Problem> {
    let found = set_aside_groups::page(&app.state, None, Some(&id), 0, 1).await?.into_iter().next();
    let found = found.ok_or_else(|| Problem::not_found(format!("there is no group {id} with open records")))?;
    let senders = set_aside_groups::senders(&app.state, &id).await?;
    Ok(Json(SetAsideGroupDetail {
        group: group(found),
        senders: senders
            .into_iter()
            .map(|sender| SetAsidePeer {
                peer: sender.peer,
                records: sender.records.cast_unsigned(),
                last_at: time_text(sender.last_at),
            })
            .collect(),
    }))
}

/// Records taken out, one JSON object a line, the newest first. That they were taken is an event.
#[utoipa::path(get, path = "/api/v1/set-aside/export", tag = "set aside", params(SetAsideParams),
    responses((status = 200, body = String, content_type = "application/x-ndjson")))]
pub async fn set_aside_export(
    State(app): State<App>,
    subject: Subject,
    Query(params): Query<SetAsideParams>,
) -> Result<Response, Problem> {
    narrow(&params)?;
    let mut left = params.limit.map_or(u64::MAX, u64::from);
    let what = match (&params.group, &params.source) {
        (Some(group), _) => format!("group {group}"),
        (None, Some(source)) => format!("source {source}"),
        (None, None) => "all sources".to_owned(),
    };
    let event = json!({
        "event": { "action": "audit.exported", "outcome": "success", "reason": format!("records that were set aside, of {what}, as JSON") },
        "entity": { "type": "set aside", "name": what },
    });
    app.record(Some(&subject), event).await?;
    let (pieces, received) = mpsc::channel::<io::Result<Bytes>>(PIECES_MAX);
    let pool = app.state.clone();
    tokio::spawn(async move {
        let mut before = None;
        while left > 0 {
            let Ok(narrow) = narrow(&params) else { return };
            let limit = u32::try_from(left).unwrap_or(u32::MAX).min(PAGE_MAX);
            let page = set_aside::page(&pool, &narrow, before, limit).await;
            let (records, more) = match page {
                Ok(page) => page,
                Err(error) => {
                    tracing::error!(%error, "an export of what was set aside failed");
                    // The connection breaks off, so that nobody takes a part for the whole.
                    let _ = pieces.send(Err(io::Error::other("the export failed"))).await;
                    return;
                }
            };
            before = records.last().map(|record| record.id);
            left -= records.len() as u64;
            let mut piece = Vec::new();
            for record in records {
                if serde_json::to_writer(&mut piece, &shown(record)).is_err() {
                    return;
                }
                piece.push(b'\n');
            }
            if pieces.send(Ok(piece.into())).await.is_err() || !more {
                return;
            }
        }
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"set-aside.ndjson\"")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(received))).into_response())
}

/// Read records again, after the mapping was mended, and wait for it: at most 10,000 in one call.
#[utoipa::path(post, path = "/api/v1/set-aside/replay", tag = "set aside", responses((status = 200, body = Replayed)))]
pub async fn set_aside_replay(
    State(app): State<App>,
    subject: Subject,
    Json(wanted): Json<Replay>,
) -> Result<Json<Replayed>, Problem> {
    let (pick, what) = pick(&wanted)?;
    let now = app.clock.now().as_millisecond();
    let done = replayer(&app).count(&pick, subject.user_name(), now).await?;
    record_replay(&app, &subject, &what, done.replayed, done.still_set_aside).await?;
    Ok(Json(done))
}

/// Begin to read records again in the background. One replay runs at a time.
#[utoipa::path(post, path = "/api/v1/set-aside/replays", tag = "set aside", responses((status = 202, body = ReplayJob)))]
pub async fn set_aside_replays_start(
    State(app): State<App>,
    subject: Subject,
    Json(wanted): Json<Replay>,
) -> Result<(StatusCode, Json<ReplayJob>), Problem> {
    let (pick, what) = pick(&wanted)?;
    let replayer = replayer(&app);
    let job = app.replays.start(&replayer, pick, what.clone(), subject.user_name(), app.clock.now()).await?;
    let shown = job.shown();
    let work = app.clone();
    app.spawn("replay", async move {
        let done = job.run(&replayer, &work.clock).await;
        let settled = done.replayed + done.left_out;
        if let Err(problem) = record_replay(&work, &subject, &what, settled, done.still_set_aside).await {
            tracing::error!(?problem, "can't record the replay of {what}");
        }
    });
    Ok((StatusCode::ACCEPTED, Json(shown)))
}

/// The last replays, the newest first, without their records.
#[utoipa::path(get, path = "/api/v1/set-aside/replays", tag = "set aside", responses((status = 200, body = Page<ReplayJob>)))]
pub async fn set_aside_replays_list(State(app): State<App>) -> Json<Page<ReplayJob>> {
    Json(Page::whole(app.replays.list()))
}

/// How far a replay is, and what became of its records.
#[utoipa::path(get, path = "/api/v1/set-aside/replays/{id}", tag = "set aside", responses((status = 200, body = ReplayJob)))]
pub async fn set_aside_replays_get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<ReplayJob>, Problem> {
    Ok(Json(app.replays.one(&id)?.shown()))
}

/// Stop a replay. What was replayed until then stays.
#[utoipa::path(delete, path = "/api/v1/set-aside/replays/{id}", tag = "set aside", responses((status = 200, body = ReplayJob)))]
pub async fn set_aside_replays_cancel(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<ReplayJob>, Problem> {
    let job = app.replays.one(&id)?;
    job.cancel();
    Ok(Json(job.shown()))
}

/// Give up records that were set aside, with a reason that goes into the trail.
#[utoipa::path(post, path = "/api/v1/set-aside/discard", tag = "set aside", responses((status = 200, body = Discarded)))]
pub async fn set_aside_discard(
    State(app): State<App>,
    subject: Subject,
    Json(wanted): Json<Discard>,
) -> Result<Json<Discarded>, Problem> {
    let reason = wanted.reason.trim();
    if reason.is_empty() || reason.len() > 1_000 {
        return Err(Problem::invalid("/reason", "say why, in 1 to 1,000 characters"));
    }
    let named = Replay { ids: wanted.ids.clone(), group: wanted.group.clone(), source: None };
    let (pick, mut what) = pick(&named)?;
    let mut through = set_aside::size(&app.state, &pick).await?.1;
    if let Some(seen) = wanted.through.as_deref() {
        through = through.min(id_of("/through", seen)?);
    }
    if let Pick::Group(id) = &pick
        && let Some(found) = set_aside_groups::page(&app.state, None, Some(id), 0, 1).await?.into_iter().next()
    {
        what = format!("{}: {}", found.source, found.kind);
    }
    let now = app.clock.now().as_millisecond();
    let (mut discarded, mut after) = (0, i64::MIN);
    loop {
        let page = set_aside::open_after(&app.state, &pick, after, through, STEP).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        let ids: Vec<i64> = page.iter().map(|record| record.id).collect();
        let (records, bytes) =
            set_aside::settle(&app.state, &ids, "discarded", now, subject.user_name(), Some(reason)).await?;
        app.intake.settled(records, bytes);
        discarded += records;
    }
    if discarded > 0 {
        let event = json!({
            "event": { "action": "set_aside.discarded", "category": "audit", "outcome": "success", "reason": reason },
            "entity": { "type": "set aside", "name": what },
            "message": format!("{discarded} set-aside record{} discarded: {reason}", if discarded == 1 { " was" } else { "s were" }),
            "labels": { "records": discarded.to_string() },
        });
        app.record(Some(&subject), event).await?;
    }
    Ok(Json(Discarded { discarded }))
}

async fn record_replay(app: &App, subject: &Subject, what: &str, replayed: u64, still: u64) -> Result<(), Problem> {
    if replayed > 0 {
        let event = json!({
            "event": { "action": "set_aside.replayed", "category": "audit", "outcome": "success" },
            "entity": { "type": "set aside", "name": what },
            "message": format!("{replayed} set-aside record{} replayed, {still} still not understood", if replayed == 1 { " was" } else { "s were" }),
            "labels": { "records": replayed.to_string() },
        });
        app.record(Some(subject), event).await?;
    }
    Ok(())
}

fn replayer(app: &App) -> Replayer {
    Replayer { intake: app.intake.clone(), door: app.door.clone(), pool: app.state.clone() }
}

/// Which records are meant, and in words.
fn pick(wanted: &Replay) -> Result<(Pick, String), Problem> {
    let Replay { ids, source, group } = wanted;
    match (ids.as_slice(), source, group) {
        ([], None, Some(group)) => Ok((Pick::Group(group.clone()), format!("group {group}"))),
        ([], Some(source), None) => Ok((Pick::Source(source.clone()), format!("source {source}"))),
        ([_, ..], None, None) => {
            if ids.len() > IDS_MAX {
                return Err(Problem::invalid("/ids", format!("at most {IDS_MAX} at once")));
            }
            let ids: Vec<i64> = ids.iter().map(|id| id_of("/ids", id)).collect::<Result<_, _>>()?;
            let what =
                if let [id] = ids.as_slice() { format!("record {id}") } else { format!("{} records", ids.len()) };
            Ok((Pick::Ids(ids), what))
        }
        _ => Err(Problem::invalid("/ids", "name records by their ids, or a group, or a source: one of them")),
    }
}

fn narrow(params: &SetAsideParams) -> Result<Narrow<'_>, Problem> {
    let state = params.state.as_deref().unwrap_or("open");
    if !["open", "replayed", "discarded"].contains(&state) {
        return Err(Problem::invalid("/state", format!("{state} is none of open, replayed, discarded")));
    }
    let given = |text: &'_ Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    Ok(Narrow {
        source: params.source.as_deref().filter(|_| given(&params.source)),
        group: params.group.as_deref().filter(|_| given(&params.group)),
        state,
    })
}

fn group(found: set_aside_groups::Group) -> SetAsideGroup {
    SetAsideGroup {
        id: found.id,
        source: found.source,
        code: found.code,
        kind: found.kind,
        reason: found.reason,
        field: found.field,
        records: found.records.cast_unsigned(),
        first_at: time_text(found.first_at),
        last_at: time_text(found.last_at),
        peers: found.peers.cast_unsigned(),
        peer: found.peer,
        newest: found.newest.to_string(),
        example: String::from_utf8_lossy(&found.example).into_owned(),
    }
}

fn shown(record: set_aside::SetAside) -> SetAside {
    let offset = offset_of(&record);
    let size_bytes = record.record.len() as u64;
    let (text, exact) = match String::from_utf8(record.record) {
        Ok(text) if text.chars().all(shows) => (text, None),
        Ok(text) => {
            let exact = STANDARD.encode(&text);
            (text, Some(exact))
        }
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(STANDARD.encode(error.as_bytes()))),
    };
    SetAside {
        id: record.id.to_string(),
        source: record.source,
        group: record.group_id,
        received_at: time_text(record.received_at),
        peer: record.peer,
        code: record.code,
        reason: record.reason,
        field: record.field,
        offset,
        record: text,
        record_base64: exact,
        size_bytes,
        state: record.state,
        settled_at: record.settled_at.map(time_text),
        settled_by: record.settled_by,
        settled_why: record.settled_why,
    }
}

/// The byte at which a record can't be read, where the reader says so: with JSON, and in reasons that end in a place.
fn offset_of(record: &set_aside::SetAside) -> Option<u64> {
    if record.code == "json" {
        return event::json::parse(&record.record, &Limits::default()).err().map(|error| error.position as u64);
    }
    let (_, place) = record.reason.rsplit_once(" at line ")?;
    let (line, rest) = place.split_once(" column ")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (line, column): (usize, usize) = (line.parse().ok()?, rest.get(..digits)?.parse().ok()?);
    let before: usize = record.record.split(|b| *b == b'\n').take(line.checked_sub(1)?).map(|l| l.len() + 1).sum();
    let offset = before + column.saturating_sub(1);
    (offset <= record.record.len()).then_some(offset as u64)
}

/// Whether a screen shows a character as it is: not control characters, and not those that turn the direction of text.
fn shows(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\t')
        || !(c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fffd}'))
}

fn id_of(pointer: &str, id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| Problem::invalid(pointer, format!("{id:?} is no record's number")))
}
