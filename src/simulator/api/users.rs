//! `/version`, `/metadata`, `/user`, `/users`, `/personal_access_tokens/self`, `/oauth/token/info`.

use serde_json::json;

use super::call::{Answer, Call};
use super::entity;
use super::page::paginate;
use crate::merge_request::UserId;
use crate::simulator::accounts::Account;
use crate::simulator::clock::rest_time;
use crate::simulator::release::Edition;
use crate::simulator::world::World;

#[expect(clippy::unnecessary_wraps, reason = "handlers have one shape")]
pub(super) fn version(world: &mut World, _: &Call) -> Result<Answer, Answer> {
    Ok(Answer::ok(json!({ "version": world.release.text, "revision": "0123456789a" })))
}

#[expect(clippy::unnecessary_wraps, reason = "handlers have one shape")]
pub(super) fn metadata(world: &mut World, _: &Call) -> Result<Answer, Answer> {
    let mut body = json!({
        "version": world.release.text,
        "revision": "0123456789a",
        "kas": { "enabled": false, "externalUrl": null, "version": null },
    });
    if let (Some(fields), true) = (body.as_object_mut(), world.release.has_metadata().1) {
        fields.insert("enterprise".to_owned(), json!(world.release.edition != Edition::Community));
    }
    Ok(Answer::ok(body))
}

pub(super) fn myself(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let account = call.account(world)?;
    let mut fields = entity::basic_user(world, &account);
    fields.insert("bot".to_owned(), json!(account.bot));
    fields.insert("email".to_owned(), json!(account.commit_email()));
    if account.admin {
        fields.insert("is_admin".to_owned(), json!(true));
    }
    Ok(Answer::ok(fields.into()))
}

pub(super) fn token(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let found = world.tokens.values().find(|token| token.id == call.token_id);
    let token = found.ok_or_else(Answer::unauthorized)?;
    if token.granted {
        let why = "400 Bad request - This endpoint requires token type to be a personal access token";
        return Err(Answer::message(400, why));
    }
    Ok(Answer::ok(json!({
        "id": token.id,
        "name": "token",
        "revoked": token.revoked,
        "created_at": rest_time(jiff::Timestamp::UNIX_EPOCH),
        "description": null,
        "scopes": [token.scope.word()],
        "user_id": token.user,
        "last_used_at": null,
        "active": true,
        "expires_at": token.expires_at.map(|at| at.strftime("%Y-%m-%d").to_string()),
    })))
}

/// GitLab: only what an application was given is known there.
pub(super) fn granted_token(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let found = world.tokens.values().find(|token| token.id == call.token_id && token.granted);
    let token = found.ok_or_else(Answer::unauthorized)?;
    let left = token.expires_at.map(|at| at.duration_since(world.clock.now()).as_secs());
    Ok(Answer::ok(json!({
        "resource_owner_id": token.user,
        "scope": [token.scope.word()],
        "expires_in": left,
        "application": { "uid": "0123456789abcdef" },
        "created_at": 0,
    })))
}

pub(super) fn one(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let id = call.number(0).map(UserId::new);
    let account = id.and_then(|id| world.users.get(&id));
    let account = account.ok_or_else(|| Answer::message(404, "404 User Not Found"))?;
    let mut fields = entity::basic_user(world, account);
    fields.insert("bot".to_owned(), json!(account.bot));
    Ok(Answer::ok(fields.into()))
}

/// `username=` is exact; `search=` finds parts of names, and an address only if it is public and whole.
pub(super) fn search(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let username = call.query("username").map(str::to_lowercase);
    let search = call.query("search").map(str::to_lowercase);
    let fits = |account: &Account| {
        let by_name = username.as_ref().is_none_or(|name| account.username.to_lowercase() == *name);
        let found = search.as_ref().is_none_or(|text| {
            let address = account.public_email.as_ref().map(|email| email.to_lowercase());
            account.username.to_lowercase().contains(text) || address.as_ref() == Some(text)
        });
        by_name && found
    };
    let found: Vec<&Account> = world.users.values().filter(|account| fits(account)).collect();
    paginate(world, call, &found, |account| entity::basic_user(world, account).into())
}
