// @hostile fds_in_flight.c
// @group mem
// @tries descriptors in flight: sent over Unix sockets and closed, sockets that carry each other in circles, beyond the limit of open ones
// @limits cpu=4 wall=8 mem=64 procs=64 out=1 disk=256 ccwall=10
// @expect MLE,RTE,OK,TLE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer rlimits, cgroup_memory
// @invariants up noproc nowrite noleft return<=11s
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
#include <sys/socket.h>

/* Success looks like thousands of files that no process has open: the kernel allows a user RLIMIT_NOFILE (256) of them,
   and a message or two more. */
static int send_many(int socket, int f, int count) {
    int list[253];
    char control[CMSG_SPACE(sizeof list)], byte = 0;
    struct iovec v = {&byte, 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
                       .msg_controllen = CMSG_SPACE((unsigned)count * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN((unsigned)count * sizeof(int));
    for (int i = 0; i < count; i++) list[i] = f;
    memcpy(CMSG_DATA(c), list, (unsigned)count * sizeof(int));
    return sendmsg(socket, &m, MSG_DONTWAIT) < 0 ? 0 : count;
}
int main(void) {
    int result[2], total = 0, one;
    if (pipe(result)) return 1;
    for (int i = 0; i < 20; i++) {
        pid_t p = fork();
        if (p == 0) {
            int flying = 0, pair[2], before = 0;
            while (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0) { /* each carries the other, and the one before */
                flying += send_many(pair[0], pair[1], 1) + send_many(pair[1], pair[0], 1);
                for (int sent; (sent = send_many(pair[0], before, 253)) > 0;) flying += sent;
                before = pair[0];
            }
            (void)!write(result[1], &flying, sizeof flying);
            pause();
        }
        if (p < 0 || read(result[0], &one, sizeof one) != sizeof one) break;
        total += one;
    }
    printf("in flight %d\n", total);
    if (total > 4096) puts("ESCAPED: descriptors in flight are not limited");
    return 0;
}
