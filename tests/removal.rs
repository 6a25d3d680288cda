//! Retention, legal holds and erasure: what is removed is gone from everywhere, what is proven stays so.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, Belfry, PASSWORD, eventually, run};

/// Policies may be as short as a second here, so that a test need not wait for a day.
const CONFIG: &str = "[retention]\nfloor = \"1s\"";

impl Belfry {
    /// Sends `count` events of a category, each naming `user`; answers their positions.
    #[track_caller]
    fn send_of(&self, category: &str, user: &str, count: usize) -> std::ops::Range<u64> {
        let one = |n: usize| {
            json!({
                "event": { "action": format!("{category}.happened"), "category": category },
                "user": { "name": user, "email": format!("{user}@example.org") },
                "message": format!("{user} did number {n}"),
            })
        };
        let receipt = self.post("/api/v1/events", &json!((0..count).map(one).collect::<Vec<_>>())).good();
        receipt["first"].as_u64().unwrap()..receipt["last"].as_u64().unwrap() + 1
    }

    #[track_caller]
    fn policy(&self, category: &str, keep: &str) {
        self.put(&format!("/api/v1/retention/policies/{category}"), &json!({ "keep": keep })).good();
    }

    /// Counts what the policies would remove.
    #[track_caller]
    fn preview(&self) -> Value {
        let begun = self.post("/api/v1/retention/preview", &json!({})).good();
        self.settled(&begun)
    }

    /// Waits until a removal is neither counting nor running.
    #[track_caller]
    fn settled(&self, removal: &Value) -> Value {
        let path = format!("/api/v1/removals/{}", removal["id"].as_str().unwrap());
        eventually(60, "the removal is counted or over", || {
            let now = self.get(&path).good();
            (now["state"] != "counting" && now["state"] != "running").then_some(now)
        })
    }

    /// Confirms what was counted, and waits for the end.
    #[track_caller]
    fn apply(&self, counted: &Value, reason: &str) -> Value {
        let path = format!("/api/v1/removals/{}/apply", counted["id"].as_str().unwrap());
        let begun = self.post(&path, &json!({ "events": counted["events"], "reason": reason })).good();
        let done = self.settled(&begun);
        assert_eq!(done["state"], "done", "{done}");
        done
    }

    /// Another administrator, by their token.
    fn second_person(&self, name: &str) -> String {
        let body = json!({ "name": name, "role": "administrator", "password": PASSWORD });
        self.post("/api/v1/users", &body).good();
        let session = self
            .client()
            .post(format!("{}/api/v1/session", self.url))
            .json(&json!({ "name": name, "password": PASSWORD }));
        let cookie = self.answer(session).header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let scopes = json!({ "name": "t", "scopes": ["trail:erase", "retention:read", "events:read"] });
        let made = self
            .client()
            .post(format!("{}/api/v1/tokens", self.url))
            .header("cookie", cookie)
            .header("origin", &self.url)
            .json(&scopes);
        self.answer(made).good()["token"].as_str().unwrap().to_owned()
    }

    fn post_as(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.answer(self.client().post(format!("{}{path}", self.url)).bearer_auth(token).json(body))
    }

    /// A proof of an event, kept in a file.
    fn keep_proof(&self, position: u64, name: &str) -> PathBuf {
        let file = self.dir.path().join(name);
        fs::write(&file, self.get(&format!("/api/v1/events/{position}/proof")).good().to_string()).unwrap();
        file
    }

    /// A checkpoint of everything, kept elsewhere.
    fn keep_checkpoint(&self) -> PathBuf {
        let file = self.dir.path().join("kept-checkpoint");
        eventually(10, "a checkpoint of all", || {
            let trail = self.get("/api/v1/trail").good();
            fs::write(&file, trail["checkpoint"]["note"].as_str().unwrap()).unwrap();
            (trail["checkpoint"]["size"] == trail["size"]).then_some(())
        });
        file
    }

    fn count(&self, filter: &str) -> u64 {
        let query = [("filter", filter), ("limit", "1"), ("count", "true")];
        self.answer(self.request("GET", "/api/v1/events").query(&query)).good()["total"].as_u64().unwrap()
    }
}

fn verify_with(belfry: &Belfry, checkpoint: &Path, vkey: &str) -> String {
    let data = belfry.data();
    let arguments = ["verify", data.to_str().unwrap(), "--vkey", vkey, "--checkpoint", checkpoint.to_str().unwrap()];
    let output = run(&arguments, "");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    said
}

