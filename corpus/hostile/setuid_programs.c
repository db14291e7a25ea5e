// @hostile setuid_programs.c
// @group kern
// @tries looks through /usr for files with set-user-ID, set-group-ID or capabilities and runs the host's usual ones
// @limits cpu=5 wall=15 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer tree, no_new_privs
// @invariants up noproc nowrite noleft return<=18s
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
#include <ftw.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static int files;

/* Success looks like such a file, or a child whose effective uid is not its real one. */
static int look(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)at;
    if (kind != FTW_F) return FTW_CONTINUE;
    files++;
    if (st->st_mode & (S_ISUID | S_ISGID)) printf("ESCAPED: %o %s\n", (unsigned)st->st_mode, path);
    if (st->st_mode & 0111 && getxattr(path, "security.capability", 0, 0) > 0) printf("capabilities: %s\n", path);
    return FTW_CONTINUE;
}
int main(void) {
    const char *folders[] = {"/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec"};
    for (unsigned i = 0; i < sizeof folders / sizeof *folders; i++)
        nftw(folders[i], look, 16, FTW_PHYS | FTW_ACTIONRETVAL);
    const char *tools[] = {"/usr/bin/su", "/usr/bin/sudo", "/usr/bin/passwd", "/usr/bin/pkexec", "/usr/bin/mount",
                           "/usr/bin/newuidmap", "/usr/bin/fusermount3", "/usr/bin/ping",
                           "/usr/lib/openssh/ssh-keysign"};
    for (unsigned i = 0; i < sizeof tools / sizeof *tools; i++) {
        int st = 0;
        pid_t p = fork();
        if (p == 0) { close(0); close(2); execl(tools[i], tools[i], "--version", (char *)0); _exit(126); }
        waitpid(p, &st, 0);
        printf("%s: %d\n", tools[i], WEXITSTATUS(st));
    }
    printf("looked at %d files\n", files);
    return 0;
}
