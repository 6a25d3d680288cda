//! Around every answer: a request id, a time limit, the headers that keep browsers careful, a line in the log; and
//! faults of ours, panics included, become an event before the client learns of them.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;

use super::Problem;
use super::client::client;
use super::problem::{Fault, REQUEST_ID};
use crate::app::{App, panic_text};
use crate::state;

const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The outermost layer.
pub async fn envelope(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&app, request.headers());
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert(REQUEST_ID_HEADER, value);
    }
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let from = client(request.headers(), request.extensions(), &app.proxies);
    let limit = Duration::from_secs(app.config.limits.request_seconds);
    let large = request.version() <= Version::HTTP_11 && may_be_large(request.headers());

    let mut response = REQUEST_ID
        .scope(id.clone(), async {
            match tokio::time::timeout(limit, AssertUnwindSafe(next.run(request)).catch_unwind()).await {
                Ok(Ok(response)) => response,
                Ok(Err(panic)) => {
                    let error = std::io::Error::other(panic_text(panic.as_ref()));
                    Problem::internal(&error).into_response()
                }
                Err(_) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", "The answer took too long")
                    .detail(format!("it was given up after {} s", limit.as_secs()))
                    .into_response(),
            }
        })
        .await;

    if let Some(Fault(what)) = response.extensions_mut().remove::<Fault>() {
        app.exception_request(method.as_str(), &path, &id, &what, &from).await;
    }
    let status = response.status();
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let address = from.address.map(|address| address.to_string()).unwrap_or_default();
    tracing::debug!(
        request.id = %id, http.method = %method, url.path = %path, http.status = status.as_u16(), took_ms, source.ip = %address,
        "{method} {path} {} in {took_ms} ms", status.as_u16()
    );
    let labels = [("method", method.as_str()), ("status", status.as_str())];
    app.metrics.add("belfry_http_requests_total", "Requests answered.", &labels, 1.0);
    app.metrics.add(
        "belfry_http_request_seconds_total",
        "Time until answers began.",
        &[],
        started.elapsed().as_secs_f64(),
    );
    careful(&app, response.headers_mut());
    // What is refused before its body was read ends the connection; who is not told would send the next request into it.
    let unread = [
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED,
        StatusCode::PAYLOAD_TOO_LARGE,
    ];
    if large && unread.contains(&status) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID_HEADER, value);
    }
    response
}

/// Whether a body comes that is not simply read to its end after an answer: a long one, or one of unknown length.
fn may_be_large(headers: &HeaderMap) -> bool {
    const READ_ANYHOW: u64 = 64 << 10;
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    length.map_or(headers.contains_key(header::TRANSFER_ENCODING), |length| length > READ_ANYHOW)
}

/// The id a proxy gave the request, when it is one; else a new one.
fn request_id(app: &App, headers: &HeaderMap) -> String {
    headers
        .get(REQUEST_ID_HEADER)
        .and_then(|value| value.to_str().ok())
        .filter(|id| {
            (1..=64).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        })
        .map_or_else(|| state::new_id(app.clock.now()), str::to_owned)
}

fn careful(app: &App, headers: &mut HeaderMap) {
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "same-origin");
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(header::CACHE_CONTROL, "no-store");
    if app.config.is_https() {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}
