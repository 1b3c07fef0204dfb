//! The table of routes.

use super::call::{Answer, Call};
use super::{checks, graphql, hooks, merge_requests, merge_trains, namespaces, projects, reviews, users};
use super::{commit_statuses, issues, pipelines};
use crate::simulator::release::Release;
use crate::simulator::world::World;

/// What answers a call.
pub(super) type Handler = fn(&mut World, &Call) -> Result<Answer, Answer>;

/// What a token must be good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulator) enum Needs {
    /// Any scope.
    Anything,
    /// `read_api` or `api`.
    Read,
    /// `api`.
    Write,
}

/// One route.
#[derive(Debug)]
pub(in crate::simulator) struct Route {
    /// Method and path, such as `GET /projects/:id`.
    pub(in crate::simulator) name: &'static str,
    pub(super) needs: Needs,
    pub(super) handler: Handler,
    only_where: fn(&Release) -> bool,
}

impl Route {
    /// Whether this GitLab has it.
    pub(super) fn exists(&self, release: &Release) -> bool {
        (self.only_where)(release)
    }
}

/// A route with the values of its parameters.
#[derive(Debug)]
pub(in crate::simulator) struct Found {
    /// The route.
    pub(in crate::simulator) route: &'static Route,
    /// What stands where it has `:name`, decoded.
    pub(in crate::simulator) params: Vec<String>,
}

const fn get(name: &'static str, handler: Handler) -> Route {
    Route { name, needs: Needs::Read, handler, only_where: |_| true }
}

const fn any(name: &'static str, handler: Handler) -> Route {
    Route { name, needs: Needs::Anything, handler, only_where: |_| true }
}

const fn write(name: &'static str, handler: Handler) -> Route {
    Route { name, needs: Needs::Write, handler, only_where: |_| true }
}

const fn checked(name: &'static str, needs: Needs, handler: Handler) -> Route {
    Route { name, needs, handler, only_where: Release::has_status_checks }
}

const fn of_group(name: &'static str, needs: Needs, handler: Handler) -> Route {
    Route { name, needs, handler, only_where: Release::has_group_hooks }
}

