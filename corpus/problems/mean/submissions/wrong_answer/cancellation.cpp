#include <cmath>
#include <iostream>

/* The squares of large numbers minus one another: nothing right is left, and below zero it is nan. */
int main() {
    int n;
    std::cin >> n;
    float sum = 0, squares = 0, value;
    for (int i = 0; i < n; i++) {
        std::cin >> value;
        sum += value;
        squares += value * value;
    }
    std::cout << sum / n << ' ' << std::sqrt(squares / n - sum / n * (sum / n)) << '\n';
}
