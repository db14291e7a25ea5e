//! Java: classes of any name in any folder, what is run of them, and a virtual machine cut to the limits.

use serde_json::{Value, json};

use crate::common::live::{Up, live};
use crate::{files, said, stderr, stdout};

/// A class that prints its own full name.
fn teller(package: &str, class: &str) -> String {
    let package = if package.is_empty() { String::new() } else { format!("package {package};\n") };
    format!(
        "{package}public class {class} {{\n  public static void main(String[] args) {{\n    \
         System.out.println({class}.class.getName() + \" \" + String.join(\",\", args));\n  }}\n}}\n"
    )
}

fn java(source: &str) -> Value {
    json!({"language": "java", "source": source})
}

fn tree(all: &[(&str, &str)]) -> Value {
    json!({"language": "java", "files": files(all)})
}

fn with(mut request: Value, field: &str, value: Value) -> Value {
    request[field] = value;
    request
}

#[test]
fn any_class_in_any_folder_is_run() {
    if !live() {
        return;
    }
    let up = Up::start();
    for (package, class) in [("", "Solution"), ("com.acme.deep", "App"), ("", "Grüße"), ("größe", "Ünï")] {
        let name = if package.is_empty() { class.to_owned() } else { format!("{package}.{class}") };
        let request = with(java(&teller(package, class)), "args", json!(["a b", "c"]));
        assert_eq!(said(&up, &request), format!("{name} a b,c\n"));
    }
    // Not public, behind a helper, between the kinds of types there are.
    let mixed = "interface Shape { double area(); }\nrecord Square(double side) implements Shape { public double area() { return side * side; } }\n\
        enum Unit { M, CM }\nclass Helper { static void main(int x) {} }\n\
        class Work { public static void main(String... args) { System.out.println(new Square(3).area() + \" \" + Unit.CM); } }\n";
    assert_eq!(said(&up, &java(mixed)), "9.0 CM\n");

    let (app, tool) = (teller("com.acme", "App"), teller("com.acme.tool", "Tool"));
    let part = "package com.acme;\nclass Part { static int n = 41; static class Inner { static int more() { return n + 1; } } }\n";
    let uses = "import com.acme.App;\npublic class Main {\n  public static void main(String[] args) throws Exception {\n    App.main(args);\n\
        var in = Main.class.getResourceAsStream(\"/texts/hello.txt\");\n    System.out.print(new String(in.readAllBytes(), \"UTF-8\"));\n\
        System.out.print(new String(java.nio.file.Files.readAllBytes(java.nio.file.Path.of(\"texts/hello.txt\")), \"UTF-8\"));\n  }\n}\n";
    let several = [
        ("com/acme/App.java", app.as_str()),
        ("com/acme/Part.java", part),
        ("anywhere/Tool.java", tool.as_str()),
        ("texts/hello.txt", "Grüße\n"),
    ];
    // By class, by file, and a class inside another by the name that the launcher wants.
    for (entry, wanted) in [
        ("com.acme.App", "com.acme.App \n"),
        ("com/acme/App.java", "com.acme.App \n"),
        ("com.acme.tool.Tool", "com.acme.tool.Tool \n"),
        ("anywhere/Tool.java", "com.acme.tool.Tool \n"),
    ] {
        assert_eq!(said(&up, &with(tree(&several), "entry", json!(entry))), wanted, "{entry}");
    }
    // Two that could be run, and nothing says which.
    let problem = up.call("POST", "/v1/executions", &tree(&several)).unwrap().problem(400, "invalid_request");
    assert_eq!(problem["field"], "/entry");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("com.acme.App") && detail.contains("com.acme.tool.Tool"), "{detail}");
    // Among several, `Main` is meant.
    let mut all = several.to_vec();
    all.push(("Main.java", uses));
    assert_eq!(said(&up, &tree(&all)), "com.acme.App \nGrüße\nGrüße\n");

    // Nothing to run is the program's own mistake, in the launcher's words.
    for (request, words) in [
        (java("public class Quiet { static void help() {} }\n"), "Quiet"),
        (with(tree(&several), "entry", json!("com.acme.Part")), "com.acme.Part"),
        (with(tree(&several), "entry", json!("com.acme.Nowhere")), "ClassNotFoundException: com.acme.Nowhere"),
    ] {
        let result = up.run(&request);
        assert_eq!((&result["verdict"], &result["run"]["exit_code"]), (&json!("runtime_error"), &json!(1)), "{result}");
        let said = stderr(&result["run"]);
        assert!(said.to_lowercase().starts_with("error: ") && said.contains(words), "{said}");
    }
    for entry in ["com/acme/Nowhere.java", "texts/hello.txt", "-version", "@argfile", "../App.java"] {
        let request = with(tree(&several), "entry", json!(entry));
        let reply = up.call("POST", "/v1/executions", &request).unwrap();
        assert_eq!((reply.status, &reply.json()["field"]), (400, &json!("/entry")), "{entry}: {}", reply.text());
    }
    up.stop();
}

