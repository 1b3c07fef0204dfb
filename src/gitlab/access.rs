//! The way to GitLab: its address, and what is wrong with it.

use url::{Host, Url};

/// Why a client could not be built.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The URL can't carry API paths.
    #[error("`gitlab.url` is `{0}`: give an address such as `https://gitlab.example.com`")]
    Url(String),
    /// The token has characters that no header can carry.
    #[error("`gitlab.token` has characters that no HTTP header can carry")]
    Token,
    /// The HTTP library refused.
    #[error("the HTTP client can't be built")]
    Http(#[source] reqwest::Error),
}
/// Whether a URL leads to this very machine: a proxy of the environment would look for it on its own.
pub(super) fn is_this_machine(url: &Url) -> bool {
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
}
