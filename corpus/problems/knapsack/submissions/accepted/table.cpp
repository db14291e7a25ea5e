#include <bits/stdc++.h>

int main() {
    int n, room;
    std::cin >> n >> room;
    std::vector<long long> best(room + 1);
    for (int weight, value; n-- > 0;) {
        std::cin >> weight >> value;
        for (int w = room; w >= weight; w--) best[w] = std::max(best[w], best[w - weight] + value);
    }
    std::cout << best[room];
}
