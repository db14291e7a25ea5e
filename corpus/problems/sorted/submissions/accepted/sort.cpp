#include <algorithm>
#include <iostream>
#include <vector>

int main() {
    std::ios::sync_with_stdio(false);
    int n;
    std::cin >> n;
    std::vector<int> numbers(n);
    for (int &number : numbers) std::cin >> number;
    std::sort(numbers.begin(), numbers.end());
    std::cout << numbers[n / 2] << '\n';
    for (int i = 0; i < n; i += 1000) std::cout << numbers[i] << '\n';
}
