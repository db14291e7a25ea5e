// @hostile tty_push.c
// @group kern
// @tries puts characters into a terminal (TIOCSTI, TIOCLINUX), changes line disciplines, takes the controlling terminal, opens ptys and consoles
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp, tree
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
#include <sys/ioctl.h>
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
/* Success looks like 0 on a terminal of somebody else: the operator's shell would read the characters. The filter looks
   at 32 bits of the request, as the kernel does. */
int main(void) {
    const char *paths[] = {"/dev/tty", "/dev/console", "/dev/tty0", "/dev/tty1", "/dev/ttyS0", "/dev/ptmx",
                           "/dev/pts/0", "/dev/pts/ptmx", "/dev/vcs", "/dev/vcsa1", "/dev/hvc0"};
    char what[64], byte = 'x';
    int discipline = 2;
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
        snprintf(what, sizeof what, "open %s", paths[i]);
        TRY(what, open(paths[i], O_RDWR));
    }
    for (int f = 0; f < 3; f++) {
        snprintf(what, sizeof what, "TIOCSTI on %d", f);
        TRY(what, ioctl(f, TIOCSTI, &byte));
        TRY("TIOCSTI, high bits", syscall(SYS_ioctl, f, 1ul << 32 | TIOCSTI, &byte));
        TRY("TIOCLINUX", ioctl(f, TIOCLINUX, "\003"));
        TRY("TIOCSETD", ioctl(f, TIOCSETD, &discipline));
        TRY("TIOCSCTTY", ioctl(f, TIOCSCTTY, 1));
        TRY("TIOCCONS", ioctl(f, TIOCCONS, 0));
    }
    TRY("vhangup", vhangup());
    puts("end");
    return 0;
}
