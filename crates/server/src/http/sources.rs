//! Sources.

use api::Page;
use api::sources::{Source, SourceInput};
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;

use super::health::health;
use super::router::{Route, table};
use super::{Json, Path, Problem};
use crate::access::Subject;
use crate::app::App;
use crate::changes::Entity;
use crate::ingest::RegistryError;
use crate::state::{self, set_aside, sources};

/// Open gaps that the list of sources looks at.
const OPEN_GAPS_MAX: i64 = 2_000;

pub fn routes() -> Vec<Route> {
    table! {
        GET    "/api/v1/sources"        SourcesRead   sources_list;
        POST   "/api/v1/sources"        SourcesWrite  sources_create;
        PUT    "/api/v1/sources/{name}" SourcesWrite  sources_update;
        DELETE "/api/v1/sources/{name}" SourcesWrite  sources_delete;
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
