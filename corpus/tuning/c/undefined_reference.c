#include <stdio.h>
int missing(int);
int main(void) { printf("%d\n", missing(3)); return 0; }
