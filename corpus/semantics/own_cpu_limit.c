// @benign own_cpu_limit.c
// @what a program that lowers its own RLIMIT_CPU dies by SIGXCPU after one second: its own doing, far below the judge's limit of five
// @limits cpu=5 wall=10
// @expect signal=SIGXCPU
// @expect out=limit set
#include <stdio.h>
#include <sys/resource.h>

int main(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_CPU, &r)) return 1;
    r.rlim_cur = 1;
    if (setrlimit(RLIMIT_CPU, &r)) return 2;
    puts("limit set");
    fflush(stdout);
    for (volatile unsigned long n = 0;; n++) {}
}
