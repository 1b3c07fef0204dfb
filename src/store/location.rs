//! Which file a `store.url` names.

use std::path::Path;

use super::error::StoreError;

/// The file that `sqlite:PATH` names.
pub(super) fn path_of(url: &str) -> Result<&Path, StoreError> {
    let path = url.strip_prefix("sqlite:").filter(|path| !path.is_empty());
    path.map(Path::new).ok_or_else(|| StoreError::Url(url.to_owned()))
}
