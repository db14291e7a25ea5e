#include <stdio.h>
long time(long *t) { (void)t; return 42; }
int index = 3;
int read_it(void) { return 1; }
int main(void) { printf("%ld %d %d\n", time(0), index, read_it()); return 0; }
