//! Rules, channels, deliveries and the inbox.

use api::Page;
use api::access::Role;
use api::notify::{
    Channel, ChannelDraft, Delivery, DeliveryDetail, DeliveryState, EventNotifications, Inbox, InboxChanged,
    InboxSelection, MailEvent, Preview, PreviewRequest, Resend, Resent, Rule, RuleDraft, TestResult,
};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::{FutureExt as _, TryFutureExt as _};
use serde::Deserialize;
use utoipa::IntoParams;

use super::events::visible;
use super::router::{Route, table};
use super::{Json, Path, Problem, Query};
use crate::access::Subject;
use crate::app::App;
use crate::notify::Recorder;
use crate::search;
use crate::state::inbox::Viewer;

const LIMIT_DEFAULT: u32 = 50;

pub fn routes() -> Vec<Route> {
    table! {
        GET    "/api/v1/rules"                           RulesRead        rules_list;
        POST   "/api/v1/rules"                           RulesWrite       rules_create;
        POST   "/api/v1/rules/preview"                   RulesRead        rules_preview;
        GET    "/api/v1/rules/{id}"                      RulesRead        rules_get;
        PUT    "/api/v1/rules/{id}"                      RulesWrite       rules_update;
        DELETE "/api/v1/rules/{id}"                      RulesWrite       rules_delete;
        GET    "/api/v1/channels"                        ChannelsRead     channels_list;
        POST   "/api/v1/channels"                        ChannelsWrite    channels_create;
        GET    "/api/v1/channels/{id}"                   ChannelsRead     channels_get;
        PUT    "/api/v1/channels/{id}"                   ChannelsWrite    channels_update;
        DELETE "/api/v1/channels/{id}"                   ChannelsWrite    channels_delete;
        POST   "/api/v1/channels/{id}/test"              ChannelsWrite    channels_test;
        POST   "/api/v1/channels/{id}/secret"            ChannelsWrite    channels_rotate;
        GET    "/api/v1/deliveries"                      DeliveriesRead   deliveries_list;
        GET    "/api/v1/deliveries/{id}"                 DeliveriesRead   deliveries_get;
        POST   "/api/v1/deliveries/resend"               DeliveriesResend deliveries_resend;
        GET    "/api/v1/inbox"                           InboxOwn         inbox_list;
        POST   "/api/v1/inbox/read"                      InboxOwn         inbox_read;
        POST   "/api/v1/inbox/acknowledge"               InboxOwn         inbox_acknowledge;
        POST   "/api/v1/inbox/delete"                    InboxOwn         inbox_delete;
        GET    "/api/v1/events/{position}/notifications" DeliveriesRead   event_notifications;
        POST   "/api/v1/events/{position}/email"         ReportsRun       event_email;
    }
}

/// How a change is written into the trail: with who made it.
fn recorder<'a>(app: &'a App, subject: &'a Subject) -> Recorder<'a> {
    Box::new(move |event| app.record(Some(subject), event).map_ok(drop).boxed())
}

/// All rules.
#[utoipa::path(get, path = "/api/v1/rules", tag = "notifications", responses((status = 200, body = Page<Rule>)))]
pub async fn rules_list(State(app): State<App>) -> Result<Json<Page<Rule>>, Problem> {
    Ok(Json(Page::whole(app.notify.rules().await?)))
}

/// Make a rule.
#[utoipa::path(post, path = "/api/v1/rules", tag = "notifications", request_body = RuleDraft, responses((status = 201, body = Rule)))]
pub async fn rules_create(
    State(app): State<App>,
    subject: Subject,
    Json(draft): Json<RuleDraft>,
) -> Result<Response, Problem> {
    let rule = app.notify.rule_create(draft, subject.user_name(), recorder(&app, &subject)).await?;
    Ok((StatusCode::CREATED, Json(rule)).into_response())
}

/// What a rule would have sent over the past days. Nothing is sent or kept.
#[utoipa::path(post, path = "/api/v1/rules/preview", tag = "notifications", request_body = PreviewRequest, responses((status = 200, body = Preview)))]
pub async fn rules_preview(
    State(app): State<App>,
    subject: Subject,
    Json(request): Json<PreviewRequest>,
) -> Result<Json<Preview>, Problem> {
    // The messages show events, so whoever asks must be allowed to see those.
    subject.need(api::access::Privilege::EventsRead)?;
    let _turn = search::turn(&app).await?;
    Ok(Json(app.notify.preview(app.store.clone(), request).await?))
}

/// One rule.
#[utoipa::path(get, path = "/api/v1/rules/{id}", tag = "notifications", params(("id" = String, Path)), responses((status = 200, body = Rule)))]
pub async fn rules_get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Rule>, Problem> {
    Ok(Json(app.notify.rule(&id).await?))
}

