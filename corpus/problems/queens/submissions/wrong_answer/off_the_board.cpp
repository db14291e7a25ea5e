#include <iostream>

int main() {
    int n;
    std::cin >> n;
    for (int column = 0; column < n; column++) std::cout << n + 1 << ' ';
}
