// @hostile keyrings.c
// @group kern
// @tries add_key, request_key and keyctl on every special keyring: keys outlive a run, and are found by whoever has the same uid
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp, keyring
// @runs 2
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
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
/* Success looks like a key. @runs 2: a second run would find it in the user keyring. */
int main(void) {
    char buffer[256], what[48];
    for (int ring = -1; ring >= -8; ring--) { /* thread, process, session, user, user session, group, … */
        snprintf(what, sizeof what, "add to ring %d", ring);
        TRY(what, syscall(SYS_add_key, "user", "h7391", "secret", 6, ring));
        snprintf(what, sizeof what, "read ring %d", ring);
        TRY(what, syscall(SYS_keyctl, 11 /* READ */, ring, buffer, sizeof buffer));
        snprintf(what, sizeof what, "find in ring %d", ring);
        TRY(what, syscall(SYS_keyctl, 10 /* SEARCH */, ring, "user", "h7391", 0));
    }
    TRY("big_key", syscall(SYS_add_key, "big_key", "h7391", buffer, sizeof buffer, -2));
    /* The host would start /sbin/request-key. */
    TRY("request_key", syscall(SYS_request_key, "user", "h7391", "callout", -2));
    TRY("join a session", syscall(SYS_keyctl, 1 /* JOIN_SESSION_KEYRING */, "h7391", 0, 0, 0));
    TRY("persistent ring", syscall(SYS_keyctl, 22 /* GET_PERSISTENT */, -1, -2, 0, 0));
    FILE *f = fopen("/proc/keys", "r");
    while (f && fgets(buffer, sizeof buffer, f)) printf("ESCAPED: sees the key %s", buffer);
    puts("end");
    return 0;
}
