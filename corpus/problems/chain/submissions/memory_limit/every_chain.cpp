#include <vector>

int main() {
    std::vector<std::vector<int>> chains;
    for (;;) chains.emplace_back(100000, 1);
}
