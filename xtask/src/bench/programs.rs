//! The programs that are measured, and the commands that a person would type for each.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::spawn::Spawn;
use crate::problem::{Context, Problem, Result};
use crate::toolchains::{self, Installed};

/// A program, with the commands that compile and run it.
#[derive(Debug)]
pub struct Program {
    /// How its rows are called.
    pub name: &'static str,
    /// Its folder among the others.
    pub folder: &'static str,
    /// The language's id.
    pub language: &'static str,
    /// As a request names it, where not the newest is meant.
    pub version: Option<&'static str>,
    /// May be missing on this machine.
    pub optional: bool,
    /// Takes a good part of a second, so it is measured less often.
    pub slow: bool,
    /// The most times bare that it may take from the source to the answer.
    pub bar: Option<f64>,
    /// The most times bare that running it may take once it is compiled.
    pub cached_bar: Option<f64>,
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
    Itself,
}

/// What a compiled program is called.
const BINARY: &str = "program";
const OUT: &[&str] = &["-O2", "-o", BINARY, "main.c"];
const OUT_CPP: &[&str] = &["-O2", "-o", BINARY, "main.cpp"];

/// The least that a program can do: what is left is the price of starting it.
pub const NOOP: Program = Program {
    name: "C no-op",
    folder: "noop",
    language: "c",
    version: None,
    optional: false,
    slow: false,
    bar: None,
    cached_bar: Some(2.5),
    file: "main.c",
    source: "int main(void) { return 0; }\n",
    compile: OUT,
    run: Start::Itself,
};

/// Greets, in Python.
pub const PYTHON: Program = Program {
    name: "Python hello",
    folder: "python",
    language: "python",
    bar: Some(1.25),
    cached_bar: None,
    file: "main.py",
    source: "print('hello')\n",
    compile: &[],
    run: Start::Toolchain(&["main.py"]),
    ..NOOP
};

const JAVA: Program = Program {
    name: "Java hello",
    folder: "java",
    language: "java",
    version: None,
    optional: true,
    slow: true,
    bar: None,
    cached_bar: Some(2.5),
    file: "Main.java",
    source: "public class Main { public static void main(String[] args) { System.out.println(\"hello\"); } }\n",
    compile: &["Main.java"],
    run: Start::Toolchain(&["-cp", ".", "Main"]),
};

/// What is measured from the source to the answer.
pub const HELLOS: [Program; 7] = [
    PYTHON,
    Program {
        name: "JavaScript hello",
        folder: "javascript",
        language: "javascript",
        bar: Some(1.15),
        file: "main.js",
        source: "console.log('hello')\n",
        run: Start::Toolchain(&["main.js"]),
        ..PYTHON
    },
    Program {
        name: "C hello",
        folder: "c",
        bar: Some(0.95),
        source: "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n",
        ..NOOP
    },
    Program {
        name: "C++ hello with <iostream>",
        folder: "cpp",
        language: "cpp",
        slow: true,
        bar: Some(0.40),
        file: "main.cpp",
        source: "#include <iostream>\nint main() { std::cout << \"hello\\n\"; }\n",
        compile: OUT_CPP,
        ..NOOP
    },
    Program {
        name: "C++ hello with <bits/stdc++.h>",
        folder: "bits",
        language: "cpp",
        slow: true,
        bar: Some(0.35),
        cached_bar: None,
        file: "main.cpp",
        source: "#include <bits/stdc++.h>\nint main() { std::cout << \"hello\\n\"; }\n",
        compile: OUT_CPP,
        ..NOOP
    },
    Program { folder: "java17", version: Some("17"), bar: Some(0.65), ..JAVA },
    Program { folder: "java25", version: Some("25"), bar: Some(0.50), ..JAVA },
];

impl Program {
    /// Whether a compiler comes first.
    pub fn is_compiled(&self) -> bool {
        !self.compile.is_empty()
    }

    /// The source for the `n`th request: another text each time where it is compiled.
    pub fn text(&self, n: u64) -> String {
        // The number of this process keeps two measurements apart.
        if self.is_compiled() {
            format!("// {} {n}\n{}", std::process::id(), self.source)
        } else {
            self.source.to_owned()
        }
    }

