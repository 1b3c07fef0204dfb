//! What GitLab sends: the body of a delivery, read as a hint.
//!
//! The body says where to look, never what is true, so only what leads to a merge request is read. A field that some
//! version leaves out, or that has another type than we know, is as good as absent, unless it is one of the two that
//! name the merge request. What is passed over is never kept: a body may be read before anybody vouches for it, and
//! must not cost more memory than its own bytes.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::merge_request::{CommitSha, MergeRequestIid, MergeRequestRef, ProjectId, StatusCheckId, UserId};

/// A delivery, as far as it concerns us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// GitLab asks an external status check (contract section 3).
    StatusCheck {
        /// The check's id.
        check: StatusCheckId,
        /// The URL that GitLab has for the check, with its query.
        external_url: Option<String>,
        /// Where to look.
        subject: Subject,
    },
    /// A hook about a merge request (contract section 5.1).
    MergeRequest(Subject),
    /// A hook about something that belongs to a merge request: a comment, a pipeline, an emoji.
    Companion(Subject),
    /// A hook about something else.
    Other {
        /// GitLab's `object_kind` or `event_name`, clipped.
        kind: String,
    },
}

/// Where a delivery points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The merge request, in its target project.
    pub merge_request: MergeRequestRef,
    /// The target project's path, if the body says it.
    pub project_path: Option<String>,
    /// `action`; none on a Retry.
    pub action: Option<String>,
    /// The head at the time of the event.
    pub sha: Option<CommitSha>,
    /// Who pushed, if the event is a push.
    pub pusher: Option<UserId>,
    /// Whether the event is of a kind after which GitLab may show another status than before: a Retry, a push (which
    /// can bring an old SHA back), a reopening. A changed target branch shows in the merge request itself.
    pub distrust: bool,
}

/// Why a body is no delivery that we understand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not JSON, or not an object.
    #[error("the body is not a JSON object")]
    NotJson,
    /// JSON, and no event.
    #[error("the body is not a GitLab event: `object_kind` is missing")]
    NoKind,
    /// An event without the fields that say which merge request.
    #[error("the event does not say which merge request: `{0}` is missing or not a positive number")]
    NoSubject(&'static str),
}

/// Reads a body.
pub fn parse(body: &[u8]) -> Result<Delivery, BodyError> {
    // A list would read as the fields of an object in their order.
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(BodyError::NotJson);
    }
    let body: Body = serde_json::from_slice(body).map_err(|_| BodyError::NotJson)?;
    if let Some(rule) = body.external_approval_rule {
        let check = rule.id.ok_or(BodyError::NoSubject("external_approval_rule.id"))?;
        let subject = body.object_attributes.subject(body.project, body.user, body.oldrev.is_some())?;
        return Ok(Delivery::StatusCheck {
            check: StatusCheckId::new(check),
            external_url: rule.external_url,
            subject,
        });
    }
    let kind = body.object_kind.or(body.event_name).ok_or(BodyError::NoKind)?;
    if kind == "merge_request" {
        let subject = body.object_attributes.subject(body.project, body.user, body.oldrev.is_some())?;
        return Ok(Delivery::MergeRequest(subject));
    }
    if let Some(subject) = body.merge_request.and_then(|attributes| attributes.companion(body.project)) {
        return Ok(Delivery::Companion(subject));
    }
    Ok(Delivery::Other { kind: kind.chars().take(40).collect() })
}

#[derive(Deserialize)]
struct Body {
    #[serde(default, deserialize_with = "lenient")]
    object_kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    event_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    user: Option<Identified>,
    #[serde(default, deserialize_with = "lenient")]
    project: Option<Project>,
    #[serde(default, deserialize_with = "lenient_or_default")]
    object_attributes: Attributes,
    #[serde(default, deserialize_with = "lenient")]
    merge_request: Option<Attributes>,
    #[serde(default, deserialize_with = "lenient")]
    external_approval_rule: Option<Rule>,
    #[serde(default, deserialize_with = "lenient")]
    oldrev: Option<String>,
}

#[derive(Deserialize)]
struct Identified {
    #[serde(default, deserialize_with = "lenient")]
    id: Option<u64>,
}

#[derive(Deserialize)]
struct Project {
    #[serde(default, deserialize_with = "lenient")]
    id: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    path_with_namespace: Option<String>,
}

#[derive(Deserialize)]
struct Rule {
    #[serde(default, deserialize_with = "lenient")]
    id: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    external_url: Option<String>,
}

