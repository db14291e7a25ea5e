#include <ctype.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    const int loud = argc > 2 && strcmp(argv[2], "--loud") == 0;
    printf("%s", loud ? "HELLO, " : "Hello, ");
    for (const char *c = argv[1]; *c; c++) putchar(loud ? toupper((unsigned char)*c) : *c);
    puts("!");
    return 0;
}
