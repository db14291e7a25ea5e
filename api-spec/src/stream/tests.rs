use proptest::prelude::*;

use super::{Data, Stream};
use crate::request::OutputEncoding::{self, Auto};

fn cut(text: &str, at: usize) -> Stream {
    Stream::new(text.as_bytes()[..at].to_vec(), text.len() as u64, Auto)
}

#[test]
fn a_cut_in_a_character_drops_its_first_bytes() {
    let note = "Only the first 1 of 3 bytes are here, 2 more were written and are missing.".to_owned();
    assert_eq!(cut("aé", 2), Stream { data: Data::Text("a".into()), bytes: 3, truncated: true, note: Some(note) });
    assert_eq!(cut("aé", 3), Stream { data: Data::Text("aé".into()), bytes: 3, truncated: false, note: None });
    assert_eq!(cut("é", 1).data, Data::Text(String::new()));
    assert_eq!(cut("🦀", 3).data, Data::Text(String::new()));
}

#[test]
fn half_a_character_that_the_program_wrote_is_kept() {
    let whole = Stream::new(vec![b'a', 0xc3], 2, Auto);
    assert_eq!(whole, Stream { data: Data::Base64("YcM=".into()), bytes: 2, truncated: false, note: None });
}

#[test]
fn bytes_that_are_no_text_stay_as_they_are_when_cut() {
    let stream = Stream::new(vec![0xff, 0xc3], 3, Auto);
    assert_eq!(stream.to_bytes().unwrap(), [0xff, 0xc3]);
    assert!(stream.truncated);
}

#[test]
fn base64_can_be_asked_for() {
    let stream = Stream::new(b"hi".to_vec(), 2, OutputEncoding::Base64);
    assert_eq!(serde_json::to_string(&stream).unwrap(), r#"{"base64":"aGk=","bytes":2,"truncated":false}"#);
    assert_eq!(serde_json::from_str::<Stream>(&serde_json::to_string(&stream).unwrap()).unwrap(), stream);
    assert_eq!(Stream::empty(Auto).data, Data::Text(String::new()));
}

proptest! {
    /// Text stays text wherever it is cut, loses less than one character by it, and is its own beginning.
    #[test]
    fn text_stays_text(text in "\\PC*", at in any::<prop::sample::Index>()) {
        let at = at.index(text.len() + 1);
        let stream = cut(&text, at);
        let Data::Text(kept) = &stream.data else { panic!("{stream:?}") };
        prop_assert!(text.starts_with(kept.as_str()));
        prop_assert!(kept.len() <= at && at - kept.len() < 4);
        prop_assert_eq!(stream.truncated, at < text.len());
        prop_assert_eq!(stream.bytes, text.len() as u64);
    }

    /// Without a cut every byte comes back, whatever it is and however it is sent.
    #[test]
    fn nothing_is_lost(bytes in prop::collection::vec(any::<u8>(), 0..64), always in any::<bool>()) {
        let encoding = if always { OutputEncoding::Base64 } else { Auto };
        let stream = Stream::new(bytes.clone(), bytes.len() as u64, encoding);
        prop_assert_eq!(stream.to_bytes().unwrap(), bytes);
        let back: Stream = serde_json::from_str(&serde_json::to_string(&stream).unwrap()).unwrap();
        prop_assert_eq!(back, stream);
    }

    /// A cut of arbitrary bytes gives a beginning of them.
    #[test]
    fn a_cut_gives_the_head(bytes in prop::collection::vec(any::<u8>(), 0..64), more in 1u64..1000) {
        let stream = Stream::new(bytes.clone(), bytes.len() as u64 + more, Auto);
        let kept = stream.to_bytes().unwrap();
        prop_assert!(bytes.starts_with(&kept) && bytes.len() - kept.len() < 4);
        prop_assert!(stream.truncated);
    }
}
