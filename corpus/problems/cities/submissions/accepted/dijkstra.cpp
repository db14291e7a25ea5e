#include <functional>
#include <iostream>
#include <queue>
#include <vector>

int main() {
    int n, m;
    std::cin >> n >> m;
    std::vector<std::vector<std::pair<int, int>>> ways(n);
    for (int a, b, cost; m-- > 0;) {
        std::cin >> a >> b >> cost;
        ways[a].emplace_back(b, cost);
    }
    std::vector<long long> best(n, -1);
    std::priority_queue<std::pair<long long, int>, std::vector<std::pair<long long, int>>, std::greater<>> queue;
    queue.emplace(0, 0);
    while (!queue.empty()) {
        auto [cost, city] = queue.top();
        queue.pop();
        if (best[city] >= 0) continue;
        best[city] = cost;
        for (auto [other, more] : ways[city]) queue.emplace(cost + more, other);
    }
    for (long long cost : best) {
        if (cost < 0) std::cout << "-\n";
        else std::cout << cost << '\n';
    }
}
