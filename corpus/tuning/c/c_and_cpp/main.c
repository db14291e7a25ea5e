#include <stdio.h>
int from_cpp(int);
int main(void) { printf("%d\n", from_cpp(4)); return 0; }
