//! Protocols that others made, spoken by their own clients, and what those clients never send.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::clients::python;
use crate::support::{Answer, Belfry, root};

/// Runs a Python client to its end; answers the lines it printed.
fn client(script: &str, arguments: &[&str]) -> Vec<Value> {
    let script = root().join("tests/clients").join(script);
    let output = Command::new(python()).arg(script).args(arguments).output().expect("python runs");
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{failed}");
    said.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

fn port(belfry: &Belfry) -> String {
    belfry.url.rsplit(':').next().unwrap().to_owned()
}

fn send(belfry: &Belfry, path: &str, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> Answer {
    let mut request = belfry.request("POST", path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    belfry.answer(request.body(body))
}

fn code(answer: &Answer) -> (u16, u64) {
    (answer.status, answer.json()["code"].as_u64().unwrap_or(999))
}

#[test]
fn splunk_hec_handler_sends() {
    let belfry = Belfry::start();
    client("hec.py", &[&port(&belfry), &belfry.token]);
    let found = belfry.search("user.name: хедда");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["source"]["ip"], "10.4.4.1");
    assert_eq!(found[0]["@timestamp"], "2026-03-02T10:00:00.25Z");
    let original = found[0]["event"]["original"].as_str().unwrap();
    assert!(original.contains(r#""region""#) && original.contains("web-1"), "{original}");
    assert_eq!(belfry.search("message: *plain*").len(), 1);
}

#[test]
fn the_collector_answers_as_splunk_does() {
    let belfry = Belfry::start();
    const CHANNEL: &str = "0b6cbd52-3a20-4b53-9c0f-6cbbd9a4b9d3";
    let post = |path: &str, body: &str| send(&belfry, &format!("/services/collector{path}"), &[], body.to_owned());
    assert_eq!(code(&post("/event/1.0", "")), (400, 5));
    assert_eq!(code(&post("", r#"{"event":""}"#)), (400, 13));
    assert_eq!(code(&post("", r#"{"event":"a","fields":{"x":{"y":1}}}"#)), (400, 15));
    assert_eq!(code(&post("/event?source=nobody", r#"{"event":"a"}"#)), (400, 7));
    let mixed = post(
        "/event",
        "{\"sourcetype\":\"app\",\"event\":\"hec good one\"}{\"host\":\"x\"}\n{oops}\n{\"event\":\"hec good two\",\"sourcetype\":\"app\"}",
    );
    assert_eq!((code(&mixed), mixed.json()["invalid-event-number"].clone()), ((400, 12), json!(1)));
    assert_eq!(belfry.search("message: *good*").len(), 2);
    let waiting = belfry.get("/api/v1/set-aside").good();
    assert_eq!(waiting["items"].as_array().unwrap().len(), 4, "{waiting}");

    // Lines, with what the query says of them.
    let raw = post(
        &format!("/raw?channel={CHANNEL}&host=gate-1&sourcetype=sshd&time=1772445600"),
        "Accepted password for rawada from 10.9.8.7 port 22 ssh2\n\r\nFailed password for rawbo from 10.9.8.7 port 22 ssh2",
    );
    let ack = raw.json()["ackId"].as_u64().unwrap();
    let found = belfry.search("user.name: raw*");
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0]["event"]["module"], "sshd");
    assert!(found[0]["event"]["original"].as_str().unwrap().contains("gate-1"));
    assert_eq!(code(&post("/raw", "\n")), (400, 5));
    // A line without a word about it is kept as it is.
    post("/raw", "just a line");
    assert_eq!(belfry.search("message: \"just a line\"")[0]["event"]["original"], "just a line");

    // Indexer acknowledgement: what was answered is on disk.
    let acks = |query: &str, ids: &[u64]| post(&format!("/ack{query}"), &json!({ "acks": ids }).to_string());
    let asked = acks(&format!("?channel={CHANNEL}"), &[ack, ack + (1 << 50)]);
    assert_eq!(asked.json()["acks"], json!({ ack.to_string(): true, (ack + (1 << 50)).to_string(): false }));
    assert_eq!(code(&acks("", &[ack])), (400, 10));
    assert_eq!(code(&acks("?channel=nonsense", &[ack])), (400, 11));

    for path in ["/health", "/health/1.0"] {
        assert_eq!(
            code(&belfry.answer(belfry.client().get(format!("{}/services/collector{path}", belfry.url)))),
            (200, 17)
        );
    }
    let plain = |value: &str, query: &str| {
        let mut request =
            belfry.client().post(format!("{}/services/collector{query}", belfry.url)).body(r#"{"event":"a"}"#);
        if !value.is_empty() {
            request = request.header("authorization", value);
        }
        code(&belfry.answer(request))
    };
    assert_eq!(plain("", ""), (401, 2));
    assert_eq!(plain("Nonsense", ""), (401, 3));
    assert_eq!(plain("Splunk blf_wrong", ""), (403, 4));
    assert_eq!(plain("", &format!("?token={}", belfry.token)), (400, 16));
    use base64::Engine as _;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("x:{}", belfry.token));
    assert_eq!(plain(&format!("Basic {basic}"), ""), (200, 0));
}

#[test]
fn opentelemetry_exporters_send() {
    let belfry = Belfry::start();
    client("otlp.py", &["http", &belfry.url, &belfry.token, "gzip"]);
    let address = belfry.url.trim_start_matches("http://").to_owned();
    client("otlp.py", &["grpc", &address, &belfry.token]);
    client("otlp.py", &["grpc", &address, &belfry.token, "gzip"]);
    for (user, times) in [("lena-http", 1), ("lena-grpc", 2)] {
        let found = belfry.search(&format!("user.name: {user}"));
        assert_eq!(found.len(), times, "{found:?}");
        assert_eq!(found[0]["event"]["action"], "user.login");
        assert_eq!(found[0]["source"]["ip"], "192.0.2.14");
        assert_eq!(found[0]["host"]["name"], "app-3");
        assert_eq!(found[0]["@timestamp"], "2026-03-02T10:00:00.123456789Z");
    }
    let refused = belfry.search("user.name: tomás");
    assert_eq!(refused.len(), 3);
    assert_eq!(refused[0]["event"]["action"], "payroll.export");
    // A body that is a product's record, read as one that came by itself; what stood around it is kept.
    let vault = belfry.search("ldap-ada");
    assert_eq!(vault.len(), 3);
    assert!(vault[0]["event"]["original"].as_str().unwrap().contains("payroll.audit"));
    assert_eq!(belfry.get("/api/v1/trail").good()["size"].as_u64().unwrap() / 1503, 3);
}

#[test]
fn otlp_answers_as_the_specification_says() {
    let belfry = Belfry::start();
    let json_type = [("content-type", "application/json")];
    let logs = |query: &str, body: &str| send(&belfry, &format!("/v1/logs{query}"), &json_type, body.to_owned());
    let record = |body: &str| {
        json!({ "resourceLogs": [{ "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": "shop" } }] },
            "scopeLogs": [{ "logRecords": [{ "timeUnixNano": "1772445600000000000", "body": { "stringValue": body },
                "attributes": [{ "key": "n", "value": { "intValue": "9007199254740993" } }], "unknown": 1 }] }] }] })
        .to_string()
    };
    let good = logs("", &record("json otlp"));
    assert_eq!((good.status, good.text().as_str(), good.header("content-type")), (200, "{}", Some("application/json")));
    let found = belfry.search("message: \"json otlp\"");
    assert!(found[0]["event"]["original"].as_str().unwrap().contains("9007199254740993"), "{found:?}");
    let partial = logs("?source=vault", &record("no vault record"));
    assert_eq!(partial.status, 200);
    assert_eq!(partial.json()["partialSuccess"]["rejectedLogRecords"], "1", "{}", partial.text());
    let broken = logs("", "{\"resourceLogs\": [");
    assert_eq!((broken.status, broken.json()["code"].clone()), (400, json!(3)));
    // google.rpc.Status in protobuf: field 1 is the code.
    let noise = send(&belfry, "/v1/logs", &[("content-type", "application/x-protobuf")], "\x0a\x7fno");
    assert_eq!((noise.status, noise.header("content-type")), (400, Some("application/x-protobuf")));
    assert_eq!(&noise.bytes[..2], [8, 3]);
    let nobody = belfry.answer(
        belfry.client().post(format!("{}/v1/logs", belfry.url)).header("content-type", "application/json").body("{}"),
    );
    assert_eq!((nobody.status, nobody.json()["code"].clone()), (401, json!(16)));
    let empty = send(&belfry, "/v1/logs", &[("content-type", "application/x-protobuf")], "");
    assert_eq!((empty.status, empty.bytes.len()), (200, 0));
}

#[test]
fn the_client_of_elasticsearch_sends() {
    let belfry = Belfry::start();
    let said = client("elastic.py", &[&belfry.url, &belfry.token]).remove(0);
    assert_eq!(
        said,
        json!({ "version": "9.0.0", "health": "green", "sent": 2500, "errors": true, "statuses": [201, 400, 400, 201], "api_key": false, "wrong": 401 })
    );
    assert_eq!(belfry.search("event.action: *bulk.kept").len(), 2);
    assert_eq!(belfry.search("event.action: *bulk.prefixed").len(), 1);
    let summary = belfry.get("/api/v1/events/summary?by=user.name").good();
    assert!(summary.to_string().contains("bulk2"), "{summary}");
}

#[test]
fn bulk_sets_aside_what_is_broken_and_goes_on() {
    let belfry = Belfry::start();
    let types = [("content-type", "application/x-ndjson")];
    let body = "{\"create\":{}}\n{\"event.action\":\"a.good\"}\n{\"create\":{}}\n{\"broken\": \n{oops}\n{\"index\":{\"_index\":\"vault\"}}\n{\"no\":\"vault\"}\n{\"create\":{}}\n{\"event.action\":\"b.good\"}\n";
    let answer = send(&belfry, "/somewhere/_bulk", &types, body).good();
    let statuses: Vec<u64> = answer["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item.as_object().unwrap().values().next().unwrap()["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [201, 400, 400, 400, 201], "{answer}");
    assert_eq!(belfry.search("event.action: *.good").len(), 2);
    assert_eq!(belfry.get("/api/v1/set-aside").good()["items"].as_array().unwrap().len(), 3);
    // What Filebeat asks for: only errors and statuses.
    let lean = send(
        &belfry,
        "/_bulk?filter_path=errors%2Citems.%2A.error%2Citems.%2A.status",
        &types,
        "{\"create\":{}}\n{\"event.action\":\"c\"}\n",
    );
    assert_eq!(lean.header("x-elastic-product"), Some("Elasticsearch"));
    assert_eq!(lean.good()["items"], json!([{ "create": { "status": 201 } }]));
    // A browser's own page stays where it is; a shipper is greeted.
    let page = belfry.answer(belfry.client().get(&belfry.url).header("accept", "text/html,*/*"));
    assert!(!page.text().contains("cluster_name"));
    let greeted = belfry.answer(belfry.request("GET", "/"));
    assert_eq!(greeted.json()["version"]["number"], "9.0.0");
    for path in ["/_license", "/_xpack", "/elastic/", "/elastic/_ilm/policy/filebeat", "/_index_template/x"] {
        assert_eq!(belfry.get(path).status, 200, "{path}");
    }
    assert_eq!(belfry.answer(belfry.request("HEAD", "/_template/x")).status, 200);
    let unknown = belfry.answer(belfry.client().post(format!("{}/_bulk", belfry.url)).body("x"));
    assert_eq!((unknown.status, unknown.json()["error"]["type"].clone()), (401, json!("security_exception")));
}

#[test]
fn cloud_events_come_in_three_ways_and_once() {
    let belfry = Belfry::start();
    let answers = client("cloud_events.py", &[&belfry.url, &belfry.token]);
    assert_eq!(answers[0]["accepted"], 1);
    assert_eq!(answers[1]["accepted"], 1);
    assert_eq!(
        (answers[2]["first"].clone(), answers[2]["repeated"].clone()),
        (answers[0]["first"].clone(), json!(true))
    );
    let found = belfry.search("event.action: com.example.door.opened");
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0]["user"]["name"], "jörg");
    assert_eq!(found[1]["entity"]["name"], "door-7");
    assert_eq!(found[1]["@timestamp"], "2026-03-02T10:00:00Z");
    // The same name for something else is no repetition.
    let types = [("content-type", "application/cloudevents+json")];
    let other = r#"{"specversion":"1.0","id":"s-1","source":"https://door.example/lobby","type":"door.other"}"#;
    assert_eq!(send(&belfry, "/api/v1/events", &types, other).good()["accepted"], 1);
    let batch = r#"[{"specversion":"1.0","id":"1","source":"b","type":"batch.one"},{"id":"2"},{"specversion":"1.0","id":"3","source":"b","type":"batch.two"}]"#;
    let receipt =
        send(&belfry, "/api/v1/cloudevents", &[("content-type", "application/cloudevents-batch+json")], batch).good();
    assert_eq!((receipt["accepted"].clone(), receipt["rejected"][0]["index"].clone()), (json!(2), json!(1)));
    send(&belfry, "/api/v1/cloudevents", &types, r#"{"id":"1"}"#).refused(400);
}

#[test]
fn alertmanager_posts_its_webhook() {
    let belfry = Belfry::start();
    // The shipped mapping may be there already.
    let source = json!({ "name": "alertmanager", "title": "Alertmanager", "mapping": "generic" });
    belfry.post("/api/v1/sources", &source);
    let body = json!({ "version": "4", "groupKey": "{}:{alertname=\"DiskFull\"}", "truncatedAlerts": 0, "status": "firing", "receiver": "belfry",
        "groupLabels": { "alertname": "DiskFull" }, "commonLabels": { "alertname": "DiskFull", "severity": "critical" }, "commonAnnotations": {},
        "externalURL": "http://alerts.example", "alerts": [{ "status": "firing", "labels": { "alertname": "DiskFull", "instance": "db-1" }, "annotations": { "summary": "disk is full" },
        "startsAt": "2026-03-02T10:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "", "fingerprint": "f1" }] });
    let receipt = belfry.post("/api/v1/events?source=alertmanager", &body).good();
    assert_eq!(receipt["accepted"], 1, "{receipt}");
    assert_eq!(belfry.search("event.module: alertmanager").len(), 1);
}

#[test]
fn a_body_that_stops_coming_is_given_up_and_keeps_nobody_out() {
    let belfry = Belfry::start();
    // Forty senders announce 32 MB each and send next to nothing: more than there is room for.
    let mut streams: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut stream = TcpStream::connect(belfry.url.trim_start_matches("http://")).unwrap();
            let head = format!("POST /_bulk HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 33000000\r\n\r\n{{\"create\"", belfry.token);
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    let answer = send(&belfry, "/_bulk", &[], "{\"create\":{}}\n{\"event.action\":\"still.served\"}\n");
    assert_eq!(answer.good()["errors"], false);
    let began = Instant::now();
    let stream = &mut streams[0];
    stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    let mut said = [0; 12];
    stream.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"HTTP/1.1 408");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn bombs_and_noise_are_refused_in_the_words_of_each_protocol() {
    let belfry = Belfry::start();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..100 {
        packer.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    let bomb = packer.finish().unwrap();
    for (path, kind) in [
        ("/_bulk", "application/x-ndjson"),
        ("/services/collector", "application/json"),
        ("/v1/logs", "application/x-protobuf"),
        ("/api/v1/cloudevents", "application/json"),
    ] {
        let headers = [("content-encoding", "gzip"), ("content-type", kind)];
        assert_eq!(send(&belfry, path, &headers, bomb.clone()).status, 413, "{path}");
        assert_eq!(send(&belfry, path, &headers, "no gzip").status, 400, "{path}");
        assert_eq!(send(&belfry, path, &[("content-encoding", "br")], "x").status, 415, "{path}");
    }
    // NUL, and bytes that are no UTF-8, in what is otherwise JSON: kept or set aside, never lost.
    let mut odd = b"{\"create\":{}}\n{\"event.action\":\"odd.one\",\"message\":\"a".to_vec();
    odd.extend_from_slice(b"\xff\x00\"}\n{\"create\":{}}\n{\"event.action\":\"odd.two\",\"message\":\"b\\u0000\"}\n");
    let answer = send(&belfry, "/_bulk", &[], odd).good();
    let kept = belfry.search("event.action: *odd.*").len();
    let aside = belfry.get("/api/v1/set-aside").good()["items"].as_array().unwrap().len();
    assert_eq!(kept + aside, 2, "{answer}");
    assert!(kept >= 1, "{answer}");
}
