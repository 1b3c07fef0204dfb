//! The configuration: defaults compiled in, then a file, then the environment.
//!
//! `deploy/config.default.toml` is the defaults, the reference and the example in one. Every key can also be given as
//! `COUNTERSIGN__SECTION__KEY`, every secret as a file (`…_file`). Unknown keys are refused with the nearest known one,
//! all of them at once. Secrets are [`SecretString`]s from the first moment: nothing here can print them.

mod keys;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{File, FileFormat, Map, Source, Value, ValueKind};
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use url::Url;

use crate::schema::{Emptiness, Shape, json_schema, nearest};
use crate::telemetry::LogFormat;

/// The compiled-in defaults and reference.
pub const DEFAULTS: &str = include_str!("../../deploy/config.default.toml");
/// What the names of environment variables begin with.
pub const ENVIRONMENT_PREFIX: &str = "COUNTERSIGN__";

/// The least and the longest time between two sweeps.
const LEAST_PERIOD: Duration = Duration::from_secs(10);
const LONGEST_PERIOD: Duration = Duration::from_secs(7 * 24 * 3600);
/// The least and the longest time that one call of GitLab may be given.
const LEAST_TIMEOUT: Duration = Duration::from_millis(100);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The least number of calls a minute with which merge requests are decided at all.
const LEAST_CALLS: u32 = 20;

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is absent, no TOML, or a value has the wrong type.
    #[error("the configuration can't be read: {0}")]
    Unreadable(String),
    /// Keys that nothing reads.
    #[error("unknown configuration {}", unknown_keys(.0))]
    UnknownKeys(Vec<(String, Option<String>)>),
    /// A file that holds a secret can't be read.
    #[error("`{key}` names `{path}`, which can't be read: {source}")]
    SecretFile {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A value that reads and makes no sense.
    #[error("`{key}` {problem}")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
}

impl From<config::ConfigError> for ConfigError {
    fn from(error: config::ConfigError) -> Self {
        Self::Unreadable(without_values(&error))
    }
}

/// What is wrong and where, without the text that stands there: it may be a secret.
fn without_values(error: &config::ConfigError) -> String {
    use config::ConfigError as Wrong;
    let place = |key: &Option<String>, origin: &Option<String>| {
        let key = key.as_ref().map(|key| format!(" for key `{key}`")).unwrap_or_default();
        let origin = origin.as_ref().map(|origin| format!(" in {origin}")).unwrap_or_default();
        format!("{key}{origin}")
    };
    match error {
        Wrong::Type { origin, expected, key, .. } => {
            format!("invalid type, expected {expected}{}", place(key, origin))
        }
        Wrong::At { error, origin, key } => format!("{}{}", without_values(error), place(key, origin)),
        Wrong::FileParse { uri, cause } => {
            // The parser quotes the line between bars.
            let cause = cause.to_string();
            let words: Vec<_> =
                cause.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains('|')).collect();
            format!("{}{}", words.join(": "), place(&None, uri))
        }
        // serde: `invalid type: string "…", expected a sequence`.
        Wrong::Message(message) if message.starts_with("invalid ") => {
            let expected = message.rsplit_once(", expected ").map_or("another one", |(_, expected)| expected);
            format!("invalid type, expected {expected}")
        }
        other => other.to_string(),
    }
}

fn unknown_keys(keys: &[(String, Option<String>)]) -> String {
    let sentences = keys.iter().map(|(key, near)| match near {
        Some(near) => format!("`{key}` (did you mean `{near}`?)"),
        None => format!("`{key}`"),
    });
    let noun = if keys.len() == 1 { "key" } else { "keys" };
    format!("{noun} {}", sentences.collect::<Vec<_>>().join(", "))
}

