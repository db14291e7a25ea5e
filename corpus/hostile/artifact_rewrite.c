// @hostile artifact_rewrite.c
// @group compile
// @tries replaces the program that it is while it runs, in each way there is; a second run of the same source must get what the compiler made, not what the first left
// @limits cpu=2 wall=5 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout~^original$ ; stdout!~ESCAPED
// @runs 2
// @severity hard
// @layer tree, api
// @invariants up noproc nowrite noleft return<=18s
// @quick yes
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
static const char EVIL[] = "#!/usr/bin/printf ESCAPED: the first run's program\n";
int main(int argc, char **argv) {
    (void)argc;
    char self[4096] = {0};
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) strcpy(self, argv[0]);
    puts("original");
    int f = open("/proc/self/exe", O_WRONLY);
    if (f >= 0) { puts("ESCAPED: a running program opened for writing"); close(f); }
    int shared = open(self, O_RDONLY);  /* the same bytes as the cache's, if they are not a copy */
    char by_fd[64];
    snprintf(by_fd, sizeof by_fd, "/proc/self/fd/%d", shared);
    unlink(self);
    f = open(by_fd, O_WRONLY);
    if (f >= 0) { (void)!write(f, EVIL, sizeof EVIL - 1); close(f); }
    f = open(self, O_CREAT | O_TRUNC | O_WRONLY, 0755);
    if (f >= 0) { (void)!write(f, EVIL, sizeof EVIL - 1); fchmod(f, 06755); close(f); }
    return 0;
}
