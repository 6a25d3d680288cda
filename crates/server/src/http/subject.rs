//! From a request to its subject.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Problem;
use super::client::client;
use crate::access::{self, Client, Error, Subject, identify};
use crate::app::App;

pub const COOKIE: &str = "belfry_session";

/// What a request shows to say who it is.
#[derive(PartialEq, Eq)]
pub enum Shown {
    Nothing,
    Token(String),
    Cookie(String),
}

/// Reads what a request shows. A token wins over a cookie. `Splunk …` is how HEC clients write a token; where basic
/// authentication is accepted, its password is the token and the name is ignored, and so is the key of `ApiKey …`.
pub fn shown(headers: &HeaderMap, basic: bool) -> Shown {
    if let Some(value) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) {
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        let token = match scheme.to_ascii_lowercase().as_str() {
            "bearer" | "splunk" => Some(rest.trim().to_owned()),
            "apikey" if basic => Some(api_key(rest.trim())),
            "basic" if basic => STANDARD
                .decode(rest.trim())
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .and_then(|pair| pair.split_once(':').map(|(_, password)| password.to_owned())),
            _ => None,
        };
        // Something was shown, and it is nothing we know: that is not the same as nothing.
        return Shown::Token(token.unwrap_or_default());
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookie = cookies.flat_map(|line| line.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then(|| value.to_owned())
    });
    cookie.map_or(Shown::Nothing, Shown::Cookie)
}

/// An API key as Elasticsearch's clients send it: Base64 of `id:key`, where the key is the token; or the token alone.
fn api_key(text: &str) -> String {
    let pair = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let key = pair.as_deref().and_then(|pair| pair.split_once(':')).map_or(text, |(_, key)| key);
    key.to_owned()
}

/// The subject of a request.
pub async fn identify(app: &App, parts: &Parts, basic: bool) -> Result<Subject, Error> {
    let client = client(&parts.headers, &parts.extensions, &app.proxies);
    let subject = match shown(&parts.headers, basic) {
        Shown::Nothing => return Err(Error::Unauthenticated),
        Shown::Token(token) => identify::by_token(app, &token, &client).await?,
        Shown::Cookie(cookie) => {
            refuse_other_sites(app, &parts.method, &parts.headers)?;
            identify::by_session(app, &cookie).await?
        }
    };
    Ok(subject.from_client(&client))
}

/// A browser sends the cookie along with whatever a page of another site makes it send. What changes something must
/// therefore come from our own pages. Programs that are no browsers send neither header, and no cookie by themselves.
pub fn refuse_other_sites(app: &App, method: &Method, headers: &HeaderMap) -> Result<(), Error> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    const REFUSED: Error = Error::NotAllowed("this request comes from another site");
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text("sec-fetch-site") {
        return if matches!(site, "same-origin" | "none") { Ok(()) } else { Err(REFUSED) };
    }
    let Some(origin) = text("origin") else { return Ok(()) };
    let own = app.config.public_url();
    let of_host = origin.split_once("://").map(|(_, host)| host);
    if origin == own || (of_host.is_some() && of_host == text("host")) { Ok(()) } else { Err(REFUSED) }
}

/// The guard of the route has put the subject there.
impl<S: Sync> FromRequestParts<S> for Subject {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Error::Unauthenticated.into())
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Subject {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Problem> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// Where the request comes from; for public routes that record it.
impl FromRequestParts<App> for Client {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(client(&parts.headers, &parts.extensions, &app.proxies))
    }
}

/// Whether an error means that it is not known who asks.
pub fn is_unknown(error: &access::Error) -> bool {
    matches!(error, Error::Unauthenticated | Error::SessionEnded | Error::TokenInvalid)
}
