//! What GitLab, probes and people reach over HTTP.
//!
//! The server writes rows and reads none but for metrics; it never calls GitLab. Whoever decides meets it in the store.

mod authentication;
mod body;
mod connection;
mod destination;
mod health;
mod intake;
mod page;
mod unsigned;
mod webhook;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::NormalizePath;
use actix_web::{App, HttpServer, web};

pub use self::authentication::{Secrets, SigningKey};
pub use self::health::Vitals;
pub use self::intake::{Intake, IsMovedBy};

use self::body::Budget;
use self::unsigned::Allowance;
use crate::scope::WEBHOOK_PATH;

/// How long a client may take for its request's head; then it is told 408. Longer than GitLab waits for any answer
/// (contract section 3.1), since a status code loses a status check's delivery: where this machine is the slow one,
/// GitLab gives up first and comes again.
const HEAD_TIMEOUT: Duration = Duration::from_secs(35);
/// How long a connection is kept when nothing comes: longer than the proxies that may stand before us keep theirs (a
/// minute as a rule). Who closes first while the other one sends loses a delivery: a proxy makes a 502 of it, after which
/// GitLab does not come again.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long requests in flight may take once the server stops.
const SHUTDOWN_SECONDS: u64 = 3;

/// A bound server, not yet running.
pub struct Bound {
    server: Server,
    addresses: Vec<SocketAddr>,
}

impl Bound {
    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How to stop it.
    pub fn handle(&self) -> ServerHandle {
        self.server.handle()
    }

    /// Serves until it is stopped.
    pub async fn run(self) -> std::io::Result<()> {
        self.server.await
    }
}

/// Binds the routes to a listener.
pub fn bind(
    listener: TcpListener,
    intake: Intake,
    unsigned_possible: bool,
    vitals: Vitals,
) -> std::io::Result<Bound> {
    let shared = web::Data::new(webhook::Shared {
        intake,
        budget: Budget::default(),
        unsigned: Allowance::new(unsigned_possible),
    });
    let vitals = web::Data::new(vitals);
    let server = HttpServer::new(move || {
        let receive = web::resource(WEBHOOK_PATH)
            .route(
                web::post().to(|request, payload, shared| webhook::receive(request, None, payload, shared)),
            )
            .route(web::get().to(page::webhook));
        let receive_named = web::resource(format!("{WEBHOOK_PATH}/{{name}}"))
            .route(web::post().to(|request, name: web::Path<String>, payload, shared| {
                webhook::receive(request, Some(name), payload, shared)
            }))
            .route(web::get().to(page::webhook));
        App::new()
            .wrap(NormalizePath::trim())
            .app_data(shared.clone())
            .app_data(vitals.clone())
            .service(receive)
            .service(receive_named)
            .route("/healthz", web::get().to(health::live))
            .route("/readyz", web::get().to(health::ready))
            .route("/metrics", web::get().to(health::metrics))
    })
    .on_connect(connection::remember)
    .client_request_timeout(HEAD_TIMEOUT)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(SHUTDOWN_SECONDS)
    .disable_signals()
    .listen(listener)?;
    let addresses = server.addrs();
    Ok(Bound { server: server.run(), addresses })
}
