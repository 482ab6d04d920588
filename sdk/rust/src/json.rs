//! Reading JSON whose shape may change next month.
//!
//! A CLI's stream grows new fields and types without notice. A field of these
//! types that holds something unexpected counts as absent, so that one odd field
//! does not cost the whole line. Text is borrowed from the line where it can be.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A text; empty if it was anything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Text<'_> {
    /// The text, unless it is empty.
    pub fn filled(&self) -> Option<String> {
        (!self.is_empty()).then(|| self.0.clone().into_owned())
    }
}

/// A number; absent if it was anything else.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Number(pub Option<f64>);

impl Number {
    /// As a count: whole, not negative, at most `u32::MAX`; else 0.
    pub fn count(self) -> u32 {
        let value = self.0.unwrap_or(0.0);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates, which is what is wanted"
        )]
        let count = value as u32;
        count
    }
}

/// Implements every visit but the wanted ones as "absent".
macro_rules! absent {
    ($value:expr; $($visit:ident: $given:ty),*) => {
        $(fn $visit<E>(self, _: $given) -> Result<Self::Value, E> { Ok($value) })*
        fn visit_unit<E>(self) -> Result<Self::Value, E> { Ok($value) }
        fn visit_none<E>(self) -> Result<Self::Value, E> { Ok($value) }
        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Ok($value)
        }
        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok($value)
        }
    };
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a text")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text)))
            }
            absent!(Text::default(); visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;
        #[allow(clippy::cast_precision_loss, reason = "counts and seconds stay far below 2^53")]
        impl<'de> Visitor<'de> for NumberVisitor {
            type Value = Number;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a number")
            }
            fn visit_i64<E>(self, value: i64) -> Result<Number, E> {
                Ok(Number(Some(value as f64)))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
                Ok(Number(Some(value as f64)))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Number, E> {
                Ok(Number(Some(value)))
            }
            absent!(Number(None); visit_bool: bool, visit_str: &str);
        }
        deserializer.deserialize_any(NumberVisitor)
    }
}

/// A value that was left as it came, if it has this shape.
pub fn parse<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Line<'a> {
        #[serde(borrow, default)]
        text: Text<'a>,
        #[serde(default)]
        number: Number,
    }

    #[test]
    fn a_plain_text_is_borrowed_and_an_escaped_one_is_not() {
        let line: Line = serde_json::from_str(r#"{"text":"plain"}"#).unwrap();
        assert!(matches!(line.text.0, Cow::Borrowed("plain")));
        let line: Line = serde_json::from_str(r#"{"text":"a\nb"}"#).unwrap();
        assert_eq!(&*line.text, "a\nb");
    }

    #[test]
    fn an_unexpected_type_counts_as_absent() {
        for odd in ["null", "true", "{\"a\":[1]}", "[1,{}]"] {
            let text = format!(r#"{{"text":{odd},"number":{odd}}}"#);
            let line: Line = serde_json::from_str(&text).unwrap();
            assert_eq!(&*line.text, "", "{odd}");
            assert_eq!(line.number.0, None, "{odd}");
        }
        let line: Line = serde_json::from_str(r#"{"text":7,"number":"7"}"#).unwrap();
        assert_eq!((&*line.text, line.number.0), ("", None));
    }

    #[test]
    fn what_was_left_as_it_came_is_read_later_if_it_has_the_shape() {
        let raw: &RawValue = serde_json::from_str(r#"{"text":"plain","number":2}"#).unwrap();
        let line: Line = parse(raw).unwrap();
        assert_eq!((&*line.text, line.number.count()), ("plain", 2));
        assert!(parse::<Vec<u32>>(raw).is_none());
    }

    #[test]
    fn a_count_saturates() {
        let count = |text: &str| serde_json::from_str::<Number>(text).unwrap().count();
        assert_eq!(count("4294967295"), u32::MAX);
        assert_eq!(count("4294967296"), u32::MAX);
        assert_eq!(count("-1"), 0);
        assert_eq!(count("12.9"), 12);
    }
}
