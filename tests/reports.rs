//! Reports: run from API and command line, in all formats, each with its certificate.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Belfry, eventually};

const NAMES: &[&str] = &[
    "Ada Moreau",
    "Δημήτρης Παπαδόπουλος",
    "Елена Сорокина",
    "فاطمة حداد",
    "田中 健",
    "韦慧",
    "=HYPERLINK(\"http://evil\")",
];

fn with_views(count: usize) -> Belfry {
    let belfry = Belfry::start();
    let events: Vec<Value> = (0..count)
        .map(|n| json!({
            "@timestamp": format!("2026-11-{:02}T09:{:02}:00Z", 1 + n % 20, n % 60),
            "event": { "action": "credential.password.viewed", "outcome": "success", "module": "portal" },
            "user": { "name": NAMES[n % NAMES.len()] }, "source": { "ip": "10.0.0.7" }, "host": { "name": format!("db-{n}") },
            "credential": { "id": format!("c{n}"), "type": "local", "username": "root" },
            "justification": { "type": "change", "id": "CHG-1", "text": "a rather long reason that has to be wrapped within its column, since nobody likes cut-off words" },
        }))
        .collect();
    belfry.post("/api/v1/events", &json!(events)).good();
    belfry
}

/// Runs a report to its end and downloads it.
fn download(belfry: &Belfry, report: &str, format: &str) -> (Value, Vec<u8>) {
    let body = json!({ "from": "2026-11-01", "to": "2026-12-01", "filter": "", "format": format });
    let run = belfry.post(&format!("/api/v1/reports/{report}/runs"), &body).good();
    let id = run["id"].as_str().unwrap_or_else(|| panic!("{run}")).to_owned();
    let run = eventually(60, "the run is done", || {
        let run = belfry.get(&format!("/api/v1/report-runs/{id}")).good();
        assert_ne!(run["state"], "failed", "{run}");
        (run["state"] == "done").then_some(run)
    });
    let file = belfry.get(&format!("/api/v1/report-runs/{id}/download"));
    assert_eq!(file.status, 200);
    (run, file.bytes)
}

fn password_views(belfry: &Belfry) -> String {
    let reports = belfry.get("/api/v1/reports").good();
    let reports = reports["items"].as_array().unwrap().clone();
    assert!(reports.len() >= 3);
    let found =
        reports.iter().find(|report| report["title"].as_str().unwrap().to_lowercase().contains("password views"));
    found.unwrap_or_else(|| panic!("{reports:?}"))["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_report_in_every_format_with_its_certificate() {
    let belfry = with_views(210);
    let report = password_views(&belfry);

    let (run, csv) = download(&belfry, &report, "csv");
    let csv = String::from_utf8(csv).unwrap();
    assert_eq!(run["rows"], 210);
    assert!(run["checkpoint"].is_object() || run["checkpoint"].is_string(), "{run}");
    assert!(csv.contains("Елена Сорокина"));
    assert!(
        !csv.contains("\n=HYPERLINK") && !csv.contains(",=HYPERLINK") && !csv.contains(",\"=HYPERLINK"),
        "no cell can run"
    );

    let (_, json) = download(&belfry, &report, "json");
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["rows"].as_array().unwrap().len(), 210, "{}", &json.to_string()[..500]);

    let (_, pdf) = download(&belfry, &report, "pdf");
    let file = belfry.dir.path().join("report.pdf");
    std::fs::write(&file, &pdf).unwrap();
    let text = String::from_utf8(
        Command::new("pdftotext").args(["-layout", file.to_str().unwrap(), "-"]).output().unwrap().stdout,
    )
    .unwrap();
    for name in &NAMES[..3] {
        assert!(text.contains(name.split(' ').next().unwrap()), "{name} in {}", &text[..2_000.min(text.len())]);
    }
    assert!(text.contains("田中") && text.contains("韦慧"));
    let pages = text.matches('\u{c}').count();
    assert!(pages >= 2, "{pages}");
    assert!(text.contains(&format!("of {pages}")) || text.contains(&format!("/ {pages}")), "page n of m");
    assert!(text.contains("db-209") && text.contains("db-0"));
    // Every export is itself in the trail.
    let exports = belfry.search("event.action: audit.exported");
    assert_eq!(exports.len(), 3, "{exports:?}");
}

#[test]
fn the_command_line_runs_a_report_into_a_file() {
    let belfry = with_views(12);
    let report = password_views(&belfry);
    let file = belfry.dir.path().join("views.csv");
    let output = belfry.cli(&[
        "report",
        "run",
        &report,
        "--from",
        "2026-11-01",
        "--to",
        "2026-12-01",
        "--format",
        "csv",
        "--output",
        file.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(std::fs::read_to_string(file).unwrap().contains("Ada Moreau"));
}

#[test]
fn an_empty_report_and_a_summary_of_one_event() {
    let belfry = Belfry::start();
    let report = password_views(&belfry);
    let (run, pdf) = download(&belfry, &report, "pdf");
    assert_eq!(run["rows"], 0);
    assert!(pdf.starts_with(b"%PDF-"));
    let position = belfry.send(&json!({ "event": { "action": "credential.password.viewed" }, "user": { "name": "田中 健" }, "changes": [{ "field": "owner", "old": "ada", "new": "فاطمة" }] }));
    let summary = belfry.get(&format!("/api/v1/events/{position}/summary.pdf"));
    assert_eq!(summary.status, 200);
    assert_eq!(summary.header("content-type"), Some("application/pdf"));
    assert!(summary.bytes.starts_with(b"%PDF-"));
}

#[test]
fn a_custom_report_is_data_of_the_same_shape() {
    let belfry = with_views(5);
    let made = belfry.post("/api/v1/reports", &json!({
        "title": "Root looked at", "group": "Mine", "description": "Views of root's passwords",
        "filter": "credential.username: root", "columns": [{ "field": "@timestamp", "title": "When" }, { "field": "user.name", "title": "Who" }],
    })).good();
    let id = made["id"].as_str().unwrap();
    let preview = belfry
        .post(
            &format!("/api/v1/reports/{id}/preview"),
            &json!({ "from": "2026-11-01", "to": "2026-12-01", "limit": 50 }),
        )
        .good();
    assert_eq!(preview["total"], 5);
    assert_eq!(preview["columns"].as_array().unwrap().len(), 2);
    assert_eq!(preview["rows"].as_array().unwrap().len(), 5);
    assert!((200..300).contains(&belfry.delete(&format!("/api/v1/reports/{id}")).status));
}
