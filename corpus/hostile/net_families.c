// @hostile net_families.c
// @group net
// @tries socket() of every address family 0 to 45 in every type, and of INET types whose protocol the host would load as a module (DCCP, SCTP)
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp, net_ns
// @invariants up noproc nowrite noleft return<=7s
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Success looks like a socket of another family, or an error other than EAFNOSUPPORT: then the kernel was asked, which
   loads the module that has the family, type or protocol before it says no. */
int main(void) {
    int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET, 6 /* DCCP */, 10 /* PACKET */};
    int refused = 0;
    for (int family = 0; family <= 45; family++)
        for (unsigned t = 0; t < sizeof types / sizeof *types; t++) {
            int ours = family == AF_UNIX || family == AF_INET || family == AF_INET6;
            if (ours && (types[t] == SOCK_STREAM || types[t] == SOCK_DGRAM)) continue;
            if (family == AF_UNIX && types[t] != 6 && types[t] != 10) continue;
            errno = 0;
            int s = socket(family, types[t] | SOCK_CLOEXEC, 0);
            if (s >= 0) printf("ESCAPED: socket of family %d type %d\n", family, types[t]);
            else if (errno != EAFNOSUPPORT && errno != EPERM)
                printf("ESCAPED: the kernel was asked for family %d type %d: %s\n", family, types[t], strerror(errno));
            else refused++;
            if (s >= 0) close(s);
        }
    int protocols[] = {1, 2, 33 /* DCCP */, 115 /* L2TP */, 132 /* SCTP */, 136, 255, 256 /* SMC */, 262 /* MPTCP */};
    for (unsigned p = 0; p < sizeof protocols / sizeof *protocols; p++)
        for (int type = 1; type <= 6; type++) {
            int s = socket(AF_INET, type, protocols[p]);
            if (s >= 0) { printf("ESCAPED: protocol %d type %d\n", protocols[p], type); close(s); }
            else refused++;
        }
    /* Of the family, but not of the type: the kernel looks for a module that has the pair. */
    int pairs[][2] = {{SOCK_STREAM, 17}, {SOCK_DGRAM, 6}, {SOCK_STREAM, 1}, {SOCK_DGRAM, 132}};
    for (unsigned p = 0; p < sizeof pairs / sizeof *pairs; p++)
        for (int family = AF_INET; family <= AF_INET6; family += AF_INET6 - AF_INET) {
            int s = socket(family, pairs[p][0], pairs[p][1]);
            if (s >= 0 || errno != EAFNOSUPPORT) printf("ESCAPED: type %d with protocol %d\n", pairs[p][0], pairs[p][1]);
            else refused++;
            if (s >= 0) close(s);
        }
    printf("refused %d\n", refused);
    return 0;
}
