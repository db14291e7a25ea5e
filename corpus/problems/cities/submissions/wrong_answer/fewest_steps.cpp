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
    std::queue<int> queue;
    queue.push(0);
    best[0] = 0;
    while (!queue.empty()) {
        const int city = queue.front();
        queue.pop();
        for (auto [other, more] : ways[city]) {
            if (best[other] >= 0) continue;
            best[other] = best[city] + more;
            queue.push(other);
        }
    }
    for (long long cost : best) {
        if (cost < 0) std::cout << "-\n";
        else std::cout << cost << '\n';
    }
}
