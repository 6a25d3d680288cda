//! What a record costs: `cargo test --release -p wire --test cost -- --ignored --nocapture`.

#![allow(
    clippy::unwrap_used,
    clippy::type_complexity,
    clippy::needless_pass_by_value,
    reason = "a test that can't go on fails, and may be a little wasteful"
)]

use std::time::{Duration, Instant};

use event::admit::Defaults;
use event::{Catalogue, Value};
use wire::mapping::samples::received_at;
use wire::mapping::{Mapping, Meta, Outcome, find};

const VAULT: &str = r#"{"time":"2026-05-12T08:01:00.2Z","type":"response","auth":{"client_token":"hmac-sha256:95b624915ff8dd55a4028bb57d1af8c6d487a99033b507b99a5a6e943b4933ef","accessor":"hmac-sha256:8fa4f7f3d1fd812064950025cde2b1565829a9dc5075253399e5ede8f8a1d98e","display_name":"userpass-ana","policies":["app","default"],"token_policies":["app","default"],"metadata":{"username":"ana"},"entity_id":"e-1","token_type":"service","token_ttl":259200},"request":{"id":"0042ad1b-1400-7eb7-5e25-1dfc898c1998","operation":"read","mount_type":"kv","mount_point":"secret/","client_token":"hmac-sha256:95b624915ff8dd55a4028bb57d1af8c6d487a99033b507b99a5a6e943b4933ef","namespace":{"id":"root"},"path":"secret/data/apps/payments/db","remote_address":"10.6.8.36","remote_port":41022},"response":{"mount_type":"kv","data":{"data":{"customer_key":"hmac-sha256:85d3c6e705ea04f49772b92cc7335e34c53f0264a6d75bba3ab95bad22ca5bd1"},"metadata":{"created_time":"hmac-sha256:9c91","deletion_time":"hmac-sha256:17a8","destroyed":false,"version":1}}}}"#;
const SSHD: &str =
    "May 12 09:31:09 web1 sshd[4104]: Failed password for invalid user admin from 203.0.113.7 port 40024 ssh2";

/// The shortest of many short rounds: the others measure the neighbours.
fn best(mut work: impl FnMut()) -> Duration {
    const TIMES: u32 = 20;
    (0..300)
        .map(|_| {
            let started = Instant::now();
            (0..TIMES).for_each(|_| work());
            started.elapsed() / TIMES
        })
        .min()
        .unwrap()
}

#[test]
#[ignore = "a measurement"]
fn microseconds_per_record() {
    let lines = [
        ("vault", VAULT),
        ("sshd", SSHD),
        (
            "sudo",
            "May 12 08:05:01 web1 sudo:      ana : TTY=pts/0 ; PWD=/home/ana ; USER=root ; COMMAND=/usr/bin/systemctl restart nginx",
        ),
        (
            "teleport",
            r#"{"ei":0,"event":"user.login","uid":"11111111-0000-4000-8000-000000000001","code":"T1000I","time":"2026-05-12T08:00:00.123Z","cluster_name":"tele.example.com","user":"ana@example.com","success":true,"method":"local","addr.remote":"10.20.0.15:51000","user_agent":"tsh/15.0"}"#,
        ),
        (
            "keeper",
            r#"{"time": 1778572820, "host": "export1", "source": "Example Ltd", "sourcetype": "_json", "event": {"audit_event_type": "copy_password", "username": "ana@example.com", "ip_address": "10.20.0.15", "record_uid": "R-1", "keeper_version": "Browser Extension 17"}}"#,
        ),
        (
            "cef",
            "<13>May 12 08:00:00 vault1 CEF:0|Acme|SafeBox|9.1|401|Password viewed|5|rt=1778572800000 suser=ana@example.com src=10.20.0.15 dhost=db1 duser=root outcome=success cs1=4711 cs1Label=Ticket msg=ana viewed the password of root",
        ),
        (
            "generic",
            r#"{"timestamp":"2026-05-12T08:00:00Z","actor":{"email":"ana@example.com","id":"u-1"},"client_ip":"10.20.0.15","action":"document.share","target":{"type":"document","id":"d-1","name":"Plan"},"result":"SUCCESS","request_id":"q-1"}"#,
        ),
    ];
    let empty =
        |decoder: &str| Mapping::compile("x", "1", &format!("# decoder: {decoder}\n.event.action = \"a\"\n")).unwrap();
    for (name, line) in lines {
        let meta = Meta::at(received_at());
        let started = Instant::now();
        let mapping = find(name).unwrap();
        let compiling = started.elapsed();
        let run = |m: &Mapping| {
            best(|| {
                let good = m.read(std::hint::black_box(line.as_bytes()), &meta, |o| matches!(o, Outcome::Events(_)));
                assert!(good);
            })
        };
        let native = best(|| {
            let _ = std::hint::black_box(mapping.native(line.as_bytes(), &meta));
        });
        let floor = run(&empty(if line.starts_with('{') { "json" } else { "syslog" }));
        let whole = run(mapping);
        let Outcome::Events(drafts) = mapping.run(line.as_bytes(), &meta) else { panic!() };
        let id = mapping.id();
        let draft: &Value<'_> = &drafts[0];
        let admitted = best(|| {
            let defaults = Defaults {
                now: received_at(),
                source: Some(name),
                provider: None,
                catalogue: Catalogue::builtin(),
                mapping: Some(&id),
            };
            assert!(event::admit::admit(draft.clone(), &defaults).is_ok());
        });
        println!(
            "{name}: compiled in {compiling:?}; {} bytes; decode and the least program {floor:?}, whole mapping {whole:?}; native fields {native:?}; admission {admitted:?}",
            line.len()
        );
    }
}
