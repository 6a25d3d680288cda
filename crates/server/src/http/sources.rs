//! Sources, what was set aside, and mappings.

use api::Page;
use api::sources::{
    CompileError, Discard, Discarded, Mapping, MappingInput, MappingTest, MappingTestResult, MappingTestResults,
    Replay, Replayed, SetAside, SetAsideGroup, SetAsidePage, SetAsideParams, Source, SourceInput,
};
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::json;
use wire::mapping::{Meta, Outcome};

use super::health::health;
use super::router::{Route, table};
use super::{Json, Path, Problem, Query};
use crate::access::Subject;
use crate::app::App;
use crate::append::Origin;
use crate::changes::Entity;
use crate::ingest::registry::Compiled;
use crate::ingest::{RegistryError, replay};
use crate::state::{self, set_aside, sources};

const SAMPLES_MAX: usize = 100;
const SAMPLE_BYTES_MAX: usize = 64 << 10;
pub const PROGRAM_BYTES_MAX: usize = 128 << 10;
/// Open gaps that the list of sources looks at.
const OPEN_GAPS_MAX: i64 = 2_000;
const IDS_MAX: usize = 1_000;

pub fn routes() -> Vec<Route> {
    table! {
        GET    "/api/v1/sources"              SourcesRead   sources_list;
        POST   "/api/v1/sources"              SourcesWrite  sources_create;
        PUT    "/api/v1/sources/{name}"       SourcesWrite  sources_update;
        DELETE "/api/v1/sources/{name}"       SourcesWrite  sources_delete;
        GET    "/api/v1/set-aside"            SourcesRead   set_aside_list;
        POST   "/api/v1/set-aside/replay"     SourcesWrite  set_aside_replay;
        POST   "/api/v1/set-aside/discard"    SourcesWrite  set_aside_discard;
        GET    "/api/v1/mappings"             SourcesRead   mappings_list;
        GET    "/api/v1/mappings/{name}"      SourcesRead   mappings_get;
        PUT    "/api/v1/mappings/{name}"      MappingsWrite mappings_save;
        POST   "/api/v1/mappings/{name}/test" SourcesRead   mappings_test;
    }
}

/// All sources, those that only the trail knows included.
#[utoipa::path(get, path = "/api/v1/sources", tag = "sources", responses((status = 200, body = Page<Source>)))]
pub async fn sources_list(State(app): State<App>) -> Result<Json<Page<Source>>, Problem> {
    let waiting = set_aside::counts(&app.state).await?;
    let gaps = state::health::open_gaps(&app.state, OPEN_GAPS_MAX).await?;
    let open = state::health::open_gap_counts(&app.state).await?;
    let mut known = app.intake.registry().sources();
    for name in app.health.names() {
        if !known.iter().any(|source| source.name == name) {
            known.push(sources::Source {
                name,
                title: String::new(),
                mapping: String::new(),
                builtin: true,
                enabled: true,
                created_at: 0,
            });
        }
    }
    let items = known
        .into_iter()
        .map(|source| {
            let facts = app.health.facts(&source.name).unwrap_or_default();
            let open = open.iter().find(|(name, _)| *name == source.name).map_or(0, |(_, gaps)| gaps.cast_unsigned());
            let health = health(&app, &source.name, &facts, &gaps, open);
            Source {
                mapping_version: app.intake.registry().mapping(&source.mapping).map(|mapping| mapping.version),
                first_seen_at: health.first_seen_at.clone(),
                last_seen_at: health.last_seen_at.clone(),
                events_total: facts.events,
                rate_per_minute: health.rate_per_minute,
                health,
                set_aside: waiting
                    .iter()
                    .filter(|count| count.source == source.name)
                    .map(|count| count.records.cast_unsigned())
                    .sum(),
                title: if source.name == crate::append::OWN_SOURCE { "Belfry itself".to_owned() } else { source.title },
                name: source.name,
                mapping: source.mapping,
                builtin: source.builtin,
                enabled: source.enabled,
            }
        })
        .collect();
    Ok(Json(Page::whole(items)))
}

/// Add a source.
#[utoipa::path(post, path = "/api/v1/sources", tag = "sources", responses((status = 201, body = SourceInput)))]
pub async fn sources_create(
    State(app): State<App>,
    subject: Subject,
    Json(input): Json<SourceInput>,
) -> Result<(StatusCode, Json<SourceInput>), Problem> {
    let source = sources::Source {
        name: input.name.clone(),
        title: title_of(&input)?,
        mapping: input.mapping.clone(),
        builtin: false,
        enabled: input.enabled,
        created_at: app.clock.now().as_millisecond(),
    };
    app.intake.registry().add(source).await?;
    app.record(Some(&subject), entity(&input.name).created(&json!(input), &[])).await?;
    Ok((StatusCode::CREATED, Json(input)))
}