static ROUTES: &[Route] = &[
    Route { name: "POST /api/graphql", needs: Needs::Read, handler: graphql::query, only_where: |_| true },
    any("GET /version", users::version),
    Route {
        name: "GET /metadata",
        needs: Needs::Anything,
        handler: users::metadata,
        only_where: |release| release.has_metadata().0,
    },
    any("GET /user", users::myself),
    Route {
        name: "GET /personal_access_tokens/self",
        needs: Needs::Anything,
        handler: users::token,
        only_where: Release::tells_of_own_token,
    },
    // Beside the API and not below it.
    any("GET /oauth/token/info", users::granted_token),
    get("GET /users", users::search),
    get("GET /users/:id", users::one),
    get("GET /merge_requests", merge_requests::list_everywhere),
    get("GET /projects", projects::list),
    get("GET /projects/:id", projects::one),
    get("GET /projects/:id/members/all/:user_id", namespaces::project_member),
    get("GET /projects/:id/members/:user_id", namespaces::direct_project_member),
    get("GET /projects/:id/protected_branches", projects::protected_branches),
    get("GET /projects/:id/repository/commits", projects::commits),
    get("GET /projects/:id/repository/branches/:branch", projects::branch),
    get("GET /projects/:id/repository/commits/:sha", projects::commit),
    get("GET /projects/:id/repository/commits/:sha/signature", projects::signature),
    get("GET /projects/:id/repository/merge_base", projects::merge_base),
    get("GET /projects/:id/repository/compare", projects::compare),
    get("GET /projects/:id/repository/tree", projects::tree),
    get("GET /projects/:id/repository/files/:path/raw", projects::raw_file),
    get("GET /projects/:id/hooks", hooks::list),
    write("POST /projects/:id/hooks", hooks::create),
    write("PUT /projects/:id/hooks/:hook_id", hooks::change),
    write("DELETE /projects/:id/hooks/:hook_id", hooks::delete),
    Route {
        name: "GET /projects/:id/hooks/:hook_id/events",
        needs: Needs::Read,
        handler: hooks::events,
        only_where: Release::lists_hook_events,
    },
    get("GET /projects/:id/merge_requests", merge_requests::list),
    get("GET /projects/:id/merge_requests/:iid", merge_requests::one),
    get("GET /projects/:id/merge_requests/:iid/versions", merge_requests::versions),
    get("GET /projects/:id/merge_requests/:iid/versions/:version_id", merge_requests::version),
    get("GET /projects/:id/merge_requests/:iid/diffs", merge_requests::diffs),
    get("GET /projects/:id/merge_requests/:iid/commits", merge_requests::commits),
    get("GET /projects/:id/merge_requests/:iid/approvals", merge_requests::approvals),
    get("GET /projects/:id/merge_requests/:iid/reviewers", merge_requests::reviewers),
    get("GET /projects/:id/merge_requests/:iid/pipelines", merge_requests::pipelines),
    get("GET /projects/:id/merge_requests/:iid/discussions", merge_requests::discussions),
    get("GET /projects/:id/pipelines/:pipeline_id/jobs", pipelines::jobs),
    get("GET /projects/:id/pipelines/:pipeline_id/bridges", pipelines::bridges),
    get("GET /projects/:id/merge_requests/:iid/closes_issues", issues::closing),
    Route {
        name: "GET /projects/:id/merge_requests/:iid/related_issues",
        needs: Needs::Read,
        handler: issues::related,
        only_where: Release::lists_related_issues,
    },
    Route {
        name: "GET /projects/:id/merge_requests/:iid/blocks",
        needs: Needs::Read,
        handler: issues::blocks,
        only_where: Release::lists_blocks,
    },
    Route {
        name: "GET /projects/:id/merge_trains/merge_requests/:iid",
        needs: Needs::Read,
        handler: merge_trains::status,
        only_where: Release::shows_merge_trains,
    },
    checked("GET /projects/:id/merge_requests/:iid/status_checks", Needs::Read, checks::statuses),
    checked("POST /projects/:id/merge_requests/:iid/status_check_responses", Needs::Write, checks::respond),
    Route {
        name: "POST /projects/:id/merge_requests/:iid/status_checks/:check_id/retry",
        needs: Needs::Write,
        handler: checks::retry,
        only_where: |release| release.has_status_checks() && release.has_retry(),
    },
    checked("GET /projects/:id/external_status_checks", Needs::Read, checks::list),
    checked("POST /projects/:id/external_status_checks", Needs::Write, checks::create),
    checked("PUT /projects/:id/external_status_checks/:check_id", Needs::Write, checks::change),
    checked("DELETE /projects/:id/external_status_checks/:check_id", Needs::Write, checks::delete),
    of_group("GET /groups/:id/hooks", Needs::Read, hooks::group_list),
    of_group("POST /groups/:id/hooks", Needs::Write, hooks::group_create),
    of_group("PUT /groups/:id/hooks/:hook_id", Needs::Write, hooks::group_change),
    Route {
        name: "GET /groups/:id/hooks/:hook_id/events",
        needs: Needs::Read,
        handler: hooks::group_events,
        only_where: |release| release.has_group_hooks() && release.lists_hook_events(),
    },
    get("GET /groups/:id", namespaces::group),
    get("GET /groups/:id/members/all/:user_id", namespaces::group_member),
    get("GET /groups/:id/projects", namespaces::group_projects),
    write("PUT /projects/:id", projects::change),
    write("POST /projects/:id/merge_requests/:iid/approve", reviews::approve),
    write("POST /projects/:id/merge_requests/:iid/unapprove", reviews::unapprove),
    get("GET /projects/:id/merge_requests/:iid/notes", reviews::notes),
    write("POST /projects/:id/merge_requests/:iid/notes", reviews::create_note),
    write("PUT /projects/:id/merge_requests/:iid/notes/:note_id", reviews::change_note),
    write("DELETE /projects/:id/merge_requests/:iid/notes/:note_id", reviews::delete_note),
    get("GET /projects/:id/merge_requests/:iid/award_emoji", reviews::awards),
    write("POST /projects/:id/merge_requests/:iid/award_emoji", reviews::create_award),
    write("DELETE /projects/:id/merge_requests/:iid/award_emoji/:award_id", reviews::delete_award),
    get("GET /projects/:id/merge_requests/:iid/resource_label_events", reviews::label_events),
    write("PUT /projects/:id/merge_requests/:iid", reviews::change),
    write("POST /projects/:id/statuses/:sha", commit_statuses::set),
    get("GET /projects/:id/repository/commits/:sha/statuses", commit_statuses::list),
];

/// The route of a method and a path below `/api/v4`.
pub(in crate::simulator) fn find(method: &str, path: &str) -> Option<Found> {
    let given: Vec<&str> = path.split('/').collect();
    ROUTES.iter().find_map(|route| {
        let (wanted, template) = route.name.split_once(' ')?;
        if wanted != method {
            return None;
        }
        matched(template, &given).map(|params| Found { route, params })
    })
}

fn matched(template: &str, given: &[&str]) -> Option<Vec<String>> {
    let mut params = Vec::new();
    let mut given = given.iter();
    for part in template.split('/') {
        let value = given.next()?;
        if part.starts_with(':') && !value.is_empty() {
            params.push(percent_decoded(value));
        } else if part != *value {
            return None;
        }
    }
    given.next().is_none().then_some(params)
}

/// `%2F` and the like, decoded; `+` stays.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digits = (*first == b'%').then(|| tail.get(..2)).flatten();
        let byte = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = byte.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_finds_its_route_and_its_parameters() {
        let found = find("GET", "/projects/shop%2Fweb/repository/files/.a%2Fb%25.yml/raw").unwrap();
        assert_eq!(found.route.name, "GET /projects/:id/repository/files/:path/raw");
        assert_eq!(found.params, ["shop/web", ".a/b%.yml"]);
        assert!(find("POST", "/projects/1").is_none());
        assert!(find("GET", "/projects/1/").is_none());
        assert!(find("GET", "/projects//members/all/1").is_none());
    }
}
