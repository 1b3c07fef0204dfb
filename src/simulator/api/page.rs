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
