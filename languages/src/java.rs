//! Just enough of Java's grammar to tell which classes a source file declares at its top level and which of them has a
//! `main`: the launcher wants a class, and the compiler wants a public class in a file of its name.
//!
//! It is no parser. Comments, strings, characters and text blocks are passed over, braces are counted, and what it can't
//! make sense of it leaves to the compiler, whose messages are better.

use std::iter::Peekable;

/// What one source file declares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// `package a.b;`
    pub package: Option<String>,
    /// Classes, interfaces, enums and records at the top level, in their order.
    pub types: Vec<Type>,
    /// There is a `main` outside of every class, as Java 25 allows: its class is named after the file.
    pub bare_main: bool,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Type {
    pub name: String,
    pub is_public: bool,
    pub main: Main,
}

/// What a class has of a `main`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Main {
    /// None.
    #[default]
    None,
    /// `void main()`, or one that is not static: Java 25 starts it, older ones don't.
    Instance,
    /// `static void main(String…)`.
    Static,
}

/// A word or a sign and all that follows.
type Ahead<'a> = Peekable<Tokens<'a>>;

impl Outline {
    /// Reads a source file, once from its beginning to its end and without a copy of it. Bytes that are not UTF-8 can only
    /// be in comments and strings.
    pub(crate) fn of(source: &[u8]) -> Outline {
        let text = String::from_utf8_lossy(source);
        let mut tokens = Tokens { rest: &text }.peekable();
        let mut outline = Outline::default();
        while tokens.peek().is_some() {
            outline.declaration(&mut tokens);
        }
        outline
    }

    /// The full name of one of its classes.
    pub(crate) fn full_name(&self, name: &str) -> String {
        self.package.as_ref().map_or_else(|| name.to_owned(), |package| format!("{package}.{name}"))
    }

    /// Reads one declaration of the top level.
    fn declaration(&mut self, tokens: &mut Ahead<'_>) {
        let mut is_public = false;
        while let Some(token) = tokens.next() {
            match token {
                Token::Word("package") if self.types.is_empty() => {
                    self.package = Some(dotted(tokens)).filter(|name| !name.is_empty());
                    return;
                }
                Token::Word("import") => return drop(dotted(tokens)),
                Token::Word("public") => is_public = true,
                // `@interface` too; an annotation's own arguments are passed over.
                Token::Word("class" | "interface" | "enum" | "record") => {
                    // `record` is a name as well: only followed by another name it begins a declaration.
                    if let Some(Token::Word(name)) = tokens.peek().copied() {
                        tokens.next();
                        let main = body(tokens);
                        // More than anybody writes; each costs memory.
                        if self.types.len() < MOST_TYPES {
                            self.types.push(Type { name: name.to_owned(), is_public, main });
                        }
                        return;
                    }
                }
                Token::Sign('(') => close(tokens, '(', ')'),
                Token::Sign(';') => return,
                Token::Sign('{') => return close(tokens, '{', '}'),
                Token::Word("main") => self.bare_main |= tokens.peek() == Some(&Token::Sign('(')),
                Token::Word(_) | Token::Sign(_) => {}
            }
        }
    }
}

const MOST_TYPES: usize = 4096;

/// Looks for a `main` among the members of the type whose header goes on here, and reads it to its end.
fn body(tokens: &mut Ahead<'_>) -> Main {
    let mut found = Main::None;
    loop {
        match tokens.next() {
            Some(Token::Sign('{')) => break,
            // The components of a record, the arguments of an annotation.
            Some(Token::Sign('(')) => close(tokens, '(', ')'),
            Some(Token::Sign(';')) | None => return found,
            Some(_) => {}
        }
    }
    let (mut is_static, mut after_void) = (false, false);
    while let Some(token) = tokens.next() {
        match token {
            Token::Sign('}') => break,
            Token::Word("static") => is_static = true,
            Token::Word("main") if after_void && tokens.peek() == Some(&Token::Sign('(')) => {
                tokens.next();
                let takes_strings = arguments(tokens);
                found = found.max(if is_static && takes_strings { Main::Static } else { Main::Instance });
            }
            Token::Sign('(') => close(tokens, '(', ')'),
            Token::Sign('{') => {
                close(tokens, '{', '}');
                is_static = false;
            }
            Token::Sign(';') => is_static = false,
            Token::Word(_) | Token::Sign(_) => {}
        }
        after_void = token == Token::Word("void");
    }
    found
}

