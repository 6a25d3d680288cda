//! Records as the products themselves write them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::company::{MAIL_DOMAIN, Person};

/// One record on its way: by which source it is read, and what the product wrote.
#[derive(Debug, Clone)]
pub struct Record {
    pub at: Timestamp,
    /// The source; empty for an application that sends events of its own.
    pub source: &'static str,
    pub line: String,
}

fn record(at: Timestamp, source: &'static str, value: &Value) -> Record {
    Record { at, source, line: value.to_string() }
}

fn hex(random: &mut fastrand::Rng, digits: usize) -> String {
    (0..digits).map(|_| char::from(b"0123456789abcdef"[random.usize(..16)])).collect()
}

pub fn uuid(random: &mut fastrand::Rng) -> String {
    format!("{}-{}-4{}-a{}-{}", hex(random, 8), hex(random, 4), hex(random, 3), hex(random, 3), hex(random, 12))
}

/// An audit line of Vault: the answer to one request.
pub fn vault(
    random: &mut fastrand::Rng,
    at: Timestamp,
    who: &Person,
    address: &str,
    operation: &str,
    path: &str,
    error: Option<&str>,
) -> Record {
    let mut value = json!({
        "time": at.to_string(),
        "type": "response",
        "auth": {
            "display_name": format!("ldap-{}", who.login),
            "entity_id": uuid(random),
            "policies": ["default", format!("team-{}", path.split('/').nth(2).unwrap_or("all"))],
            "token_type": "service",
            "metadata": { "username": who.login },
        },
        "request": {
            "id": uuid(random),
            "operation": operation,
            "mount_type": if path.starts_with("pki") { "pki" } else if path.starts_with("auth") { "ldap" } else { "kv" },
            "namespace": { "id": "root" },
            "path": path,
            "remote_address": address,
        },
        "response": { "mount_type": "kv" },
    });
    if let Some(error) = error {
        value["error"] = json!(error);
    }
    record(at, "vault", &value)
}

/// A line of sshd as rsyslog writes it to auth.log.
pub fn sshd(at: Timestamp, host: &str, process: u32, text: &str) -> Record {
    Record { at, source: "sshd", line: format!("{at} {host} sshd[{process}]: {text}") }
}

pub fn sudo(at: Timestamp, host: &str, who: &Person, command: &str) -> Record {
    let line = format!(
        "{at} {host} sudo:   {} : TTY=pts/0 ; PWD=/home/{} ; USER=root ; COMMAND={command}",
        who.login, who.login
    );
    Record { at, source: "sudo", line }
}

pub fn teleport_login(random: &mut fastrand::Rng, at: Timestamp, who: &Person, address: &str, success: bool) -> Record {
    let mut value = json!({
        "ei": 0, "event": "user.login", "code": if success { "T1000I" } else { "T1000W" }, "time": at.to_string(), "uid": uuid(random),
        "cluster_name": format!("teleport.{MAIL_DOMAIN}"), "user": who.login, "success": success, "method": "oidc",
        "addr.remote": format!("{address}:{}", 30_000 + random.u32(..30_000)),
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    });
    if !success {
        value["error"] = json!("invalid credentials");
    }
    record(at, "teleport", &value)
}

/// Start and end of a session on a host through the bastion.
pub fn teleport_session(
    random: &mut fastrand::Rng,
    at: Timestamp,
    who: &Person,
    address: &str,
    host: &str,
    minutes: i64,
) -> [Record; 2] {
    let sid = uuid(random);
    let end = at.saturating_add(jiff::SignedDuration::from_mins(minutes)).unwrap_or(at);
    let base = |event: &str, code: &str, ei: u32, at: Timestamp, uid: String| {
        json!({
            "ei": ei, "event": event, "code": code, "time": at.to_string(), "uid": uid, "sid": sid, "user": who.login, "login": "root",
            "cluster_name": format!("teleport.{MAIL_DOMAIN}"), "server_hostname": host, "server_id": format!("srv-{host}"), "proto": "ssh",
            "addr.remote": format!("{address}:50022"), "namespace": "default",
        })
    };
    let start = base("session.start", "T2000I", 0, at, uuid(random));
    let mut over = base("session.end", "T2004I", 3, end, uuid(random));
    over["session_start"] = json!(at.to_string());
    over["session_stop"] = json!(end.to_string());
    over["interactive"] = json!(true);
    [record(at, "teleport", &start), record(end, "teleport", &over)]
}

