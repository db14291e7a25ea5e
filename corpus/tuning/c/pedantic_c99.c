// flags: -std=c99 -pedantic -Wall
#include <stdio.h>
int main() { int a[] = {1, 2}; typeof(a[0]) x = a[0]; // x
 printf("%d\n", x); return 0 ?: 1; }
