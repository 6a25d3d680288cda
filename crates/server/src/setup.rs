//! Making a data folder, and opening what is in one.

use std::sync::Arc;

use api::access::{NewToken, NewUser, Privilege, Role, TokenMade, User};
use event::Catalogue;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use store::{Store, StoreError};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use trail::{KeyError, Trail, TrailError};

use crate::access::{self, tokens, users};
use crate::app::{App, Exceptions, Parts};
use crate::append::Door;
use crate::clock::Clock;
use crate::config::Config;
use crate::data::{self, Data};
use crate::index::TrailEntries;
use crate::ingest::health::Health;
use crate::ingest::inputs::Inputs;
use crate::ingest::selection::SelectionError;
use crate::ingest::{HookError, Hooks, Intake, IntakeError, Registry, RegistryError, Selection};
use crate::keep::backup::Backups;
use crate::keep::removal::Removals;
use crate::keep::restore_mark;
use crate::metrics::Metrics;
use crate::notify::{self, Notify};
use crate::outgoing::Outgoing;
use crate::report::{self, Reports};
use crate::selfcheck::SelfChecks;
use crate::state::deliveries::Bell;
use crate::state::secrets::{self, Secrets};
use crate::witness::Witnesses;
use crate::{keys, selfcheck, state};

const IDENTITY: &str = "identity";

/// Who this server is; settled once, when its folder is made.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Identity {
    organization: String,
    origin: String,
}

