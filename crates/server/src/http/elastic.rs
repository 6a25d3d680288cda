//! What the clients of Elasticsearch ask before and beside `_bulk`: who are you, are you licensed, is my template there?
//!
//! Belfry keeps no index as they know it. It answers so that a shipper, configured for Elasticsearch, goes on to send:
//! templates and policies are there already, whatever their names, and the cluster is well.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::router::Route;
use super::{Json, Needs, bulk};
use crate::app::App;

/// Where a client can be pointed to when the root of the server is to stay the console's alone.
pub const PREFIX: &str = "/elastic";
const SEND: Needs = Needs::Of(api::access::Privilege::EventsWrite);
/// Clients go no further without it.
pub const PRODUCT: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-elastic-product"), HeaderValue::from_static("Elasticsearch"));

pub fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    for method in [Method::POST, Method::PUT] {
        for path in ["/_bulk", "/{index}/_bulk", "/elastic/_bulk", "/elastic/{index}/_bulk"] {
            routes.push(Route::foreign(method.clone(), path, SEND, bulk::bulk));
        }
    }
    for path in ["/elastic", "/elastic/"] {
        routes.push(Route::foreign(Method::GET, path, SEND, root));
    }
    for path in [
        "/_license",
        "/_xpack",
        "/_cluster/health",
        "/_nodes",
        "/_nodes/http",
        "/elastic/_license",
        "/elastic/_xpack",
        "/elastic/_cluster/health",
        "/elastic/_nodes",
        "/elastic/_nodes/http",
    ] {
        routes.push(Route::foreign(Method::GET, path, SEND, about));
    }
    for path in [
        "/_ilm/policy/{name}",
        "/_index_template/{name}",
        "/_component_template/{name}",
        "/_template/{name}",
        "/_data_stream/{name}",
        "/_ingest/pipeline/{name}",
        "/_alias/{name}",
        "/elastic/_ilm/policy/{name}",
        "/elastic/_index_template/{name}",
        "/elastic/_component_template/{name}",
        "/elastic/_template/{name}",
        "/elastic/_data_stream/{name}",
        "/elastic/_ingest/pipeline/{name}",
        "/elastic/_alias/{name}",
    ] {
        routes.push(Route::foreign(Method::GET, path, SEND, there_already));
        routes.push(Route::foreign(Method::PUT, path, SEND, acknowledged));
    }
    routes
}

/// Whether a path is one of these.
pub fn is_path(path: &str) -> bool {
    path == PREFIX
        || path.starts_with("/elastic/")
        || path.starts_with("/_")
        || path.strip_prefix('/').and_then(|rest| rest.strip_suffix("/_bulk")).is_some_and(|index| !index.contains('/'))
}

/// Whether a request for `/` comes from a client of Elasticsearch and not from a browser, which asks for HTML.
pub fn asks_for_root(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    uri.path() == "/"
        && matches!(*method, Method::GET | Method::HEAD)
        && !text(header::ACCEPT).contains("text/html")
        && (text(header::ACCEPT).contains("json") || headers.contains_key(header::AUTHORIZATION))
}

/// `GET /`: a name and a version.
pub async fn root(State(app): State<App>) -> Response {
    greeting(&app)
}

pub fn greeting(app: &App) -> Response {
    let version = &app.config.elasticsearch.version;
    let major = version.split('.').next().and_then(|text| text.parse::<u32>().ok()).unwrap_or(8);
    said(json!({
        "name": "belfry",
        "cluster_name": "belfry",
        "cluster_uuid": app.organization,
        "version": {
            "number": version,
            "build_flavor": "default",
            "build_type": "docker",
            "build_hash": "belfry",
            "build_date": "2026-01-01T00:00:00Z",
            "build_snapshot": false,
            "lucene_version": "10.0.0",
            "minimum_wire_compatibility_version": format!("{}.0.0", major.saturating_sub(1)),
            "minimum_index_compatibility_version": format!("{}.0.0", major.saturating_sub(1)),
        },
        "tagline": "You Know, for Search",
    }))
}

async fn about(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().strip_prefix(PREFIX).unwrap_or(uri.path());
    let license = json!({ "status": "active", "uid": "belfry", "type": "basic", "mode": "basic" });
    said(match path {
        "/_license" => json!({ "license": license }),
        "/_xpack" => json!({
            "build": { "hash": "belfry", "date": "2026-01-01T00:00:00Z" },
            "license": license,
            "features": { "ilm": { "available": true, "enabled": true }, "security": { "available": true, "enabled": true } },
            "tagline": "You know, for X",
        }),
        "/_cluster/health" => json!({
            "cluster_name": "belfry", "status": "green", "timed_out": false, "number_of_nodes": 1, "number_of_data_nodes": 1,
            "active_primary_shards": 1, "active_shards": 1, "relocating_shards": 0, "initializing_shards": 0,
            "unassigned_shards": 0, "number_of_pending_tasks": 0, "active_shards_percent_as_number": 100.0,
        }),
        _ => {
            // A client that looks for more nodes finds the address it used.
            let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or("localhost");
            json!({
                "_nodes": { "total": 1, "successful": 1, "failed": 0 },
                "cluster_name": "belfry",
                "nodes": { "belfry": {
                    "name": "belfry", "version": app.config.elasticsearch.version, "roles": ["data", "ingest", "master"],
                    "http": { "bound_address": [host], "publish_address": host },
                } },
            })
        }
    })
}

async fn there_already(uri: Uri) -> Response {
    let name = uri.path().rsplit('/').next().unwrap_or_default();
    let path = uri.path().strip_prefix(PREFIX).unwrap_or(uri.path());
    let list = |member: &str, inner: &str| json!({ member: [{ "name": name, inner: {} }] });
    said(if path.starts_with("/_index_template") {
        list("index_templates", "index_template")
    } else if path.starts_with("/_component_template") {
        list("component_templates", "component_template")
    } else if path.starts_with("/_data_stream") {
        list("data_streams", "_meta")
    } else {
        json!({ name: {} })
    })
}

async fn acknowledged() -> Response {
    said(json!({ "acknowledged": true }))
}

fn said(body: Value) -> Response {
    ([PRODUCT], Json(body)).into_response()
}

/// A problem in the words of Elasticsearch.
pub fn problem(status: StatusCode, text: &str) -> Response {
    let kind = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "security_exception",
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "es_rejected_execution_exception",
        StatusCode::NOT_FOUND => "index_not_found_exception",
        _ => "illegal_argument_exception",
    };
    let cause = json!({ "type": kind, "reason": text });
    let body = json!({ "error": { "root_cause": [cause], "type": kind, "reason": text }, "status": status.as_u16() });
    let mut response = (status, [PRODUCT], Json(body)).into_response();
    if status == StatusCode::UNAUTHORIZED {
        for scheme in ["Basic realm=\"belfry\", charset=\"UTF-8\"", "ApiKey", "Bearer realm=\"belfry\""] {
            response.headers_mut().append(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_keep_the_root() {
        let asks = |accept: &'static str, token: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            if token {
                headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic eA=="));
            }
            asks_for_root(&Method::GET, &Uri::from_static("/"), &headers)
        };
        assert!(!asks("text/html,application/xhtml+xml,*/*;q=0.8", true));
        assert!(!asks("*/*", false));
        assert!(asks("application/vnd.elasticsearch+json; compatible-with=9", false));
        assert!(asks("*/*", true));
        assert!(is_path("/logs-x/_bulk") && is_path("/_license") && is_path("/elastic") && !is_path("/events"));
        assert!(!is_path("/api/v1/_bulk") && !is_path("/elastics"));
    }
}
