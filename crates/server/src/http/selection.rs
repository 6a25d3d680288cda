//! What is left out before it reaches the trail.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use api::Page;
use api::selection::{
    LeftOut, SelectionDetail, SelectionInput, SelectionPreview, SelectionPreviewRequest, SelectionRule, TypeCount,
};
use axum::extract::State;
use axum::http::StatusCode;
use event::Filter;
use event::filter::Test;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::router::{Route, table};
use super::{Json, Path, Problem};
use crate::access::Subject;
use crate::app::App;
use crate::append::OWN_SOURCE;
use crate::changes::Entity;
use crate::ingest::health::NO_SOURCE;
use crate::ingest::selection::{RULES_MAX, SelectionError, check, filter_of};
use crate::search::look;
use crate::state;
use crate::state::selection::Rule;

const HOUR_MS: i64 = 3_600_000;
const COUNTS_MAX: i64 = 1_000;
const DAYS_MAX: u32 = 90;
const TYPES_MAX: usize = 100;
const PREVIEW_MAX: Duration = Duration::from_secs(8);

pub fn routes() -> Vec<Route> {
    table! {
        GET    "/api/v1/selection"         SourcesRead    selection_list;
        POST   "/api/v1/selection"         SelectionWrite selection_create;
        GET    "/api/v1/selection/{id}"    SourcesRead    selection_get;
        PUT    "/api/v1/selection/{id}"    SelectionWrite selection_update;
        DELETE "/api/v1/selection/{id}"    SelectionWrite selection_delete;
        POST   "/api/v1/selection/preview" EventsRead     selection_preview;
    }
}

/// All rules that leave events out.
#[utoipa::path(get, path = "/api/v1/selection", tag = "selection", responses((status = 200, body = Page<SelectionRule>)))]
pub async fn selection_list(State(app): State<App>) -> Result<Json<Page<SelectionRule>>, Problem> {
    let today = today(&app).await?;
    let rules = state::selection::all(&app.state).await?;
    Ok(Json(Page::whole(rules.into_iter().map(|rule| shown(rule, &today)).collect())))
}

/// Leave events of one source, type or filter out from now on.
#[utoipa::path(post, path = "/api/v1/selection", tag = "selection", responses((status = 201, body = SelectionRule)))]
pub async fn selection_create(
    State(app): State<App>,
    subject: Subject,
    Json(input): Json<SelectionInput>,
) -> Result<(StatusCode, Json<SelectionRule>), Problem> {
    let now = app.clock.now();
    check(&input, now)?;
    known(&app, &input.source)?;
    if state::selection::all(&app.state).await?.len() >= RULES_MAX {
        return Err(SelectionError::TooMany.into());
    }
    let at = now.as_millisecond();
    let by = subject.user_name().to_owned();
    let rule = Rule {
        id: state::new_id(now),
        source: input.source.clone(),
        action: input.action.clone(),
        filter: input.filter.clone(),
        reason: input.reason.trim().to_owned(),
        enabled: input.enabled,
        created_at: at,
        created_by: by.clone(),
        updated_at: at,
        updated_by: by,
        left_out: 0,
    };
    let mut transaction = state::begin_write(&app.state).await?;
    state::selection::put(&mut transaction, &rule).await?;
    app.record(Some(&subject), why(entity(&rule).created(&facts(&rule), &[]), &rule)).await?;
    transaction.commit().await?;
    app.intake.selection().reload().await?;
    Ok((StatusCode::CREATED, Json(shown(rule, &HashMap::new()))))
}

/// A rule, and what it left out.
#[utoipa::path(get, path = "/api/v1/selection/{id}", tag = "selection", params(("id" = String, Path)), responses((status = 200, body = SelectionDetail)))]
pub async fn selection_get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<SelectionDetail>, Problem> {
    let mut connection = app.state.acquire().await?;
    let rule = find(&mut connection, &id).await?;
    drop(connection);
    let counts = state::selection::counts(&app.state, &id, COUNTS_MAX).await?;
    let today = today(&app).await?;
    Ok(Json(SelectionDetail {
        rule: shown(rule, &today),
        counts: counts
            .into_iter()
            .map(|counted| LeftOut {
                hour: state::time_text(counted.hour * HOUR_MS),
                source: counted.source,
                action: counted.action,
                events: counted.events.cast_unsigned(),
            })
            .collect(),
    }))
}

/// Change a rule. What it left out so far is recorded before.
#[utoipa::path(put, path = "/api/v1/selection/{id}", tag = "selection", params(("id" = String, Path)), responses((status = 200, body = SelectionRule)))]
pub async fn selection_update(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
    Json(input): Json<SelectionInput>,
) -> Result<Json<SelectionRule>, Problem> {
    let now = app.clock.now();
    check(&input, now)?;
    app.intake.selection().settle(Some(&id)).await?;
    let mut transaction = state::begin_write(&app.state).await?;
    let old = find(&mut transaction, &id).await?;
    // A source that the rule names already may have gone, or not be heard of again since the server came up.
    if input.source != old.source {
        known(&app, &input.source)?;
    }
    let rule = Rule {
        source: input.source.clone(),
        action: input.action.clone(),
        filter: input.filter.clone(),
        reason: input.reason.trim().to_owned(),
        enabled: input.enabled,
        updated_at: now.as_millisecond(),
        updated_by: subject.user_name().to_owned(),
        ..old.clone()
    };
    if let Some(event) = entity(&rule).updated(&facts(&old), &facts(&rule), &[]) {
        state::selection::put(&mut transaction, &rule).await?;
        app.record(Some(&subject), why(event, &rule)).await?;
        transaction.commit().await?;
        app.intake.selection().reload().await?;
    } else {
        drop(transaction);
    }
    let today = today(&app).await?;
    Ok(Json(shown(rule, &today)))
}

