#include <iostream>
#include <vector>

int main() {
    int n;
    std::cin >> n;
    std::vector<int> numbers;
    for (int i = 0, number; i < n; i++) {
        std::cin >> number;
        auto at = numbers.begin();
        while (at != numbers.end() && *at < number) ++at;
        numbers.insert(at, number);
    }
    std::cout << numbers[n / 2] << '\n';
    for (int i = 0; i < n; i += 1000) std::cout << numbers[i] << '\n';
}
