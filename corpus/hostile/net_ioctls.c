// @hostile net_ioctls.c
// @group net
// @tries ioctls of a plain socket that make the host load bridge and VLAN code before they look at privileges, and those that change interfaces
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp, capabilities
// @invariants up noproc nowrite noleft return<=7s
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
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
/* Success looks like a bridge's version, a VLAN's name or a changed interface. */
int main(void) {
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    if (s < 0) { puts("no socket"); return 0; }
    unsigned long version[3] = {0}; /* BRCTL_GET_VERSION asks for no privilege */
    struct ifreq lo = {0};
    strcpy(lo.ifr_name, "lo");
    TRY("SIOCGIFBR", ioctl(s, SIOCGIFBR, version));
    TRY("SIOCSIFBR", ioctl(s, SIOCSIFBR, version));
    TRY("SIOCBRADDBR", ioctl(s, SIOCBRADDBR, "br7391"));
    TRY("SIOCBRDELBR", ioctl(s, SIOCBRDELBR, "br7391"));
    TRY("SIOCGIFVLAN", ioctl(s, SIOCGIFVLAN, &lo));
    TRY("SIOCSIFVLAN", ioctl(s, SIOCSIFVLAN, &lo));
    lo.ifr_flags = 0;
    TRY("lo down", ioctl(s, SIOCSIFFLAGS, &lo));
    lo.ifr_mtu = 68;
    TRY("lo MTU", ioctl(s, SIOCSIFMTU, &lo));
    TRY("lo name", ioctl(s, SIOCSIFNAME, &lo));
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = 0x0101010a};
    memcpy(&lo.ifr_addr, &a, sizeof a);
    TRY("lo address", ioctl(s, SIOCSIFADDR, &lo));
    struct { unsigned char pad[128]; } route = {{0}};
    TRY("SIOCADDRT", ioctl(s, SIOCADDRT, &route));
    puts("end");
    return 0;
}
