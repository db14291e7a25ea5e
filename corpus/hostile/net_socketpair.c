// @hostile net_socketpair.c
// @group net
// @tries socketpair() of every family: it makes both sockets, and loads their module, before it finds that the family has no pairs
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp
// @invariants up noproc nowrite noleft return<=7s
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Success looks like a pair, or EOPNOTSUPP and its like: the sockets existed. A filter that stops at socket() only
   leaves this way open, to AF_NETLINK, AF_ALG and TIPC, which even has pairs. */
int main(void) {
    int refused = 0;
    for (int family = 0; family <= 45; family++)
        for (int type = 1; type <= 6; type++) {
            int pair[2];
            if (family == AF_UNIX && type != 6) continue;
            errno = 0;
            int r = socketpair(family, type, 0, pair);
            if (r == 0) printf("ESCAPED: pair of family %d type %d\n", family, type);
            else if (errno != EAFNOSUPPORT) printf("ESCAPED: family %d type %d: %s\n", family, type, strerror(errno));
            else refused++;
        }
    printf("refused %d\n", refused);
    return 0;
}
