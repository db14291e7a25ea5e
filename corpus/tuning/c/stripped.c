// flags: -s -Os
#include <stdio.h>
int main(void) { puts("stripped"); return 0; }
