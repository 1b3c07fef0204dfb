//! Reading what may be anything: a value is taken if it is of the expected type, and passed over otherwise.
//!
//! What is passed over is never kept: a body may be read before anybody vouches for it, and must not cost more memory
//! than its own bytes.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// No name, path, URL or word of GitLab's is longer, in bytes.
pub(super) const LONGEST_TEXT: usize = 4096;

/// A longer list of texts is none that we go through.
const MOST_TEXTS: usize = 32;

/// What a field of a body may be taken for; any other value is nothing.
pub(super) trait Expected: Sized {
    fn from_number(_number: u64) -> Option<Self> {
        None
    }

    fn from_text(_text: &str) -> Option<Self> {
        None
    }

    fn from_list<'de, A: SeqAccess<'de>>(list: A) -> Result<Option<Self>, A::Error> {
        IgnoredAny.visit_seq(list).map(|_| None)
    }

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
        IgnoredAny.visit_map(map).map(|_| None)
    }
}

/// An id: GitLab's are positive and have 63 bits.
impl Expected for u64 {
    fn from_number(number: u64) -> Option<Self> {
        (1..=i64::MAX.unsigned_abs()).contains(&number).then_some(number)
    }
}

/// A few texts; more than that are nothing, and so is what is no text.
impl Expected for Vec<String> {
    fn from_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Option<Self>, A::Error> {
        let mut texts = Self::new();
        let mut fits = true;
        while let Some(Element(text)) = list.next_element()? {
            match text {
                Some(text) if fits && texts.len() < MOST_TEXTS => texts.push(text),
                _ => fits = false,
            }
        }
        Ok(fits.then_some(texts))
    }
}

impl Expected for String {
    fn from_text(text: &str) -> Option<Self> {
        (text.len() <= LONGEST_TEXT).then(|| text.to_owned())
    }
}

macro_rules! expect_objects {
    ($($name:ident)*) => {$(
        impl $crate::gitlab::webhook::lenient::Expected for $name {
            fn from_map<'de, A: serde::de::MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
                <$name as serde::Deserialize>::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Some)
            }
        }
    )*};
}

/// Takes a value for a `T` if it is one, and passes over it otherwise.
struct Perhaps<T>(PhantomData<T>);

impl<'de, T: Expected> Visitor<'de> for Perhaps<T> {
    type Value = Option<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(T::from_number(number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(T::from_text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        T::from_list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::from_map(map)
    }
}

/// A value of the expected type, or nothing.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: Expected>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    deserializer.deserialize_any(Perhaps(PhantomData))
}

/// The same, with the default for nothing.
pub(super) fn lenient_or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Expected + Default,
{
    Ok(lenient(deserializer)?.unwrap_or_default())
}

/// One of a list.
struct Element(Option<String>);

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient(deserializer).map(Element)
    }
}

pub(super) use expect_objects;
