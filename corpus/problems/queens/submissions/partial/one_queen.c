#include <stdio.h>

int main(void) {
    int n;
    if (scanf("%d", &n) != 1) return 1;
    for (int column = 0; column < n; column++) printf("%d\n", column == 0);
    return 0;
}