/// Reads arguments to their end, and whether there is a `String` among them.
fn arguments(tokens: &mut Ahead<'_>) -> bool {
    let mut strings = false;
    for token in tokens.by_ref() {
        match token {
            Token::Word("String") => strings = true,
            Token::Sign(')') => break,
            _ => {}
        }
    }
    strings
}

/// Reads what was opened to where it closes, or to the end where it never does.
fn close(tokens: &mut Ahead<'_>, open: char, close: char) {
    let mut depth = 1_usize;
    for token in tokens.by_ref() {
        if token == Token::Sign(open) {
            depth += 1;
        } else if token == Token::Sign(close) {
            depth -= 1;
            if depth == 0 {
                return;
            }
        }
    }
}

/// A name with dots, up to its semicolon. What is longer than a name may be is read and forgotten.
fn dotted(tokens: &mut Ahead<'_>) -> String {
    let mut name = String::new();
    for token in tokens.by_ref() {
        match token {
            Token::Sign(';') => break,
            Token::Word(word) if name.len() + word.len() < NAME_BYTES => {
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(word);
            }
            _ => {}
        }
    }
    name
}

const NAME_BYTES: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Sign(char),
}

/// Names, keywords and signs. What is between quotes or in a comment is passed over. Each character is looked at once.
struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        while let Some(c) = self.rest.chars().next() {
            let rest = self.rest;
            let (length, token) = if let Some(comment) = rest.strip_prefix("/*") {
                (comment.find("*/").map_or(rest.len(), |at| at + 4), None)
            } else if rest.starts_with("//") {
                (rest.find('\n').unwrap_or(rest.len()), None)
            } else if rest.starts_with("\"\"\"") {
                (quoted(rest, "\"\"\""), None)
            } else if c == '"' || c == '\'' {
                (quoted(rest, &rest[..1]), None)
            } else if is_of_name(c) {
                let end = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
                (end, Some(Token::Word(&rest[..end])))
            } else {
                (c.len_utf8(), (!c.is_whitespace()).then_some(Token::Sign(c)))
            };
            self.rest = &rest[length..];
            if token.is_some() {
                return token;
            }
        }
        None
    }
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// How long the literal at the beginning of `text` is, both of its quotes included. One that should close on its line and
/// does not is the compiler's to complain about: it ends with the line.
fn quoted(text: &str, quote: &str) -> usize {
    let mut at = quote.len();
    let mut chars = text[at..].chars();
    while let Some(c) = chars.next() {
        if text[at..].starts_with(quote) {
            return at + quote.len();
        }
        if c == '\n' && quote.len() == 1 {
            return at;
        }
        at += c.len_utf8();
        if c == '\\' {
            at += chars.next().map_or(0, char::len_utf8);
        }
    }
    text.len()
}