fn verify_proof(file: &Path, vkey: &str) {
    let output = run(&["verify", "--proof", file.to_str().unwrap(), "--vkey", vkey], "");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
}

/// The files below a folder in whose bytes, or unpacked frames, the text still stands.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else if let Ok(bytes) = fs::read(&path)
                && (contains(&bytes, text) || contains(&unpacked(&bytes), text))
            {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
}

/// Everything in a file that unpacks as zstd.
fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let magic = [0x28, 0xb5, 0x2f, 0xfd];
    let mut out = Vec::new();
    for at in (0..bytes.len().saturating_sub(4)).filter(|at| bytes[*at..*at + 4] == magic) {
        if let Ok(decoder) = zstd::stream::read::Decoder::new(&bytes[at..]) {
            let mut whole = Vec::new();
            decoder.single_frame().take(64 << 20).read_to_end(&mut whole).ok();
            out.extend_from_slice(&whole);
        }
    }
    out
}

#[test]
fn a_policy_removes_one_category_and_everything_stays_proven() {
    let mut belfry = Belfry::start_with(CONFIG);
    let vkey = belfry.get("/api/v1/trail").good()["vkey"].as_str().unwrap().to_owned();
    let sessions = belfry.send_of("session", "sandra", 400);
    let users = belfry.send_of("user", "ulrich", 300);
    let kept = belfry.keep_checkpoint();
    let (gone_proof, kept_proof) =
        (belfry.keep_proof(sessions.start + 7, "gone.json"), belfry.keep_proof(users.start, "kept.json"));
    belfry.post("/api/v1/retention/preview", &json!({})).refused(409);
    belfry.put("/api/v1/retention/policies/session", &json!({ "keep": "0d" })).refused(422);
    belfry.put("/api/v1/retention/policies/session", &json!({ "keep": "soon" })).refused(422);
    belfry.policy("session", "1s");
    belfry.policy("audit", "365d");
    std::thread::sleep(Duration::from_millis(1_100));

    let counted = belfry.preview();
    assert_eq!((&counted["state"], counted["events"].as_u64()), (&json!("ready"), Some(400)), "{counted}");
    assert_eq!(counted["categories"], json!([{ "category": "session", "events": 400 }]));
    assert_eq!(counted["first_position"], sessions.start);
    assert_eq!(counted["last_position"], sessions.end - 1);
    assert_eq!(belfry.count("event.category: session"), 400, "a preview removes nothing");
    let path = format!("/api/v1/removals/{}/apply", counted["id"].as_str().unwrap());
    belfry.post(&path, &json!({ "events": 399, "reason": "miscounted" })).refused(409);
    belfry.post(&path, &json!({ "events": 400, "reason": " " })).refused(422);
    let done = belfry.apply(&counted, "quarterly clean-up");
    assert_eq!(done["removed"], 400);

    let look = |belfry: &Belfry| {
        assert_eq!(belfry.count("event.category: session"), 0);
        assert_eq!(belfry.count("sandra"), 0);
        assert_eq!(belfry.count("user.name: ulrich"), 300);
        assert!(belfry.search("user.name: sandra").is_empty());
        let gone = belfry.get(&format!("/api/v1/events/{}", sessions.start + 7)).refused(410);
        assert_eq!(gone["type"], "/problems/removed");
        let detail = gone["detail"].as_str().unwrap();
        assert!(detail.contains("session 1s") && detail.contains("quarterly clean-up"), "{detail}");
        belfry.get(&format!("/api/v1/events/{}/related", sessions.start)).refused(410);
        let why = belfry.get(&format!("/api/v1/events/{}/removal", sessions.start)).good();
        assert_eq!((&why["kind"], &why["event_position"]), (&json!("retention"), &done["event_position"]));
        belfry.get(&format!("/api/v1/events/{}/removal", users.start)).refused(404);
        let proof = belfry.get(&format!("/api/v1/events/{}/proof", sessions.start + 7)).good();
        let before: Value = serde_json::from_slice(&fs::read(&gone_proof).unwrap()).unwrap();
        assert_eq!((&proof["entry"], &proof["leaf_hash"]), (&json!(""), &before["leaf_hash"]));
        assert_eq!(proof["removed"]["kind"], "retention");
        verify_proof(&belfry.keep_proof(sessions.start + 7, "now.json"), &vkey);
        verify_proof(&gone_proof, &vkey);
        verify_proof(&kept_proof, &vkey);
        assert!(verify_with(belfry, &kept, &vkey).contains("400 events were removed"));
    };
    look(&belfry);
    let organization = belfry.get("/api/v1/trail").good()["organization"].as_str().unwrap().to_owned();
    let bundle = format!(
        "/trail/{organization}/tile/entries/{:03}.p/{}",
        sessions.start / 256,
        255.min(belfry.get("/api/v1/trail").good()["checkpoint"]["size"].as_u64().unwrap() % 256)
    );
    let bundle = belfry.get(&bundle);
    assert!(bundle.status == 410 || bundle.status == 404, "{}", bundle.text());
    let told = belfry.get(&format!("/api/v1/events/{}", done["event_position"])).good();
    let event = &told["event"];
    assert_eq!(event["event"]["action"], "retention.applied");
    assert_eq!(event["removal"]["events"], 400);
    assert_eq!(event["removal"]["policies"][1]["category"], "session");
    assert_eq!(event["justification"]["text"], "quarterly clean-up");
    assert_eq!(event["user"]["name"], "admin");

    belfry.kill();
    belfry.up();
    look(&belfry);
    belfry.stop();
    assert_eq!(files_with(&belfry.data(), "sandra"), Vec::<String>::new());
    assert!(!files_with(&belfry.data().join("trails"), "ulrich").is_empty(), "what was kept is there");
    fs::remove_dir_all(belfry.data().join("index")).unwrap();
    belfry.up();
    eventually(20, "the index is there again", || (belfry.count("user.name: ulrich") == 300).then_some(()));
    look(&belfry);
    assert_eq!(belfry.preview()["events"], 0, "nothing is removed twice");
}

