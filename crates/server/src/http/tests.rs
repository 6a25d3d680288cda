//! The real routes on a real data folder, without sockets.

use std::net::SocketAddr;

use api::access::{Me, NewToken, NewUser, Privilege, Role, TokenMade, User};
use api::{Page, ProblemBody};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::client::Peer;
use super::dialect::Dialect;
use super::router::{Needs, routes};
use super::serve::service;
use crate::access::{tokens, users};
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::data::Data;
use crate::setup::{self, Init};

const PASSWORD: &str = "correct horse battery";
/// Splunk's collector, which answers in its own words.
const COLLECTOR: &str = "/services/collector";

/// The status of an answer; gRPC puts its own behind one that is always good.
fn status_of(answer: &Answer) -> StatusCode {
    match answer.headers.get("grpc-status").map(|status| status.as_bytes()) {
        Some(b"16") => StatusCode::UNAUTHORIZED,
        Some(b"7") => StatusCode::FORBIDDEN,
        _ => answer.status,
    }
}

struct House {
    app: App,
    router: Router,
    admin: String,
    _dir: tempfile::TempDir,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    fn problem(&self) -> ProblemBody {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        self.json()
    }

    fn cookie(&self) -> String {
        let text = self.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(text.contains("HttpOnly") && text.contains("SameSite=Lax"), "{text}");
        text.split(';').next().unwrap().to_owned()
    }
}

impl House {
    async fn build() -> Self {
        Self::with_clock(Clock::System).await
    }

    async fn with_clock(clock: Clock) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { data: dir.path().join("data"), ..Config::default() };
        let new = Init {
            organization: "acme".into(),
            origin: "belfry.example/acme".into(),
            admin: "root".into(),
            password: PASSWORD.into(),
        };
        let (_, token) = setup::init(config.clone(), new).await.unwrap();
        let app = setup::open(config.clone(), Data::open(&config.data).unwrap(), clock).await.unwrap();
        let router = service(&app, |_| None);
        Self { app, router, admin: token.token, _dir: dir }
    }

    async fn user(&self, name: &str, role: Role) -> User {
        let new = NewUser {
            name: name.into(),
            full_name: String::new(),
            email: String::new(),
            role,
            password: PASSWORD.into(),
            disabled: false,
        };
        users::create(&self.app, None, new).await.unwrap()
    }

    async fn token(&self, user: &User, scopes: &[Privilege]) -> TokenMade {
        let new = NewToken { name: "test".into(), scopes: scopes.to_vec(), expires_at: None };
        tokens::make(&self.app, None, (&user.id, &user.name), new).await.unwrap()
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let mut request = request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_string()))).unwrap();
        request.extensions_mut().insert(Peer(SocketAddr::from(([10, 0, 0, 9], 4711))));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        // A stream of events never ends; its head is all that is asked about here.
        let streams = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
        let body = if streams { Vec::new() } else { to_bytes(body, 8 << 20).await.unwrap().to_vec() };
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn as_token(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.send(method, path, &[("authorization", &format!("Bearer {token}"))], body).await
    }

    async fn sign_in(&self, name: &str, password: &str) -> Answer {
        self.send(Method::POST, "/api/v1/session", &[], Some(json!({"name": name, "password": password}))).await
    }

    /// The newest entries of the trail, oldest first.
    fn trail(&self, action: &str) -> Vec<Value> {
        let entries = self.app.trail().read(0, 10_000, 64 << 20).unwrap();
        let there = entries.into_iter().filter(|(_, bytes)| !bytes.is_empty());
        let events = there.map(|(_, bytes)| serde_json::from_slice::<Value>(&bytes).unwrap());
        events.filter(|event| event["event"]["action"] == action).collect()
    }
}

