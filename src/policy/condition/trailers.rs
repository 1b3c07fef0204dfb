//! Trailers: `Name: value` lines in the last paragraph of a commit's message.
//!
//! They are text that whoever commits can write, and vouch for nobody: a `Signed-off-by` says what the committer says.

/// Whether a message has a trailer of that name, in any case, with a value.
pub(super) fn has_trailer(message: &str, name: &str) -> bool {
    values(message, name).next().is_some()
}

/// Whether a `Signed-off-by` trailer has that address.
pub(super) fn is_signed_off_by(message: &str, email: &str) -> bool {
    let email = email.trim();
    !email.is_empty()
        && values(message, "Signed-off-by")
            .filter_map(address)
            .any(|address| address.eq_ignore_ascii_case(email))
}

/// The values of the trailers of that name, in any case; none of them is empty.
fn values<'a>(message: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    last_paragraph(message).into_iter().filter_map(move |line| {
        let (key, value) = line.split_once(':')?;
        let value = value.trim();
        (key.trim_end().eq_ignore_ascii_case(name) && !value.is_empty()).then_some(value)
    })
}

/// The lines of the last paragraph; none where it is the only one, for that is the subject.
fn last_paragraph(message: &str) -> Vec<&str> {
    let lines: Vec<&str> = message.trim().lines().collect();
    let mut paragraphs = lines.rsplitn(2, |line| line.trim().is_empty());
    let last = paragraphs.next().unwrap_or_default();
    if paragraphs.next().is_some() { last.to_vec() } else { Vec::new() }
}

/// The address in `Name <address>`.
fn address(value: &str) -> Option<&str> {
    let (_, rest) = value.rsplit_once('<')?;
    let (address, _) = rest.split_once('>')?;
    Some(address.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_stand_in_the_last_paragraph_below_the_subject() {
        let message = "fix: it\n\nReviewed-by: in the middle\n\nSIGNED-OFF-BY: Ana <ana@x.org>\nRefs: #1\n";
        assert!(has_trailer(message, "Signed-off-by") && has_trailer(message, "refs"));
        assert!(!has_trailer(message, "Reviewed-by") && !has_trailer(message, "Signed"));
        assert!(has_trailer("a\r\n\r\nRefs: #1\r\n", "Refs"));
        for none in ["Refs: #1", "\n\nRefs: #1\nmore", "a\n\nRefs:", "a\n\n Refs: #1 is quoted", ""] {
            assert!(!has_trailer(none, "Refs"), "{none:?}");
        }
    }

    #[test]
    fn a_sign_off_is_of_an_address() {
        let message = "fix: it\n\nSigned-off-by: Ana <Ana@X.org>\nSigned-off-by: <bob@x.org>\n";
        assert!(is_signed_off_by(message, "ana@x.org") && is_signed_off_by(message, " bob@x.org "));
        for other in ["", "cleo@x.org", "x.org", "Ana"] {
            assert!(!is_signed_off_by(message, other), "{other:?}");
        }
        assert!(!is_signed_off_by("a\n\nSigned-off-by: ana@x.org", "ana@x.org"));
        assert!(!is_signed_off_by("a\n\nSigned-off-by: <>", ""));
        assert!(!is_signed_off_by("a\n\nAcked-by: A <ana@x.org>", "ana@x.org"));
    }
}
