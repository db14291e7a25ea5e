// @benign strto_edges.c
// @what strtod and strtol at their edges: hexadecimal, infinity, overflow with ERANGE, where parsing stops, and numbers that survive text and back
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out='  -1.5e3xyz' -1500 rest 'xyz'\n'0x1.8p1' 3 rest ''\n'inf' inf rest ''\n'-NaN' -nan rest ''\n'1e999' inf ERANGE rest ''\n'1e-999' 0 ERANGE rest ''\n'4.9e-324' 4.94066e-324 ERANGE rest ''\n'1,5' 1 rest ',5'\n'abc' 0 rest 'abc'\n'99999999999999999999' 9223372036854775807 ERANGE rest ''\n'-0x7f' -127 rest ''\n'zz' 1295 rest ''\n'0779' 63 rest '9'\n'12abc' 12 rest 'abc'\nstrtoul(-1) 1, atoi 42\nbroken by text and back: 0 of 20000
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void d(const char *s)
{
    char *end;
    errno = 0;
    double x = strtod(s, &end);
    printf("'%s' %g%s rest '%s'\n", s, x, errno == ERANGE ? " ERANGE" : "", end);
}
static void l(const char *s, int base)
{
    char *end;
    errno = 0;
    long x = strtol(s, &end, base);
    printf("'%s' %ld%s rest '%s'\n", s, x, errno == ERANGE ? " ERANGE" : "", end);
}

int main(void)
{
    d("  -1.5e3xyz"), d("0x1.8p1"), d("inf"), d("-NaN"), d("1e999"), d("1e-999"), d("4.9e-324"), d("1,5"), d("abc");
    l("99999999999999999999", 10), l("-0x7f", 0), l("zz", 36), l("0779", 0), l("12abc", 10);
    printf("strtoul(-1) %d, atoi %d\n", strtoul("-1", NULL, 10) == ULONG_MAX, atoi("  +42nd"));
    unsigned long long bits = 0x3ff0000000000001;
    int broken = 0;
    for (int i = 0; i < 20000; i++) {
        bits = bits * 6364136223846793005ULL + 1442695040888963407ULL;
        double x, y;
        char text[64];
        memcpy(&x, &bits, 8);
        snprintf(text, sizeof text, "%.17g", x);
        y = strtod(text, NULL);
        broken += x == x && memcmp(&x, &y, 8) != 0;
    }
    printf("broken by text and back: %d of 20000\n", broken);
    return 0;
}
