#include <stdio.h>
#include <string.h>

int main(void) {
    static char bytes[1 << 20];
    fread(bytes, 1, sizeof bytes - 1, stdin);
    for (size_t length = strlen(bytes); length > 0;) putchar(bytes[--length]);
    return 0;
}