#[test]
fn the_trails_own_records_of_keeping_outlive_every_policy() {
    let belfry = Belfry::start_with(CONFIG);
    belfry.send_of("user", "ulrich", 10);
    belfry.policy("*", "1s");
    std::thread::sleep(Duration::from_millis(1_100));
    let counted = belfry.preview();
    assert!(counted["protected"].as_u64().unwrap() > 0, "{counted}");
    belfry.apply(&counted, "everything");
    belfry.send_of("user", "ulrich", 10);
    std::thread::sleep(Duration::from_millis(1_100));
    belfry.apply(&belfry.preview(), "everything, again");
    assert_eq!(belfry.count("event.action: retention.policy.changed"), 1);
    assert_eq!(belfry.count("event.action: retention.applied"), 2);
    assert_eq!(belfry.count("event.category: user"), 0);
}

#[test]
fn a_hold_keeps_what_it_picks_until_it_is_released() {
    let belfry = Belfry::start_with(CONFIG);
    let held = belfry.send_of("session", "sandra", 50);
    belfry.send_of("session", "bob", 50);
    belfry.policy("session", "1s");
    std::thread::sleep(Duration::from_millis(1_100));
    let counted = belfry.preview();
    assert_eq!(counted["events"], 100);
    // Placed after the counting and before the yes: it holds all the same.
    let draft = json!({ "name": "case 7", "filter": "user.name: sandra", "reason": "court order" });
    let hold = belfry.post("/api/v1/holds", &draft).good();
    belfry.post("/api/v1/holds", &draft).refused(409);
    let done = belfry.apply(&counted, "clean-up");
    assert_eq!((done["removed"].as_u64(), done["held"][0]["events"].as_u64()), (Some(50), Some(50)), "{done}");
    assert_eq!(belfry.count("user.name: sandra"), 50);
    assert_eq!(belfry.count("user.name: bob"), 0);
    let counted = belfry.preview();
    assert_eq!((counted["events"].as_u64(), &counted["held"][0]["name"]), (Some(0), &json!("case 7")), "{counted}");

    let placed = belfry.search("event.action: hold.placed");
    assert_eq!(placed[0]["hold"]["filter_hash"], hold["filter_hash"]);
    assert!(!placed[0].to_string().contains("sandra"), "the filter names the person: {}", placed[0]);
    let path = format!("/api/v1/holds/{}/release", hold["id"].as_str().unwrap());
    belfry.post(&path, &json!({ "reason": "" })).refused(422);
    let released = belfry.post(&path, &json!({ "reason": "case closed" })).good();
    assert_eq!((&released["filter"], &released["released_by"]), (&Value::Null, &json!("admin")));
    belfry.post(&path, &json!({ "reason": "again" })).refused(409);
    let done = belfry.apply(&belfry.preview(), "clean-up after the case");
    assert_eq!(done["removed"], 50);
    belfry.get(&format!("/api/v1/events/{}", held.start)).refused(410);
}

