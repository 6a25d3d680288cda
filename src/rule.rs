//! `belfry rule`

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::channel::CHANNELS;
use crate::output::{self, Format};
use crate::remote::Client;
use crate::resource::{Call, Edit, Kind};
use crate::{Answer, duration};

const RULES: Kind = Kind {
    noun: "rule",
    path: "/api/v1/rules",
    columns: &[
        ("NAME", "name"),
        ("ENABLED", "enabled"),
        ("FILTER", "filter"),
        ("HOLD S", "hold_seconds"),
        ("SENT 30D", "sent_30d"),
        ("HELD 30D", "held_30d"),
        ("LAST", "last_fired_at"),
        ("ID", "id"),
    ],
    editable: &["name", "description", "enabled", "filter", "recipients", "hold_seconds", "group_by"],
    key: "id",
};

pub type Args = Call<Command>;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// All rules
    List,
    /// One rule
    Show { rule: String },
    /// Make a rule
    Create(Draft),
    /// Change a rule: --set enabled=false, --set hold_seconds=600
    Update {
        rule: String,
        #[command(flatten)]
        edit: Edit,
    },
    /// What a rule would have sent over the past days; an existing one, or one described like for create
    Preview {
        /// An existing rule; else describe one with --filter
        rule: Option<String>,
        #[command(flatten)]
        draft: DraftOptions,
        /// How many days back
        #[arg(long, default_value_t = 30)]
        days: u32,
    },
    /// Delete a rule
    Delete { rule: String },
}

#[derive(Debug, clap::Args)]
pub struct Draft {
    name: String,
    #[command(flatten)]
    options: DraftOptions,
}

#[derive(Debug, clap::Args)]
pub struct DraftOptions {
    /// Which events, in KQL
    #[arg(long)]
    filter: Option<String>,
    /// Whom to tell: a channel, or CHANNEL=recipient,recipient (addresses, user:NAME, role:NAME); may be repeated
    #[arg(long = "to", value_name = "CHANNEL[=WHO,…]")]
    to: Vec<String>,
    /// The same thing at most once per so long: 1h
    #[arg(long)]
    hold: Option<String>,
    /// What makes two events the same thing; fields separated by commas
    #[arg(long, value_delimiter = ',')]
    group_by: Vec<String>,
    #[command(flatten)]
    edit: Edit,
}

pub async fn run(args: Args) -> Result<Answer> {
    let client = args.remote.client()?;
    match args.command {
        Command::List => RULES.list(&client, args.format).await?,
        Command::Show { rule } => RULES.show(&client, &rule, args.format).await?,
        Command::Create(draft) => {
            let body = body(&client, &draft.name, &draft.options).await?;
            if body.get("filter").is_none() {
                bail!("a rule needs --filter (or a filter in --file)");
            }
            RULES.create(&client, &body, args.format).await?;
        }
        Command::Update { rule, edit } => RULES.update(&client, &rule, &edit, args.format).await?,
        Command::Preview { rule, draft, days } => {
            let rule = match rule {
                Some(name) => {
                    let mut found = RULES.find(&client, &name).await?;
                    if let Value::Object(members) = &mut found {
                        members.retain(|name, _| RULES.editable.contains(&name.as_str()));
                    }
                    found
                }
                None => body(&client, "preview", &draft).await?,
            };
            preview(&client, &rule, days, args.format).await?;
        }
        Command::Delete { rule } => RULES.delete(&client, &rule).await?,
    }
    Ok(Answer::Yes)
}

async fn body(client: &Client, name: &str, options: &DraftOptions) -> Result<Value> {
    let mut body = json!({"name": name, "enabled": true});
    if let Some(filter) = &options.filter {
        body["filter"] = json!(filter);
    }
    if let Some(hold) = &options.hold {
        let span = duration::parse(hold).map_err(|error| anyhow::anyhow!("--hold: {error}"))?;
        body["hold_seconds"] = json!(span.as_secs());
    }
    if !options.group_by.is_empty() {
        body["group_by"] = json!(options.group_by);
    }
    let mut recipients = Vec::new();
    for to in &options.to {
        let (channel, who) = to.split_once('=').unwrap_or((to, ""));
        let found = CHANNELS.find(client, channel).await?;
        let id = found["id"].as_str().context("the channel has no id")?;
        let who: Vec<&str> = who.split(',').map(str::trim).filter(|who| !who.is_empty()).collect();
        recipients.push(json!({"channel": id, "to": who}));
    }
    if !recipients.is_empty() {
        body["recipients"] = json!(recipients);
    }
    options.edit.apply(&mut body)?;
    if body.get("recipients").is_none() {
        body["recipients"] = json!([]);
    }
    Ok(body)
}

async fn preview(client: &Client, rule: &Value, days: u32, format: Format) -> Result<()> {
    let preview = client.post("/api/v1/rules/preview", &json!({"rule": rule, "days": days})).await?;
    if format == Format::Json {
        return output::one(format, &preview);
    }
    let count = |name: &str| preview[name].as_u64().unwrap_or(0);
    output::note(format!(
        "over the past {days} days: {} events matched, {} messages, {} held back{}",
        count("matched"),
        count("sent"),
        count("held"),
        if preview["truncated"] == true { " (not all days could be read)" } else { "" }
    ));
    let first = preview["first"].as_array().cloned().unwrap_or_default();
    output::rows(
        format,
        &[("AT", "at"), ("POSITION", "position"), ("HELD BEFORE", "held_before"), ("SUBJECT", "subject")],
        &first,
    )
}
