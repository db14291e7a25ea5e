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
}
