#include <iostream>
#include <string>
#include <vector>

std::vector<std::string> maze;
std::string best = "-";

/* Every way there is. */
void walk(int row, int column, std::string way) {
    if (row < 0 || column < 0 || row >= (int)maze.size() || column >= (int)maze[row].size()) return;
    const char here = maze[row][column];
    if (here == '#') return;
    if (here == 'T') {
        if (best == "-" || way.size() < best.size()) best = way;
        return;
    }
    maze[row][column] = '#';
    walk(row - 1, column, way + 'N');
    walk(row, column + 1, way + 'E');
    walk(row + 1, column, way + 'S');
    walk(row, column - 1, way + 'W');
    maze[row][column] = here;
}

int main() {
    for (std::string line; std::getline(std::cin, line);) maze.push_back(line);
    for (std::size_t row = 0; row < maze.size(); row++)
        if (const auto column = maze[row].find('S'); column != std::string::npos) walk(row, column, "");
    std::cout << best << '\n';
}
