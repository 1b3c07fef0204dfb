//! How this GitLab writes times. What time it is, [`crate::clock::Clock`] says.

use jiff::Timestamp;

/// A time as the REST API writes it: `2025-08-05T21:48:25.123Z`.
pub(super) fn rest_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A time as the body of a webhook writes it: `2025-08-05 21:48:25 UTC`.
pub(super) fn hook_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A time as the body of a webhook writes a commit's: `2025-08-05T21:48:25+00:00`.
pub(super) fn commit_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// A time as HTTP headers write it: `Tue, 05 Aug 2025 21:48:25 GMT`.
pub(super) fn http_time(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_written_in_gitlab_s_four_manners() {
        let at: Timestamp = "2025-08-05T21:48:25.1234Z".parse().unwrap();
        assert_eq!(rest_time(at), "2025-08-05T21:48:25.123Z");
        assert_eq!(commit_time(at), "2025-08-05T21:48:25+00:00");
        assert_eq!(hook_time(at), "2025-08-05 21:48:25 UTC");
        assert_eq!(http_time(at), "Tue, 05 Aug 2025 21:48:25 GMT");
    }
}
