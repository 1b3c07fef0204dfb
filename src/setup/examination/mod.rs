//! What the doctor looks at, one file for each: each gives findings and changes nothing.

pub(super) mod address;
pub(super) mod deliveries;
pub(super) mod instance;
pub(super) mod policies;
pub(super) mod storage;
pub(super) mod token;
