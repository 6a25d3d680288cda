//! `belfry demo`: a server with the sixty days of a made-up company, and a live trickle.
//!
//! Everything goes through the ordinary doors, as the products' own formats. No part of the server knows about it.

mod company;
mod days;
mod mailbox;
mod products;
mod sender;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use products::Record;
use sender::Sender;

use crate::{Answer, assets, logging};

const SEED: u64 = 1_347;
const DAYS: i64 = 60;
/// Rules begin to watch so many hours before the end of the story, so that the incident rings the bell.
const WATCHED_HOURS: i64 = 44;
const BATCH: usize = 1_000;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The demo's data folder; made when it is not there.
    #[arg(long, default_value = "belfry-demo")]
    data: PathBuf,
    /// Address and port of the console and the API.
    #[arg(long, default_value = "127.0.0.1:7400")]
    listen: SocketAddr,
    /// Days of history that a new demo begins with.
    #[arg(long, default_value_t = DAYS, value_parser = clap::value_parser!(i64).range(2..=365))]
    days: i64,
    /// Leave the live trickle out.
    #[arg(long)]
    still: bool,
}

/// What is remembered between two starts of a demo.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    user: String,
    password: String,
    token: String,
    filled: bool,
}

pub async fn run(arguments: Arguments) -> Result<Answer> {
    let flags = server::config::Flags {
        data: Some(arguments.data.clone()),
        listen: Some(arguments.listen),
        ..Default::default()
    };
    let config = server::Config::load(None, |name| std::env::var(name).ok(), &flags)?;
    // The story is told by the progress bar; what goes wrong is still said.
    logging::begin(&server::config::Log { level: "warn".to_owned(), ..config.log.clone() })?;
    let mails = arguments.data.join("mail");
    let mut remembered = remembered(&arguments.data, &config).await?;
    let mail_port = mailbox::open(&mails).await.context("the demo's mailbox does not open")?;

    let (tell, told) = tokio::sync::oneshot::channel();
    let serving = tokio::spawn(server::run(config, assets::find, move |_, address| {
        // Nobody listens any more when the demo itself gave up.
        let _ = tell.send(address);
    }));
    let Ok(address) = told.await else {
        serving.await??;
        return Ok(Answer::Yes);
    };
    let sender = Sender::new(&format!("http://{address}"), &remembered.token)?;

    let now = Timestamp::now();
    if remembered.filled {
        sender.put("/api/v1/settings", &json!({ "outgoing_allow": ["127.0.0.1"] })).await?;
        move_mailbox(&sender, mail_port).await?;
    } else {
        fill(&sender, now, arguments.days, mail_port).await?;
        remembered.filled = true;
        remember(&arguments.data, &remembered)?;
    }

    let mut out = std::io::stdout();
    writeln!(
        out,
        "\n  Belfry is running, with {} days of a made-up company.\n\n    address    http://{address}\n    user       {}\n    password   {}\n    token      {}\n    emails     {}\n\n  Ctrl C ends it; the same command goes on with the same data.\n",
        arguments.days,
        remembered.user,
        remembered.password,
        remembered.token,
        mails.display()
    )?;
    out.flush()?;

    let trickle = (!arguments.still).then(|| tokio::spawn(trickle(sender)));
    let ended = serving.await?;
    if let Some(trickle) = trickle {
        trickle.abort();
    }
    ended?;
    Ok(Answer::Yes)
}

async fn remembered(data: &Path, config: &server::Config) -> Result<Remembered> {
    let file = data.join("demo.json");
    if file.exists() {
        let text = std::fs::read_to_string(&file).with_context(|| format!("can't read {}", file.display()))?;
        return serde_json::from_str(&text)
            .with_context(|| format!("{} is damaged; remove the folder to begin anew", file.display()));
    }
    let password = made_up_password();
    let new = server::Init {
        organization: "lindqvist".to_owned(),
        origin: "demo.belfry.example/lindqvist".to_owned(),
        admin: "admin".to_owned(),
        password: password.clone(),
    };
    let (user, token) = server::init(config.clone(), new).await?;
    let remembered = Remembered { user: user.name, password, token: token.token, filled: false };
    remember(data, &remembered)?;
    Ok(remembered)
}

