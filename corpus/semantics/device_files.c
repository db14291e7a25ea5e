// @benign device_files.c
// @what /dev/stdin, /dev/stdout, /dev/stderr and /dev/fd can be opened by name though they are pipes that somebody else made; null, zero and full behave
// @limits cpu=5 wall=10
// @stdin by name
// @expect exit=0
// @expect out=read by name\nby number\npipes 111, terminal 0\nnull writes 1 reads 0, zero 1, full ENOSPC\nstdio learns of it at the end: 1
// @expect stderr=to stderr by name
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void)
{
    char text[64] = "";
    FILE *in = fopen("/dev/stdin", "r"), *out = fopen("/dev/stdout", "w"), *err = fopen("/dev/stderr", "w");
    if (!in || !out || !err) { perror("a standard stream by name"); return 1; }
    if (!fgets(text, sizeof text, in)) return 2;
    fprintf(out, "read %s", text), fflush(out);
    fprintf(err, "to stderr by name\n"), fflush(err);
    int again = open("/dev/fd/1", O_WRONLY);
    if (again < 0 || write(again, "by number\n", 10) != 10) { perror("/dev/fd/1"); return 3; }
    struct stat s[3];
    for (int i = 0; i < 3; i++) fstat(i, &s[i]);
    printf("pipes %d%d%d, terminal %d\n", S_ISFIFO(s[0].st_mode), S_ISFIFO(s[1].st_mode), S_ISFIFO(s[2].st_mode),
        isatty(1));
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY), full = open("/dev/full", O_WRONLY);
    memset(text, 1, sizeof text);
    printf("null writes %zd reads %zd, ", write(null, "x", 1), read(null, text, 1));
    printf("zero %d, ", read(zero, text, 10) == 10 && !memchr(text, 1, 10));
    printf("full %s\n", write(full, "x", 1) < 0 && errno == ENOSPC ? "ENOSPC" : "?");
    FILE *f = fdopen(full, "w");
    fputs("late", f);
    printf("stdio learns of it at the end: %d\n", fclose(f) == EOF && errno == ENOSPC);
    return 0;
}
