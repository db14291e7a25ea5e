//! The allow-list for C's compile flags: what people send passes, what could reach further does not.

use languages::{Catalogue, Definition};

const GOOD: &str = r#"
    -O0 -O3 -Ofast -std=c99 -std=gnu2x -ansi -w -pedantic -g -ggdb -s -lm -pthread
    -Wall -Wextra -Werror -Wno-unused-variable -Werror=return-type -Wformat=2 -Wframe-larger-than=4096 -Wc++-compat
    -DDEBUG -DN=10 -D_GNU_SOURCE -DNAME= -DGRUSS=grüß -UDEBUG
    -Iinclude -I. -Isrc/include -I..hidden
    -fwrapv -fno-strict-aliasing -fopenmp -fsanitize=address,undefined -fmax-errors=5
"#;

/// They name a program, a plugin or a file that the compiler obeys.
const COMMANDING: &str = "
    -fplugin=evil.so -fplugin-arg-x-y=z -specs=evil --specs=evil -B. -B -wrapper -wrapper=sh,-c @flags -@
    -no-canonical-prefixes --sysroot=/ -isysroot/ -iplugindir=. -fuse-ld=evil -flto -fprofile-use -fprofile-dir=.
    -fauto-profile -fdump-tree-all -save-temps -dumpdir -aux-info
";

/// They reach the linker, the assembler or the preprocessor.
const REACHING: &str = "
    -Wl,-rpath,/x -Wl,--version -Wa,-a -Wp,-MD,x -Wl -Wa -Wp -Xlinker -Xassembler -Xpreprocessor -T -Tscript -z -rdynamic
    -shared -static -nostdlib -L. -lcrypt -l
";

/// They change what is made, where to, or from which language.
const DIVERTING: &str = "
    -o -ox -o=x -c -S -E -M -MD -MF -x -xc++ -xassembler -v -### --help -print-search-dirs -dumpversion -m32 -march=native
";

/// They read files of the host, or leave the work directory.
const STRAYING: &str = "
    -I -I/ -I/etc -I.. -I../x -Ia/../.. -I- -I=x -I$HOME -include -include/etc/passwd -imacros/etc/passwd -isystem/ -iquote/
    -idirafter/ -iprefix/
";

/// They are almost right, or no flags.
const MISSHAPEN: &str = "
    -D -D=1 -D1 -DF(x)=x -U -UA=1 -W -W1 -WALL -Wx,y -fmax-errors= -fmax-errors=x -fmax-errors=-1 -fmax-errors=1000000000
    -std= -std=c++17 -O4 -o2 -g9 - -- main.c /etc/passwd -fsanitize=leak -fsanitize=thread -fstack-protector2
";

const WITH_SPACES_AND_WORSE: [&str; 11] =
    ["", " ", "-DA\nB=1", "-DX=\u{7}", "-D A", "-Wall ", "-Wall\n", "-O2 ", " -O2", "-O2\0", "-I a"];

fn c(test: impl FnOnce(&Definition)) {
    test(Catalogue::builtin().language("c").expect("C is built in"));
}

#[test]
fn good_flags_pass() {
    c(|c| {
        for flag in GOOD.split_whitespace().chain(["-DS=\"a, b\""]) {
            assert_eq!(c.check_flags(&[flag.to_owned()]), Ok(()), "{flag}");
        }
    });
}

#[test]
fn bad_flags_are_refused_at_their_place() {
    let long = format!("-DX={}", "x".repeat(2_000));
    let worded = [COMMANDING, REACHING, DIVERTING, STRAYING, MISSHAPEN].into_iter().flat_map(str::split_whitespace);
    c(|c| {
        for flag in worded.chain(WITH_SPACES_AND_WORSE).chain([long.as_str()]) {
            let refused = c.check_flags(&["-O2".to_owned(), flag.to_owned()]).expect_err(flag);
            assert_eq!((refused.index, refused.flag.as_str()), (1, flag));
        }
    });
}

#[test]
fn a_refused_flag_says_what_is_allowed() {
    let catalogue = Catalogue::builtin();
    let told = |language: &str, flag: &str| {
        catalogue.language(language).unwrap().check_flags(&[flag.to_owned()]).unwrap_err().to_string()
    };
    assert_eq!(told("python", "-O"), "Python takes no compile flags; leave \"-O\" out");
    let c = told("c", "-B\n");
    assert!(c.starts_with("\"-B\\n\" is not on the allow-list of C; use one of -std=c89 "), "{c}");
    assert!(c.contains(" -W<warning> -D<macro> -U<name> -I<folder> -g "), "{c}");
}
