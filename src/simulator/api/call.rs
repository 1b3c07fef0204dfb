//! A call as a handler sees it, and an answer before it is bytes.

use serde_json::{Map, Value, json};

use crate::merge_request::UserId;
use crate::simulator::accounts::{Account, Scope};
use crate::simulator::world::World;

/// A call.
#[derive(Debug, Clone)]
pub(in crate::simulator) struct Call {
    /// `GET` and so on.
    pub(in crate::simulator) method: String,
    /// The path as it came, percent-encoded.
    pub(in crate::simulator) path: String,
    /// What stands where the route has `:name`, decoded, in order.
    pub(in crate::simulator) params: Vec<String>,
    /// The query, decoded.
    pub(in crate::simulator) query: Vec<(String, String)>,
    /// JSON or form fields of the body.
    pub(in crate::simulator) fields: Map<String, Value>,
    /// The token, if one was sent.
    pub(in crate::simulator) token: Option<String>,
    /// Who calls; set once the token was found good.
    pub(in crate::simulator) user: UserId,
    /// What the token may do.
    pub(in crate::simulator) scope: Scope,
    /// Which token it is.
    pub(in crate::simulator) token_id: u64,
}

impl Call {
    /// The caller's account.
    pub(super) fn account(&self, world: &World) -> Result<Account, Answer> {
        world.users.get(&self.user).cloned().ok_or_else(Answer::unauthorized)
    }

    /// The path parameter with that index.
    pub(super) fn param(&self, index: usize) -> &str {
        self.params.get(index).map_or("", String::as_str)
    }

    /// The path parameter with that index, as a number.
    pub(super) fn number(&self, index: usize) -> Option<u64> {
        self.param(index).parse().ok()
    }

    /// A query parameter.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A parameter from the body or the query, as text.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        match self.fields.get(name) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Null) => None,
            Some(other) => Some(other.to_string()),
            None => self.query(name).map(str::to_owned),
        }
    }

    /// A list from the body or the query: an array, `name[]=`, or commas.
    pub(super) fn list(&self, name: &str) -> Option<Vec<String>> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let many = format!("{name}[]");
        if let Some(Value::Array(values)) = self.fields.get(name).or_else(|| self.fields.get(&many)) {
            return Some(values.iter().map(text).collect());
        }
        let in_query: Vec<String> =
            self.query.iter().filter(|(key, _)| *key == many).map(|(_, value)| value.clone()).collect();
        if !in_query.is_empty() {
            return Some(in_query);
        }
        let split =
            |text: String| text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        self.field(name).map(split)
    }
}

/// The body of an answer.
#[derive(Debug, Clone)]
pub(in crate::simulator) enum Body {
    /// JSON.
    Json(Value),
    /// Bytes of a content type.
    Bytes(&'static str, Vec<u8>),
    /// Nothing.
    Empty,
}

/// An answer.
#[derive(Debug, Clone)]
pub(in crate::simulator) struct Answer {
    /// The status code.
    pub(in crate::simulator) status: u16,
    /// Headers of this route; the server adds those that every answer has.
    pub(in crate::simulator) headers: Vec<(&'static str, String)>,
    /// The body.
    pub(in crate::simulator) body: Body,
}

impl Answer {
    /// JSON with a status.
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Body::Json(body) }
    }

    /// 200 with JSON.
    pub(super) fn ok(body: Value) -> Self {
        Self::json(200, body)
    }

    /// The envelope of endpoint code.
    pub(super) fn message(status: u16, text: &str) -> Self {
        Self::json(status, json!({ "message": text }))
    }

    /// The envelope of parameter validation.
    pub(super) fn invalid(text: &str) -> Self {
        Self::json(400, json!({ "error": text }))
    }

    /// No such thing.
    pub(super) fn not_found() -> Self {
        Self::message(404, "404 Not found")
    }

    /// Not allowed.
    pub(super) fn forbidden() -> Self {
        Self::message(403, "403 Forbidden")
    }

    /// No good token, or no licence.
    pub(super) fn unauthorized() -> Self {
        Self::message(401, "401 Unauthorized")
    }

    /// A token that was good once.
    pub(super) fn invalid_token(why: &str) -> Self {
        Self::json(401, json!({ "error": "invalid_token", "error_description": why }))
    }

    /// A token that may not do this.
    pub(super) fn insufficient_scope(scope: &str) -> Self {
        let why = "The request requires higher privileges than provided by the access token.";
        let body = json!({ "error": "insufficient_scope", "error_description": why, "scope": scope });
        Self::json(403, body)
    }

    /// There is no such route.
    pub(in crate::simulator) fn no_route() -> Self {
        Self::json(404, json!({ "error": "404 Not Found" }))
    }

    /// With one more header.
    pub(super) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}
