// @hostile net_options.c
// @group net
// @tries socket options that need privileges or load modules: raw headers, marks, devices, other TCP stacks, kernel TLS
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer capabilities, seccomp, net_ns
// @invariants up noproc nowrite noleft return<=7s
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
#define SET(level, name, value, size) setsockopt(s, level, name, value, size)
/* Success looks like an option that ordinary users of the host do not get. */
int main(void) {
    int s = socket(AF_INET, SOCK_STREAM, 0), one = 1, big = 1 << 30;
    char rules[84] = "filter";
    socklen_t length = sizeof rules;
    TRY("SO_MARK", SET(SOL_SOCKET, SO_MARK, &one, 4));
    TRY("SO_RCVBUFFORCE", SET(SOL_SOCKET, SO_RCVBUFFORCE, &big, 4));
    TRY("SO_SNDBUFFORCE", SET(SOL_SOCKET, SO_SNDBUFFORCE, &big, 4));
    TRY("SO_DEBUG", SET(SOL_SOCKET, SO_DEBUG, &one, 4));
    TRY("IP_TRANSPARENT", SET(SOL_IP, IP_TRANSPARENT, &one, 4));
    TRY("IP_HDRINCL", SET(SOL_IP, IP_HDRINCL, &one, 4));
    TRY("TCP_REPAIR", SET(SOL_TCP, TCP_REPAIR, &one, 4));
    TRY("TCP_ULP tls", SET(SOL_TCP, 31, "tls", 3));
    TRY("TCP_CONGESTION h7391", SET(SOL_TCP, TCP_CONGESTION, "h7391", 5));
    TRY("SO_ATTACH_BPF", SET(SOL_SOCKET, 50, &one, 4));
    TRY("iptables rules", getsockopt(s, SOL_IP, 64 /* IPT_SO_GET_INFO */, rules, &length));
    int raw = socket(AF_INET, SOCK_RAW, IPPROTO_TCP);
    if (raw >= 0) puts("ESCAPED: raw socket");
    int low = 0; /* ports below 1024 are the run's own: the network is its own, but its owner is not the payload */
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(22)};
    low = bind(s, (struct sockaddr *)&a, sizeof a);
    printf("port 22: %d\n", low);
    return 0;
}
