// @benign several_files.c
// @what headers and sources in sub-folders: found from the root with "" and <>, static names don't clash, each file's own idea of a macro
// @limits cpu=5 wall=10
// @file geo/shape.h:"struct\ shape\ {\ double\ w,\ h;\ };\ double\ area(struct\ shape\ s);\ extern\ int\ calls;"
// @file geo/area.c:"struct\ shape\ {\ double\ w,\ h;\ };\ int\ calls;\ static\ double\ helper(double\ a,\ double\ b)\ {\ calls++;\ return\ a\ *\ b;\ }\ double\ area(struct\ shape\ s)\ {\ return\ helper(s.w,\ s.h);\ }"
// @file text/deep/shout.c:"static\ char\ helper(char\ c)\ {\ return\ c\ >=\ 'a'\ &&\ c\ <=\ 'z'\ ?\ c\ -\ 32\ :\ c;\ }\ void\ shout(char\ *s)\ {\ for\ (;\ *s;\ s++)\ *s\ =\ helper(*s);\ }"
// @file text/deep/shout.h:"void\ shout(char\ *s);"
// @file limits_own.h:"enum\ {\ OWN_LIMIT\ =\ 12\ };"
// @expect exit=0
// @expect out=area 12, calls 1, within limit 1\nHELLO FROM SUB-FOLDERS
#include <geo/shape.h>
#include <stdio.h>
#include "limits_own.h"
#include "text/deep/shout.h"

static int helper(double a) { return a <= OWN_LIMIT; }

int main(void)
{
    char text[] = "hello from sub-folders";
    double a = area((struct shape){3, 4});
    printf("area %g, calls %d, within limit %d\n", a, calls, helper(a));
    shout(text);
    puts(text);
    return 0;
}