/// An event of Keeper's feed in the flat JSON form.
pub fn keeper(at: Timestamp, who: &Person, address: &str, event: &str, more: Value) -> Record {
    let mut value = json!({
        "audit_event": event, "remote_address": address, "category": "security", "client_version": "EMConsole.17.3.2",
        "username": who.mail(), "enterprise_id": 5812, "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    });
    if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
        value.extend(more);
    }
    record(at, "keeper", &value)
}

/// A run of the company's own rotation service, which sends events as they are.
pub fn rotation(
    random: &mut fastrand::Rng,
    at: Timestamp,
    host: &str,
    account: &str,
    attempt: u32,
    failure: Option<&str>,
) -> Record {
    let scheduled = at.saturating_add(jiff::SignedDuration::from_secs(-i64::from(random.u32(1..90)))).unwrap_or(at);
    let mut value = json!({
        "@timestamp": at.to_string(),
        "event": {
            "action": if failure.is_some() { "operation.change.failed" } else { "operation.change.completed" },
            "outcome": if failure.is_some() { "failure" } else { "success" },
            "module": "rotation",
        },
        "user": { "name": "svc-rotation" },
        "source": { "ip": "10.20.5.40" },
        "host": { "name": host },
        "credential": { "type": "local user", "username": account },
        "operation": {
            "id": format!("rot-{}", hex(random, 8)), "name": "password change", "status": if failure.is_some() { "failed" } else { "done" },
            "attempt": attempt, "scheduled_at": scheduled.to_string(), "executed_at": at.to_string(), "requester": "policy: every 30 days",
        },
    });
    if let Some(reason) = failure {
        value["event"]["reason"] = json!(reason);
    }
    record(at, "", &value)
}

/// What the archive of the bastion's recordings says when a file no longer is what it was.
pub fn recording_modified(at: Timestamp, session: &str, host: &str, who: &Person) -> Record {
    let value = json!({
        "@timestamp": at.to_string(),
        "event": { "action": "recording.modified", "outcome": "failure", "module": "recordings",
                   "reason": "the stored file's SHA-256 differs from the one taken when the session ended" },
        "host": { "name": host },
        "user": { "name": who.login },
        "session": { "id": session, "protocol": "ssh" },
        "entity": { "type": "recording", "id": session, "name": format!("{session}.cast") },
        "changes": [{ "field": "file.hash.sha256",
            "old": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
            "new": "1b4f0e9851971998e732078544c96b36c3d01cedf7caa332359d6f1d83567014" }],
    });
    record(at, "", &value)
}

/// A look at a password with a reason, as the company's password portal reports it.
pub fn portal_view(
    random: &mut fastrand::Rng,
    at: Timestamp,
    who: &Person,
    address: &str,
    host: &str,
    reason: &str,
) -> Record {
    let value = json!({
        "@timestamp": at.to_string(),
        "event": { "action": "credential.password.viewed", "outcome": "success", "module": "portal" },
        "user": { "name": who.login, "full_name": who.name, "email": who.mail() },
        "source": { "ip": address },
        "host": { "name": host },
        "credential": { "id": format!("cred-{host}-root"), "type": "local user", "username": "root" },
        "justification": { "id": format!("CHG-{}", 10_000 + random.u32(..9_000)), "type": "change", "text": reason },
    });
    record(at, "", &value)
}
