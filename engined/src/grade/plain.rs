//! Words of strangers, for terminals, sheets and XML: what a program is called and what it wrote is shown, and does
//! nothing.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Characters that change the order or the look of what stands around them and are not seen themselves.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// On one line, without what moves a cursor.
#[must_use]
pub fn line(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c if c.is_control() || is_hidden(c) => '\u{fffd}',
        c => c,
    };
    text.trim().chars().map(shown).collect()
}

/// Cut to a number of columns.
#[must_use]
pub fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let (mut kept, mut width) = (String::new(), 1);
    for c in text.chars() {
        width += c.width().unwrap_or(0);
        if width > columns {
            break;
        }
        kept.push(c);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// How many columns it takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// What XML 1.0 can hold: no control characters but tab and newline, no character that is none.
#[must_use]
pub fn xml(text: &str) -> String {
    let legal = |c: char| match c {
        '\t' | '\n' | '\u{20}'..='\u{7e}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}' => c,
        _ => '\u{fffd}',
    };
    text.chars().map(legal).collect()
}

/// A cell that no program of sheets takes for a formula.
#[must_use]
pub fn cell(text: &str) -> String {
    let text: String = text.chars().map(|c| if c == '\0' { '\u{fffd}' } else { c }).collect();
    let first = text.trim_start_matches([' ', '\u{feff}']).chars().next();
    let formula = matches!(first, Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠'));
    if formula { format!("'{text}") } else { text }
}

/// Points without a tail of zeros, and without one of rounding.
#[must_use]
pub fn points(points: f64) -> String {
    let text = format!("{points:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_moved() {
        assert_eq!(line(" a\x1b[2Jb\r\nc\u{202e}d\u{9b} "), "a\u{fffd}[2Jb  c\u{fffd}d\u{fffd}");
        assert_eq!(
            (cut("abcdef", 4), cut("abcd", 4), cut("漢字かな", 5)),
            ("abc…".into(), "abcd".into(), "漢字…".into())
        );
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn sheets_find_no_formula() {
        for formula in ["=1+1", "+1", "-1", "@A1", "\t=1", " =1", "＝1"] {
            assert_eq!(cell(formula), format!("'{formula}"));
        }
        assert_eq!((cell("a=1"), cell("a\0"), cell("")), ("a=1".into(), "a\u{fffd}".into(), String::new()));
    }

    #[test]
    fn xml_holds_what_it_can() {
        assert_eq!(xml("a\0\x1b\u{85}\u{fffe}\r\n\té"), "a\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\n\té");
    }

    #[test]
    fn points_are_short() {
        let text = [0.0, 10.0, 2.5, 0.1 + 0.2, 1e9, 100.0 / 3.0].map(points);
        assert_eq!(text, ["0", "10", "2.5", "0.3", "1000000000", "33.333333"]);
    }
}
