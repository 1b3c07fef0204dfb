//! What GitLab sends: the body of a delivery, read as a hint.
//!
//! The body says where to look, never what is true, so only what leads to a merge request is read. A field that some
//! version leaves out, or that has another type than we know, is as good as absent, unless it is one of the two that
//! name the merge request.

mod lenient;

use serde::Deserialize;

use self::lenient::{expect_objects, lenient, lenient_or_default};
use crate::companion::Companion;
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
    /// A hook about something that belongs to a merge request.
    Companion {
        /// What it is about; none where we don't know the kind of event.
        companion: Option<Companion>,
        /// Where to look.
        subject: Subject,
    },
    /// A pipeline or job of a commit, which does not say of which merge request.
    Commit {
        /// Which of both.
        companion: Companion,
        /// Where it ran: the target project, or a fork of it.
        project: ProjectId,
        /// The commit.
        sha: CommitSha,
    },
    /// Something that may concern many merge requests.
    Crowd {
        /// What it is about.
        companion: Companion,
        /// Which ones.
        whom: Whom,
    },
    /// An access token will expire soon.
    AccessToken {
        /// Whose it is.
        user: Option<UserId>,
    },
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
    /// The branch that it goes into, at the time of the event.
    pub target_branch: Option<String>,
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

/// The merge requests that an event may concern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Those of a project.
    Project {
        /// Which project.
        project: ProjectId,
        /// Its path, if the body says it.
        path: Option<String>,
        /// Into these branches; none for any.
        target_branches: Option<Vec<String>>,
    },
    /// Those of any project.
    Everybody,
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
    let mut body: Body = serde_json::from_slice(body).map_err(|_| BodyError::NotJson)?;
    if let Some(rule) = body.external_approval_rule {
        let check = rule.id.ok_or(BodyError::NoSubject("external_approval_rule.id"))?;
        let subject = body.object_attributes.subject(body.project, body.user, body.oldrev.is_some())?;
        return Ok(Delivery::StatusCheck {
            check: StatusCheckId::new(check),
            external_url: rule.external_url,
            subject,
        });
    }
    let kind = body.object_kind.take().or(body.event_name.take()).ok_or(BodyError::NoKind)?;
    if kind == "merge_request" {
        let subject = body.object_attributes.subject(body.project, body.user, body.oldrev.is_some())?;
        return Ok(Delivery::MergeRequest(subject));
    }
    body.companion(kind)
}

/// What stands before a branch's name in the name of its ref.
const BRANCH: &str = "refs/heads/";
/// The event of a group that has another path: GitLab tells nothing of the projects below it.
const GROUP_RENAME: &str = "group_rename";

impl Body {
    /// Any other event than those of a merge request itself.
    fn companion(mut self, kind: String) -> Result<Delivery, BodyError> {
        let about = Companion::of_kind(&kind);
        if let Some(attributes) = self.merge_request.take() {
            let project = self.project.take();
            if let Ok(subject) = attributes.located(project) {
                return Ok(Delivery::Companion { companion: about, subject });
            }
        }
        let Some(companion) = about else {
            let user = self.object_attributes.user_id.map(UserId::new);
            return Ok(match kind.as_str() {
                "access_token" => Delivery::AccessToken { user },
                _ => Delivery::Other { kind: kind.chars().take(40).collect() },
            });
        };
        match companion {
            Companion::Pipeline | Companion::Job => self.of_commit(companion),
            // Of a commit, an issue or a snippet.
            Companion::Note | Companion::Emoji => Ok(Delivery::Other { kind }),
            Companion::Push => self.of_push(kind),
            // A group's members may be meant in any project, and its projects move with it.
            Companion::Member | Companion::Move if kind.ends_with("_group") || kind == GROUP_RENAME => {
                Ok(Delivery::Crowd { companion, whom: Whom::Everybody })
            }
            Companion::Issue | Companion::Project | Companion::Member | Companion::Move => {
                let whom = self.whole_project()?;
                Ok(Delivery::Crowd { companion, whom })
            }
        }
    }

    fn project_id(&self) -> Result<ProjectId, BodyError> {
        let id = self.project_id.or(self.project.as_ref().and_then(|project| project.id));
        id.map(ProjectId::new).ok_or(BodyError::NoSubject("project.id"))
    }

    fn project_path(self) -> Option<String> {
        let nested = self.project.and_then(|project| project.path_with_namespace);
        nested.or(self.project_path_with_namespace).or(self.path_with_namespace)
    }

    fn whole_project(self) -> Result<Whom, BodyError> {
        let project = self.project_id()?;
        Ok(Whom::Project { project, path: self.project_path(), target_branches: None })
    }

