#include <stdio.h>

static long long best[100001];

int main(void) {
    int n, room;
    if (scanf("%d %d", &n, &room) != 2) return 1;
    while (n-- > 0) {
        int weight, value;
        if (scanf("%d %d", &weight, &value) != 2) return 1;
        for (int w = room; w >= weight; w--)
            if (best[w - weight] + value > best[w]) best[w] = best[w - weight] + value;
    }
    printf("%lld\n", best[room]);
    return 0;
}
