//! Who owns something: what stands behind a pattern or a heading.

use crate::policy::fact::AccessLevel;

/// An owner.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::policy) enum Owner {
    /// `@name`: a user or a group; with a slash in it a group.
    Name(String),
    /// `@@developer`: direct members of the project with exactly this role.
    Role(&'static str, AccessLevel),
    /// An email address, in lower case.
    Email(String),
}

/// The roles that GitLab reads (17.7), with its levels.
const ROLES: [(&str, u8); 3] = [("developer", 30), ("maintainer", 40), ("owner", 50)];

/// The owners that a text names.
pub(super) enum Owners {
    /// The text is empty.
    None,
    /// These; what is no owner behind them is left out, and never empty.
    Of(Vec<Owner>),
    /// It begins with this word, which is no owner: it may be the rest of a path.
    Unreadable(String),
}

/// Reads the owners in a text.
pub(super) fn read_owners(text: &str) -> Owners {
    let mut owners: Vec<Owner> = Vec::new();
    for word in text.split_whitespace() {
        match read_owner(word) {
            Some(owner) if !owners.contains(&owner) => owners.push(owner),
            Some(_) => {}
            None if owners.is_empty() => return Owners::Unreadable(word.to_owned()),
            // GitLab: nothing begins a comment here, and who is named in one is an owner, too.
            None => {}
        }
    }
    if owners.is_empty() { Owners::None } else { Owners::Of(owners) }
}

fn read_owner(word: &str) -> Option<Owner> {
    if let Some(role) = word.strip_prefix("@@") {
        let role = role.to_lowercase();
        let singular = role.strip_suffix('s').unwrap_or(&role);
        let (role, level) = ROLES.into_iter().find(|(name, _)| *name == singular)?;
        return Some(Owner::Role(role, AccessLevel(level)));
    }
    if let Some(name) = word.strip_prefix('@') {
        return name.split('/').all(is_name).then(|| Owner::Name(name.to_owned()));
    }
    let (local, host) = word.split_once('@')?;
    let ends_well = host.ends_with(|sign: char| sign.is_alphanumeric() || sign == '_');
    let is_email = !local.is_empty() && local.len() <= 100 && host.len() <= 255 && !host.contains('@');
    (is_email && ends_well).then(|| Owner::Email(word.to_lowercase()))
}

/// Whether it is a name as GitLab gives it to users and groups.
fn is_name(name: &str) -> bool {
    let is_sign = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '_' | '-' | '.');
    !name.is_empty()
        && name.len() <= 255
        && name.chars().all(is_sign)
        && !name.starts_with('-')
        && !name.ends_with(['-', '.'])
}

impl Owner {
    /// The owner in words.
    pub(in crate::policy) fn in_words(&self) -> String {
        match self {
            Self::Name(name) if name.contains('/') => format!("members of {name}"),
            Self::Name(name) => format!("@{name}"),
            Self::Role(role, _) => format!("direct members with the role {role}"),
            Self::Email(email) => email.clone(),
        }
    }
}
