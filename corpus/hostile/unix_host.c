// @hostile unix_host.c
// @group net
// @tries connects to the pathname sockets of the host and of the engine itself: its API, its link to jaild, Docker, systemd, D-Bus
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer tree, mount_ns
// @invariants up noproc nowrite noleft return<=7s
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void knock(const char *path) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct stat st;
    strncpy(a.sun_path, path, sizeof a.sun_path - 1);
    if (stat(path, &st) == 0) printf("ESCAPED: sees %s\n", path);
    for (int type = 1; type <= 5; type += type == 2 ? 3 : 1) {
        int s = socket(AF_UNIX, type, 0);
        if (s >= 0 && connect(s, (struct sockaddr *)&a, sizeof a) == 0) printf("ESCAPED: connected to %s\n", path);
        close(s);
    }
}

static void walk(const char *folder, int depth) {
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[512];
        int n = snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] == '.' || n >= (int)sizeof path) continue;
        if (e->d_type == DT_SOCK) printf("ESCAPED: found the socket %s\n", path);
        if (e->d_type == DT_DIR && depth) walk(path, depth - 1);
    }
    if (d) closedir(d);
}

/* Success looks like any socket that this program did not make. */
int main(void) {
    const char *known[] = {
        "/run/engined/jaild.sock", "/run/engined/engined.sock", "/run/engined/api.sock", "/run/docker.sock",
        "/run/containerd/containerd.sock", "/run/podman/podman.sock", "/run/dbus/system_bus_socket",
        "/run/systemd/private", "/run/systemd/notify", "/run/systemd/journal/socket", "/run/udev/control",
        "/run/snapd.socket", "/run/crio/crio.sock", "/dev/log", "/tmp/.X11-unix/X0", "/var/run/nscd/socket"};
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++) knock(known[i]);
    const char *folders[] = {"/run", "/var", "/tmp", "/dev", "/home", "/etc", "/box", "/empty"};
    for (unsigned i = 0; i < sizeof folders / sizeof *folders; i++) walk(folders[i], 4);
    puts("end");
    return 0;
}
