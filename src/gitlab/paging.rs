//! Lists, page by page: what was cut short must not look whole.

use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::header::{HeaderMap, LINK};
use serde::de::DeserializeOwned;
use url::Url;

use super::answer::parse;
use super::client::{Client, leads_home};
use super::error::Error;

/// GitLab's largest page (contract section 5.4).
const PER_PAGE: usize = 100;
/// GitLab's number of the next page, empty on the last.
const NEXT_PAGE: &str = "x-next-page";
/// How many pages of one list are read at most: 20,000 entries.
const MOST_PAGES: usize = 200;

/// How many calls may still be made, by several readers at a time.
#[derive(Debug)]
pub struct CallAllowance(AtomicUsize);

impl CallAllowance {
    /// So many calls.
    pub fn new(calls: usize) -> Self {
        Self(AtomicUsize::new(calls))
    }

    fn take(&self) -> bool {
        let less = |calls: usize| calls.checked_sub(1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}
impl Client {
    /// Reads a list to its end by `Link: rel="next"`. What is cut short must not look whole: a `Link` that leads nowhere
    /// is an error, and where a proxy took all paging headers away, only a page that is not full is the last one.
    pub(super) async fn read_list<T: DeserializeOwned>(
        &self,
        route: &'static str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, Error> {
        self.read_all(route, path, query, |page| page < PER_PAGE).await
    }

    /// Reads as much of a list as there may be calls, and says whether that is all of it.
    pub(super) async fn read_list_within<T: DeserializeOwned>(
        &self,
        route: &'static str,
        path: &str,
        query: &[(&str, &str)],
        allowance: &CallAllowance,
    ) -> Result<(Vec<T>, bool), Error> {
        self.read_pages(route, path, query, |page| page < PER_PAGE, allowance).await
    }

    /// Reads a list of which GitLab may leave entries out of any page: only its own word says which page is the last.
    pub(super) async fn read_sparse_list<T: DeserializeOwned>(
        &self,
        route: &'static str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, Error> {
        self.read_all(route, path, query, |_| false).await
    }

    async fn read_all<T: DeserializeOwned>(
        &self,
        route: &'static str,
        path: &str,
        query: &[(&str, &str)],
        ends: impl Fn(usize) -> bool,
    ) -> Result<Vec<T>, Error> {
        let (all, complete) =
            self.read_pages(route, path, query, ends, &CallAllowance::new(MOST_PAGES)).await?;
        let reason = || format!("the list has more than {MOST_PAGES} pages");
        if complete { Ok(all) } else { Err(Error::Malformed { route, reason: reason() }) }
    }

    /// Reads pages to the last one, or as many as there may be, and says whether that is all; `ends` tells the last one by
    /// its length where no header does.
    async fn read_pages<T: DeserializeOwned>(
        &self,
        route: &'static str,
        path: &str,
        query: &[(&str, &str)],
        ends: impl Fn(usize) -> bool,
        allowance: &CallAllowance,
    ) -> Result<(Vec<T>, bool), Error> {
        let mut url = self.url(route, path)?;
        url.query_pairs_mut().append_pair("per_page", &PER_PAGE.to_string()).extend_pairs(query);
        let first = url.clone();
        let mut all = Vec::new();
        let mut number = 1;
        while allowance.take() {
            let (headers, body) = self.fetch(route, &url).await?;
            let page: Vec<T> = parse(route, &body)?;
            let last = page.is_empty() || ends(page.len());
            all.extend(page);
            match next_page(&headers, self.base()) {
                Next::Page(next) => url = next,
                Next::Unsaid if !last => {
                    number += 1;
                    url = first.clone();
                    url.query_pairs_mut().append_pair("page", &number.to_string());
                }
                Next::None | Next::Unsaid => return Ok((all, true)),
                Next::Unreadable => {
                    let reason = "its `Link` to the next page can't be read".to_owned();
                    return Err(Error::Malformed { route, reason });
                }
            }
        }
        Ok((all, false))
    }

    /// Reads the first page of a list, and says whether there is more.
    pub(super) async fn read_page<T: DeserializeOwned>(
        &self,
        route: &'static str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<(Vec<T>, bool), Error> {
        let mut url = self.url(route, path)?;
        url.query_pairs_mut().append_pair("per_page", &PER_PAGE.to_string()).extend_pairs(query);
        let (headers, body) = self.fetch(route, &url).await?;
        let page: Vec<T> = parse(route, &body)?;
        let more = match next_page(&headers, self.base()) {
            Next::Page(_) | Next::Unreadable => true,
            Next::Unsaid => page.len() >= PER_PAGE,
            Next::None => false,
        };
        Ok((page, more))
    }
}

/// What the headers say of a further page.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// There is one.
    Page(Url),
    /// There is none.
    None,
    /// There is one, and where can't be told.
    Unreadable,
    /// Nothing.
    Unsaid,
}

/// The next page: a `Link` must never lead the token elsewhere. Behind a proxy GitLab may name itself by another scheme
/// or host, so only the path and the query are taken from it.
fn next_page(headers: &HeaderMap, base: &Url) -> Next {
    // A proxy may add a `Link` of its own before GitLab's.
    let mut links =
        headers.get_all(LINK).iter().flat_map(|links| links.to_str().unwrap_or_default().split(", "));
    let next_number = headers.get(NEXT_PAGE);
    if let Some(next) = links.find(|link| link.contains("rel=\"next\"")) {
        return page_of(next, base).map_or(Next::Unreadable, Next::Page);
    }
    match next_number {
        Some(number) if !number.is_empty() => Next::Unreadable,
        None if !headers.contains_key(LINK) => Next::Unsaid,
        Some(_) | None => Next::None,
    }
}

fn page_of(link: &str, base: &Url) -> Option<Url> {
    let address = link.split_once('<')?.1.split_once('>')?.0;
    let named = Url::parse(address).ok()?;
    let at = named.path().find("/api/v4/")?;
    let mut url = base.join(named.path().get(at + "/api/v4/".len()..)?).ok()?;
    url.set_query(named.query());
    // What follows may be an address of its own.
    leads_home(&url, base).then_some(url)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn the_next_page_never_leads_to_another_host() {
        let base = Url::parse("http://gitlab.internal/git/api/v4/").unwrap();
        let mut headers = HeaderMap::new();
        let link = "<https://evil.example/api/v4/projects/1/versions?page=2>; rel=\"next\", <https://x/>; rel=\"last\"";
        headers.insert(LINK, HeaderValue::from_static(link));
        let Next::Page(next) = next_page(&headers, &base) else { panic!("no next page") };
        assert_eq!(next.as_str(), "http://gitlab.internal/git/api/v4/projects/1/versions?page=2");
    }

    #[test]
    fn a_path_that_is_an_address_leads_nowhere() {
        let base = Url::parse("http://gitlab.internal/api/v4/").unwrap();
        for path in ["//evil.example/x", "http://evil.example/x", "http:/evil.example/x", "/x", "%2e%2e/x"] {
            let link = format!("<http://gitlab.internal/api/v4/{path}?page=2>; rel=\"next\"");
            let mut headers = HeaderMap::new();
            headers.insert(LINK, HeaderValue::from_str(&link).unwrap());
            assert_eq!(next_page(&headers, &base), Next::Unreadable, "{path}");
        }
    }

    #[test]
    fn a_list_that_was_cut_short_does_not_look_whole() {
        let base = Url::parse("http://gitlab.internal/api/v4/").unwrap();
        let next = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, HeaderValue::from_static(value));
            }
            next_page(&headers, &base)
        };
        let first = ("link", "<http://gitlab.internal/api/v4/x?page=1>; rel=\"first\"");
        assert_eq!(next(&[first]), Next::None);
        assert_eq!(next(&[first, (NEXT_PAGE, "")]), Next::None);
        assert_eq!(next(&[(NEXT_PAGE, "")]), Next::None);
        assert_eq!(next(&[]), Next::Unsaid);
        assert_eq!(next(&[("link", "</x?page=2>; rel=\"next\"")]), Next::Unreadable);
        assert_eq!(next(&[("link", "<http://proxy/other?page=2>; rel=\"next\"")]), Next::Unreadable);
        assert_eq!(next(&[first, (NEXT_PAGE, "2")]), Next::Unreadable);
        let second = ("link", "<http://gitlab.internal/api/v4/x?page=2>; rel=\"next\"");
        let behind_another = next(&[("link", "</style.css>; rel=preload"), second]);
        assert_eq!(behind_another, Next::Page(base.join("x?page=2").unwrap()));
    }
}
