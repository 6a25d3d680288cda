//! `belfry setting`

use anyhow::Result;
use clap::Subcommand;

use crate::Answer;
use crate::output;
use crate::resource::{Call, Edit};

pub type Args = Call<Command>;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// All settings
    #[command(alias = "show")]
    List,
    /// Change settings: --set 'outgoing_allow=["10.0.0.5","mail.internal"]'
    Update {
        #[command(flatten)]
        edit: Edit,
    },
}

pub async fn run(args: Args) -> Result<Answer> {
    let client = args.remote.client()?;
    let mut settings = client.get("/api/v1/settings", &[]).await?;
    if let Command::Update { edit } = &args.command {
        edit.apply(&mut settings)?;
        settings = client.put("/api/v1/settings", &settings).await?;
    }
    output::one(args.format, &settings)?;
    Ok(Answer::Yes)
}
