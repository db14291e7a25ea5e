// @benign printf_variants.c
// @what printf in many forms (widths from arguments, positions, hexadecimal floats, %m, lengths), memory streams, dprintf, snprintf's answer
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=[   42|42   |00042|+42| 42|ff|0XFF|010]\n[    3.142|ab    |abc|z|%]\n[1.234568e+04|1e-05|1e+06|1E-10|0x1p+0|0|2]\n[44|4464|-5000000000|4|-5|ffffffffffffffff|9]\n[hello world hello]\n[No such file or directory|(text)|(nil)]\nneed 9, have trunc\nmade-7 in memory, 16 bytes\nread 3: 31 63 word\ndirect 1
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *format(const char *f, ...)
{
    char *s;
    va_list a;
    va_start(a, f);
    int n = vasprintf(&s, f, a);
    va_end(a);
    return n < 0 ? NULL : s;
}

int main(void)
{
    printf("[%5d|%-5d|%05d|%+d|% d|%x|%#X|%#o]\n", 42, 42, 42, 42, 42, 255, 255, 8);
    printf("[%*.*f|%-*s|%.3s|%c|%%]\n", 9, 3, 3.14159, 6, "ab", "abcdef", 'z');
    printf("[%e|%g|%g|%G|%a|%.0f|%.0f]\n", 12345.678, 1e-5, 1e6, 1e-10, 1.0, 0.5, 1.5);
    printf("[%hhd|%hu|%lld|%zu|%jd|%" PRIx64 "|%td]\n", 300, 70000, -1LL * 5000000000, sizeof(int), (intmax_t)-5,
        UINT64_MAX, (ptrdiff_t)9);
    printf("[%2$s %1$s %2$s]\n", "world", "hello");
    errno = ENOENT;
    printf("[%m|%s|%p]\n", "(text)", (void *)0);
    char small[6];
    int need = snprintf(small, sizeof small, "%s", "truncated");
    printf("need %d, have %s\n", need, small);
    char *text, *made = format("%s-%d", "made", 7);
    size_t size;
    FILE *m = open_memstream(&text, &size);
    fprintf(m, "%s in memory", made), fclose(m);
    printf("%s, %zu bytes\n", text, size);
    int a, b;
    char word[8];
    FILE *r = fmemopen("0x1f 077 word,rest", 18, "r");
    int got = fscanf(r, "%i %i %7[a-z]", &a, &b, word);
    printf("read %d: %d %d %s\n", got, a, b, word);
    fflush(stdout);
    dprintf(1, "direct %d\n", 1);
    return 0;
}
