//! A receiver of webhooks that answers what it is told to.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

#[derive(Debug, Clone)]
pub struct Got {
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }
}

/// Listens on the loopback; keeps all it gets.
pub struct Hook {
    pub port: u16,
    got: Arc<Mutex<Vec<Got>>>,
    status: Arc<Mutex<(u16, String)>>,
    delay: Arc<Mutex<Duration>>,
}

impl Hook {
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let hook = Self {
            port: listener.local_addr().expect("an address").port(),
            got: Arc::default(),
            status: Arc::new(Mutex::new((200, String::new()))),
            delay: Arc::default(),
        };
        let (got, status, delay) = (hook.got.clone(), hook.status.clone(), hook.delay.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (got, status, delay) = (got.clone(), status.clone(), delay.clone());
                std::thread::spawn(move || while converse(&stream, &got, &status, &delay).is_some() {});
            }
        });
        hook
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// From now on answers with `status` and these header lines.
    pub fn answers(&self, status: u16, headers: &str) {
        *self.status.lock().expect("a lock") = (status, headers.to_owned());
    }

    /// From now on thinks for a while before each answer.
    pub fn takes(&self, delay: Duration) {
        *self.delay.lock().expect("a lock") = delay;
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().expect("a lock").clone()
    }

    /// Waits until it got `count`, then answers them.
    #[track_caller]
    pub fn wants(&self, count: usize, seconds: u64) -> Vec<Got> {
        super::eventually(seconds, &format!("{count} webhooks; there are {}", self.got().len()), || {
            let got = self.got();
            (got.len() >= count).then_some(got)
        })
    }
}

fn converse(
    mut stream: &TcpStream,
    got: &Mutex<Vec<Got>>,
    status: &Mutex<(u16, String)>,
    delay: &Mutex<Duration>,
) -> Option<()> {
    let mut buffer = Vec::new();
    let mut chunk = [0; 16 * 1024];
    let (head, length) = loop {
        let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
        buffer.extend_from_slice(&chunk[..read]);
        if let Some(head) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&buffer[..head]).into_owned();
            let headers: Vec<(String, String)> = text
                .lines()
                .skip(1)
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
                .collect();
            let length = headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, value)| value.parse().ok())
                .unwrap_or(0);
            if buffer.len() >= head + 4 + length {
                break ((head, headers), length);
            }
        }
    };
    let (head, headers) = head;
    let body = buffer[head + 4..head + 4 + length].to_vec();
    let delay = *delay.lock().expect("a lock");
    if !delay.is_zero() {
        std::thread::sleep(delay);
    }
    let (code, more) = status.lock().expect("a lock").clone();
    got.lock().expect("a lock").push(Got { headers, body });
    write!(stream, "HTTP/1.1 {code} answer\r\n{more}content-length: 2\r\n\r\nok").ok()
}
