// @hostile net_group.c
// @group net
// @tries multicast, broadcast and every kind of address by UDP: DHCP, mDNS, SSDP, the local net, the metadata service
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer net_ns
// @invariants up noproc nowrite noleft return<=7s
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Success looks like a datagram that the kernel could route, or an interface that is not lo. */
int main(void) {
    const char *to[] = {"255.255.255.255", "224.0.0.251", "239.255.255.250", "224.0.0.1", "169.254.169.254",
                        "10.255.255.255", "192.168.1.255", "172.17.255.255", "8.8.8.8", "100.100.100.200"};
    int s = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
    setsockopt(s, SOL_SOCKET, SO_BROADCAST, &one, sizeof one);
    for (unsigned i = 0; i < sizeof to / sizeof *to; i++)
        for (int port = 53; port <= 1900; port += 1847) {
            struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
            inet_pton(AF_INET, to[i], &a.sin_addr);
            if (sendto(s, "h7391", 5, 0, (struct sockaddr *)&a, sizeof a) >= 0)
                printf("ESCAPED: sent to %s:%d\n", to[i], port);
        }
    struct ip_mreq m = {.imr_interface.s_addr = INADDR_ANY};
    inet_pton(AF_INET, "224.0.0.251", &m.imr_multiaddr);
    if (setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m) == 0) puts("ESCAPED: joined a group");
    int s6 = socket(AF_INET6, SOCK_DGRAM, 0);
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(5353), .sin6_scope_id = 1};
    inet_pton(AF_INET6, "ff02::fb", &a6.sin6_addr);
    if (s6 >= 0 && sendto(s6, "h7391", 5, 0, (struct sockaddr *)&a6, sizeof a6) >= 0) puts("ESCAPED: sent to ff02::fb");
    struct if_nameindex *all = if_nameindex();
    for (struct if_nameindex *i = all; i && i->if_index; i++)
        if (strcmp(i->if_name, "lo")) printf("ESCAPED: interface %s\n", i->if_name);
    char line[256];
    FILE *f = fopen("/proc/net/dev", "r");
    for (int n = 0; f && fgets(line, sizeof line, f); n++)
        if (n > 1 && !strstr(line, "lo:")) printf("ESCAPED: interface%s", line);
    puts("end");
    return 0;
}
