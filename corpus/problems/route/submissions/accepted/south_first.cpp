#include <iostream>
#include <queue>
#include <string>
#include <utility>
#include <vector>

/* Another way of the same length where there are several. */
int main() {
    std::vector<std::string> maze;
    for (std::string line; std::getline(std::cin, line);) maze.push_back(line);
    const char steps[] = "SWNE";
    const int down[] = {1, 0, -1, 0}, right[] = {0, -1, 0, 1};
    std::vector<std::string> from(maze.size());
    std::queue<std::pair<int, int>> queue;
    for (std::size_t row = 0; row < maze.size(); row++) {
        from[row].assign(maze[row].size(), ' ');
        const auto column = maze[row].find('S');
        if (column != std::string::npos) {
            queue.emplace(row, column);
            from[row][column] = '.';
        }
    }
    while (!queue.empty()) {
        auto [row, column] = queue.front();
        queue.pop();
        if (maze[row][column] == 'T') {
            std::string way;
            while (from[row][column] != '.') {
                const int step = from[row][column] - '0';
                way.insert(way.begin(), steps[step]);
                row -= down[step];
                column -= right[step];
            }
            std::cout << way << '\n';
            return 0;
        }
        for (int step = 0; step < 4; step++) {
            const int y = row + down[step], x = column + right[step];
            if (y < 0 || x < 0 || y >= (int)maze.size() || x >= (int)maze[y].size()) continue;
            if (maze[y][x] == '#' || from[y][x] != ' ') continue;
            from[y][x] = '0' + step;
            queue.emplace(y, x);
        }
    }
    std::cout << "-\n";
}
