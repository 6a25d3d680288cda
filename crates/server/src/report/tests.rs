//! The room on a real data folder: real trail, real index, real state.

use std::time::Duration;

use api::access::{Person, Privilege, Role};
use api::report::{Certificate, Column, DefinitionDraft, EmailTo, Format, Order, Run, RunState};
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use base64::Engine as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use trail::verify;

use super::mail::Envelope;
use super::runs::Delivery;
use super::*;
use crate::access::{By, Privileges};
use crate::app::App;
use crate::append::Origin;
use crate::clock::Clock;
use crate::config::Config;
use crate::data::Data;
use crate::setup::{self, Init};
use crate::state::channels::{self, Channel, Email, Security, Settings};
use crate::state::deliveries;

struct House {
    app: App,
    token: String,
    clock: Clock,
    _dir: tempfile::TempDir,
}

fn now() -> Timestamp {
    "2026-11-21T14:02:11Z".parse().unwrap()
}

fn person(name: &str, privileges: &[Privilege]) -> Subject {
    let person = Person {
        id: format!("id-{name}"),
        name: name.into(),
        full_name: format!("Full {name}"),
        email: String::new(),
        role: Role::Auditor,
    };
    Subject::new(person, By::Session("session-1".into()), Privileges::of(privileges))
}

fn auditor() -> Subject {
    person("ada", &Privilege::ALL)
}

