// @benign proc_self.c
// @what /proc belongs to this run: self/exe, cmdline, status, maps, fd, a child's entry; the memory, CPU and load files that libraries read are there
// @limits cpu=5 wall=10
// @args one|two words
// @expect exit=0
// @expect out=executable 1, own number 1, last argument 'two words'\nstack mapped 1, name in status 1\ndescriptors 5 (three, the file, the folder)\nchild seen 1, afterwards -1\nmeminfo 1, cpus 1, uptime 1, stat 1
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int lines(const char *path, const char *with)
{
    char line[4096];
    int n = 0;
    FILE *f = fopen(path, "r");
    if (!f) return -1;
    while (fgets(line, sizeof line, f)) n += strstr(line, with) != NULL;
    fclose(f);
    return n;
}

int main(int argc, char **argv)
{
    char exe[4096] = "", self[32] = "", args[4096] = "", path[64];
    if (readlink("/proc/self/exe", exe, sizeof exe - 1) < 0 || readlink("/proc/self", self, sizeof self - 1) < 0) {
        perror("readlink");
        return 1;
    }
    FILE *f = fopen("/proc/self/cmdline", "r");
    size_t n = f ? fread(args, 1, sizeof args, f) : 0;
    char *last = n ? args + n - 1 - strlen(argv[argc - 1]) : args;
    printf("executable %d, own number %d, last argument '%s'\n", access(exe, X_OK) == 0, atoi(self) == getpid(), last);
    printf("stack mapped %d, name in status %d\n", lines("/proc/self/maps", "[stack]"),
        lines("/proc/self/status", "Name:"));
    int fds = 0;
    DIR *d = opendir("/proc/self/fd");
    for (struct dirent *e; d && (e = readdir(d));) fds += e->d_name[0] != '.';
    printf("descriptors %d (three, the file, the folder)\n", fds);
    pid_t child = fork();
    if (child == 0) { pause(); _exit(0); }
    snprintf(path, sizeof path, "/proc/%d/status", (int)child);
    int seen = lines(path, "PPid:");
    kill(child, 9), wait(NULL);
    printf("child seen %d, afterwards %d\n", seen, lines(path, "PPid:"));
    printf("meminfo %d, cpus %d, uptime %d, stat %d\n", lines("/proc/meminfo", "MemTotal:"),
        lines("/proc/cpuinfo", "processor") > 0,
           lines("/proc/uptime", "."), lines("/proc/stat", "btime"));
    return 0;
}
