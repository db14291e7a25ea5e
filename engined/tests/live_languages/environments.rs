//! Third-party packages: a venv with NumPy, a folder with node_modules, a folder of jars. Read-only for programs, and
//! only for those of the toolchain that has them.

use std::fs;

use serde_json::json;

use crate::common::live::{Up, live};
use crate::common::opt::{Opt, tool};
use crate::{files, said, skip, stderr, stdout};

/// One that packages can be written to by modes alone, so that only the mount is in the way.
fn is_read_only(up: &Up, opt: &Opt, folder: &str, toolchain: &str) {
    let file = opt.file(&format!("{folder}/open/file"), "as it was", 0o666);
    opt.folder(&format!("{folder}/open"), 0o777);
    let source = "import os, sys\nfolder = sys.argv[1]\n\
        for what in (lambda: open(folder + '/file', 'w'), lambda: open(folder + '/new', 'w'), lambda: os.rmdir(folder)):\n    \
        try:\n        what()\n        print('done')\n    except OSError as error: print('refused')\n";
    let args = [file.parent().unwrap()];
    let request = json!({"language": "python", "version": toolchain, "source": source, "args": args});
    assert_eq!(said(up, &request), "refused\nrefused\nrefused\n");
    assert_eq!(fs::read_to_string(file).unwrap(), "as it was");
}

#[test]
fn a_venv_has_numpy_and_as_many_threads_as_processors() {
    if !live() {
        return;
    }
    let opt = Opt::new();
    if let Err(why) = tool("/usr/bin/python3", &["-m", "venv", "venv"], &opt.0) {
        return skip(&format!("no venv can be made (apt-get install python3-venv): {why}"), true);
    }
    let install = ["-m", "pip", "install", "--quiet", "--only-binary", ":all:", "numpy"];
    if let Err(why) = tool(opt.0.join("venv/bin/python3"), &install, &opt.0) {
        return skip(&format!("no NumPy can be had: {why}"), true);
    }
    opt.manifest(
        "python",
        "add_to = \"python\"\n[[environment]]\ntoolchain = \"cpython\"\npath = \"OPT/venv\"\nneeds = [\"bin/pip\"]\nreason = \"a test\"\n",
    );
    let up = Up::with(Some(&opt.manifests()));
    let source = "import numpy, os, sys\na = numpy.arange(250_000.0).reshape(500, 500)\n\
        print((a @ a.T).shape, float(numpy.linalg.norm(numpy.eye(9))))\n\
        print([os.environ[n + '_NUM_THREADS'] for n in ('OMP', 'OPENBLAS', 'MKL', 'NUMEXPR')])\n\
        print(len(os.listdir('/proc/self/task')), sys.prefix == os.environ['VIRTUAL_ENV'], sys.prefix != sys.base_prefix)\n";
    for (cpus, threads) in [(0.5, 1), (1.0, 1), (1.5, 2), (2.0, 2)] {
        let limits = json!({"cpus": cpus, "cpu_time_ms": 60_000, "wall_time_ms": 150_000});
        let request = json!({"language": "python", "version": "cpython", "source": source, "limits": limits});
        let words = format!("['{threads}', '{threads}', '{threads}', '{threads}']");
        assert_eq!(said(&up, &request), format!("(500, 500) 3.0\n{words}\n{threads} True True\n"), "cpus {cpus}");
    }
    // The default is the one with packages, as it comes first; a child finds them too.
    let source = "import subprocess\nprint(subprocess.check_output(['python3', '-c', 'import numpy; print(numpy.add(20, 22))'], text=True))";
    assert_eq!(said(&up, &json!({"language": "python", "source": source})), "42\n\n");
    // The same interpreter by its other name has none.
    let offered = up.offered("python");
    let [_, plain, _] = offered.iter().find(|[_, id, _]| id != "cpython").unwrap();
    let result = up.run(&json!({"language": "python", "version": plain, "source": "import numpy"}));
    assert_eq!((&result["verdict"], &result["language"]["toolchain"]), (&json!("runtime_error"), &json!(plain)));
    assert!(stderr(&result["run"]).contains("ModuleNotFoundError: No module named 'numpy'"), "{result}");
    is_read_only(&up, &opt, "venv", "cpython");
    up.stop();
}

