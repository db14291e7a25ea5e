// @benign spawn_filter.c
// @what posix_spawnp with file actions: 20,000 numbers through sort and back, by two pipes and a poll loop, without dead lock
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=exit 0, lines 20000, largest 19999\nmissing program No such file or directory
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int main(void)
{
    int in[2], out[2], status;
    pid_t pid;
    posix_spawn_file_actions_t a;
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) return 1;
    posix_spawn_file_actions_init(&a);
    posix_spawn_file_actions_adddup2(&a, in[0], 0), posix_spawn_file_actions_adddup2(&a, out[1], 1);
    if (posix_spawnp(&pid, "sort", &a, NULL, (char *[]){"sort", "-rn", NULL}, environ)) return 2;
    close(in[0]), close(out[1]);
    int next = 0, lines = 0;
    char buffer[65536], head[8] = "";
    ssize_t n;
    struct pollfd p[2] = {{out[0], POLLIN, 0}, {in[1], POLLOUT, 0}};
    for (;;) {
        poll(p, 2, -1);
        if (p[1].revents && next < 20000) dprintf(in[1], "%d\n", next++ * 7919 % 20000);
        if (next == 20000) close(in[1]), p[1].fd = -1, next++;
        if (!p[0].revents) continue;
        if ((n = read(out[0], buffer, sizeof buffer)) <= 0) break;
        if (!lines) memcpy(head, buffer, 5);
        for (ssize_t i = 0; i < n; i++) lines += buffer[i] == '\n';
    }
    waitpid(pid, &status, 0);
    printf("exit %d, lines %d, largest %s\n", WEXITSTATUS(status), lines, head);
    printf("missing program %s\n", strerror(posix_spawnp(&pid, "no-such-program", NULL, NULL, (char *[]){"x", NULL},
        environ)));
    return 0;
}
