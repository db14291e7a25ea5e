// @hostile tcp_keys.c
// @group mem
// @tries keys of TCP connections (MD5, AO): kernel memory of a socket that no limit but the socket's own counts
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
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* Success looks like a key: seven hundred fit on a socket, and sixteen thousand sockets in a run. */
int main(void) {
    int keys = 0;
    for (int s; keys < 10000 && (s = socket(AF_INET, SOCK_STREAM, 0)) >= 0;) {
        int before = keys;
        for (unsigned i = 1; i < 1000; i++) {
            struct tcp_md5sig m = {.tcpm_keylen = 80};
            struct sockaddr_in *a = (struct sockaddr_in *)&m.tcpm_addr;
            a->sin_family = AF_INET, a->sin_addr.s_addr = htonl(0x7f000000 + i);
            if (setsockopt(s, IPPROTO_TCP, TCP_MD5SIG, &m, sizeof m)) break;
            keys++;
        }
        if (keys == before) break;
    }
    printf("keys %d: %s\n", keys, strerror(errno));
    if (keys) puts("ESCAPED: keys of TCP");
    char add[512] = {0};
    int s = socket(AF_INET, SOCK_STREAM, 0);
    int codes[] = {TCP_MD5SIG_EXT, 31 /* TCP_ULP */, 38 /* TCP_AO_ADD_KEY */};
    for (int i = 0; i < 3; i++)
        if (setsockopt(s, IPPROTO_TCP, codes[i], add, sizeof add) == 0 || errno != ENOPROTOOPT)
            printf("ESCAPED: the kernel was asked for option %d: %s\n", codes[i], strerror(errno));
    return 0;
}
