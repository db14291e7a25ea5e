#include <cstring>
#include <vector>

/* A table of a row for each thing and a column for each weight, for the largest that there may be, all of it touched. */
int main() {
    std::vector<std::vector<long long>> table;
    for (int row = 0; row < 1000; row++) table.emplace_back(100001, 1);
    return static_cast<int>(table[999][5]) - 1;
}
