// @benign temp_files.c
// @what mkstemp, mkdtemp, tmpfile in /tmp; private modes; an unlinked file stays readable; O_TMPFILE; names differ
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=names differ 1, mode 600, folder mode 700\nstill here, links 0, gone 1\ntmpfile read 2: 46\ninside 1, again -1, nameless 1\nnot empty -1, file removed 0, folder removed 0, the other file 0
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void)
{
    char a[] = "/tmp/oneXXXXXX", b[] = "/tmp/oneXXXXXX", d[] = "/tmp/dirXXXXXX", inside[64], text[16] = "";
    struct stat s;
    int fa = mkstemp(a), fb = mkstemp(b);
    if (fa < 0 || fb < 0 || !mkdtemp(d)) return 1;
    fstat(fa, &s);
    printf("names differ %d, mode %o, ", strcmp(a, b) != 0, s.st_mode & 07777);
    stat(d, &s);
    printf("folder mode %o\n", s.st_mode & 07777);
    unlink(a);
    if (write(fa, "still here", 10) != 10 || pread(fa, text, 10, 0) != 10) return 2;
    fstat(fa, &s);
    printf("%s, links %d, gone %d\n", text, (int)s.st_nlink, access(a, F_OK) != 0);
    FILE *t = tmpfile();
    if (!t) return 3;
    fputs("12 34", t), rewind(t);
    int x, y;
    printf("tmpfile read %d: ", fscanf(t, "%d %d", &x, &y));
    printf("%d\n", x + y);
    snprintf(inside, sizeof inside, "%s/file", d);
    int fi = open(inside, O_CREAT | O_EXCL | O_WRONLY, 0600), nameless = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    printf("inside %d, again %d, nameless %d\n", fi >= 0, open(inside, O_CREAT | O_EXCL | O_WRONLY, 0600),
        nameless >= 0);
    printf("not empty %d, ", rmdir(d));
    printf("file removed %d, ", unlink(inside));
    printf("folder removed %d, the other file %d\n", rmdir(d), unlink(b));
    return 0;
}
