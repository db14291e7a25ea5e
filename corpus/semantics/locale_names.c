// @benign locale_names.c
// @what programs start in the C locale, the environment's is C.UTF-8, a locale that is not installed is refused and changes nothing
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=start C ANSI_X3.4-1968\nenvironment C.UTF-8 UTF-8\nunknown refused, still C.UTF-8\npoint . 2.5, bytes above 127 are no letters\norder 1 1\nday Monday, own locale made
#include <ctype.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    printf("start %s %s\n", setlocale(LC_ALL, NULL), nl_langinfo(CODESET));
    const char *name = setlocale(LC_ALL, "");
    printf("environment %s %s\n", name, nl_langinfo(CODESET));
    const char *unknown = setlocale(LC_ALL, "xx_YY.KOI8-Z");
    printf("unknown %s, still %s\n", unknown ? "accepted" : "refused", setlocale(LC_ALL, NULL));
    printf("point %s %.1f, bytes above 127 are %sletters\n", localeconv()->decimal_point, 2.5,
        isalpha(0xe9) ? "" : "no ");
    printf("order %d %d\n", strcoll("B", "a") < 0, strcoll("z", "ž") < 0);
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    printf("day %s, own locale %s\n", nl_langinfo_l(DAY_2, c), c ? "made" : "refused");
    freelocale(c);
    return 0;
}
