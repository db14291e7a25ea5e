//! An operator's folder of manifests: what it adds, what it replaces, and what is said when it is wrong.

mod common;

use common::Folder;
use languages::{Catalogue, Mistake, untrusted};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

fn told(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(|mistake| format!("{mistake}\n")).collect()
}

fn mistakes(folder: &Folder) -> String {
    let loaded = Catalogue::load(Some(folder.path()));
    // The folder's own path is another one each time.
    told(&loaded.expect_err("the folder has mistakes")).replace(&format!("{}/", folder.path().display()), "")
}

/// `shown` against the text that the repository keeps; UPDATE_SNAPSHOTS=1 writes it anew.
fn assert_snapshot(shown: &str, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, shown).expect("the repository is writable");
    }
    assert_eq!(shown, fs::read_to_string(&path).unwrap_or_default(), "see {}", path.display());
}

const LUA: &str = r#"
id = "lua"
name = "Lua"
main_file = "main.lua"
entry = "allowed"
[[toolchain]]
id = "lua"
program = "/usr/bin/lua5.4"
package = "lua5.4"
probe = { args = ["-v"], prefix = "Lua " }
[run]
args = ["{program}", "{entry}", "{args}"]
"#;

#[test]
fn a_broken_manifest_tells_all_of_its_mistakes_at_once() {
    let folder = Folder::new();
    folder.write("everything.toml", include_str!("broken/everything.toml"));
    assert_snapshot(&mistakes(&folder), "everything.txt");
}

#[test]
fn every_file_tells_its_mistakes_not_only_the_first() {
    let folder = Folder::new();
    folder.write("a_syntax.toml", "id = \"lua\"\nname = \"Lua\naliases = []\n");
    folder.write("b_twice.toml", "id = \"x\"\nid = \"y\"\n");
    folder.write("c_empty.toml", "");
    folder.write("d_add.toml", "add_to = \"cobol\"\n[[toolchain]]\nid = \"gcc\"\nprogram = \"/usr/bin/cobc\"\npackage = \"gnucobol\"\nprobe = { args = [], prefix = \"\" }\n");
    folder.write("e_add.toml", "add_to = \"c\"\nname = \"C\"\n");
    folder.write("f_add.toml", "add_to = \"c\"\n[[toolchain]]\nid = \"gcc\"\nprogram = \"/usr/bin/gcc-14\"\npackage = \"gcc-14\"\nprobe = { args = [], prefix = \"\" }\n");
    folder.write("g_lua.toml", LUA);
    folder.write("h_lua.toml", LUA);
    folder.write("i_alias.toml", &LUA.replace("id = \"lua\"\nname", "id = \"lua2\"\naliases = [\"gcc\", \"c\"]\nname"));
    folder.write("j_compile_less.toml", &format!("sources = [\".lua\"]\n{LUA}\n[compile_limits]\nprocesses = 1\n"));
    folder.write(
        "k_refused.toml",
        &LUA.replace("\"allowed\"", "\"refused\"").replace("id = \"lua\"\nname", "id = \"lua3\"\nname"),
    );
    folder.write(
        "l_floor.toml",
        &format!(
            "{}\n[floors]\ncpus = 4\n[limits]\nopen_files = 7\n",
            LUA.replace("id = \"lua\"\nname", "id = \"lua4\"\nname")
        ),
    );
    folder.write("ignored.toml.bak", "this is no manifest");
    folder.write(".hidden.toml", "this is no manifest");
    assert_snapshot(&mistakes(&folder), "several.txt");
}

#[test]
fn a_file_adds_a_language_and_loading_again_gives_the_same() {
    let folder = Folder::new();
    folder.write("lua.toml", LUA);
    let catalogue = Catalogue::load(Some(folder.path())).unwrap();
    let ids: Vec<&str> = catalogue.languages().iter().map(|language| language.id.as_str()).collect();
    assert_eq!(ids, ["c", "cpp", "java", "javascript", "lua", "python"]);
    assert_eq!(Catalogue::load(Some(folder.path())).unwrap(), catalogue);
    fs::remove_file(folder.path().join("lua.toml")).unwrap();
    assert_eq!(Catalogue::load(Some(folder.path())).unwrap(), Catalogue::builtin());
}

#[test]
fn a_file_of_the_same_id_replaces_the_built_in_language() {
    let folder = Folder::new();
    folder.write("python.toml", &LUA.replace("\"lua\"", "\"python\"").replace("main.lua", "start.py"));
    let catalogue = Catalogue::load(Some(folder.path())).unwrap();
    assert_eq!(catalogue.language("python").unwrap().main_file, "start.py");
    assert!(catalogue.language("py").is_none(), "the aliases of the replaced manifest are gone with it");
    assert_eq!(catalogue.languages().len(), 5);
}