#[test]
fn an_erasure_takes_two_people_and_leaves_nothing_but_hashes() {
    let mut belfry = Belfry::start_with(CONFIG);
    let vkey = belfry.get("/api/v1/trail").good()["vkey"].as_str().unwrap().to_owned();
    let inbox = belfry.channel("inbox", &json!({}));
    belfry.rule("event.category: session", 0, &inbox);
    let jane = belfry.send_of("session", "jane.q.public", 20);
    belfry.send_of("session", "bob", 20);
    eventually(20, "the inbox knows of them", || {
        let lines = belfry.get("/api/v1/inbox?limit=500").good();
        (lines.to_string().matches("jane.q.public").count() > 0).then_some(())
    });
    let kept = belfry.keep_checkpoint();
    let second = belfry.second_person("second");

    let draft = |filter: &str| json!({ "filter": filter, "reason": "request 2026-17 under article 17" });
    belfry.post("/api/v1/erasures", &draft("")).refused(422);
    belfry.post("/api/v1/erasures", &draft("user.nme: x")).refused(422);
    let asked = belfry.post("/api/v1/erasures", &draft("\"jane.q.public\" or user.email: jane.q.public*")).good();
    let path = format!("/api/v1/erasures/{}", asked["id"].as_str().unwrap());
    belfry.settled(&asked["removal"]);
    let waiting = belfry.get(&path).good();
    assert_eq!((&waiting["state"], waiting["removal"]["events"].as_u64()), (&json!("waiting"), Some(20)), "{waiting}");
    assert_eq!(waiting["samples"].as_array().unwrap().len(), 10);
    let approve = |events: u64| json!({ "events": events, "reason": "checked" });
    let same = belfry.post(&format!("{path}/approve"), &approve(20)).refused(403);
    assert_eq!(same["type"], "/problems/second-person");
    belfry.post_as(&second, &format!("{path}/approve"), &approve(19)).refused(409);
    belfry.post_as(&second, &format!("{path}/approve"), &approve(20)).good();
    belfry.settled(&asked["removal"]);
    let done = belfry.get(&path).good();
    assert_eq!(done["state"], "completed", "{done}");
    assert_eq!(
        (&done["filter"], &done["salt"], &done["filter_hash"]),
        (&Value::Null, &Value::Null, &asked["filter_hash"])
    );
    assert_eq!(done["decided_by"], "second");
    belfry.post_as(&second, &format!("{path}/approve"), &approve(20)).refused(409);

    for (action, who) in [("requested", "admin"), ("approved", "second"), ("completed", "admin")] {
        let told = belfry.search(&format!("event.action: erasure.{action}"));
        assert_eq!(told.len(), 1, "{action}");
        assert_eq!(told[0]["user"]["name"], who, "{}", told[0]);
        assert_eq!(told[0]["removal"]["filter_hash"], asked["filter_hash"]);
    }
    assert_eq!(belfry.count("jane.q.public"), 0);
    assert_eq!(belfry.count("user.name: bob"), 20);
    let gone = belfry.get(&format!("/api/v1/events/{}", jane.start)).refused(410);
    assert!(gone["detail"].as_str().unwrap().contains("erasure of a person's data"), "{gone}");
    assert!(!belfry.get("/api/v1/inbox?limit=500").text().contains("jane"));
    assert!(!belfry.get("/api/v1/deliveries?limit=500").text().contains("jane"));
    verify_with(&belfry, &kept, &vkey);
    belfry.stop();
    assert_eq!(files_with(&belfry.data(), "jane.q.public"), Vec::<String>::new());
    belfry.up();
    verify_with(&belfry, &kept, &vkey);
}

