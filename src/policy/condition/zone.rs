//! Time zones by their IANA names.
//!
//! They come from the database that is built into the binary, never from the machine's: every replica reads a policy the same
//! way, and a decision can be replayed elsewhere.

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::policy::diagnostic::Collector;
use crate::policy::reader::Words;
use crate::schema::nearest;

/// The time zone of that name; none if there is none, and then that was noted.
pub(super) fn zone(name: Words<'_>, notes: &mut Collector<'_>) -> Option<TimeZone> {
    let database = TimeZoneDatabase::bundled();
    if let Some(zone) = database.get(name.text).ok().filter(|zone| !zone.is_unknown()) {
        return Some(zone);
    }
    let names: Vec<_> = database.available().map(|name| name.as_str().to_owned()).collect();
    // People know the city better than the continent.
    let named_so =
        |zone: &&str| zone.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(name.text));
    let names = || names.iter().map(String::as_str);
    let help = match names().find(named_so).or_else(|| nearest(name.text, names())) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "write a name of the IANA time zone database, such as `Europe/Berlin`".to_owned(),
    };
    notes.error(name.span, format!("`{}` is no time zone", name.text), help);
    None
}
