//! A GitLab with state, over real HTTP.
//!
//! placeholder

mod access;
mod accounts;
mod announce;
mod answering;
mod api;
mod calls;
mod clock;
mod diffs;
mod digest;
mod envelope;
mod error;
mod faults;
mod founding;
mod handle;
mod hooks;
mod merge_requests;
mod namespaces;
mod new_merge_request;
mod pattern;
mod payload;
mod post_office;
mod pushing;
mod release;
mod repository;
mod reviewing;
mod server;
mod shared;
mod status_checks;
mod throttle;
mod world;

pub use accounts::{AccountState, NewToken, NewUser, Scope};
pub use calls::{ApiCall, CallOutcome};
pub use diffs::{Commit, DiffVersion, FileChange, NewCommit, Push};
pub use envelope::Recipient;
pub use error::SimulatorError;
pub use faults::{Fault, FaultId, FaultKind, Moment};
pub use handle::{Gitlab, ProjectSetting};
pub use hooks::{HookEvent, NewHook};
pub use merge_requests::{
    Approved, Discussion, LabelEvent, MergeRequest, MergeRequestState, Note, PipelineKind, PipelineRun,
};
pub use namespaces::{CommitStatus, Membership, NewGroup, NewProject, Place, Visibility};
pub use new_merge_request::NewMergeRequest;
pub use post_office::{Delivery, DeliveryState, Weather};
pub use release::Edition;
pub use status_checks::{CheckStatus, NewStatusCheck, StatusRow};

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;

use clock::Clock;
use post_office::PostOffice;
use release::Release;
use shared::Shared;
use world::World;

/// What a simulator is to be.
#[derive(Debug, Clone)]
pub struct SimulatorOptions {
    /// The version, as `/version` says it.
    pub version: String,
    /// The edition.
    pub edition: Edition,
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Where chance begins: event ids and the weather.
    pub seed: u64,
    /// How long a status-check delivery waits after a transport failure. GitLab waits 15 seconds and more.
    pub retry_delay: Duration,
    /// How many threads serve.
    pub workers: usize,
}

impl Default for SimulatorOptions {
    /// GitLab 18.3 Ultimate on a free port.
    fn default() -> Self {
        Self {
            version: "18.3.0-ee".to_owned(),
            edition: Edition::Ultimate,
            port: 0,
            seed: 1,
            retry_delay: Duration::from_millis(50),
            workers: 1,
        }
    }
}

/// A running simulator; dropping it stops it.
#[derive(Debug)]
pub struct Simulator {
    url: String,
    gitlab: Gitlab,
    server: ServerHandle,
}

impl Simulator {
    /// Starts one, empty. Deliveries run on the runtime that calls this.
    #[expect(clippy::unused_async, reason = "it must be called within a runtime")]
    pub async fn start(options: SimulatorOptions) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        let url = format!("http://{}", listener.local_addr()?);
        let clock = Arc::new(Clock::default());
        let release = Release::new(&options.version, options.edition);
        let world = World::new(url.clone(), Arc::clone(&clock), release, options.seed);
        // GitLab follows redirects like its HTTP client does; it never goes through a proxy of ours.
        let redirects = reqwest::redirect::Policy::limited(5);
        let client = reqwest::Client::builder().no_proxy().no_gzip().redirect(redirects).build();
        let client = client.map_err(io::Error::other)?;
        let runtime = tokio::runtime::Handle::current();
        let (seed, delay) = (options.seed, options.retry_delay);
        let post_office = PostOffice::new(client, Arc::clone(&clock), seed, delay, runtime);
        let shared = Arc::new(Shared::new(world, clock, post_office));
        let server = server::serve(listener, Arc::clone(&shared), options.workers)?;
        Ok(Self { url, gitlab: Gitlab::new(shared), server })
    }

    /// Its address without a slash at the end, such as `http://127.0.0.1:40001`; the API is under `/api/v4`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A handle to say what happens in it.
    pub fn gitlab(&self) -> Gitlab {
        self.gitlab.clone()
    }

    /// Stops it; calls that are under way are cut off.
    pub async fn stop(self) {
        self.gitlab.lift_all();
        self.server.stop(false).await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // The command is sent at once; there is no need to wait for its end.
        drop(self.server.stop(false));
    }
}