    /// GitLab: the pipeline of a merge request names it; of one for a branch the commit tells which merge requests it belongs
    /// to. A job names its ref, which for a merge request's is `refs/merge-requests/:iid/…`.
    fn of_commit(self, companion: Companion) -> Result<Delivery, BodyError> {
        let project = self.project_id()?;
        let (attributes, path) = (&self.object_attributes, &self.project);
        let reference = attributes.r#ref.as_deref().or(self.r#ref.as_deref());
        if let Some(iid) = reference.and_then(merge_request_of_ref) {
            let path = path.as_ref().and_then(|project| project.path_with_namespace.clone());
            let subject = Subject::companion(MergeRequestRef { project, iid }, path);
            return Ok(Delivery::Companion { companion: Some(companion), subject });
        }
        let sha = attributes.sha.as_deref().or(self.sha.as_deref());
        let sha = sha.and_then(|sha| CommitSha::parse(sha).ok()).ok_or(BodyError::NoSubject("sha"))?;
        Ok(Delivery::Commit { companion, project, sha })
    }

    /// `repository_update` names all refs that were pushed, other events the one.
    fn of_push(mut self, kind: String) -> Result<Delivery, BodyError> {
        let refs = match (self.r#ref.take(), self.refs.take()) {
            (Some(one), _) => Some(vec![one]),
            (None, refs) => refs,
        };
        let branches = refs.map(|refs| {
            let branches = refs.iter().filter_map(|name| name.strip_prefix(BRANCH));
            branches.map(str::to_owned).collect::<Vec<_>>()
        });
        if branches.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Delivery::Other { kind });
        }
        let project = self.project_id()?;
        let whom = Whom::Project { project, path: self.project_path(), target_branches: branches };
        Ok(Delivery::Crowd { companion: Companion::Push, whom })
    }
}

impl Companion {
    /// By `object_kind` or `event_name` (contract section 4.1).
    fn of_kind(kind: &str) -> Option<Self> {
        match kind {
            "note" => Some(Self::Note),
            "pipeline" => Some(Self::Pipeline),
            "build" | "job" => Some(Self::Job),
            "emoji" => Some(Self::Emoji),
            "issue" | "work_item" => Some(Self::Issue),
            "push" | "repository_update" => Some(Self::Push),
            "user_add_to_team"
            | "user_remove_from_team"
            | "user_update_for_team"
            | "user_add_to_group"
            | "user_remove_from_group"
            | "user_update_for_group" => Some(Self::Member),
            "project_update" => Some(Self::Project),
            "project_rename" | "project_transfer" | GROUP_RENAME => Some(Self::Move),
            _ => None,
        }
    }
}

/// The merge request of `refs/merge-requests/:iid/head`, `…/merge` or `…/train`.
fn merge_request_of_ref(name: &str) -> Option<MergeRequestIid> {
    let (iid, _) = name.strip_prefix("refs/merge-requests/")?.split_once('/')?;
    let iid: u64 = iid.parse().ok()?;
    (1..=i64::MAX.unsigned_abs()).contains(&iid).then(|| MergeRequestIid::new(iid))
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
    #[serde(default, deserialize_with = "lenient")]
    project_id: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    project_path_with_namespace: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    path_with_namespace: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    r#ref: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    refs: Option<Vec<String>>,
    #[serde(default, deserialize_with = "lenient")]
    sha: Option<String>,
}

expect_objects! { Identified Project Rule Attributes LastCommit }

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
    #[serde(default, deserialize_with = "lenient")]
    target_branch: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    r#ref: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    sha: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    user_id: Option<u64>,
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
        let merge_request =
            MergeRequestRef { project: ProjectId::new(project), iid: MergeRequestIid::new(iid) };
        let path = self.target.and_then(|target| target.path_with_namespace).or(path);
        let target_branch = self.target_branch;
        Ok(Subject { target_branch, sha, ..Subject::companion(merge_request, path) })
    }
}

impl Subject {
    /// A merge request of which nothing more is said.
    fn companion(merge_request: MergeRequestRef, project_path: Option<String>) -> Self {
        let (target_branch, action, sha, pusher) = (None, None, None, None);
        Self { merge_request, project_path, target_branch, action, sha, pusher, distrust: false }
    }
}

