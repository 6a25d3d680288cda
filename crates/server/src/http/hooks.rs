//! Webhooks that come in: the endpoints others post to, and how administrators make them.

use api::Page;
use api::hooks::{Hook, HookInput, HookMade, HookRotation, HookScheme, HookSettings};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use wire::json_text;

use super::body::{self, Content};
use super::router::{Route, table};
use super::{Json, Path, Problem};
use crate::access::{Client, Subject};
use crate::app::App;
use crate::append;
use crate::changes::Entity;
use crate::ingest::hooks::Hook as Known;
use crate::ingest::{HookError, IntakeError, Records, Sender};
use crate::state::hooks::StoredHook;

/// Bytes of a webhook. An event has 65,535 at most; what is larger is set aside up to this size.
const BODY_BYTES_MAX: usize = 1 << 20;
const CHALLENGE_BYTES_MAX: usize = 1_000;
const TITLE_CHARS_MAX: usize = 200;

pub fn routes() -> Vec<Route> {
    table! {
        POST   "/hooks/{name}"                Public        hook_take;
        GET    "/hooks/{name}"                Public        hook_verification;
        GET    "/api/v1/hooks"                SourcesRead   hooks_list;
        POST   "/api/v1/hooks"                SourcesWrite  hooks_create;
        PUT    "/api/v1/hooks/{name}"         SourcesWrite  hooks_update;
        DELETE "/api/v1/hooks/{name}"         SourcesWrite  hooks_delete;
        POST   "/api/v1/hooks/{name}/rotate"  SourcesWrite  hooks_rotate;
    }
}

/// Takes a webhook, when it shows that its sender knows the secret.
///
/// 200 says that it is on disk, or set aside with its reason; there is nothing to repeat then. Slack's
/// `url_verification` is answered with its challenge.
#[utoipa::path(post, path = "/hooks/{name}", tag = "hooks", params(("name" = String, Path)), request_body(content = String, content_type = "application/json"),
    responses((status = 200), (status = 401, description = "the signature is missing or wrong, or too old"), (status = 404)))]
pub async fn hook_take(
    State(app): State<App>,
    client: Client,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let hook = enabled(&app, &name)?;
    let encoding = body::encoding_of(&headers)?;
    let packed = body::read_packed(&app, &headers, body, BODY_BYTES_MAX).await?;
    // The signature is one of the bytes that were sent.
    let id = hook.verify(&headers, &packed.bytes, app.clock.now(), client.address)?;
    let content = body::unpacked(&app, encoding, packed).await?;
    let slack = if hook.settings.scheme == HookScheme::Slack { Slack::read(&content.bytes) } else { Slack::default() };
    if let Some(challenge) = slack.challenge {
        hook.counts.accept(app.clock.now());
        return Ok(Json(json!({ "challenge": challenge })));
    }
    let key = id.or(slack.event_id).map(|id| format!("hook {name} {id}"));
    let record = record_of(&hook, &headers, content);
    let sender = Sender {
        source: Some(hook.stored.source.clone()),
        provider: hook.stored.name.clone(),
        peer: client.address,
        ..Sender::default()
    };
    let again = key.is_some().then(|| record.clone());
    let taken = app.intake.take(sender.clone(), Records::Body(record), key.as_deref()).await;
    let receipt = match (taken, again) {
        // Another request under a name that was used before: no repetition, so it is kept.
        (Err(IntakeError::Append(append::Error::KeyReused { .. })), Some(record)) => {
            app.intake.take(sender, Records::Body(record), None).await?
        }
        (taken, _) => taken?,
    };
    hook.counts.accept(app.clock.now());
    // Nothing more: what a mapping thinks of it is not for those outside.
    let set_aside = receipt.rejected.len() as u64 + receipt.rejected_more;
    Ok(Json(json!({ "accepted": receipt.accepted, "set_aside": set_aside })))
}

/// Answers Okta's question whether this endpoint is meant.
#[utoipa::path(get, path = "/hooks/{name}", tag = "hooks", params(("name" = String, Path)), responses((status = 200), (status = 404)))]
pub async fn hook_verification(
    State(app): State<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let hook = enabled(&app, &name)?;
    let challenge = headers.get("x-okta-verification-challenge").and_then(|value| value.to_str().ok());
    match challenge {
        Some(challenge) if hook.settings.scheme == HookScheme::Okta && challenge.len() <= CHALLENGE_BYTES_MAX => {
            Ok(Json(json!({ "verification": challenge })))
        }
        _ => Err(Problem::bad_request("events are posted here; only Okta's verification asks by GET")),
    }
}

