#include <stdio.h>

int main(void) {
    puts("Friday");
    return 0;
}
