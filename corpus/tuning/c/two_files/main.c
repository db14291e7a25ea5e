#include "util.h"
#include <stdio.h>
int main(void) { printf("%d %s\n", twice(21), NAME); return 0; }