#[test]
fn an_environment_that_lacks_something_is_told_and_the_engine_serves() {
    if !live() {
        return;
    }
    let opt = Opt::new();
    // Enough of a venv for one that never gets that far.
    opt.file("venv/pyvenv.cfg", "home = /usr/bin\n", 0o644);
    fs::create_dir_all(opt.0.join("venv/bin")).unwrap();
    std::os::unix::fs::symlink("/usr/bin/python3", opt.0.join("venv/bin/python3")).unwrap();
    opt.manifest(
        "python",
        "add_to = \"python\"\n[[environment]]\ntoolchain = \"packages-1\"\npath = \"OPT/venv\"\n\
         needs = [\"bin/python3\", \"lib/numpy\"]\nreason = \"a test\"\n\
         [[toolchain]]\nid = \"packages-1\"\nprogram = \"/usr/bin/python3\"\npackage = \"python3\"\n\
         probe = { args = [\"-V\"], prefix = \"Python \" }\n",
    );
    let up = Up::with(Some(&opt.manifests()));
    let lacks = format!("the environment of packages-1 lacks {}/venv/lib/numpy", opt.0.display());
    assert!(up.log().lines().any(|line| line.contains("version unavailable") && line.contains(&lacks)), "{}", up.log());
    let request =
        |version: &str| json!({"language": "python", "version": version, "source": "import sys; print(sys.prefix)"});
    up.call("POST", "/v1/executions", &request("packages")).unwrap().problem(422, "unknown_version");
    assert_eq!(said(&up, &request("3")), "/usr\n");

    // Once it is there it is had by a reload; once it is gone again a run says so.
    opt.folder("venv/lib/numpy", 0o755);
    up.reload(|up| up.offered("python").iter().any(|[_, id, _]| id == "packages-1"));
    assert_eq!(said(&up, &request("packages")), format!("{}/venv\n", opt.0.display()));
    // A look at the languages that came just then would have taken it away already.
    let python = opt.0.join("venv/bin/python3");
    let found_out = || {
        opt.remove("venv/bin/python3");
        let reply = up.call("POST", "/v1/executions", &request("packages")).unwrap();
        (reply.status == 200).then(|| reply.json())
    };
    let mut result = found_out();
    while result.is_none() {
        std::os::unix::fs::symlink("/usr/bin/python3", &python).unwrap();
        up.reload(|up| up.offered("python").iter().any(|[_, id, _]| id == "packages-1"));
        result = found_out();
    }
    let result = result.unwrap();
    assert_eq!(result["verdict"], "engine_error", "{result}");
    let gone = format!("The toolchain is not whole any more: {}/venv/bin/python3 is gone.", opt.0.display());
    assert!(result["reason"]["message"].as_str().unwrap().starts_with(&gone), "{result}");
    assert_eq!(said(&up, &request("3")), "/usr\n");
    up.stop();
}

