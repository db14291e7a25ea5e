// @hostile seccomp_loose.c
// @group kern
// @tries puts a filter of its own on top that allows everything or notifies itself, and landlock rules of its own
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp, no_new_privs
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
#include <linux/filter.h>
#include <linux/seccomp.h>
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
static long filter(unsigned flags, unsigned answer) {
    struct sock_filter code[] = {{6, 0, 0, answer}};
    struct sock_fprog program = {1, code};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}
/* Success looks like a filter, or a call that is refused before and works afterwards. With a listener of its own the
   payload could answer CONTINUE for calls that init's listener is to count. */
int main(void) {
    TRY("allow all", filter(0, SECCOMP_RET_ALLOW));
    TRY("allow all, all threads", filter(1 /* TSYNC */, SECCOMP_RET_ALLOW));
    TRY("listener", filter(1u << 3 /* NEW_LISTENER */, 0x7fc00000 /* USER_NOTIF */));
    TRY("log", filter(2 /* LOG */, SECCOMP_RET_LOG));
    TRY("strict", syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 0));
    unsigned long handled[3] = {1, 0, 0};
    TRY("landlock rules", syscall(444, handled, 8, 0));
    TRY("landlock restrict", syscall(446, -1, 0));
    filter(0, SECCOMP_RET_ALLOW);
    TRY("ptrace afterwards", syscall(SYS_ptrace, 0, 0, 0, 0));
    TRY("keyctl afterwards", syscall(SYS_keyctl, 0, -3, 1));
    puts("end");
    return 0;
}
