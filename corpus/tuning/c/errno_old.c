#include <stdio.h>
extern int errno;
int main(void) { printf("%d\n", errno); return 0; }
