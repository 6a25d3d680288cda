//! Finding events, counting them, following them, proving them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use api::Page;
use api::events::{
    EventDetail, EventPage, EventProof, EventSummary, EventType, FieldInfo, FilterCheck, FilterProblem, FilterVerdict,
    Found, Related, RelatedGroup, RelatedParams, SearchParams, StreamParams, SummaryBucket, SummaryParams, SummaryRow,
    ValueCount, ValueCounts, ValuesParams,
};
use api::retention::{RemovalKind, Removed};
use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{self, KeepAlive};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use event::filter::Matcher;
use event::{Event, Filter, Severity};
use futures::Stream;
use serde_json::value::RawValue;

use super::range::{Range, filter, order, range};
use super::router::{Route, table};
use super::{Json, Path, Problem, Query};
use crate::access::Subject;
use crate::app::App;
use crate::follow::{Follower, Step};
use crate::keep::removal;
use crate::search::look;

/// How long one search may take.
const SEARCH_MAX: Duration = Duration::from_secs(20);
const PAGE_MAX: u32 = 1_000;
const RELATED_MAX: usize = 20;
/// A listener that is further behind than this is told so, and goes on from the newest events.
const STREAM_LAG_MAX: u64 = 10_000;

pub fn routes() -> Vec<Route> {
    table! {
        GET  "/api/v1/events"                    EventsRead events_search;
        GET  "/api/v1/events/summary"            EventsRead events_summary;
        GET  "/api/v1/events/stream"             EventsRead events_stream;
        GET  "/api/v1/events/{position}"         EventsRead events_get;
        GET  "/api/v1/events/{position}/proof"   EventsRead events_proof;
        GET  "/api/v1/events/{position}/related" EventsRead events_related;
        GET  "/api/v1/fields"                    EventsRead fields_list;
        GET  "/api/v1/fields/values"             EventsRead fields_values;
        POST "/api/v1/filters/check"             SignedIn   filters_check;
        GET  "/api/v1/catalogue"                 SignedIn   catalogue_list;
    }
}

/// Find events, the newest first.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(SearchParams), responses((status = 200, body = EventPage)))]
pub async fn events_search(
    State(app): State<App>,
    subject: Subject,
    Query(params): Query<SearchParams>,
) -> Result<Json<EventPage>, Problem> {
    let began = Instant::now();
    let now = app.clock.now();
    let wanted = filter(params.filter.as_deref(), now)?;
    let Range { from, to } = range(params.from.as_deref(), params.to.as_deref(), now)?;
    let order = order(params.order.as_deref())?;
    let cursor = params.cursor.as_deref().map(str::parse::<store::Cursor>).transpose().map_err(|_| {
        Problem::invalid("/cursor", "this is no cursor; hand back what the page before answered as next")
    })?;
    let limit = params.limit.unwrap_or(50).clamp(1, PAGE_MAX) as usize;
    let visibility = subject.visibility();
    let size = app.door.trail().size();
    let count = params.count.unwrap_or(false);
    let page = look(&app, move |store| {
        let query = store::Query::new(&wanted, now)
            .between(from, to)
            .visible(Some(&visibility))
            .within(until(began + SEARCH_MAX));
        let page = store.search(&query, &store::Paging { order, limit, cursor }, size)?;
        let total = if count { Some(store.count(&query, size)?) } else { None };
        Ok((page, total))
    });
    let (page, total) = page.await?;
    Ok(Json(EventPage {
        items: page.hits.into_iter().map(|hit| found(hit.position, hit.entry)).collect::<Result<_, _>>()?,
        next: page.next.map(|cursor| cursor.to_string()),
        total: total.filter(|total| total.stopped.is_none()).map(|total| total.count),
        took_ms: ms(began),
        indexed_to: app.store.indexed_to(),
        size,
        partial: page.stopped.is_some(),
    }))
}

