//! What is shown of a text around the place where it differs.

/// So many bytes are shown on either side.
pub(super) const AROUND: usize = 40;
/// Stands for what was left out.
const CUT: &[u8] = "…".as_bytes();

/// What stands right before, in the same line or word.
#[derive(Clone, Debug, Default)]
pub(super) struct Before {
    bytes: Vec<u8>,
    cut: bool,
}

impl Before {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let from = bytes.len().saturating_sub(AROUND);
        self.cut |= from > 0;
        let new = &bytes[from..];
        let gone = (self.bytes.len() + new.len()).saturating_sub(AROUND);
        self.cut |= gone > 0;
        self.bytes.drain(..gone.min(self.bytes.len()));
        self.bytes.extend_from_slice(new);
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.cut = false;
    }
}

/// What comes then.
#[derive(Clone, Debug, Default)]
pub(super) struct After {
    bytes: Vec<u8>,
    cut: bool,
    ended: bool,
}

impl After {
    /// More of it. No more is wanted when it is [`Self::full`].
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.full() {
            return;
        }
        let room = AROUND - self.bytes.len();
        self.cut = bytes.len() > room;
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// More of it up to its end, and this end where it is one of its bytes.
    pub(super) fn push_until(&mut self, end: fn(u8) -> bool, bytes: &[u8]) {
        match bytes.iter().take(AROUND + 1).position(|byte| end(*byte)) {
            Some(at) if !self.full() => {
                self.push(&bytes[..at]);
                self.ended = true;
            }
            _ => self.push(bytes),
        }
    }

    /// There is no more.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    pub(super) fn full(&self) -> bool {
        self.ended || self.cut
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        (self.cut, self.ended) = (false, false);
    }

    /// With what stands before. No character is cut in two.
    pub(super) fn shown(&self, before: &Before) -> Vec<u8> {
        let start =
            if before.cut { before.bytes.iter().take(3).take_while(|byte| continues(**byte)).count() } else { 0 };
        let mut text = [if before.cut { CUT } else { b"" }, &before.bytes[start..], &self.bytes].concat();
        if self.cut {
            text.truncate(whole_characters(&text));
            text.extend_from_slice(CUT);
        }
        text
    }
}

/// Whether a byte goes on with a character of UTF-8.
fn continues(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

/// How far a text reaches without a character that was cut at its end.
fn whole_characters(text: &[u8]) -> usize {
    let tail = text.iter().rev().take(3).take_while(|byte| continues(**byte)).count();
    let Some(at) = text.len().checked_sub(tail + 1) else { return text.len() };
    let length = match text[at] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return text.len(),
    };
    if tail + 1 < length { at } else { text.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_shown_whole() {
        let (mut before, mut after) = (Before::default(), After::default());
        before.push(b"abc");
        after.push_until(|byte| byte == b'\n', b"def\nghi");
        assert!(after.full());
        assert_eq!(after.shown(&before), b"abcdef");
    }

    #[test]
    fn a_long_one_is_cut_between_characters() {
        for shift in 0..4 {
            let long = [&b"x".repeat(shift)[..], "ż€𝄞".repeat(100).as_bytes()].concat();
            let (mut before, mut after) = (Before::default(), After::default());
            before.push(&long);
            after.push(&long);
            let shown = String::from_utf8(after.shown(&before)).unwrap();
            assert!(shown.starts_with('…') && shown.ends_with('…'), "{shown}");
            assert!(shown.len() <= 2 * (AROUND + CUT.len()), "{shown}");
        }
    }

    #[test]
    fn what_is_no_text_is_cut_all_the_same() {
        let (mut before, mut after) = (Before::default(), After::default());
        before.push(&[0x80; 100]);
        after.push(&[0xff; 100]);
        assert_eq!(after.shown(&before).len(), 2 * (AROUND + CUT.len()) - 3);
    }
}
