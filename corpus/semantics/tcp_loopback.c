// @benign tcp_loopback.c
// @what loopback without any network: localhost resolves, TCP server and client thread move 400 KB, half-close, UDP, a closed port refuses at once
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=localhost 127.0.0.1\nreceived 400000, client content 1\nclosed port refused\nUDP 8 bytes
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in at;
static void *client(void *p)
{
    static char block[4000];
    int c = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c, (struct sockaddr *)&at, sizeof at)) return NULL;
    for (int i = 0; i < 100; i++) if (write(c, block, sizeof block) != sizeof block) return NULL;
    shutdown(c, SHUT_WR);  /* the other side sees the end and can still answer */
    char answer[32] = "";
    return read(c, answer, 31) > 0 && atoi(answer) == 400000 ? p : NULL;
}

int main(void)
{
    struct addrinfo hint = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    int e = getaddrinfo("localhost", NULL, &hint, &found), one = 1;
    if (e) { puts(gai_strerror(e)); return 1; }
    at = *(struct sockaddr_in *)found->ai_addr;
    printf("localhost %s\n", inet_ntoa(at.sin_addr));
    int server = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t len = sizeof at;
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(server, (struct sockaddr *)&at, len) || listen(server, 4) || getsockname(server, (struct sockaddr *)&at,
        &len)) return 2;
    pthread_t t;
    void *ok = NULL;
    pthread_create(&t, NULL, client, &at);
    int peer = accept(server, NULL, NULL);
    long total = 0;
    static char block[65536];
    for (ssize_t n; (n = read(peer, block, sizeof block)) > 0;) total += n;
    dprintf(peer, "%ld", total), close(peer), pthread_join(t, &ok);
    printf("received %ld, client content %d\n", total, ok != NULL);
    close(server);
    int late = socket(AF_INET, SOCK_STREAM, 0), a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
    printf("closed port %s\n", connect(late, (struct sockaddr *)&at, len) && errno == ECONNREFUSED ? "refused" : "?");
    at.sin_port = 0;
    bind(b, (struct sockaddr *)&at, len), getsockname(b, (struct sockaddr *)&at, &len);
    sendto(a, "datagram", 8, 0, (struct sockaddr *)&at, len);
    printf("UDP %zd bytes\n", recv(b, block, sizeof block, 0));
    return 0;
}
