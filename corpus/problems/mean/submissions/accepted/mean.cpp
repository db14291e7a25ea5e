#include <cmath>
#include <iostream>
#include <numeric>
#include <vector>

int main() {
    int n;
    std::cin >> n;
    std::vector<double> x(n);
    for (double &value : x) std::cin >> value;
    double mean = std::accumulate(x.begin(), x.end(), 0.0) / n, squares = 0;
    for (double value : x) squares += (value - mean) * (value - mean);
    // Each number on a line of its own is as good.
    std::cout << std::scientific << mean << '\n' << std::sqrt(squares / n) << '\n';
}
