// @hostile abi_x32.c
// @group kern
// @tries system calls by their x32 numbers (bit 30), the old ones from 512 up, and numbers beyond every table
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp
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
/* Success looks like a result. On a kernel without x32 the call is unknown, which the filter must not rely on. */
int main(void) {
    long numbers[] = {39 /* getpid */, 41 /* socket */, 56 /* clone */, 101 /* ptrace */, 165 /* mount */, 520, 521};
    char what[48];
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        snprintf(what, sizeof what, "x32 number %ld", numbers[i]);
        TRY(what, syscall(0x40000000 | numbers[i], 0, 0, 0, 0, 0, 0));
        snprintf(what, sizeof what, "number %ld, high bits", numbers[i]);
        TRY(what, syscall((long)(0x7fffffff00000000ul | 0x40000000ul | (unsigned long)numbers[i]), 0, 0, 0, 0, 0, 0));
    }
    long beyond[] = {335, 336, 400, 423, 470, 511, 548, 999, 4096, 0xffff, 0x3fffffff, 0x7fffffff, -1, -4096};
    for (unsigned i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        snprintf(what, sizeof what, "number %ld", beyond[i]);
        TRY(what, syscall(beyond[i], 0, 0, 0, 0, 0, 0));
    }
    puts("end");
    return 0;
}
