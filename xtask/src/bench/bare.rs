//! The toolchains without us, and the programs that are measured.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::problem::{Context, Problem, Result};
use crate::toolchains::Installed;

/// A program that greets, and the commands that a person would type for it.
#[derive(Debug)]
pub struct Hello {
    /// How the row is called.
    pub name: &'static str,
    /// The language's id, and its version where not the newest is meant.
    pub language: &'static str,
    /// As a request names it.
    pub version: Option<&'static str>,
    /// May be missing on this machine.
    pub optional: bool,
    /// Takes a good part of a second, so it is measured less often.
    pub slow: bool,
    /// The most times bare that ours may take.
    pub limit: f64,
    file: &'static str,
    source: &'static str,
    /// Arguments of the compiler; empty where nothing is compiled.
    compile: &'static [&'static str],
    run: Start,
}

#[derive(Debug)]
enum Start {
    /// The toolchain runs the program, with these arguments.
    Toolchain(&'static [&'static str]),
    /// The program is a file of its own.
    Itself(&'static str),
}

const JAVA: Hello = Hello {
    name: "Java hello, compile and run",
    language: "java",
    version: None,
    optional: true,
    slow: true,
    limit: 1.25,
    file: "Main.java",
    source: "public class Main { public static void main(String[] args) { System.out.println(\"hello\"); } }\n",
    compile: &["Main.java"],
    run: Start::Toolchain(&["-cp", ".", "Main"]),
};

/// What is measured from the source to the answer.
pub const HELLOS: [Hello; 6] = [
    Hello {
        name: "Python hello, source to answer",
        language: "python",
        version: None,
        optional: false,
        slow: false,
        limit: 1.6,
        file: "main.py",
        source: "print('hello')\n",
        compile: &[],
        run: Start::Toolchain(&["main.py"]),
    },
    Hello {
        name: "JavaScript hello, source to answer",
        language: "javascript",
        version: None,
        optional: false,
        slow: false,
        limit: 1.4,
        file: "main.js",
        source: "console.log('hello')\n",
        compile: &[],
        run: Start::Toolchain(&["main.js"]),
    },
    Hello {
        name: "C hello, compile and run",
        language: "c",
        version: None,
        optional: false,
        slow: false,
        limit: 1.5,
        file: "main.c",
        source: "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n",
        compile: &["-O2", "-o", "hello", "main.c"],
        run: Start::Itself("./hello"),
    },
    Hello {
        name: "C++ hello with <iostream>, compile and run",
        language: "cpp",
        version: None,
        optional: false,
        slow: true,
        limit: 1.2,
        file: "main.cpp",
        source: "#include <iostream>\nint main() { std::cout << \"hello\\n\"; }\n",
        compile: &["-O2", "-o", "hello++", "main.cpp"],
        run: Start::Itself("./hello++"),
    },
    Hello { version: Some("17"), ..JAVA },
    Hello { version: Some("25"), ..JAVA },
];

impl Hello {
    /// The source for the `n`th request: another text each time where it is compiled.
    pub fn text(&self, n: u64) -> String {
        if self.compile.is_empty() { self.source.to_owned() } else { unique(self.source, n) }
    }
}

/// The same program under another text. The number of this process keeps two measurements apart.
pub fn unique(source: &str, n: u64) -> String {
    format!("// {} {n}\n{source}", std::process::id())
}

/// A folder to compile and run in.
pub struct Bare<'a> {
    /// Where it is.
    pub folder: &'a Path,
}

impl Bare<'_> {
    /// Compiles, where that is needed, and runs.
    pub fn hello(&self, hello: &Hello, toolchain: &Installed, n: u64) -> Result<u64> {
        self.write(hello.file, &hello.text(n))?;
        let compiled = if hello.compile.is_empty() { 0 } else { self.spawn(toolchain.program(), hello.compile)? };
        let ran = match hello.run {
            Start::Toolchain(args) => self.spawn(toolchain.run_program(), args)?,
            Start::Itself(program) => self.spawn(Path::new(program), &[])?,
        };
        Ok(compiled + ran)
    }

    /// Compiles the program that does nothing.
    pub fn prepare_noop(&self, compiler: &Installed, source: &str) -> Result<()> {
        self.write("noop.c", source)?;
        self.spawn(compiler.program(), &["-O2", "-o", "noop", "noop.c"]).map(|_| ())
    }

    /// Runs it.
    pub fn noop(&self) -> Result<u64> {
        self.spawn(Path::new("./noop"), &[])
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        fs::write(self.folder.join(name), text).or_problem("the source cannot be written", "free some disk")
    }

    fn spawn(&self, program: &Path, args: &[&str]) -> Result<u64> {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.folder).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let start = Instant::now();
        let told = program.display();
        let status = command.status().or_problem(format!("{told} did not start"), "cargo xtask setup")?;
        let took = micros(start.elapsed());
        if status.success() {
            Ok(took)
        } else {
            Err(Problem::new(format!("{told} failed: {status}"), "run it by hand"))
        }
    }
}

/// In whole microseconds.
pub fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiled_sources_are_unique_and_others_are_not() {
        for hello in &HELLOS {
            assert_eq!(hello.text(1) == hello.text(2), hello.compile.is_empty(), "{}", hello.name);
        }
    }
}
