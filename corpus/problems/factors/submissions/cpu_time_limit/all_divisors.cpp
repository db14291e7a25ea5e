#include <iostream>

int main() {
    long long n;
    std::cin >> n;
    for (volatile long long p = 2; n > 1; p = p + 1)
        for (; n % p == 0; n /= p) std::cout << p << '\n';
}
