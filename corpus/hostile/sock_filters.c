// @hostile sock_filters.c
// @group kern
// @tries socket filters, whose code is counted for all users of the host together: when that is used up nobody can install a system call filter
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
#include <linux/filter.h>
#include <sys/socket.h>

/* Success looks like one filter that is attached; many of them, and no other run could start. */
int main(void) {
    static struct sock_filter code[1024];
    int options[] = {26 /* SO_ATTACH_FILTER */, 51 /* SO_ATTACH_REUSEPORT_CBPF */, 50, 52}, attached = 0;
    for (int i = 0; i < 1023; i++) code[i] = (struct sock_filter){0x20, 0, 0, (unsigned)i % 64};
    code[1023] = (struct sock_filter){6, 0, 0, 0};
    struct sock_fprog program = {1024, code};
    for (int k = 0; k < 60; k++) {
        for (int family = 1; family < 11; family++) {
            int s = socket(family, SOCK_DGRAM, 0);
            for (unsigned o = 0; s >= 0 && o < sizeof options / sizeof *options; o++)
                attached += setsockopt(s, SOL_SOCKET, options[o], &program, sizeof program) == 0;
        }
    }
    printf("attached %d\n", attached);
    if (attached) puts("ESCAPED: filters on sockets");
    return 0;
}
