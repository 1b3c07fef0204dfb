//! `/api/graphql`: enough of it for questions about one merge request, with GitLab's ways of failing (contract section 5.3).
//!
//! Errors come with 200. A question that can't be understood, names a field that this edition has not, or is too complex is
//! refused whole; a field that fails is null beside an entry in `errors`. Fragments, aliases and directives are not played.

use std::iter::Peekable;
use std::vec::IntoIter;

use serde_json::{Map, Value, json};

use super::call::{Answer, Call};
use crate::simulator::diffs::{DiffVersion, FileChange};
use crate::simulator::merge_requests::MergeRequest;
use crate::simulator::namespaces::Project;
use crate::simulator::release::Edition;
use crate::simulator::world::World;

/// The most complex question that is answered to somebody who is signed in.
const MOST_COMPLEX: usize = 250;
/// The longest question.
const LONGEST: usize = 10_000;

/// One field with its arguments and what is asked of it.
#[derive(Debug)]
struct Field {
    name: String,
    arguments: Vec<(String, Argument)>,
    fields: Vec<Field>,
}

#[derive(Debug)]
enum Argument {
    Text(String),
    Variable(String),
}

/// The fields of a type: name, the type of what they give (empty for a scalar), and what they cost.
struct Type {
    name: &'static str,
    fields: &'static [(&'static str, &'static str, usize)],
}

static TYPES: [Type; 7] = [
    Type { name: "Query", fields: &[("project", "Project", 1), ("queryComplexity", "QueryComplexity", 1)] },
    Type { name: "QueryComplexity", fields: &[("score", "", 1), ("limit", "", 1)] },
    Type {
        name: "Project",
        fields: &[("id", "", 1), ("fullPath", "", 1), ("mergeRequest", "MergeRequest", 1)],
    },
    Type {
        name: "MergeRequest",
        fields: &[
            ("id", "", 1),
            ("iid", "", 1),
            ("title", "", 1),
            ("draft", "", 1),
            ("sourceBranch", "", 1),
            ("targetBranch", "", 1),
            ("diffHeadSha", "", 2),
            ("diffRefs", "DiffRefs", 1),
            ("diffStats", "DiffStats", 2),
            ("diffStatsSummary", "DiffStatsSummary", 2),
            ("commitCount", "", 1),
            ("approvalsRequired", "", 1),
            ("approvalsLeft", "", 1),
        ],
    },
    Type { name: "DiffRefs", fields: &[("baseSha", "", 1), ("headSha", "", 1), ("startSha", "", 1)] },
    Type { name: "DiffStats", fields: &[("path", "", 1), ("additions", "", 1), ("deletions", "", 1)] },
    Type {
        name: "DiffStatsSummary",
        fields: &[("additions", "", 1), ("changes", "", 1), ("deletions", "", 1), ("fileCount", "", 1)],
    },
];

/// Fields that the Community Edition has not.
const OF_ENTERPRISE: [&str; 2] = ["approvalsRequired", "approvalsLeft"];

/// What is asked, or why it is not answered.
#[expect(clippy::unnecessary_wraps, reason = "as all handlers")]
pub(super) fn query(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    Ok(Answer::ok(answer(world, call).unwrap_or_else(|why| json!({ "errors": [{ "message": why }] }))))
}

fn answer(world: &World, call: &Call) -> Result<Value, String> {
    let text = call.field("query").ok_or("No query string was present")?;
    if text.len() > LONGEST {
        return Err("Query too large".to_owned());
    }
    let asked = parse(&text)?;
    let score = validate(world, "Query", &asked)?;
    if score > MOST_COMPLEX {
        return Err(format!(
            "Query has complexity of {score}, which exceeds max complexity of {MOST_COMPLEX}"
        ));
    }
    let mut errors = Vec::new();
    let mut data = Map::new();
    for field in &asked {
        let value = match field.name.as_str() {
            "project" => project(world, call, field, &mut errors)?,
            _ => choose(&json!({ "score": score, "limit": MOST_COMPLEX }), &field.fields),
        };
        data.insert(field.name.clone(), value);
    }
    let mut reply = Map::from_iter([("data".to_owned(), Value::Object(data))]);
    if !errors.is_empty() {
        reply.insert("errors".to_owned(), errors.into());
    }
    Ok(reply.into())
}