/// Change a source: its title, which mapping reads it, whether it is on.
#[utoipa::path(put, path = "/api/v1/sources/{name}", tag = "sources", responses((status = 200, body = SourceInput)))]
pub async fn sources_update(
    State(app): State<App>,
    subject: Subject,
    Path(name): Path<String>,
    Json(input): Json<SourceInput>,
) -> Result<Json<SourceInput>, Problem> {
    let registry = app.intake.registry();
    let old =
        registry.source(&name).ok_or_else(|| Problem::from(RegistryError::UnknownSource { name: name.clone() }))?;
    let input = SourceInput { name: name.clone(), ..input };
    registry.update(&name, &title_of(&input)?, &input.mapping, input.enabled).await?;
    let old = SourceInput { name: old.name, title: old.title, mapping: old.mapping, enabled: old.enabled };
    if let Some(event) = entity(&name).updated(&json!(old), &json!(input), &[]) {
        app.record(Some(&subject), event).await?;
    }
    Ok(Json(input))
}

/// Remove a source of one's own. Its events stay.
#[utoipa::path(delete, path = "/api/v1/sources/{name}", tag = "sources", responses((status = 204)))]
pub async fn sources_delete(
    State(app): State<App>,
    subject: Subject,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let registry = app.intake.registry();
    let old = registry.source(&name);
    registry.remove(&name).await?;
    if let Some(old) = old {
        let old = SourceInput { name: old.name, title: old.title, mapping: old.mapping, enabled: old.enabled };
        app.record(Some(&subject), entity(&name).removed(&json!(old), &[])).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Records that could not be understood, the newest first.
#[utoipa::path(get, path = "/api/v1/set-aside", tag = "sources", params(SetAsideParams), responses((status = 200, body = SetAsidePage)))]
pub async fn set_aside_list(
    State(app): State<App>,
    Query(params): Query<SetAsideParams>,
) -> Result<Json<SetAsidePage>, Problem> {
    let state = params.state.as_deref().unwrap_or("open");
    if !["open", "replayed", "discarded"].contains(&state) {
        return Err(Problem::invalid("/state", format!("{state} is none of open, replayed, discarded")));
    }
    let before = params.cursor.as_deref().map(|cursor| id_of("/cursor", cursor)).transpose()?;
    let limit = params.limit.unwrap_or(50).clamp(1, 500);
    let records = set_aside::page(&app.state, params.source.as_deref(), state, before, limit).await?;
    let next = (records.len() == limit as usize).then(|| records.last().map(|record| record.id.to_string())).flatten();
    let groups = set_aside::counts(&app.state).await?;
    Ok(Json(SetAsidePage {
        items: records.into_iter().map(shown).collect(),
        next,
        groups: groups
            .into_iter()
            .map(|group| SetAsideGroup {
                source: group.source,
                code: group.code,
                reason: group.reason,
                records: group.records.cast_unsigned(),
                last_at: time(group.last_at),
            })
            .collect(),
    }))
}

/// Read records again that were set aside, after the mapping was mended.
#[utoipa::path(post, path = "/api/v1/set-aside/replay", tag = "sources", responses((status = 200, body = Replayed)))]
pub async fn set_aside_replay(
    State(app): State<App>,
    subject: Subject,
    Json(wanted): Json<Replay>,
) -> Result<Json<Replayed>, Problem> {
    let ids = ids_of(&wanted.ids)?;
    if ids.is_empty() && wanted.source.is_none() {
        return Err(Problem::invalid("/ids", "name records by their ids, or a source"));
    }
    let now = app.clock.now().as_millisecond();
    let done =
        replay::replay(&app.intake, &app.door, &app.state, &ids, wanted.source.as_deref(), subject.user_name(), now)
            .await?;
    if done.replayed > 0 {
        let name = wanted.source.as_deref().unwrap_or("set aside");
        let event = json!({
            "event": { "action": "set_aside.replayed", "category": "audit", "outcome": "success" },
            "entity": { "type": "source", "id": name, "name": name },
            "message": format!("{} set-aside record{} replayed, {} still not understood", done.replayed, if done.replayed == 1 { " was" } else { "s were" }, done.still_set_aside),
        });
        app.record(Some(&subject), event).await?;
    }
    Ok(Json(done))
}

/// Give up records that were set aside, with a reason that goes into the trail.
#[utoipa::path(post, path = "/api/v1/set-aside/discard", tag = "sources", responses((status = 200, body = Discarded)))]
pub async fn set_aside_discard(
    State(app): State<App>,
    subject: Subject,
    Json(wanted): Json<Discard>,
) -> Result<Json<Discarded>, Problem> {
    let reason = wanted.reason.trim();
    if reason.is_empty() || reason.len() > 1_000 {
        return Err(Problem::invalid("/reason", "say why, in 1 to 1,000 characters"));
    }
    let now = app.clock.now().as_millisecond();
    let mut discarded = Vec::new();
    for id in ids_of(&wanted.ids)? {
        let Some(record) = set_aside::one(&app.state, id).await? else { continue };
        if set_aside::settle(&app.state, id, "discarded", now, subject.user_name(), Some(reason)).await? {
            app.intake.settled(1, record.record.len() as u64);
            discarded.push(format!("{} ({})", record.id, record.source));
        }
    }
    if !discarded.is_empty() {
        let event = json!({
            "event": { "action": "set_aside.discarded", "category": "audit", "outcome": "success", "reason": reason },
            "entity": { "type": "set aside", "name": discarded.iter().take(20).cloned().collect::<Vec<_>>().join(", ") },
            "message": format!("{} set-aside record{} discarded: {reason}", discarded.len(), if discarded.len() == 1 { " was" } else { "s were" }),
        });
        app.record(Some(&subject), event).await?;
    }
    Ok(Json(Discarded { discarded: discarded.len() as u64 }))
}

/// All mappings in force.
#[utoipa::path(get, path = "/api/v1/mappings", tag = "sources", responses((status = 200, body = Page<Mapping>)))]
pub async fn mappings_list(State(app): State<App>) -> Json<Page<Mapping>> {
    Json(Page::whole(
        app.intake
            .registry()
            .mappings()
            .iter()
            .map(|compiled| Mapping { program: None, ..mapping(compiled) })
            .collect(),
    ))
}

/// A mapping with its program.
#[utoipa::path(get, path = "/api/v1/mappings/{name}", tag = "sources", responses((status = 200, body = Mapping)))]
pub async fn mappings_get(State(app): State<App>, Path(name): Path<String>) -> Result<Json<Mapping>, Problem> {
    let compiled =
        app.intake.registry().mapping(&name).ok_or_else(|| Problem::from(RegistryError::UnknownMapping { name }))?;
    Ok(Json(mapping(&compiled)))
}

/// Save a new version of a mapping. It reads what comes from now on; nothing that is in the trail changes.
#[utoipa::path(put, path = "/api/v1/mappings/{name}", tag = "sources", responses((status = 200, body = Mapping)))]
pub async fn mappings_save(
    State(app): State<App>,
    subject: Subject,
    Path(name): Path<String>,
    Json(input): Json<MappingInput>,
) -> Result<Json<Mapping>, Problem> {
    if input.program.len() > PROGRAM_BYTES_MAX {
        return Err(Problem::invalid("/program", format!("a program may have at most {PROGRAM_BYTES_MAX} bytes")));
    }
    let registry = app.intake.registry();
    let old = registry.mapping(&name).map(|compiled| compiled.program.clone());
    let version = registry.save(&name, &input.program, subject.user_name(), app.clock.now().as_millisecond()).await?;
    let entity = Entity { kind: "mapping", id: &name, name: &name };
    let new = json!({ "version": version, "program": input.program });
    let event = match old {
        None => Some(entity.created(&new, &[])),
        Some(old) => entity.updated(&json!({ "version": version - 1, "program": old }), &new, &[]),
    };
    if let Some(event) = event {
        app.record(Some(&subject), shorten(event)).await?;
    }
    let compiled = registry.mapping(&name).ok_or_else(|| Problem::from(RegistryError::UnknownMapping { name }))?;
    Ok(Json(mapping(&compiled)))
}

/// Try a mapping, or a draft of one, on samples. Nothing is stored.
#[utoipa::path(post, path = "/api/v1/mappings/{name}/test", tag = "sources", responses((status = 200, body = MappingTestResults)))]
pub async fn mappings_test(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(test): Json<MappingTest>,
) -> Result<Json<MappingTestResults>, Problem> {
    if test.samples.len() > SAMPLES_MAX || test.samples.iter().any(|sample| sample.len() > SAMPLE_BYTES_MAX) {
        return Err(Problem::invalid(
            "/samples",
            format!("at most {SAMPLES_MAX} samples of {SAMPLE_BYTES_MAX} bytes each"),
        ));
    }
    let known = app.intake.registry().mapping(&name);
    let draft = match test.program {
        None => None,
        Some(program) if program.len() > PROGRAM_BYTES_MAX => {
            return Err(Problem::invalid("/program", format!("a program may have at most {PROGRAM_BYTES_MAX} bytes")));
        }
        Some(program) => match wire::mapping::Mapping::compile(&name, &wire::mapping::version_of(&program), &program) {
            Ok(draft) => Some(draft),
            Err(errors) => {
                let compile_errors = errors
                    .into_iter()
                    .map(|error| CompileError { line: error.line, column: error.column, message: error.message })
                    .collect();
                return Ok(Json(MappingTestResults { results: Vec::new(), compile_errors }));
            }
        },
    };
    let received_at = app.clock.now();
    let door = app.door.clone();
    let results = tokio::task::spawn_blocking(move || {
        let program = draft.as_ref().or(known.as_ref().map(|known| &known.mapping));
        let program = program.ok_or_else(|| Problem::from(RegistryError::UnknownMapping { name: name.clone() }))?;
        let origin = Origin { source: Some(&name), ..Origin::default() };
        let results = test.samples.iter().map(|sample| {
            let mut result = MappingTestResult { ok: false, events: Vec::new(), skipped: None, error: None };
            match program.run(sample.as_bytes(), &Meta::at(received_at)) {
                Outcome::Skipped(why) => result.skipped = Some(why),
                Outcome::Failed(reason) => result.error = Some(reason.to_string()),
                Outcome::Events(values) => {
                    for value in values {
                        match door.admit(value, origin) {
                            Ok(admitted) => result.events.extend(serde_json::from_slice(admitted.bytes()).ok()),
                            Err(invalid) => result.error = Some(invalid.to_string()),
                        }
                    }
                }
            }
            result.ok = result.error.is_none();
            result
        });
        Ok::<_, Problem>(results.collect())
    })
    .await
    .map_err(|error| Problem::internal(&error))??;
    Ok(Json(MappingTestResults { results, compile_errors: Vec::new() }))
}

/// A program is up to 128 KiB, an entry of the trail 64: the event keeps its beginning.
pub fn shorten(mut event: serde_json::Value) -> serde_json::Value {
    let changes = event.get_mut("changes").and_then(|changes| changes.as_array_mut());
    for change in changes.into_iter().flatten() {
        for side in ["old", "new"] {
            if let Some(text) = change.get(side).and_then(|value| value.as_str()).filter(|text| text.len() > 20_000) {
                let short: String = text.chars().take(20_000).collect();
                change[side] = json!(format!("{short}… ({} bytes)", text.len()));
            }
        }
    }
    event
}

/// A mapping as the API shows it.
pub fn mapping(compiled: &Compiled) -> Mapping {
    Mapping {
        name: compiled.name.clone(),
        version: compiled.version,
        hash: compiled.mapping.version().to_owned(),
        description: compiled.description.clone(),
        builtin: compiled.builtin,
        program: Some(compiled.program.clone()),
        updated_at: compiled.updated_at.map(time),
        updated_by: compiled.updated_by.clone(),
    }
}

fn shown(record: set_aside::SetAside) -> SetAside {
    let (text, base64) = match String::from_utf8(record.record) {
        Ok(text) => (text, None),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(STANDARD.encode(error.as_bytes()))),
    };
    SetAside {
        id: record.id.to_string(),
        source: record.source,
        received_at: time(record.received_at),
        peer: record.peer,
        code: record.code,
        reason: record.reason,
        field: record.field,
        record: text,
        record_base64: base64,
        state: record.state,
        settled_at: record.settled_at.map(time),
        settled_by: record.settled_by,
        settled_why: record.settled_why,
    }
}

fn entity(name: &str) -> Entity<'_> {
    Entity { kind: "source", id: name, name }
}

fn title_of(input: &SourceInput) -> Result<String, Problem> {
    let title = if input.title.trim().is_empty() { &input.name } else { input.title.trim() };
    if title.chars().count() > 120 {
        return Err(Problem::invalid("/title", "at most 120 characters"));
    }
    Ok(title.to_owned())
}

fn ids_of(ids: &[String]) -> Result<Vec<i64>, Problem> {
    if ids.len() > IDS_MAX {
        return Err(Problem::invalid("/ids", format!("at most {IDS_MAX} at once")));
    }
    ids.iter().map(|id| id_of("/ids", id)).collect()
}

fn id_of(pointer: &str, id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| Problem::invalid(pointer, format!("{id:?} is no record's number")))
}

fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}