/// Count events by one or two fields and by time.
#[utoipa::path(get, path = "/api/v1/events/summary", tag = "events", params(SummaryParams), responses((status = 200, body = EventSummary)))]
pub async fn events_summary(
    State(app): State<App>,
    subject: Subject,
    Query(params): Query<SummaryParams>,
) -> Result<Json<EventSummary>, Problem> {
    let began = Instant::now();
    let now = app.clock.now();
    let wanted = filter(params.filter.as_deref(), now)?;
    let Range { from, to } = range(params.from.as_deref(), params.to.as_deref(), now)?;
    let fields: Vec<String> = params
        .by
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if fields.len() > 2 {
        return Err(Problem::invalid("/by", "at most two fields"));
    }
    let span = match params.span.as_deref() {
        None | Some("" | "none") => None,
        Some("auto") => Some(from.map_or(store::Span::Month, |from| store::Span::fitting(from, to.unwrap_or(now)))),
        Some(name) => Some(store::Span::from_name(name).ok_or_else(|| {
            Problem::invalid("/span", format!("{name:?} is none of 5m, 30m, hour, 6h, day, week, month, auto"))
        })?),
    };
    let top = params.top.unwrap_or(20).clamp(1, 1_000) as usize;
    let visibility = subject.visibility();
    let size = app.door.trail().size();
    let keys = fields.clone();
    let summary = look(&app, move |store| {
        let names: Vec<&str> = keys.iter().map(String::as_str).collect();
        let query = store::Query::new(&wanted, now)
            .between(from, to)
            .visible(Some(&visibility))
            .within(until(began + SEARCH_MAX));
        store.count_by(&query, &store::By { span, ..store::By::fields(&names, top) }, size)
    })
    .await?;
    let name = |index: usize| fields.get(index).cloned().unwrap_or_default();
    Ok(Json(EventSummary {
        buckets: summary.buckets.iter().map(|bucket| bucket_of(bucket, &summary.rows)).collect(),
        rows: summary
            .rows
            .into_iter()
            .map(|row| SummaryRow {
                keys: row.keys.into_iter().enumerate().map(|(index, key)| (name(index), key)).collect(),
                count: row.count,
                first: Some(row.first.to_string()),
                last: Some(row.last.to_string()),
            })
            .collect(),
        total: summary.total,
        span: span.map(store::Span::name),
        partial: summary.stopped.is_some() || summary.approximate,
        took_ms: ms(began),
    }))
}