/// The whole configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[server]`
    pub server: ServerConfig,
    /// `[gitlab]`
    pub gitlab: GitlabConfig,
    /// `[webhooks]`
    #[serde(default)]
    pub webhooks: WebhooksConfig,
    /// `[store]`
    pub store: StoreConfig,
    /// `[policies]`
    pub policies: PoliciesConfig,
    /// `[answers]`
    pub answers: AnswersConfig,
    /// `[sweep]`
    pub sweep: SweepConfig,
    /// `[log]`
    pub log: LogConfig,
}

/// Where to listen.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port.
    pub listen: String,
    /// What stands before `/webhooks/gitlab` in our checks' URLs.
    pub public_url: Option<Url>,
}

/// Which GitLab, and as whom.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitlabConfig {
    /// The instance.
    pub url: Option<Url>,
    token: Option<SecretString>,
    token_file: Option<PathBuf>,
    /// Certificates that are believed beside the system's.
    pub ca_certificates: Option<PathBuf>,
    proxy: Option<SecretString>,
    proxy_file: Option<PathBuf>,
    calls_per_minute: Option<u32>,
    /// Project globs.
    pub projects: Vec<String>,
    /// The version to answer as, in place of the one that GitLab says.
    pub version: Option<String>,
    #[serde(deserialize_with = "duration")]
    timeout: Duration,
    /// Calls a minute for what nobody waits for.
    pub background_calls_per_minute: u32,
}

/// What deliveries are verified with.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhooksConfig {
    status_check_secrets: Vec<SecretString>,
    status_check_secrets_file: Option<PathBuf>,
    master_secret: Option<SecretString>,
    master_secret_file: Option<PathBuf>,
    tokens: Vec<SecretString>,
    tokens_file: Option<PathBuf>,
    signing_tokens: Vec<SecretString>,
    signing_tokens_file: Option<PathBuf>,
    /// Project globs that may go unsigned.
    pub allow_unsigned: Vec<String>,
}

/// Where things are kept.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// `sqlite:PATH`
    pub url: String,
}

/// Where policies are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoliciesConfig {
    /// The directory.
    pub path: PathBuf,
    /// How long the last good set stays fully in force after a broken one.
    #[serde(deserialize_with = "duration")]
    pub stale_after: Duration,
}

/// What GitLab is told.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswersConfig {
    /// The word for waiting.
    pub waiting: WaitingAnswer,
    /// How long a `pending` that was said is said again.
    #[serde(deserialize_with = "duration")]
    pub heartbeat_for: Duration,
    /// How many of them are said in a minute.
    pub heartbeats_per_minute: u32,
    /// How long undecided stays pending.
    #[serde(deserialize_with = "duration")]
    pub undecided_after: Duration,
    /// Whether a commit status shows each verdict.
    pub commit_status: bool,
    /// Whether a note shows the verdicts.
    pub note: bool,
    /// Whether the token's user approves what passes.
    pub approval: bool,
    #[serde(default)]
    labels: LabelsConfig,
}

/// `[answers.labels]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LabelsConfig {
    /// Every check passes.
    pub passed: Option<String>,
    /// A check fails.
    pub failed: Option<String>,
    /// Something is missing.
    pub waiting: Option<String>,
    /// It can't be decided.
    pub undecided: Option<String>,
}

impl AnswersConfig {
    /// The labels, each of which GitLab takes for one label and no other.
    pub fn labels(&self) -> Result<&LabelsConfig, ConfigError> {
        let LabelsConfig { passed, failed, waiting, undecided } = &self.labels;
        let named: Vec<_> = [passed, failed, waiting, undecided].into_iter().flatten().collect();
        let wrong = |problem: String| Err(ConfigError::Value { key: "answers.labels", problem });
        for (index, label) in named.iter().enumerate() {
            if label.trim() != label.as_str() || label.is_empty() || label.contains(',') {
                return wrong(format!("has `{label}`: a label is some text without commas and outer spaces"));
            }
            if named.iter().take(index).any(|other| other == label) {
                return wrong(format!("has `{label}` twice: each state needs a label of its own"));
            }
        }
        Ok(&self.labels)
    }
}

