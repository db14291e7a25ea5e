#include <stdio.h>
static int five(void) { return 5; }
static int (*choose(void))(void) { return five; }
int chosen(void) __attribute__((ifunc("choose")));
int main(void) { printf("%d\n", chosen()); return 0; }
