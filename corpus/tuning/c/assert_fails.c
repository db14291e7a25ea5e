// flags: -g
#include <assert.h>
#include <stdio.h>
int main(int argc, char **argv) { (void)argv; printf("%s %d %d %d\n", __FILE__, __LINE__, __COUNTER__, __COUNTER__); fflush(stdout); assert(argc == 2 && "two"); return 0; }