#[derive(Default, Deserialize)]
struct Attributes {
    #[serde(default, deserialize_with = "lenient")]
    iid: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    target_project_id: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    action: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    oldrev: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    last_commit: Option<LastCommit>,
    #[serde(default, deserialize_with = "lenient")]
    target: Option<Project>,
}

#[derive(Deserialize)]
struct LastCommit {
    #[serde(default, deserialize_with = "lenient")]
    id: Option<String>,
}

impl Attributes {
    fn subject(
        self,
        project: Option<Project>,
        user: Option<Identified>,
        pushed: bool,
    ) -> Result<Subject, BodyError> {
        let pushed = pushed || self.oldrev.is_some();
        let action = self.action.clone();
        let mut subject = self.located(project)?;
        let opened = action.as_deref() == Some("open");
        subject.pusher = if pushed || opened { user.and_then(|user| user.id).map(UserId::new) } else { None };
        subject.distrust = pushed || matches!(action.as_deref(), None | Some("reopen"));
        subject.action = action;
        Ok(subject)
    }

    fn companion(self, project: Option<Project>) -> Option<Subject> {
        self.located(project).ok()
    }

    fn located(self, project: Option<Project>) -> Result<Subject, BodyError> {
        let project = project.filter(|project| {
            // A pipeline's hook comes from the project it ran in, which may be a fork.
            self.target_project_id.is_none() || project.id.is_none() || project.id == self.target_project_id
        });
        let (project_id, path) =
            project.map_or((None, None), |project| (project.id, project.path_with_namespace));
        let target = self.target_project_id.or(project_id);
        let project = target.ok_or(BodyError::NoSubject("object_attributes.target_project_id"))?;
        let iid = self.iid.ok_or(BodyError::NoSubject("object_attributes.iid"))?;
        let sha = self.last_commit.and_then(|commit| commit.id).and_then(|id| CommitSha::parse(&id).ok());
        Ok(Subject {
            merge_request: MergeRequestRef {
                project: ProjectId::new(project),
                iid: MergeRequestIid::new(iid),
            },
            project_path: self.target.and_then(|target| target.path_with_namespace).or(path),
            action: None,
            sha,
            pusher: None,
            distrust: false,
        })
    }
}

/// No name, path, URL or word of GitLab's is longer, in bytes.
const LONGEST_TEXT: usize = 4096;

/// What a field of a body may be taken for; any other value is nothing.
trait Expected: Sized {
    fn from_number(_number: u64) -> Option<Self> {
        None
    }

    fn from_text(_text: &str) -> Option<Self> {
        None
    }

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
        IgnoredAny.visit_map(map).map(|_| None)
    }
}

/// An id: GitLab's are positive and have 63 bits.
impl Expected for u64 {
    fn from_number(number: u64) -> Option<Self> {
        (1..=i64::MAX.unsigned_abs()).contains(&number).then_some(number)
    }
}

impl Expected for String {
    fn from_text(text: &str) -> Option<Self> {
        (text.len() <= LONGEST_TEXT).then(|| text.to_owned())
    }
}

macro_rules! expect_objects {
    ($($name:ident)*) => {$(
        impl Expected for $name {
            fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
                Self::deserialize(MapAccessDeserializer::new(map)).map(Some)
            }
        }
    )*};
}

expect_objects! { Identified Project Rule Attributes LastCommit }

/// Takes a value for a `T` if it is one, and passes over it otherwise.
struct Perhaps<T>(PhantomData<T>);

