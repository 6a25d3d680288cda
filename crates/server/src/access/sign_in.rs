//! Signing in and out, and the own password.

use api::access::{Me, PasswordChange, SignIn};
use jiff::SignedDuration;
use serde_json::json;

use super::{Client, Error, Subject, fingerprint, identify, password, random_text};
use crate::app::App;
use crate::state;
use crate::state::sessions::Session;

/// A new session: the value of its cookie, which exists nowhere else, and whose it is.
pub struct SignedIn {
    pub cookie: String,
    pub subject: Subject,
}

/// Signs in. A failure takes as long for an unknown name as for a wrong password, and says the same.
pub async fn sign_in(app: &App, request: SignIn, client: &Client) -> Result<SignedIn, Error> {
    let now = app.clock.now();
    if let Some(wait) = app.access.throttle.wait(&request.name, client.address, now) {
        return Err(Error::Throttled { wait });
    }
    // Counted before the slow part: many tries at the same time are many tries.
    app.access.throttle.failed(&request.name, client.address, now);
    let mut connection = app.state.acquire().await?;
    let user = state::users::find_by_name(&mut connection, &request.name).await?;
    drop(connection);
    let phc = user.as_ref().map(|user| user.password.clone());
    let fits = password::verify(request.password, phc).await;
    let Some(user) = user.filter(|user| fits && !user.disabled) else {
        failed(app, &request.name, fits, client).await?;
        return Err(Error::WrongPassword);
    };

    let cookie = random_text();
    let session = Session {
        id: state::new_id(now),
        user_id: user.id.clone(),
        created_at: now.as_millisecond(),
        last_used_at: now.as_millisecond(),
        expires_at: (now + SignedDuration::from_hours(app.config.limits.session_hours)).as_millisecond(),
    };
    let mut transaction = state::begin_write(&app.state).await?;
    let address = client.address.map(|a| a.to_canonical().to_string()).unwrap_or_default();
    let agent: String = client.user_agent.as_deref().unwrap_or_default().chars().take(400).collect();
    // Changed or disabled while the password was looked at: then it was not this user that fitted.
    let unchanged = state::users::find(&mut transaction, &user.id).await?;
    if !unchanged.is_some_and(|found| found.password == user.password && !found.disabled) {
        return Err(Error::WrongPassword);
    }
    state::sessions::add(&mut transaction, &session, &fingerprint(&cookie), &address, &agent).await?;
    state::users::logged_in(&mut transaction, &user.id, now.as_millisecond()).await?;
    let idle = now - SignedDuration::from_mins(app.config.limits.session_idle_minutes);
    state::sessions::remove_expired(&mut transaction, now.as_millisecond(), idle.as_millisecond()).await?;
    let event = json!({
        "event": {"action": "authentication.succeeded", "outcome": "success"},
        "user": {"id": user.id, "name": user.name, "roles": [user.role]},
        "session": {"id": session.id},
        "entity": {"type": "user", "id": user.id, "name": user.name},
        "labels": {"method": "password"},
    });
    app.record_client(client, event).await?;
    transaction.commit().await?;
    app.access.throttle.succeeded(&user.name, client.address);
    let subject = identify::by_session(app, &cookie).await?.from_client(client);
    Ok(SignedIn { cookie, subject })
}

async fn failed(app: &App, name: &str, fits: bool, client: &Client) -> Result<(), Error> {
    // The name was typed by a stranger: it may be long, and it may be a password typed into the wrong field. It is
    // kept all the same, cut, since an auditor asks who was tried; forms say clearly which field is which.
    let name: String = name.chars().filter(|c| !c.is_control()).take(128).collect();
    let reason = if fits { "the user is disabled" } else { "wrong name or password" };
    let event = json!({
        "event": {"action": "authentication.failed", "outcome": "failure", "reason": reason},
        "user": {"name": name},
        "entity": {"type": "user", "name": name},
        "labels": {"method": "password"},
    });
    app.record_client(client, event).await?;
    Ok(())
}

/// Ends the session of `subject`.
pub async fn sign_out(app: &App, subject: &Subject) -> Result<(), Error> {
    let Some(session) = subject.session_id() else {
        return Err(Error::NotAllowed("a token has no session to end; delete the token instead"));
    };
    let mut transaction = state::begin_write(&app.state).await?;
    state::sessions::remove(&mut transaction, session).await?;
    let event = json!({
        "event": {"action": "user.logout", "outcome": "success"},
        "entity": {"type": "user", "id": subject.user_id(), "name": subject.user_name()},
    });
    app.record(Some(subject), event).await?;
    transaction.commit().await?;
    app.access.forget();
    Ok(())
}

/// Changes the own password; all other sessions of the user end.
pub async fn change_password(app: &App, subject: &Subject, change: PasswordChange) -> Result<(), Error> {
    let session =
        subject.session_id().ok_or(Error::NotAllowed("a password is changed by the person who is signed in"))?;
    let now = app.clock.now();
    if let Some(wait) = app.access.throttle.wait(subject.user_name(), subject.address, now) {
        return Err(Error::Throttled { wait });
    }
    password::check(&change.new, subject.user_name())
        .map_err(|error| Error::Invalid { pointer: "/new", reason: error.to_string() })?;
    let mut connection = app.state.acquire().await?;
    let missing = || Error::NotFound { what: "user", id: subject.user_id().to_owned() };
    let mut user = state::users::find(&mut connection, subject.user_id()).await?.ok_or_else(missing)?;
    drop(connection);
    app.access.throttle.failed(subject.user_name(), subject.address, now);
    if !password::verify(change.current, Some(user.password.clone())).await {
        let client = Client { address: subject.address, user_agent: subject.user_agent.clone() };
        failed(app, subject.user_name(), false, &client).await?;
        return Err(Error::Invalid { pointer: "/current", reason: "this is not the current password".to_owned() });
    }
    app.access.throttle.succeeded(subject.user_name(), subject.address);
    let old = std::mem::take(&mut user.password);
    user.password = hash(change.new, "/new").await?;
    let mut transaction = state::begin_write(&app.state).await?;
    let current = state::users::find(&mut transaction, &user.id).await?.ok_or_else(missing)?;
    if current.password != old || current.disabled {
        return Err(Error::Conflict { reason: "the user was changed meanwhile; try again".to_owned() });
    }
    let user = state::users::User { password: user.password, ..current };
    state::users::update(&mut transaction, &user).await?;
    state::sessions::remove_of_user(&mut transaction, &user.id, Some(session)).await?;
    let event = json!({
        "event": {"action": "user.updated", "outcome": "success"},
        "user": {"target": {"id": user.id, "name": user.name}},
        "entity": {"type": "user", "id": user.id, "name": user.name},
        "changes": [{"field": "password", "old": crate::changes::SECRET, "new": crate::changes::SECRET}],
    });
    app.record(Some(subject), event).await?;
    transaction.commit().await?;
    app.access.forget();
    Ok(())
}

/// Who the subject is, and what the console needs to know.
pub fn me(app: &App, subject: &Subject) -> Me {
    Me {
        user: (*subject.person).clone(),
        privileges: subject.privileges().list(),
        organization: app.organization.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        public_url: app.config.public_url(),
    }
}

pub(super) async fn hash(password: String, pointer: &'static str) -> Result<String, Error> {
    password::hash(password).await.map_err(|error| Error::Invalid { pointer, reason: error.to_string() })
}
