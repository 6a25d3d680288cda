//! Mappings: their programs, versions and samples; trying one, holding it against the trail, making one from a record.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::Page;
use api::access::Privilege;
use api::mappings::{
    CompileError, DryRun, DryRunResult, Mapping, MappingField, MappingFunction, MappingInput, MappingReference,
    MappingSamples, MappingTest, MappingTestResult, MappingTestResults, MappingVersion, Proposal, Propose,
};
use axum::extract::State;
use event::Filter;
use serde_json::json;
use wire::decode::Decoder;
use wire::mapping::{reference, version_of};

use super::router::{Route, table};
use super::{Json, Path, Problem};
use crate::access::Subject;
use crate::app::App;
use crate::append::Origin;
use crate::changes::Entity;
use crate::ingest::registry::{Compiled, NewVersion};
use crate::ingest::{Registry, RegistryError, dry_run, proposal, trial};
use crate::search::look;
use crate::state::{mapping_samples, mappings, time_text};

const SAMPLES_MAX: usize = 100;
const SAMPLE_BYTES_MAX: usize = 64 << 10;
const PROGRAM_BYTES_MAX: usize = 128 << 10;
const DRY_RUN_MAX: u32 = 1_000;
/// How long a dry run may take. A program may use a whole second on one record.
const DRY_RUN_TIME_MAX: Duration = Duration::from_secs(15);

pub fn routes() -> Vec<Route> {
    table! {
        GET    "/api/v1/mappings"                           SourcesRead   mappings_list;
        GET    "/api/v1/mappings/reference"                 SourcesRead   mappings_reference;
        POST   "/api/v1/mappings/propose"                   SourcesRead   mappings_propose;
        GET    "/api/v1/mappings/{name}"                    SourcesRead   mappings_get;
        PUT    "/api/v1/mappings/{name}"                    MappingsWrite mappings_save;
        POST   "/api/v1/mappings/{name}/test"               SourcesRead   mappings_test;
        POST   "/api/v1/mappings/{name}/dry-run"            SourcesRead   mappings_dry_run;
        GET    "/api/v1/mappings/{name}/samples"            SourcesRead   mappings_samples;
        GET    "/api/v1/mappings/{name}/versions"           SourcesRead   mappings_versions;
        GET    "/api/v1/mappings/{name}/versions/{version}" SourcesRead   mappings_version;
    }
}

/// All mappings in force.
#[utoipa::path(get, path = "/api/v1/mappings", tag = "mappings", responses((status = 200, body = Page<Mapping>)))]
pub async fn mappings_list(State(app): State<App>) -> Json<Page<Mapping>> {
    let registry = app.intake.registry();
    let all = registry.mappings();
    Json(Page::whole(all.iter().map(|compiled| Mapping { program: None, ..mapping(registry, compiled) }).collect()))
}

/// A mapping with its program.
#[utoipa::path(get, path = "/api/v1/mappings/{name}", tag = "mappings", responses((status = 200, body = Mapping)))]
pub async fn mappings_get(State(app): State<App>, Path(name): Path<String>) -> Result<Json<Mapping>, Problem> {
    Ok(Json(mapping(app.intake.registry(), &*known(&app, &name)?)))
}

/// Save a new version of a mapping. It reads what comes from now on; nothing that is in the trail changes. Where samples
/// that could be read so far can't be read any more, it is refused with 409 `samples-broken`, unless it is forced.
#[utoipa::path(put, path = "/api/v1/mappings/{name}", tag = "mappings", responses((status = 200, body = Mapping)))]
pub async fn mappings_save(
    State(app): State<App>,
    subject: Subject,
    Path(name): Path<String>,
    Json(input): Json<MappingInput>,
) -> Result<Json<Mapping>, Problem> {
    check_program(&input.program)?;
    if let Some(samples) = &input.samples {
        check_samples(samples)?;
    }
    let registry = app.intake.registry();
    let old = registry.mapping(&name).map(|compiled| compiled.program.clone());
    let new = NewVersion {
        program: &input.program,
        samples: input.samples.as_deref(),
        force: input.force,
        by: subject.user_name(),
        now_ms: app.clock.now().as_millisecond(),
    };
    let version = registry.save(&name, &new, &app.door).await?;
    let entity = Entity { kind: "mapping", id: &name, name: &name };
    let new = json!({ "version": version, "program": input.program });
    let event = match old {
        None => Some(entity.created(&new, &[])),
        Some(old) => entity.updated(&json!({ "version": version - 1, "program": old }), &new, &[]),
    };
    if let Some(event) = event {
        app.record(Some(&subject), shorten(event)).await?;
    }
    Ok(Json(mapping(registry, &*known(&app, &name)?)))
}

