#include <stdio.h>
#include <stdlib.h>

static int numbers[1000000];

static int order(const void *a, const void *b) {
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

int main(void) {
    int n;
    if (scanf("%d", &n) != 1) return 1;
    for (int i = 0; i < n; i++)
        if (scanf("%d", &numbers[i]) != 1) return 1;
    qsort(numbers, n, sizeof *numbers, order);
    printf("%d\n", numbers[n / 2]);
    for (int i = 0; i < n; i += 1000) printf("%d\n", numbers[i]);
    return 0;
}
