//! Bounded JSON: the size is judged before a parser sees the first byte.

use alloc::format;
use alloc::string::ToString;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::{Error, MAX_DOCUMENT};

/// Reads one document; `place` is its name in messages.
pub(super) fn parse<T: DeserializeOwned>(place: &str, bytes: &[u8]) -> Result<T, Error> {
    if bytes.len() > MAX_DOCUMENT {
        return Err(Error::new(
            place,
            format!("{} bytes, more than the {MAX_DOCUMENT} that are read", bytes.len()),
        ));
    }
    serde_json::from_slice(bytes).map_err(|error| Error::new(place, error.to_string()))
}

/// Reads a document that is an object: serde would take a list of its values as well.
pub(super) fn parse_object<T: DeserializeOwned>(place: &str, bytes: &[u8]) -> Result<T, Error> {
    if bytes.trim_ascii_start().first().is_some_and(|byte| *byte != b'{') {
        return Err(Error::new(place, "not a JSON object"));
    }
    parse(place, bytes)
}

/// Go writes `null` for an empty list or map.
pub(super) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