/// The records that stand beside a mapping.
#[utoipa::path(get, path = "/api/v1/mappings/{name}/samples", tag = "mappings", responses((status = 200, body = MappingSamples)))]
pub async fn mappings_samples(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<MappingSamples>, Problem> {
    known(&app, &name)?;
    Ok(Json(MappingSamples { own: mapping_samples::of(&app.state, &name).await?, shipped: trial::shipped(&name) }))
}

/// The versions of a mapping, the newest first; at most 100, and the one that ships with Belfry.
#[utoipa::path(get, path = "/api/v1/mappings/{name}/versions", tag = "mappings", responses((status = 200, body = Page<MappingVersion>)))]
pub async fn mappings_versions(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<Page<MappingVersion>>, Problem> {
    known(&app, &name)?;
    let stored = mappings::versions(&app.state, &name).await?;
    let mut items: Vec<MappingVersion> = stored.into_iter().map(stored_version).collect();
    items.extend(shipped_version(&name));
    for item in &mut items {
        item.program = None;
    }
    Ok(Json(Page::whole(items)))
}

/// One version of a mapping, with its program. To restore it, save its program.
#[utoipa::path(get, path = "/api/v1/mappings/{name}/versions/{version}", tag = "mappings", responses((status = 200, body = MappingVersion)))]
pub async fn mappings_version(
    State(app): State<App>,
    Path((name, version)): Path<(String, u32)>,
) -> Result<Json<MappingVersion>, Problem> {
    let stored = mappings::one(&app.state, &name, i64::from(version)).await?.map(stored_version);
    stored
        .or_else(|| shipped_version(&name).filter(|shipped| shipped.version == version))
        .map(Json)
        .ok_or_else(|| Problem::not_found(format!("there is no version {version} of mapping {name}")))
}

/// Try a mapping, or a draft of one, on samples. Nothing is stored.
#[utoipa::path(post, path = "/api/v1/mappings/{name}/test", tag = "mappings", responses((status = 200, body = MappingTestResults)))]
pub async fn mappings_test(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(test): Json<MappingTest>,
) -> Result<Json<MappingTestResults>, Problem> {
    check_samples(&test.samples)?;
    let received_at = app.clock.now();
    let results = with_program(&app, name, test.program, move |app, name, program| {
        let origin = Origin { source: Some(name), ..Origin::default() };
        test.samples
            .iter()
            .map(|sample| trial::of(program.mapping(), &app.door, origin, sample.as_bytes(), received_at))
            .collect()
    });
    Ok(Json(match results.await? {
        Ok(results) => MappingTestResults { results, compile_errors: Vec::new() },
        Err(compile_errors) => MappingTestResults { results: Vec::new(), compile_errors },
    }))
}

/// Hold a program against what is in the trail: the newest events of a source are read again from their records.
#[utoipa::path(post, path = "/api/v1/mappings/{name}/dry-run", tag = "mappings", responses((status = 200, body = DryRunResult)))]
pub async fn mappings_dry_run(
    State(app): State<App>,
    subject: Subject,
    Path(name): Path<String>,
    Json(wanted): Json<DryRun>,
) -> Result<Json<DryRunResult>, Problem> {
    subject.need(Privilege::EventsRead)?;
    let sources = match wanted.source {
        Some(source) => vec![source],
        None => used_by(app.intake.registry(), &name),
    };
    let limit = u64::from(wanted.limit.unwrap_or(DRY_RUN_MAX).clamp(1, DRY_RUN_MAX));
    // Both ways to no program at all are found before anything is read.
    let draft = match with_program(&app, name, wanted.program, |_, _, program| program.clone()).await? {
        Ok(draft) => draft,
        Err(compile_errors) => return Ok(Json(DryRunResult { compile_errors, ..DryRunResult::default() })),
    };
    let filter = Filter::Or(sources.into_iter().map(|source| Filter::equals("event.module", source)).collect());
    let (visibility, now, size, door) = (subject.visibility(), app.clock.now(), app.trail().size(), app.door.clone());
    let result = look(&app, move |store| {
        let deadline = Instant::now() + DRY_RUN_TIME_MAX;
        let budget = store::Budget { deadline: Some(deadline), cancel: None };
        let query = store::Query::new(&filter, now).visible(Some(&visibility)).within(budget);
        let mut run = dry_run::DryRun::new(draft.mapping(), &door);
        let mut late = false;
        let stopped = store.scan(&query, store::Order::Newest, size, &mut |hit| {
            run.hold(hit.position, &hit.entry);
            late = Instant::now() > deadline;
            if late || run.events() >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(run.finish(late || stopped.is_some()))
    });
    Ok(Json(result.await?))
}

/// Draft a mapping from one record.
#[utoipa::path(post, path = "/api/v1/mappings/propose", tag = "mappings", responses((status = 200, body = Proposal)))]
pub async fn mappings_propose(State(app): State<App>, Json(wanted): Json<Propose>) -> Result<Json<Proposal>, Problem> {
    if wanted.record.trim().is_empty() || wanted.record.len() > SAMPLE_BYTES_MAX {
        return Err(Problem::invalid("/record", format!("one record, of 1 to {SAMPLE_BYTES_MAX} bytes")));
    }
    if wanted.name.len() > 64 {
        return Err(Problem::invalid("/name", "at most 64 characters"));
    }
    let generic = known(&app, "generic")?;
    let (now, door) = (app.clock.now(), app.door.clone());
    let proposed = tokio::task::spawn_blocking(move || {
        let record = wanted.record.as_bytes();
        let origin = |name| Origin { source: Some(name), ..Origin::default() };
        let read = trial::of(&generic.mapping, &door, origin("generic"), record, now);
        let draft = proposal::draft(&wanted.name, record, read.events.first(), now);
        let name = if wanted.name.is_empty() { "draft" } else { &wanted.name };
        let result = match wire::mapping::Mapping::compile(name, &version_of(&draft.program), &draft.program) {
            Ok(mapping) => trial::of(&mapping, &door, origin(name), record, now),
            Err(errors) => MappingTestResult {
                ok: false,
                events: Vec::new(),
                skipped: None,
                error: errors.first().map(ToString::to_string),
            },
        };
        let proposal::Draft { decoder, native, program } = draft;
        Proposal { decoder: decoder.to_owned(), native, generic: read, program, result }
    });
    Ok(Json(proposed.await.map_err(|error| Problem::internal(&error))?))
}

/// What a program may use: functions, fields, decoders.
#[utoipa::path(get, path = "/api/v1/mappings/reference", tag = "mappings", responses((status = 200, body = MappingReference)))]
pub async fn mappings_reference() -> Json<MappingReference> {
    Json(MappingReference {
        functions: reference()
            .into_iter()
            .map(|(signature, usage)| MappingFunction {
                name: signature.split('(').next().unwrap_or_default().to_owned(),
                signature,
                usage: usage.to_owned(),
            })
            .collect(),
        fields: event::fields::FIELDS
            .iter()
            .map(|field| MappingField {
                name: field.name.to_owned(),
                kind: format!("{:?}", field.kind).to_lowercase(),
                title: field.title.to_owned(),
            })
            .collect(),
        decoders: Decoder::ALL.iter().map(|decoder| decoder.name().to_owned()).collect(),
    })
}

/// A draft, or the mapping in force.
#[derive(Clone)]
enum Program {
    Draft(Arc<wire::mapping::Mapping>),
    Known(Arc<Compiled>),
}

impl Program {
    fn mapping(&self) -> &wire::mapping::Mapping {
        match self {
            Self::Draft(draft) => draft,
            Self::Known(known) => &known.mapping,
        }
    }
}

/// Compiles a draft, or takes the mapping in force, and works with it where that may block. Errors of the draft are an
/// answer, not a problem.
async fn with_program<T: Send + 'static>(
    app: &App,
    name: String,
    draft: Option<String>,
    work: impl FnOnce(&App, &str, &Program) -> T + Send + 'static,
) -> Result<Result<T, Vec<CompileError>>, Problem> {
    if let Some(program) = &draft {
        check_program(program)?;
    }
    let app = app.clone();
    let done = tokio::task::spawn_blocking(move || {
        let program = match draft {
            None => Program::Known(known(&app, &name)?),
            Some(text) => match wire::mapping::Mapping::compile(&name, &version_of(&text), &text) {
                Ok(draft) => Program::Draft(Arc::new(draft)),
                Err(errors) => return Ok(Err(errors.into_iter().map(compile_error).collect())),
            },
        };
        Ok(Ok(work(&app, &name, &program)))
    });
    done.await.map_err(|error| Problem::internal(&error))?
}

fn known(app: &App, name: &str) -> Result<Arc<Compiled>, Problem> {
    let found = app.intake.registry().mapping(name);
    found.ok_or_else(|| Problem::from(RegistryError::UnknownMapping { name: name.to_owned() }))
}

pub fn check_program(program: &str) -> Result<(), Problem> {
    if program.len() > PROGRAM_BYTES_MAX {
        return Err(Problem::invalid("/program", format!("a program may have at most {PROGRAM_BYTES_MAX} bytes")));
    }
    Ok(())
}

pub fn check_samples(samples: &[String]) -> Result<(), Problem> {
    if samples.len() > SAMPLES_MAX || samples.iter().any(|sample| sample.len() > SAMPLE_BYTES_MAX) {
        let limits = format!("at most {SAMPLES_MAX} samples of {SAMPLE_BYTES_MAX} bytes each");
        return Err(Problem::invalid("/samples", limits));
    }
    Ok(())
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

fn compile_error(error: wire::mapping::CompileError) -> CompileError {
    CompileError { line: error.line, column: error.column, message: error.message, help: error.help }
}

fn used_by(registry: &Registry, mapping: &str) -> Vec<String> {
    registry.sources().into_iter().filter(|source| source.mapping == mapping).map(|source| source.name).collect()
}

pub fn mapping(registry: &Registry, compiled: &Compiled) -> Mapping {
    Mapping {
        name: compiled.name.clone(),
        version: compiled.version,
        hash: compiled.mapping.version().to_owned(),
        description: compiled.description.clone(),
        builtin: compiled.builtin,
        shipped: wire::mapping::builtin().iter().any(|shipped| shipped.name == compiled.name),
        used_by: used_by(registry, &compiled.name),
        program: Some(compiled.program.clone()),
        updated_at: compiled.updated_at.map(time_text),
        updated_by: compiled.updated_by.clone(),
    }
}

fn stored_version(stored: mappings::StoredMapping) -> MappingVersion {
    MappingVersion {
        version: u32::try_from(stored.version).unwrap_or(u32::MAX),
        hash: version_of(&stored.program),
        shipped: false,
        program: Some(stored.program),
        created_at: Some(time_text(stored.created_at)),
        created_by: Some(stored.created_by),
    }
}

/// What ships is version 1, and is stored nowhere.
fn shipped_version(name: &str) -> Option<MappingVersion> {
    let shipped = wire::mapping::builtin().iter().find(|shipped| shipped.name == name)?;
    Some(MappingVersion {
        version: 1,
        hash: version_of(shipped.program),
        shipped: true,
        program: Some(shipped.program.to_owned()),
        created_at: None,
        created_by: None,
    })
}
