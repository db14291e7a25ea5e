#include <stdio.h>
extern int value;
int main(void) { printf("%d\n", value); return 0; }