#[test]
fn node_finds_packages_by_require_and_by_import() {
    if !live() {
        return;
    }
    let opt = Opt::new();
    opt.file(
        "packages/node_modules/greeter/package.json",
        r#"{"name": "greeter", "version": "2.1.0", "main": "main.js"}"#,
        0o644,
    );
    opt.file("packages/node_modules/greeter/main.js", "module.exports = name => 'hello ' + name;\n", 0o644);
    let esm = r#"{"name": "@our/modern", "version": "1.0.0", "type": "module", "exports": "./index.js"}"#;
    opt.file("packages/node_modules/@our/modern/package.json", esm, 0o644);
    opt.file(
        "packages/node_modules/@our/modern/index.js",
        "import greet from 'greeter';\nexport const loud = n => greet(n).toUpperCase();\n",
        0o644,
    );
    opt.folder("packages/node_modules/greeter/open", 0o777);
    opt.manifest(
        "javascript",
        "add_to = \"javascript\"\n[[environment]]\ntoolchain = \"node\"\npath = \"OPT/packages\"\n\
         needs = [\"node_modules/greeter/package.json\"]\nreason = \"a test\"\n",
    );
    let up = Up::with(Some(&opt.manifests()));
    let greets = "console.log(require('greeter')('you'), require('greeter/package.json').version)";
    assert_eq!(said(&up, &json!({"language": "javascript", "source": greets})), "hello you 2.1.0\n");
    let imports = "import greet from 'greeter';\nimport { loud } from '@our/modern';\nconsole.log(greet('me'), loud('you'));\n\
        console.log((await import('greeter')).default('them'));\n";
    let request = json!({"language": "javascript", "files": files(&[("main.mjs", imports)])});
    assert_eq!(said(&up, &request), "hello me HELLO YOU\nhello them\n");
    // From folders of the caller's as well, whose own modules go first.
    let request = json!({"language": "javascript", "entry": "src/deep/app.js", "files": files(&[
        ("src/deep/app.js", "console.log(require('greeter')('deep'), require('./own'))"),
        ("src/deep/own.js", "module.exports = 'own'"),
    ])});
    assert_eq!(said(&up, &request), "hello deep own\n");
    let request = json!({"language": "javascript", "entry": "main.js", "files": files(&[
        ("main.js", "console.log(require('greeter'))"),
        ("node_modules/greeter/index.js", "module.exports = 'mine'"),
    ])});
    assert_eq!(said(&up, &request), "mine\n");
    let writes = "const fs = require('fs'); for (const path of ['/new', '/greeter/open/new', '/greeter/main.js'])\n\
        try { fs.writeFileSync(process.env.NODE_PATH + path, 'x'); console.log('done'); } catch (e) { console.log('refused'); }\n\
        try { require('nosuch') } catch (e) { console.log(e.code) }\n";
    let request = json!({"language": "javascript", "source": writes});
    assert_eq!(said(&up, &request), "refused\nrefused\nrefused\nMODULE_NOT_FOUND\n");
    // What comes back are the program's files, not its packages.
    let request =
        json!({"language": "javascript", "source": "require('fs').writeFileSync('made', 'x')", "outputs": ["**"]});
    let result = up.run(&request);
    let paths: Vec<&str> =
        result["outputs"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["made", "main.js"], "{result}");
    up.stop();
}

#[test]
fn java_compiles_and_runs_with_a_folder_of_jars() {
    if !live() {
        return;
    }
    let opt = Opt::new();
    let up = Up::with(Some(&opt.manifests()));
    let [_, toolchain, digest] = up.offered("java")[0].clone();
    let jdk = fs::canonicalize("/usr/bin/javac").unwrap();
    let make = opt.0.join("make");
    opt.file(
        "make/org/lib/Greeter.java",
        "package org.lib;\npublic class Greeter { public String greet(String n) { return \"hello \" + n; } }\n",
        0o644,
    );
    opt.file("make/words.txt", "from the jar", 0o644);
    tool(&jdk, &["--release", "11", "org/lib/Greeter.java"], &make).unwrap();
    opt.folder("jars", 0o755);
    tool(jdk.with_file_name("jar"), &["cf", "../jars/lib.jar", "org/lib/Greeter.class", "words.txt"], &make).unwrap();
    opt.folder("jars/open", 0o777);
    opt.manifest(
        "java",
        &format!(
            "add_to = \"java\"\n[[environment]]\ntoolchain = \"{toolchain}\"\npath = \"OPT/jars\"\nneeds = [\"lib.jar\"]\nreason = \"a test\"\n"
        ),
    );
    let source = "import org.lib.Greeter;\nimport java.nio.file.*;\npublic class App {\n  public static void main(String[] args) throws Exception {\n\
        System.out.println(new Greeter().greet(\"you\"));\n\
        System.out.println(new String(App.class.getResourceAsStream(\"/words.txt\").readAllBytes()));\n\
        Path jars = Path.of(Greeter.class.getProtectionDomain().getCodeSource().getLocation().toURI()).getParent();\n\
        try { Files.writeString(jars.resolve(\"open/new\"), \"x\"); System.out.println(\"done\"); }\n\
        catch (java.io.IOException e) { System.out.println(\"refused\"); }\n  }\n}\n";
    let request = json!({"language": "java", "source": source});
    let without = up.run(&request);
    assert_eq!(without["verdict"], "compile_error", "{without}");
    assert!(stderr(&without["compile"]).contains("package org.lib does not exist"), "{without}");
    up.reload(|up| up.offered("java")[0][2] != digest);
    let result = up.run(&request);
    assert_eq!((&result["verdict"], &result["language"]["toolchain"]), (&json!("ok"), &json!(toolchain)), "{result}");
    assert_eq!(stdout(&result), "hello you\nfrom the jar\nrefused\n");
    up.stop();
}
