//! Answers about everything beyond code, approvals and people: drawn from the world's seed, the same for the same question.

use std::hash::{DefaultHasher, Hash, Hasher};

use countersign::merge_request::{UserId, VersionId};
use countersign::policy::fact::{
    ChangeKind, ChangedFile, CodeOwnersFile, Dependency, DiffStats, Distance, Issue, Known, LabelEvent,
    LineCount, LinePattern, LineSide, MatchingLines, Parentage, ProjectFacts, Signature, TreeChange, Unknown,
};
use countersign::policy::{FactKey, Facts};

use super::{Mask, World, sha, user};

/// What the drawn CODEOWNERS files say.
const OWNERS: [&str; 5] = [
    "*.md @u2\n/src/ @g\n",
    "* @u2 @u3\n[Code][2]\n/src/ @g @u4\n",
    "README.md\n",
    "^[Docs]\n*.md @u3\n",
    // Owners of every kind, a line that can't be read, and paths without an owner.
    "*.rs @u2 @g\nsrc/b.md junk\n[Docs][2]\n*.md @@maintainer two@x.org @u3\n^[Maybe]\n*.rs @shop/nobody\n",
];

impl World {
    /// A number below `limit`, the same for the same question.
    fn draw(&self, key: &FactKey, salt: u64, limit: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, key, salt).hash(&mut hasher);
        hasher.finish() % limit
    }

    fn pick<'a>(&self, key: &FactKey, salt: u64, words: &[&'a str]) -> &'a str {
        words[usize::try_from(self.draw(key, salt, words.len() as u64)).unwrap()]
    }

    fn some<T>(&self, key: &FactKey, make: impl Fn(u64) -> T) -> Vec<T> {
        (1..=self.draw(key, 0, 4)).map(make).collect()
    }

    fn issues(&self, key: &FactKey) -> Vec<Issue> {
        self.some(key, |id| Issue {
            reference: format!("shop/web#{id}"),
            state: Some(self.pick(key, id, &["opened", "closed"]).to_owned()),
            labels: self.pick(key, id + 10, &["a", "b"]).split(' ').map(str::to_owned).collect(),
            milestone: None,
        })
    }

    /// Files that GitLab does not list where it does not list all: some that it never does, and one that it does not now.
    fn unlisted(&self) -> Vec<ChangedFile> {
        let file = |path: &str, change| ChangedFile {
            old_path: path.to_owned(),
            new_path: path.to_owned(),
            old_mode: "100644".to_owned(),
            new_mode: "100644".to_owned(),
            kind: ChangeKind::Unlisted(change),
            lines: None,
            binary: None,
            generated: None,
            hunks_sha256: None,
        };
        let never = [file("src/z.rs", TreeChange::Differs), file("docs/z.md", TreeChange::Appears)];
        let count = usize::try_from(1 + self.draw(&FactKey::UnlistedFiles, 0, 2)).unwrap();
        let never = never.into_iter().take(if self.complete { 0 } else { count });
        let (whole, listed) = (self.whole_code(self.pushes), self.code(self.pushes));
        let now = whole.files.iter().skip(listed.files.len());
        now.map(|left_out| file(&left_out.new_path, TreeChange::Differs)).chain(never).collect()
    }

    /// Answers a question truly, unless the mask hides the answer.
    pub(super) fn answer_further(&self, key: &FactKey, mask: Mask, facts: &mut Facts) {
        match key.clone() {
            FactKey::UnlistedFiles => {
                let mut found = mask.veil(key, ());
                match &mut facts.code {
                    Some(Known::Value(code)) if !code.complete => {
                        if found == Known::Value(()) {
                            code.files.extend(self.unlisted());
                            code.complete = true;
                        }
                    }
                    _ => found = Known::Unknown(Unknown { why: "no list".to_owned(), curable: true }),
                }
                facts.unlisted_files = Some(found);
            }
            FactKey::DiffStats => {
                let lines = |binary: bool| (!binary).then_some(LineCount { added: 3, removed: 1 });
                let whole = self.whole_code(self.pushes);
                let listed = whole.files.iter().map(|file| (file.new_path.clone(), lines(false)));
                let is_further =
                    |file: &ChangedFile| whole.files.iter().all(|listed| listed.new_path != file.new_path);
                let rest = self.unlisted().into_iter().filter(is_further);
                let rest = rest.map(|file| (file.new_path.clone(), lines(self.seed.is_multiple_of(2))));
                let files = listed.chain(rest).collect();
                let stats = DiffStats { version: VersionId::new(self.pushes), files };
                facts.diff_stats = Some(mask.veil(key, stats));
            }
            FactKey::Username(name) => {
                let id = name.strip_prefix('u').and_then(|id| id.parse().ok()).map(UserId::new);
                facts.usernames.insert(name, mask.veil(key, id));
            }
            FactKey::Project => {
                let project = ProjectFacts {
                    topics: [self.pick(key, 1, &["pci", "web"]).to_owned()].into(),
                    visibility: self.pick(key, 2, &["private", "public"]).to_owned(),
                    merge_method: self.pick(key, 3, &["merge", "ff"]).to_owned(),
                    squash_option: Some(self.pick(key, 4, &["never", "always"]).to_owned()),
                };
                facts.project = Some(mask.veil(key, project));
            }
            FactKey::Behind => {
                let distance = Distance { commits: self.draw(key, 1, 3), all: true };
                facts.behind = Some(mask.veil(key, distance));
            }
            FactKey::LabelEvents => {
                let event = |id| LabelEvent {
                    id,
                    label: Some(self.pick(key, id, &["a", "b"]).to_owned()),
                    added: self.draw(key, id + 10, 3) > 0,
                    user: (self.draw(key, id + 20, 4) > 0).then(|| user(1 + self.draw(key, id + 30, 4))),
                };
                facts.label_events = Some(mask.veil(key, self.some(key, event)));
            }
            FactKey::RelatedIssues => facts.related_issues = Some(mask.veil(key, self.issues(key))),
            FactKey::BlockingMergeRequests => {
                let blocking = |id| Dependency {
                    reference: format!("shop/web!{id}"),
                    state: self.pick(key, id, &["opened", "merged"]).to_owned(),
                };
                facts.blocking_merge_requests = Some(mask.veil(key, self.some(key, blocking)));
            }
            FactKey::CodeOwners => {
                let file =
                    |text: &str| CodeOwnersFile { path: "CODEOWNERS".to_owned(), text: text.to_owned() };
                let file = (self.draw(key, 1, 5) > 0).then(|| file(self.pick(key, 2, &OWNERS)));
                facts.code_owners = Some(mask.veil(key, file));
            }
            FactKey::Parentage => {
                let parents = vec![sha(); usize::try_from(1 + self.draw(key, 1, 2)).unwrap()];
                facts.parentage = Some(mask.veil(key, vec![Parentage { sha: sha(), parents }]));
            }
            FactKey::Signature(commit) => {
                let states = ["verified", "unverified", "verified_system", "a_word_of_tomorrow"];
                let signature = Signature {
                    kind: "SSH".to_owned(),
                    verification_status: self.pick(key, 1, &states).to_owned(),
                };
                let signature = (self.draw(key, 2, 4) > 0).then_some(signature);
                facts.signatures.insert(commit, mask.veil(key, signature));
            }
            FactKey::MatchingLines(pattern) => {
                let found = |path: &&str| {
                    let count = (!self.text_left_out).then(|| self.draw(key, path.len() as u64, 2));
                    (count != Some(0)).then(|| ((*path).to_owned(), count))
                };
                let files = self.paths.iter().filter_map(found).collect();
                let version = VersionId::new(self.pushes);
                let lines = MatchingLines { version, files };
                facts.matching_lines.insert(pattern.to_string(), mask.veil(key, lines));
            }
            other => panic!("{other:?} is answered elsewhere"),
        }
    }
}

/// Every further question that could be asked here.
pub(super) fn every_further_key() -> Vec<FactKey> {
    let mut keys = vec![
        FactKey::Project,
        FactKey::Behind,
        FactKey::LabelEvents,
        FactKey::Jobs(1),
        FactKey::CommitStatuses,
        FactKey::ClosingIssues,
        FactKey::RelatedIssues,
        FactKey::BlockingMergeRequests,
        FactKey::OtherMergeRequest("shop/web!12".to_owned()),
        FactKey::CodeOwners,
        FactKey::Parentage,
        FactKey::Signature(sha()),
        FactKey::Username("g".to_owned()),
    ];
    for side in [LineSide::Added, LineSide::Removed] {
        keys.push(FactKey::MatchingLines(LinePattern { regex: "x".to_owned(), side }));
    }
    for id in 1..5 {
        keys.push(FactKey::Account(UserId::new(id)));
        keys.push(FactKey::Username(format!("u{id}")));
    }
    keys
}