/// Follow events as they come (server-sent events): `event` with position and event, `lag` with how many were left out.
#[utoipa::path(get, path = "/api/v1/events/stream", tag = "events", params(StreamParams), responses((status = 200, description = "text/event-stream")))]
pub async fn events_stream(
    State(app): State<App>,
    subject: Subject,
    Query(params): Query<StreamParams>,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Problem> {
    let wanted = filter(params.filter.as_deref(), app.clock.now())?.and(subject.visibility());
    let matcher = Matcher::new(&wanted);
    let trail = app.door.trail().clone();
    let position = trail.size();
    let follower =
        Follower::new(trail.clone(), app.door.growth(), position, Step { entries_max: 1_000, bytes_max: 1 << 20 });
    let state = (follower, matcher, trail, app);
    let stream = futures::stream::unfold(state, |(mut follower, matcher, trail, app)| async move {
        let behind = trail.size().saturating_sub(follower.position());
        if behind > STREAM_LAG_MAX {
            follower.seek(trail.size());
            let lag = sse::Event::default().event("lag").data(behind.to_string());
            return Some((vec![lag], (follower, matcher, trail, app)));
        }
        let entries = tokio::select! {
            entries = follower.next() => entries?.ok()?,
            () = app.stop.cancelled() => return None,
        };
        let mut events = Vec::new();
        for (position, entry) in entries {
            let matched = Event::read(&entry).is_ok_and(|event| matcher.matches(&event));
            if matched && let Ok(found) = found(position, entry) {
                events.extend(sse::Event::default().event("event").json_data(found));
            }
        }
        Some((events, (follower, matcher, trail, app)))
    });
    let flat = futures::StreamExt::flat_map(stream, |events| futures::stream::iter(events.into_iter().map(Ok)));
    Ok(Sse::new(flat).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

/// One event.
#[utoipa::path(get, path = "/api/v1/events/{position}", tag = "events", responses((status = 200, body = EventDetail)))]
pub async fn events_get(
    State(app): State<App>,
    subject: Subject,
    Path(position): Path<u64>,
) -> Result<Json<EventDetail>, Problem> {
    let entry = visible(&app, &subject, position).await?;
    let event = Event::read(&entry).map_err(|error| Problem::internal(&error))?;
    Ok(Json(EventDetail {
        position,
        title: app.catalogue.title(event.action()).into_owned(),
        severity_name: Severity::from_number(event.severity()).name().to_owned(),
        leaf_hash: STANDARD.encode(trail::Hash::leaf(&entry).0),
        native: event.native_fields().map(|native| native.to_json()),
        event: raw(entry)?,
    }))
}

/// The proof that an event is in the trail, for a third party to check.
#[utoipa::path(get, path = "/api/v1/events/{position}/proof", tag = "events", responses((status = 200, body = EventProof)))]
pub async fn events_proof(
    State(app): State<App>,
    subject: Subject,
    Path(position): Path<u64>,
) -> Result<Json<EventProof>, Problem> {
    // What stands in place of a removed event is proven all the same: its hash.
    let (entry, removed) = match entry_at(&app, position).await? {
        Some(entry) if entry.is_empty() => (entry, Some(removed(&app, position).await?)),
        Some(entry) => (seen(&subject, position, entry)?, None),
        None => return Err(absent(position)),
    };
    let trail = app.door.trail().clone();
    let proven = tokio::task::spawn_blocking(move || {
        let mut checkpoint = trail.checkpoint();
        if checkpoint.size <= position {
            checkpoint = trail.seal()?;
        }
        let proof = trail.inclusion(position, checkpoint.size)?;
        Ok::<_, trail::TrailError>((checkpoint, proof, trail.public_key().to_string()))
    });
    let (checkpoint, proof, vkey) =
        proven.await.map_err(|error| Problem::internal(&error))?.map_err(|error| Problem::internal(&error))?;
    Ok(Json(EventProof {
        position,
        entry: STANDARD.encode(&entry),
        leaf_hash: STANDARD.encode(proof.leaf.0),
        tree_size: proof.size,
        path: proof.path.iter().map(|hash| STANDARD.encode(hash.0)).collect(),
        checkpoint: checkpoint.note.clone(),
        vkey,
        removed,
    }))
}

/// Events of the same session, operation, request, entity, user or host.
#[utoipa::path(get, path = "/api/v1/events/{position}/related", tag = "events", params(RelatedParams), responses((status = 200, body = Related)))]
pub async fn events_related(
    State(app): State<App>,
    subject: Subject,
    Path(position): Path<u64>,
    Query(params): Query<RelatedParams>,
) -> Result<Json<Related>, Problem> {
    let entry = visible(&app, &subject, position).await?;
    let event = Event::read(&entry).map_err(|error| Problem::internal(&error))?;
    let kinds = [
        ("session", "session.id"),
        ("operation", "operation.id"),
        ("request", "access.request_id"),
        ("entity", "entity.id"),
        ("user", "user.name"),
        ("host", "host.name"),
    ];
    if let Some(by) = params.by.as_deref().filter(|by| !kinds.iter().any(|(kind, _)| kind == by)) {
        return Err(Problem::invalid(
            "/by",
            format!("{by:?} is none of session, operation, request, entity, user, host"),
        ));
    }
    let size = app.door.trail().size();
    let now = app.clock.now();
    let deadline = Instant::now() + SEARCH_MAX;
    let mut groups = Vec::new();
    for (by, field) in kinds {
        if params.by.as_deref().is_some_and(|wanted| wanted != by) {
            continue;
        }
        let Some(value) = event.text(field).map(str::to_owned) else { continue };
        let wanted = Filter::equals(field, value.clone());
        let text = wanted.to_string();
        let visibility = subject.visibility();
        let page = look(&app, move |store| {
            let query = store::Query::new(&wanted, now).visible(Some(&visibility)).within(until(deadline));
            let paging = store::Paging { order: store::Order::Newest, limit: RELATED_MAX + 1, cursor: None };
            Ok((store.search(&query, &paging, size)?, store.count(&query, size)?))
        });
        let (page, total) = page.await?;
        let items: Vec<Found> = page
            .hits
            .into_iter()
            .filter(|hit| hit.position != position)
            .take(RELATED_MAX)
            .map(|hit| found(hit.position, hit.entry))
            .collect::<Result<_, _>>()?;
        if !items.is_empty() {
            let total = total.stopped.is_none().then_some(total.count);
            groups.push(RelatedGroup { by: by.to_owned(), value, filter: text, items, total });
        }
    }
    Ok(Json(Related { groups }))
}

/// The fields that events are known to have.
#[utoipa::path(get, path = "/api/v1/fields", tag = "events", responses((status = 200, body = Page<FieldInfo>)))]
pub async fn fields_list() -> Json<Page<FieldInfo>> {
    let fields = event::fields::FIELDS.iter().map(|field| FieldInfo {
        name: field.name.to_owned(),
        kind: format!("{:?}", field.kind).to_lowercase(),
        title: field.title.to_owned(),
    });
    Json(Page::whole(fields.collect()))
}

/// The values of a field, the most frequent first.
#[utoipa::path(get, path = "/api/v1/fields/values", tag = "events", params(ValuesParams), responses((status = 200, body = ValueCounts)))]
pub async fn fields_values(
    State(app): State<App>,
    subject: Subject,
    Query(params): Query<ValuesParams>,
) -> Result<Json<ValueCounts>, Problem> {
    let now = app.clock.now();
    let wanted = filter(params.filter.as_deref(), now)?.and(subject.visibility());
    let Range { from, to } = range(params.from.as_deref(), params.to.as_deref(), now)?;
    let limit = params.limit.unwrap_or(20).clamp(1, 200) as usize;
    let size = app.door.trail().size();
    let deadline = Instant::now() + Duration::from_secs(5);
    let values = look(&app, move |store| {
        let query = store::Query::new(&wanted, now).between(from, to).within(until(deadline));
        store.values(&query, &params.field, params.prefix.as_deref().unwrap_or(""), limit, size)
    })
    .await?;
    Ok(Json(ValueCounts {
        items: values.values.into_iter().map(|known| ValueCount { value: known.value, count: known.count }).collect(),
    }))
}

/// Whether a filter can be read, and where it can't.
#[utoipa::path(post, path = "/api/v1/filters/check", tag = "events", responses((status = 200, body = FilterVerdict)))]
pub async fn filters_check(Json(check): Json<FilterCheck>) -> Json<FilterVerdict> {
    let verdict = match event::filter::parse(&check.filter) {
        Ok(_) => FilterVerdict { ok: true, error: None },
        Err(error) => {
            let error = FilterProblem {
                offset: error.offset,
                length: error.length,
                message: error.message,
                suggestion: error.suggestion,
            };
            FilterVerdict { ok: false, error: Some(error) }
        }
    };
    Json(verdict)
}

/// The event types that have a title, a severity and a message.
#[utoipa::path(get, path = "/api/v1/catalogue", tag = "events", responses((status = 200, body = Page<EventType>)))]
pub async fn catalogue_list(State(app): State<App>) -> Json<Page<EventType>> {
    let types = app.catalogue.types().iter().map(|kind| EventType {
        id: kind.id.clone(),
        category: kind.category.clone(),
        severity: kind.severity.name().to_owned(),
        title: kind.title.clone(),
        message: kind.message.clone(),
        raised_by: format!("{:?}", kind.raised_by).to_lowercase(),
    });
    Json(Page::whole(types.collect()))
}

/// The entry at a position, if the subject may see it. What it may not see is not there; what was removed is gone.
pub async fn visible(app: &App, subject: &Subject, position: u64) -> Result<Bytes, Problem> {
    match entry_at(app, position).await? {
        Some(entry) if entry.is_empty() => Err(Problem::removed(why_removed(&removed(app, position).await?))),
        Some(entry) => seen(subject, position, entry),
        None => Err(absent(position)),
    }
}

async fn entry_at(app: &App, position: u64) -> Result<Option<Bytes>, Problem> {
    let trail = app.door.trail().clone();
    let entry =
        tokio::task::spawn_blocking(move || trail.get(position)).await.map_err(|error| Problem::internal(&error))?;
    entry.map_err(|error| Problem::internal(&error))
}

fn seen(subject: &Subject, position: u64, entry: Bytes) -> Result<Bytes, Problem> {
    let event = Event::read(&entry).map_err(|error| Problem::internal(&error))?;
    let visible = Matcher::new(&subject.visibility()).matches(&event);
    if visible { Ok(entry) } else { Err(absent(position)) }
}

fn absent(position: u64) -> Problem {
    Problem::not_found(format!("there is no event at position {position}"))
}

/// What is known of a removal. A trail that was put back from a backup may know more than the state beside it.
async fn removed(app: &App, position: u64) -> Result<Removed, Problem> {
    let known = removal::at(app, position).await?;
    Ok(known.unwrap_or_else(|| Removed {
        position,
        kind: RemovalKind::Retention,
        removal: String::new(),
        at: String::new(),
        why: "a removal that is not in this server's state".to_owned(),
        reason: String::new(),
        by: None,
        event_position: None,
    }))
}

fn why_removed(removed: &Removed) -> String {
    let mut text = format!("the event at position {} was removed", removed.position);
    if !removed.at.is_empty() {
        text.push_str(&format!(" on {}", removed.at));
    }
    text.push_str(&format!(" by {}", removed.why));
    if !removed.reason.is_empty() {
        text.push_str(&format!(": {}", removed.reason));
    }
    if let Some(position) = removed.event_position {
        text.push_str(&format!("; the event at position {position} tells of it"));
    }
    text
}

/// An event as the API shows it.
pub fn found(position: u64, entry: Bytes) -> Result<Found, Problem> {
    Ok(Found { position, event: raw(entry)? })
}

fn raw(entry: Bytes) -> Result<Box<RawValue>, Problem> {
    let text = String::from_utf8(entry.into()).map_err(|error| Problem::internal(&error))?;
    RawValue::from_string(text).map_err(|error| Problem::internal(&error))
}

fn ms(began: Instant) -> f64 {
    (began.elapsed().as_secs_f64() * 1e6).round() / 1e3
}

fn until(deadline: Instant) -> store::Budget {
    store::Budget { deadline: Some(deadline), cancel: None }
}

/// A bucket with its counts by the value of the first field.
fn bucket_of(bucket: &store::Bucket, rows: &[store::Row]) -> SummaryBucket {
    let mut by: BTreeMap<String, u64> = BTreeMap::new();
    for (row, count) in rows.iter().zip(&bucket.by) {
        if let Some(key) = row.keys.first().filter(|_| *count > 0) {
            *by.entry(key.clone()).or_default() += count;
        }
    }
    SummaryBucket { from: bucket.from.to_string(), count: bucket.count, by }
}
