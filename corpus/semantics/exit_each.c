// @benign exit_each.c
// @what each exit code arrives as it is: 126, 127 and those above 128 are neither shell errors nor signals when the program chose them
// @limits cpu=5 wall=10
// @stdin @each:0,1,2,3,100,124,125,126,127,128,130,134,137,139,143,152,254,255
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    int code;
    if (scanf("%d", &code) != 1) return 99;
    exit(code);
}
