#include <stdio.h>

int main(void) {
    char name[100] = "";
    if (!fgets(name, sizeof name, stdin)) name[0] = 0;
    printf("Hello, %s!\n", name);
    return 0;
}
