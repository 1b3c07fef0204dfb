//! Ways of saying yes or no to a change: GitLab's own approval or request for changes, a comment, an emoji, a trailer.
//!
//! Text is evidence only about the account that wrote it, and only while nobody else can have changed it. A comment says
//! something as a whole, never by a part of it, and what it quotes or shows as code are not its author's words.

use regex::Regex;

use super::flaw::{Flaw, QUOTES};
use super::vocabulary::TEXTS;
use crate::merge_request::User;
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::enumeration::alternatives;
use crate::policy::fact::{Comment, Family};
use crate::policy::pattern::{longest_match, source_of, whole_regex};
use crate::policy::reader::Words;
use crate::schema::{Key, Shape, Table};

pub(super) const APPROVAL: &str = "approval";
pub(super) const REQUEST_CHANGES: &str = "request_changes";

const WORDINGS: &[Shape] = &[Shape::Text, Shape::List(&Shape::Text), Shape::Mapping(&COMMENT_TABLE)];

const COMMENT: Key = Key::new(
    "comment",
    Shape::OneOf(WORDINGS),
    "The whole text of a comment, exactly as written, or `{regex: …}`.",
);
const EMOJI: Key = Key::new("emoji", TEXTS, "The name of an emoji on the merge request, such as `thumbsup`.");

/// How somebody approves, beside GitLab's own approval.
pub(super) static METHOD: Table = Table {
    name: "method",
    doc: "A way to approve.",
    hint: Some("write `{comment: \"LGTM\"}`, `{emoji: thumbsup}` or `{trailer: \"Reviewed-by\"}`"),
    keys: &[
        COMMENT,
        EMOJI,
        Key::new("trailer", TEXTS, "A line such as `Reviewed-by: @name` at the end of a comment by @name."),
    ],
};

/// How somebody vetoes or takes a veto back, beside GitLab's own words for it.
pub(super) static VOTE: Table = Table {
    name: "vote",
    doc: "A way to veto, or to take a veto back.",
    hint: Some("write `{comment: \"veto\"}` or `{emoji: thumbsdown}`"),
    keys: &[COMMENT, EMOJI],
};

static COMMENT_TABLE: Table = Table {
    name: "comment",
    doc: "A regular expression that matches the whole text of a comment.",
    hint: None,
    keys: &[Key::required("regex", TEXTS, "A regular expression that matches the whole text.")],
};

/// One way.
#[derive(Debug, Clone)]
pub(super) enum Method {
    /// GitLab's own approval.
    Approval,
    /// GitLab's own request for changes.
    RequestChanges,
    /// A comment with one of these texts.
    Comment(Vec<Wording>),
    /// One of these emoji.
    Emoji(Vec<String>),
    /// One of these trailers.
    Trailer(Vec<String>),
}

/// What of comments and emoji none of these ways needs.
pub(super) fn left_out<'a>(mut methods: impl Iterator<Item = &'a Method> + Clone) -> Vec<Family> {
    let written = methods.clone().any(Method::is_written);
    let emoji = methods.any(|method| matches!(method, Method::Emoji(_)));
    let needless = [(!written).then_some(Family::Comments), (!emoji).then_some(Family::Emoji)];
    needless.into_iter().flatten().collect()
}

/// The text of a comment.
#[derive(Debug, Clone)]
pub(super) enum Wording {
    /// Exactly this.
    Text(String),
    /// What this matches as a whole; a text longer than what is kept of a comment may be among it.
    Regex { regex: Regex, may_be_long: bool },
}

/// What a comment says by a method.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Saying {
    /// Nothing.
    Nothing,
    /// What the method asks for.
    Said,
    /// That as well, but nobody can rely on it, for this reason.
    Flawed(Flaw),
    /// Nobody can tell: the comment is too long to be kept, and might say it all the same.
    TooLong,
}