    /// What the engine is asked for.
    pub fn request(&self, n: u64) -> Value {
        // No limit shall end a run on a slow or a busy machine.
        let limits = json!({"cpu_time_ms": 60_000, "wall_time_ms": 120_000});
        let mut request = json!({"language": self.language, "source": self.text(n), "limits": limits});
        if let Some(version) = self.version {
            request["version"] = version.into();
        }
        request
    }

    /// Makes a folder for it below `top`, with its toolchain and the program compiled.
    ///
    /// # Errors
    /// When it can't be written or compiled.
    pub fn place(&'static self, toolchain: &Installed, top: &Path) -> Result<Placed> {
        let folder = top.join(self.folder);
        fs::create_dir_all(&folder).or_problem(folder.display().to_string(), "set TMPDIR")?;
        let placed = Placed { program: self, toolchain: toolchain.clone(), folder };
        placed.write(0)?;
        if let Some(compiler) = placed.compiler() {
            compiler.run()?;
        }
        Ok(placed)
    }
}

/// The toolchain that a request for this program gets; `None` where an optional one is missing.
///
/// # Errors
/// When one is missing that every machine must have.
pub fn toolchain<'a>(program: &Program, installed: &'a [Installed]) -> Result<Option<&'a Installed>> {
    let found = toolchains::newest(installed, program.language, program.version);
    if found.is_none() && !program.optional {
        return Err(Problem::new(format!("{}: not installed here", program.name), "cargo xtask setup"));
    }
    Ok(found)
}

/// A program in a folder of its own.
#[derive(Debug)]
pub struct Placed {
    /// Which.
    pub program: &'static Program,
    toolchain: Installed,
    /// Where its source and what was compiled of it are.
    pub folder: PathBuf,
}

impl Placed {
    /// Writes the `n`th source.
    ///
    /// # Errors
    /// That of the disk.
    pub fn write(&self, n: u64) -> Result<()> {
        let text = self.program.text(n);
        fs::write(self.folder.join(self.program.file), text).or_problem("no source can be written", "free some disk")
    }

    /// The compiler, where there is one.
    pub fn compiler(&self) -> Option<Spawn> {
        let arguments = self.program.compile;
        self.program.is_compiled().then(|| Spawn::new(self.toolchain.program(), arguments, &self.folder))
    }

    /// The program itself. What was compiled is named by its absolute path.
    pub fn runner(&self) -> Spawn {
        match self.program.run {
            Start::Toolchain(arguments) => Spawn::new(self.toolchain.run_program(), arguments, &self.folder),
            Start::Itself => Spawn::new(&self.folder.join(BINARY), &[], &self.folder),
        }
    }

    /// From a new source to the program's end.
    ///
    /// # Errors
    /// When the compiler or the program fails.
    pub fn compile_and_run(&self, n: u64) -> Result<u64> {
        self.write(n)?;
        let compiled = self.compiler().map_or(Ok(0), |compiler| compiler.run())?;
        Ok(compiled + self.runner().run()?)
    }

    /// How a row is called, with the version where the name says none.
    pub fn told(&self) -> String {
        match self.program.version {
            Some(_) => format!("{} ({})", self.program.name, self.toolchain.version),
            None => self.program.name.to_owned(),
        }
    }

    /// Ours must have run the version that bare is.
    ///
    /// # Errors
    /// When it ran another.
    pub fn check_version(&self, answer: &Value) -> Result<()> {
        let (said, bare) = (answer["language"]["version"].as_str(), self.toolchain.version.to_string());
        if said == Some(&bare) {
            return Ok(());
        }
        let what = format!("{}: the engine ran version {said:?}, bare is {bare}", self.program.name);
        Err(Problem::new(what, "mend xtask/src/toolchains.rs"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn compiled_sources_are_unique_and_others_are_not() {
        for hello in &HELLOS {
            assert_eq!(hello.text(1) == hello.text(2), hello.compile.is_empty(), "{}", hello.name);
        }
        let folders: BTreeSet<&str> = HELLOS.iter().chain([&NOOP]).map(|program| program.folder).collect();
        assert_eq!(folders.len(), HELLOS.len() + 1);
    }
}
