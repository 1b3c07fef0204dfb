//! From a verdict to what is said to GitLab: the only place that makes this step (design section 5).
//!
//! Silence is allowed only while GitLab is known to show the right thing, and for waiting also while it shows a
//! pending that never times out. What GitLab shows is never taken from memory that could be wrong: doubt reads the
//! list, and where even that gave nothing, something is posted.

use crate::gitlab::{GitlabVersion, Status};
use crate::policy::evaluation::Verdict;
use crate::store::{KnownStatus, Shown};

/// Which words a GitLab version takes (contract section 1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vocabulary {
    /// 16.5 and later: `passed`, `failed`, `pending`.
    Full,
    /// 15.0 to 16.4: `passed`, `failed`.
    WithoutPending,
    /// Before 15.0: whatever is posted approves.
    OnlyPassed,
    /// The version is not known: only what is right everywhere may be said.
    Unproven,
}

impl From<GitlabVersion> for Vocabulary {
    fn from(version: GitlabVersion) -> Self {
        match (version.major, version.minor) {
            (17.., _) | (16, 5..) => Self::Full,
            (15.., _) => Self::WithoutPending,
            _ => Self::OnlyPassed,
        }
    }
}

impl Vocabulary {
    /// What a GitLab that says it is `found` takes, if the operator told that it is to be answered as another. Before 14.9 no
    /// GitLab reads the word: there `failed` would approve, whoever says otherwise.
    pub fn of(found: GitlabVersion, told: Option<GitlabVersion>) -> Self {
        let reads_no_word = found < GitlabVersion { major: 14, minor: 9 };
        match told {
            Some(told) if !reads_no_word => Self::from(told),
            Some(_) | None => Self::from(found),
        }
    }
}

/// What besides the verdict decides the answer.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is true or not whatever the others are")]
pub struct Circumstances {
    /// What GitLab shows; none when it is not known.
    pub shown: Option<Shown>,
    /// What this GitLab understands.
    pub vocabulary: Vocabulary,
    /// `answers.waiting = "failed"`.
    pub waiting_is_failed: bool,
    /// Whether `answers.undecided_after` is over.
    pub undecided_too_long: bool,
    /// Whether a `pending` of ours must be said again, or GitLab lets it run out.
    pub heartbeat_due: bool,
    /// Whether it is on a merge train, where a `passed` is taken back only for cause: what shows then decides whether the
    /// train goes on.
    pub on_merge_train: bool,
    /// Whether a new `passed` may be given: not while the policies on disk have been broken for too long.
    pub may_grant: bool,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// GitLab shows the right thing.
    Silence,
    /// Say this.
    Post(Status),
    /// The right thing can't be said to this GitLab, or not yet; what it shows stands. Never in place of a pass.
    Unsayable,
}

impl Answer {
    /// What is said, if anything is.
    pub fn status(self) -> Option<Status> {
        match self {
            Self::Post(status) => Some(status),
            Self::Silence | Self::Unsayable => None,
        }
    }
}

/// One check's verdict and what will be said about it.
pub(super) struct Weighed {
    pub(super) verdict: Verdict,
    pub(super) vocabulary: Vocabulary,
    pub(super) answer: Answer,
    /// Whether a pass stays only because the merge request is on a merge train.
    pub(super) on_merge_train: bool,
    /// What shows before anything is said, in the form that will be remembered; none for what is no status check.
    pub(super) known: Option<KnownStatus>,
}

impl Weighed {
    /// Whether GitLab may show a `passed` of ours.
    pub(super) fn may_show_passed(&self) -> bool {
        self.known.as_ref().is_some_and(KnownStatus::may_show_passed)
    }
}