#[test]
fn classes_named_like_the_systems_hurt_nobody_else() {
    if !live() {
        return;
    }
    let up = Up::start();
    // Each shadows the system's within its own program: what it does then is Java's to say.
    assert_eq!(said(&up, &java(&teller("", "Integer"))), "Integer \n");
    assert_eq!(said(&up, &java(&teller("", "Thread"))), "Thread \n");
    let own = "public class String {\n  public static void main(java.lang.String[] args) { System.out.println(new String().text()); }\n\
        java.lang.String text() { return \"my own\"; }\n}\n";
    assert_eq!(said(&up, &java(own)), "my own\n");
    let result = up.run(&java(&teller("", "System")));
    assert_eq!(result["verdict"], "compile_error", "its System has no out: {result}");
    let result = up.run(&java(&teller("", "String")));
    assert!(["compile_error", "runtime_error"].contains(&result["verdict"].as_str().unwrap()), "{result}");
    for package in ["java.lang", "java.util"] {
        let result = up.run(&java(&teller(package, "Integer")));
        assert_eq!(result["verdict"], "compile_error", "{result}");
        assert!(stderr(&result["compile"]).contains("package exists in another module: java.base"), "{result}");
    }
    // Nothing of it outlives its program.
    assert_eq!(said(&up, &java(&teller("", "After"))), "After \n");
    up.stop();
}

