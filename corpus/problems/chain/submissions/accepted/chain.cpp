#include <algorithm>
#include <iostream>
#include <vector>

int main() {
    int n;
    std::cin >> n;
    std::vector<int> x(n), best(n, 1);
    for (int &number : x) std::cin >> number;
    std::sort(x.begin(), x.end());
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            if (x[i] % x[j] == 0) best[i] = std::max(best[i], best[j] + 1);
    std::cout << *std::max_element(best.begin(), best.end()) << '\n';
}