#[test]
fn a_refused_erasure_removes_nothing_and_forgets_whom_it_was_about() {
    let belfry = Belfry::start_with(CONFIG);
    belfry.send_of("session", "jane", 5);
    let draft = json!({ "filter": "user.name: jane", "reason": "asked by mail" });
    let asked = belfry.post("/api/v1/erasures", &draft).good();
    let path = format!("/api/v1/erasures/{}", asked["id"].as_str().unwrap());
    belfry.settled(&asked["removal"]);
    belfry.post(&format!("{path}/refuse"), &json!({ "reason": "" })).refused(422);
    let refused = belfry.post(&format!("{path}/refuse"), &json!({ "reason": "not the person" })).good();
    assert_eq!((&refused["state"], &refused["filter"]), (&json!("refused"), &Value::Null));
    assert_eq!(belfry.count("user.name: jane"), 5);
    let held = belfry.post("/api/v1/holds", &json!({ "name": "all", "filter": "", "reason": "audit" }));
    held.good();
    let asked = belfry.post("/api/v1/erasures", &draft).good();
    let counted = belfry.settled(&asked["removal"]);
    assert_eq!((counted["events"].as_u64(), counted["held"][0]["events"].as_u64()), (Some(0), Some(5)), "{counted}");
}

#[test]
fn a_removal_that_is_killed_goes_on_where_it_stood() {
    let mut belfry = Belfry::start_with(CONFIG);
    let vkey = belfry.get("/api/v1/trail").good()["vkey"].as_str().unwrap().to_owned();
    for _ in 0..100 {
        belfry.send_of("session", "sandra", 2_000);
        belfry.send_of("user", "ulrich", 1_000);
    }
    let kept = belfry.keep_checkpoint();
    belfry.policy("session", "1s");
    std::thread::sleep(Duration::from_millis(1_100));
    let counted = belfry.preview();
    assert_eq!(counted["events"], 200_000);
    let path = format!("/api/v1/removals/{}", counted["id"].as_str().unwrap());
    belfry.post(&format!("{path}/apply"), &json!({ "events": 200_000, "reason": "clean-up" })).good();
    let mut random = fastrand::Rng::with_seed(17);
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(random.u64(20..400)));
        belfry.kill();
        assert_eq!(belfry.verify().0, 0, "{}", belfry.verify().1);
        belfry.up();
    }
    let done = belfry.settled(&counted);
    assert_eq!((&done["state"], done["removed"].as_u64()), (&json!("done"), Some(200_000)), "{done}");
    assert_eq!(belfry.count("event.category: session"), 0);
    assert_eq!(belfry.count("user.name: ulrich"), 100_000);
    assert_eq!(belfry.count("event.action: retention.applied"), 1);
    assert!(verify_with(&belfry, &kept, &vkey).contains("200000 events were removed"));
    belfry.stop();
    assert_eq!(files_with(&belfry.data(), "sandra@example.org"), Vec::<String>::new());
}

#[test]
fn the_command_line_previews_applies_holds_and_erases() {
    let belfry = Belfry::start_with(CONFIG);
    belfry.send_of("session", "sandra", 30);
    let said = |arguments: &[&str]| {
        let output = belfry.cli(arguments);
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
        )
    };
    assert_eq!(said(&["retention", "set", "session", "1s", "--note", "test"]).0, Some(0));
    assert!(said(&["retention", "list"]).1.contains("session"));
    assert_eq!(said(&["retention", "schedule", "04:15"]).0, Some(0));
    assert_eq!(said(&["hold", "place", "case", "--filter", "user.name: nobody", "--reason", "because"]).0, Some(0));
    assert_eq!(said(&["hold", "release", "case", "--reason", "over"]).0, Some(0));
    assert!(said(&["hold", "list"]).1.contains("case"));
    std::thread::sleep(Duration::from_millis(1_100));
    let counted: Value = serde_json::from_str(&said(&["retention", "preview", "--format", "json"]).1).unwrap();
    let id = counted["id"].as_str().unwrap();
    let (code, refusal) = said(&["retention", "apply", id, "--reason", "test"]);
    assert!(code == Some(2) && refusal.contains("--events 30"), "{refusal}");
    let (code, applied) = said(&["retention", "apply", id, "--events", "30", "--reason", "test"]);
    assert!(code == Some(0) && applied.contains("30 events removed"), "{applied}");
    assert!(said(&["retention", "runs"]).1.contains("done"));
    assert_eq!(said(&["retention", "remove", "session"]).0, Some(0));
    let (code, asked) =
        said(&["erasure", "request", "user.name: admin and event.action: user.login", "--reason", "test"]);
    assert_eq!(code, Some(0), "{asked}");
    let id = asked.split_whitespace().next().unwrap();
    assert_eq!(said(&["erasure", "approve", id, "--events", "1"]).0, Some(2), "not by the same person");
    assert_eq!(said(&["erasure", "refuse", id, "--reason", "only a test"]).0, Some(0));
    assert!(said(&["erasure", "list"]).1.contains("refused"));
}
