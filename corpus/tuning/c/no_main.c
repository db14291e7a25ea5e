#include <stdio.h>
int man(void) { puts("x"); return 0; }
