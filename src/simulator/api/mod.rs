//! The REST API under `/api/v4`: one table of routes, one file of handlers per resource.
//!
//! Handlers are plain functions from the world and a call to an answer; everything about HTTP, faults and counting
//! is the server's. The order in which a handler refuses is the contract's (section 1.3).

mod call;
mod checks;
mod commit_statuses;
mod entity;
mod graphql;
mod hooks;
mod issues;
mod merge_requests;
mod merge_trains;
mod namespaces;
mod page;
mod pipelines;
mod projects;
mod reviews;
mod route;
mod users;

pub(super) use call::{Answer, Body, Call};
pub(super) use route::{Found, Needs, find};

use super::accounts::{AccountState, Scope};
use super::world::World;

/// Takes the token off a request and lets the route answer.
pub(super) fn answer(world: &mut World, found: &Found, call: &mut Call) -> Answer {
    if !found.route.exists(&world.release) {
        return Answer::no_route();
    }
    match admit(world, found, call) {
        Err(refusal) => refusal,
        Ok(()) => (found.route.handler)(world, call).unwrap_or_else(|refusal| refusal),
    }
}

/// Authentication and scope, in GitLab's order and with its bodies.
fn admit(world: &mut World, found: &Found, call: &mut Call) -> Result<(), Answer> {
    let value = call.token.as_deref().ok_or_else(Answer::unauthorized)?;
    let token = world.tokens.get(value).cloned().ok_or_else(Answer::unauthorized)?;
    let now = world.now();
    if token.revoked {
        return Err(Answer::invalid_token("Token was revoked. You have to re-authorize from the user."));
    }
    if token.expires_at.is_some_and(|at| at <= now) {
        return Err(Answer::invalid_token(
            "Token is expired. You can either do re-authorization or token refresh.",
        ));
    }
    let account = world.users.get(&token.user).cloned().ok_or_else(Answer::unauthorized)?;
    if account.state == AccountState::Blocked {
        return Err(Answer::message(403, "403 Forbidden - Your account has been blocked."));
    }
    let enough = match found.route.needs {
        Needs::Anything => true,
        Needs::Read => token.scope != Scope::ReadUser,
        Needs::Write => token.scope == Scope::Api,
    };
    if !enough {
        let scope = if found.route.needs == Needs::Write { "api" } else { "api read_api" };
        return Err(Answer::insufficient_scope(scope));
    }
    call.user = account.id;
    call.scope = token.scope;
    call.token_id = token.id;
    Ok(())
}
