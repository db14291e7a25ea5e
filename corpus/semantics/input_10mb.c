// @benign input_10mb.c
// @what 10 MB on stdin, read one character at a time, then in blocks; the end of the input is seen once and stays
// @limits cpu=5 wall=10
// @stdin @10MB-digits
// @expect exit=0
// @expect out=1048576 of each digit, 10485760 in all\nend 1, error 0, again -1, read 0
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    long count[10] = {0}, all = 0;
    int c;
    while (all < 1000000 && (c = getchar()) != EOF) count[c - '0']++, all++;
    static char block[65536];
    size_t n;
    while ((n = fread(block, 1, sizeof block, stdin)) > 0) {
        for (size_t i = 0; i < n; i++) count[block[i] - '0']++;
        all += n;
    }
    for (int i = 1; i < 10; i++) if (count[i] != count[0]) return 1;
    printf("%ld of each digit, %ld in all\n", count[0], all);
    printf("end %d, error %d, again %d, read %d\n", !!feof(stdin), !!ferror(stdin), getchar(), (int)read(0, block, 1));
    return 0;
}