/// What a verdict means under the circumstances.
pub fn answer(verdict: Verdict, circumstances: Circumstances) -> Answer {
    let Circumstances { shown, .. } = circumstances;
    match verdict {
        Verdict::Passed => match shown {
            Some(Shown::Passed) => Answer::Silence,
            _ if !circumstances.may_grant => Answer::Unsayable,
            Some(Shown::ImplicitPending | Shown::PostedPending | Shown::ExpiredPending | Shown::Failed)
            | None => Answer::Post(Status::Passed),
        },
        Verdict::Failed => failed(circumstances),
        Verdict::Waiting if circumstances.on_merge_train && shown == Some(Shown::Passed) => Answer::Silence,
        Verdict::Waiting if circumstances.waiting_is_failed => failed(circumstances),
        Verdict::Waiting => match shown {
            Some(Shown::PostedPending) if circumstances.heartbeat_due => pending(circumstances),
            Some(Shown::ImplicitPending | Shown::PostedPending | Shown::ExpiredPending) => Answer::Silence,
            Some(Shown::Passed | Shown::Failed) | None => pending(circumstances),
        },
        Verdict::UndecidedIncurable => failed(circumstances),
        Verdict::UndecidedCurable if circumstances.undecided_too_long => failed(circumstances),
        Verdict::UndecidedCurable => match shown {
            Some(Shown::PostedPending) if circumstances.heartbeat_due => pending(circumstances),
            Some(Shown::ImplicitPending | Shown::PostedPending | Shown::ExpiredPending | Shown::Failed) => {
                Answer::Silence
            }
            Some(Shown::Passed) | None => pending(circumstances),
        },
    }
}

fn failed(circumstances: Circumstances) -> Answer {
    match (circumstances.vocabulary, circumstances.shown) {
        (_, Some(Shown::Failed | Shown::ExpiredPending)) => Answer::Silence,
        (Vocabulary::Full | Vocabulary::WithoutPending, _) => Answer::Post(Status::Failed),
        // There is no word for it, and pending does not approve.
        (Vocabulary::OnlyPassed, Some(Shown::ImplicitPending | Shown::PostedPending)) => Answer::Silence,
        (Vocabulary::OnlyPassed | Vocabulary::Unproven, _) => Answer::Unsayable,
    }
}

