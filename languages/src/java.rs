//! Just enough of Java's grammar to tell which classes a source file declares at its top level and which of them has a
//! `main`: the launcher wants a class, and the compiler wants a public class in a file of its name.
//!
//! It is no parser. Comments, strings, characters and text blocks are passed over, braces are counted, and what it can't
//! make sense of it leaves to the compiler, whose messages are better.

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

impl Outline {
    /// Reads a source file. Bytes that are not UTF-8 can only be in comments and strings.
    pub(crate) fn of(source: &[u8]) -> Outline {
        let text = String::from_utf8_lossy(source);
        let tokens = tokens(&text);
        let mut outline = Outline::default();
        let mut at = 0;
        while at < tokens.len() {
            at = outline.declaration(&tokens, at);
        }
        outline
    }

    /// The full name of one of its classes.
    pub(crate) fn full_name(&self, name: &str) -> String {
        self.package.as_ref().map_or_else(|| name.to_owned(), |package| format!("{package}.{name}"))
    }

    /// Reads one declaration of the top level. Where the next begins.
    fn declaration(&mut self, tokens: &[Token<'_>], begin: usize) -> usize {
        let mut is_public = false;
        let mut at = begin;
        while let Some(token) = tokens.get(at) {
            match *token {
                Token::Word("package") if self.types.is_empty() => {
                    let (name, next) = dotted(tokens, at + 1);
                    self.package = Some(name).filter(|name| !name.is_empty());
                    return next;
                }
                Token::Word("import") => return after(tokens, at, ';'),
                Token::Word("public") => is_public = true,
                // `@interface` too; an annotation's own arguments are passed over.
                Token::Word("class" | "interface" | "enum" | "record") => {
                    // `record` is a name as well: only followed by another name it begins a declaration.
                    if let Some(Token::Word(name)) = tokens.get(at + 1) {
                        let (main, next) = body(tokens, at + 2);
                        self.types.push(Type { name: (*name).to_owned(), is_public, main });
                        return next;
                    }
                }
                Token::Sign('(') => at = closing(tokens, at, '(', ')'),
                Token::Sign(';') => return at + 1,
                Token::Sign('{') => return closing(tokens, at, '{', '}') + 1,
                Token::Word("main") if matches!(tokens.get(at + 1), Some(Token::Sign('('))) => self.bare_main = true,
                Token::Word(_) | Token::Sign(_) => {}
            }
            at += 1;
        }
        at
    }
}

/// Looks for a `main` among the members of the type whose header begins at `at`. And where the type ends.
fn body(tokens: &[Token<'_>], mut at: usize) -> (Main, usize) {
    let mut found = Main::None;
    while let Some(token) = tokens.get(at) {
        match token {
            Token::Sign('{') => break,
            // The components of a record, the arguments of an annotation.
            Token::Sign('(') => at = closing(tokens, at, '(', ')'),
            Token::Sign(';') => return (found, at + 1),
            _ => {}
        }
        at += 1;
    }
    let end = closing(tokens, at, '{', '}');
    let mut is_static = false;
    at += 1;
    while at < end {
        match tokens[at] {
            Token::Word("static") => is_static = true,
            Token::Word("main")
                if matches!(tokens.get(at + 1), Some(Token::Sign('('))) && tokens[at - 1] == Token::Word("void") =>
            {
                let close = closing(tokens, at + 1, '(', ')');
                let takes_strings = tokens[at..close.min(end)].contains(&Token::Word("String"));
                found = found.max(if is_static && takes_strings { Main::Static } else { Main::Instance });
                at = close;
            }
            Token::Sign('(') => at = closing(tokens, at, '(', ')'),
            Token::Sign('{') => {
                at = closing(tokens, at, '{', '}');
                is_static = false;
            }
            Token::Sign(';') => is_static = false,
            _ => {}
        }
        at += 1;
    }
    (found, end + 1)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Sign(char),
}

/// Names, keywords and signs. What is between quotes or in a comment is gone.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if let Some(comment) = rest.strip_prefix("/*") {
            comment.find("*/").map_or(rest.len(), |at| at + 4)
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("\"\"\"") {
            quoted(rest, "\"\"\"")
        } else if c == '"' || c == '\'' {
            // A quote that does not close on its line is the compiler's to complain about.
            let line = rest.find('\n').unwrap_or(rest.len());
            quoted(rest, &rest[..1]).min(line)
        } else if c.is_alphanumeric() || c == '_' || c == '$' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len());
            tokens.push(Token::Word(&rest[..end]));
            end
        } else {
            if !c.is_whitespace() {
                tokens.push(Token::Sign(c));
            }
            c.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// How long the literal at the beginning of `text` is, both of its quotes included.
fn quoted(text: &str, quote: &str) -> usize {
    let mut at = quote.len();
    while let Some(rest) = text.get(at..) {
        match rest.chars().next() {
            _ if rest.starts_with(quote) => return at + quote.len(),
            Some('\\') => at += 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            Some(c) => at += c.len_utf8(),
            None => break,
        }
    }
    text.len()
}

/// A name with dots, and what follows its semicolon.
fn dotted(tokens: &[Token<'_>], begin: usize) -> (String, usize) {
    let end = after(tokens, begin, ';');
    let words = tokens[begin.min(end)..end].iter().filter_map(|token| match token {
        Token::Word(word) => Some(*word),
        Token::Sign(_) => None,
    });
    (words.collect::<Vec<_>>().join("."), end)
}

/// Behind the next `sign`.
fn after(tokens: &[Token<'_>], begin: usize, sign: char) -> usize {
    let found = tokens.iter().skip(begin).position(|token| *token == Token::Sign(sign));
    found.map_or(tokens.len(), |offset| begin + offset + 1)
}

/// Where what is opened at `at` closes; the last token's place where it never does.
fn closing(tokens: &[Token<'_>], at: usize, open: char, close: char) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        if *token == Token::Sign(open) {
            depth += 1;
        } else if *token == Token::Sign(close) {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return index;
            }
        }
    }
    tokens.len()
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
    fn a_class_name_is_no_option() {
        for good in ["Main", "com.acme.App", "Outer$Inner", "_a", "Ünï.Ö1"] {
            assert!(is_class_name(good), "{good}");
        }
        for bad in ["", "-cp", "@args", "a..b", ".a", "a.", "1a", "a b", "a/b", "a-b", &"x".repeat(513)] {
            assert!(!is_class_name(bad), "{bad}");
        }
    }
}
