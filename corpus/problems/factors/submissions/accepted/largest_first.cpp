#include <iostream>
#include <vector>

int main() {
    long long n;
    std::cin >> n;
    std::vector<long long> factors;
    for (long long p = 2; p * p <= n; p++)
        for (; n % p == 0; n /= p) factors.push_back(p);
    if (n > 1) factors.push_back(n);
    while (!factors.empty()) {
        std::cout << factors.back() << '\n';
        factors.pop_back();
    }
}
