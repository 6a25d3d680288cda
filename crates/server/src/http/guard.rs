//! Stands before every handler: who is it, and may they?

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::dialect::Dialect;
use super::router::Needs;
use super::{Problem, subject};
use crate::access::Error;
use crate::app::App;

/// Lets a request through to its handler when its subject has what the route needs.
pub async fn guard(State((app, needs)): State<(App, Needs)>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path();
    let dialect = Dialect::of(path);
    // What monitors, witnesses and log shippers speak; the console never does.
    let basic = path.starts_with("/trail/") || dialect.takes_basic();
    let found = subject::identify(&app, &parts, basic).await;
    let allowed = match (needs, found) {
        (Needs::Public, Ok(subject)) => Ok(Some(subject)),
        (Needs::Public, Err(error)) if subject::is_unknown(&error) => Ok(None),
        (Needs::SignedIn, Ok(subject)) => Ok(Some(subject)),
        (Needs::Of(privilege), Ok(subject)) => subject.need(privilege).map(|()| Some(subject)),
        (_, Err(error)) => Err(error),
    };
    match allowed {
        Ok(subject) => {
            if let Some(subject) = subject {
                parts.extensions.insert(subject);
            }
            next.run(Request::from_parts(parts, body)).await
        }
        Err(error) if dialect != Dialect::Own => dialect.refuse(error, &parts),
        Err(error) => {
            let unknown = subject::is_unknown(&error);
            let mut response = match error {
                Error::State(source) => Problem::internal(&source).into_response(),
                error => Problem::from(error).into_response(),
            };
            if unknown && basic {
                let realm = HeaderValue::from_static("Basic realm=\"belfry\", charset=\"UTF-8\"");
                response.headers_mut().append(header::WWW_AUTHENTICATE, realm);
            }
            response
        }
    }
}
