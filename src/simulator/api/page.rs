//! Offset pagination: `page` and `per_page`, `Link` and `x-*` headers.

use serde_json::Value;

use super::call::{Answer, Call};
use crate::simulator::world::World;

/// Entries per page when nothing is said.
const DEFAULT_PER_PAGE: usize = 20;
/// Entries per page at most; more is not an error.
const MAX_PER_PAGE: usize = 100;
/// GitLab leaves totals out beyond so many entries.
const COUNTED: usize = 10_000;

/// One page of the entries, made into JSON only if they are on it.
pub(super) fn paginate<T>(
    world: &World,
    call: &Call,
    entries: &[T],
    json: impl FnMut(&T) -> Value,
) -> Result<Answer, Answer> {
    let number = |name: &str, fallback: usize| match call.query(name).map(str::parse::<usize>) {
        None => Ok(fallback),
        Some(Ok(number)) if number > 0 => Ok(number),
        Some(_) => Err(Answer::invalid(&format!("{name} does not have a valid value"))),
    };
    let page = number("page", 1)?;
    let per_page = number("per_page", DEFAULT_PER_PAGE)?.min(MAX_PER_PAGE);
    let pages = entries.len().div_ceil(per_page).max(1);
    let from = (page - 1).saturating_mul(per_page);
    let shown = entries.iter().skip(from).take(per_page).map(json).collect();
    let (next, previous) = ((page < pages).then_some(page + 1), (page > 1).then_some(page - 1));
    let counted = entries.len() <= COUNTED;

    let mut links = Vec::new();
    let mut link = |target: Option<usize>, relation: &str| {
        let url = target.map(|target| page_url(world, call, target, per_page));
        links.extend(url.map(|url| format!("<{url}>; rel=\"{relation}\"")));
    };
    link(previous, "prev");
    link(next, "next");
    link(Some(1), "first");
    link(counted.then_some(pages), "last");

    let text = |number: Option<usize>| number.map_or_else(String::new, |number| number.to_string());
    let mut answer = Answer::ok(shown)
        .header("Link", links.join(", "))
        .header("x-page", page.to_string())
        .header("x-per-page", per_page.to_string())
        .header("x-next-page", text(next))
        .header("x-prev-page", text(previous));
    if counted {
        answer =
            answer.header("x-total", entries.len().to_string()).header("x-total-pages", pages.to_string());
    }
    Ok(answer)
}

/// One page after the entry whose key stands in `page_token`: only the way to the next page is told.
pub(super) fn paginate_by_key<T>(
    world: &World,
    call: &Call,
    entries: &[T],
    key: impl Fn(&T) -> &str,
    json: impl FnMut(&T) -> Value,
) -> Answer {
    let per_page = call.query("per_page").and_then(|text| text.parse::<usize>().ok());
    let per_page = per_page.filter(|number| *number > 0).unwrap_or(DEFAULT_PER_PAGE).min(MAX_PER_PAGE);
    let last =
        call.query("page_token").map(|token| String::from_utf8(hex::decode(token).unwrap_or_default()));
    let after =
        last.and_then(Result::ok).and_then(|last| entries.iter().position(|entry| key(entry) == last));
    let rest = entries.get(after.map_or(0, |after| after + 1)..).unwrap_or_default();
    let shown: Vec<&T> = rest.iter().take(per_page).collect();
    let link = shown.last().filter(|_| rest.len() > per_page).map(|last| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(call.query.iter().filter(|(name, _)| name != "page_token"));
        query.append_pair("page_token", &hex::encode(key(last)));
        format!("<{}{}?{}>; rel=\"next\"", world.url, call.path, query.finish())
    });
    let answer = Answer::ok(shown.into_iter().map(json).collect()).header("x-per-page", per_page.to_string());
    match link {
        Some(link) => answer.header("Link", link),
        // GitLab: the list of headers says that it was asked for, not that there is another page.
        None => answer.header("x-next-page", String::new()),
    }
}

fn page_url(world: &World, call: &Call, page: usize, per_page: usize) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (key, value) in &call.query {
        if key != "page" && key != "per_page" {
            query.append_pair(key, value);
        }
    }
    query.append_pair("page", &page.to_string()).append_pair("per_page", &per_page.to_string());
    format!("{}{}?{}", world.url, call.path, query.finish())
}
