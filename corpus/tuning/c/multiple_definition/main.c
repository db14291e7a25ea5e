#include <stdio.h>
int value = 3;
int other(void);
int main(void) { printf("%d %d\n", value, other()); return 0; }