/// `answers.waiting`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WaitingAnswer {
    /// Silence, or `pending`.
    Pending,
    /// `failed`.
    Failed,
}

/// How often it is looked for what nobody told of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepConfig {
    #[serde(deserialize_with = "duration")]
    recent: Duration,
    #[serde(deserialize_with = "duration")]
    full: Duration,
}

impl SweepConfig {
    /// How often merge requests that changed are looked for; none for never.
    pub fn recent(&self) -> Result<Option<Duration>, ConfigError> {
        period("sweep.recent", self.recent)
    }

    /// In which time every open merge request is looked at; none for never.
    pub fn full(&self) -> Result<Option<Duration>, ConfigError> {
        period("sweep.full", self.full)
    }
}

fn period(key: &'static str, period: Duration) -> Result<Option<Duration>, ConfigError> {
    if !period.is_zero() && !(LEAST_PERIOD..=LONGEST_PERIOD).contains(&period) {
        let problem = format!(
            "is {period:?}: give a time from {LEAST_PERIOD:?} to {LONGEST_PERIOD:?}, or 0s for never"
        );
        return Err(ConfigError::Value { key, problem });
    }
    Ok(Some(period).filter(|period| !period.is_zero()))
}

/// How to log.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// Pretty or JSON.
    pub format: LogFormat,
    /// A level or a filter.
    pub level: String,
}

impl Config {
    /// Reads the defaults, then `file`, then `environment` (all of it: foreign variables are passed over).
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut builder = config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if let Some(file) = file {
            builder = builder.add_source(File::from(file).format(FileFormat::Toml));
        }
        let merged = builder.add_source(Environment::of(environment)).build()?;
        refuse_unknown_keys(&merged)?;
        Ok(merged.try_deserialize()?)
    }
}

impl GitlabConfig {
    /// The instance's address.
    pub fn required_url(&self) -> Result<&Url, ConfigError> {
        let problem =
            "is missing: the address of your GitLab, such as `https://gitlab.example.com`".to_owned();
        self.url.as_ref().ok_or(ConfigError::Value { key: "gitlab.url", problem })
    }

    /// How long one call may take: a claim's lease must outlast it by far.
    pub fn timeout(&self) -> Result<Duration, ConfigError> {
        if (LEAST_TIMEOUT..=LONGEST_TIMEOUT).contains(&self.timeout) {
            return Ok(self.timeout);
        }
        let problem =
            format!("is {:?}: give a time from {LEAST_TIMEOUT:?} to {LONGEST_TIMEOUT:?}", self.timeout);
        Err(ConfigError::Value { key: "gitlab.timeout", problem })
    }

    /// The token, from the key or its file.
    pub fn required_token(&self) -> Result<SecretString, ConfigError> {
        let token =
            one("gitlab.token", "gitlab.token_file", self.token.as_ref(), self.token_file.as_deref())?;
        let problem = "is missing: a token with scope `api` and at least the role Developer".to_owned();
        token.ok_or(ConfigError::Value { key: "gitlab.token", problem })
    }

    /// Whether the token is in a file, and so may be another one later.
    pub fn token_may_change(&self) -> bool {
        self.token_file.is_some()
    }

    /// The proxy, from the key or its file: an address, or `none`.
    pub fn proxy(&self) -> Result<Option<SecretString>, ConfigError> {
        one("gitlab.proxy", "gitlab.proxy_file", self.proxy.as_ref(), self.proxy_file.as_deref())
    }

    /// How many calls there may be in a minute: enough for one merge request at least.
    pub fn calls_per_minute(&self) -> Result<Option<u32>, ConfigError> {
        match self.calls_per_minute {
            Some(calls) if calls < LEAST_CALLS => {
                let problem =
                    format!("is {calls}: give at least {LEAST_CALLS}, or leave it out for no ceiling");
                Err(ConfigError::Value { key: "gitlab.calls_per_minute", problem })
            }
            calls => Ok(calls),
        }
    }
}

