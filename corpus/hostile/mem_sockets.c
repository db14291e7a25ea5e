// @hostile mem_sockets.c
// @group mem
// @tries socket buffers that nobody reads: Unix streams and datagrams, UDP and TCP over its own loopback, buffers as large as allowed
// @limits cpu=4 wall=8 mem=64 procs=64 out=1 disk=256 ccwall=10
// @expect MLE,RTE,OK,TLE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer cgroup_memory, rlimits
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
#include <netinet/in.h>
#include <sys/socket.h>

static char block[60000];
static long bytes;

static void fill(int f) {
    int size = 1 << 30;
    setsockopt(f, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    for (ssize_t n; (n = send(f, block, sizeof block, MSG_DONTWAIT)) > 0;) bytes += n;
}
/* Success looks like 256 MB in buffers under a limit of 64 (and a quarter more for TCP on cgroup v1). */
int main(void) {
    for (int i = 0; i < 8; i++) {
        int begun[2];
        if (pipe(begun)) return 1;
        pid_t p = fork();
        if (p == 0) {
            int s = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0), size = 1 << 30, pair[2];
            struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)}, b = a;
            socklen_t n = sizeof a;
            bind(s, (struct sockaddr *)&a, n), bind(u, (struct sockaddr *)&b, n), listen(s, 128);
            setsockopt(u, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
            setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
            getsockname(s, (struct sockaddr *)&a, &n), getsockname(u, (struct sockaddr *)&b, &n);
            for (int k = 0; k < 30; k++) {
                int c = socket(AF_INET, SOCK_STREAM, 0), d = socket(AF_INET, SOCK_DGRAM, 0);
                if (connect(c, (struct sockaddr *)&a, n) == 0) fill(c);
                if (connect(d, (struct sockaddr *)&b, n)) continue;
                for (int m = 0; m < 100; m++) send(d, block, 9000, MSG_DONTWAIT);
                if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) fill(pair[0]), fill(pair[1]);
                if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0) fill(pair[0]);
            }
            (void)!write(begun[1], &bytes, sizeof bytes);
            pause();
        }
        long one = 0;
        close(begun[1]);
        if (p < 0 || read(begun[0], &one, sizeof one) != sizeof one) break;
        bytes += one;
        printf("in buffers: %ld MB\n", bytes >> 20), fflush(stdout);
        if (bytes > 256 << 20) { puts("ESCAPED: 256 MB in buffers"); break; }
    }
    return 0;
}
