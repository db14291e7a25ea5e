// @hostile cc_has_include.c
// @group compile
// @tries asks the preprocessor which files of the host exist: accounts, keys, engine, other runs, init
// @limits cpu=2 wall=5 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK   (never an internal error)
// @check stdout~^end$ ; stdout!~ESCAPED
// @severity hard
// @layer tree, mount_ns
// @invariants up noproc nowrite noleft return<=18s
#include <stdio.h>
#define LOOK(path) __has_include(path)
int main(void) {
#if LOOK("/etc/shadow") || LOOK("/etc/sudoers") || LOOK("/etc/machine-id") || LOOK("/etc/ssh/sshd_config") || LOOK("/etc/fstab")
    puts("ESCAPED: sees the host's /etc");
#endif
#if LOOK("/etc/engined/jaild.toml") || LOOK("/etc/engined/engined.toml") || LOOK("/var/lib/engined") || LOOK("/usr/local/bin/engined")
    puts("ESCAPED: sees the engine");
#endif
#if LOOK("/root/.bashrc") || LOOK("/root/.profile") || LOOK("/boot/grub/grub.cfg") || LOOK("/var/log/dpkg.log") || LOOK("/var/lib/dpkg/status") || LOOK("/usr/src/linux")
    puts("ESCAPED: sees the host's files");
#endif
#if LOOK("/proc/self/root/../root/.bashrc") || LOOK("/proc/self/cwd/../root/.bashrc") || LOOK("../../etc/shadow")
    puts("ESCAPED: sees another root");
#endif
    puts("end");
    return 0;
}
