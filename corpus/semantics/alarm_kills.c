// @benign alarm_kills.c
// @what the default action of SIGALRM ends the program: a death by its own signal, not a time limit of the judge
// @limits cpu=5 wall=10
// @expect signal=SIGALRM
// @expect out=waiting
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    puts("waiting");
    fflush(stdout);
    ualarm(50000, 0);
    for (;;) pause();
}
