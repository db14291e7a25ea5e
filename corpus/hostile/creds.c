// @hostile creds.c
// @group kern
// @tries becomes root by every call, changes groups and capabilities, owns files of others, leaves set-user-ID and capability files to run
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED ; stdout~^uid 1000 euid 1000 gid 1000 groups 0$
// @severity hard
// @layer user_ns, capabilities, no_new_privs
// @invariants up noproc nowrite noleft return<=7s
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/xattr.h>
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
static long cap(void) {
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2] = {{1u << CAP_SYS_ADMIN, 1u << CAP_SYS_ADMIN, 1u << CAP_SYS_ADMIN}, {0, 0, 0}};
    return syscall(SYS_capset, &h, d);
}
/* Success looks like another uid, group or capability. 65534 is what everybody else looks like. */
int main(void) {
    uid_t ids[] = {0, 1, 65534, 100000, 1001};
    char what[48];
    for (unsigned i = 0; i < sizeof ids / sizeof *ids; i++) {
        uid_t u = ids[i];
#define NAME(call) (snprintf(what, sizeof what, "%s %u", call, u), what)
        TRY(NAME("setuid"), setuid(u));
        TRY(NAME("setreuid"), setreuid(u, u));
        TRY(NAME("setresuid"), setresuid(u, u, u));
        TRY(NAME("setgid"), setgid(u));
        TRY(NAME("setresgid"), setresgid(u, u, u));
        TRY(NAME("setgroups"), setgroups(1, &u));
        TRY(NAME("chown"), chown(".", u, u));
        setfsuid(u), setfsgid(u);
        if (setfsuid(-1) == (int)u) printf("ESCAPED: fsuid %u\n", u);
        if (setfsgid(-1) == (int)u) printf("ESCAPED: fsgid %u\n", u);
    }
    TRY("capset", cap());
    TRY("chown /usr", chown("/usr", 1000, 1000));
    TRY("chmod /usr", chmod("/usr", 0777));
    TRY("chmod /dev/null", chmod("/dev/null", 0));
    TRY("utimes of /dev/null", utimensat(AT_FDCWD, "/dev/null", 0, 0));
    int f = open("tool", O_CREAT | O_WRONLY, 0755);
    unsigned char root[20] = {1, 0, 0, 2, 0xff, 0xff, 0xff, 0xff}; /* VFS_CAP_REVISION_2, effective, all permitted */
    TRY("file capabilities", fsetxattr(f, "security.capability", root, sizeof root, 0));
    TRY("trusted attribute", fsetxattr(f, "trusted.h7391", "x", 1, 0));
    fchmod(f, 06755); /* allowed, and worth nothing: the mount is nosuid, the owner nobody else */
    printf("uid %d euid %d gid %d groups %d\n", getuid(), geteuid(), getgid(), getgroups(0, 0));
    return 0;
}
