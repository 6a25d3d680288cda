//! Health, metrics, and the description of all this.

use std::sync::LazyLock;

use api::system::Readiness;
use api::trail::SelfCheckState;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::router::{self, Route, table};
use super::{Json, health};
use crate::app::App;
use crate::metrics::Gauges;
use crate::state;

pub fn routes() -> Vec<Route> {
    table! {
        GET "/healthz"          Public     healthz;
        GET "/readyz"           Public     readyz;
        GET "/metrics"          TrailRead  metrics;
        GET "/api/openapi.json" Public     openapi_json;
    }
}

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "system", responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the server can do its work; 503 says what is missing.
#[utoipa::path(get, path = "/readyz", tag = "system", responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
pub async fn readyz(State(app): State<App>) -> Response {
    let mut reasons = Vec::new();
    if app.stop.is_cancelled() {
        reasons.push("the server is going down".to_owned());
    }
    if app.trail().stopped().is_some() {
        reasons.push("the trail takes nothing any more".to_owned());
    }
    let alive = match app.state.acquire().await {
        Ok(mut connection) => state::alive(&mut connection).await,
        Err(_) => false,
    };
    if !alive {
        reasons.push("the state does not answer".to_owned());
    }
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, version: env!("CARGO_PKG_VERSION").to_owned(), reasons })).into_response()
}

/// Counters and gauges, as Prometheus reads them.
#[utoipa::path(get, path = "/metrics", tag = "system", responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn metrics(State(app): State<App>) -> Response {
    let trail = app.trail();
    let deliveries = state::deliveries::counts(&app.state).await.unwrap_or_default();
    let in_state =
        |name: &str| deliveries.iter().find(|(state, _)| state == name).map_or(0, |(_, count)| *count) as f64;
    let (set_aside, _) = state::set_aside::waiting(&app.state).await.unwrap_or_default();
    let gauges = [
        ("belfry_trail_events", "Events in the trail.", trail.size() as f64),
        ("belfry_trail_sealed_events", "Events the newest checkpoint covers.", trail.checkpoint().size as f64),
        (
            "belfry_trail_stopped",
            "1 when the trail takes nothing any more.",
            f64::from(u8::from(trail.stopped().is_some())),
        ),
        (
            "belfry_trail_check_ok",
            "1 when the last check of the whole trail found it as it was signed.",
            f64::from(u8::from(app.self_checks.last().state == SelfCheckState::Ok)),
        ),
        (
            "belfry_trail_check_running",
            "1 while the whole trail is being checked.",
            f64::from(u8::from(app.self_checks.now().state == SelfCheckState::Running)),
        ),
        ("belfry_trail_checked_events", "Events the last check found right.", app.self_checks.last().size as f64),
        ("belfry_trail_checked_at_seconds", "When the last check ended.", app.self_checks.ended_at_seconds() as f64),
        (
            "belfry_trail_cosigned_events",
            "Events of the newest checkpoint that witnesses have cosigned.",
            trail.cosigned().map_or(0, |cosigned| cosigned.size) as f64,
        ),
        ("belfry_witnesses_missing", "Witnesses that are lost or contradict.", app.witnesses.missing() as f64),
        ("belfry_index_events", "Events in the search index.", app.indexed_to() as f64),
        ("belfry_deliveries_waiting", "Notifications that wait to be sent.", in_state("waiting")),
        ("belfry_deliveries_failed", "Notifications that could not be delivered.", in_state("failed")),
        ("belfry_set_aside_records", "Records that could not be understood and wait for somebody.", set_aside as f64),
        ("belfry_process_resident_bytes", "Memory the process holds.", resident_bytes() as f64),
    ];
    let mut by_source = Gauges::default();
    health::gauges(&app, &mut by_source);
    let text = app.metrics.render(&gauges) + &by_source.render();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// The description of this API.
#[utoipa::path(get, path = "/api/openapi.json", tag = "system", responses((status = 200, body = serde_json::Value)))]
pub async fn openapi_json() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(|| router::description().to_pretty_json().unwrap_or_default());
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

fn resident_bytes() -> u64 {
    // The second number of statm counts pages; all systems that have the file use pages of 4 KiB for it here.
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}