/// Whether `name` can be the name of a class: `com.acme.App`, `Outer$Inner`. Nothing of it can be taken for an option.
pub(crate) fn is_class_name(name: &str) -> bool {
    let part = |part: &str| {
        part.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_' || c == '$')
            && part.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$')
    };
    name.len() <= 512 && name.split('.').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(source: &str) -> String {
        let outline = Outline::of(source.as_bytes());
        let types = outline.types.iter().map(|t| {
            let main = match t.main {
                Main::None => "",
                Main::Instance => "?",
                Main::Static => "!",
            };
            format!("{}{}{main}", if t.is_public { "+" } else { "" }, outline.full_name(&t.name))
        });
        let bare = outline.bare_main.then(|| "main()".to_owned());
        types.chain(bare).collect::<Vec<_>>().join(" ")
    }

    const MAIN: &str = "public static void main(String[] args) {}";

    #[test]
    fn classes_and_their_mains_are_found() {
        for (source, wanted) in [
            (format!("public class Solution {{ {MAIN} }}"), "+Solution!"),
            (format!("class A {{}} public final class B {{ int x; {MAIN} }} interface C {{}}"), "A +B! C"),
            (format!("package com . acme;\nimport java.util.*;\npublic class Main {{ {MAIN} }}"), "+com.acme.Main!"),
            (format!("@Deprecated(since=\"1\") public record P(int a, int b) {{ {MAIN} }}"), "+P!"),
            (format!("enum E {{ A {{ void f() {{}} }}, B; {MAIN} }}"), "E!"),
            ("public interface I { static void main(final String... a) {} } @interface J {}".to_owned(), "+I! J"),
            (
                format!(
                    "abstract sealed class S<T extends Comparable<T>> permits Q {{ {MAIN} }} final class Q extends S<Integer> {{}}"
                ),
                "S! Q",
            ),
            (
                "class A { void main() { class B { } } static class N { static void main(String[] a) {} } }".to_owned(),
                "A?",
            ),
            ("class A { static int main(String s) { return 0; } void f() { main(\"\"); } }".to_owned(), "A"),
            ("class A { static { } void main(String[] a) { } }".to_owned(), "A?"),
            ("void main() { IO.println(\"hi\"); } class Helper {}".to_owned(), "Helper main()"),
            ("int record = 1; void main() {}".to_owned(), "main()"),
            (String::new(), ""),
        ] {
            assert_eq!(outline(&source), wanted, "{source}");
        }
    }

    #[test]
    fn what_is_quoted_or_commented_out_does_not_count() {
        for (source, wanted) in [
            (
                "// class A {}\n/* class B {} */ /** class C { */ class D { char c = '}'; char q = '\\''; String s = \"}\\\"}\"; }",
                "D",
            ),
            ("class A { String t = \"\"\"\n  } class X { \\\"\"\" \"\n \"\"\"; } class B {}", "A B"),
            ("\u{feff}public class Ünï { }\r\nclass B { }", "+Ünï B"),
            ("class A { String s = \"unclosed;\n } class B {}", "A B"),
            ("class A { /* never closed", "A"),
            ("class A { { { ", "A"),
            ("class", ""),
            ("} } ) class A { }", "A"),
            ("package ; class A {}", "A"),
            ("package a.b", ""),
        ] {
            assert_eq!(outline(source), wanted, "{source}");
        }
        assert_eq!(Outline::of(b"class A { String s = \"\xff\xfe\"; } class \xff { }").types.len(), 1);
    }

    #[test]
    fn sixteen_times_the_source_takes_about_sixteen_times_as_long() {
        let units = [
            "''",
            "\"a\"",
            "(",
            "{",
            "/*",
            "\"\"\"",
            "\\",
            "'",
            "a",
            "class a ",
            "class a{",
            "import a.",
            "package ",
            "//\n",
            "\"\\",
        ];
        let takes = |bytes: usize| {
            let begun = std::time::Instant::now();
            for unit in units {
                let source = unit.repeat(bytes / unit.len());
                assert!(Outline::of(source.as_bytes()).types.len() <= MOST_TYPES);
                assert!(Outline::of(format!("class A {{ {source}").as_bytes()).types.len() <= MOST_TYPES);
            }
            begun.elapsed()
        };
        // A busy machine may hold up the one and not the other, but not each time.
        let linear = (0..5).any(|_| {
            let (some, much) = (takes(1 << 16), takes(1 << 20));
            println!("{some:?}, then {much:?}");
            much < some * 100
        });
        assert!(linear, "quadratic would be 256 times");
    }

    #[test]
    fn a_class_name_is_no_option() {
        for good in ["Main", "com.acme.App", "Outer$Inner", "_a", "Ünï.Ö1"] {
            assert!(is_class_name(good), "{good}");
        }
        for bad in ["", "-cp", "@args", "a..b", ".a", "a.", "1a", "a b", "a/b", "a-b", &"x".repeat(513)] {
            assert!(!is_class_name(bad), "{bad}");
        }
    }
}
