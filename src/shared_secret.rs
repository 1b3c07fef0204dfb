//! The shared secret of one project's check, derived from one master secret: what `install` gives GitLab and the server
//! verifies with, so that a delivery counts for its project alone and nothing has to be kept for each.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::merge_request::{CheckName, ProjectId};

/// HMAC-SHA256 with the master secret over `project_id:check_name`, in hex.
pub fn derive_secret(master: &SecretString, project: ProjectId, check: &CheckName) -> SecretString {
    let hmac = Hmac::<Sha256>::new_from_slice(master.expose_secret().as_bytes());
    // HMAC takes keys of any length; an error is only how the library's type says so, and an empty secret signs nothing.
    let derived = hmac.map(|hmac| hmac.chain_update(format!("{project}:{check}")).finalize().into_bytes());
    derived.map(hex::encode).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_project_and_each_check_has_its_own() {
        let derive = |project, check| {
            let check = CheckName::parse(check).unwrap();
            derive_secret(&"master".into(), ProjectId::new(project), &check).expose_secret().to_owned()
        };
        // An operator can derive it too: printf 7:countersign | openssl dgst -sha256 -hmac master
        assert_eq!(
            derive(7, "countersign"),
            "268e9f28324640d854619df2851e7eae247c8dbc0daca2155de51a78fa370679"
        );
        assert_ne!(derive(7, "countersign"), derive(8, "countersign"));
        assert_ne!(derive(7, "countersign"), derive(7, "security"));
    }
}