#[test]
fn the_virtual_machine_keeps_within_the_limits() {
    if !live() {
        return;
    }
    let up = Up::start();
    let mib = |mib: u64| mib << 20;
    let limits = |request: Value, limits: Value| with(request, "limits", limits);
    let measures = "public class Measures { public static void main(String[] a) {\n    var r = Runtime.getRuntime();\n    \
        System.out.println(r.maxMemory() + \" \" + r.availableProcessors()); } }\n";
    let mut last = 0;
    for (memory, cpus, processors) in [(mib(64), 0.5, "1"), (mib(512), 1.0, "1"), (mib(1024), 2.0, "2")] {
        let words = said(&up, &limits(java(measures), json!({"memory_bytes": memory, "cpus": cpus})));
        let (heap, seen) = words.trim().split_once(' ').unwrap();
        let heap: u64 = heap.parse().unwrap();
        assert!(heap > last && heap < memory, "{heap} of {memory}");
        assert_eq!(seen, processors, "cpus {cpus}");
        last = heap;
    }
    let hello = |memory: u64| limits(java(&teller("", "Hello")), json!({"memory_bytes": memory}));
    for [version, ..] in up.offered("java") {
        assert_eq!(said(&up, &with(hello(mib(64)), "version", json!(version))), "Hello \n", "{version} at the floor");
    }
    let problem = up.call("POST", "/v1/executions", &hello(mib(63))).unwrap().problem(422, "limit_too_low");
    assert_eq!(problem["field"], "/limits/memory_bytes");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("Java") && detail.contains("66060288") && detail.contains("67108864"), "{detail}");

    let hoards = "import java.util.*;\npublic class Hoards { public static void main(String[] a) {\n    \
        List<long[]> all = new ArrayList<>(); for (;;) all.add(new long[1 << 16]); } }\n";
    for memory in [mib(64), mib(512)] {
        let result = up.run(&limits(java(hoards), json!({"memory_bytes": memory})));
        assert_eq!(
            (&result["verdict"], &result["reason"]["hint"]),
            (&json!("runtime_error"), &json!("heap")),
            "{result}"
        );
        assert!(stderr(&result["run"]).contains("java.lang.OutOfMemoryError: Java heap space"), "{result}");
    }
    // One that is caught is nobody's business, in little memory as in much.
    let catches = "public class Catches { static int depth(int n) { return 1 + depth(n + 1); }\n  public static void main(String[] a) {\n    \
        try { depth(0); } catch (StackOverflowError e) { System.out.println(\"deep\"); }\n    \
        try { long[][] all = new long[4096][]; for (int i = 0; ; i++) all[i] = new long[1 << 16]; } catch (OutOfMemoryError e) { System.out.println(\"full\"); } } }\n";
    assert_eq!(said(&up, &limits(java(catches), json!({"memory_bytes": mib(128)}))), "deep\nfull\n");
    let endless = "public class Endless { static int depth(int n) { return 1 + depth(n + 1); }\n  \
        public static void main(String[] a) { depth(0); } }\n";
    for memory in [mib(64), mib(256), mib(512)] {
        let result = up.run(&limits(java(endless), json!({"memory_bytes": memory})));
        assert_eq!(result["verdict"], "runtime_error", "{result}");
        assert!(stderr(&result["run"]).contains("java.lang.StackOverflowError"), "{result}");
    }
    let deep = "public class Deep { static int depth(int n) { return n == 0 ? 0 : 1 + depth(n - 1); }\n  \
        public static void main(String[] a) throws Exception { System.out.println(depth(100_000));\n    \
        var t = new Thread(() -> System.out.println(depth(100_000))); t.start(); t.join(); } }\n";
    assert_eq!(said(&up, &java(deep)), "100000\n100000\n", "in every thread");
    up.stop();
}

#[test]
fn flags_are_the_compilers_and_only_those_allowed() {
    if !live() {
        return;
    }
    let up = Up::start();
    let flags = |source: &str, flags: &[&str]| with(java(source), "compile_flags", json!(flags));
    let raw = "import java.util.*;\npublic class Raw { public static void main(String[] args) { List l = new ArrayList(); l.add(1);\n\
        System.out.println(l); } }\n";
    let result = up.run(&flags(raw, &["-Xlint:unchecked"]));
    assert_eq!((&result["verdict"], stdout(&result)), (&json!("ok"), "[1]\n"), "{result}");
    assert!(stderr(&result["compile"]).contains("Raw.java:2: warning: [unchecked]"), "{result}");
    assert_eq!(up.run(&flags(raw, &["-Xlint:all", "-Werror"]))["verdict"], "compile_error");
    let names = "public class Names { public static void main(String[] args) throws Exception {\n\
        System.out.println(Names.class.getMethod(\"main\", String[].class).getParameters()[0].getName()); } }\n";
    assert_eq!(said(&up, &java(names)), "arg0\n");
    assert_eq!(said(&up, &flags(names, &["-parameters"])), "args\n");
    let new = "public class New { public static void main(String[] args) { var x = 1; System.out.println(x); } }\n";
    assert_eq!(said(&up, &flags(new, &["--release=11"])), "1\n");
    assert_eq!(up.run(&flags(new, &["--release=8"]))["verdict"], "compile_error", "it had no var");
    for bad in ["-d", "-cp", "-J-Xmx1g", "@list", "-processor", "-Xlint:all,", "-Xplugin:x", "--release=7"] {
        let problem =
            up.call("POST", "/v1/executions", &flags(new, &["-g", bad])).unwrap().problem(422, "flag_not_allowed");
        assert_eq!(problem["field"], "/compile_flags/1", "{problem}");
    }
    up.stop();
}
