//! A server of one's own for each test, and the people who use it.

pub mod files;
pub mod hook;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Runtime;

pub const PASSWORD: &str = "correct horse battery staple";

/// A running server with its own data folder, and an administrator's token.
pub struct Belfry {
    pub dir: tempfile::TempDir,
    pub url: String,
    pub token: String,
    pub syslog: Option<u16>,
    child: Option<Child>,
    http: reqwest::Client,
    runtime: Runtime,
}

/// What a request was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The answer, which must have been a good one.
    #[track_caller]
    pub fn good(self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text());
        if self.bytes.is_empty() { Value::Null } else { self.json() }
    }

    #[track_caller]
    pub fn refused(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text());
        self.json()
    }
}

pub fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_belfry"))
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the binary to its end.
pub fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(binary())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).ok();
    child.wait_with_output().expect("the binary ends")
}

impl Belfry {
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// Starts with more lines of belfry.toml.
    pub fn start_with(config: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let data = dir.path().join("data");
        let init =
            run(&["init", "--data", data.to_str().expect("UTF-8"), "--admin", "admin"], &format!("{PASSWORD}\n"));
        assert!(
            init.status.success(),
            "{}{}",
            String::from_utf8_lossy(&init.stdout),
            String::from_utf8_lossy(&init.stderr)
        );
        let said = String::from_utf8_lossy(&init.stdout).into_owned() + &String::from_utf8_lossy(&init.stderr);
        let token =
            said.split_whitespace().find(|word| word.starts_with("blf_")).expect("init prints a token").to_owned();
        let syslog = free_port();
        let sockets = format!("[syslog]\nudp = \"127.0.0.1:{syslog}\"\ntcp = \"127.0.0.1:{syslog}\"\n");
        // More of this section goes into the same one.
        let config = match config.split_once("[syslog]\n") {
            Some((before, more)) => format!("{before}{sockets}{more}\n"),
            None => format!("{config}\n{sockets}"),
        };
        std::fs::write(data.join("belfry.toml"), config).expect("the configuration");
        Self::over(dir, token, Some(syslog))
    }

    /// Starts on the folder `data` in `dir`, which is there already.
    pub fn over(dir: tempfile::TempDir, token: String, syslog: Option<u16>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let mut belfry = Self {
            dir,
            url: String::new(),
            token,
            syslog,
            child: None,
            http: reqwest::Client::builder().timeout(Duration::from_secs(60)).build().expect("a client"),
            runtime,
        };
        belfry.up();
        belfry
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Starts the server on its data folder and waits until it says where it listens.
    pub fn up(&mut self) {
        let (child, url) = spawn(&self.data()).unwrap_or_else(|said| panic!("the server did not start: {said}"));
        self.child = Some(child);
        self.url = url;
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }

    /// Ends it as an operator does, and waits.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().ok();
            let status = child.wait().expect("it ends");
            assert!(status.success(), "a clean end: {status}");
        }
    }

    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub fn client(&self) -> &reqwest::Client {
        &self.http
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().expect("a method");
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    pub fn answer(&self, request: reqwest::RequestBuilder) -> Answer {
        self.try_answer(request).expect("an answer")
    }

    pub fn try_answer(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
        self.wait(async {
            let answer = request.send().await?;
            let status = answer.status().as_u16();
            let headers = answer
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("").to_owned()))
                .collect();
            Ok(Answer { status, headers, bytes: answer.bytes().await?.to_vec() })
        })
    }

    pub fn get(&self, path: &str) -> Answer {
        self.answer(self.request("GET", path))
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.answer(self.request("POST", path).json(body))
    }

    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.answer(self.request("PUT", path).json(body))
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.answer(self.request("DELETE", path))
    }

    /// Sends a raw body to the events door.
    pub fn send_body(&self, query: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.answer(
            self.request("POST", &format!("/api/v1/events{query}"))
                .header("content-type", "application/json")
                .body(body),
        )
    }

    /// Sends an event as it is; answers its position.
    #[track_caller]
    pub fn send(&self, event: &Value) -> u64 {
        let receipt = self.post("/api/v1/events", event).good();
        receipt["first"].as_u64().unwrap_or_else(|| panic!("not accepted: {receipt}"))
    }

    /// The events a filter finds, newest first.
    #[track_caller]
    pub fn search(&self, filter: &str) -> Vec<Value> {
        let found =
            self.answer(self.request("GET", "/api/v1/events").query(&[("filter", filter), ("limit", "1000")])).good();
        found["items"].as_array().expect("items").iter().map(|item| item["event"].clone()).collect()
    }

    /// Runs a client command against this server.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        Command::new(binary())
            .args(arguments)
            .env("BELFRY_URL", &self.url)
            .env("BELFRY_TOKEN", &self.token)
            .stdin(Stdio::null())
            .output()
            .expect("the binary runs")
    }

    /// Runs `belfry verify` on the data folder (of a stopped or running server); answers the exit code and what it said.
    pub fn verify(&self) -> (i32, String) {
        verify(&self.data())
    }

    /// Lets a webhook, mail or other channel reach the loopback.
    pub fn allow_loopback(&self) {
        self.put("/api/v1/settings", &json!({ "outgoing_allow": ["127.0.0.1"] })).good();
    }

    #[track_caller]
    pub fn channel(&self, kind: &str, settings: &Value) -> String {
        let body = json!({ "name": format!("{kind} {}", fastrand::u32(..)), "kind": kind, "enabled": true, "settings": settings });
        let channel = self.post("/api/v1/channels", &body).good();
        channel["id"]
            .as_str()
            .or_else(|| channel["channel"]["id"].as_str())
            .unwrap_or_else(|| panic!("no id: {channel}"))
            .to_owned()
    }

    #[track_caller]
    pub fn rule(&self, filter: &str, hold_seconds: u64, channel: &str) -> String {
        let body = json!({
            "name": format!("rule {}", fastrand::u32(..)), "enabled": true, "filter": filter, "hold_seconds": hold_seconds,
            "recipients": [{ "channel": channel, "to": [] }],
        });
        self.post("/api/v1/rules", &body).good()["id"].as_str().expect("an id").to_owned()
    }
}