impl House {
    async fn build() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { data: dir.path().join("data"), ..Config::default() };
        let new = Init {
            organization: "acme".into(),
            origin: "belfry.example/acme".into(),
            admin: "root".into(),
            password: "correct horse battery".into(),
        };
        let (_, token) = setup::init(config.clone(), new).await.unwrap();
        let clock = Clock::set(now());
        let app = setup::open(config.clone(), Data::open(&config.data).unwrap(), clock.clone()).await.unwrap();
        let house = Self { app, token: token.token, clock, _dir: dir };
        for index in 0..25 {
            house.view(index, "ada").await;
        }
        house
    }

    /// A password is looked at.
    async fn view(&self, index: u32, user: &str) -> u64 {
        let event = json!({
            "@timestamp": now().checked_sub(SignedDuration::from_mins(i64::from(index) + 1)).unwrap().to_string(),
            "event": {"action": "credential.password.viewed", "outcome": "success", "original": "raw line"},
            "user": {"name": user, "full_name": "محمد عبد الله"},
            "host": {"name": format!("db-{index}")},
            "credential": {"username": "=cmd|' /C calc'!A0", "type": "local"},
            "source": {"ip": "10.0.0.7"},
        });
        let admitted = self.app.door.admit(event::Value::from(event), Origin::default()).unwrap();
        self.app.door.append(vec![admitted], None).await.unwrap().first
    }

    async fn plan(&self, id: &str, format: Format) -> Plan {
        let definition = self.app.reports.definition(id).await.unwrap();
        self.app.reports.plan(definition, Wish::default(), format, &auditor()).unwrap()
    }

    /// Starts a run of the password views and waits for its end.
    async fn run(&self, format: Format) -> (Run, Vec<u8>, Certificate) {
        let plan = self.plan("password-views", format).await;
        let run = self.start(plan, None).await;
        assert_eq!(run.state, RunState::Done, "{:?}", run.error);
        let (path, certificate) = self.app.reports.download(&auditor(), &run.id).await.unwrap();
        (run, std::fs::read(path).unwrap(), certificate)
    }

    async fn start(&self, plan: Plan, email: Option<Envelope>) -> Run {
        let run = self.app.reports.start(plan, Delivery { bom: false, email }, &auditor()).await.unwrap();
        assert_eq!(run.state, RunState::Running);
        self.ended(&run.id).await
    }

    async fn ended(&self, id: &str) -> Run {
        for _ in 0..600 {
            let run = self.app.reports.run(&auditor(), id).await.unwrap();
            if run.state != RunState::Running {
                return run;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("run {id} does not end");
    }

    fn trail(&self, action: &str) -> Vec<Value> {
        let entries = self.app.trail().read(0, 10_000, 64 << 20).unwrap();
        let events = entries.into_iter().map(|(_, bytes)| serde_json::from_slice::<Value>(&bytes).unwrap());
        events.filter(|event| event["event"]["action"] == action).collect()
    }

    async fn email_channel(&self) {
        let channel = Channel {
            id: "mail".into(),
            name: "Mail".into(),
            settings: Settings::Email(Email {
                host: "127.0.0.1".into(),
                port: 2525,
                security: Security::None,
                username: None,
                password: None,
                from: "belfry@acme.example".into(),
                to: vec![],
                certificate_authority: None,
            }),
            enabled: true,
            created_at: 0,
            updated_at: 0,
            last_ok_at: None,
            last_error: None,
            last_error_at: None,
        };
        let mut connection = self.app.state.acquire().await.unwrap();
        channels::put(&mut connection, &self.app.secrets, &channel).await.unwrap();
    }

    async fn get(&self, path: &str) -> (StatusCode, axum::http::HeaderMap, Vec<u8>) {
        let router = crate::http::serve::service(&self.app, |_| None);
        let request =
            Request::get(path).header("authorization", format!("Bearer {}", self.token)).body(Body::empty()).unwrap();
        let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
        (parts.status, parts.headers, to_bytes(body, 8 << 20).await.unwrap().to_vec())
    }
}

fn column(field: &str, title: &str) -> Column {
    Column { field: field.into(), title: title.into() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_comes_with_a_certificate_and_stands_in_the_trail() {
    let house = House::build().await;
    let (run, bytes, certificate) = house.run(Format::Csv).await;
    let mut reader = ::csv::Reader::from_reader(bytes.as_slice());
    assert_eq!(reader.headers().unwrap().iter().next(), Some("Date"));
    let records: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), 25);
    assert_eq!(&records[0][0], "2026-11-21T14:01:11Z", "newest first");
    assert_eq!(&records[0][6], "'=cmd|' /C calc'!A0", "no cell is a formula");
    assert_eq!((run.rows, run.rows_total, run.size_bytes), (25, Some(25), Some(bytes.len() as u64)));

    let file = certificate.file.clone().unwrap();
    assert_eq!(file.sha256, file::sha256(&bytes));
    assert_eq!(file.name, "password-views-2026-11-21T140211Z.csv");
    assert_eq!(certificate.by, "Full ada (ada)");
    assert!(
        certificate.filter.contains("credential") || certificate.filter.contains("password"),
        "{}",
        certificate.filter
    );
    let key = certificate.vkey.parse().unwrap();
    let checkpoint = verify::checkpoint(&certificate.checkpoint.note, &key).unwrap();
    assert_eq!(checkpoint.size, certificate.checkpoint.size);
    assert!(certificate.last_position.unwrap() < checkpoint.size);

    let exported = house.trail("audit.exported");
    assert_eq!(exported.len(), 1);
    let event = &exported[0];
    assert_eq!(event["file"]["hash"]["sha256"], file.sha256);
    assert_eq!(event["report"]["rows"], 25);
    assert_eq!(event["report"]["format"], "csv");
    assert_eq!(event["report"]["filter"], certificate.filter);
    assert_eq!(event["report"]["destination"], json!(["download"]));
    assert_eq!(event["user"]["name"], "ada");
    assert_eq!(event["entity"]["name"], "Password views");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_rows_are_objects_that_the_trail_vouches_for() {
    let house = House::build().await;
    let (_, bytes, _) = house.run(Format::Json).await;
    let report: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(report["certificate"]["rows"], 25);
    assert_eq!(
        report["certificate"]["first_position"].as_u64(),
        report["rows"].as_array().unwrap().iter().map(|row| row["position"].as_u64().unwrap()).min()
    );
    assert!(report["certificate"]["file"].is_null(), "a file can't hold its own hash");
    let row = &report["rows"][0];
    assert_eq!(row["user.name|user.full_name"], "ada");
    assert_eq!(row["credential.username"], "=cmd|' /C calc'!A0", "json is exact");
    let entry = house.app.trail().get(row["position"].as_u64().unwrap()).unwrap().unwrap();
    assert_eq!(row["leaf_hash"], base64::engine::general_purpose::STANDARD.encode(trail::Hash::leaf(&entry).0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_is_checked_offline() {
    let house = House::build().await;
    let (_, bytes, certificate) = house.run(Format::Bundle).await;
    let key = certificate.vkey.parse().unwrap();
    let verified = verify::bundle(&bytes, Some(&key)).unwrap();
    assert_eq!((verified.entries, verified.size), (25, certificate.checkpoint.size));
    let changed = String::from_utf8(bytes).unwrap().replacen("db-3", "db-4", 1);
    assert!(verify::bundle(changed.as_bytes(), Some(&key)).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pdf_holds_the_rows() {
    let house = House::build().await;
    let (_, bytes, _) = house.run(Format::Pdf).await;
    assert!(bytes.starts_with(b"%PDF-1.7"));
    assert!(bytes.len() > 10_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_in_after_the_checkpoint_is_not_in_it() {
    let house = House::build().await;
    let reports = &house.app.reports;
    // No slot is free, so the run stands at its checkpoint until there is one.
    let slots = reports.0.slots.acquire_many(2).await.unwrap();
    let plan = house.plan("password-views", Format::Json).await;
    let run = reports.start(plan, Delivery { bom: false, email: None }, &auditor()).await.unwrap();
    let late = house.view(0, "late").await;
    drop(slots);
    let run = house.ended(&run.id).await;
    assert_eq!((run.state, run.rows), (RunState::Done, 25));
    assert_eq!(run.checkpoint.unwrap().size, late);
    let (again, ..) = house.run(Format::Json).await;
    assert_eq!(again.rows, 26);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_can_be_called_off() {
    let house = House::build().await;
    let reports = &house.app.reports;
    let slots = reports.0.slots.acquire_many(2).await.unwrap();
    let plan = house.plan("password-views", Format::Pdf).await;
    let run = reports.start(plan, Delivery { bom: false, email: None }, &auditor()).await.unwrap();
    reports.cancel(&auditor(), &run.id).await.unwrap();
    drop(slots);
    let run = house.ended(&run.id).await;
    assert_eq!(run.state, RunState::Cancelled);
    assert!(matches!(reports.download(&auditor(), &run.id).await, Err(Error::NoFile { state: "cancelled" })));
    assert_eq!(house.trail("audit.exported").len(), 0);
    assert_eq!(std::fs::read_dir(&reports.0.needs.folder).map_or(0, Iterator::count), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_shows_the_first_rows_and_the_total() {
    let house = House::build().await;
    let plan = house.plan("password-views", Format::Json).await;
    let preview = house.app.reports.preview(plan, 10).await.unwrap();
    assert_eq!((preview.rows.len(), preview.positions.len(), preview.total), (10, 10, 25));
    assert_eq!(preview.columns.len(), 12);
    assert_eq!(preview.rows[0][0], "2026-11-21T14:01:11Z");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_sees_what_one_may_see() {
    let house = House::build().await;
    let reports = &house.app.reports;
    let stranger = person("eve", &[Privilege::ReportsRun]);
    let definition = reports.definition("password-views").await.unwrap();
    let plan = reports.plan(definition, Wish::default(), Format::Json, &stranger).unwrap();
    assert_eq!(reports.preview(plan, 10).await.unwrap().total, 0);
    let (run, ..) = house.run(Format::Json).await;
    assert!(matches!(reports.run(&stranger, &run.id).await, Err(Error::NotFound { .. })));
    assert!(matches!(reports.download(&stranger, &run.id).await, Err(Error::NotFound { .. })));
    assert!(reports.runs(&stranger).await.unwrap().is_empty());
    assert_eq!(reports.runs(&auditor()).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_of_ones_own_are_kept_and_their_changes_recorded() {
    let house = House::build().await;
    let reports = &house.app.reports;
    let draft = DefinitionDraft {
        title: "Who saw db-3".into(),
        group: String::new(),
        description: String::new(),
        filter: "host.name: db-3".into(),
        columns: vec![column("user.name", "User"), column("position", "Position")],
        order: Order::Asc,
        range: String::new(),
    };
    let made = reports.create(&auditor(), draft.clone()).await.unwrap();
    assert_eq!((made.group.as_str(), made.builtin), ("Mine", false));
    assert_eq!(reports.definitions().await.unwrap().len(), definition::builtin().len() + 1);
    let run = house.start(house.plan(&made.id, Format::Json).await, None).await;
    assert_eq!(run.rows, 1);
    let changed = DefinitionDraft { filter: "host.name: db-4".into(), ..draft.clone() };
    reports.update(&auditor(), &made.id, changed).await.unwrap();
    let update = &house.trail("entity.updated")[0];
    assert_eq!(update["changes"], json!([{"field": "filter", "old": "host.name: db-3", "new": "host.name: db-4"}]));
    reports.remove(&auditor(), &made.id).await.unwrap();
    assert!(matches!(reports.definition(&made.id).await, Err(Error::NotFound { .. })));
    assert_eq!(reports.run(&auditor(), &run.id).await.unwrap().title, "Who saw db-3", "its runs stay");

    let refused = reports.update(&auditor(), "password-views", draft.clone()).await.unwrap_err();
    assert!(matches!(refused, Error::Builtin { .. }));
    let slip = DefinitionDraft { filter: "user.nme: ada".into(), ..draft };
    let Err(Error::Definition(DefinitionError::Filter(error))) = reports.create(&auditor(), slip).await else {
        panic!("a slip of the pen is no filter");
    };
    assert_eq!(error.suggestion.as_deref(), Some("user.name"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_mailed_with_its_file() {
    let house = House::build().await;
    let reports = &house.app.reports;
    let wish = |to: &str| EmailTo { to: vec![to.to_owned()], channel: None };
    let none = reports.envelope(&wish("ada@acme.example")).await.unwrap_err();
    assert_eq!(none.to_string(), "there is no email channel that is switched on; make one under Channels");
    house.email_channel().await;
    let wrong = reports.envelope(&wish("not an address")).await.unwrap_err();
    assert_eq!(wrong.to_string(), "\"not an address\" is no email address");
    let envelope = reports.envelope(&wish("ada@acme.example")).await.unwrap();
    let run = house.start(house.plan("password-views", Format::Csv).await, Some(envelope)).await;
    assert_eq!((run.state, run.email_error), (RunState::Done, None));
    let waiting = deliveries::lease(&house.app.state, "mail", now().as_millisecond(), 10).await.unwrap();
    assert_eq!(waiting.len(), 1);
    let message = &waiting[0].message;
    assert_eq!(message.subject, "Report: Password views, 25 rows");
    let names: Vec<&str> = message.attachments.iter().map(|attachment| attachment.name.as_str()).collect();
    assert_eq!(
        names,
        ["password-views-2026-11-21T140211Z.csv", "password-views-2026-11-21T140211Z.csv.certificate.json"]
    );
    assert!(message.attachments.iter().all(|attachment| attachment.path.is_file()));
    assert_eq!(house.trail("audit.exported")[0]["report"]["destination"], json!(["ada@acme.example"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_kept_for_a_week_and_a_crash_is_cleaned_up() {
    let house = House::build().await;
    let reports = &house.app.reports;
    let folder = reports.0.needs.folder.clone();
    let (run, ..) = house.run(Format::Csv).await;
    std::fs::write(folder.join("x.part"), b"half").unwrap();
    let mut left = state::runs::find(&house.app.state, &run.id).await.unwrap().unwrap();
    left.run.id = "interrupted".into();
    left.run.state = RunState::Running;
    left.file = None;
    state::runs::put(&house.app.state, &left, 0).await.unwrap();
    reports.recover().await.unwrap();
    let failed = reports.run(&auditor(), "interrupted").await.unwrap();
    assert_eq!(
        (failed.state, failed.error.as_deref()),
        (RunState::Failed, Some("the server stopped while it ran; run it again"))
    );
    assert!(!folder.join("x.part").exists());

    house.clock.advance(SignedDuration::from_hours(7 * 24 + 1));
    reports.tidy().await.unwrap();
    assert!(matches!(reports.download(&auditor(), &run.id).await, Err(Error::Expired { .. })));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http_files_have_names_and_problems_have_words() {
    let house = House::build().await;
    let (run, bytes, _) = house.run(Format::Csv).await;
    let (status, headers, body) = house.get(&format!("/api/v1/report-runs/{}/download", run.id)).await;
    assert_eq!((status, &body), (StatusCode::OK, &bytes));
    assert_eq!(headers[header::CONTENT_DISPOSITION], "attachment; filename=\"password-views-2026-11-21T140211Z.csv\"");
    assert_eq!(headers[header::CONTENT_TYPE], "text/csv; charset=utf-8");
    let (status, _, body) = house.get(&format!("/api/v1/report-runs/{}/certificate", run.id)).await;
    let certificate: Certificate = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, certificate.file.unwrap().sha256), (StatusCode::OK, file::sha256(&bytes)));

    let position = run.first_position.unwrap();
    let (status, headers, body) = house.get(&format!("/api/v1/events/{position}/summary.pdf")).await;
    assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
    assert_eq!(headers[header::CONTENT_TYPE], "application/pdf");
    assert!(body.starts_with(b"%PDF-1.7"));
    assert_eq!(house.trail("audit.exported")[1]["file"]["hash"]["sha256"], file::sha256(&body));

    assert_eq!(house.get("/api/v1/report-runs/nothing").await.0, StatusCode::NOT_FOUND);
    assert_eq!(house.get("/api/v1/reports/nothing").await.0, StatusCode::NOT_FOUND);
    assert_eq!(house.get("/api/v1/reports").await.0, StatusCode::OK);
}