/// All hooks, with what came by them.
#[utoipa::path(get, path = "/api/v1/hooks", tag = "hooks", responses((status = 200, body = Page<Hook>)))]
pub async fn hooks_list(State(app): State<App>) -> Json<Page<Hook>> {
    Json(Page::whole(app.hooks.all().iter().map(|hook| shown(&app, hook)).collect()))
}

/// Make a hook. Its secret is in this answer and in no other.
#[utoipa::path(post, path = "/api/v1/hooks", tag = "hooks", responses((status = 201, body = HookMade)))]
pub async fn hooks_create(
    State(app): State<App>,
    subject: Subject,
    Json(input): Json<HookInput>,
) -> Result<(StatusCode, Json<HookMade>), Problem> {
    check(&app, &input)?;
    let stored = StoredHook {
        name: input.name.clone(),
        title: input.title.clone(),
        source: input.source.clone(),
        settings: json!(input.settings).to_string(),
        secret: Vec::new(),
        previous: None,
        previous_until: None,
        enabled: input.enabled,
        created_at: app.clock.now().as_millisecond(),
    };
    let mut event = entity(&input.name).created(&json!(HookInput { secret: None, ..input.clone() }), &[]);
    subject.stamp(&mut event);
    let secret = app.hooks.add(stored, &input.settings, input.secret, event).await?;
    let hook = known(&app, &input.name)?;
    Ok((StatusCode::CREATED, Json(HookMade { hook: shown(&app, &hook), secret })))
}

/// Change a hook. Its secret stays; a new one comes by `rotate`.
#[utoipa::path(put, path = "/api/v1/hooks/{name}", tag = "hooks", params(("name" = String, Path)), responses((status = 200, body = Hook)))]
pub async fn hooks_update(
    State(app): State<App>,
    subject: Subject,
    Path(name): Path<String>,
    Json(input): Json<HookInput>,
) -> Result<Json<Hook>, Problem> {
    let hook = known(&app, &name)?;
    let input = HookInput { name: name.clone(), ..input };
    check(&app, &input)?;
    if input.secret.is_some() {
        return Err(Problem::invalid("/secret", "a hook gets a new secret by its rotation"));
    }
    if (input.settings.scheme == HookScheme::Standard) != (hook.settings.scheme == HookScheme::Standard) {
        let reason = "the secrets of this scheme are of another kind: make a new hook";
        return Err(Problem::invalid("/settings/scheme", reason));
    }
    let old = input_of(&hook);
    let stored = StoredHook {
        title: input.title.clone(),
        source: input.source.clone(),
        settings: json!(input.settings).to_string(),
        enabled: input.enabled,
        ..hook.stored.clone()
    };
    let event = entity(&name).updated(&json!(old), &json!(input), &[]).map(|mut event| {
        subject.stamp(&mut event);
        event
    });
    app.hooks.update(stored, event).await?;
    Ok(Json(shown(&app, &*known(&app, &name)?)))
}