/// Takes back what shows, in the mildest word that this GitLab understands.
fn pending(circumstances: Circumstances) -> Answer {
    match circumstances.vocabulary {
        Vocabulary::Full => Answer::Post(Status::Pending),
        Vocabulary::WithoutPending => failed(circumstances),
        Vocabulary::OnlyPassed | Vocabulary::Unproven => Answer::Unsayable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Circumstances = Circumstances {
        shown: None,
        vocabulary: Vocabulary::Full,
        waiting_is_failed: false,
        undecided_too_long: false,
        heartbeat_due: false,
        on_merge_train: false,
        may_grant: true,
    };
    const SHOWN: [Option<Shown>; 6] = [
        None,
        Some(Shown::ImplicitPending),
        Some(Shown::PostedPending),
        Some(Shown::ExpiredPending),
        Some(Shown::Passed),
        Some(Shown::Failed),
    ];
    const VERDICTS: [Verdict; 5] = [
        Verdict::Passed,
        Verdict::Failed,
        Verdict::Waiting,
        Verdict::UndecidedCurable,
        Verdict::UndecidedIncurable,
    ];

    #[test]
    fn the_column_for_16_5_reads_as_the_design_has_it() {
        let row = |verdict| SHOWN.map(|shown| answer(verdict, Circumstances { shown, ..NOW }));
        let (silence, post) = (Answer::Silence, Answer::Post);
        let (passed, failed, pending) = (post(Status::Passed), post(Status::Failed), post(Status::Pending));
        //                    shown:            unknown  implicit  posted   expired  passed   failed
        assert_eq!(row(Verdict::Passed), [passed, passed, passed, passed, silence, passed]);
        assert_eq!(row(Verdict::Failed), [failed, failed, failed, silence, failed, silence]);
        assert_eq!(row(Verdict::Waiting), [pending, silence, silence, silence, pending, pending]);
        assert_eq!(row(Verdict::UndecidedCurable), [pending, silence, silence, silence, pending, silence]);
        assert_eq!(row(Verdict::UndecidedIncurable), [failed, failed, failed, silence, failed, silence]);
    }

    #[test]
    fn a_heartbeat_says_pending_again_and_nothing_else() {
        for (verdict, shown) in VERDICTS.into_iter().flat_map(|v| SHOWN.map(|shown| (v, shown))) {
            let without = answer(verdict, Circumstances { shown, ..NOW });
            let with = answer(verdict, Circumstances { shown, heartbeat_due: true, ..NOW });
            let waits = matches!(verdict, Verdict::Waiting | Verdict::UndecidedCurable);
            if waits && shown == Some(Shown::PostedPending) {
                assert_eq!((without, with), (Answer::Silence, Answer::Post(Status::Pending)));
            } else {
                assert_eq!(without, with, "{verdict:?} {shown:?}");
            }
        }
    }

    #[test]
    fn on_a_merge_train_a_passed_is_taken_back_for_cause_and_not_for_waiting() {
        let shown = Some(Shown::Passed);
        for waiting_is_failed in [false, true] {
            let train = Circumstances { shown, on_merge_train: true, waiting_is_failed, ..NOW };
            assert_eq!(answer(Verdict::Waiting, train), Answer::Silence);
            assert_eq!(answer(Verdict::Failed, train), Answer::Post(Status::Failed));
            assert_eq!(answer(Verdict::UndecidedCurable, train), Answer::Post(Status::Pending));
            assert_eq!(answer(Verdict::UndecidedIncurable, train), Answer::Post(Status::Failed));
            let doubted = Circumstances { shown: None, ..train };
            assert!(matches!(answer(Verdict::Waiting, doubted), Answer::Post(_)));
        }
    }

    #[test]
    fn only_a_passed_verdict_ever_leads_to_passed() {
        for vocabulary in
            [Vocabulary::Full, Vocabulary::WithoutPending, Vocabulary::OnlyPassed, Vocabulary::Unproven]
        {
            for (verdict, shown) in VERDICTS.into_iter().flat_map(|v| SHOWN.map(|shown| (v, shown))) {
                for flags in 0..16 {
                    let circumstances = Circumstances {
                        shown,
                        vocabulary,
                        waiting_is_failed: flags & 1 != 0,
                        undecided_too_long: flags & 2 != 0,
                        may_grant: flags & 4 != 0,
                        heartbeat_due: flags & 8 != 0,
                        on_merge_train: false,
                    };
                    let said = answer(verdict, circumstances);
                    if verdict != Verdict::Passed || !circumstances.may_grant {
                        assert_ne!(said, Answer::Post(Status::Passed), "{verdict:?} {circumstances:?}");
                    }
                    // Before 15.0 every post approves, whatever its word.
                    if verdict != Verdict::Passed
                        && matches!(vocabulary, Vocabulary::OnlyPassed | Vocabulary::Unproven)
                    {
                        assert!(!matches!(said, Answer::Post(_)), "{verdict:?} {circumstances:?}");
                    }
                    // A passed that shows is never left standing in silence by another verdict.
                    if verdict != Verdict::Passed && shown == Some(Shown::Passed) {
                        assert_ne!(said, Answer::Silence, "{verdict:?} {circumstances:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn pending_is_said_only_where_gitlab_knows_the_word() {
        let shown = Some(Shown::Passed);
        let older = Circumstances { shown, vocabulary: Vocabulary::WithoutPending, ..NOW };
        assert_eq!(answer(Verdict::Waiting, older), Answer::Post(Status::Failed));
        let version = |text: (u16, u16)| Vocabulary::from(GitlabVersion { major: text.0, minor: text.1 });
        assert_eq!(version((16, 5)), Vocabulary::Full);
        assert_eq!(version((19, 0)), Vocabulary::Full);
        assert_eq!(version((16, 4)), Vocabulary::WithoutPending);
        assert_eq!(version((15, 0)), Vocabulary::WithoutPending);
        assert_eq!(version((14, 10)), Vocabulary::OnlyPassed);
    }

    #[test]
    fn an_operator_knows_a_gitlab_better_than_its_version_says_unless_it_can_not_be() {
        let version = |major, minor| GitlabVersion { major, minor };
        let told = |found, told| Vocabulary::of(found, Some(told));
        assert_eq!(told(version(14, 9), version(15, 0)), Vocabulary::WithoutPending, "with its feature flag");
        assert_eq!(told(version(18, 3), version(16, 4)), Vocabulary::WithoutPending);
        assert_eq!(
            told(version(14, 8), version(15, 0)),
            Vocabulary::OnlyPassed,
            "there `failed` would approve"
        );
        assert_eq!(Vocabulary::of(version(14, 9), None), Vocabulary::OnlyPassed);
    }
}
