//! A web server that serves files, as any static host of a tlog-tiles log does.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Serves a folder that can be exchanged for another. What is missing is 404; what lies there with `.gone` behind its
/// name is 410.
pub struct Files {
    port: u16,
    folder: Arc<Mutex<PathBuf>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Files {
    pub fn serve(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let files = Self {
            port: listener.local_addr().expect("an address").port(),
            folder: Arc::new(Mutex::new(folder.to_path_buf())),
            asked: Arc::default(),
        };
        let (folder, asked) = (files.folder.clone(), files.asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (folder, asked) = (folder.clone(), asked.clone());
                std::thread::spawn(move || while answer(&stream, &folder, &asked).is_some() {});
            }
        });
        files
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/log", self.port)
    }

    pub fn change_to(&self, folder: &Path) {
        *self.folder.lock().expect("a lock") = folder.to_path_buf();
    }

    /// What was asked for since the last time.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("a lock"))
    }
}

fn answer(mut stream: &TcpStream, folder: &Mutex<PathBuf>, asked: &Mutex<Vec<String>>) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read(&mut byte).ok().filter(|read| *read > 0)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1)?.trim_start_matches("/log/").to_owned();
    asked.lock().expect("a lock").push(path.clone());
    let file = folder.lock().expect("a lock").join(&path);
    let gone = file.with_file_name(format!("{}.gone", file.file_name()?.to_string_lossy()));
    let (status, body) = match std::fs::read(&file) {
        _ if gone.exists() => ("410 Gone", Vec::new()),
        Ok(bytes) => ("200 OK", bytes),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len()).ok()?;
    stream.write_all(&body).ok()
}