/// Remove a rule: all it left out is kept from now on.
#[utoipa::path(delete, path = "/api/v1/selection/{id}", tag = "selection", params(("id" = String, Path)), responses((status = 204)))]
pub async fn selection_delete(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.intake.selection().settle(Some(&id)).await?;
    let mut transaction = state::begin_write(&app.state).await?;
    let rule = find(&mut transaction, &id).await?;
    state::selection::remove(&mut transaction, &id).await?;
    app.record(Some(&subject), why(entity(&rule).removed(&facts(&rule), &[]), &rule)).await?;
    transaction.commit().await?;
    app.intake.selection().reload().await?;
    // What came between the two: the rule was in force until now.
    app.intake.selection().settle(Some(&id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How many events of the last days a rule would have left out, by type. Changes nothing.
#[utoipa::path(post, path = "/api/v1/selection/preview", tag = "selection", responses((status = 200, body = SelectionPreview)))]
pub async fn selection_preview(
    State(app): State<App>,
    subject: Subject,
    Json(request): Json<SelectionPreviewRequest>,
) -> Result<Json<SelectionPreview>, Problem> {
    if !(1..=DAYS_MAX).contains(&request.days) {
        return Err(Problem::invalid("/days", format!("1 to {DAYS_MAX}")));
    }
    let now = app.clock.now();
    let wanted = filter_of(&request.source, &request.action, &request.filter, now)?;
    let all = match request.source.as_str() {
        "*" => Filter::Not(Box::new(Filter::equals("event.module", OWN_SOURCE))),
        NO_SOURCE => Filter::Not(Box::new(Filter::field("event.module", Test::Exists))),
        name => Filter::equals("event.module", name),
    };
    let from = now - SignedDuration::from_hours(24 * i64::from(request.days));
    let visibility = subject.visibility();
    let size = app.door.trail().size();
    let budget = store::Budget { deadline: Some(Instant::now() + PREVIEW_MAX), cancel: None };
    let (summary, of) = look(&app, move |store| {
        let query = |filter| {
            store::Query::new(filter, now).between(from, None).visible(Some(&visibility)).within(budget.clone())
        };
        let summary = store.count_by(&query(&wanted), &store::By::fields(&["event.action"], TYPES_MAX), size)?;
        Ok((summary, store.count(&query(&all), size)?))
    })
    .await?;
    Ok(Json(SelectionPreview {
        events: summary.total,
        of: of.count.max(summary.total),
        by_type: summary
            .rows
            .into_iter()
            .map(|row| {
                let action = row.keys.into_iter().next().unwrap_or_default();
                TypeCount { title: app.catalogue.title(&action).into_owned(), action, events: row.count }
            })
            .collect(),
        truncated: summary.stopped.is_some() || summary.approximate || of.stopped.is_some(),
    }))
}

/// Rule and what it left out in the last 24 hours.
async fn today(app: &App) -> Result<HashMap<String, u64>, Problem> {
    let hour = app.clock.now().as_millisecond().div_euclid(HOUR_MS) - 23;
    let sums = state::selection::sums(&app.state, hour).await?;
    Ok(sums.into_iter().map(|(rule, events)| (rule, events.cast_unsigned())).collect())
}

async fn find(connection: &mut sqlx::SqliteConnection, id: &str) -> Result<Rule, Problem> {
    let found = state::selection::find(connection, id).await?;
    found.ok_or_else(|| SelectionError::NotFound { id: id.to_owned() }.into())
}

/// A rule for a source that does not exist would look as if it did something.
fn known(app: &App, source: &str) -> Result<(), Problem> {
    let exists = source == "*"
        || source == NO_SOURCE
        || app.intake.registry().source(source).is_some()
        || app.health.facts(source).is_some();
    if exists { Ok(()) } else { Err(Problem::invalid("/source", format!("there is no source {source}"))) }
}

fn entity(rule: &Rule) -> Entity<'_> {
    Entity { kind: "selection rule", id: &rule.id, name: &rule.source }
}

/// The reason of the rule goes where reasons are looked for.
fn why(mut event: Value, rule: &Rule) -> Value {
    event["event"]["reason"] = json!(rule.reason);
    event
}

fn facts(rule: &Rule) -> Value {
    json!({
        "source": rule.source, "action": rule.action, "filter": rule.filter, "reason": rule.reason, "enabled": rule.enabled,
    })
}

fn shown(rule: Rule, today: &HashMap<String, u64>) -> SelectionRule {
    SelectionRule {
        left_out_day: today.get(&rule.id).copied().unwrap_or(0),
        left_out_total: rule.left_out.cast_unsigned(),
        id: rule.id,
        source: rule.source,
        action: rule.action,
        filter: rule.filter,
        reason: rule.reason,
        enabled: rule.enabled,
        created_at: state::time_text(rule.created_at),
        created_by: rule.created_by,
        updated_at: state::time_text(rule.updated_at),
        updated_by: rule.updated_by,
    }
}
