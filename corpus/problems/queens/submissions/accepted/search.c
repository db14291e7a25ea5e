#include <stdio.h>
#include <stdlib.h>

static int n, rows[64];

static int place(int column) {
    if (column == n) return 1;
    for (int row = 1; row <= n; row++) {
        int free = 1;
        for (int left = 0; left < column && free; left++)
            free = rows[left] != row && abs(rows[left] - row) != column - left;
        rows[column] = row;
        if (free && place(column + 1)) return 1;
    }
    return 0;
}

int main(void) {
    if (scanf("%d", &n) != 1) return 1;
    place(0);
    for (int column = 0; column < n; column++) printf("%d\n", rows[column]);
    return 0;
}
