//! Which projects and which URLs are ours: the borders of what this service speaks about.

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use url::Url;

use crate::merge_request::CheckName;

/// The path under which GitLab reaches us; a check's own name may follow it.
pub const WEBHOOK_PATH: &str = "/webhooks/gitlab";

/// A set of project globs: `*` stops at `/`, `**` does not, a leading `!` excludes whatever the order. A list that only
/// excludes means everything else, an empty one means nothing, as in policies.
#[derive(Debug, Clone)]
pub struct ProjectScope {
    included: GlobSet,
    excluded: GlobSet,
}

/// A pattern that is no glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is not a project glob: {reason}")]
pub struct ScopeError {
    /// As configured.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

impl ProjectScope {
    /// Compiles patterns such as `shop/**` or `!shop/playground/*`.
    pub fn compile<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeError> {
        let (mut included, mut excluded) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        let mut only_excludes = None;
        for pattern in patterns {
            if let Some(rest) = pattern.strip_prefix('!') {
                excluded.add(project_glob(rest)?);
                only_excludes.get_or_insert(true);
            } else {
                included.add(project_glob(pattern)?);
                only_excludes = Some(false);
            }
        }
        if only_excludes == Some(true) {
            included.add(project_glob("**")?);
        }
        let build = |set: &GlobSetBuilder| {
            set.build().map_err(|error| ScopeError { pattern: String::new(), reason: error.to_string() })
        };
        Ok(Self { included: build(&included)?, excluded: build(&excluded)? })
    }

    /// Whether a project's full path lies within. GitLab's paths are the same in any case.
    pub fn contains(&self, path: &str) -> bool {
        let path = path.to_lowercase();
        self.included.is_match(&path) && !self.excluded.is_match(&path)
    }
}

fn project_glob(pattern: &str) -> Result<Glob, ScopeError> {
    GlobBuilder::new(&pattern.to_lowercase())
        .literal_separator(true)
        .build()
        .map_err(|error| ScopeError { pattern: pattern.to_owned(), reason: error.kind().to_string() })
}

/// How to tell our own checks by the URL that GitLab has for them.
#[derive(Debug, Clone)]
pub struct CheckAddress {
    public: Option<Url>,
}

impl CheckAddress {
    /// `public` is `server.public_url`. Without it every URL whose path ends as ours do counts as ours, whatever its
    /// host: then no second service may listen on the same path for the same project.
    pub fn new(public: Option<Url>) -> Self {
        Self { public }
    }

    /// Our name for the check behind `external_url`; none when the URL is not ours.
    pub fn name_of(&self, external_url: &str) -> Option<CheckName> {
        let url = Url::parse(external_url).ok()?;
        let path = match &self.public {
            None => url.path().get(url.path().find(WEBHOOK_PATH)?..)?,
            Some(public) => {
                if url.origin() != public.origin() {
                    return None;
                }
                url.path().strip_prefix(public.path().trim_end_matches('/'))?
            }
        };
        match path.strip_prefix(WEBHOOK_PATH)? {
            "" | "/" => Some(CheckName::default()),
            rest => CheckName::parse(rest.strip_prefix('/')?.trim_end_matches('/')).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(public: Option<&str>, url: &str) -> Option<String> {
        let public = public.map(|public| Url::parse(public).unwrap());
        CheckAddress::new(public).name_of(url).map(|name| name.to_string())
    }

    #[test]
    fn an_exclusion_holds_whatever_the_order() {
        let scope = ProjectScope::compile(["!shop/play/*", "shop/**"]).unwrap();
        assert!(scope.contains("shop/pay") && scope.contains("Shop/a/b"));
        assert!(!scope.contains("shop/play/x") && !scope.contains("other/shop"));
        assert!(!ProjectScope::compile(["shop/*"]).unwrap().contains("shop/a/b"));
        assert!(!ProjectScope::compile([]).unwrap().contains("shop"));
        let all_but = ProjectScope::compile(["!shop/play/*"]).unwrap();
        assert!(all_but.contains("shop/pay") && !all_but.contains("shop/play/x"));
    }

    #[test]
    fn the_end_of_the_url_names_the_check() {
        let public = Some("https://gate.example/cs");
        assert_eq!(name(public, "https://gate.example/cs/webhooks/gitlab").as_deref(), Some("countersign"));
        assert_eq!(name(public, "https://gate.example/cs/webhooks/gitlab/sec").as_deref(), Some("sec"));
        assert_eq!(name(public, "https://gate.example:444/cs/webhooks/gitlab"), None);
        assert_eq!(name(public, "https://gate.example/webhooks/gitlab"), None);
        assert_eq!(name(public, "https://gate.example/cs/webhooks/gitlabx"), None);
        assert_eq!(name(public, "https://gate.example/cs/webhooks/gitlab/a/b"), None);
        assert_eq!(name(None, "http://10.0.0.7:8080/webhooks/gitlab/sec").as_deref(), Some("sec"));
        assert_eq!(name(None, "https://other.example/hook"), None);
        assert_eq!(name(None, ""), None);
    }
}