/// Remove a hook. Its events stay.
#[utoipa::path(delete, path = "/api/v1/hooks/{name}", tag = "hooks", params(("name" = String, Path)), responses((status = 204)))]
pub async fn hooks_delete(
    State(app): State<App>,
    subject: Subject,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let hook = known(&app, &name)?;
    let mut event = entity(&name).removed(&json!(input_of(&hook)), &[]);
    subject.stamp(&mut event);
    app.hooks.remove(&name, event).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a hook a new secret, shown this once. The one before is good for a while.
#[utoipa::path(post, path = "/api/v1/hooks/{name}/rotate", tag = "hooks", params(("name" = String, Path)), responses((status = 200, body = HookMade)))]
pub async fn hooks_rotate(
    State(app): State<App>,
    subject: Subject,
    Path(name): Path<String>,
    Json(rotation): Json<HookRotation>,
) -> Result<Json<HookMade>, Problem> {
    let hidden = |text: &str| json!({ "secret": text });
    let event = entity(&name).updated(&hidden("previous"), &hidden("new"), &["secret"]);
    let mut event = event.unwrap_or_default();
    subject.stamp(&mut event);
    let secret = app.hooks.rotate(&name, rotation, event).await?;
    let hook = known(&app, &name)?;
    Ok(Json(HookMade { hook: shown(&app, &hook), secret }))
}

/// What of a request of Slack is for us and not for a mapping.
#[derive(Default, Deserialize)]
struct Slack {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    challenge: Option<String>,
    /// The same over retries.
    #[serde(default)]
    event_id: Option<String>,
}

impl Slack {
    fn read(body: &[u8]) -> Self {
        let mut read: Self = serde_json::from_slice(body).unwrap_or_default();
        if read.kind.as_deref() != Some("url_verification") {
            read.challenge = None;
        }
        read.challenge = read.challenge.filter(|challenge| challenge.len() <= CHALLENGE_BYTES_MAX);
        read
    }
}

/// The record of a request: its body as it came. Where headers belong to it, the body stands in a collector envelope,
/// its bytes unchanged, with the headers as the envelope's fields.
fn record_of(hook: &Known, headers: &HeaderMap, content: Content) -> Vec<u8> {
    let mut fields = Vec::new();
    for name in hook.kept_headers() {
        // A header that came twice is a trick; one member of a name is enough.
        if let Some(value) = headers.get(name).map(HeaderValue::as_bytes) {
            fields.push(if fields.is_empty() { b'{' } else { b',' });
            json_text::string(&mut fields, name.to_ascii_lowercase().as_bytes());
            fields.push(b':');
            json_text::string(&mut fields, value);
        }
    }
    let body = content.bytes.trim_ascii();
    if fields.is_empty() || body.first() == Some(&b'[') {
        return content.bytes;
    }
    fields.push(b'}');
    let mut record = Vec::with_capacity(body.len() + fields.len() + 64);
    record.extend_from_slice(b"{\"sourcetype\":\"webhook\",\"fields\":");
    record.extend_from_slice(&fields);
    record.extend_from_slice(b",\"event\":");
    if body.first() == Some(&b'{') && serde_json::from_slice::<&RawValue>(body).is_ok() {
        record.extend_from_slice(body);
    } else {
        json_text::string(&mut record, &content.bytes);
    }
    record.push(b'}');
    record
}

fn enabled(app: &App, name: &str) -> Result<std::sync::Arc<Known>, Problem> {
    let hook = app.hooks.get(name).filter(|hook| hook.stored.enabled);
    hook.ok_or_else(|| HookError::Unknown { name: name.to_owned() }.into())
}

fn known(app: &App, name: &str) -> Result<std::sync::Arc<Known>, Problem> {
    app.hooks.get(name).ok_or_else(|| HookError::Unknown { name: name.to_owned() }.into())
}

fn check(app: &App, input: &HookInput) -> Result<(), Problem> {
    if input.title.chars().count() > TITLE_CHARS_MAX {
        return Err(Problem::invalid("/title", format!("a title may have at most {TITLE_CHARS_MAX} characters")));
    }
    if app.intake.registry().source(&input.source).is_none() {
        return Err(Problem::invalid("/source", format!("there is no source {}", input.source)));
    }
    Ok(())
}

fn entity(name: &str) -> Entity<'_> {
    Entity { kind: "hook", id: name, name }
}

fn input_of(hook: &Known) -> HookInput {
    HookInput {
        name: hook.stored.name.clone(),
        title: hook.stored.title.clone(),
        source: hook.stored.source.clone(),
        settings: hook.settings.clone(),
        enabled: hook.stored.enabled,
        secret: None,
    }
}

fn shown(app: &App, hook: &Known) -> Hook {
    use std::sync::atomic::Ordering;
    let seen = hook.counts.seen();
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let now = app.clock.now().as_millisecond();
    let previous_until = hook.stored.previous_until.filter(|until| *until > now);
    let HookInput { name, title, source, settings, enabled, .. } = input_of(hook);
    let settings: HookSettings = settings;
    Hook {
        url: format!("{}/hooks/{name}", app.config.public_url()),
        name,
        title,
        source,
        settings,
        enabled,
        previous_until: previous_until.map(crate::state::time_text),
        created_at: crate::state::time_text(hook.stored.created_at),
        accepted: hook.counts.accepted.load(Ordering::Relaxed),
        refused: hook.counts.refused.load(Ordering::Relaxed),
        last_accepted_at: text(seen.accepted_at),
        last_refused_at: text(seen.refused_at),
        last_refusal: seen.refusal,
    }
}
