#include <iostream>
#include <vector>

/* A table of all pairs, of 64-bit numbers, for the largest n that there may be. */
int main() {
    int n, m;
    std::cin >> n >> m;
    std::vector<std::vector<long long>> cost(10000, std::vector<long long>(10000, -1));
    std::cout << cost[0][0] << '\n';
}
