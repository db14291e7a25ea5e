#include <iostream>
#include <vector>

int n;
std::vector<int> rows;
std::vector<bool> used, rising, falling;

bool place(int column) {
    if (column == n) return true;
    for (int row = 0; row < n; row++) {
        if (used[row] || rising[row + column] || falling[row - column + n]) continue;
        used[row] = rising[row + column] = falling[row - column + n] = true;
        rows[column] = row + 1;
        if (place(column + 1)) return true;
        used[row] = rising[row + column] = falling[row - column + n] = false;
    }
    return false;
}

int main() {
    std::cin >> n;
    rows.resize(n);
    used.resize(n);
    rising.resize(2 * n);
    falling.resize(2 * n + 1);
    place(0);
    for (int row : rows) std::cout << row << ' ';
}
