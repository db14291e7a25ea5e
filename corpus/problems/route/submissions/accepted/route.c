#include <stdio.h>
#include <string.h>

static char maze[64][64];
static int from[64][64], queue[64 * 64], rows;

int main(void) {
    const char *steps = "ESWN";
    const int down[] = {0, 1, 0, -1}, right[] = {1, 0, -1, 0};
    int head = 0, tail = 0;
    memset(from, -1, sizeof from);
    while (rows < 64 && fgets(maze[rows], 64, stdin)) {
        maze[rows][strcspn(maze[rows], "\n")] = 0;
        char *start = strchr(maze[rows], 'S');
        if (start) {
            queue[tail++] = rows * 64 + (int)(start - maze[rows]);
            from[rows][start - maze[rows]] = 4;
        }
        rows++;
    }
    while (head < tail) {
        int row = queue[head] / 64, column = queue[head] % 64;
        head++;
        if (maze[row][column] == 'T') {
            char way[64 * 64];
            int length = 0;
            while (from[row][column] != 4) {
                int step = from[row][column];
                way[length++] = steps[step];
                row -= down[step];
                column -= right[step];
            }
            while (length > 0) putchar(way[--length]);
            putchar('\n');
            return 0;
        }
        for (int step = 0; step < 4; step++) {
            int y = row + down[step], x = column + right[step];
            if (y < 0 || x < 0 || y >= rows || x >= (int)strlen(maze[y])) continue;
            if (maze[y][x] == '#' || from[y][x] >= 0) continue;
            from[y][x] = step;
            queue[tail++] = y * 64 + x;
        }
    }
    puts("-");
    return 0;
}
