//! `belfry user`

use anyhow::{Context as _, Result};
use base64::Engine as _;
use clap::Subcommand;
use serde_json::{Value, json};

use crate::Answer;
use crate::output;
use crate::resource::{Call, Edit, Kind, read};

pub const USERS: Kind = Kind {
    noun: "user",
    path: "/api/v1/users",
    columns: &[
        ("NAME", "name"),
        ("ROLE", "role"),
        ("FULL NAME", "full_name"),
        ("EMAIL", "email"),
        ("DISABLED", "disabled"),
        ("LAST LOGIN", "last_login_at"),
        ("ID", "id"),
    ],
    editable: &["name", "full_name", "email", "role", "disabled"],
    key: "id",
};

pub type Args = Call<Command>;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// All users
    List,
    /// One user
    Show { user: String },
    /// Make a user; the password is made up and printed once, or read with --password-stdin
    Create {
        name: String,
        /// administrator, auditor or member
        #[arg(long, default_value = "member")]
        role: String,
        #[arg(long, default_value = "")]
        full_name: String,
        #[arg(long, default_value = "")]
        email: String,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Change a user: --set role=auditor, --set disabled=true
    Update {
        user: String,
        #[command(flatten)]
        edit: Edit,
        /// Read a new password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Delete a user with their sessions and tokens
    Delete { user: String },
}

pub async fn run(args: Args) -> Result<Answer> {
    let client = args.remote.client()?;
    match args.command {
        Command::List => USERS.list(&client, args.format).await?,
        Command::Show { user } => USERS.show(&client, &user, args.format).await?,
        Command::Create { name, role, full_name, email, password_stdin } => {
            let password = if password_stdin { password()? } else { made_up() };
            let body =
                json!({"name": name, "role": role, "full_name": full_name, "email": email, "password": password});
            USERS.create(&client, &body, args.format).await?;
            if !password_stdin {
                output::note(format!("password: {password}"));
            }
        }
        Command::Update { user, edit, password_stdin } => {
            // Only what is to change is sent: somebody else may change the rest at the same time.
            let mut body = json!({});
            edit.apply(&mut body)?;
            if password_stdin {
                body["password"] = Value::String(password()?);
            }
            let path = USERS.path_of(&client, &user).await?;
            output::one(args.format, &client.put(&path, &body).await?)?;
        }
        Command::Delete { user } => USERS.delete(&client, &user).await?,
    }
    Ok(Answer::Yes)
}

/// The first line of standard input.
pub fn password() -> Result<String> {
    let text = read("-")?;
    let line = text.lines().next().filter(|line| !line.is_empty());
    line.map(str::to_owned).context("there is no password on standard input")
}

/// A password nobody chose.
pub fn made_up() -> String {
    let mut bytes = [0; 18];
    rand::fill(&mut bytes);
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
