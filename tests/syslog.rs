//! Syslog daemons and handlers that people run, over TCP, TLS and RELP; and senders that do it wrong.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::clients::python;
use crate::support::{Belfry, eventually, free_port, root};

/// A server with all kinds of syslog, and the certificates for it.
struct Post {
    belfry: Belfry,
    tls: u16,
    relp: u16,
    relp_tls: u16,
    dir: tempfile::TempDir,
}

impl Post {
    fn open(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        certificates(dir.path());
        let (tls, relp, relp_tls) = (free_port(), free_port(), free_port());
        let path = dir.path().display();
        let belfry = Belfry::start_with(&format!(
            "[syslog]\ntls = \"127.0.0.1:{tls}\"\nrelp = \"127.0.0.1:{relp}\"\nrelp_tls = \"127.0.0.1:{relp_tls}\"\n\
             certificate = \"{path}/server.pem\"\nkey = \"{path}/server.key\"\nclient_authority = \"{path}/ca.pem\"\n{more}\n"
        ));
        Self { belfry, tls, relp, relp_tls, dir }
    }

    fn tcp(&self) -> u16 {
        self.belfry.syslog.unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn certificates(folder: &Path) {
    let done = Command::new(python())
        .arg(root().join("tests/clients/certificates.py"))
        .arg(folder)
        .arg("web-1.example.org")
        .status()
        .unwrap();
    assert!(done.success());
}

/// A daemon of a test's own; ends with it.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        Command::new("kill").arg(self.0.id().to_string()).status().ok();
        let until = std::time::Instant::now() + Duration::from_secs(5);
        while std::time::Instant::now() < until {
            if self.0.try_wait().ok().flatten().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// rsyslogd with a socket for logger and one action.
fn rsyslog(folder: &Path, action: &str) -> Daemon {
    let path = folder.display();
    let config = format!(
        "global(workDirectory=\"{path}\" defaultNetstreamDriverCAFile=\"{path}/ca.pem\" \
         defaultNetstreamDriverCertFile=\"{path}/client.pem\" defaultNetstreamDriverKeyFile=\"{path}/client.key\")\n\
         module(load=\"imuxsock\" SysSock.Use=\"off\")\nmodule(load=\"omrelp\")\n\
         input(type=\"imuxsock\" Socket=\"{path}/log.sock\" RateLimit.Interval=\"0\")\n{action}\n"
    );
    std::fs::write(folder.join("rsyslog.conf"), config).unwrap();
    let log = std::fs::File::create(folder.join("rsyslog.log")).unwrap();
    let child = Command::new("rsyslogd")
        .args(["-n", "-f"])
        .arg(folder.join("rsyslog.conf"))
        .arg("-i")
        .arg(folder.join("rsyslog.pid"))
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .expect("rsyslog is installed (scripts/debian.sh test)");
    let daemon = Daemon(child);
    eventually(10, "rsyslog's socket", || folder.join("log.sock").exists().then_some(()));
    daemon
}

/// Logs lines through a daemon's socket.
fn log(socket: &Path, tag: &str, lines: impl Iterator<Item = String>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines.map(|line| line + "\n").collect::<String>()).unwrap();
    let done = Command::new("logger")
        .args(["--tag", tag, "--priority", "auth.info", "--socket"])
        .arg(socket)
        .arg("--file")
        .arg(file.path())
        .status()
        .unwrap();
    assert!(done.success());
}

fn entries(belfry: &Belfry, word: &str) -> std::collections::BTreeSet<String> {
    belfry
        .search(&format!("event.original: *{word}*"))
        .iter()
        .filter_map(|event| {
            let original = event["event"]["original"].as_str()?;
            // A message in UTF-8 may begin with a byte order mark (RFC 5424, 6.4), and is kept as it came.
            let mut words = original.split_whitespace().map(|found| found.trim_start_matches('\u{feff}'));
            words.find(|found| found.starts_with(word)).map(str::to_owned)
        })
        .collect()
}

fn has_all(belfry: &Belfry, word: &str, count: usize) {
    eventually(60, &format!("{count} of {word}"), || (entries(belfry, word).len() >= count).then_some(()));
    assert_eq!(entries(belfry, word).len(), count);
}

#[test]
fn rsyslog_over_tcp_with_its_queue_on_disk() {
    let mut post = Post::open("");
    let folder = post.dir.path().to_owned();
    let action = format!(
        "action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{}\" protocol=\"tcp\" TCP_Framing=\"octet-counted\" \
         template=\"RSYSLOG_SyslogProtocol23Format\" queue.type=\"LinkedList\" queue.filename=\"belfry\" \
         queue.saveOnShutdown=\"on\" action.resumeRetryCount=\"-1\" action.resumeInterval=\"1\")",
        post.tcp()
    );
    let _daemon = rsyslog(&folder, &action);
    log(&post.path("log.sock"), "ledger", (0..200).map(|n| format!("tcpq{n:04} is kept")));
    has_all(&post.belfry, "tcpq", 200);
    // Belfry is away for a while; what is logged meanwhile waits at the sender.
    post.belfry.stop();
    log(&post.path("log.sock"), "ledger", (200..600).map(|n| format!("tcpq{n:04} is kept")));
    std::thread::sleep(Duration::from_secs(1));
    post.belfry.up();
    has_all(&post.belfry, "tcpq", 600);
}

#[test]
fn rsyslog_over_relp_loses_nothing_when_belfry_is_killed() {
    let mut post = Post::open("");
    let folder = post.dir.path().to_owned();
    let action = format!(
        "action(type=\"omrelp\" target=\"127.0.0.1\" port=\"{}\" template=\"RSYSLOG_SyslogProtocol23Format\" \
         queue.type=\"LinkedList\" queue.filename=\"relp\" queue.saveOnShutdown=\"on\" \
         action.resumeRetryCount=\"-1\" action.resumeInterval=\"1\")",
        post.relp
    );
    let _daemon = rsyslog(&folder, &action);
    for round in 0..3 {
        let from = round * 300;
        log(&post.path("log.sock"), "ledger", (from..from + 300).map(|n| format!("relpq{n:04} is kept")));
        if round < 2 {
            std::thread::sleep(Duration::from_millis(30));
            post.belfry.kill();
            post.belfry.up();
        }
    }
    has_all(&post.belfry, "relpq", 900);
}

#[test]
fn rsyslog_over_tls_with_a_client_certificate() {
    let post = Post::open("");
    let action = format!(
        "action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{}\" protocol=\"tcp\" TCP_Framing=\"octet-counted\" \
         template=\"RSYSLOG_SyslogProtocol23Format\" StreamDriver=\"gtls\" StreamDriverMode=\"1\" \
         StreamDriverAuthMode=\"x509/name\" StreamDriverPermittedPeers=\"localhost\" action.resumeRetryCount=\"-1\")",
        post.tls
    );
    let _daemon = rsyslog(post.dir.path(), &action);
    log(
        &post.path("log.sock"),
        "sshd",
        std::iter::once("Failed password for tlsq1 from 203.0.113.9 port 4 ssh2".into()),
    );
    let found = eventually(20, "the message", || post.belfry.search("user.name: tlsq1").pop());
    assert_eq!(found["event"]["action"], "authentication.failed");
    assert_eq!(found["tls"]["client"]["x509"]["subject"]["common_name"], "web-1.example.org", "{found}");
    assert!(found["tls"]["client"]["subject"].as_str().unwrap().contains("CN=web-1.example.org"));
    assert_eq!(found["tls"]["client"]["hash"]["sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn rsyslog_over_relp_with_tls() {
    let post = Post::open("client_certificate = \"optional\"");
    let path = post.dir.path().display().to_string();
    let action = format!(
        "action(type=\"omrelp\" target=\"127.0.0.1\" port=\"{}\" template=\"RSYSLOG_SyslogProtocol23Format\" tls=\"on\" \
         tls.caCert=\"{path}/ca.pem\" tls.myCert=\"{path}/client.pem\" tls.myPrivKey=\"{path}/client.key\" \
         tls.authMode=\"name\" tls.permittedPeer=[\"localhost\"] action.resumeRetryCount=\"-1\" action.resumeInterval=\"1\")",
        post.relp_tls
    );
    let _daemon = rsyslog(post.dir.path(), &action);
    log(&post.path("log.sock"), "ledger", (0..20).map(|n| format!("relptls{n:04} is kept")));
    has_all(&post.belfry, "relptls", 20);
}

#[test]
fn syslog_ng_over_tls_and_tcp() {
    let home = root().join("target/syslog-ng");
    if !home.join("usr/sbin/syslog-ng").exists() {
        println!("skipped: {} is missing (scripts/debian.sh test)", home.display());
        return;
    }
    let post = Post::open("");
    let path = post.dir.path().display().to_string();
    let config = format!(
        "@version: 3.38\noptions {{ stats-freq(0); }};\nsource s {{ unix-dgram(\"{path}/ng.sock\"); }};\n\
         destination t {{ syslog(\"127.0.0.1\" port({}) transport(\"tls\") tls(ca-file(\"{path}/ca.pem\") \
         key-file(\"{path}/client.key\") cert-file(\"{path}/client.pem\") peer-verify(required-trusted))); }};\n\
         destination n {{ network(\"127.0.0.1\" port({}) transport(\"tcp\")); }};\n\
         log {{ source(s); destination(t); }};\nlog {{ source(s); destination(n); }};\n",
        post.tls,
        post.tcp()
    );
    std::fs::write(post.path("ng.conf"), config).unwrap();
    let libraries = ["usr/lib/syslog-ng", "usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"]
        .map(|folder| home.join(folder).display().to_string())
        .join(":");
    let log_file = std::fs::File::create(post.path("ng.log")).unwrap();
    let _daemon = Daemon(
        Command::new(home.join("usr/sbin/syslog-ng"))
            .env("LD_LIBRARY_PATH", libraries)
            .args(["-F", "--no-caps", "-f"])
            .arg(post.path("ng.conf"))
            .arg("-R")
            .arg(post.path("ng.persist"))
            .arg("-p")
            .arg(post.path("ng.pid"))
            .arg("-c")
            .arg(post.path("ng.ctl"))
            .arg("--module-path")
            .arg(home.join("usr/lib/syslog-ng/3.38"))
            .stdout(log_file.try_clone().unwrap())
            .stderr(log_file)
            .spawn()
            .unwrap(),
    );
    eventually(10, "syslog-ng's socket", || post.path("ng.sock").exists().then_some(()));
    log(&post.path("ng.sock"), "sshd", std::iter::once("Failed password for ngq1 from 203.0.113.9 port 4 ssh2".into()));
    let found = eventually(20, "both ways", || {
        let found = post.belfry.search("user.name: ngq1");
        (found.len() == 2).then_some(found)
    });
    let named =
        found.iter().filter(|event| event["tls"]["client"]["x509"]["subject"]["common_name"] == "web-1.example.org");
    assert_eq!(named.count(), 1, "{found:?}");
}

#[test]
fn the_logging_handler_of_python_over_tcp_and_tls() {
    let post = Post::open("");
    for (port, transport) in [(post.tcp(), "tcp"), (post.tls, "tls")] {
        let done = Command::new(python())
            .arg(root().join("tests/clients/rfc5424.py"))
            .args([&port.to_string(), transport])
            .arg(post.dir.path())
            .args([format!("{transport}handler1 first"), format!("{transport}handler2 of two\nlines")])
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        has_all(&post.belfry, &format!("{transport}handler"), 2);
    }
}

#[test]
fn clients_without_the_right_certificate_are_turned_away_and_a_new_certificate_is_taken() {
    let post = Post::open("");
    let connect = |certificate: Option<&str>| {
        let mut command = Command::new("openssl");
        // At the end of its input it says goodbye, which -quiet alone would not let it.
        command.args([
            "s_client",
            "-quiet",
            "-no_ign_eof",
            "-verify_return_error",
            "-connect",
            &format!("127.0.0.1:{}", post.tls),
        ]);
        command.arg("-CAfile").arg(post.path("ca.pem"));
        if let Some(name) = certificate {
            command
                .arg("-cert")
                .arg(post.path(&format!("{name}.pem")))
                .arg("-key")
                .arg(post.path(&format!("{name}.key")));
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("openssl runs");
        let mut input = child.stdin.take().unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let text = format!("<13>1 - - ledger - - - openssl{}\n", certificate.unwrap_or("none"));
        input.write_all(text.as_bytes()).ok();
        std::thread::sleep(Duration::from_millis(300));
        drop(input);
        child.wait_with_output().unwrap()
    };
    connect(None);
    connect(Some("stranger"));
    connect(Some("client"));
    has_all(&post.belfry, "openssl", 1);
    assert_eq!(entries(&post.belfry, "openssl").first().unwrap(), "opensslclient");

    // A new authority and new certificates in the same files: taken without a restart.
    certificates(post.dir.path());
    eventually(20, "the new certificate", || connect(Some("client")).status.success().then_some(()));
    assert!(
        eventually(10, "its message", || {
            let found = post.belfry.search("event.original: *opensslclient*").len();
            (found >= 2).then_some(found)
        }) >= 2
    );
    // Somebody who connects and never shakes hands holds up nobody.
    let _mute = TcpStream::connect(("127.0.0.1", post.tls)).unwrap();
    assert!(connect(Some("client")).status.success());
}

/// Sends bytes over TCP in pieces and closes.
fn send(port: u16, pieces: &[&[u8]]) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_nodelay(true).unwrap();
    for piece in pieces {
        stream.write_all(piece).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn set_aside(belfry: &Belfry) -> Vec<Value> {
    belfry.get("/api/v1/set-aside?limit=200").good()["items"].as_array().unwrap().clone()
}

#[test]
fn frames_that_are_wrong_lose_and_merge_nothing() {
    let belfry = Belfry::start();
    let port = belfry.syslog.unwrap();
    let message = |word: &str| format!("<13>1 2026-11-20T10:00:00Z web-1 ledger - - - {word} né");
    let counted = |word: &str, count: fn(&str) -> usize| {
        let message = message(word);
        format!("{} {message}", count(&message))
    };
    // Counts of characters, counts that are too small and too large, with and without line ends.
    send(port, &[(counted("frame01", |m| m.chars().count()) + &counted("frame02", |m| m.chars().count())).as_bytes()]);
    send(port, &[(counted("frame03", |m| m.len() - 3) + "\n" + &counted("frame04", str::len)).as_bytes()]);
    send(port, &[(counted("frame05", |m| m.len() + 30) + &counted("frame06", str::len)).as_bytes()]);
    // A byte at a time; both framings on one connection; an end in the middle.
    let slow = counted("frame07", str::len);
    send(port, &slow.as_bytes().chunks(9).collect::<Vec<_>>());
    send(port, &[format!("{}\n", message("frame08")).as_bytes(), counted("frame09", str::len).as_bytes()]);
    send(port, &[format!("{}\r\n\0\0\r\n{}", message("frame10"), message("frame11")).as_bytes()]);
    let cut = counted("frame12", str::len);
    send(port, &[&cut.as_bytes()[..cut.len() - 2]]);
    // Broken structured data, and a line break and a NUL within a counted message that imitates another.
    send(port, &["<13>1 - h ledger - - [x@1 a=\"frame13\" b=\"un\"quoted ] c=\"] frame13 text\n".as_bytes()]);
    let imitating = format!("{}\n<13>1 - - sshd - - - frame99 Accepted password for root", message("frame14"));
    send(port, &[format!("{} {imitating}", imitating.len()).as_bytes()]);
    let nul = message("frame15") + "\0with NUL";
    send(port, &[format!("{} {nul}", nul.len()).as_bytes()]);
    // Latin-1 over TCP, UTF-16 in a datagram.
    send(port, &[b"<13>1 - - ledger - - - frame16 caf\xe9\n"]);
    let wide: Vec<u8> = std::iter::once(0xfeff)
        .chain("<13>1 - - ledger - - - frame17 wide".encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&wide, ("127.0.0.1", port)).unwrap();

    // What of these can't become an event is set aside, byte for byte; nothing is in neither place, or in both.
    let all = || {
        let mut seen = Vec::new();
        for event in belfry.search("event.module: *") {
            if let Some(original) = event["event"]["original"].as_str() {
                seen.push(original.to_owned());
            }
        }
        seen.extend(set_aside(&belfry).iter().filter_map(|item| item["record"].as_str().map(str::to_owned)));
        seen
    };
    let plain = |text: &str| text.replace(['\0', '\u{2400}'], "");
    for number in 1..=17 {
        let word = format!("frame{number:02}");
        eventually(20, &word, || all().iter().any(|text| plain(text).contains(&word)).then_some(()));
    }
    let seen = all();
    for number in 1..=17 {
        let word = format!("frame{number:02}");
        let holding: Vec<&String> = seen.iter().filter(|text| plain(text).contains(&word)).collect();
        assert_eq!(holding.len(), 1, "{word}: {holding:?}");
        let others = (1..=17).filter(|other| *other != number);
        for other in others {
            assert!(!plain(holding[0]).contains(&format!("frame{other:02}")), "{word} is merged: {holding:?}");
        }
    }
    assert!(belfry.search("event.module: sshd").is_empty(), "what a message holds is not taken for another");
}

#[test]
fn senders_that_misbehave_hold_up_nobody() {
    let relp = free_port();
    let belfry = Belfry::start_with(&format!("[syslog]\nrelp = \"127.0.0.1:{relp}\"\n"));
    let port = belfry.syslog.unwrap();
    // Silent, half a message, never reading, and gone without a word.
    let idle: Vec<TcpStream> = (0..50).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    let mut half = TcpStream::connect(("127.0.0.1", port)).unwrap();
    half.write_all(b"500 <13>1 - - ledger - - - never whole").unwrap();
    let mut deaf = TcpStream::connect(("127.0.0.1", relp)).unwrap();
    deaf.write_all(b"1 open 30 relp_version=0\ncommands=syslog\n").unwrap();
    // Longer than any message may be: what fits goes on, the rest is left out, the next message is whole.
    let mut oversized = b"<13>1 - - ledger - - - oversized ".to_vec();
    oversized.extend(std::iter::repeat_n(b'x', 3 << 20));
    oversized.extend_from_slice(b"\n<13>1 - - ledger - - - after01 the long one\n");
    send(port, &[&oversized]);
    has_all(&belfry, "after", 1);
    // It is set aside after what was understood went into the trail.
    eventually(20, "the long one", || {
        (belfry.search("event.original: *oversized*").len() + set_aside(&belfry).len() >= 1).then_some(())
    });
    // Words that are no RELP end the connection.
    let mut stranger = TcpStream::connect(("127.0.0.1", relp)).unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    stranger.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert!(matches!(stranger.read(&mut [0; 10]), Ok(0) | Err(_)));
    // And by hand, as a client does it.
    let mut client = TcpStream::connect(("127.0.0.1", relp)).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let text = "<13>1 - - ledger - - - after02 by hand";
    let offer = "relp_version=0\nrelp_software=test\ncommands=syslog";
    client
        .write_all(format!("1 open {} {offer}\n2 syslog {} {text}\n3 close 0\n", offer.len(), text.len()).as_bytes())
        .unwrap();
    let mut said = String::new();
    client.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("1 rsp ") && said.contains("\n2 rsp 6 200 OK\n3 rsp 0\n"), "{said:?}");
    assert_eq!(entries(&belfry, "after").len(), 2, "an answer means that it is kept");
    drop((idle, half, deaf));
}