impl Method {
    /// Reads a list of methods; none if one of them is wrong, and then that was noted.
    pub(super) fn build_all(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Vec<Self>> {
        let methods: Vec<_> = node.items().iter().map(|item| Self::build(item, builder)).collect();
        methods.into_iter().collect::<Option<Vec<_>>>().filter(|methods| !methods.is_empty())
    }

    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        if let Some(words) = node.words() {
            return match words.text {
                APPROVAL => Some(Self::Approval),
                REQUEST_CHANGES => Some(Self::RequestChanges),
                _ => None,
            };
        }
        let [entry] = node.entries() else {
            if node.entries().len() > 1 {
                let help = "give each its own entry: `[{comment: …}, {emoji: …}]`";
                builder.notes.error(&node.span, "an entry names more than one way", help);
            }
            return None;
        };
        let value = &entry.value;
        match entry.key.as_str() {
            "comment" => wordings(value, builder).map(Self::Comment),
            "emoji" => each(value, |words| emoji(words, builder)).map(Self::Emoji),
            "trailer" => each(value, |words| trailer(words, builder)).map(Self::Trailer),
            _ => None,
        }
    }

    /// Whether one of the methods is an emoji of that name.
    pub(super) fn any_is_emoji(methods: &[Self], name: &str) -> bool {
        let is_it =
            |method: &Self| matches!(method, Self::Emoji(names) if names.iter().any(|known| known == name));
        methods.iter().any(is_it)
    }

    /// What a comment says by one of the methods: the clearest of it.
    pub(super) fn clearest(methods: &[Self], comment: &Comment) -> Saying {
        let clearness = |saying: &Saying| match saying {
            Saying::Said => 2,
            Saying::Flawed(_) | Saying::TooLong => 1,
            Saying::Nothing => 0,
        };
        methods.iter().map(|method| method.read(comment)).max_by_key(clearness).unwrap_or(Saying::Nothing)
    }

    /// Whether comments can say it.
    pub(super) fn is_written(&self) -> bool {
        matches!(self, Self::Comment(_) | Self::Trailer(_))
    }

    /// What a comment says by its text alone; whoever may have changed it.
    pub(super) fn read(&self, comment: &Comment) -> Saying {
        if comment.system {
            return Saying::Nothing;
        }
        let Some(body) = comment.body.as_deref() else {
            return if self.may_be_long() { Saying::TooLong } else { Saying::Nothing };
        };
        match self {
            Self::Comment(wordings) => {
                let fits = |text: &str| wordings.iter().any(|wording| wording.fits(text.trim()));
                let own = own_words(body);
                match (own == body, fits(body), fits(&own)) {
                    (true, true, _) => Saying::Said,
                    (false, true, _) | (false, _, true) => quoted(),
                    (true, false, _) | (false, false, false) => Saying::Nothing,
                }
            }
            Self::Trailer(keys) => read_trailers(body, keys, &comment.author),
            Self::Approval | Self::RequestChanges | Self::Emoji(_) => Saying::Nothing,
        }
    }

    /// Whether a text that is longer than what is kept of a comment might be meant.
    fn may_be_long(&self) -> bool {
        let is_long = |wording: &Wording| matches!(wording, Wording::Regex { may_be_long: true, .. });
        matches!(self, Self::Comment(wordings) if wordings.iter().any(is_long))
    }

    /// What it is when somebody used it.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Self::Approval => APPROVAL,
            Self::RequestChanges => "request for changes",
            Self::Comment(_) => "comment",
            Self::Emoji(_) => "emoji",
            Self::Trailer(_) => "trailer",
        }
    }

    /// The method in words.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Approval => "an approval".to_owned(),
            Self::RequestChanges => "a request for changes".to_owned(),
            Self::Comment(wordings) => {
                let texts: Vec<_> = wordings.iter().map(Wording::describe).collect();
                format!("a comment that says {}", texts.join(" or "))
            }
            Self::Emoji(names) => format!("the emoji {}", alternatives(names)),
            Self::Trailer(keys) => format!("the trailer {}", alternatives(keys)),
        }
    }
}

fn quoted() -> Saying {
    Saying::Flawed(Flaw::Doubtful(QUOTES.to_owned()))
}

impl Wording {
    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Text(wanted) => wanted == text,
            Self::Regex { regex, .. } => regex.is_match(text),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Text(text) => format!("`{text}`"),
            Self::Regex { regex, .. } => format!("`{}`", source_of(regex)),
        }
    }
}

impl From<Regex> for Wording {
    fn from(regex: Regex) -> Self {
        let may_be_long = longest_match(&regex).is_none_or(|longest| longest > Comment::LONGEST_BODY);
        Self::Regex { regex, may_be_long }
    }
}