/// That every field is there, and what all of them cost.
fn validate(world: &World, of: &str, fields: &[Field]) -> Result<usize, String> {
    let mut score = 0;
    for field in fields {
        let known = TYPES.iter().filter(|known| known.name == of).flat_map(|known| known.fields);
        let hidden =
            world.release.edition == Edition::Community && OF_ENTERPRISE.contains(&field.name.as_str());
        let found = known.copied().find(|(name, ..)| *name == field.name && !hidden);
        let (_, gives, cost) =
            found.ok_or_else(|| format!("Field '{}' doesn't exist on type '{of}'", field.name))?;
        if gives.is_empty() != field.fields.is_empty() {
            return Err(format!("Field '{}' must have selections exactly if it has fields", field.name));
        }
        score += cost + validate(world, gives, &field.fields)?;
    }
    Ok(score)
}

/// A project that the caller sees, found by its path alone; else null without an error.
fn project(world: &World, call: &Call, field: &Field, errors: &mut Vec<Value>) -> Result<Value, String> {
    let path = argument(call, field, "fullPath", "ID!")?;
    let found = world.paths.get(&path).and_then(|id| world.projects.get(id));
    let account = call.account(world).map_err(|_| "Invalid token".to_owned())?;
    let Some(found) = found.filter(|project| world.sees_project(project, &account)) else {
        return Ok(Value::Null);
    };
    let mut object = Map::new();
    for field in &field.fields {
        let value = match field.name.as_str() {
            "id" => json!(format!("gid://gitlab/Project/{}", found.id)),
            "fullPath" => json!(found.path),
            _ => merge_request(world, call, found, field, errors)?,
        };
        object.insert(field.name.clone(), value);
    }
    Ok(object.into())
}

fn merge_request(
    world: &World,
    call: &Call,
    project: &Project,
    field: &Field,
    errors: &mut Vec<Value>,
) -> Result<Value, String> {
    // GitLab: an iid is text here.
    let iid = argument(call, field, "iid", "String!")?;
    let mut all = world.merge_requests.values();
    let is_it = |found: &&MergeRequest| {
        found.reference.project == project.id && found.reference.iid.to_string() == iid
    };
    let Some(found) = all.find(is_it) else { return Ok(Value::Null) };
    let mut whole = described(found);
    for field in &field.fields {
        if let Some(message) = world.failing_fields.get(&field.name) {
            errors.push(json!({ "message": message, "path": ["project", "mergeRequest", field.name] }));
            whole.insert(field.name.clone(), Value::Null);
        }
    }
    Ok(choose(&whole.into(), &field.fields))
}

