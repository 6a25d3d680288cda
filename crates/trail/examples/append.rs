//! How fast entries are on disk: `cargo run --release -p trail --example append [entries] [batch] [threads] [folder]`.
//! FRAME and LEVEL in the environment set the entries in a frame and the level of zstd, SHRED packs by field.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement, run by hand")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use trail::{AppendError, Batch, Options, SigningKey, Trail};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| arguments.next().map_or(default, |a| a.parse().unwrap());
    let (entries, batch, threads) = (number(1_000_000), number(2_000), number(4));
    let temporary = arguments.next().map_or_else(tempfile::tempdir, tempfile::tempdir_in).unwrap();
    let folder = temporary.path();
    let mut options = Options::default();
    if let Ok(n) = std::env::var("FRAME") {
        options.frame_entries_max = n.parse().unwrap();
    }
    if let Ok(n) = std::env::var("LEVEL") {
        options.zstd_level = n.parse().unwrap();
    }
    options.shred = std::env::var_os("SHRED").is_some();
    let key = SigningKey::generate().unwrap();
    Trail::create(folder, "localhost/append", &key).unwrap();
    let (trail, _) = Trail::open(folder, key.clone(), options).unwrap();
    let per_thread = entries / threads;
    // A few batches made ahead for each thread, so that making them is not measured.
    let made: Vec<Vec<Vec<Bytes>>> = (0..threads)
        .map(|t| (0..8).map(|b| (0..batch).map(|i| entry((t * 8 + b) * batch + i)).collect()).collect())
        .collect();
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
    while has_sealed(folder) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let closed = begun.elapsed().as_secs_f64();
    println!(
        "all packed after {closed:.2} s, {:.2} CPU s per million, {:.1} bytes per packed entry",
        (cpu_seconds() - cpu) / size as f64 * 1e6,
        packed_bytes_per_entry(folder)
    );
    reads(&trail);
    trail.close();
    drop(trail);
    let begun = Instant::now();
    let (trail, _) = Trail::open(folder, key, Options::default()).unwrap();
    println!("opened again in {:.0} ms", begun.elapsed().as_secs_f64() * 1e3);
    reads(&trail);
    let key = trail.public_key().clone();
    drop(trail);
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let verified = trail::verify::folder(folder, &key, &mut |_| (), None).unwrap();
    let (took, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let size = verified.size as f64;
    println!("verified in {:.0} ms: {:.0} entries/s, {:.0} entries per CPU s", took * 1e3, size / took, size / cpu);
}

fn reads(trail: &Trail) {
    let size = trail.size();
    let time = |what: &str, run: &dyn Fn(u64)| {
        let rounds = 20;
        let begun = Instant::now();
        (0..rounds).for_each(run);
        println!("  {what}: {:.3} ms", begun.elapsed().as_secs_f64() * 1e3 / f64::from(rounds as u32));
    };
    let random = |round: u64, i: u64| (round * 50 + i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) % size;
    time("the newest 50 one by one", &|_| (size - 50..size).for_each(|p| drop(trail.get(p).unwrap())));
    time("50 anywhere", &|round| (0..50).for_each(|i| drop(trail.get(random(round, i)).unwrap())));
    time("10,000 in a row", &|round| {
        drop(trail.read(random(round, 0).min(size - 10_000), 10_000, usize::MAX).unwrap())
    });
    let sealed = trail.seal().unwrap();
    time("an inclusion proof", &|round| drop(trail.inclusion(random(round, 1), sealed.size).unwrap()));
    time("a consistency proof", &|round| drop(trail.consistency(random(round, 2), sealed.size).unwrap()));
}

fn has_sealed(folder: &std::path::Path) -> bool {
    std::fs::read_dir(folder.join("log"))
        .unwrap()
        .filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|x| x == "wal"))
        .count()
        > 1
}

/// An entry of about 640 bytes that compresses like a real one.
fn entry(i: u64) -> Bytes {
    let r = |salt: u64| {
        (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(salt as u32 * 11).wrapping_mul(salt * 2 + 1)
    };
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

/// Bytes of packs for each entry in them. The last segment is not packed yet and not counted.
fn packed_bytes_per_entry(folder: &std::path::Path) -> f64 {
    let files = std::fs::read_dir(folder.join("log")).unwrap().map(|e| e.unwrap().path());
    let of = |ending: &'static str| move |p: &std::path::PathBuf| p.extension().is_some_and(|x| x == ending);
    let (packs, wals): (Vec<_>, Vec<_>) = files.partition(of("pack"));
    let end = wals
        .iter()
        .filter(|p| of("wal")(p))
        .map(|p| p.file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap())
        .min();
    packs.iter().map(|p| p.metadata().unwrap().len()).sum::<u64>() as f64 / end.unwrap() as f64
}