#[cfg(test)]
mod tests {
    use super::lenient::LONGEST_TEXT;
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
            let Ok(Delivery::Companion { subject, .. }) = parse(body.as_bytes()) else {
                panic!("not a companion")
            };
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
        let Ok(Delivery::Companion { subject, .. }) = parse(note.as_bytes()) else {
            panic!("not a companion")
        };
        assert_eq!((subject.pusher, subject.merge_request.to_string()), (None, "6!3".to_owned()));
    }

    const SHA: &str = "bcbb5ec396a2c0f828686f14fac9b80b780504f2";

    fn told(body: &str) -> Delivery {
        parse(body.as_bytes()).unwrap_or_else(|error| panic!("{error}: {body}"))
    }

    #[test]
    fn a_pipeline_or_job_is_of_the_merge_request_of_its_ref_or_of_its_commit() {
        let job = |reference: &str| {
            let body =
                format!(r#"{{"object_kind":"build","project_id":6,"ref":"{reference}","sha":"{SHA}"}}"#);
            told(&body)
        };
        for kind in ["head", "merge", "train"] {
            let Delivery::Companion { companion, subject } = job(&format!("refs/merge-requests/3/{kind}"))
            else {
                panic!("not a companion");
            };
            assert_eq!(
                (companion, subject.merge_request.to_string()),
                (Some(Companion::Job), "6!3".to_owned())
            );
        }
        for branch in ["main", "refs/merge-requests/x/head", "refs/merge-requests/0/head"] {
            let expected = Delivery::Commit {
                companion: Companion::Job,
                project: ProjectId::new(6),
                sha: CommitSha::parse(SHA).unwrap(),
            };
            assert_eq!(job(branch), expected, "{branch}");
        }
        let pipeline = format!(
            r#"{{"object_kind":"pipeline","project":{{"id":9}},"merge_request":null,
            "object_attributes":{{"ref":"feature","sha":"{SHA}","source":"push"}}}}"#
        );
        assert!(matches!(told(&pipeline), Delivery::Commit { companion: Companion::Pipeline, .. }));
        let nothing = br#"{"object_kind":"build","project_id":6,"ref":"main","sha":"bcbb"}"#;
        assert_eq!(parse(nothing), Err(BodyError::NoSubject("sha")));
    }

    #[test]
    fn a_push_is_to_branches_and_tags_are_none() {
        let branches = |fields: &str| match told(&format!(r#"{{"project_id":6,{fields}}}"#)) {
            Delivery::Crowd { companion: Companion::Push, whom: Whom::Project { target_branches, .. } } => {
                Some(target_branches)
            }
            Delivery::Other { .. } => None,
            other => panic!("{other:?}"),
        };
        let one = Some(Some(vec!["main".to_owned()]));
        assert_eq!(branches(r#""object_kind":"push","ref":"refs/heads/main""#), one);
        assert_eq!(branches(r#""event_name":"push","ref":"refs/heads/main""#), one, "a system hook's");
        let update = |refs: &str| branches(&format!(r#""event_name":"repository_update","refs":{refs}"#));
        assert_eq!(update(r#"["refs/heads/main","refs/tags/v1"]"#), one);
        assert_eq!(update(r#"["refs/tags/v1"]"#), None);
        assert_eq!(update("[7]"), Some(None), "what can't be read may be any branch");
        let many = vec![r#""refs/heads/x""#; 33].join(",");
        assert_eq!(update(&format!("[{many}]")), Some(None));
        assert_eq!(branches(r#""object_kind":"push","ref":"refs/tags/v1""#), None);
    }

    #[test]
    fn what_happens_to_a_project_concerns_it_and_what_happens_to_a_group_concerns_everybody() {
        let member = |name: &str| {
            told(&format!(
                r#"{{"event_name":"{name}","project_id":74,"project_path_with_namespace":"shop/pay","user_id":41}}"#
            ))
        };
        for name in ["user_add_to_team", "user_remove_from_team", "user_update_for_team"] {
            let path = Some("shop/pay".to_owned());
            let whom = Whom::Project { project: ProjectId::new(74), path, target_branches: None };
            assert_eq!(member(name), Delivery::Crowd { companion: Companion::Member, whom });
        }
        for name in ["user_add_to_group", "user_remove_from_group", "user_update_for_group"] {
            let whom = Whom::Everybody;
            assert_eq!(member(name), Delivery::Crowd { companion: Companion::Member, whom });
        }
        let renamed = r#"{"event_name":"group_rename","group_id":64,"full_path":"shop/new","old_full_path":"shop/old"}"#;
        let whom = Whom::Everybody;
        assert_eq!(told(renamed), Delivery::Crowd { companion: Companion::Move, whom });
        assert!(matches!(member("user_access_request_to_project"), Delivery::Other { .. }));
        let token = r#"{"object_kind":"access_token","event_name":"expiring_access_token",
            "object_attributes":{"user_id":90,"expires_at":"2026-01-26"}}"#;
        assert_eq!(told(token), Delivery::AccessToken { user: Some(UserId::new(90)) });
    }

    #[test]
    fn a_note_or_emoji_elsewhere_is_nobodys() {
        for kind in ["note", "emoji"] {
            let body = format!(r#"{{"object_kind":"{kind}","project_id":6,"issue":{{"iid":4}}}}"#);
            assert!(matches!(told(&body), Delivery::Other { .. }), "{kind}");
        }
        let body = r#"{"object_kind":"feature","merge_request":{"iid":3,"target_project_id":6}}"#;
        assert!(matches!(told(body), Delivery::Companion { companion: None, .. }), "whatever that is");
    }
}
