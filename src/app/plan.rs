//! What a configuration means, before anything is opened or bound.

use std::sync::Arc;

use jiff::Timestamp;

use crate::bundle::{Bundle, LoadError};
use crate::clock::Clock;
use crate::config::{Config, ConfigError, GitlabConfig, LabelsConfig, WaitingAnswer};
use crate::gitlab::{Access, Client, ClientError, GitlabVersion, ReadToken};
use crate::scope::{CheckAddress, ProjectScope, ScopeError};
use crate::server::{Secrets, SigningKey};
use crate::setup::{Credentials, Installation};
use crate::status_check::{Mirrors, Settings, StateLabels};
use crate::store::StoreError;
use crate::telemetry::Metrics;

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The policies are wrong.
    #[error("the policies can't be used")]
    Policies(#[from] LoadError),
    /// The store can't be opened.
    #[error("the store `{url}` can't be opened")]
    Store {
        /// `store.url`
        url: String,
        /// Why.
        source: StoreError,
    },
    /// The GitLab client can't be built.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A project glob is wrong.
    #[error("`{key}`: {source}")]
    Scope {
        /// The key.
        key: &'static str,
        /// What is wrong.
        source: ScopeError,
    },
    /// The address can't be listened on.
    #[error("`server.listen`: can't listen on {address}: {source}")]
    Listen {
        /// `server.listen`
        address: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The server can't be set up.
    #[error("the HTTP server can't be set up")]
    Server(#[source] std::io::Error),
}

impl StartError {
    /// Whether the user can mend it (configuration, policies), as opposed to the machine.
    pub fn is_users(&self) -> bool {
        match self {
            Self::Config(_) | Self::Policies(_) | Self::Client(_) | Self::Scope { .. } => true,
            Self::Store { source, .. } => matches!(source, StoreError::Url(_)),
            Self::Listen { .. } | Self::Server(_) => false,
        }
    }
}

/// What a configuration means, before anything is opened or bound.
pub(super) struct Plan {
    pub(super) gitlab: Client,
    pub(super) settings: Settings,
    pub(super) secrets: Secrets,
    pub(super) scope: Arc<ProjectScope>,
    pub(super) allow_unsigned: ProjectScope,
    pub(super) address: CheckAddress,
}

impl Plan {
    pub(super) fn of(config: &Config, clock: Clock, metrics: &Arc<Metrics>) -> Result<Self, StartError> {
        let secrets = secrets(config)?;
        let gitlab = Client::reach(&access(&config.gitlab)?, clock, Arc::clone(metrics))?;
        Ok(Self {
            gitlab,
            settings: settings(config)?,
            secrets,
            scope: Arc::new(compile("gitlab.projects", &config.gitlab.projects)?),
            allow_unsigned: compile("webhooks.allow_unsigned", &config.webhooks.allow_unsigned)?,
            address: CheckAddress::new(config.server.public_url.clone()),
        })
    }
}

/// What the configuration says of answers and sweeps.
fn settings(config: &Config) -> Result<Settings, ConfigError> {
    Ok(Settings {
        waiting_is_failed: config.answers.waiting == WaitingAnswer::Failed,
        heartbeat_for: config.answers.heartbeat_for,
        heartbeats_per_minute: config.answers.heartbeats_per_minute,
        undecided_after: config.answers.undecided_after,
        stale_after: config.policies.stale_after,
        background_calls_per_minute: config.gitlab.background_calls_per_minute,
        sweep_recent: config.sweep.recent()?,
        sweep_full: config.sweep.full()?,
        gitlab_version: version(config)?,
        mirrors: mirrors(config)?,
    })
}

/// How GitLab is reached, and as whom.
fn access(config: &GitlabConfig) -> Result<Access, ConfigError> {
    let (token, url) = (config.required_token()?, config.required_url()?);
    let again = config.clone();
    let read_token: ReadToken = Arc::new(move || again.required_token().ok());
    Ok(Access {
        read_token: config.token_may_change().then_some(read_token),
        ca_certificates: config.ca_certificates.clone(),
        proxy: config.proxy()?,
        calls_per_minute: config.calls_per_minute()?,
        ..Access::new(url.as_str(), &token, config.timeout()?)
    })
}

fn mirrors(config: &Config) -> Result<Mirrors, ConfigError> {
    let LabelsConfig { passed, failed, waiting, undecided } = config.answers.labels()?.clone();
    Ok(Mirrors {
        commit_status: config.answers.commit_status,
        note: config.answers.note,
        approval: config.answers.approval,
        labels: StateLabels { passed, failed, waiting, undecided },
        public_url: config.server.public_url.clone(),
    })
}

/// Whether `serve` could start with a configuration, as far as that can be told without opening anything.
pub fn examine(config: &Config) -> Result<(), StartError> {
    Plan::of(config, Clock::default(), &Arc::new(Metrics::default())).map(drop)
}

/// What a configuration means for setting up GitLab's side.
pub fn installation(config: &Config, clock: Clock) -> Result<Installation, StartError> {
    let Plan { gitlab, settings, scope, allow_unsigned, address, .. } =
        Plan::of(config, clock.clone(), &Arc::default())?;
    let webhooks = &config.webhooks;
    let credentials = Credentials {
        master: webhooks.master_secret()?,
        status_check: webhooks.status_check_secrets()?.into_iter().next(),
        token: webhooks.tokens()?.into_iter().next(),
        signing: webhooks.signing_tokens()?.into_iter().next(),
    };
    let public_url = config.server.public_url.clone();
    Ok(Installation {
        gitlab,
        http_as_gitlab: access(&config.gitlab)?.http_as_gitlab()?,
        public_url,
        address,
        scope,
        allow_unsigned,
        credentials,
        answers_otherwise: settings.mirrors.is_any(),
        gitlab_version: settings.gitlab_version,
        clock,
    })
}

fn secrets(config: &Config) -> Result<Secrets, ConfigError> {
    let webhooks = &config.webhooks;
    let key = "webhooks.signing_tokens";
    let signing = webhooks
        .signing_tokens()?
        .iter()
        .map(|token| {
            let problem = "holds something that is not `whsec_` and the base64 of 32 bytes".to_owned();
            SigningKey::parse(token).ok_or(ConfigError::Value { key, problem })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let secrets = Secrets {
        status_check: webhooks.status_check_secrets()?,
        master: webhooks.master_secret()?,
        tokens: webhooks.tokens()?,
        signing,
    };
    let nothing = secrets.status_check.is_empty()
        && secrets.master.is_none()
        && secrets.tokens.is_empty()
        && secrets.signing.is_empty()
        && webhooks.allow_unsigned.is_empty();
    if nothing {
        let problem = "is missing: without `status_check_secrets`, `master_secret`, `tokens`, `signing_tokens` or \
                       `allow_unsigned` no delivery could ever be taken";
        return Err(ConfigError::Value { key: "webhooks.status_check_secrets", problem: problem.to_owned() });
    }
    Ok(secrets)
}

fn version(config: &Config) -> Result<Option<GitlabVersion>, ConfigError> {
    let read = |text: &String| {
        let problem = format!("is `{text}`: give two numbers with a dot between them, such as 15.0");
        GitlabVersion::parse(text).ok_or(ConfigError::Value { key: "gitlab.version", problem })
    };
    config.gitlab.version.as_ref().map(read).transpose()
}

fn compile(key: &'static str, patterns: &[String]) -> Result<ProjectScope, StartError> {
    ProjectScope::compile(patterns.iter().map(String::as_str))
        .map_err(|source| StartError::Scope { key, source })
}

/// Policies as configured.
pub fn load_bundle(config: &Config) -> Result<Arc<Bundle>, StartError> {
    Ok(Arc::new(Bundle::open(&config.policies.path, Timestamp::now())?))
}
