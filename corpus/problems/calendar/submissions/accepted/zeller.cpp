#include <cstdio>

int main() {
    const char *names[] = {"Saturday", "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday"};
    for (int y, m, d; std::scanf("%d-%d-%d", &y, &m, &d) == 3;) {
        if (m < 3) {
            m += 12;
            y--;
        }
        std::puts(names[(d + 13 * (m + 1) / 5 + y + y / 4 - y / 100 + y / 400) % 7]);
    }
}