/// Change a rule: it becomes what is given.
#[utoipa::path(put, path = "/api/v1/rules/{id}", tag = "notifications", params(("id" = String, Path)), request_body = RuleDraft, responses((status = 200, body = Rule)))]
pub async fn rules_update(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
    Json(draft): Json<RuleDraft>,
) -> Result<Json<Rule>, Problem> {
    Ok(Json(app.notify.rule_update(&id, draft, subject.user_name(), recorder(&app, &subject)).await?))
}

/// Delete a rule. What it told stays on record.
#[utoipa::path(delete, path = "/api/v1/rules/{id}", tag = "notifications", params(("id" = String, Path)), responses((status = 204)))]
pub async fn rules_delete(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.notify.rule_remove(&id, recorder(&app, &subject)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All channels, without their secrets.
#[utoipa::path(get, path = "/api/v1/channels", tag = "notifications", responses((status = 200, body = Page<Channel>)))]
pub async fn channels_list(State(app): State<App>) -> Result<Json<Page<Channel>>, Problem> {
    Ok(Json(Page::whole(app.notify.channels().await?)))
}

/// Make a channel. The signing secret of a webhook is in this answer and never again.
#[utoipa::path(post, path = "/api/v1/channels", tag = "notifications", request_body = ChannelDraft, responses((status = 201, body = Channel)))]
pub async fn channels_create(
    State(app): State<App>,
    subject: Subject,
    Json(draft): Json<ChannelDraft>,
) -> Result<Response, Problem> {
    let channel = app.notify.channel_create(draft, recorder(&app, &subject)).await?;
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(channel)).into_response())
}

/// One channel, without its secrets.
#[utoipa::path(get, path = "/api/v1/channels/{id}", tag = "notifications", params(("id" = String, Path)), responses((status = 200, body = Channel)))]
pub async fn channels_get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Channel>, Problem> {
    Ok(Json(app.notify.channel(&id).await?))
}

/// Change a channel: it becomes what is given. Secrets given as `••••` stay.
#[utoipa::path(put, path = "/api/v1/channels/{id}", tag = "notifications", params(("id" = String, Path)), request_body = ChannelDraft, responses((status = 200, body = Channel)))]
pub async fn channels_update(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
    Json(draft): Json<ChannelDraft>,
) -> Result<Json<Channel>, Problem> {
    Ok(Json(app.notify.channel_update(&id, draft, recorder(&app, &subject)).await?))
}

/// Delete a channel. Refused while rules use it; the answer names them.
#[utoipa::path(delete, path = "/api/v1/channels/{id}", tag = "notifications", params(("id" = String, Path)), responses((status = 204), (status = 409)))]
pub async fn channels_delete(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.notify.channel_remove(&id, recorder(&app, &subject)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Send a test message, now, and say how it fared.
#[utoipa::path(post, path = "/api/v1/channels/{id}/test", tag = "notifications", params(("id" = String, Path)), responses((status = 200, body = TestResult)))]
pub async fn channels_test(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
) -> Result<Json<TestResult>, Problem> {
    Ok(Json(app.notify.channel_test(&id, subject.user_name()).await?))
}

/// Give a webhook a new signing secret; the old one signs beside it for a day. The new one is in this answer and never again.
#[utoipa::path(post, path = "/api/v1/channels/{id}/secret", tag = "notifications", params(("id" = String, Path)), responses((status = 200, body = Channel)))]
pub async fn channels_rotate(
    State(app): State<App>,
    subject: Subject,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let channel = app.notify.channel_rotate(&id, recorder(&app, &subject)).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(channel)).into_response())
}

/// Which deliveries a list shows.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeliveriesWanted {
    pub state: Option<DeliveryState>,
    /// Id of a channel.
    pub channel: Option<String>,
    /// Id of a rule.
    pub rule: Option<String>,
    pub cursor: Option<String>,
    /// 1 to 500.
    pub limit: Option<u32>,
}

/// Deliveries, newest first.
#[utoipa::path(get, path = "/api/v1/deliveries", tag = "notifications", params(DeliveriesWanted), responses((status = 200, body = Page<Delivery>)))]
pub async fn deliveries_list(
    State(app): State<App>,
    Query(wanted): Query<DeliveriesWanted>,
) -> Result<Json<Page<Delivery>>, Problem> {
    let wanted = crate::state::deliveries::Wanted {
        state: wanted.state,
        channel: wanted.channel,
        rule: wanted.rule,
        before: cursor(wanted.cursor.as_deref())?,
        limit: limit(wanted.limit),
    };
    let (items, next) = app.notify.deliveries(&wanted).await?;
    Ok(Json(Page { items, next }))
}

/// One delivery with all that was tried for it.
#[utoipa::path(get, path = "/api/v1/deliveries/{id}", tag = "notifications", params(("id" = String, Path)), responses((status = 200, body = DeliveryDetail)))]
pub async fn deliveries_get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<DeliveryDetail>, Problem> {
    Ok(Json(app.notify.delivery(&id).await?))
}

