// @benign open_files.c
// @what exactly three descriptors are open at the start, so the first is 3; 200 files at once are fine; beyond a limit of one's own it is EMFILE
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=first 3, opened 200, lowest free again 100\nthen EMFILE at 64, back to work 1
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

int main(void)
{
    int first = open("/dev/null", O_RDONLY), n = 1;
    while (n < 200 && open("/dev/null", O_RDONLY) >= 0) n++;
    close(100);
    printf("first %d, opened %d, lowest free again %d\n", first, n, dup(0));
    for (int fd = 3; fd < 256; fd++) close(fd);
    struct rlimit r;
    getrlimit(RLIMIT_NOFILE, &r);
    r.rlim_cur = 64;
    if (setrlimit(RLIMIT_NOFILE, &r)) return 1;
    int last = -1, fd;
    while ((fd = open("/dev/zero", O_RDONLY)) >= 0) last = fd;
    printf("then %s at %d, ", errno == EMFILE ? "EMFILE" : "?", last + 1);
    close(last);
    FILE *f = fopen("file", "w");
    printf("back to work %d\n", f != NULL);
    return 0;
}