impl WebhooksConfig {
    /// `status_check_secrets`, from the key and its file.
    pub fn status_check_secrets(&self) -> Result<Vec<SecretString>, ConfigError> {
        let file = self.status_check_secrets_file.as_deref();
        several(
            "webhooks.status_check_secrets",
            "webhooks.status_check_secrets_file",
            &self.status_check_secrets,
            file,
        )
    }

    /// `master_secret`, from the key or its file.
    pub fn master_secret(&self) -> Result<Option<SecretString>, ConfigError> {
        let file = self.master_secret_file.as_deref();
        one("webhooks.master_secret", "webhooks.master_secret_file", self.master_secret.as_ref(), file)
    }

    /// `tokens`, from the key and its file.
    pub fn tokens(&self) -> Result<Vec<SecretString>, ConfigError> {
        several("webhooks.tokens", "webhooks.tokens_file", &self.tokens, self.tokens_file.as_deref())
    }

    /// `signing_tokens`, from the key and its file.
    pub fn signing_tokens(&self) -> Result<Vec<SecretString>, ConfigError> {
        let file = self.signing_tokens_file.as_deref();
        several("webhooks.signing_tokens", "webhooks.signing_tokens_file", &self.signing_tokens, file)
    }
}

/// One secret from its key or its file.
fn one(
    key: &'static str,
    file_key: &'static str,
    value: Option<&SecretString>,
    file: Option<&Path>,
) -> Result<Option<SecretString>, ConfigError> {
    if value.is_some() && file.is_some() {
        let problem = format!("and `{file_key}` are both set; keep one");
        return Err(ConfigError::Value { key, problem });
    }
    let read = file.map(|file| read_secret(file_key, file)).transpose()?;
    let secret = value.cloned().or(read);
    if secret.as_ref().is_some_and(|secret| secret.expose_secret().is_empty()) {
        return Err(ConfigError::Value { key, problem: "is empty".to_owned() });
    }
    Ok(secret)
}

/// Several secrets from their key and, one a line, from their file.
fn several(
    key: &'static str,
    file_key: &'static str,
    values: &[SecretString],
    file: Option<&Path>,
) -> Result<Vec<SecretString>, ConfigError> {
    let mut secrets = values.to_vec();
    if let Some(file) = file {
        let text = read_secret(file_key, file)?;
        let lines = text.expose_secret().lines().filter(|line| !line.is_empty());
        secrets.extend(lines.map(SecretString::from));
    }
    if secrets.iter().any(|secret| secret.expose_secret().is_empty()) {
        return Err(ConfigError::Value {
            key,
            problem: "holds an empty secret, which anyone could guess".to_owned(),
        });
    }
    Ok(secrets)
}

fn read_secret(key: &'static str, path: &Path) -> Result<SecretString, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::SecretFile {
        key,
        path: path.to_owned(),
        source,
    })?;
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn refuse_unknown_keys(merged: &config::Config) -> Result<(), ConfigError> {
    let mut unknown = Vec::new();
    for (section, value) in merged.collect()? {
        collect_unknown(section, value, &mut unknown);
    }
    unknown.sort();
    if unknown.is_empty() { Ok(()) } else { Err(ConfigError::UnknownKeys(unknown)) }
}

/// A mapping is known by the keys in it.
fn collect_unknown(key: String, value: Value, unknown: &mut Vec<(String, Option<String>)>) {
    match value.kind {
        ValueKind::Table(table) if !keys::all().any(|(known, _)| known == key) => {
            for (name, value) in table {
                collect_unknown(format!("{key}.{name}"), value, unknown);
            }
        }
        _ => unknown.extend(unless_known(key)),
    }
}