fn remember(data: &Path, remembered: &Remembered) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = data.join("demo.json");
    let mut file = std::fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&file)
        .with_context(|| format!("can't write {}", file.display()))?;
    file.write_all(serde_json::to_string_pretty(remembered)?.as_bytes())?;
    Ok(())
}

fn made_up_password() -> String {
    const WORDS: &[&str] = &[
        "amber", "bronze", "cedar", "delta", "ember", "fjord", "garnet", "harbor", "indigo", "juniper", "kestrel",
        "linden", "maple", "nectar", "onyx", "poplar",
    ];
    let word = || WORDS[fastrand::usize(..WORDS.len())];
    let (one, two, three, four) = (word(), word(), word(), word());
    format!("{one}-{two}-{three}-{four}-{}", fastrand::u32(1_000..10_000))
}

/// The story up to now, with the rules set up before its last two days.
async fn fill(sender: &Sender, now: Timestamp, days: i64, mail_port: u16) -> Result<()> {
    let records = days::history(SEED, now, days);
    let watched = now.saturating_add(SignedDuration::from_hours(-WATCHED_HOURS))?;
    let (before, after): (Vec<Record>, Vec<Record>) = records.into_iter().partition(|record| record.at < watched);
    let all = before.len() + after.len();
    send(sender, &before, 0, all).await?;
    set_up(sender, mail_port).await?;
    send(sender, &after, before.len(), all).await?;
    eprint_progress(all, all);
    Ok(())
}

async fn set_up(sender: &Sender, mail_port: u16) -> Result<()> {
    // A member of the security team, an auditor and a service owner, to try what each sees. They sign in once the
    // administrator has given them a password.
    for (name, full_name, role) in [("c.lindqvist", "Carin Lindqvist", "auditor"), ("k.osei", "Kwame Osei", "member")] {
        let user = json!({ "name": name, "full_name": full_name, "email": format!("{name}@{}", company::MAIL_DOMAIN), "role": role, "password": made_up_password() });
        sender.post("/api/v1/users", &user).await?;
    }
    sender.put("/api/v1/settings", &json!({ "outgoing_allow": ["127.0.0.1"] })).await?;
    let mail = sender.post("/api/v1/channels", &mail_channel(mail_port)).await?;
    let inbox = sender
        .post("/api/v1/channels", &json!({ "name": "Inbox", "kind": "inbox", "enabled": true, "settings": {} }))
        .await?;
    let (mail, inbox) = (id_of(&mail)?, id_of(&inbox)?);
    let to_both = json!([{ "channel": mail, "to": [] }, { "channel": inbox, "to": [] }]);
    let to_inbox = json!([{ "channel": inbox, "to": [] }]);
    let rules = [
        (
            "Recording is not what it was",
            "A stored recording differs from what the trail says.",
            "event.action: recording.modified",
            3_600,
            json!(["entity.id"]),
            &to_both,
        ),
        (
            "Many password views",
            "Somebody looks at passwords; told once an hour for each person, with the count.",
            "event.action: (credential.password.viewed or secret.viewed) and user.name: (m.dubois* or l.nowak* or r.meyer*)",
            3_600,
            json!(["user.name"]),
            &to_both,
        ),
        (
            "Rotation failed twice",
            "The second try of a password change failed as well.",
            "event.action: operation.change.failed and operation.attempt >= 2",
            3_600,
            json!(["host.name", "credential.username"]),
            &to_both,
        ),
        (
            "Break-glass secret denied",
            "Somebody without the right asked for the domain administrator's password.",
            "event.outcome: failure and entity.name: *breakglass*",
            3_600,
            json!(["user.name"]),
            &to_inbox,
        ),
        (
            "Bastion login from outside",
            "A login from an address that is not the company's.",
            "event.module: teleport and event.action: (authentication.succeeded or user.login) and not source.ip: 10.0.0.0/8",
            3_600,
            json!(["user.name", "source.ip"]),
            &to_both,
        ),
    ];
    for (name, description, filter, hold_seconds, group_by, recipients) in rules {
        let rule = json!({ "name": name, "description": description, "enabled": true, "filter": filter, "hold_seconds": hold_seconds, "group_by": group_by, "recipients": recipients });
        sender.post("/api/v1/rules", &rule).await.with_context(|| format!("the rule {name:?}"))?;
    }
    Ok(())
}

