//! The way to GitLab: its address, through which proxy, and whose certificates are believed.
//!
//! A proxy of the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, but for what `NO_PROXY` names) is used unless the
//! configuration names one, or none. GitLab on this very machine is never looked for through the environment's.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, Proxy};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

/// Reads the token anew, from where the first one came; none where it can't be read now.
pub type ReadToken = Arc<dyn Fn() -> Option<SecretString> + Send + Sync>;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The word for no proxy at all.
const NO_PROXY: &str = "none";

/// Why a client could not be built.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The URL can't carry API paths.
    #[error("`gitlab.url` is `{0}`: give an address such as `https://gitlab.example.com`")]
    Url(String),
    /// The token has characters that no header can carry.
    #[error("`gitlab.token` has characters that no HTTP header can carry")]
    Token,
    /// The authorities' certificates can't be had.
    #[error("`gitlab.ca_certificates` names `{path}`, {problem}")]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The proxy's address is none; it may hold a password and is not shown.
    #[error("`gitlab.proxy` is no address such as `http://proxy.example.com:3128`, nor `none`")]
    Proxy,
    /// The HTTP library refused.
    #[error("the HTTP client can't be built")]
    Http(#[source] reqwest::Error),
}

/// How GitLab is reached, and as whom.
#[derive(Clone)]
pub struct Access {
    /// The address of the instance.
    pub url: String,
    /// The token to begin with.
    pub token: SecretString,
    /// How the token is read anew; none where it can't change.
    pub read_token: Option<ReadToken>,
    /// How long one call may take, from connecting to the last byte.
    pub timeout: Duration,
    /// A file of certificates (PEM) that are believed beside the system's.
    pub ca_certificates: Option<PathBuf>,
    /// The proxy: an address, `none`, or what the environment says.
    pub proxy: Option<SecretString>,
    /// How many calls there may be in a minute, whatever GitLab says.
    pub calls_per_minute: Option<u32>,
}

impl Access {
    /// The plain way.
    pub fn new(url: &str, token: &SecretString, timeout: Duration) -> Self {
        Self {
            url: url.to_owned(),
            token: token.clone(),
            read_token: None,
            timeout,
            ca_certificates: None,
            proxy: None,
            calls_per_minute: None,
        }
    }

    /// Under which every route lies.
    pub(super) fn base(&self) -> Result<Url, ClientError> {
        let wrong = || ClientError::Url(self.url.clone());
        let mut base = Url::parse(&self.url).map_err(|_| wrong())?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(wrong());
        }
        let path = format!("{}/api/v4/", base.path().trim_end_matches('/'));
        base.set_path(&path);
        base.set_query(None);
        Ok(base)
    }

    /// What makes the calls.
    pub(super) fn http(&self, base: &Url) -> Result<reqwest::Client, ClientError> {
        let builder = reqwest::Client::builder();
        let builder = match self.proxy.as_ref().map(ExposeSecret::expose_secret) {
            None if is_this_machine(base) => builder.no_proxy(),
            None => builder,
            Some(NO_PROXY) => builder.no_proxy(),
            Some(address) => builder.proxy(proxy(address)?),
        };
        self.build(builder)
    }

    /// What looks at an address from where we are as GitLab calls it: believing what is believed of GitLab itself, and not
    /// sent on. No proxy counts: the one on our way to GitLab does not stand on its way to us.
    pub fn http_as_gitlab(&self) -> Result<reqwest::Client, ClientError> {
        self.build(reqwest::Client::builder().no_proxy())
    }

    fn build(&self, builder: reqwest::ClientBuilder) -> Result<reqwest::Client, ClientError> {
        let mut builder = builder
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(self.timeout)
            .redirect(reqwest::redirect::Policy::none());
        if let Some(path) = &self.ca_certificates {
            builder = builder.tls_certs_merge(authorities(path)?);
        }
        builder.build().map_err(|error| match &self.ca_certificates {
            // The library looks into the certificates here.
            Some(path) if error.is_builder() => {
                let problem = format!("which holds a certificate that can't be used: {}", innermost(&error));
                ClientError::Authorities { path: path.clone(), problem }
            }
            _ => ClientError::Http(error),
        })
    }

    /// The way in words, without a secret; none where there is nothing to say.
    pub(super) fn way(&self) -> Option<String> {
        let proxy = self.proxy.as_ref().map(|proxy| match proxy.expose_secret() {
            NO_PROXY => "through no proxy".to_owned(),
            address => format!("through the proxy {}", address_of(address)),
        });
        let ca_certificates = self
            .ca_certificates
            .as_ref()
            .map(|path| format!("the certificates of `{}` are believed", path.display()));
        let parts: Vec<_> = proxy.into_iter().chain(ca_certificates).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

fn proxy(address: &str) -> Result<Proxy, ClientError> {
    let url = Url::parse(address).map_err(|_| ClientError::Proxy)?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(ClientError::Proxy);
    }
    Proxy::all(url).map_err(|_| ClientError::Proxy)
}