/// The key and the nearest known one; none if it is known itself.
fn unless_known(key: String) -> Option<(String, Option<String>)> {
    let known: Vec<_> = keys::all().map(|(known, _)| known).collect();
    if known.contains(&key) {
        return None;
    }
    let near = nearest(&key, known.iter().map(String::as_str)).map(str::to_owned);
    Some((key, near))
}

/// The JSON Schema of the configuration file (draft 2020-12), for editors.
pub fn schema() -> serde_json::Value {
    json_schema(&keys::ROOT, "urn:countersign:configuration", Emptiness::Allowed)
}

/// A duration in words: `90s`, `10m`, `1h 30m`.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let parsed = text.parse::<SignedDuration>().ok().and_then(|signed| Duration::try_from(signed).ok());
    parsed.ok_or_else(|| {
        serde::de::Error::custom(format!("`{text}` is no duration such as `90s`, `10m` or `1h`"))
    })
}

/// The environment as a source. Values stay text: the library's own source would turn the secret `0123` into 123.
#[derive(Debug, Clone)]
struct Environment(BTreeMap<String, String>);

impl Environment {
    fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = variables.into_iter().filter_map(|(name, value)| {
            let key = name.strip_prefix(ENVIRONMENT_PREFIX)?;
            Some((key.to_lowercase().replace("__", "."), value))
        });
        Self(ours.collect())
    }
}

impl Source for Environment {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        let origin = "the environment".to_owned();
        let values = self.0.iter().map(|(key, text)| {
            let is_list = keys::all().any(|(known, shape)| known == *key && matches!(shape, Shape::List(_)));
            let kind = if is_list {
                let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
                ValueKind::Array(entries.map(|entry| Value::new(Some(&origin), entry)).collect())
            } else {
                ValueKind::String(text.clone())
            };
            (key.clone(), Value::new(Some(&origin), kind))
        });
        Ok(values.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(None, variables)
    }