impl<'de, T: Expected> Visitor<'de> for Perhaps<T> {
    type Value = Option<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(T::from_number(number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(T::from_text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_seq(list).map(|_| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::from_map(map)
    }
}

/// A value of the expected type, or nothing.
fn lenient<'de, D: Deserializer<'de>, T: Expected>(deserializer: D) -> Result<Option<T>, D::Error> {
    deserializer.deserialize_any(Perhaps(PhantomData))
}

fn lenient_or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Expected + Default,
{
    Ok(lenient(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(body: &str) -> Subject {
        match parse(body.as_bytes()) {
            Ok(Delivery::StatusCheck { subject, .. } | Delivery::MergeRequest(subject)) => subject,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_retry_is_a_status_check_without_action_and_is_doubted() {
        let body = r#"{"object_kind":"merge_request","project":{"id":6,"path_with_namespace":"a/b"},
            "object_attributes":{"iid":3,"target_project_id":6},"changes":{},
            "external_approval_rule":{"id":1,"name":"QA","external_url":"https://example.com/"}}"#;
        let Ok(Delivery::StatusCheck { check, external_url, subject }) = parse(body.as_bytes()) else {
            panic!("not a status check");
        };
        assert_eq!((check.get(), external_url.as_deref()), (1, Some("https://example.com/")));
        assert_eq!(subject.merge_request.to_string(), "6!3");
        assert!(subject.distrust);
        assert_eq!(subject.action, None);
    }

    #[test]
    fn fields_of_another_type_are_as_good_as_absent() {
        let body = r#"{"object_kind":"merge_request","user":7,"project":"x","labels":3,
            "object_attributes":{"iid":3,"target_project_id":6,"action":["open"],"last_commit":"x","oldrev":9}}"#;
        let subject = subject(body);
        assert_eq!((subject.sha, subject.pusher, subject.project_path), (None, None, None));
    }

    #[test]
    fn an_id_that_no_gitlab_gives_and_a_text_that_no_gitlab_writes_are_as_good_as_absent() {
        let body = format!(
            r#"{{"object_kind":"merge_request","user":{{"id":18446744073709551615}},"oldrev":"x",
            "object_attributes":{{"iid":3,"target_project_id":6,"action":"{}"}}}}"#,
            "x".repeat(LONGEST_TEXT + 1)
        );
        let subject = subject(&body);
        assert_eq!((subject.pusher, subject.action, subject.distrust), (None, None, true));
    }

    #[test]
    fn what_is_passed_over_may_be_anything_and_nest() {
        for odd in
            ["null", "true", "-1", "1.5", "1e400", "\"x\"", "[[{\"a\":[1]}],2]", "{\"id\":[{\"a\":{}}]}"]
        {
            let body = format!(
                r#"{{"object_kind":"merge_request","user":{odd},"project":{odd},"merge_request":{odd},"oldrev":{odd},
                "object_attributes":{{"last_commit":{odd},"target":{odd},"action":{odd},"target_project_id":6,"iid":3}}}}"#
            );
            let parsed = parse(body.as_bytes());
            let located = matches!(&parsed, Ok(Delivery::MergeRequest(subject)) if subject.merge_request.iid.get() == 3);
            // A number beyond every float is no JSON value that anybody reads.
            assert_eq!(located, odd != "1e400", "{odd}: {parsed:?}");
        }
    }

    #[test]
    fn a_forks_path_is_not_taken_for_the_targets() {
        let hook = |project: u64| {
            let body = format!(
                r#"{{"object_kind":"pipeline","project":{{"id":{project},"path_with_namespace":"some/where"}},
                "merge_request":{{"iid":3,"target_project_id":6}}}}"#
            );
            let Ok(Delivery::Companion(subject)) = parse(body.as_bytes()) else { panic!("not a companion") };
            assert_eq!(subject.merge_request.to_string(), "6!3");
            subject.project_path
        };
        assert_eq!(hook(6).as_deref(), Some("some/where"));
        assert_eq!(hook(9), None, "outside of the scope or not, that is the fork");
    }

    #[test]
    fn an_event_without_its_merge_request_is_refused() {
        for attributes in ["{}", r#"{"iid":0,"target_project_id":6}"#, r#"{"iid":-1}"#, "null", "[]", "7"] {
            let body = format!(r#"{{"object_kind":"merge_request","object_attributes":{attributes}}}"#);
            assert!(matches!(parse(body.as_bytes()), Err(BodyError::NoSubject(_))), "{attributes}");
        }
        assert_eq!(parse(b"[]"), Err(BodyError::NotJson));
        assert_eq!(parse(b"{}"), Err(BodyError::NoKind));
    }

    #[test]
    fn a_push_names_who_pushed_and_a_comment_does_not() {
        let body = r#"{"object_kind":"merge_request","user":{"id":9},
            "object_attributes":{"iid":3,"target_project_id":6,"action":"update","oldrev":"x"}}"#;
        assert_eq!(subject(body).pusher, Some(UserId::new(9)));
        let note = r#"{"object_kind":"note","user":{"id":9},"project_id":6,"project":{"id":6},
            "merge_request":{"iid":3,"target_project_id":6}}"#;
        let Ok(Delivery::Companion(subject)) = parse(note.as_bytes()) else { panic!("not a companion") };
        assert_eq!((subject.pusher, subject.merge_request.to_string()), (None, "6!3".to_owned()));
    }
}