fn wordings(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Vec<Wording>> {
    let Some(regexes) = node.get("regex") else {
        return each(node, |words| Some(Wording::Text(words.text.trim().to_owned())));
    };
    each(regexes, |words| match whole_regex(words.text) {
        Ok(regex) if regex.is_match("") => {
            let help = "ask for at least one word";
            builder.notes.error(words.span, format!("`{}` matches an empty comment", words.text), help);
            None
        }
        Ok(regex) => Some(regex.into()),
        Err(why) => {
            let help = "escape what is meant literally with a backslash; look-around is not supported";
            let message = format!("`{}` is not a regular expression: {why}", words.text);
            builder.notes.error(words.span, message, help);
            None
        }
    })
}

fn each<T>(node: &Node, read: impl FnMut(Words<'_>) -> Option<T>) -> Option<Vec<T>> {
    let read: Vec<_> = node.all_words().into_iter().map(read).collect();
    read.into_iter().collect::<Option<Vec<_>>>().filter(|all| !all.is_empty())
}

/// GitLab keeps an alias such as `+1` under the emoji's own name: the alias would never be found.
fn emoji(words: Words<'_>, builder: &mut Builder<'_, '_>) -> Option<String> {
    let name = words.text.trim_matches(':');
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    let fits = name.bytes().next().is_some_and(plain)
        && name.bytes().all(|byte| plain(byte) || matches!(byte, b'_' | b'-' | b'+'));
    if !fits {
        let help = "write its own name without colons, such as `thumbsup` for `+1` and 👍";
        builder.notes.error(words.span, format!("`{}` is no emoji's name", words.text), help);
    }
    fits.then(|| name.to_owned())
}

fn trailer(words: Words<'_>, builder: &mut Builder<'_, '_>) -> Option<String> {
    let fits = is_trailer_key(words.text);
    if !fits {
        let help = "write the word before the colon, such as `Reviewed-by`";
        builder.notes.error(words.span, format!("`{}` is no trailer", words.text), help);
    }
    fits.then(|| words.text.to_owned())
}

fn is_trailer_key(text: &str) -> bool {
    text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A comment without what its author did not say with it: quoted lines, code, HTML. Whatever may be one of them is.
fn own_words(body: &str) -> String {
    let mut fence: Option<char> = None;
    let mut own = String::with_capacity(body.len());
    for line in body.split_inclusive('\n') {
        let text = line.trim_start();
        let mark = ['`', '~'].into_iter().find(|mark| text.starts_with(&mark.to_string().repeat(3)));
        let foreign = match (fence, mark) {
            (Some(open), Some(mark)) if open == mark => {
                fence = None;
                true
            }
            (Some(_), _) => true,
            (None, Some(mark)) => {
                fence = Some(mark);
                true
            }
            (None, None) => {
                let indented = line.starts_with("    ") || line.starts_with('\t');
                (indented && !text.is_empty()) || text.starts_with('>') || has_tag(text)
            }
        };
        if !foreign {
            own.push_str(line);
        }
    }
    own
}

/// Whether an HTML tag or comment may begin in a line.
fn has_tag(line: &str) -> bool {
    line.split('<').skip(1).any(|rest| {
        rest.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '/' | '!' | '?'))
    })
}

/// The trailers of a comment: its last paragraph, if every line of it is one. What names somebody else than the author says
/// nothing about anybody.
fn read_trailers(body: &str, keys: &[String], author: &User) -> Saying {
    let lines: Vec<_> = body.trim_end().lines().rev().take_while(|line| !line.trim().is_empty()).collect();
    let mut saying = Saying::Nothing;
    for line in lines {
        let Some((key, value)) = line.split_once(':').filter(|(key, _)| is_trailer_key(key)) else {
            return Saying::Nothing;
        };
        if !keys.iter().any(|known| known.eq_ignore_ascii_case(key)) || saying == Saying::Said {
            continue;
        }
        let names_author =
            value.trim().strip_prefix('@').is_some_and(|name| name.eq_ignore_ascii_case(&author.username));
        saying = if names_author {
            Saying::Said
        } else {
            let why = format!("its trailer `{key}` does not name @{} who wrote it", author.username);
            Saying::Flawed(Flaw::Certain(why))
        };
    }
    if saying == Saying::Said && own_words(body) != body { quoted() } else { saying }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::example;

    fn comment(body: &str) -> Comment {
        example::comment(2, 5, body)
    }

    fn text(wanted: &str) -> Method {
        Method::Comment(vec![Wording::Text(wanted.to_owned())])
    }

    fn regex(wanted: &str) -> Method {
        Method::Comment(vec![whole_regex(wanted).unwrap().into()])
    }

    #[test]
    fn a_comment_says_something_only_as_a_whole() {
        assert_eq!(text("LGTM").read(&comment("  LGTM\n")), Saying::Said);
        for other in ["lgtm", "LGTM!", "not LGTM", "LGTM\n\nbut see above", "", "@bob LGTM"] {
            assert_eq!(text("LGTM").read(&comment(other)), Saying::Nothing, "{other}");
        }
        assert_eq!(text("👍").read(&comment("I would not 👍 this")), Saying::Nothing);
        assert_eq!(regex("(?i)lgtm!*").read(&comment("lgtm!!")), Saying::Said);
        assert_eq!(regex("LGTM").read(&comment("LGTM after a fix")), Saying::Nothing);
        assert_eq!(text("LGTM").read(&Comment { system: true, ..comment("LGTM") }), Saying::Nothing);
    }

    #[test]
    fn a_comment_that_was_not_kept_may_say_only_what_can_be_so_long() {
        let long = Comment { body: None, ..comment("") };
        for may in [".+", "(?i)veto.*", "veto|x{4097}"] {
            assert_eq!(regex(may).read(&long), Saying::TooLong, "{may}");
            assert_eq!(regex(may).read(&Comment { system: true, ..long.clone() }), Saying::Nothing);
        }
        for never in ["(?i)veto[.!]?", "veto|x{4096}"] {
            assert_eq!(regex(never).read(&long), Saying::Nothing, "{never}");
        }
        for exact in [text("veto"), Method::Trailer(vec!["Reviewed-by".to_owned()])] {
            assert_eq!(exact.read(&long), Saying::Nothing, "{exact:?}");
        }
    }

    #[test]
    fn what_is_quoted_or_code_is_nobody_s_word() {
        let flawed = quoted();
        for body in [
            "> LGTM",
            ">>>\nLGTM\n>>>",
            "```\nLGTM\n```",
            "~~~\nLGTM",
            "    LGTM",
            "\tLGTM",
            "<!-- LGTM -->",
            "<pre>\nLGTM",
        ] {
            assert_eq!(regex("(?s).*LGTM.*").read(&comment(body)), flawed, "{body}");
        }
        assert_eq!(text("LGTM").read(&comment("> is it good?\n\nLGTM")), flawed);
        assert_eq!(text("LGTM").read(&comment("    LGTM")), flawed, "trimming makes no words of code");
        assert_eq!(text("a < b").read(&comment("a < b")), Saying::Said);
    }

    #[test]
    fn a_trailer_speaks_for_its_author_alone() {
        let trailer = Method::Trailer(vec!["Reviewed-by".to_owned()]);
        for good in [
            "Reviewed-by: @ana",
            "I tried it.\n\nTested-by: @bob\nreviewed-by: @Ana\n",
            "Reviewed-by: @bob\nReviewed-by: @ana",
        ] {
            assert_eq!(trailer.read(&comment(good)), Saying::Said, "{good}");
        }
        let why = "its trailer `Reviewed-by` does not name @ana who wrote it".to_owned();
        let other = Saying::Flawed(Flaw::Certain(why));
        for bad in
            ["Reviewed-by: @bob", "Reviewed-by: ana", "Reviewed-by: Ana <ana@x.org>", "Reviewed-by: @anna"]
        {
            assert_eq!(trailer.read(&comment(bad)), other, "{bad}");
        }
        for nothing in [
            "Reviewed-by: @ana\n\nwell, no",
            "I wonder: who will\nReviewed-by: @ana",
            "> Reviewed-by: @ana",
            "Signed-off-by: @ana",
        ] {
            assert_eq!(trailer.read(&comment(nothing)), Saying::Nothing, "{nothing}");
        }
        let fenced = "```\nexample\n\nReviewed-by: @ana";
        assert_eq!(trailer.read(&comment(fenced)), quoted());
    }
}
