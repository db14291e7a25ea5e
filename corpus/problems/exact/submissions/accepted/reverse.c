#include <stdio.h>
#include <stdlib.h>

int main(void) {
    size_t room = 1 << 16, length = 0, got;
    char *bytes = malloc(room);
    while ((got = fread(bytes + length, 1, room - length, stdin)) > 0) {
        length += got;
        if (length == room) bytes = realloc(bytes, room *= 2);
    }
    while (length > 0) putchar(bytes[--length]);
    return 0;
}
