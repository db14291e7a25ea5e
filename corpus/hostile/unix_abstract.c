// @hostile unix_abstract.c
// @group net
// @tries two runs at once bind the same abstract name and look for each other; and the abstract sockets of the host (D-Bus, X11, containerd)
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED ; stdout~^alone$
// @severity hard
// @layer net_ns, landlock
// @runs 2par
// @invariants up noproc nowrite noleft return<=7s
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int name(struct sockaddr_un *a, const char *text) {
    memset(a, 0, sizeof *a);
    a->sun_family = AF_UNIX;
    strncpy(a->sun_path + 1, text, sizeof a->sun_path - 2);
    return (int)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(text));
}

/* Success looks like a name that is taken, a stranger's connection, or a name of the host that answers. */
int main(void) {
    struct sockaddr_un a;
    int s = socket(AF_UNIX, SOCK_STREAM, 0), n = name(&a, "h7391-meeting");
    if (bind(s, (struct sockaddr *)&a, n)) printf("ESCAPED: the name is taken: %s\n", strerror(errno));
    listen(s, 8);
    const char *host[] = {"/tmp/.X11-unix/X0", "/tmp/dbus-system", "/run/systemd/journal/stdout",
                          "/containerd-shim/a.sock", "/org/kernel/linux/storage/multipathd", "snapd"};
    for (unsigned i = 0; i < sizeof host / sizeof *host; i++) {
        int c = socket(AF_UNIX, SOCK_STREAM, 0), m = name(&a, host[i]);
        if (connect(c, (struct sockaddr *)&a, m) == 0) printf("ESCAPED: the host's @%s\n", host[i]);
        close(c);
    }
    char line[512];
    FILE *f = fopen("/proc/net/unix", "r");
    while (f && fgets(line, sizeof line, f))
        if (strstr(line, "@") && !strstr(line, "h7391")) printf("ESCAPED: sees %s", line);
    struct pollfd p = {s, POLLIN, 0}; /* the other run binds the name and connects to nobody */
    if (poll(&p, 1, 1000) > 0) puts("ESCAPED: a stranger connected");
    puts("alone");
    return 0;
}