    fn load_file(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("countersign.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(Some(&path), [])
    }

    #[test]
    fn a_mistake_beside_a_secret_does_not_print_it() {
        for (text, told) in [
            ("[webhooks]\ntokens = \"sesame\"\n", "expected a sequence for key `webhooks.tokens`"),
            (
                "[webhooks]\nmaster_secret = [\"sesame\"]\n",
                "expected a string for key `webhooks.master_secret`",
            ),
            ("[gitlab]\ntoken = \"sesame\n", "line 2, column"),
            ("[gitlab]\ntoken = sesame\n", "line 2, column"),
        ] {
            let error = load_file(text).unwrap_err();
            let said = format!("{error} {error:?}");
            assert!(said.contains(told) && !said.contains("sesame"), "{said}");
        }
    }

    #[test]
    fn a_sweep_comes_from_time_to_time_or_never() {
        let config = load(&[]).unwrap();
        let of = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!((config.sweep.recent().unwrap(), config.sweep.full().unwrap()), (of(300), of(3600)));
        let full = |text| load(&[("COUNTERSIGN__SWEEP__FULL", text)]).unwrap().sweep.full();
        assert_eq!((full("0s").unwrap(), full("10s").unwrap()), (None, of(10)));
        for wrong in ["9s", "200h"] {
            assert!(full(wrong).unwrap_err().to_string().contains("0s for never"), "{wrong}");
        }
    }

    #[test]
    fn the_defaults_are_whole_but_for_what_nobody_can_guess() {
        let config = load(&[]).unwrap();
        assert_eq!(config.server.listen, "127.0.0.1:8080");
        assert_eq!(config.answers.undecided_after, Duration::from_secs(600));
        assert!(config.gitlab.required_url().is_err());
        assert!(config.gitlab.required_token().is_err());
        assert!(config.webhooks.tokens().unwrap().is_empty());
    }

    #[test]
    fn the_reference_names_every_key_and_no_other() {
        let mut section = "";
        let mut named = Vec::new();
        for line in DEFAULTS.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name;
            }
            let line = line.strip_prefix("# ").unwrap_or(line);
            if let Some((key, _)) = line.split_once(" = ")
                && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            {
                named.push(format!("{section}.{key}"));
            }
        }
        let mut known: Vec<_> = keys::all().map(|(key, _)| key).collect();
        named.sort();
        known.sort();
        assert_eq!(named, known);
    }

    #[test]
    fn a_secret_of_digits_stays_as_it_is() {
        let config = load(&[
            ("COUNTERSIGN__WEBHOOKS__STATUS_CHECK_SECRETS", "0123, 456"),
            ("COUNTERSIGN__GITLAB__TOKEN", "0099"),
        ])
        .unwrap();
        let secrets = config.webhooks.status_check_secrets().unwrap();
        let plain: Vec<_> = secrets.iter().map(ExposeSecret::expose_secret).collect();
        assert_eq!(plain, ["0123", "456"]);
        assert_eq!(config.gitlab.required_token().unwrap().expose_secret(), "0099");
    }

    #[test]
    fn unknown_keys_are_named_with_their_nearest_all_at_once() {
        let error = load_file("[server]\nlisten_on = \"x\"\n[gitlap]\nurl = \"x\"\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown configuration keys `gitlap.url` (did you mean `gitlab.url`?), \
             `server.listen_on` (did you mean `server.listen`?)"
        );
        assert!(load(&[("COUNTERSIGN__LOG__LEVLE", "info")]).is_err());
        assert!(load(&[("COUNTERSIGN_PORT", "tcp://10.0.0.1:80"), ("COUNTERSIGN_CONFIG", "x")]).is_ok());
    }

    #[test]
    fn secrets_come_from_files_and_never_show() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        std::fs::write(&path, "one\ntwo\n").unwrap();
        let config = load(&[("COUNTERSIGN__WEBHOOKS__TOKENS_FILE", path.to_str().unwrap())]).unwrap();
        assert_eq!(config.webhooks.tokens().unwrap().len(), 2);
        let config = load(&[("COUNTERSIGN__GITLAB__TOKEN", "glpat-visible")]).unwrap();
        assert!(!format!("{config:?}").contains("glpat-visible"));
        let absent = load(&[("COUNTERSIGN__GITLAB__TOKEN_FILE", "/nowhere/token")]).unwrap();
        let error = absent.gitlab.required_token().unwrap_err().to_string();
        assert!(error.contains("gitlab.token_file") && error.contains("/nowhere/token"), "{error}");
    }

    #[test]
    fn labels_are_a_mapping_within_answers_and_each_is_one_label() {
        let config = load(&[("COUNTERSIGN__ANSWERS__LABELS__PASSED", "gate::passed")]).unwrap();
        assert_eq!(config.answers.labels().unwrap().passed.as_deref(), Some("gate::passed"));
        let error = load_file("[answers.labels]\npased = \"x\"\n").unwrap_err().to_string();
        assert!(error.contains("did you mean `answers.labels.passed`?"), "{error}");
        for text in ["passed = \"a,b\"", "passed = \"\"", "passed = \" a\"", "passed = \"a\"\nfailed = \"a\""]
        {
            let config = load_file(&format!("[answers.labels]\n{text}\n")).unwrap();
            let error = config.answers.labels().unwrap_err().to_string();
            assert!(error.starts_with("`answers.labels` has "), "{error}");
        }
        let none = load(&[]).unwrap();
        assert!(!none.answers.note && !none.answers.approval && !none.answers.commit_status);
    }

    #[test]
    fn a_wrong_value_names_its_key() {
        for text in ["[answers]\nwaiting = \"maybe\"\n", "[policies]\nstale_after = \"soon\"\n"] {
            let error = load_file(text).unwrap_err().to_string();
            assert!(error.contains("answers.waiting") || error.contains("policies.stale_after"), "{error}");
        }
    }
}
