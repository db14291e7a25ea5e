//! JSON in which nothing that a caller sent can break a line or turn it round on a screen: beside what JSON escapes
//! anyway, the controls of Unicode, its line ends, and what changes the direction of text.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

struct Plain;

impl Formatter for Plain {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.is_ascii() && !fragment.contains('\x7f') {
            return writer.write_all(fragment.as_bytes());
        }
        let mut from = 0;
        for (at, char) in fragment.char_indices().filter(|(_, char)| is_odd(*char)) {
            writer.write_all(&fragment.as_bytes()[from..at])?;
            write!(writer, "\\u{:04x}", u32::from(char))?;
            from = at + char.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[from..])
    }
}

/// All of them are below U+10000, so that one escape is enough.
fn is_odd(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{200e}' | '\u{200f}' | '\u{061c}')
        || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Appends `value` as one line.
///
/// # Errors
/// That of serialising; what was appended until then is gone again.
pub fn line<T: Serialize>(value: &T, into: &mut Vec<u8>) -> serde_json::Result<()> {
    let before = into.len();
    let written = value.serialize(&mut Serializer::with_formatter(&mut *into, Plain));
    match written {
        Ok(()) => into.push(b'\n'),
        Err(_) => into.truncate(before),
    }
    written
}

/// Appends one object, field by field. Every execution leaves a line of forty fields whose names never need an escape, and
/// hardly any of its texts do: looking for some in each is most of what a general serialiser does here.
pub struct Object<'a> {
    into: &'a mut Vec<u8>,
    begun: bool,
}

impl<'a> Object<'a> {
    /// Opens it.
    pub fn open(into: &'a mut Vec<u8>) -> Self {
        into.push(b'{');
        Object { into, begun: false }
    }

    fn name(&mut self, name: &'static str) {
        debug_assert!(is_plain(name));
        self.into.extend_from_slice(if std::mem::replace(&mut self.begun, true) { b",\"" } else { b"\"" });
        self.into.extend_from_slice(name.as_bytes());
        self.into.extend_from_slice(b"\":");
    }

    /// A number.
    pub fn number(&mut self, name: &'static str, number: u64) {
        self.name(name);
        self.into.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    /// A text of ours, which never needs an escape.
    pub fn word(&mut self, name: &'static str, word: &str) {
        debug_assert!(is_plain(word));
        self.name(name);
        self.into.push(b'"');
        self.into.extend_from_slice(word.as_bytes());
        self.into.push(b'"');
    }

    /// A text, whoever it is of.
    ///
    /// # Errors
    /// That of serialising.
    pub fn text(&mut self, name: &'static str, text: &str) -> serde_json::Result<()> {
        if !is_plain(text) {
            return self.value(name, &text);
        }
        self.name(name);
        self.into.push(b'"');
        self.into.extend_from_slice(text.as_bytes());
        self.into.push(b'"');
        Ok(())
    }

    /// Anything else.
    ///
    /// # Errors
    /// That of serialising.
    pub fn value<T: Serialize>(&mut self, name: &'static str, value: &T) -> serde_json::Result<()> {
        self.name(name);
        value.serialize(&mut Serializer::with_formatter(&mut *self.into, Plain))
    }

    /// An object in it, which is to be closed.
    pub fn object(&mut self, name: &'static str) -> Object<'_> {
        self.name(name);
        Object::open(self.into)
    }

    /// Closes it.
    pub fn close(self) {
        self.into.push(b'}');
    }
}

/// Whether it stands in JSON as it is.
fn is_plain(text: &str) -> bool {
    // Without an end before its end: so it is looked at in strides.
    text.bytes().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_a_line_and_everything_comes_back() {
        let every: String = (0..0x11_0000).filter_map(char::from_u32).collect();
        let mut bytes = Vec::new();
        line(&every, &mut bytes).unwrap();
        let text = std::str::from_utf8(&bytes).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
        assert!(!text.trim_end().chars().any(is_odd));
        assert_eq!(serde_json::from_str::<String>(text).unwrap(), every);
        assert_eq!(text.len(), text.trim_end().len() + 1);
    }

    #[test]
    fn an_object_is_what_a_serialiser_would_have_made() {
        let odd = "a \"b\" \\ \n \u{2028} \u{7f} ü";
        let mut bytes = Vec::new();
        let mut object = Object::open(&mut bytes);
        object.number("n", u64::MAX);
        object.text("plain", "x y~").unwrap();
        object.text("odd", odd).unwrap();
        let mut inner = object.object("inner");
        inner.value("list", &[1, 2]).unwrap();
        inner.close();
        object.object("empty").close();
        object.value("null", &None::<u8>).unwrap();
        object.close();
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.chars().any(is_odd), "{text}");
        let wanted = serde_json::json!({
            "n": u64::MAX, "plain": "x y~", "odd": odd, "inner": {"list": [1, 2]}, "empty": {}, "null": null
        });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), wanted);
    }
}
