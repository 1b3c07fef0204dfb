//! What is wrong with a comment as evidence of what its author said.
//!
//! Some of it proves that nobody can rely on the comment. The rest is a doubt: the author may have said just that, and
//! nothing that GitLab tells shows whether it was so.

use crate::policy::fact::Comment;

/// Why nobody can rely on what is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It says nothing, whoever wrote it.
    Certain(String),
    /// It may be the author's word or not.
    Doubtful(String),
}

/// Whatever may be a quotation is taken for one.
pub(super) const QUOTES: &str = "quotes, code or HTML stand in it";
/// GitLab's REST API does not tell by whom, nor an edit from a resolution or a reply.
pub(super) const TOUCHED: &str = "it was touched after it was written, so somebody may have changed it";

impl Flaw {
    /// The one that says most: what is certain goes before what is doubtful.
    pub(super) fn gravest(flaws: impl IntoIterator<Item = Self>) -> Option<Self> {
        flaws.into_iter().min_by_key(|flaw| matches!(flaw, Self::Doubtful(_)))
    }

    /// Why nobody can rely on a comment, whatever it says: only what stands on the merge request for everybody to see, as it
    /// was written, is its author's word.
    pub(super) fn of(comment: &Comment) -> Option<Self> {
        if comment.in_thread {
            let why = "it stands in a thread or on a line and not for the whole change";
            Some(Self::Certain(why.to_owned()))
        } else if comment.internal {
            Some(Self::Certain("it is internal, so not everybody can see it".to_owned()))
        } else if comment.may_be_edited() {
            Some(Self::Doubtful(TOUCHED.to_owned()))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::example::{at, comment};

    #[test]
    fn only_what_was_never_touched_and_is_for_all_to_see_can_be_relied_on() {
        let plain = || comment(2, 5, "x");
        assert_eq!(Flaw::of(&plain()), None);
        let touched = Comment { updated_at: at(6), ..plain() };
        assert_eq!(Flaw::of(&touched), Some(Flaw::Doubtful(TOUCHED.to_owned())));
        for certain in [
            Comment { in_thread: true, ..plain() },
            Comment { internal: true, ..plain() },
            Comment { in_thread: true, ..touched },
        ] {
            assert!(matches!(Flaw::of(&certain), Some(Flaw::Certain(_))), "{certain:?}");
        }
    }

    #[test]
    fn what_is_certain_goes_before_what_is_doubtful() {
        let (certain, doubtful) = (Flaw::Certain("a".to_owned()), Flaw::Doubtful("b".to_owned()));
        assert_eq!(Flaw::gravest([doubtful.clone(), certain.clone()]), Some(certain));
        assert_eq!(Flaw::gravest([doubtful.clone()]), Some(doubtful));
        assert_eq!(Flaw::gravest([]), None);
    }
}
