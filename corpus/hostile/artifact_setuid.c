// @hostile artifact_setuid.c
// @group kern
// @tries makes itself setuid and setgid for each id it may own, and starts itself again with libraries of its own named in the environment
// @limits cpu=2 wall=5 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout~^end$ ; stdout!~ESCAPED
// @severity hard
// @layer uid, no_new_privs
// @invariants up noproc nowrite noleft return<=18s
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
int main(int argc, char **argv) {
    char line[256];
    if (argc > 1) {
        uid_t r, e, s;
        getresuid(&r, &e, &s);
        if (r != e || e != s || e == 0 || getegid() != getgid()) printf("ESCAPED: uids %u %u %u\n", r, e, s);
        FILE *f = fopen("/proc/self/status", "r");
        while (f && fgets(line, sizeof line, f)) {
            if ((!strncmp(line, "CapEff", 6) || !strncmp(line, "CapPrm", 6)) && strtoull(line + 7, 0, 16)) printf("ESCAPED: %s", line);
            if (!strncmp(line, "NoNewPrivs", 10) && !strstr(line, "1")) puts("ESCAPED: may gain privileges");
            if (!strncmp(line, "Seccomp:", 8) && !strstr(line, "2")) puts("ESCAPED: no filter after exec");
        }
        puts("end");
        return 0;
    }
    for (unsigned id = 0; id < 70000; id += id < 4 ? 1 : 13107) if (id != getuid() && chown(argv[0], id, id) == 0) printf("ESCAPED: gave a file to %u\n", id);
    chmod(argv[0], 06755);
    setenv("LD_PRELOAD", "/box/own.so", 1); setenv("LD_LIBRARY_PATH", "/box", 1); setenv("GCONV_PATH", "/box", 1); setenv("LD_AUDIT", "/box/own.so", 1);
    execl(argv[0], argv[0], "again", (char *)0);
    puts("not started again\nend");
    return 0;
}
