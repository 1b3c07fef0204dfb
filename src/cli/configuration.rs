//! Where a command finds its configuration.

use std::path::{Path, PathBuf};

use crate::config::{Config, ConfigError};

/// The variable that names the configuration file where no argument does.
const VARIABLE: &str = "COUNTERSIGN_CONFIG";

/// The configuration file: as given, else as the environment names it.
pub(super) fn file(given: Option<&Path>) -> Option<PathBuf> {
    given.map(Path::to_owned).or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from))
}

/// Reads the configuration from a file and the environment.
pub(super) fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
    let environment = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into(), value.to_string_lossy().into()));
    Config::load(file, environment)
}