/// Whether an answer says that a privilege is missing.
fn is_refused(answer: &Answer) -> bool {
    answer.status == StatusCode::FORBIDDEN
        && serde_json::from_slice::<ProblemBody>(&answer.body)
            .is_ok_and(|problem| problem.detail.is_some_and(|detail| detail.contains("needs the privilege")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_lets_in_whom_it_should_and_nobody_else() {
    let house = House::build().await;
    let mut subjects = Vec::new();
    for role in Role::ALL {
        let user = house.user(&format!("a-{role}"), role).await;
        subjects.push((role.name(), role.privileges().to_vec(), house.token(&user, &Privilege::ALL).await.token));
    }
    let keeper = house.user("keeper", Role::Administrator).await;
    subjects.push((
        "unscoped token",
        vec![Privilege::InboxOwn],
        house.token(&keeper, &[Privilege::InboxOwn]).await.token,
    ));

    let mut walked = 0;
    for route in routes() {
        let path = route.path.replace("{organization}", "acme").replace(['{', '}', '*'], "");
        let what = |who: &str, answer: &Answer| {
            format!("{} {path} as {who}: {} {}", route.method, answer.status, String::from_utf8_lossy(&answer.body))
        };
        let anonymous = house.send(route.method.clone(), &path, &[], None).await;
        assert_eq!(
            status_of(&anonymous) == StatusCode::UNAUTHORIZED,
            // A hook knows its senders by itself.
            route.needs != Needs::Public,
            "{}",
            what("nobody", &anonymous)
        );
        if route.needs != Needs::Public {
            let wrong = house.as_token("blf_wrong", route.method.clone(), &path, None).await;
            // Splunk's clients know a wrong token by 403.
            let status = if path.starts_with(COLLECTOR) { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED };
            assert_eq!(status_of(&wrong), status, "{}", what("a wrong token", &wrong));
        }
        for (who, privileges, token) in &subjects {
            let answer = house.as_token(token, route.method.clone(), &path, None).await;
            let may = match route.needs {
                Needs::Public | Needs::SignedIn => true,
                Needs::Of(privilege) => privileges.contains(&privilege),
            };
            let own = Dialect::of(&path) == Dialect::Own;
            let refused = if own { is_refused(&answer) } else { status_of(&answer) == StatusCode::FORBIDDEN };
            assert_eq!(refused, !may, "{}", what(who, &answer));
            assert_ne!(status_of(&answer), StatusCode::UNAUTHORIZED, "{}", what(who, &answer));
            assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", what(who, &answer));
            assert!(answer.headers.contains_key("x-request-id"));
            walked += 1;
        }
    }
    assert!(walked > 100, "{walked}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_from_signing_in_to_signing_out() {
    let house = House::build().await;
    let wrong = house.sign_in("root", "not this one, no").await;
    let unknown = house.sign_in("nobody", PASSWORD).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_eq!(wrong.problem().detail, unknown.problem().detail);

    let signed_in = house.sign_in("ROOT", PASSWORD).await;
    assert_eq!(signed_in.status, StatusCode::OK);
    let cookie = signed_in.cookie();
    let me: Me = signed_in.json();
    assert_eq!(
        (me.user.name.as_str(), me.organization.as_str(), me.privileges.len()),
        ("root", "acme", Privilege::ALL.len())
    );

    let with = |site: &'static [(&'static str, &'static str)]| {
        let mut headers = vec![("cookie", cookie.as_str())];
        headers.extend_from_slice(site);
        headers
    };
    assert_eq!(house.send(Method::GET, "/api/v1/session", &with(&[]), None).await.status, StatusCode::OK);
    // What changes something must come from our own pages.
    let filter = json!({"name": "mine", "filter": "user.name: ada"});
    for site in [
        &[("sec-fetch-site", "cross-site")] as &[_],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
    ] {
        let answer = house.send(Method::POST, "/api/v1/saved-filters", &with(site), Some(filter.clone())).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{site:?}");
    }
    let login = house
        .send(
            Method::POST,
            "/api/v1/session",
            &[("origin", "https://evil.example")],
            Some(json!({"name": "root", "password": PASSWORD})),
        )
        .await;
    assert_eq!(login.status, StatusCode::FORBIDDEN);
    let own: &[_] = &[("sec-fetch-site", "same-origin")];
    assert_eq!(
        house.send(Method::POST, "/api/v1/saved-filters", &with(own), Some(filter.clone())).await.status,
        StatusCode::CREATED
    );
    assert_eq!(
        house.send(Method::POST, "/api/v1/saved-filters", &with(own), Some(filter)).await.status,
        StatusCode::CONFLICT
    );
    let origin: &[_] = &[("origin", "http://belfry.internal:7400"), ("host", "belfry.internal:7400")];
    let bad = json!({"name": "bad", "filter": "user.name: ("});
    assert_eq!(
        house.send(Method::POST, "/api/v1/saved-filters", &with(origin), Some(bad)).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );

    assert_eq!(house.send(Method::DELETE, "/api/v1/session", &with(own), None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(house.send(Method::GET, "/api/v1/session", &with(&[]), None).await.status, StatusCode::UNAUTHORIZED);

    let failures = house.trail("authentication.failed");
    assert_eq!(failures.len(), 2);
    assert_eq!((&failures[0]["user"]["name"], &failures[0]["source"]["ip"]), (&json!("root"), &json!("10.0.0.9")));
    assert_eq!(house.trail("authentication.succeeded").len(), 1);
    assert_eq!(house.trail("user.logout")[0]["user"]["name"], "root");
    let all = house.app.trail().read(0, 1_000, 64 << 20).unwrap();
    assert!(
        !all.iter().any(|(_, bytes)| String::from_utf8_lossy(bytes).contains(PASSWORD)),
        "a password is in the trail"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_is_slowed_down() {
    let clock = Clock::set(Timestamp::now() + SignedDuration::from_hours(1));
    let house = House::with_clock(clock.clone()).await;
    for _ in 0..4 {
        assert_eq!(house.sign_in("root", "guess after guess").await.status, StatusCode::UNAUTHORIZED);
    }
    let slowed = house.sign_in("root", PASSWORD).await;
    assert_eq!(slowed.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(slowed.headers.contains_key(header::RETRY_AFTER));
    clock.advance(SignedDuration::from_secs(2));
    assert_eq!(house.sign_in("root", PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_and_tokens_end() {
    let clock = Clock::set(Timestamp::now() + SignedDuration::from_hours(1));
    let house = House::with_clock(clock.clone()).await;
    let ada = house.user("ada", Role::Auditor).await;
    let cookie = house.sign_in("ada", PASSWORD).await.cookie();
    let alive = async || house.send(Method::GET, "/api/v1/session", &[("cookie", &cookie)], None).await.status;
    assert_eq!(alive().await, StatusCode::OK);
    for _ in 0..3 {
        clock.advance(SignedDuration::from_hours(7));
        assert_eq!(alive().await, StatusCode::OK, "used again before it is idle for 8 hours");
    }
    clock.advance(SignedDuration::from_hours(9));
    assert_eq!(alive().await, StatusCode::UNAUTHORIZED);

    let later = (clock.now() + SignedDuration::from_mins(10)).to_string();
    let new = NewToken { name: "short".into(), scopes: vec![Privilege::EventsRead], expires_at: Some(later) };
    let token = tokens::make(&house.app, None, (&ada.id, &ada.name), new).await.unwrap().token;
    assert_eq!(house.as_token(&token, Method::GET, "/api/v1/saved-filters", None).await.status, StatusCode::OK);
    clock.advance(SignedDuration::from_mins(11));
    assert_eq!(
        house.as_token(&token, Method::GET, "/api/v1/saved-filters", None).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changing_a_user_ends_what_they_had_and_is_on_record() {
    let house = House::build().await;
    let admin = house.admin.clone();
    let made = house
        .as_token(
            &admin,
            Method::POST,
            "/api/v1/users",
            Some(json!({"name": "bob", "role": "auditor", "password": PASSWORD, "email": "bob@x.example"})),
        )
        .await;
    assert_eq!(made.status, StatusCode::CREATED);
    let bob: User = made.json();
    let cookie = house.sign_in("bob", PASSWORD).await.cookie();
    let token = house.token(&bob, &Privilege::ALL).await.token;
    let seen = async |path: &str| {
        let by_cookie = house.send(Method::GET, path, &[("cookie", &cookie)], None).await.status.as_u16();
        (by_cookie, house.as_token(&token, Method::GET, path, None).await.status.as_u16())
    };
    assert_eq!(seen("/api/v1/trail").await, (200, 200));

    let change = async |body: Value| house.as_token(&admin, Method::PUT, "/api/v1/users/bob", Some(body)).await;
    assert_eq!(change(json!({"full_name": "Bob B."})).await.status, StatusCode::OK);
    assert_eq!(seen("/api/v1/trail").await, (200, 200));
    assert_eq!(change(json!({"role": "member"})).await.status, StatusCode::OK);
    // The session is over; the token lives on with what the new role leaves of it.
    assert_eq!(seen("/api/v1/trail").await, (401, 403));
    assert_eq!(change(json!({"disabled": true})).await.status, StatusCode::OK);
    assert_eq!(seen("/api/v1/tokens").await, (401, 401));
    assert_eq!(house.sign_in("bob", PASSWORD).await.status, StatusCode::UNAUTHORIZED);

    for (body, pointer) in [
        (json!({"password": "short"}), "/password"),
        (json!({"name": "with blank"}), "/name"),
        (json!({"email": "nobody"}), "/email"),
    ] {
        let answer = change(body).await;
        assert_eq!((answer.status.as_u16(), answer.problem().errors[0].pointer.as_str()), (422, pointer));
    }
    assert_eq!(change(json!({"name": "ROOT"})).await.status, StatusCode::CONFLICT);
    assert_eq!(change(json!({"nme": "x"})).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(house.as_token(&admin, Method::DELETE, "/api/v1/users/bob", None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(house.as_token(&admin, Method::GET, "/api/v1/users/bob", None).await.status, StatusCode::NOT_FOUND);

    let role = &house.trail("role.changed")[0];
    assert_eq!(role["changes"], json!([{"field": "role", "old": "auditor", "new": "member"}]));
    assert_eq!((&role["user"]["name"], &role["user"]["target"]["name"]), (&json!("root"), &json!("bob")));
    assert_eq!(house.trail("user.deleted")[0]["entity"]["name"], "bob");
    assert_eq!(house.trail("user.created").len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_administrator_stays() {
    let house = House::build().await;
    let admin = house.admin.clone();
    for body in [json!({"role": "member"}), json!({"disabled": true})] {
        let answer = house.as_token(&admin, Method::PUT, "/api/v1/users/root", Some(body)).await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
    }
    assert_eq!(house.as_token(&admin, Method::DELETE, "/api/v1/users/root", None).await.status, StatusCode::CONFLICT);
    house.user("second", Role::Administrator).await;
    assert_eq!(house.as_token(&admin, Method::DELETE, "/api/v1/users/root", None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(house.as_token(&admin, Method::GET, "/api/v1/users", None).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_own_password_and_the_own_tokens() {
    let house = House::build().await;
    house.user("carol", Role::Member).await;
    let cookie = house.sign_in("carol", PASSWORD).await.cookie();
    let other = house.sign_in("carol", PASSWORD).await.cookie();
    let call = async |method, path: &str, body| house.send(method, path, &[("cookie", &cookie)], body).await;
    let wrong = json!({"current": "not this one, no", "new": "another good one"});
    assert_eq!(
        call(Method::PUT, "/api/v1/session/password", Some(wrong)).await.problem().errors[0].pointer,
        "/current"
    );
    let right = json!({"current": PASSWORD, "new": "another good one"});
    assert_eq!(call(Method::PUT, "/api/v1/session/password", Some(right)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(call(Method::GET, "/api/v1/session", None).await.status, StatusCode::OK);
    assert_eq!(
        house.send(Method::GET, "/api/v1/session", &[("cookie", &other)], None).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(house.sign_in("carol", PASSWORD).await.status, StatusCode::UNAUTHORIZED);

    // Nobody gives away what they don't have.
    let more = json!({"name": "t", "scopes": ["users:manage"]});
    assert_eq!(call(Method::POST, "/api/v1/tokens", Some(more)).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let made: TokenMade =
        call(Method::POST, "/api/v1/tokens", Some(json!({"name": "t", "scopes": ["inbox:own"]}))).await.json();
    assert!(made.token.starts_with("blf_"));
    let listed = call(Method::GET, "/api/v1/tokens", None).await;
    assert!(!String::from_utf8_lossy(&listed.body).contains(&made.token));
    assert_eq!(listed.json::<Page<api::access::Token>>().items.len(), 1);
    // Other people's tokens are not even there.
    let root: Page<api::access::Token> = house.as_token(&house.admin, Method::GET, "/api/v1/tokens", None).await.json();
    let roots = root.items.iter().find(|token| token.user == "root").unwrap();
    assert_eq!(call(Method::DELETE, &format!("/api/v1/tokens/{}", roots.id), None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        call(Method::DELETE, &format!("/api/v1/tokens/{}", made.about.id), None).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        house.as_token(&made.token, Method::GET, "/api/v1/session", None).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_hold_at_once_and_are_on_record() {
    let house = House::build().await;
    assert!(house.app.outgoing.client("http://127.0.0.1:1/").await.is_err());
    let bad = json!({"outgoing_allow": ["http://x/"]});
    assert_eq!(
        house.as_token(&house.admin, Method::PUT, "/api/v1/settings", Some(bad)).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let good = json!({"outgoing_allow": ["127.0.0.1"]});
    assert_eq!(house.as_token(&house.admin, Method::PUT, "/api/v1/settings", Some(good)).await.status, StatusCode::OK);
    assert!(house.app.outgoing.client("http://127.0.0.1:1/").await.is_ok());
    let event = house.trail("entity.updated").pop().unwrap();
    assert_eq!(event["changes"][0], json!({"field": "outgoing_allow", "old": "", "new": "127.0.0.1"}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn problems_and_careful_headers() {
    let house = House::build().await;
    let token = house.admin.clone();
    let raw = async |body: &str, kind: &str| {
        let mut request = Request::post("/api/v1/users").header("authorization", format!("Bearer {token}"));
        request = request.header("content-type", kind).header("x-request-id", "abc-1");
        let response = house.router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        assert_eq!(response.headers()["x-request-id"], "abc-1");
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice::<ProblemBody>(&body).unwrap())
    };
    let (status, problem) = raw("{", "application/json").await;
    assert_eq!(
        (status, problem.kind.as_str(), problem.request_id.as_deref()),
        (400, "/problems/not-json", Some("abc-1"))
    );
    assert_eq!(raw("{}", "application/json").await.0, 422);
    assert_eq!(raw("x", "text/plain").await.0, 415);
    assert_eq!(raw(&" ".repeat(3 << 20), "application/json").await.0, 413);

    let page = house.send(Method::GET, "/events?filter=x", &[], None).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("frame-ancestors 'none'"));
    assert_eq!(page.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(house.send(Method::GET, "/api/v1/nothing", &[], None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.send(Method::GET, "/assets/gone.js", &[], None).await.status, StatusCode::NOT_FOUND);

    let described: Value = house.send(Method::GET, "/api/openapi.json", &[], None).await.json();
    assert_eq!(described["paths"]["/api/v1/users"]["post"]["security"][0]["token"], json!([]));
    assert!(described["components"]["schemas"]["ProblemBody"].is_object());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trail_is_served_as_others_read_it() {
    use base64::Engine as _;
    let house = House::build().await;
    house.app.trail().seal().unwrap();
    let note = house.as_token(&house.admin, Method::GET, "/trail/acme/checkpoint", None).await;
    let text = String::from_utf8(note.body.clone()).unwrap();
    assert!(text.starts_with("belfry.example/acme\n"), "{text}");
    let basic =
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("monitor:{}", house.admin)));
    let size: u64 = text.lines().nth(1).unwrap().parse().unwrap();
    let tile =
        house.send(Method::GET, &format!("/trail/acme/tile/0/000.p/{size}"), &[("authorization", &basic)], None).await;
    assert_eq!((tile.status, tile.body.len() as u64), (StatusCode::OK, size * 32));
    let entries =
        house.as_token(&house.admin, Method::GET, &format!("/trail/acme/tile/entries/000.p/{size}"), None).await;
    assert_eq!(entries.status, StatusCode::OK);
    for path in ["/trail/other/checkpoint", "/trail/acme/tile/0/001", "/trail/acme/tile/00/000", "/trail/acme/tile/0/x"]
    {
        assert_eq!(house.as_token(&house.admin, Method::GET, path, None).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let anonymous = house.send(Method::GET, "/trail/acme/checkpoint", &[], None).await;
    assert!(
        anonymous
            .headers
            .get_all(header::WWW_AUTHENTICATE)
            .iter()
            .any(|value| value.to_str().unwrap().starts_with("Basic"))
    );
    let metrics = house.as_token(&house.admin, Method::GET, "/metrics", None).await;
    assert!(String::from_utf8(metrics.body).unwrap().contains("belfry_trail_events"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trail_checks_itself_and_finds_what_was_altered() {
    let house = House::build().await;
    let state = async || -> Value { house.as_token(&house.admin, Method::GET, "/api/v1/trail", None).await.json() };
    let checked = async || {
        assert_eq!(
            house.as_token(&house.admin, Method::POST, "/api/v1/trail/verify", None).await.status,
            StatusCode::ACCEPTED
        );
        for _ in 0..400 {
            let now = state().await["self_check"].clone();
            if now["state"] != "running" {
                return now;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("the check does not end");
    };
    assert_eq!(state().await["self_check"]["state"], "never");
    house.app.trail().seal().unwrap();
    let good = checked().await;
    assert_eq!(good["state"], "ok", "{good}");

    let log = house.app.trail().folder().join("log");
    let wal =
        std::fs::read_dir(log).unwrap().flatten().find(|entry| entry.path().extension().is_some_and(|e| e == "wal"));
    let wal = wal.unwrap().path();
    let mut bytes = std::fs::read(&wal).unwrap();
    let place = bytes.windows(4).position(|window| window == b"root").unwrap();
    bytes[place] ^= 1;
    std::fs::write(&wal, bytes).unwrap();
    let bad = checked().await;
    assert_eq!(bad["state"], "failed", "{bad}");
    assert!(bad["position"].as_u64().is_some() && bad["what"].is_string(), "{bad}");
    let mut told = Vec::new();
    for _ in 0..100 {
        told =
            house.app.trail().read(0, 10_000, 64 << 20).map_or_else(|_| Vec::new(), |_| house.trail("trail.tampered"));
        if !told.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert_eq!(house.trail("trail.verified").len(), 1);
    assert_eq!(told.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daily_run_removes_by_the_time_events_came_in() {
    let clock = Clock::set("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
    let house = House::with_clock(clock.clone()).await;
    tokio::spawn(crate::keep::removal::work(house.app.clone()));
    tokio::spawn(crate::keep::retention::daily(house.app.clone()));
    let event =
        |at: &str| json!({"@timestamp": at, "event": {"action": "a.b", "category": "door"}, "user": {"name": "jane"}});
    let send = async |at: &str| {
        let sent = house.as_token(&house.admin, Method::POST, "/api/v1/events", Some(event(at))).await;
        sent.json::<api::events::Receipt>().first.unwrap()
    };
    let old = send("2026-01-01T00:00:00Z").await;
    let policy = Some(json!({"keep": "30d"}));
    let set = house.as_token(&house.admin, Method::PUT, "/api/v1/retention/policies/door", policy.clone()).await;
    assert_eq!(set.status, StatusCode::OK, "{}", String::from_utf8_lossy(&set.body));
    let short = Some(json!({"keep": "1h"}));
    let short = house.as_token(&house.admin, Method::PUT, "/api/v1/retention/policies/door", short).await;
    assert_eq!(short.status, StatusCode::UNPROCESSABLE_ENTITY);
    clock.advance(SignedDuration::from_hours(31 * 24));
    // Sent a month later as if it had happened long ago: who back-dates gains nothing.
    let backdated = send("2016-01-01T00:00:00Z").await;
    // The clock of a test stands still, so the loop is rung instead of waited for.
    house.app.removals.ring_schedule();
    let removed = format!("/api/v1/events/{old}");
    let mut tries = 0;
    while house.as_token(&house.admin, Method::GET, &removed, None).await.status != StatusCode::GONE
        || house.trail("retention.applied").is_empty()
    {
        tries += 1;
        assert!(tries < 400, "the daily run removed nothing");
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    let kept = house.as_token(&house.admin, Method::GET, &format!("/api/v1/events/{backdated}"), None).await;
    assert_eq!(kept.status, StatusCode::OK);
    let told = house.trail("retention.applied");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["removal"]["events"], 1);
    assert_eq!(told[0]["removal"]["policies"][0]["before"], "2026-01-02T00:00:00Z");
    assert_eq!(told[0]["user"]["name"], "belfry");
    assert_eq!(house.trail("retention.policy.changed")[0]["changes"][0]["new"], "30d");
    let removal = house.as_token(&house.admin, Method::GET, &format!("/api/v1/events/{old}/removal"), None).await;
    let removal: api::retention::Removed = removal.json();
    assert_eq!((removal.by, removal.reason.as_str()), (None, "the daily run of the policies"));
    house.app.stop.cancel();
}
