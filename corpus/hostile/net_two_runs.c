// @hostile net_two_runs.c
// @group net
// @tries two runs at once listen on the same TCP and UDP ports and look for each other on every loopback address
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED ; stdout~^alone$
// @severity hard
// @layer net_ns
// @runs 2par
// @invariants up noproc nowrite noleft return<=7s
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Success looks like a connection or datagram with the token of another run, or a port that is taken already. */
int main(void) {
    char token[17], got[17];
    FILE *random = fopen("/dev/urandom", "r");
    unsigned long word;
    if (!random || fread(&word, sizeof word, 1, random) != 1) return 1;
    snprintf(token, sizeof token, "%016lx", word);
    int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(47391)};
    if (bind(tcp, (struct sockaddr *)&any, sizeof any)) puts("ESCAPED: the TCP port is taken by another run");
    if (bind(udp, (struct sockaddr *)&any, sizeof any)) puts("ESCAPED: the UDP port is taken by another run");
    listen(tcp, 64);
    for (time_t end = time(0) + 2; time(0) < end;) {
        for (int host = 1; host < 6; host++) {
            struct sockaddr_in a = any;
            a.sin_addr.s_addr = htonl(0x7f000000 + host);
            int s = socket(AF_INET, SOCK_STREAM, 0);
            if (connect(s, (struct sockaddr *)&a, sizeof a) == 0) (void)!write(s, token, 16);
            close(s);
            sendto(udp, token, 16, 0, (struct sockaddr *)&a, sizeof a);
        }
        for (struct pollfd p[2] = {{tcp, POLLIN, 0}, {udp, POLLIN, 0}}; poll(p, 2, 20) > 0;) {
            memset(got, 0, sizeof got);
            if (p[0].revents) { int c = accept(tcp, 0, 0); (void)!read(c, got, 16); close(c); }
            else (void)!recv(udp, got, 16, 0);
            if (*got && strcmp(got, token)) printf("ESCAPED: met the run %s\n", got);
        }
    }
    puts("alone");
    return 0;
}
