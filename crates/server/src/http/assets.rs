//! The console. Its files are handed in by the binary; every other address of a browser is a page of it.

use std::borrow::Cow;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::Problem;

/// One file of the console.
pub struct Asset {
    pub bytes: Cow<'static, [u8]>,
    pub mime: String,
    /// A hash of the content, without quotes.
    pub etag: String,
}

/// Finds a file by its path below `web/dist`.
pub type Assets = fn(&str) -> Option<Asset>;

/// What the console may load, and from where: from here, and nothing else. Its styles are set by scripts.
const CONTENT_SECURITY: &str = "default-src 'self'; object-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
     font-src 'self' data:; connect-src 'self'; frame-src 'self'; worker-src 'self'; manifest-src 'self'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const PLACEHOLDER: &str = "<!doctype html><meta charset=utf-8><title>Belfry</title>\
     <p>This binary was built without the console. Build <code>web/</code> first (<code>make web</code>), then the binary. \
     The API is at <a href=/api/openapi.json>/api/openapi.json</a>.";

/// Answers what no route answers.
pub fn serve(assets: Assets, method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
    let path = uri.path();
    let of_api = ["/api/", "/trail/", "/services/"].iter().any(|prefix| path.starts_with(prefix));
    if of_api || !matches!(*method, Method::GET | Method::HEAD) {
        return Problem::not_found(format!("there is no {method} {path}")).into_response();
    }
    let name = path.trim_start_matches('/');
    let file = if name.is_empty() { None } else { assets(name) };
    // A name with a dot is a file that is not there; every other address is a page, which the console draws itself.
    let last = name.rsplit('/').next().unwrap_or(name);
    if file.is_none() && last.contains('.') && name.starts_with("assets/") {
        return Problem::not_found(format!("there is no file {path}")).into_response();
    }
    let is_page = file.is_none();
    let asset = file.or_else(|| assets("index.html")).unwrap_or_else(|| Asset {
        bytes: Cow::Borrowed(PLACEHOLDER.as_bytes()),
        mime: "text/html".to_owned(),
        etag: "none".to_owned(),
    });
    let etag = format!("\"{}\"", asset.etag);
    // Files in assets/ have a hash in their names.
    let cache =
        if !is_page && name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == etag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(match asset.bytes {
            Cow::Borrowed(bytes) => Body::from(Bytes::from_static(bytes)),
            Cow::Owned(bytes) => Body::from(bytes),
        })
    };
    let mime = if asset.mime.starts_with("text/") { format!("{}; charset=utf-8", asset.mime) } else { asset.mime };
    let headers = response.headers_mut();
    for (name, value) in [(header::CONTENT_TYPE, mime.as_str()), (header::ETAG, &etag), (header::CACHE_CONTROL, cache)]
    {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY));
    response
}