/// What a new data folder begins with.
#[derive(Debug, Clone)]
pub struct Init {
    /// Name of the organization: letters, digits, dots and dashes.
    pub organization: String,
    /// The name that checkpoints are signed under, `<host>/<organization>`.
    pub origin: String,
    pub admin: String,
    pub password: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Data(#[from] data::Error),
    #[error("{0} is a belfry data folder already: start it with belfry serve --data {0}")]
    Initialized(String),
    #[error("{0} is not a belfry data folder yet: make it one with belfry init --data {0}")]
    NotInitialized(String),
    #[error("{what} {text:?} can't be used: {reason}")]
    Name { what: &'static str, text: String, reason: &'static str },
    #[error(transparent)]
    State(#[from] state::OpenError),
    #[error("the state can't be read or written")]
    Query(#[from] sqlx::Error),
    #[error(transparent)]
    Secrets(#[from] secrets::Error),
    #[error("can't use the key of the trail")]
    Key(#[from] KeyError),
    #[error("can't open the trail")]
    Trail(#[from] TrailError),
    #[error("can't read the sources and their mappings")]
    Registry(#[from] RegistryError),
    #[error("can't read the hooks")]
    Hooks(#[from] HookError),
    #[error("can't open the index; it can be removed and comes back by itself")]
    Store(#[from] StoreError),
    #[error("the work was interrupted; it can be begun again")]
    Interrupted,
    #[error("can't read what is left out")]
    Selection(#[from] SelectionError),
    #[error("can't read what was set aside")]
    Intake(#[from] IntakeError),
    #[error(transparent)]
    Restored(#[from] restore_mark::Error),
    #[error("can't make the first user: {0}")]
    Access(#[from] access::Error),
}

/// Makes a data folder with its keys, its trail, its first administrator and a token for them.
pub async fn init(config: Config, new: Init) -> Result<(User, TokenMade), Error> {
    check_name("organization", &new.organization)?;
    check_origin(&new.origin)?;
    access::password::check(&new.password, &new.admin)
        .map_err(|error| access::Error::Invalid { pointer: "/password", reason: error.to_string() })?;
    let data = Data::create(&config.data)?;
    let shown = config.data.display().to_string();
    let pool = state::open(&data.state_file()).await?;
    let mut connection = pool.acquire().await?;
    if state::settings::get::<Identity>(&mut connection, IDENTITY).await?.is_some() {
        return Err(Error::Initialized(shown));
    }
    let folder = data.trail(&new.organization);
    let keys_folder = data.folder().join("keys");
    keys::make_private_folder(&keys_folder).map_err(|source| data::Error::Io { folder: keys_folder, source })?;
    let key = keys::make_trail_key(&data.trail_key())?;
    // A run of init that was cut short left a trail without an identity; then it is taken as it is.
    match Trail::create(&folder, &new.origin, &key) {
        Ok(()) | Err(TrailError::Present(_)) => {}
        Err(error) => return Err(error.into()),
    }
    // Nothing counts before this row is there: written last, so that an init cut short can be repeated.
    let identity = Identity { organization: new.organization, origin: new.origin };
    state::settings::set(&mut connection, IDENTITY, &identity).await?;
    drop(connection);
    pool.close().await;
    let app = open(config, data, Clock::System).await?;
    let made = first_user(&app, new.admin, new.password).await;
    close(&app).await;
    made
}

async fn first_user(app: &App, name: String, password: String) -> Result<(User, TokenMade), Error> {
    let new = NewUser {
        name,
        full_name: String::new(),
        email: String::new(),
        role: Role::Administrator,
        password,
        disabled: false,
    };
    let user = users::create(app, None, new).await?;
    let token = NewToken { name: "made by belfry init".to_owned(), scopes: Privilege::ALL.to_vec(), expires_at: None };
    let token = tokens::make(app, None, (&user.id, &user.name), token).await?;
    Ok((user, token))
}

/// Opens all there is in a data folder. Nothing runs yet.
pub async fn open(config: Config, data: Data, clock: Clock) -> Result<App, Error> {
    let shown = config.data.display().to_string();
    if !data.state_file().exists() {
        return Err(Error::NotInitialized(shown));
    }
    restore_mark::refuse_unaccepted(data.folder())?;
    let pool = state::open(&data.state_file()).await?;
    let mut connection = pool.acquire().await?;
    let identity: Option<Identity> = state::settings::get(&mut connection, IDENTITY).await?;
    let Identity { organization, .. } = identity.ok_or(Error::NotInitialized(shown))?;
    drop(connection);
    let secrets = Arc::new(Secrets::open(&data.state_key())?);
    let key = keys::trail_key(&data.trail_key())?;
    // Years of packs weigh more than three seconds of a processor for a million events; see decision 0019.
    let options =
        trail::Options { queue_bytes_max: config.limits.queue_bytes_max, shred: true, ..trail::Options::default() };
    let (trail, opened) = Trail::open(&data.trail(&organization), key, options)?;
    if opened.cut_bytes > 0 {
        tracing::info!(
            recovered = opened.recovered,
            cut_bytes = opened.cut_bytes,
            "the last run ended in the middle of a write: {} events recovered, {} bytes that nobody was told of cut off",
            opened.recovered,
            opened.cut_bytes
        );
    }
    let catalogue = Arc::new(Catalogue::builtin().clone());
    let door = Door::new(trail, catalogue.clone(), clock.clone());
    let entries = Arc::new(TrailEntries(door.trail().clone()));
    let store = Arc::new(Store::open(&data.index(&organization), store::Options::default(), entries)?);
    let registry = Arc::new(Registry::open(pool.clone(), clock.now().as_millisecond()).await?);
    let health = Arc::new(Health::open(&pool, clock.now()).await?);
    let selection = Selection::open(pool.clone(), clock.clone(), health.clone()).await?;
    let intake = Intake::open(door.clone(), pool.clone(), clock.clone(), registry, selection).await?;
    let hooks = Hooks::open(pool.clone(), secrets.clone(), clock.clone(), door.clone()).await?;
    let proxies = config.proxies();
    let (outgoing, bell) = (Outgoing::default(), Bell::default());
    let notify = Notify::new(notify::Needs {
        state: pool.clone(),
        secrets: secrets.clone(),
        door: door.clone(),
        outgoing: outgoing.clone(),
        catalogue: catalogue.clone(),
        clock: clock.clone(),
        bell: bell.clone(),
        organization: organization.clone(),
        public_url: config.public_url(),
    });
    let reports = Reports::new(report::Needs {
        state: pool.clone(),
        secrets: secrets.clone(),
        door: door.clone(),
        store: store.clone(),
        catalogue: catalogue.clone(),
        clock: clock.clone(),
        bell: bell.clone(),
        organization: organization.clone(),
        public_url: config.public_url(),
        folder: data.reports(),
    });
    let backups = Backups::new(config.backup.folder.clone().unwrap_or_else(|| data.backups()));
    let app = App::new(Parts {
        config,
        clock,
        state: pool,
        secrets,
        organization,
        catalogue,
        door,
        store,
        searches: crate::search::turns(),
        bell,
        notify,
        reports,
        removals: Removals::default(),
        backups,
        intake,
        replays: Default::default(),
        hooks,
        health,
        inputs: Inputs::default(),
        outgoing,
        access: access::Memory::default(),
        self_checks: SelfChecks::default(),
        witnesses: Witnesses::default(),
        metrics: Metrics::default(),
        proxies,
        stop: CancellationToken::new(),
        tasks: Mutex::new(JoinSet::new()),
        exceptions: Exceptions::default(),
        data,
    });
    app.outgoing.allow(&access::settings::get(&app).await?.outgoing_allow);
    Ok(app)
}

/// Ends everything in order: tasks, trail, state.
pub async fn close(app: &App) {
    app.stop.cancel();
    app.join_tasks(std::time::Duration::from_secs(app.config.limits.stop_seconds)).await;
    let (trail, store) = (app.trail().clone(), app.store.clone());
    let closed = tokio::task::spawn_blocking(move || {
        // What is not committed is read from the trail again at the next start; it only takes longer then.
        if let Err(error) = store.commit() {
            tracing::debug!(%error, "the index was not committed");
        }
        trail.close();
    });
    if closed.await.is_err() {
        tracing::error!("the trail did not end well; it is put right at the next start");
    }
    if let Err(error) = selfcheck::keep(app).await {
        tracing::warn!(%error, "the newest checkpoint is not kept in the state");
    }
    app.state.close().await;
}

fn check_name(what: &'static str, text: &str) -> Result<(), Error> {
    let fits = (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_'))
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    if fits {
        return Ok(());
    }
    let reason = "it is part of addresses and folder names: small letters, digits, dots and dashes, beginning with a letter or digit";
    Err(Error::Name { what, text: text.to_owned(), reason })
}

fn check_origin(text: &str) -> Result<(), Error> {
    let fits = (1..=200).contains(&text.len())
        && !text.contains("://")
        && text.bytes().all(|b| b.is_ascii_graphic() && b != b'+');
    if fits {
        return Ok(());
    }
    let reason = "it is a host and a path without a scheme, such as audit.example.org/acme";
    Err(Error::Name { what: "origin", text: text.to_owned(), reason })
}