impl Drop for Belfry {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.data().join("test.log")).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(25).collect();
            for line in tail.iter().rev() {
                eprintln!("server: {line}");
            }
        }
        self.kill();
    }
}

/// Starts `belfry serve`; answers the process and its address, or what it said instead.
pub fn spawn(data: &Path) -> Result<(Child, String), String> {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(data.join("test.log")).expect("a log");
    let mut child = Command::new(binary())
        .args(["serve", "--data", data.to_str().expect("UTF-8"), "--listen", "127.0.0.1:0"])
        .env("BELFRY_LOG", "info")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .expect("the binary starts");
    let stdout = child.stdout.take().expect("a pipe");
    let (said, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if said.send(line).is_err() {
                break;
            }
        }
    });
    let until = Instant::now() + Duration::from_secs(30);
    while Instant::now() < until {
        match heard.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => {
                if let Some(url) = line.split_whitespace().find(|word| word.starts_with("http://127.0.0.1:")) {
                    return Ok((child, url.trim_end_matches('/').to_owned()));
                }
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let status = child.wait().expect("it ends");
                let mut log = String::new();
                std::fs::File::open(data.join("test.log")).and_then(|mut file| file.read_to_string(&mut log)).ok();
                let tail: Vec<&str> = log.lines().rev().take(5).collect();
                return Err(format!("{status}: {}", tail.into_iter().rev().collect::<Vec<_>>().join("\n")));
            }
        }
    }
    child.kill().ok();
    Err("it said no address within 30 s".to_owned())
}

/// Runs `belfry verify` on a data folder; answers the exit code and what it said.
pub fn verify(data: &Path) -> (i32, String) {
    let output = run(&["verify", data.to_str().expect("UTF-8")], "");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap_or(-1), said)
}

pub fn free_port() -> u16 {
    // Not one that the system may give to a connection of somebody else while our server is down.
    static NEXT: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);
    let begin = std::process::id() % 20_000;
    loop {
        let nth = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let port = 10_000 + ((begin + u32::from(nth)) % 20_000) as u16;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()
            && std::net::UdpSocket::bind(("127.0.0.1", port)).is_ok()
        {
            return port;
        }
    }
}

/// Asks until it is so, or fails after `seconds`.
#[track_caller]
pub fn eventually<T>(seconds: u64, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < until, "not within {seconds} s: {what}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// A plain event of `action` by `user`.
pub fn event(action: &str, user: &str) -> Value {
    json!({ "event": { "action": action }, "user": { "name": user }, "source": { "ip": "10.1.2.3" } })
}