fn described(found: &MergeRequest) -> Map<String, Value> {
    let newest = found.newest_version().filter(|_| !found.preparing);
    let files = newest.map_or(&[][..], |version| version.files.as_slice());
    let stats: Vec<Value> = files.iter().map(stats_of).collect();
    let sum = |key: &str| stats.iter().filter_map(|file| file.get(key)?.as_u64()).sum::<u64>();
    let (added, removed) = (sum("additions"), sum("deletions"));
    let refs = |version: &DiffVersion| json!({ "baseSha": version.base, "headSha": version.head, "startSha": version.start });
    let summary = json!({ "additions": added, "changes": added + removed, "deletions": removed, "fileCount": stats.len() });
    Map::from_iter(
        [
            ("id", json!(format!("gid://gitlab/MergeRequest/{}", found.id))),
            ("iid", json!(found.reference.iid.to_string())),
            ("title", json!(found.title)),
            ("draft", json!(found.draft())),
            ("sourceBranch", json!(found.source_branch)),
            ("targetBranch", json!(found.target_branch)),
            ("diffHeadSha", json!(newest.map(|version| &version.head))),
            ("diffRefs", json!(newest.map(refs))),
            ("diffStatsSummary", if newest.is_some() { summary } else { Value::Null }),
            ("diffStats", if newest.is_some() { stats.into() } else { Value::Null }),
            ("commitCount", json!(newest.map(|version| version.commits.len()))),
            ("approvalsRequired", json!(found.approvals_required)),
            ("approvalsLeft", json!(found.approvals_left())),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    )
}

/// What git counts, by the path after the change; of a binary file and of one that only moves it counts nothing.
fn stats_of(file: &FileChange) -> Value {
    let count = |sign: char| file.diff.lines().filter(|line| line.starts_with(sign)).count();
    json!({ "path": file.new_path, "additions": count('+'), "deletions": count('-') })
}

/// Of a value what is asked for.
fn choose(value: &Value, fields: &[Field]) -> Value {
    match value {
        Value::Array(values) => values.iter().map(|value| choose(value, fields)).collect(),
        Value::Object(object) if !fields.is_empty() => {
            let chosen =
                |field: &Field| Some((field.name.clone(), choose(object.get(&field.name)?, &field.fields)));
            Value::Object(fields.iter().filter_map(chosen).collect())
        }
        other => other.clone(),
    }
}

fn argument(call: &Call, field: &Field, name: &str, kind: &str) -> Result<String, String> {
    let given = field.arguments.iter().find(|(given, _)| given == name).map(|(_, value)| value);
    match given {
        Some(Argument::Text(text)) => Ok(text.clone()),
        Some(Argument::Variable(variable)) => {
            let value = call.fields.get("variables").and_then(|variables| variables.get(variable));
            let text = value.and_then(Value::as_str).map(str::to_owned);
            text.ok_or_else(|| format!("Variable ${variable} of type {kind} was provided invalid value"))
        }
        None => Err(format!("Field '{}' is missing required arguments: {name}", field.name)),
    }
}

type Tokens = Peekable<IntoIter<String>>;

/// Names and numbers, texts with their first quote, and signs.
fn tokens(text: &str) -> Tokens {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(first) = rest.next() {
        let mut token = String::from(first);
        if first == '"' {
            token.extend(rest.by_ref().take_while(|next| *next != '"'));
        } else if first.is_alphanumeric() || first == '_' {
            while let Some(next) = rest.next_if(|next| next.is_alphanumeric() || *next == '_') {
                token.push(next);
            }
        } else if first.is_whitespace() || first == ',' {
            continue;
        }
        tokens.push(token);
    }
    tokens.into_iter().peekable()
}

fn parse(text: &str) -> Result<Vec<Field>, String> {
    let mut tokens = tokens(text);
    // What stands before the first brace are names and types of variables.
    while tokens.next_if(|token| token != "{").is_some() {}
    let fields = selection(&mut tokens)?;
    if tokens.next().is_some() { Err(unexpected("the end")) } else { Ok(fields) }
}

fn unexpected(wanted: &str) -> String {
    format!("Parse error: expected {wanted}")
}

fn selection(tokens: &mut Tokens) -> Result<Vec<Field>, String> {
    tokens.next_if(|token| token == "{").ok_or_else(|| unexpected("{"))?;
    let mut fields = Vec::new();
    while tokens.next_if(|token| token == "}").is_none() {
        let is_name = |token: &String| token.starts_with(|first: char| first.is_alphabetic() || first == '_');
        let name = tokens.next_if(is_name).ok_or_else(|| unexpected("the name of a field"))?;
        let mut arguments = Vec::new();
        if tokens.next_if(|token| token == "(").is_some() {
            while tokens.next_if(|token| token == ")").is_none() {
                arguments.push(named_argument(tokens)?);
            }
        }
        let has_fields = tokens.peek().is_some_and(|token| token == "{");
        let inner = if has_fields { selection(tokens)? } else { Vec::new() };
        fields.push(Field { name, arguments, fields: inner });
    }
    Ok(fields)
}

fn named_argument(tokens: &mut Tokens) -> Result<(String, Argument), String> {
    let mut next = || tokens.next().ok_or_else(|| unexpected(")"));
    let (name, colon, value) = (next()?, next()?, next()?);
    if colon != ":" {
        return Err(unexpected(":"));
    }
    let value = match value.strip_prefix('"') {
        Some(text) => Argument::Text(text.to_owned()),
        None if value == "$" => Argument::Variable(next()?),
        None => Argument::Text(value),
    };
    Ok((name, value))
}
