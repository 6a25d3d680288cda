//! The running server: which loops there are, and in which order they begin and end.

use std::net::SocketAddr;
use std::time::Instant;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::data::Data;
use crate::http::assets::Assets;
use crate::http::serve::{self, TlsError};
use crate::ingest::{activity, syslog};
use crate::keep::{backup_schedule, removal, restore_mark, retention};
use crate::{index, selfcheck, setup, witness};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Setup(#[from] setup::Error),
    #[error("can't listen on {address} ({what})")]
    Listen {
        what: &'static str,
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Syslog(#[from] syslog::ListenError),
    #[error("can't wait for signals")]
    Signal(#[source] std::io::Error),
}

/// Runs a server until SIGTERM or SIGINT. `ready` is called once it answers.
pub async fn run(mut config: Config, console: Assets, ready: impl FnOnce(&App, SocketAddr)) -> Result<(), Error> {
    let started = Instant::now();
    event::native::install(wire::mapping::native_fields);
    let mut signals = Signals::listen()?;
    let data = Data::open(&config.data).map_err(setup::Error::from)?;
    // What must not be opened is said first, whatever else is in the way.
    restore_mark::refuse_unaccepted(data.folder()).map_err(setup::Error::from)?;
    // Sockets before the trail: a port that is taken is found out before anything is written.
    let listener = listen("console and API", config.listen).await?;
    let tls = serve::tls(&config.tls)?;
    let address = listener.local_addr().map_err(|source| Error::Listen {
        what: "console and API",
        address: config.listen,
        source,
    })?;
    // Port 0 lets the system choose; links must name what it chose.
    config.listen = address;
    let syslog = syslog::Listeners::bind(&config.syslog).await?;
    let app = setup::open(config, data, Clock::System).await?;

    // Before anything else is appended to a restored trail, it is told that it was.
    restore_mark::tell(&app).await.map_err(setup::Error::from)?;
    if let Err(error) = backup_schedule::settle(&app).await {
        // A folder of backups that can't be read must not keep the server from taking events.
        app.exception_task("backup", &error.to_string()).await;
    }

    app.spawn("trail.selfcheck", selfcheck::keep_checking(app.clone()));
    app.spawn("trail.witnesses", witness::follow(app.clone()));
    let sources = activity::Needs {
        door: app.door.clone(),
        pool: app.state.clone(),
        clock: app.clock.clone(),
        registry: app.intake.registry().clone(),
        health: app.health.clone(),
        stop: app.stop.clone(),
    };
    app.spawn_gently("sources", activity::follow(sources));
    app.spawn("index", index::follow(app.door.clone(), app.store.clone()));
    app.spawn_gently("rules", app.notify.clone().follow(app.stop.clone()));
    app.spawn("reports", app.reports.clone().keep_tidy(app.stop.clone()));
    app.spawn("backup.schedule", backup_schedule::keep_making(app.clone()));
    app.spawn_gently("outbox", app.notify.clone().send(app.stop.clone()));
    app.spawn_gently("removals", removal::work(app.clone()));
    app.spawn("retention", retention::daily(app.clone()));
    app.spawn_gently("selection", app.intake.selection().clone().keep_counting(app.stop.clone()));
    app.spawn("hook.refused", app.hooks.clone().raise_refusals());
    app.spawn("source.rejected", app.intake.clone().raise_rejections());
    syslog.serve(&app);
    if let Err(error) = app.inputs.start(&app).await {
        // Inputs that can't be read must not keep the server from taking what others send.
        app.exception_task("inputs", &error.to_string()).await;
    }

    let service = serve::service(&app, console);
    let serving = tokio::spawn(serve::serve(app.clone(), listener, tls, service));
    tracing::info!(
        listen = %address, organization = app.organization, trail.size = app.trail().size(),
        "belfry {} answers on {address} after {} ms", env!("CARGO_PKG_VERSION"), started.elapsed().as_millis()
    );
    ready(&app, address);

    signals.wait(&app).await;
    tracing::info!("going down");
    app.stop.cancel();
    if serving.await.is_err() {
        tracing::error!("the listener did not end well");
    }
    app.inputs.ended().await;
    setup::close(&app).await;
    tracing::info!("down");
    Ok(())
}

async fn listen(what: &'static str, address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { what, address, source })
}

/// The signals that end a server. Listened for from the first moment: whoever stops it the moment it says that it is
/// there is to see an orderly end as well.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Error> {
        let of = |kind| signal(kind).map_err(Error::Signal);
        Ok(Self { terminate: of(SignalKind::terminate())?, interrupt: of(SignalKind::interrupt())? })
    }

    async fn wait(&mut self, app: &App) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            // Whoever holds the app may also end it: the demo, and tests in the same process.
            () = app.stop.cancelled() => {}
        }
    }
}
