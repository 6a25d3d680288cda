//! How fast entries are on disk: `cargo run --release -p trail --example append [entries] [batch] [threads] [folder]`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement, run by hand")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use trail::{AppendError, Batch, Options, SigningKey, Trail};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| arguments.next().map_or(default, |a| a.parse().unwrap());
    let (entries, batch, threads) = (number(1_000_000), number(2_000), number(4));
    let folder = arguments.next().map_or_else(|| tempfile::tempdir().unwrap().keep(), |f| tempfile::tempdir_in(f).unwrap().keep());
    let key = SigningKey::generate().unwrap();
    Trail::create(&folder, "localhost/append", &key).unwrap();
    let (trail, _) = Trail::open(&folder, key.clone(), Options::default()).unwrap();
    let per_thread = entries / threads;
    // A few batches made ahead for each thread, so that making them is not measured.
    let made: Vec<Vec<Vec<Bytes>>> = (0..threads).map(|t| (0..8).map(|b| (0..batch).map(|i| entry((t * 8 + b) * batch + i)).collect()).collect()).collect();
    let cpu = cpu_seconds();
    let begun = Instant::now();
    let mut latencies: Vec<Duration> = std::thread::scope(|scope| {
        let running: Vec<_> = made
            .iter()
            .map(|own| {
                let trail = trail.clone();
                scope.spawn(move || {
                    let mut took = Vec::new();
                    for n in 0..per_thread / batch {
                        let sent = Instant::now();
                        let batch = Batch { entries: own[(n % 8) as usize].clone(), tag: None };
                        while let Err(AppendError::Busy { .. }) = trail.append_wait(batch.clone()) {
                            std::thread::sleep(Duration::from_millis(5));
                        }
                        took.push(sent.elapsed());
                    }
                    took
                })
            })
            .collect();
        running.into_iter().flat_map(|r| r.join().unwrap()).collect()
    });
    let took = begun.elapsed().as_secs_f64();
    let size = trail.size();
    latencies.sort_unstable();
    let at = |q: f64| latencies[((latencies.len() - 1) as f64 * q) as usize].as_secs_f64() * 1e3;
    println!(
        "{size} entries on disk in {took:.2} s: {:.0}/s, {:.2} CPU s per million; a batch of {batch} took {:.2} ms (p50), {:.2} ms (p99)",
        size as f64 / took,
        (cpu_seconds() - cpu) / size as f64 * 1e6,
        at(0.5),
        at(0.99),
    );
    trail.close();
    drop(trail);
    let closed = begun.elapsed().as_secs_f64();
    println!("all packed after {closed:.2} s, {:.2} CPU s per million, {:.0} bytes per entry on disk", (cpu_seconds() - cpu) / size as f64 * 1e6, disk_bytes(&folder) as f64 / size as f64);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// An entry of about 640 bytes that compresses like a real one.
fn entry(i: u64) -> Bytes {
    let r = |salt: u64| (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(salt as u32 * 11).wrapping_mul(salt * 2 + 1);
    let mut text = String::with_capacity(700);
    let actions = ["credential.viewed", "authentication.failed", "session.started", "credential.rotated", "user.login"];
    write!(
        text,
        "{{\"@timestamp\":\"2026-11-21T{:02}:{:02}:{:02}.{:03}Z\",\"credential\":{{\"id\":\"{:016x}\",\"username\":\"svc-{}\"}},\"event\":{{\"action\":\"{}\",\"category\":\"iam\",\"id\":\"{:016x}{:016x}\",\"ingested\":\"2026-11-21T12:00:{:02}.{:06}Z\",\"module\":\"vault\",\"outcome\":\"success\",\"severity\":{}}},",
        r(1) % 24, r(2) % 60, r(3) % 60, r(4) % 1000, r(5), r(6) % 3000, actions[(r(7) % 5) as usize], r(8), r(9), i % 60, r(10) % 1_000_000, r(11) % 100
    ).unwrap();
    write!(
        text,
        "\"host\":{{\"ip\":\"10.{}.{}.{}\",\"name\":\"srv-{:05}.acme.example\"}},\"message\":\"User user{:04} viewed the password of svc-{} on srv-{:05} for ticket CHG{:07}\",\"session\":{{\"id\":\"{:016x}\"}},\"source\":{{\"ip\":\"192.168.{}.{}\",\"port\":{}}},\"user\":{{\"email\":\"user{:04}@acme.example\",\"id\":\"{}\",\"name\":\"user{:04}\"}}}}",
        r(12) % 256, r(13) % 256, r(14) % 256, r(15) % 20_000, r(16) % 5_000, r(6) % 3000, r(15) % 20_000, r(17) % 10_000_000, r(18), r(19) % 256, r(20) % 256, r(21) % 65_536, r(16) % 5_000, r(16) % 5_000, r(16) % 5_000
    ).unwrap();
    text.into()
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn disk_bytes(path: &std::path::Path) -> u64 {
    let meta = std::fs::metadata(path).unwrap();
    if meta.is_file() {
        return meta.len();
    }
    std::fs::read_dir(path).unwrap().map(|e| disk_bytes(&e.unwrap().path())).sum()
}
