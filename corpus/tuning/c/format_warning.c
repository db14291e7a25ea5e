#include <stdio.h>
int main(void) { printf("%zu %s\n", 5, 5L > 3 ? "y" : "n"); return 0; }
