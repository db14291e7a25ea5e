// flags: -Wall -Werror
#include <stdio.h>
int main(void) { int unused; puts("x"); return 0; }