/// Send again.
#[utoipa::path(post, path = "/api/v1/deliveries/resend", tag = "notifications", request_body = Resend, responses((status = 200, body = Resent)))]
pub async fn deliveries_resend(
    State(app): State<App>,
    subject: Subject,
    Json(request): Json<Resend>,
) -> Result<Json<Resent>, Problem> {
    let resent = app.notify.resend(&request.ids, recorder(&app, &subject)).await?;
    Ok(Json(Resent { resent }))
}

/// Which lines of the inbox are shown.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InboxWanted {
    /// Only what I have not read.
    #[serde(default)]
    pub unread: bool,
    pub cursor: Option<String>,
    /// 1 to 500; 0 for the count alone.
    pub limit: Option<u32>,
}

/// My inbox, newest first, and how much of it is unread.
#[utoipa::path(get, path = "/api/v1/inbox", tag = "notifications", params(InboxWanted), responses((status = 200, body = Inbox)))]
pub async fn inbox_list(
    State(app): State<App>,
    subject: Subject,
    Query(wanted): Query<InboxWanted>,
) -> Result<Json<Inbox>, Problem> {
    let before = cursor(wanted.cursor.as_deref())?;
    let limit = if wanted.limit == Some(0) { 0 } else { limit(wanted.limit) };
    Ok(Json(app.notify.inbox(&viewer(&subject), wanted.unread, before, limit).await?))
}

/// Mark as read, for me.
#[utoipa::path(post, path = "/api/v1/inbox/read", tag = "notifications", request_body = InboxSelection, responses((status = 200, body = InboxChanged)))]
pub async fn inbox_read(
    State(app): State<App>,
    subject: Subject,
    Json(selection): Json<InboxSelection>,
) -> Result<Json<InboxChanged>, Problem> {
    let changed = app.notify.inbox_read(&viewer(&subject), &selection).await?;
    Ok(Json(InboxChanged { changed }))
}

/// Acknowledge, for everyone.
#[utoipa::path(post, path = "/api/v1/inbox/acknowledge", tag = "notifications", request_body = InboxSelection, responses((status = 200, body = InboxChanged)))]
pub async fn inbox_acknowledge(
    State(app): State<App>,
    subject: Subject,
    Json(selection): Json<InboxSelection>,
) -> Result<Json<InboxChanged>, Problem> {
    let changed = app.notify.inbox_acknowledge(&viewer(&subject), &selection).await?;
    Ok(Json(InboxChanged { changed }))
}

/// Delete, for everyone.
#[utoipa::path(post, path = "/api/v1/inbox/delete", tag = "notifications", request_body = InboxSelection, responses((status = 200, body = InboxChanged)))]
pub async fn inbox_delete(
    State(app): State<App>,
    subject: Subject,
    Json(selection): Json<InboxSelection>,
) -> Result<Json<InboxChanged>, Problem> {
    let changed = app.notify.inbox_delete(&viewer(&subject), &selection, recorder(&app, &subject)).await?;
    Ok(Json(InboxChanged { changed }))
}

/// What an event caused: messages, and why others were not sent.
#[utoipa::path(get, path = "/api/v1/events/{position}/notifications", tag = "notifications", params(("position" = u64, Path)), responses((status = 200, body = EventNotifications)))]
pub async fn event_notifications(
    State(app): State<App>,
    Path(position): Path<u64>,
) -> Result<Json<EventNotifications>, Problem> {
    Ok(Json(app.notify.of_event(position).await?))
}

/// Send the summary of an event by email, as text and as PDF.
#[utoipa::path(post, path = "/api/v1/events/{position}/email", tag = "notifications", params(("position" = u64, Path)), request_body = MailEvent, responses((status = 202, body = Resent)))]
pub async fn event_email(
    State(app): State<App>,
    subject: Subject,
    Path(position): Path<u64>,
    Json(request): Json<MailEvent>,
) -> Result<Response, Problem> {
    subject.need(api::access::Privilege::EventsRead)?;
    let entry = visible(&app, &subject, position).await?;
    let summary = app.reports.summary_attached(&subject, position, entry).await?;
    let resent = app.notify.mail_event(position, &request, vec![summary], recorder(&app, &subject)).await?;
    Ok((StatusCode::ACCEPTED, Json(Resent { resent })).into_response())
}

fn viewer(subject: &Subject) -> Viewer {
    Viewer {
        user_id: subject.user_id().to_owned(),
        user_name: subject.user_name().to_owned(),
        role: subject.role().name().to_owned(),
        sees_all: matches!(subject.role(), Role::Administrator | Role::Auditor),
    }
}

fn limit(wanted: Option<u32>) -> u32 {
    wanted.unwrap_or(LIMIT_DEFAULT).clamp(1, 500)
}

fn cursor(text: Option<&str>) -> Result<Option<i64>, Problem> {
    match text {
        None | Some("") => Ok(None),
        Some(text) => {
            text.parse().map(Some).map_err(|_| Problem::invalid("/cursor", "this cursor was not handed out here"))
        }
    }
}