fn address_of(proxy: &str) -> String {
    let url = Url::parse(proxy).ok();
    url.map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, ClientError> {
    let wrong = |problem: String| ClientError::Authorities { path: path.to_owned(), problem };
    let text = std::fs::read(path).map_err(|error| wrong(format!("which can't be read: {error}")))?;
    let found = Certificate::from_pem_bundle(&text)
        .map_err(|error| wrong(format!("which is no PEM: {}", innermost(&error))))?;
    if found.is_empty() {
        return Err(wrong("which holds no certificate (PEM: `-----BEGIN CERTIFICATE-----`)".to_owned()));
    }
    Ok(found)
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Whether a URL leads to this very machine: a proxy of the environment would look for it on its own.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gitlab_on_this_machine_is_told_from_others() {
        let here = |url: &str| is_this_machine(&Url::parse(url).unwrap());
        assert!(
            ["http://127.0.0.1:8080/", "http://[::1]/git", "http://localhost:3000/"].into_iter().all(here)
        );
        assert!(
            !["https://gitlab.example.com/", "http://10.0.0.5/", "http://localhost.example.com/"]
                .into_iter()
                .any(here)
        );
    }

    #[test]
    fn a_mistake_in_the_way_is_told_and_a_password_is_not() {
        let told = |proxy: Option<&str>, ca_certificates: Option<&Path>| {
            let access = Access {
                proxy: proxy.map(SecretString::from),
                ca_certificates: ca_certificates.map(Path::to_owned),
                ..Access::new("https://gitlab.example.com", &"token".into(), CONNECT_TIMEOUT)
            };
            let way = access.way().unwrap_or_default();
            (
                access.http(&access.base().unwrap()).err().map(|error| error.to_string()).unwrap_or_default(),
                way,
            )
        };
        for wrong in ["bot:sesame@proxy:3128", "ftp://bot:sesame@proxy", "proxy", ""] {
            let (error, _) = told(Some(wrong), None);
            assert!(error.starts_with("`gitlab.proxy`") && !error.contains("sesame"), "{wrong}: {error}");
        }
        let (error, way) = told(Some("http://bot:sesame@proxy.example.com:3128"), None);
        assert_eq!((error.as_str(), way.as_str()), ("", "through the proxy http://proxy.example.com:3128"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        assert!(told(None, Some(&path)).0.contains("which can't be read"));
        std::fs::write(&path, "no certificate").unwrap();
        assert!(told(None, Some(&path)).0.contains("which holds no certificate"));
        for (body, words) in [("!!!", "which is no PEM"), ("AAAA", "can't be used")] {
            let text = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
            std::fs::write(&path, text).unwrap();
            let (error, _) = told(None, Some(&path));
            assert!(error.contains(words) && error.contains("ca.pem"), "{error}");
        }
    }
}
