// @benign unix_socket_fd.c
// @what a Unix socket in the work directory and an abstract one; a descriptor is passed to the child by SCM_RIGHTS, peer credentials are right
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=through a passed descriptor, same user 1, child's pid 1, exit 0\nthrough a passed descriptor, same user 1, child's pid 1, exit 0
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int talk(const struct sockaddr_un *at, socklen_t len)
{
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), pipe_fd[2], fd;
    if (server < 0 || bind(server, (const struct sockaddr *)at, len) || listen(server, 4)) {
        perror("socket");
        return 1;
    }
    char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 'd';
    struct iovec v = {&byte, 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    fflush(stdout);
    if (fork() == 0) {  /* the child gets the end of a pipe and writes into it */
        int c = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(c, (const struct sockaddr *)at, len) || recvmsg(c, &m, 0) != 1) _exit(1);
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
        _exit(dprintf(fd, "through a passed descriptor") < 0);
    }
    int peer = accept(server, NULL, NULL), status;
    struct ucred who;
    socklen_t n = sizeof who;
    getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &who, &n);
    if (pipe(pipe_fd)) return 2;
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET, h->cmsg_type = SCM_RIGHTS, h->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(h), &pipe_fd[1], sizeof(int));
    if (sendmsg(peer, &m, 0) != 1) return 3;
    char text[64] = "";
    if (read(pipe_fd[0], text, sizeof text - 1) <= 0) return 4;
    pid_t child = wait(&status);
    printf("%s, same user %d, child's pid %d, exit %d\n", text, who.uid == getuid(), who.pid == child,
        WEXITSTATUS(status));
    return 0;
}

int main(void)
{
    struct sockaddr_un named = {AF_UNIX, "talk.sock"}, abstract = {AF_UNIX, "\0talk"};
    return talk(&named, sizeof named) || talk(&abstract, sizeof(sa_family_t) + 5) || unlink("talk.sock");
}