fn mail_channel(port: u16) -> Value {
    json!({
        "name": "Security by email", "kind": "email", "enabled": true,
        "settings": { "host": "127.0.0.1", "port": port, "security": "none", "from": format!("belfry@{}", company::MAIL_DOMAIN), "to": [format!("security@{}", company::MAIL_DOMAIN)] },
    })
}

/// The mailbox has another port at each start.
async fn move_mailbox(sender: &Sender, port: u16) -> Result<()> {
    let channels = sender.get("/api/v1/channels").await?;
    for channel in channels["items"].as_array().into_iter().flatten() {
        if channel["kind"] == "email" && channel["settings"]["host"] == "127.0.0.1" {
            sender.put(&format!("/api/v1/channels/{}", id_of(channel)?), &mail_channel(port)).await?;
        }
    }
    Ok(())
}

fn id_of(made: &Value) -> Result<String> {
    let id = made["id"].as_str().or_else(|| made["channel"]["id"].as_str());
    Ok(id.with_context(|| format!("no id in {made}"))?.to_owned())
}

/// Sends records in the order of their times; neighbours of one source share a request.
async fn send(sender: &Sender, records: &[Record], done_before: usize, all: usize) -> Result<()> {
    let mut done = done_before;
    for batch in records.chunks(BATCH) {
        let mut by_source: BTreeMap<&str, String> = BTreeMap::new();
        for record in batch {
            let body = by_source.entry(record.source).or_default();
            body.push_str(&record.line);
            body.push('\n');
        }
        for (source, body) in by_source {
            let receipt = sender.send(source, body).await?;
            if let Some(rejected) = receipt["rejected"].as_array().and_then(|rejected| rejected.first()) {
                tracing::warn!("a record of {source} was set aside: {rejected}");
            }
        }
        done += batch.len();
        eprint_progress(done, all);
    }
    Ok(())
}

fn eprint_progress(done: usize, all: usize) {
    let width = 30;
    let full = (done * width).checked_div(all).unwrap_or(width);
    let mut err = std::io::stderr();
    let end = if done == all { "\n" } else { "" };
    // A progress bar that can't be written is no reason to stop.
    let _ = write!(
        err,
        "\r  telling the story  [{}{}] {done} of {all} records{end}",
        "=".repeat(full),
        " ".repeat(width - full)
    );
    let _ = err.flush();
}

/// Somebody does something every few seconds.
async fn trickle(sender: Sender) {
    let mut random = fastrand::Rng::new();
    loop {
        tokio::time::sleep(Duration::from_millis(random.u64(800..4_500))).await;
        let who = &company::PEOPLE[random.usize(..company::PEOPLE.len())];
        let mut records = Vec::new();
        days::activity(&mut random, who, Timestamp::now(), &mut records);
        // What an activity brings later in the day is left to that time.
        let soon = Timestamp::now().saturating_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX);
        for record in records.into_iter().filter(|record| record.at <= soon) {
            if let Err(error) = sender.send(record.source, record.line).await {
                tracing::warn!(%error, "the trickle could not send");
            }
        }
    }
}