#[test]
fn a_file_adds_a_toolchain_to_a_language() {
    let folder = Folder::new();
    folder.write(
        "python-3.13.toml",
        r#"add_to = "python"
           [[toolchain]]
           id = "cpython-3.13-by-hand"
           program = "/opt/python3.13/bin/python3.13"
           package = "python3.13"
           probe = { args = ["-V"], prefix = "Python " }
           mount = { path = "/opt/python3.13", reason = "built by hand, as Debian 12 has no 3.13" }"#,
    );
    let catalogue = Catalogue::load(Some(folder.path())).unwrap();
    let python = catalogue.language("python").unwrap();
    assert_eq!(python.toolchains.first().unwrap().id, "cpython");
    assert_eq!(python.toolchains.last().unwrap().id, "cpython-3.13-by-hand");
    assert_eq!(python.main_file, "main.py", "everything else stays");
}

#[test]
fn a_file_gives_packages_to_a_toolchain_that_another_file_describes() {
    let folder = Folder::new();
    let environment = "add_to = \"python\"\n[[environment]]\ntoolchain = \"cpython\"\npath = \"/opt/packages/python\"\nneeds = [\"lib/python3.11/site-packages/numpy\"]\nreason = \"the course on data\"\n";
    folder.write("packages.toml", environment);
    let catalogue = Catalogue::load(Some(folder.path())).unwrap();
    let given = catalogue.language("python").unwrap().toolchains[0].environment.clone().unwrap();
    assert_eq!((given.mount.path.to_str(), given.needs.len()), (Some("/opt/packages/python"), 1));

    folder.write("a_twice.toml", environment);
    folder.write("b_unknown.toml", &environment.replace("cpython", "jython"));
    folder.write("c_no_use.toml", &environment.replace("\"python\"", "\"c\"").replace("cpython", "gcc"));
    folder.write("d_everything.toml", "add_to = \"python\"\n[[environment]]\npath = \"/etc\"\nneeds = [\"../x\"]\n");
    assert_snapshot(&mistakes(&folder), "environments.txt");
}

#[test]
fn a_folder_that_is_not_there_is_a_mistake_too() {
    let told = told(&Catalogue::load(Some(Path::new("/nonexistent/languages"))).unwrap_err());
    assert_eq!(
        told,
        "/nonexistent/languages: the folder of manifests can't be read: No such file or directory (os error 2); create it or \
         correct the setting\n"
    );
}

#[test]
fn a_fifo_or_a_huge_file_is_not_waited_for() {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("folder.toml")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("zero.toml")).unwrap();
    folder.write("long.toml", &"# long\n".repeat(200_000));
    let told = mistakes(&folder);
    assert_eq!(
        told,
        "folder.toml: is no regular file; remove it\nlong.toml: is larger than 1 MiB; remove it: this is no manifest\n\
         zero.toml: is no regular file; remove it\n"
    );
}

fn own_uid(folder: &Folder) -> u32 {
    fs::metadata(folder.path()).expect("the folder exists").uid()
}

#[test]
fn what_others_can_change_is_not_trusted() {
    let folder = Folder::new();
    let uid = own_uid(&folder);
    folder.write("lua.toml", LUA);
    let file = folder.path().join("lua.toml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(untrusted(&file, uid), None);
    assert!(Catalogue::load_trusted(Some(folder.path()), uid).is_ok());

    fs::set_permissions(&file, fs::Permissions::from_mode(0o664)).unwrap();
    let told = told(&Catalogue::load_trusted(Some(folder.path()), uid).unwrap_err());
    let path = file.display();
    assert_eq!(told, format!("{path}: has mode 664: group or others can change it; chmod go-w {path}\n"));
    assert!(Catalogue::load(Some(folder.path())).is_ok(), "who makes no sandboxes need not care");

    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let mistake = untrusted(&file, uid).unwrap();
    assert!(mistake.to_string().contains("has mode 777"), "{mistake}");
    // The sticky bit guards what lies in a folder, but not a folder that others may add manifests to.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    assert_eq!(untrusted(&file, uid), None);
    assert!(untrusted(folder.path(), uid).is_some());
}

#[test]
fn a_link_is_judged_by_what_it_leads_to() {
    let (folder, elsewhere) = (Folder::new(), Folder::new());
    let uid = own_uid(&folder);
    elsewhere.write("lua.toml", LUA);
    fs::set_permissions(elsewhere.path().join("lua.toml"), fs::Permissions::from_mode(0o666)).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("lua.toml"), folder.path().join("lua.toml")).unwrap();
    assert!(Catalogue::load_trusted(Some(folder.path()), uid).is_err());
    std::os::unix::fs::symlink("/nonexistent", folder.path().join("dangling.toml")).unwrap();
    let told = told(&Catalogue::load_trusted(Some(folder.path()), uid).unwrap_err());
    assert!(told.contains("dangling.toml: can't be resolved"), "{told}");
}

#[test]
fn another_owner_is_not_trusted() {
    let folder = Folder::new();
    let uid = own_uid(&folder);
    if uid == 0 {
        std::os::unix::fs::chown(folder.path(), Some(65_534), None).unwrap();
        let mistake = untrusted(folder.path(), 0).unwrap().to_string();
        assert!(mistake.contains("belongs to uid 65534") && mistake.contains("chown root: "), "{mistake}");
        assert_eq!(untrusted(folder.path(), 65_534), None);
    } else {
        assert!(untrusted(folder.path(), uid + 1).is_some());
    }
}
