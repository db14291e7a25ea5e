#include <stdio.h>

int main(void) {
    static const int table[] = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
    static const char *names[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
    int y, m, d;
    while (scanf("%d-%d-%d", &y, &m, &d) == 3) {
        y -= m < 3;
        puts(names[(y + y / 4 - y / 100 + y / 400 + table[m - 1] + d) % 7]);
    }
    return 0;
}
