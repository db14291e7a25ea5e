#include <stdio.h>
extern int maybe(int) __attribute__((weak));
extern int nowhere __attribute__((weak));
int main(void) { printf("%d %d\n", maybe ? maybe(1) : -1, &nowhere != 0); return 0; }
