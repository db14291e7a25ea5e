//! Texts of callers that are read for what they mean: Java sources, query strings, output that becomes JSON.

use std::sync::OnceLock;

use api_spec::{OutputEncoding, Stream, check_no_query, execution_query, result_query};
use jail::records::relative_components;
use languages::{Catalogue, Definition, Files};

fn java_language() -> &'static Definition {
    static JAVA: OnceLock<Definition> = OnceLock::new();
    JAVA.get_or_init(|| {
        let builtin = Catalogue::builtin();
        builtin.language("java").cloned().unwrap_or_else(|| panic!("java is built in"))
    })
}

/// A Java source as the one file and as one of two, and the same bytes as a query and as output.
pub fn java(data: &[u8]) {
    let language = java_language();
    let names_a_class = |entry: &str| !entry.is_empty() && !entry.starts_with('-') && !entry.contains(['/', '\0']);
    if let Ok(layout) = language.layout(&Files::One(data), None) {
        assert!(relative_components(layout.main_file.as_bytes()).is_some(), "{layout:?}");
        assert_eq!(layout.sources, [layout.main_file.as_str()]);
        assert!(layout.entry.as_deref().is_some_and(names_a_class), "{layout:?}");
    }
    let half = data.len() / 2;
    let files = Files::Several(vec![("A.java", &data[..half]), ("b/B.java", &data[half..])]);
    for entry in [None, Some("A"), Some("A.java"), Some("b.B")] {
        if let Ok(layout) = language.layout(&files, entry) {
            assert_eq!(layout.sources, ["A.java", "b/B.java"]);
            assert!(layout.entry.as_deref().is_some_and(names_a_class), "{layout:?}");
        }
    }
    let text = String::from_utf8_lossy(data);
    for problem in
        [execution_query(Some(&text)).err(), result_query(Some(&text)).err(), check_no_query(Some(&text)).err()]
            .into_iter()
            .flatten()
    {
        assert!(problem.detail.len() < 2048, "{problem}");
    }
    for more in [0, 1] {
        let stream = Stream::new(data.to_vec(), data.len() as u64 + more, OutputEncoding::Auto);
        let bytes = stream.to_bytes().unwrap_or_else(|error| panic!("{error}"));
        assert!(data.starts_with(&bytes) && data.len() - bytes.len() <= if more == 0 { 0 } else { 3 });
        assert!(serde_json::to_vec(&stream).is_ok());
    }
}
